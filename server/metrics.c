#include "server/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#define MILLION	  1000000u
#define LE_FIRST  1  /* 2 us */
#define LE_LAST	  27 /* 134 s: the last bucket of the board has no end */

static const char *type_name(const struct metrics *m)
{
	switch (m->type) {
	case METRICS_COUNTER:
		return "counter";
	case METRICS_HISTOGRAM:
		return "histogram";
	case METRICS_INFO:
		return m->is_open ? "info" : "gauge";
	case METRICS_GAUGE:
		break;
	}
	return "gauge";
}

/* Behind the family's name, for samples and in the old format everywhere. */
static const char *ending(const struct metrics *m)
{
	return m->type == METRICS_COUNTER ? "_total" :
	       m->type == METRICS_INFO	  ? "_info" :
					    "";
}

static bool add_escaped(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '\n') {
			if (!buf_add(out, SLICE_LIT("\\n")))
				return false;
			continue;
		}
		if ((*text == '"' || *text == '\\') && !buf_add_byte(out, '\\'))
			return false;
		if (!buf_add_byte(out, *text))
			return false;
	}
	return true;
}

void metrics_family(struct metrics *m, const char *name,
		    enum metrics_type type, const char *help)
{
	const char *end;

	m->name = name;
	m->type = type;
	end = m->is_open ? "" : ending(m);
	buf_printf(m->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, end, help,
		   name, end, type_name(m));
}

static void add_label(const struct metrics *m, const char *between,
		      const struct metrics_label *l)
{
	buf_printf(m->out, "%s%s=\"", between, l->name);
	(void)!add_escaped(l->value, m->out);
	buf_printf(m->out, "\"");
}

/* Name and labels; le: one label more, NULL: none. */
static void begin(const struct metrics *m, const char *end,
		  const struct metrics_label *labels, const char *le)
{
	const struct metrics_label last = { "le", le };
	unsigned n = 0;

	buf_printf(m->out, "%s%s", m->name, end);
	for (; labels && n < METRICS_LABELS && labels[n].name; n++)
		add_label(m, n ? "," : "{", &labels[n]);
	if (le)
		add_label(m, n++ ? "," : "{", &last);
	buf_printf(m->out, n ? "} " : " ");
}

void metrics_sample(const struct metrics *m,
		    const struct metrics_label *labels, uint64_t value)
{
	begin(m, ending(m), labels, NULL);
	buf_printf(m->out, "%" PRIu64 "\n", value);
}

void metrics_sample_us(const struct metrics *m,
		       const struct metrics_label *labels, uint64_t us)
{
	begin(m, ending(m), labels, NULL);
	buf_printf(m->out, "%" PRIu64 ".%06" PRIu64 "\n", us / MILLION,
		   us % MILLION);
}

static void add_bucket(const struct metrics *m,
		       const struct metrics_label *labels, const char *le,
		       uint64_t value)
{
	begin(m, "_bucket", labels, le);
	buf_printf(m->out, "%" PRIu64 "\n", value);
}

void metrics_histogram(const struct metrics *m,
		       const struct metrics_label *labels,
		       const struct histogram *h)
{
	uint64_t sum = 0;
	unsigned b = 0;

	for (unsigned power = LE_FIRST; power <= LE_LAST; power++) {
		uint64_t end = UINT64_C(1) << power;
		char le[32];

		while (b < HISTOGRAM_BUCKETS && histogram_end(b) <= end)
			sum += h->buckets[b++];
		snprintf(le, sizeof(le), "%.9g", (double)end / MILLION);
		add_bucket(m, labels, le, sum);
	}
	add_bucket(m, labels, "+Inf", h->count);
	begin(m, "_sum", labels, NULL);
	buf_printf(m->out, "%" PRIu64 ".%06" PRIu64 "\n", h->sum / MILLION,
		   h->sum % MILLION);
	begin(m, "_count", labels, NULL);
	buf_printf(m->out, "%" PRIu64 "\n", h->count);
}

void metrics_end(const struct metrics *m)
{
	if (m->is_open)
		buf_printf(m->out, "# EOF\n");
}
