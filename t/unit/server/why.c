#include "server/why.h"

#include <criterion/criterion.h>

static void is(struct slice got, const char *wanted)
{
	cr_expect(slice_is(got, wanted), "got %.*s, wanted %s", SLICE_ARG(got),
		  wanted);
}

Test(why, a_message)
{
	struct slice line = SLICE_LIT(
		"4FxYz1: from=\"a@b.c\" nrcpt=2 size=4821 client=\"mx verdict=x [1]\" "
		"opendkim=continue/1.2ms clamav=skip(not reached) "
		"(rspamd=failed(timeout)@eom,refused=1/84.0ms) "
		"passed_without=x,y verdict=reject by=spamass stage=eom "
		"rule=r reply=\"550 \\x22no\\x22 by=me\" edits=3 time=87ms");
	struct why w;

	cr_assert(why_parse(line, &w));
	is(w.id, "4FxYz1");
	is(w.fields[WHY_FROM], "a@b.c");
	is(w.fields[WHY_NRCPT], "2");
	is(w.fields[WHY_SIZE], "4821");
	is(w.fields[WHY_CLIENT], "mx verdict=x [1]");
	is(w.fields[WHY_PASSED_WITHOUT], "x,y");
	is(w.fields[WHY_VERDICT], "reject");
	is(w.fields[WHY_BY], "spamass");
	is(w.fields[WHY_STAGE], "eom");
	is(w.fields[WHY_RULE], "r");
	is(w.fields[WHY_REPLY], "550 \\x22no\\x22 by=me");
	is(w.fields[WHY_EDITS], "3");
	is(w.fields[WHY_TIME], "87ms");
	is(w.fields[WHY_SIGNAL], "");
	cr_assert_eq(w.member_count, 3);
	is(w.members[0].name, "opendkim");
	is(w.members[0].word, "continue");
	is(w.members[0].time, "1.2ms");
	is(w.members[1].word, "skip(not reached)");
	is(w.members[1].time, "");
	is(w.members[2].name, "rspamd");
	is(w.members[2].word, "failed(timeout)@eom,refused=1");
	is(w.members[2].time, "84.0ms");
	cr_expect_not(w.members[0].is_evaluated);
	cr_expect(w.members[2].is_evaluated);
}

Test(why, milters_may_be_called_anything)
{
	struct slice line = SLICE_LIT(
		"1: from=\"\" nrcpt=0 size=0 client=\"\" size=continue/1.0ms "
		"verdict=reject@mail/1.0ms time=skip(off) verdict=reject "
		"by=verdict stage=mail edits=0 time=1ms");
	struct why w;

	cr_assert(why_parse(line, &w));
	cr_assert_eq(w.member_count, 3);
	is(w.members[0].name, "size");
	is(w.members[1].name, "verdict");
	is(w.members[2].name, "time");
	is(w.fields[WHY_VERDICT], "reject");
	is(w.fields[WHY_TIME], "1ms");
	is(w.fields[WHY_SIZE], "0");
}

Test(why, a_lost_one)
{
	struct slice line = SLICE_LIT(
		"NOQUEUE: from=\"?\" client=\"?\" verdict=lost stage=eom "
		"child=spam signal=SIGKILL pid=77");
	struct why w;

	cr_assert(why_parse(line, &w));
	cr_expect_eq(w.member_count, 0);
	is(w.fields[WHY_VERDICT], "lost");
	is(w.fields[WHY_CHILD], "spam");
	is(w.fields[WHY_SIGNAL], "SIGKILL");
	is(w.fields[WHY_PID], "77");
}

Test(why, cut_anywhere)
{
	struct slice line = SLICE_LIT(
		"4FxYz1: from=\"a\" nrcpt=1 size=1 client=\"b\" x=skip(off) "
		"(y=continue/1ms) verdict=reject by=x reply=\"550 no\" edits=0");

	for (size_t i = 0; i <= line.len; i++) {
		struct why w;

		(void)why_parse(slice_head(line, i), &w);
		cr_expect_leq(w.member_count, 3);
	}
}

Test(why, what_is_no_line)
{
	struct why w;

	cr_expect_not(why_parse(SLICE_EMPTY, &w));
	cr_expect_not(why_parse(SLICE_LIT("ready"), &w));
	cr_expect_not(why_parse(SLICE_LIT(": verdict=accept"), &w));
	cr_expect_not(why_parse(SLICE_LIT("a: from=\"verdict=accept\""), &w));
}

Test(why, unquoting)
{
	struct buf b;

	buf_init(&b, 64);
	cr_assert(why_unquote(SLICE_LIT("a\\x22\\x5c\\xZZ\\x0\\"), &b));
	is(buf_slice(&b), "a\"\\\\xZZ\\x0\\");
	buf_deinit(&b);
}
