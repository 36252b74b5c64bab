#include "tool/numbers.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "t/unit/support/page_end.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char whole[] = "numbers 1\n"
			    "time 1764356400000000\n"
			    "uptime 3600\n"
			    "version 0.1\n"
			    "workers idle 4\n"
			    "workers busy 2\n"
			    "counter sessions 10\n"
			    "counter messages 20\n"
			    "verdict eom accept none 15\n"
			    "verdict rcpt reject milter 3\n"
			    "verdict eom tempfail policy 2\n"
			    "wait message 9000 2 20:1 30:1\n"
			    "wait eom 70 1 16:1\n"
			    "milter clamav applied 18\n"
			    "milter clamav failed_timeout 2\n"
			    "milter clamav late 1\n"
			    "answer clamav eom continue 15\n"
			    "answer clamav eom reject 3\n"
			    "latency clamav eom 1800 18 26:17 30:1\n"
			    "mode clamav percent 5\n"
			    "breaker clamav open\n"
			    "connections clamav 0 3\n"
			    "connections clamav 1 1\n"
			    "milter spf applied 1\n"
			    "mode spf off\n"
			    "breaker spf closed\n";

static struct numbers *now, *before;

static void begin(void)
{
	now = calloc(1, sizeof(*now));
	before = calloc(1, sizeof(*before));
	cr_assert(now && before);
}

static void end(void)
{
	free(now);
	free(before);
}

TestSuite(numbers, .init = begin, .fini = end);

static void parse(const char *text, struct numbers *n)
{
	char why[NUMBERS_WHY] = "";

	cr_assert(numbers_parse(slice_str(text), n, why), "%s", why);
}

Test(numbers, everything_is_read)
{
	const struct numbers_milter *m;

	parse(whole, now);
	cr_assert_eq(now->time, UINT64_C(1764356400000000));
	cr_assert_eq(now->uptime, 3600);
	cr_assert_str_eq(now->version, "0.1");
	cr_assert_eq(now->workers[SLOT_IDLE], 4);
	cr_assert_eq(now->workers[SLOT_BUSY], 2);
	cr_assert_eq(now->counter[COUNT_SESSIONS], 10);
	cr_assert_eq(now->counter[COUNT_MESSAGES], 20);
	cr_assert_eq(now->verdict[STAGE_EOM][OUTCOME_ACCEPT][CAUSE_NONE], 15);
	cr_assert_eq(numbers_outcome(now, OUTCOME_REJECT), 3);
	cr_assert_eq(now->wait[STAGE_COUNT].count, 2);
	cr_assert_eq(now->wait[STAGE_COUNT].buckets[30], 1);
	cr_assert_eq(now->wait[STAGE_EOM].sum, 70);
	cr_assert_eq(now->milter_count, 2);
	m = numbers_find(now, "clamav");
	cr_assert_not_null(m);
	cr_assert_eq(m->counter[MILTER_APPLIED], 18);
	cr_assert_eq(numbers_failures(m), 3);
	cr_assert_eq(numbers_answers(m, STAGE_EOM), 18);
	cr_assert_eq(m->mode.mode, MODE_PERCENT);
	cr_assert_eq(m->mode.percent, 5);
	cr_assert_eq(m->breaker, BREAKER_OPEN);
	cr_assert_eq(m->connections, 4);
	cr_assert_eq(histogram_quantile(&m->latency[STAGE_EOM], 0.5),
		     histogram_end(26));
	m = numbers_find(now, "spf");
	cr_assert_eq(m->mode.mode, MODE_OFF);
	cr_assert_null(numbers_find(now, "nobody"));
}

#define HEAD "numbers 1\ntime 1\n"

Test(numbers, what_is_none_is_refused)
{
	static const struct {
		const char *text;
		const char *line; /* how the complaint begins */
	} cases[] = {
		{ "", "numbers, line 1:" },
		{ "numbers 2\ntime 1\n", "numbers, line 1:" },
		{ "numbers 1\n", "numbers, line 2: there is no time" },
		{ HEAD "surprise 1\n", "numbers, line 3: a kind" },
		{ HEAD "uptime\n", "numbers, line 3: a word is missing" },
		{ HEAD "uptime \n", "numbers, line 3: a word is missing" },
		{ HEAD "uptime  1\n", "numbers, line 3: a word is missing" },
		{ HEAD "uptime 1 2\n", "numbers, line 3: a word too many" },
		{ HEAD "uptime 1 \n", "numbers, line 3: a word too many" },
		{ HEAD "uptime -1\n", "numbers, line 3: a number" },
		{ HEAD "uptime 18446744073709551616\n",
		  "numbers, line 3: a number" },
		{ HEAD "uptime 1\n\nuptime 1\n", "numbers, line 4: a word" },
		{ HEAD "workers asleep 1\n", "numbers, line 3: a name" },
		{ HEAD "counter cats 1\n", "numbers, line 3: a name" },
		{ HEAD "verdict eom accept 1\n", "numbers, line 3: a name" },
		{ HEAD "verdict message accept none 1\n",
		  "numbers, line 3: a name" },
		{ HEAD "wait eom 1 1 108:1\n", "numbers, line 3: a bucket" },
		{ HEAD "wait eom 1 1 3\n", "numbers, line 3: a bucket" },
		{ HEAD "wait eom 1 1 3:\n", "numbers, line 3: a bucket" },
		{ HEAD "milter a b 1\n", "numbers, line 3: a name" },
		{ HEAD "mode a perhaps\n", "numbers, line 3: no mode" },
		{ HEAD "breaker a ajar\n", "numbers, line 3: a name" },
		{ HEAD "milter "
		       "a234567890b234567890c234567890d234567890"
		       "e234567890f234567890g234567890h2 applied 1\n",
		  "numbers, line 3: too many milters" },
	};
	char why[NUMBERS_WHY];

	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_expect_not(numbers_parse(slice_str(cases[i].text), now, why),
			      "case %zu", i);
		cr_expect(strncmp(why, cases[i].line, strlen(cases[i].line)) ==
				  0,
			  "case %zu: %s", i, why);
	}
}

Test(numbers, more_milters_than_a_board_has)
{
	struct buf b;
	char why[NUMBERS_WHY];

	buf_init(&b, 65536);
	cr_assert(buf_printf(&b, HEAD));
	for (int i = 0; i < BOARD_MILTERS; i++)
		cr_assert(buf_printf(&b, "milter m%d applied 1\n", i));
	cr_assert(numbers_parse(buf_slice(&b), now, why));
	cr_assert_eq(now->milter_count, BOARD_MILTERS);
	cr_assert(buf_printf(&b, "milter more applied 1\n"));
	cr_assert_not(numbers_parse(buf_slice(&b), now, why));
	buf_deinit(&b);
}

/* Cut anywhere it is refused or a shorter truth, and never read past. */
Test(numbers, cut_at_each_byte)
{
	struct page_end p;
	char why[NUMBERS_WHY];

	page_end_open(&p, sizeof(whole));
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		(void)!numbers_parse(page_end_put(&p, slice_of(whole, n)), now,
				     why);
	page_end_close(&p);
}

Test(numbers, the_difference)
{
	const struct numbers_milter *m;

	parse("numbers 1\ntime 1764356340000000\nuptime 3540\n"
	      "workers idle 9\n"
	      "counter sessions 4\ncounter messages 20\n"
	      "verdict eom accept none 10\n"
	      "wait eom 70 1 16:1\n"
	      "milter clamav applied 8\nmilter clamav failed_timeout 2\n"
	      "answer clamav eom continue 7\n"
	      "latency clamav eom 800 8 26:8\n"
	      "milter gone applied 5\n",
	      before);
	parse(whole, now);
	cr_assert(numbers_subtract(now, before));
	cr_assert_eq(now->counter[COUNT_SESSIONS], 6);
	cr_assert_eq(now->counter[COUNT_MESSAGES], 0);
	cr_assert_eq(numbers_outcome(now, OUTCOME_ACCEPT), 5);
	cr_assert_eq(numbers_outcome(now, OUTCOME_REJECT), 3);
	cr_assert_eq(now->wait[STAGE_EOM].count, 0);
	cr_assert_eq(now->workers[SLOT_IDLE], 4, "a state is no difference");
	cr_assert_eq(now->milter_count, 2);
	m = numbers_find(now, "clamav");
	cr_assert_eq(m->counter[MILTER_APPLIED], 10);
	cr_assert_eq(numbers_failures(m), 1);
	cr_assert_eq(m->answer[STAGE_EOM][ANSWERED_CONTINUE], 8);
	cr_assert_eq(m->latency[STAGE_EOM].buckets[26], 9);
	cr_assert_eq(m->latency[STAGE_EOM].count, 10);
	cr_assert_eq(m->connections, 4);
	m = numbers_find(now, "spf");
	cr_assert_eq(m->counter[MILTER_APPLIED], 1, "new ones count whole");
}

Test(numbers, a_server_started_anew)
{
	parse("numbers 1\ntime 1764356340000000\ncounter sessions 11\n",
	      before);
	parse(whole, now);
	cr_assert_not(numbers_subtract(now, before));
	cr_assert_eq(now->counter[COUNT_SESSIONS], 10, "left alone");
	cr_assert_eq(numbers_outcome(now, OUTCOME_ACCEPT), 15);
}

Test(numbers, a_milter_that_went_and_came)
{
	parse("numbers 1\ntime 1\nmilter spf applied 7\n", before);
	parse(whole, now);
	cr_assert(numbers_subtract(now, before));
	cr_assert_eq(numbers_find(now, "spf")->counter[MILTER_APPLIED], 1);
}

Test(numbers, every_counter_has_a_name)
{
	for (unsigned i = 0; i < BOARD_COUNTERS; i++)
		cr_expect_not_null(numbers_counter_name((enum board_counter)i));
	for (unsigned i = 0; i < BOARD_MILTER_COUNTERS; i++)
		cr_expect_not_null(
			numbers_milter_name((enum board_milter_counter)i));
}
