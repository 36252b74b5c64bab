#include "shared/board.h"

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"

#define NOW   (1000 * CLOCK_S)
#define PAUSE (10 * CLOCK_S)
#define M     7

static const struct breaker_limits limits = { 2, PAUSE };
static struct board *board;

static void begin(void)
{
	clock_set(NOW);
	board = board_new(16, 10);
	cr_assert_not_null(board);
}

static void end(void)
{
	board_free(&board);
	clock_set(0);
}

TestSuite(board_breaker, .init = begin, .fini = end, .timeout = 60);

static bool fail(uint32_t suspect)
{
	return board_failed(board, 0, M, &limits, MILTER_FAILED_TIMEOUT,
			    suspect);
}

Test(board_breaker, opens_leases_and_closes)
{
	struct board_breaker_copy copy;

	cr_expect(board_may_ask(board, M, &limits));
	cr_expect_not(fail(0));
	cr_expect_not(board_is_open(board, M, &limits));
	cr_expect(fail(0), "the second opens");
	cr_expect_not(fail(0), "the third finds it open");
	cr_expect(board_is_open(board, M, &limits));
	cr_expect_not(board_is_open(board, M + 1, &limits));
	cr_expect_not(board_may_ask(board, M, &limits));
	cr_expect_eq(board_sum_milter(board, M, MILTER_OPENED), 1);
	board_read_breaker(board, M, &copy);
	cr_expect_eq(copy.opened_at, NOW);
	cr_expect_eq(copy.failed_at, NOW);
	cr_expect_eq(copy.cause, MILTER_FAILED_TIMEOUT);

	clock_set(NOW + PAUSE);
	cr_expect(board_may_ask(board, M, &limits), "the lease");
	cr_expect_not(board_may_ask(board, M, &limits), "is one");
	cr_expect(board_is_open(board, M, &limits), "for others");
	cr_expect(board_succeeded(board, M), "closes it");
	cr_expect_not(board_is_open(board, M, &limits));
	cr_expect_not(board_succeeded(board, M), "it was closed");
}

Test(board_breaker, a_trial_that_fails_opens_without_being_news)
{
	fail(0);
	fail(0);
	clock_set(NOW + PAUSE);
	cr_expect(board_may_ask(board, M, &limits));
	cr_expect_not(fail(0));
	cr_expect_not(board_may_ask(board, M, &limits));
	cr_expect_eq(board_sum_milter(board, M, MILTER_OPENED), 1);
}

Test(board_breaker, one_client_alone_is_not_believed)
{
	for (int i = 0; i < 10; i++)
		cr_expect_not(fail(0x1111));
	cr_expect_not(board_is_open(board, M, &limits));
	cr_expect_not(fail(0x2222), "another: the first that counts");
	cr_expect(fail(0x1111), "and the second");
}

Test(board_breaker, suspicion_ends)
{
	cr_expect_not(fail(0x1111));
	clock_set(NOW + 6 * 60 * CLOCK_S);
	cr_expect_not(fail(0x2222), "long ago: does not count");
	cr_expect_not(fail(0x3333), "counts");
	cr_expect(fail(0x4444), "opens");
}

Test(board_breaker, the_probe)
{
	fail(0);
	fail(0);
	clock_set(NOW + CLOCK_S);
	board_probed(board, M, &limits, true);
	cr_expect(board_may_ask(board, M, &limits), "at once");
	cr_expect_not(board_may_ask(board, M, &limits));
	clock_set(NOW + 2 * CLOCK_S);
	fail(0);
	clock_set(NOW + 2 * CLOCK_S + PAUSE - CLOCK_MS);
	board_probed(board, M, &limits, false);
	clock_set(NOW + 2 * CLOCK_S + PAUSE);
	cr_expect_not(board_may_ask(board, M, &limits), "the pause is longer");
}

Test(board_breaker, sockets_by_themselves)
{
	board_socket_down(board, M, 1, NOW + 5);
	cr_expect(board_socket_is_down(board, M, 1, NOW));
	cr_expect_not(board_socket_is_down(board, M, 1, NOW + 5));
	cr_expect_not(board_socket_is_down(board, M, 0, NOW));
	cr_expect_not(board_socket_is_down(board, M + 1, 1, NOW));
}

/* ---- many at once ---- */

#define WRITERS 8

/* Each runs in a process of its own and ends in _exit; sum of the codes. */
static int race(int (*run)(unsigned i))
{
	int sum = 0, status;

	for (unsigned i = 0; i < WRITERS; i++) {
		pid_t pid = fork();

		cr_assert_geq(pid, 0);
		if (pid == 0)
			_exit(run(i));
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		cr_assert_gt(wait(&status), 0);
		cr_assert(WIFEXITED(status), "status %d", status);
		sum += WEXITSTATUS(status);
	}
	return sum;
}

static int take_lease(unsigned i)
{
	(void)i;
	return board_may_ask(board, M, &limits);
}

Test(board_breaker, one_lease_for_all)
{
	fail(0);
	fail(0);
	for (int round = 1; round <= 50; round++) {
		clock_set(NOW + (uint64_t)round * PAUSE);
		cr_assert_eq(race(take_lease), 1, "round %d", round);
	}
}

Test(board_breaker, cleared_is_as_if_it_had_never_failed)
{
	struct board_breaker_copy copy;

	fail(0);
	fail(0);
	fail(0x1111);
	board_socket_down(board, M, CONF_SOCKETS_MAX - 1, NOW + PAUSE);
	board_socket_down(board, M + 1, 0, NOW + PAUSE);
	board_count_milter(board, 0, M, MILTER_APPLIED, 3);
	board_clear_breaker(board, M);
	board_read_breaker(board, M, &copy);
	cr_expect_eq(copy.breaker.state, BREAKER_CLOSED);
	cr_expect_eq(copy.breaker.score, 0);
	cr_expect_eq(copy.failed_at, 0);
	cr_expect_not(board_socket_is_down(board, M, CONF_SOCKETS_MAX - 1, 0));
	cr_expect(board_socket_is_down(board, M + 1, 0, 0), "another's");
	cr_expect_eq(board_sum_milter(board, M, MILTER_APPLIED), 3,
		     "numbers go on");
	cr_expect_not(fail(0x2222), "the suspect of before is forgotten, too");
	board_read_breaker(board, M, &copy);
	cr_expect_eq(copy.breaker.score, 0);
}

static int open_it(unsigned i)
{
	return board_failed(board, i, M, &limits, MILTER_FAILED_EOF, 0);
}

Test(board_breaker, it_opens_once)
{
	for (int round = 0; round < 50; round++) {
		cr_assert_eq(race(open_it), 1, "round %d", round);
		cr_assert(board_is_open(board, M, &limits));
		board_clear_milter(board, M);
	}
}

/* A failure and four successes, again and again, leave nothing behind. */
static int fail_and_succeed(unsigned i)
{
	const struct breaker_limits many = { 1000, PAUSE };

	for (int n = 0; n < 2000; n++) {
		board_failed(board, i, M, &many, MILTER_FAILED_EOF, 0);
		for (int k = 0; k < 4; k++)
			board_succeeded(board, M);
	}
	return 0;
}

Test(board_breaker, no_step_is_lost)
{
	struct board_breaker_copy copy;

	race(fail_and_succeed);
	board_read_breaker(board, M, &copy);
	cr_expect_eq(copy.breaker.state, BREAKER_CLOSED);
	cr_expect_eq(copy.breaker.score, 0);
}

/* Noted first, counted then, as worker/keeper.c does: never more than two. */
static int hold_and_count(unsigned i)
{
	unsigned ignored[CONF_SOCKETS_MAX], seen = 0;
	struct board_slot *slot = board_slot(board, i);

	for (int n = 0; n < 20000; n++) {
		board_note_held(slot, M, 0);
		atomic_thread_fence(memory_order_seq_cst);
		if (board_held(board, M, ignored) <= 2) {
			/* Slot 15 counts who is in, up and down. */
			_Atomic uint32_t *in = &board_slot(board, 15)->child;

			if (atomic_fetch_add(in, 1) + 1 > 2)
				seen = 1;
			atomic_fetch_sub(in, 1);
		}
		board_note_released(slot, M);
	}
	return (int)seen;
}

Test(board_breaker, held_never_exceeds_the_limit)
{
	atomic_store(&board_slot(board, 15)->child, 0);
	cr_expect_eq(race(hold_and_count), 0);
}

Test(board_breaker, remembers_who_takes_a_second_session)
{
	struct board *b = board_new(1, 10);

	cr_assert_not_null(b);
	cr_expect_eq(board_reuse(b, 3), REUSE_UNKNOWN);
	cr_expect(board_note_reuse(b, 3, REUSE_WORKS));
	cr_expect_not(board_note_reuse(b, 3, REUSE_WORKS), "no news");
	cr_expect_eq(board_reuse(b, 3), REUSE_WORKS);
	cr_expect_eq(board_reuse(b, 2), REUSE_UNKNOWN);
	cr_expect(board_note_reuse(b, 3, REUSE_FAILS));
	cr_expect_not(board_note_reuse(b, 3, REUSE_WORKS), "once is enough");
	cr_expect_eq(board_reuse(b, 3), REUSE_FAILS);
	board_clear_breaker(b, 3);
	cr_expect_eq(board_reuse(b, 3), REUSE_UNKNOWN, "another socket");
	board_free(&b);
}

Test(board_breaker, doubts_its_reuse)
{
	struct board *b = board_new(1, 10);

	cr_assert_not_null(b);
	for (unsigned i = 1; i <= 5; i++) {
		clock_set(i * 31 * 60 * CLOCK_S);
		cr_expect(board_note_reuse(b, 0, REUSE_WORKS));
		cr_expect(board_note_reuse(b, 0, REUSE_UNKNOWN));
		/* Each is forgotten an hour after the one before it. */
		cr_expect_eq(board_reuse(b, 0),
			     i < 3 ? REUSE_UNKNOWN : REUSE_FAILS);
		if (i == 3)
			break;
	}
	for (unsigned i = 1; i <= 5; i++) {
		clock_set(i * 61 * 60 * CLOCK_S);
		cr_expect(board_note_reuse(b, 1, REUSE_WORKS));
		cr_expect(board_note_reuse(b, 1, REUSE_UNKNOWN));
		cr_expect_eq(board_reuse(b, 1), REUSE_UNKNOWN);
	}
	clock_set(0);
	board_free(&b);
}
