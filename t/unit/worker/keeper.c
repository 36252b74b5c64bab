#include "worker/keeper.h"

#include <criterion/criterion.h>

#include "t/unit/support/expect_log.h"
#include "t/unit/worker/stand.h"

static struct stand s;

static void begin(void)
{
	stand_init(&s, 2);
	s.conf.milters[0].breaker_failures = 1;
	s.conf.milters[0].breaker_pause = 60 * CLOCK_S;
	expect_log_begin();
}

static void end(void)
{
	stand_end(&s);
	expect_log_end();
}

TestSuite(keeper, .init = begin, .fini = end, .timeout = 20);

static uint64_t counted(enum board_milter_counter counter)
{
	return board_sum_milter(s.env.board, 0, counter);
}

static bool is_open(void)
{
	const struct breaker_limits limits = { 1, 60 * CLOCK_S };

	return board_is_open(s.env.board, 0, &limits);
}

/* As another session would have it. */
static void open_breaker(void)
{
	const struct breaker_limits limits = { 1, 60 * CLOCK_S };

	cr_assert(board_failed(s.env.board, 1, 0, &limits,
			       MILTER_FAILED_TIMEOUT, 0));
}

/* A connection of the other worker. */
static void hold(unsigned socket)
{
	board_note_held(board_slot(s.env.board, 1), 0, socket);
}

Test(keeper, not_asked_while_it_is_open)
{
	stand_begin(&s, MTA_POSTFIX);
	open_breaker();
	cr_assert(stand_connect(&s));
	cr_assert(stand_helo(&s, "h"));
	cr_assert(stand_mail(&s, "<s>"));
	stand_expect(&s, "tempfail by 0 at mail");
	cr_expect_eq(s.chain.members[0].failure, CHILD_BREAKER);
	stand_end_message(&s);
	puppet_expect(&s.puppets[0], "");
	cr_expect_eq(counted(MILTER_SKIPPED_BREAKER), 1);
	cr_expect_eq(counted(MILTER_CONNECTS), 0);
}

Test(keeper, the_trial_closes_it)
{
	stand_begin(&s, MTA_POSTFIX);
	open_breaker();
	clock_set(STAND_TIME + 60 * CLOCK_S);
	cr_assert(stand_all(&s));
	stand_expect(&s, "continue");
	cr_expect_not(is_open());
}

Test(keeper, nobody_waits_on_when_it_opens)
{
	s.puppets[0].say[STAGE_MAIL] = "";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_connect(&s));
	cr_assert(stand_helo(&s, "h"));
	cr_expect_not(stand_mail(&s, "<s>"));
	open_breaker();
	clock_set(STAND_TIME + 499 * CLOCK_MS);
	cr_expect_not(stand_settle(&s));
	clock_set(STAND_TIME + 500 * CLOCK_MS);
	cr_expect(stand_settle(&s));
	stand_expect(&s, "tempfail by 0 at mail");
}

Test(keeper, waits_for_a_free_connection)
{
	s.conf.milters[0].connections_max = 1;
	stand_begin(&s, MTA_POSTFIX);
	hold(0);
	cr_expect_not(stand_connect(&s));
	clock_set(STAND_TIME + 100 * CLOCK_MS);
	cr_expect_not(stand_settle(&s));
	cr_expect_eq(counted(MILTER_WAITS), 1);
	board_note_released(board_slot(s.env.board, 1), 0);
	clock_set(STAND_TIME + 200 * CLOCK_MS);
	cr_expect(stand_settle(&s));
	stand_expect(&s, "continue");
}

Test(keeper, waits_in_vain)
{
	s.conf.milters[0].connections_max = 1;
	stand_begin(&s, MTA_POSTFIX);
	hold(0);
	cr_expect_not(stand_connect(&s));
	clock_set(STAND_TIME + 3 * CLOCK_S);
	expect_log(LOG_LEVEL_WARN, "no connection free in time");
	cr_expect(stand_settle(&s));
	cr_expect_eq(counted(MILTER_LATE), 1);
	cr_expect_not(is_open());
}

Test(keeper, the_idle_socket_first)
{
	unsigned held[CONF_SOCKETS_MAX];

	s.conf.milter_count = 1;
	s.conf.milters[0].socket.count = 2;
	stand_begin(&s, MTA_POSTFIX);
	hold(0);
	chain_event(&s.chain, STAGE_CONNECT);
	cr_expect_eq(s.chain.members[0].child.socket, 1);
	cr_expect_eq(board_held(s.env.board, 0, held), 2);
	cr_expect_eq(held[1], 1);
	chain_end_session(&s.chain);
	cr_expect_eq(board_held(s.env.board, 0, held), 1);
}

static bool is_down(unsigned socket)
{
	return board_socket_is_down(s.env.board, 0, socket, clock_now());
}

Test(keeper, only_what_is_tried_is_kept_from_others)
{
	s.conf.milter_count = 1;
	s.conf.milters[0].socket.count = 2;
	s.conf.milters[0].connections_max = 1;
	stand_begin(&s, MTA_POSTFIX);
	board_socket_down(s.env.board, 0, 0, STAND_TIME + CLOCK_S);
	board_socket_down(s.env.board, 0, 1, STAND_TIME + CLOCK_S);
	clock_set(STAND_TIME + CLOCK_S);
	hold(0);
	chain_event(&s.chain, STAGE_CONNECT);
	cr_expect_not(is_down(0), "it has no turn yet");
	cr_expect_not(is_down(1));
	child_close(&s.chain.members[0].child);
	board_note_released(board_slot(s.env.board, 1), 0);
	chain_event(&s.chain, STAGE_CONNECT);
	cr_expect(is_down(s.chain.members[0].child.socket), "tried by us");
	cr_expect_not(is_down(1 - s.chain.members[0].child.socket));
}

Test(keeper, one_that_is_down_last)
{
	s.conf.milter_count = 1;
	s.conf.milters[0].socket.count = 2;
	stand_begin(&s, MTA_POSTFIX);
	board_socket_down(s.env.board, 0, 0, STAND_TIME + CLOCK_S);
	for (int i = 0; i < 4; i++) {
		chain_event(&s.chain, STAGE_CONNECT);
		cr_expect_eq(s.chain.members[0].child.socket, 1);
		child_close(&s.chain.members[0].child);
	}
	clock_set(STAND_TIME + CLOCK_S);
	chain_event(&s.chain, STAGE_CONNECT);
	cr_expect_eq(s.chain.members[0].child.socket, 0, "tried again");
	cr_expect(board_socket_is_down(s.env.board, 0, 0, clock_now()),
		  "by one alone");
}

/* ---- a trial that ends without a last word is the next session's ---- */

static void begin_trial(void)
{
	stand_begin(&s, MTA_POSTFIX);
	open_breaker();
	clock_set(STAND_TIME + 60 * CLOCK_S);
	cr_assert(stand_connect(&s));
	cr_assert(stand_helo(&s, "h"));
	cr_assert_neq(s.chain.members[0].lease, 0);
}

static bool next_may_try(void)
{
	const struct breaker_limits limits = { 1, 60 * CLOCK_S };

	return board_may_ask(s.env.board, 0, &limits);
}

Test(keeper, a_session_that_only_connects_gives_its_trial_back)
{
	begin_trial();
	cr_expect_not(next_may_try(), "while it lasts");
	chain_end_session(&s.chain);
	cr_expect(is_open());
	cr_expect(next_may_try());
	cr_expect_not(next_may_try(), "and nobody else");
}

Test(keeper, a_message_taken_back_gives_its_trial_back)
{
	begin_trial();
	cr_assert(stand_mail(&s, "<s>"));
	cr_assert(stand_rcpt(&s, "<r>"));
	cr_expect_not(next_may_try(), "while it lasts");
	stand_end_message(&s);
	cr_expect(next_may_try());
}

Test(keeper, released_it_gives_its_trial_back)
{
	begin_trial();
	cr_assert(stand_mail(&s, "<s>"));
	chain_release(&s.chain, 0);
	cr_expect(next_may_try());
}

Test(keeper, a_lease_of_another_is_left_to_it)
{
	begin_trial();
	clock_set(STAND_TIME + 120 * CLOCK_S);
	cr_assert(next_may_try(), "it ran out");
	chain_end_session(&s.chain);
	cr_expect_not(next_may_try());
}
