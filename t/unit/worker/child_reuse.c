#include <criterion/criterion.h>
#include <stdio.h>

#include "t/unit/worker/child_stand.h"

TestSuite(child_reuse, .init = child_stand_begin, .fini = child_stand_end,
	  .timeout = 20);

/* Tells it, and its answer is continue. */
static void tell_and_hear(enum stage stage)
{
	char want[40];

	tell(stage);
	cr_assert_eq(play(), CHILD_OK);
	snprintf(want, sizeof(want), "continue@%s", milter_stage_name(stage));
	expect_answer(want);
	expect_answer("nothing");
}

/* A first session, which ends as it may for a second one. */
static void park_it(void)
{
	conf.reuse = true;
	open_it();
	tell_and_hear(STAGE_CONNECT);
	tell_and_hear(STAGE_EOM);
	cr_assert(child_park(&child));
	cr_expect_eq(child.link, LINK_PARKED);
	cr_expect_eq(child_deadline(&child), CLOCK_NEVER);
	cr_expect(child_is_settled(&child));
	puppet_expect(&puppet, "|OCE");
}

/* The second one begins. */
static void take_over_it(void)
{
	park_it();
	cr_assert_eq(child_open(&child, &offer), CHILD_OK);
	cr_expect_eq(child.link, LINK_OPEN);
	tell(STAGE_CONNECT);
}

Test(child_reuse, serves_a_second_session)
{
	take_over_it();
	cr_expect_eq(play(), CHILD_OK);
	puppet_expect(&puppet, "KC");
	expect_answer("continue@connect");
	expect_answer("nothing");
	cr_expect(child.reused, "the answer may have been one to QUIT_NC");
	tell_and_hear(STAGE_HELO);
	cr_expect_not(child.reused);
	cr_expect_not(child_is_stale(&child, CHILD_EOF));
	tell_and_hear(STAGE_EOM);
	cr_expect(child_park(&child));
}

Test(child_reuse, is_not_reused_but_behind_a_continue_to_the_end)
{
	conf.reuse = true;
	open_it();
	cr_expect_not(child_park(&child), "negotiated only");
	tell_and_hear(STAGE_CONNECT);
	cr_expect_not(child_park(&child), "connect");
	tell_and_hear(STAGE_EOM);
	tell_and_hear(STAGE_HELO);
	cr_expect_not(child_park(&child), "HELO behind the end");
	tell_and_hear(STAGE_EOM);
	cr_assert_eq(child_abort(&child), CHILD_OK);
	cr_expect_not(child_park(&child), "ABORT behind the end");
	puppet.say[STAGE_EOM] = "a";
	tell(STAGE_EOM);
	cr_expect_eq(play(), CHILD_OK);
	expect_answer("accept@eom");
	cr_expect_not(child_park(&child), "accept");
	puppet.say[STAGE_EOM] = "";
	tell(STAGE_EOM);
	cr_expect_eq(play(), CHILD_OK);
	cr_expect_not(child_park(&child), "no answer yet");
}

Test(child_reuse, is_not_reused_where_that_is_not_wanted)
{
	open_it();
	tell_and_hear(STAGE_EOM);
	conf.reuse = false;
	cr_expect_not(child_park(&child));
	conf.reuse = true;
	conf.connections_max = 5;
	cr_expect_not(child_park(&child), "others wait for it");
	conf.connections_max = 0;
	child.got.version = 5;
	cr_expect_not(child_park(&child), "it may not know QUIT_NC");
	child.got.version = 6;
	cr_expect(child_park(&child));
}

Test(child_reuse, is_not_reused_without_end)
{
	conf.reuse = true;
	open_it();
	tell_and_hear(STAGE_EOM);
	for (int i = 1; i < 200; i++) {
		cr_assert(child_park(&child), "session %d", i);
		cr_assert_eq(child_open(&child, &offer), CHILD_OK);
		tell_and_hear(STAGE_EOM);
	}
	cr_expect_not(child_park(&child));
}

Test(child_reuse, is_not_reused_for_another_offer)
{
	park_it();
	offer.protocol &= ~SMFIP_HDR_LEADSPC;
	open_it();
	play();
	puppet_expect(&puppet, "Q|O");
	cr_expect_not(child.reused);
}

Test(child_reuse, says_quit_when_it_was_parked_too_long)
{
	park_it();
	clock_set(START + CLOCK_S - 1);
	child_unpark(&child, CLOCK_S);
	cr_expect_eq(child.link, LINK_PARKED);
	clock_set(START + CLOCK_S);
	child_unpark(&child, CLOCK_S);
	cr_expect_eq(child.link, LINK_NONE);
	play();
	puppet_expect(&puppet, "Q");
}

/* It was restarted while parked. */
Test(child_reuse, that_closed_meanwhile_is_opened_anew)
{
	park_it();
	puppet_say(&puppet, "x");
	open_it();
	puppet_expect(&puppet, "|O");
	cr_expect_not(child.reused);
	cr_expect_not(child.no_reuse);
}

/* A word too many: the next session would take it for an answer of its own. */
Test(child_reuse, that_spoke_meanwhile_is_not_reused)
{
	park_it();
	puppet_say(&puppet, "r");
	open_it();
	puppet_expect(&puppet, "Q|O");
	cr_expect(child.no_reuse);
}

/* Once it may be by chance. */
Test(child_reuse, that_closes_on_a_second_session_is_stale)
{
	for (unsigned i = 1; i <= 3; i++) {
		take_over_it();
		puppet_say(&puppet, "x");
		cr_expect_eq(play(), CHILD_EOF);
		cr_expect(child_is_stale(&child, CHILD_EOF));
		child_close(&child);
		cr_expect_eq(child.stale, i);
	}
}

/* Its first word would be the last one: then it is too late to try again. */
Test(child_reuse, that_answers_the_end_alone_is_not_reused)
{
	conf.reuse = true;
	puppet.option.protocol = SMFIP_NR_CONN | SMFIP_NOHELO;
	open_it();
	tell_and_hear(STAGE_EOM);
	cr_expect_not(child_park(&child));
	child.got.protocol = SMFIP_NR_CONN;
	cr_expect(child_park(&child));
}

/* ... but its time is for what any child may be slow at. */
Test(child_reuse, on_a_second_session_may_think_at_the_end)
{
	take_over_it();
	cr_expect_eq(play(), CHILD_OK);
	expect_answer("continue@connect");
	puppet.say[STAGE_EOM] = "p";
	tell(STAGE_EOM);
	cr_expect_eq(child_deadline(&child), START + 120 * CLOCK_S);
	cr_expect(child.reused);
	cr_expect_eq(play(), CHILD_OK);
	expect_answer("progress@eom");
	cr_expect_not(child.reused, "this is about the second session");
}

static enum board_reuse reuse_known;

static enum board_reuse tell_reuse(void *context)
{
	(void)context;
	return reuse_known;
}

static void take_reuse(void *context, enum board_reuse seen)
{
	(void)context;
	reuse_known = seen;
}

static void keep_nothing(void *context, unsigned socket)
{
	(void)context, (void)socket;
}

static bool let(void *context, unsigned socket)
{
	(void)context, (void)socket;
	return true;
}

static void take_order(void *context, uint8_t order[CONF_SOCKETS_MAX])
{
	(void)context, (void)order;
}

static void take_back(void *context)
{
	(void)context;
}

static void begin_trial(void)
{
	static const struct child_keeper keeper = {
		.order = take_order,
		.take = let,
		.give_back = take_back,
		.failed = keep_nothing,
		.works = keep_nothing,
		.reuse = tell_reuse,
		.reuse_seen = take_reuse,
	};

	reuse_known = REUSE_UNKNOWN;
	child.keeper = &keeper;
	conf.reuse = true;
	open_it();
	tell_and_hear(STAGE_CONNECT);
	tell_and_hear(STAGE_EOM);
	cr_assert(child_park(&child));
	puppet_play(&puppet);
	puppet_expect(&puppet, "|OCEK");
}

Test(child_reuse, that_is_silent_to_quit_nc_has_passed_its_trial)
{
	begin_trial();
	clock_set(START + CLOCK_S);
	child_unpark(&child, 0);
	cr_expect_eq(reuse_known, REUSE_WORKS);
	cr_expect_eq(child.link, LINK_NONE);
}

Test(child_reuse, that_answers_quit_nc_has_not)
{
	begin_trial();
	puppet_say(&puppet, "c");
	clock_set(START + CLOCK_S);
	child_unpark(&child, 0);
	cr_expect_eq(reuse_known, REUSE_FAILS);
}

Test(child_reuse, on_trial_is_nobodys)
{
	begin_trial();
	clock_set(START + CLOCK_S / 2);
	open_it();
	puppet_expect(&puppet, "Q|O");
	cr_expect_eq(reuse_known, REUSE_UNKNOWN, "too short to know");
	child_close(&child);
	play();
	begin_trial();
	puppet_say(&puppet, "x");
	clock_set(START + CLOCK_S);
	child_unpark(&child, 0);
	cr_expect_eq(reuse_known, REUSE_UNKNOWN, "it may be gone by chance");
}

Test(child_reuse, that_hangs_on_a_second_session_is_stale)
{
	puppet.say[STAGE_HELO] = "";
	take_over_it();
	cr_expect_eq(play(), CHILD_OK);
	expect_answer("continue@connect");
	tell(STAGE_HELO);
	cr_expect_eq(play(), CHILD_OK);
	cr_expect_eq(child_deadline(&child), START + CLOCK_S);
	clock_set(START + CLOCK_S);
	cr_expect_eq(child_too_late(&child), CHILD_TIMEOUT);
	cr_expect(child_is_stale(&child, CHILD_TIMEOUT));
	cr_expect_not(child_is_stale(&child, CHILD_NO_SPACE));
}

Test(child_reuse, that_answers_quit_nc_is_stale)
{
	take_over_it();
	puppet_say(&puppet, "c");
	cr_expect_eq(play(), CHILD_OK);
	expect_answer("continue@connect");
	expect_answer("protocol");
	cr_expect(child_is_stale(&child, CHILD_PROTOCOL));
	cr_expect(child.no_reuse);
}
