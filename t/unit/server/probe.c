#include "server/probe.h"

#include <criterion/criterion.h>

#include "shared/clock.h"
#include "t/unit/support/expect_log.h"

#define NOW	(1000 * CLOCK_S)
#define PAUSE	(10 * CLOCK_S)
#define M	3
#define PID	77
#define ANSWERS 0
#define SILENT	(1 << 8) /* as waitpid() says exit code 1 */

static const struct breaker_limits limits = { 1, PAUSE };
static struct board *board;
static struct probes probes;

static void begin(void)
{
	clock_set(NOW);
	board = board_new(4, 10);
	cr_assert_not_null(board);
	probes = (struct probes){ 0 };
	expect_log_begin();
}

static void end(void)
{
	expect_log_end();
	board_free(&board);
	clock_set(0);
}

TestSuite(probe, .init = begin, .fini = end, .timeout = 20);

static void fail_at(uint64_t now)
{
	clock_set(now);
	(void)board_failed(board, 0, M, &limits, MILTER_FAILED_TIMEOUT, 0);
}

/* How many lines the log gets when a probe ends so. */
static unsigned told(int status)
{
	struct probe_row *row = &probes.rows[M];
	unsigned before = expect_log_count();

	*row = (struct probe_row){ .pid = PID,
				   .name = "m",
				   .limits = limits,
				   .answers = row->answers,
				   .failed_at = row->failed_at };
	probes.running++;
	cr_assert(probes_reaped(&probes, board, PID, status));
	cr_expect_eq(probes.running, 0);
	cr_expect_eq(row->pid, 0);
	return expect_log_count() - before;
}

Test(probe, that_it_negotiates_is_told_once)
{
	fail_at(NOW);
	cr_expect_eq(told(SILENT), 0);
	cr_expect_eq(told(ANSWERS), 1);
	cr_expect_str_eq(
		expect_log_last(),
		"milter \"m\" negotiates again: the next message tries it");
	cr_expect_eq(told(ANSWERS), 0, "while no mail comes");
	cr_expect_eq(told(ANSWERS), 0);
	cr_expect_eq(told(SILENT), 1, "it has changed its mind");
	cr_expect_str_eq(expect_log_last(),
			 "milter \"m\" does not negotiate any more");
	cr_expect_eq(told(SILENT), 0);
	cr_expect_eq(told(ANSWERS), 1);
}

Test(probe, and_again_after_another_failure)
{
	fail_at(NOW);
	cr_expect_eq(told(ANSWERS), 1);
	fail_at(NOW + CLOCK_S);
	cr_expect_eq(told(ANSWERS), 1, "a trial failed meanwhile");
	cr_expect_eq(told(ANSWERS), 0);
	fail_at(NOW + 2 * CLOCK_S);
	cr_expect_eq(told(SILENT), 0, "the failure was told by itself");
	cr_expect_eq(told(ANSWERS), 1);
}

Test(probe, other_processes_are_none_of_its)
{
	cr_expect_not(probes_reaped(&probes, board, PID, ANSWERS));
}
