#include "server/switches.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "shared/clock.h"

#define WALL UINT64_C(1795893730123456) /* 2026-11-28T19:22:10Z and some */

static const struct moment start = { .wall = WALL, .now = 1000 * CLOCK_S };
static struct conf conf;
static struct switches s;

static struct moment later(uint64_t us)
{
	return (struct moment){ .wall = WALL + us, .now = start.now + us };
}

/* Two milters: spam is on, av evaluates. */
static void open(void)
{
	conf = (struct conf){ .milter_count = 2 };
	conf.milters[0].name = "spam";
	conf.milters[1].name = "av";
	conf.milters[1].mode.mode = MODE_EVALUATE;
	s = (struct switches){ 0 };
}

static bool set(unsigned milter, const char *mode, uint64_t time)
{
	char why[CONF_SWITCH_WHY];
	struct conf_switch to;
	struct switch_wish w = { .milter = &conf.milters[milter],
				 .time = time,
				 .uid = 7,
				 .user = "ann" };

	if (mode) {
		cr_assert(conf_switch_parse(slice_str(mode), &to, why));
		w.to = &to;
	}
	return switches_set(&s, &w, &start);
}

/* What is in force: "off", "percent 5"; "-" : as the settings say. */
static const char *now_is(unsigned milter)
{
	static char text[CONF_SWITCH_TEXT];
	const struct switch_layer *l =
		switch_in_force(switches_find(&s, conf.milters[milter].name));

	if (!l)
		return "-";
	conf_switch_print(&l->to, text, sizeof(text));
	return text;
}

#define IS(milter, wanted) cr_expect_str_eq(now_is(milter), wanted)

TestSuite(switches, .init = open);

Test(switches, standing)
{
	IS(0, "-");
	cr_expect(set(0, "off", 0));
	IS(0, "off");
	cr_expect_not(set(0, "off", 0));
	cr_expect(set(0, "percent 5", 0));
	cr_expect(set(0, "percent 6", 0));
	IS(0, "percent 6");
	cr_expect(set(0, "on", 0)); /* what the settings say is no switch */
	IS(0, "-");
	cr_expect_eq(s.count, 0);
	cr_expect_not(set(1, "evaluate", 0));
	cr_expect_not(set(1, NULL, 0));
	cr_expect(set(1, "on", 0));
	cr_expect(set(1, NULL, 0));
	IS(1, "-");
	cr_expect_eq(switches_until(&s), CLOCK_NEVER);
}

Test(switches, timed_ones_give_way_to_what_stood_before)
{
	char name[BOARD_NAME_MAX];

	cr_expect(set(0, "evaluate", 0));
	cr_expect(set(0, "off", 60 * CLOCK_S));
	cr_expect(set(1, "percent 5", 30 * CLOCK_S));
	IS(0, "off");
	cr_expect_eq(switches_until(&s), start.now + 30 * CLOCK_S);
	cr_expect_not(switches_return(&s, start.now + 30 * CLOCK_S - 1, name));
	cr_expect(switches_return(&s, start.now + 30 * CLOCK_S, name));
	cr_expect_str_eq(name, "av");
	cr_expect_not(switches_return(&s, start.now + 30 * CLOCK_S, name));
	IS(1, "-");
	cr_expect(switches_return(&s, start.now + 60 * CLOCK_S, name));
	cr_expect_str_eq(name, "spam");
	IS(0, "evaluate");
}

Test(switches, a_timed_one_may_be_what_the_settings_say)
{
	cr_expect(set(0, "off", 0));
	cr_expect(set(0, "on", 60 * CLOCK_S));
	IS(0, "on");
	cr_expect_neq(switches_until(&s), CLOCK_NEVER);
	/* What lies below anyway ends it. */
	cr_expect(set(0, "off", 60 * CLOCK_S));
	IS(0, "off");
	cr_expect_eq(switches_until(&s), CLOCK_NEVER);
}

Test(switches, a_standing_one_takes_the_place_of_both)
{
	cr_expect(set(0, "off", 60 * CLOCK_S));
	cr_expect(set(0, "evaluate", 0));
	IS(0, "evaluate");
	cr_expect_eq(switches_until(&s), CLOCK_NEVER);
	cr_expect(set(0, "off", 60 * CLOCK_S));
	cr_expect(set(0, NULL, 0));
	IS(0, "-");
	cr_expect_eq(s.count, 0);
}

Test(switches, new_settings)
{
	struct buf words;

	buf_init(&words, 4096);
	cr_expect(set(0, "off", 0));
	cr_expect(set(1, "off", 60 * CLOCK_S));
	cr_expect_not(switches_settle(&s, &conf, &words));
	conf.milters[0].mode.mode = MODE_OFF;
	conf.milters[1].name = "other";
	cr_expect(switches_settle(&s, &conf, &words));
	cr_expect_eq(s.count, 0);
	cr_expect(memmem(words.data, buf_len(&words), "av is not in the", 16));
	buf_deinit(&words);
}

/* A reload may spell a milter in another way: it is the same one. */
Test(switches, names_compare_without_case)
{
	struct buf words;

	buf_init(&words, 4096);
	cr_expect(set(0, "off", 0));
	conf.milters[0].name = "Spam";
	cr_expect_not(switches_settle(&s, &conf, &words));
	cr_expect_eq(buf_len(&words), 0);
	IS(0, "off");
	cr_expect_str_eq(s.rows[0].name, "Spam");
	cr_expect(set(0, "evaluate", 0));
	switches_parse(
		&s,
		SLICE_LIT(
			"milter=SPAM mode=percent percent=5 uid=7 user=ann at=2026-11-28T19:22:10Z"),
		&start, &words);
	cr_expect_eq(s.count, 1);
	IS(0, "percent 5");
	cr_expect(set(0, NULL, 0));
	cr_expect_eq(s.count, 0);
	buf_deinit(&words);
}

Test(switches, text_and_back)
{
	struct moment m = later(20 * CLOCK_S);
	struct switches copy = { 0 };
	struct buf text, words;
	const struct switch_layer *l;

	buf_init(&text, 4096);
	buf_init(&words, 4096);
	cr_expect(set(0, "percent 5", 0));
	cr_expect(set(0, "off", 60 * CLOCK_S));
	cr_expect(set(1, "on", 10 * CLOCK_S));
	cr_assert(switches_print(&s, &start, &text));
	cr_expect(slice_is(
		buf_slice(&text),
		"# sekisho switches 1: written by sekishod, read when it starts\n"
		"milter=spam mode=percent percent=5 uid=7 user=ann at=2026-11-28T19:22:10Z\n"
		"milter=spam mode=off uid=7 user=ann at=2026-11-28T19:22:10Z until=2026-11-28T19:23:10Z\n"
		"milter=av mode=on uid=7 user=ann at=2026-11-28T19:22:10Z until=2026-11-28T19:22:20Z\n"),
		  "%.*s", SLICE_ARG(buf_slice(&text)));
	switches_parse(&copy, buf_slice(&text), &m, &words);
	cr_expect(slice_is(buf_slice(&words),
			   "milter av: its switch to on has come to its end meanwhile\n"),
		  "%.*s", SLICE_ARG(buf_slice(&words)));
	cr_assert_eq(copy.count, 1);
	l = &copy.rows[0].timed;
	cr_expect_eq(l->to.mode, MODE_OFF);
	cr_expect_eq(l->uid, 7);
	cr_expect_str_eq(l->user, "ann");
	/* Whole seconds of the wall clock are left of the time. */
	cr_expect_leq(l->until, start.now + 60 * CLOCK_S);
	cr_expect_geq(l->until, start.now + 59 * CLOCK_S);
	cr_expect_eq(copy.rows[0].standing.to.percent, 5);
	buf_deinit(&text);
	buf_deinit(&words);
}

Test(switches, lines_that_make_no_sense)
{
	static const char *const lines[] = {
		"milter=spam",
		"milter=spam mode=off uid=7 user=ann",
		"milter=spam mode=of uid=7 user=ann at=2026-11-28T19:22:10Z",
		"milter=spam mode=off uid=x user=ann at=2026-11-28T19:22:10Z",
		"milter=spam mode=off uid=7 user=ann at=yesterday",
		"milter=spam mode=percent uid=7 user=ann at=2026-11-28T19:22:10Z",
		"milter=spam mode=off percent=5 uid=7 user=ann at=2026-11-28T19:22:10Z",
		"milter=spam mode=percent percent=101 uid=7 user=ann at=2026-11-28T19:22:10Z",
		"milter=spam mode=off uid=7 user=ann at=2026-11-28T19:22:10Z until=x",
		"milter=spam mode=off uid=7 user=ann at=2026-11-28T19:22:10Z new=1",
		"milter=spam=mode=off",
		"\x01\x02",
		"off",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct buf words;

		buf_init(&words, 4096);
		switches_parse(&s, slice_str(lines[i]), &start, &words);
		cr_expect(slice_starts(buf_slice(&words),
				       "line 1 makes no sense"),
			  "%s", lines[i]);
		cr_expect_eq(s.count, 0, "%s", lines[i]);
		buf_deinit(&words);
	}
}
