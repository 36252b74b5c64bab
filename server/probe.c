#include "server/probe.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/probe.h"

/* We look once in that time. */
#define TICK	       CLOCK_S
/* It ends by itself after timeout_connect; a stopped one is killed then. */
#define STUCK_AFTER    (5 * CLOCK_S)
#define FIRST_FOREIGN  3 /* behind standard error */
#define PROBE_ANSWERED 0
#define PROBE_SILENT   1

/* --- in the probe itself ------------------------------------------------- */

static void set_signals(void)
{
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		(void)signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool answers(const struct conf_milter *milter)
{
	uint64_t share = milter->timeout_connect / milter->socket.count;
	struct probe_result result;

	for (unsigned i = 0; i < milter->socket.count; i++)
		if (probe_milter(&milter->socket.at[i], PROBE_ALL, share,
				 &result))
			return true;
	return false;
}

/* It reads what a milter says: it has nothing of ours it could spoil. */
_Noreturn static void become_probe(struct board *board, pid_t supervisor,
				   const struct conf_milter *milter)
{
	set_signals();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != supervisor)
		_exit(PROBE_SILENT);
	(void)prctl(PR_SET_NAME, "sekisho-probe", 0, 0, 0);
	log_follow(NULL);
	log_count_lost(NULL);
	board_free(&board);
	closefrom(FIRST_FOREIGN);
	_exit(answers(milter) ? PROBE_ANSWERED : PROBE_SILENT);
}

/* --- in the supervisor --------------------------------------------------- */

/*
 * A milter that could not be reached may just be restarting: asked after a
 * second, then each time twice as late.  One that was reached and failed would
 * answer a probe as ever: not before the pause is nearly over, but so early
 * that the probe has ended when the pause has.  Sessions then never meet a
 * milter that hangs.
 */
static uint64_t due_at(const struct board_breaker_copy *copy,
		       const struct conf_milter *milter)
{
	uint64_t needs = milter->timeout_connect + TICK;
	uint64_t pause = milter->breaker_pause;

	if (copy->cause == MILTER_FAILED_CONNECT)
		return copy->opened_at + TICK;
	return copy->breaker.since + (pause > needs ? pause - needs : 0);
}

static bool is_due(struct probe_row *row, const struct board *board,
		   unsigned cell, const struct conf_milter *milter,
		   uint64_t now)
{
	struct board_breaker_copy copy;

	if (row->pid || !milter->breaker_failures)
		return false;
	board_read_breaker(board, cell, &copy);
	if (copy.breaker.state == BREAKER_CLOSED)
		row->wait = 0;
	return copy.breaker.state == BREAKER_OPEN && now >= row->not_before &&
	       now >= due_at(&copy, milter);
}

static uint64_t next_wait(uint64_t wait, uint64_t pause)
{
	return wait ? clock_earlier(2 * wait, pause / 2) :
		      clock_earlier(TICK, pause / 2);
}

static void begin(struct probes *p, struct probe_row *row, struct board *board,
		  const struct conf_milter *milter)
{
	uint64_t now = clock_now();
	uint64_t wait = next_wait(row->wait, milter->breaker_pause);
	pid_t supervisor = getpid(), pid = fork();

	if (pid == 0)
		become_probe(board, supervisor, milter);
	if (pid < 0)
		return;
	row->pid = pid;
	row->limits = (struct breaker_limits){ milter->breaker_failures,
					       milter->breaker_pause };
	row->kill_at = now + milter->timeout_connect + STUCK_AFTER;
	/* Whatever a worker writes on the board as its time. */
	row->wait = wait;
	row->not_before = now + wait;
	snprintf(row->name, sizeof(row->name), "%s", milter->name);
	p->running++;
}

void probes_tick(struct probes *p, struct board *board, const struct conf *conf,
		 const uint8_t *cells)
{
	uint64_t now = clock_now();

	for (unsigned i = 0; i < BOARD_MILTERS; i++)
		if (p->rows[i].pid && now >= p->rows[i].kill_at)
			(void)kill(p->rows[i].pid, SIGKILL);
	for (unsigned i = 0; i < conf->milter_count; i++) {
		unsigned cell = cells ? cells[i] : i;

		if (p->running < PROBES_AT_ONCE &&
		    is_due(&p->rows[cell], board, cell, &conf->milters[i], now))
			begin(p, &p->rows[cell], board, &conf->milters[i]);
	}
}

static bool find(const struct probes *p, pid_t pid, unsigned *cell_out)
{
	for (unsigned i = 0; i < BOARD_MILTERS; i++)
		if (p->rows[i].pid == pid) {
			*cell_out = i;
			return true;
		}
	return false;
}

/*
 * While no mail comes it is probed again and again: told once for each
 * failure, and when it changes its mind.
 */
static void tell(struct probe_row *row, bool answers, uint64_t failed_at)
{
	bool knew = row->answers && row->failed_at == failed_at;

	if (answers && !knew)
		log_info("milter \"%s\" negotiates again: the next message tries it",
			 row->name);
	if (!answers && knew)
		log_info("milter \"%s\" does not negotiate any more",
			 row->name);
	row->answers = answers;
	row->failed_at = failed_at;
}

bool probes_reaped(struct probes *p, struct board *board, pid_t pid, int status)
{
	struct board_breaker_copy copy;
	struct probe_row *row;
	unsigned cell;
	bool answered;

	if (!find(p, pid, &cell))
		return false;
	row = &p->rows[cell];
	row->pid = 0;
	p->running--;
	answered = WIFEXITED(status) && WEXITSTATUS(status) == PROBE_ANSWERED;
	board_read_breaker(board, cell, &copy);
	tell(row, answered, copy.failed_at);
	board_probed(board, cell, &row->limits, answered);
	return true;
}
