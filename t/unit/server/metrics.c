#include "server/metrics.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct buf out;
static struct metrics m;

static void open(void)
{
	buf_init(&out, 64 * 1024);
	m = (struct metrics){ .out = &out, .is_open = true };
}

static void close(void)
{
	buf_deinit(&out);
}

static void is(const char *wanted)
{
	cr_expect(slice_is(buf_slice(&out), wanted), "got %.*s",
		  SLICE_ARG(buf_slice(&out)));
}

static bool has(const char *line)
{
	return memmem(out.data, buf_len(&out), line, strlen(line)) != NULL;
}

TestSuite(metrics, .init = open, .fini = close);

Test(metrics, both_formats)
{
	const struct metrics_label labels[METRICS_LABELS] = {
		{ "a", "x\"\\\n" }, { "b", "" }
	};

	metrics_family(&m, "n", METRICS_COUNTER, "Help.");
	metrics_sample(&m, labels, 3);
	metrics_family(&m, "i", METRICS_INFO, "Help.");
	metrics_sample(&m, NULL, 1);
	metrics_end(&m);
	is("# HELP n Help.\n# TYPE n counter\n"
	   "n_total{a=\"x\\\"\\\\\\n\",b=\"\"} 3\n"
	   "# HELP i Help.\n# TYPE i info\ni_info 1\n# EOF\n");
	buf_clear(&out);
	m.is_open = false;
	metrics_family(&m, "n", METRICS_COUNTER, "Help.");
	metrics_sample(&m, NULL, 3);
	metrics_family(&m, "i", METRICS_INFO, "Help.");
	metrics_sample_us(&m, NULL, 1000001);
	metrics_end(&m);
	is("# HELP n_total Help.\n# TYPE n_total counter\nn_total 3\n"
	   "# HELP i_info Help.\n# TYPE i_info gauge\ni_info 1.000001\n");
}

Test(metrics, buckets_add_up)
{
	struct histogram h = { .sum = 5000003, .count = 4 };

	h.buckets[histogram_bucket(1)] = 1;
	h.buckets[histogram_bucket(2)] = 1;
	h.buckets[histogram_bucket(1000000)] = 1;
	h.buckets[HISTOGRAM_BUCKETS - 1] = 1;
	metrics_family(&m, "t", METRICS_HISTOGRAM, "Help.");
	metrics_histogram(&m, NULL, &h);
	cr_expect(has("t_bucket{le=\"2e-06\"} 1\n"));
	cr_expect(has("t_bucket{le=\"4e-06\"} 2\n"));
	cr_expect(has("t_bucket{le=\"0.524288\"} 2\n"));
	cr_expect(has("t_bucket{le=\"1.048576\"} 3\n"));
	cr_expect(has("t_bucket{le=\"134.217728\"} 3\n"));
	cr_expect(has("t_bucket{le=\"+Inf\"} 4\n"));
	cr_expect(has("t_sum 5.000003\nt_count 4\n"));
}
