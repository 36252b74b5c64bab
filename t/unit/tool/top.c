#include "tool/top.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tool/report.h"

static struct numbers *now, *before, *difference;
static struct top *top;

static void begin(void)
{
	now = calloc(1, sizeof(*now));
	before = calloc(1, sizeof(*before));
	difference = calloc(1, sizeof(*difference));
	top = calloc(1, sizeof(*top));
	cr_assert(now && before && difference && top);
}

static void end(void)
{
	free(now);
	free(before);
	free(difference);
	free(top);
}

TestSuite(top, .init = begin, .fini = end);

static void parse(const char *text, struct numbers *n)
{
	char why[NUMBERS_WHY] = "";

	cr_assert(numbers_parse(slice_str(text), n, why), "%s", why);
}

static const char first[] =
	"numbers 1\ntime 1000000000000000\nuptime 100\n"
	"counter sessions 100\ncounter messages 200\ncounter bytes 102400\n"
	"verdict eom accept none 150\n"
	"verdict eom reject milter 50\n"
	"milter clamav applied 200\n"
	"answer clamav eom continue 150\nanswer clamav eom reject 50\n"
	"latency clamav eom 200 200 26:200\n"
	"mode clamav on\nbreaker clamav closed\n";
/* Two seconds later. */
static const char second[] =
	"numbers 1\ntime 1000000002000000\nuptime 102\nversion 1.2\n"
	"workers busy 3\n"
	"counter sessions 101\ncounter messages 220\ncounter bytes 104448\n"
	"verdict eom accept none 169\n"
	"verdict eom reject milter 51\n"
	"milter clamav applied 220\nmilter clamav failed_eof 4\n"
	"answer clamav eom continue 165\nanswer clamav eom reject 51\n"
	"answer clamav rcpt tempfail 2\nanswer clamav eom discard 1\n"
	"latency clamav eom 200 219 26:200 30:19\n"
	"mode clamav evaluate\nbreaker clamav trial\n"
	"connections clamav 0 3\n";

Test(top, rates_between_two)
{
	const struct top_milter *m = &top->milters[0];

	parse(first, before);
	parse(second, now);
	top_compute(now, before, difference, top);
	cr_assert_not(top->is_all);
	cr_assert_float_eq(top->seconds, 2, 1e-9);
	cr_assert_float_eq(top->sessions, 0.5, 1e-9);
	cr_assert_float_eq(top->messages, 10, 1e-9);
	cr_assert_float_eq(top->bytes, 1024, 1e-9);
	cr_assert_float_eq(top->outcomes[OUTCOME_ACCEPT], 9.5, 1e-9);
	cr_assert_float_eq(top->outcomes[OUTCOME_REJECT], 0.5, 1e-9);
	cr_assert_float_eq(m->messages, 10, 1e-9);
	cr_assert_float_eq(m->noes, 2, 1e-9);
	cr_assert_float_eq(m->failures, 2, 1e-9);
	cr_assert_eq(m->p50, histogram_end(30), "of the interval alone");
	cr_assert_eq(m->all_p50, histogram_end(26));
	cr_assert_eq(m->all_p99, histogram_end(30));
}

Test(top, the_first_picture)
{
	parse(first, now);
	top_compute(now, NULL, difference, top);
	cr_assert(top->is_all);
	cr_assert_float_eq(top->seconds, 100, 1e-9);
	cr_assert_float_eq(top->messages, 2, 1e-9);
	cr_assert_eq(top->milters[0].p50, top->milters[0].all_p50);
}

Test(top, started_anew_in_between)
{
	parse(second, before);
	parse(first, now);
	now->time = before->time + 1000000;
	top_compute(now, before, difference, top);
	cr_assert(top->is_all);
	cr_assert_float_eq(top->seconds, 100, 1e-9);
}

Test(top, the_same_moment)
{
	parse(first, now);
	parse(first, before);
	top_compute(now, before, difference, top);
	cr_assert(top->is_all, "no interval, no rates of one");
}

Test(top, a_server_just_started)
{
	parse("numbers 1\ntime 5\nuptime 0\ncounter sessions 3\n", now);
	top_compute(now, NULL, difference, top);
	cr_assert_float_eq(top->sessions, 3, 1e-9);
}

static void draw(const struct top_size *size, struct buf *out)
{
	parse(first, before);
	parse(second, now);
	top_compute(now, before, difference, top);
	buf_init(out, 65536);
	cr_assert(top_print(top, SLICE_LIT("PID STATE\n1 busy\n2 busy\n"), size,
			    out));
	cr_assert(buf_add_byte(out, '\0'));
}

Test(top, plain_text)
{
	struct top_size size = { 0 };
	struct buf out;

	draw(&size, &out);
	cr_expect_not_null(strstr(out.data, "sekishod 1.2 "));
	cr_expect_not_null(strstr(out.data, "up 0d 00:01:42"));
	cr_expect_not_null(strstr(out.data, "sessions 0.50  messages 10.0"));
	cr_expect_not_null(strstr(out.data, "clamav        evaluate"));
	cr_expect_not_null(strstr(out.data, "\n2 busy\n"));
	cr_expect_null(strchr(out.data, '\033'));
	buf_deinit(&out);
}

Test(top, a_window)
{
	struct top_size size = { .columns = 20, .lines = 7, .is_screen = true };
	struct slice rest, line;
	unsigned lines = 0;
	struct buf out;

	draw(&size, &out);
	rest = slice_of(out.data, strlen(out.data));
	while (slice_split(&rest, '\n', &line)) {
		/* "\033[K" and "\r" of each, "\033[1m" around the title. */
		cr_expect(line.len <= 20 + 4 + 8, "%.*s", SLICE_ARG(line));
		lines++;
	}
	cr_expect_eq(lines, 7);
	cr_expect_not_null(strstr(out.data, "\033[1mMILTER"));
	cr_expect_not_null(strstr(out.data, "\033[0m"),
			   "bold ends though the line is cut");
	buf_deinit(&out);
}

Test(top, times_in_three_digits)
{
	static const struct {
		uint64_t us;
		const char *text;
	} cases[] = {
		{ 0, "-" },
		{ 7, "7us" },
		{ 999, "999us" },
		{ 1280, "1.28ms" },
		{ 12800, "12.8ms" },
		{ 128000, "128ms" },
		{ 1280000, "1.28s" },
		{ 12800000, "12.8s" },
		{ 128000000, "128s" },
	};
	char text[REPORT_TIME];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		report_time(cases[i].us, text);
		cr_expect_str_eq(text, cases[i].text);
	}
}
