#include "server/supervisor_parts.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "server/background.h"
#include "server/notify.h"
#include "server/steer.h"
#include "shared/clock.h"
#include "shared/log.h"

#define TICK	       CLOCK_S
/* While the pool is short: workers come to life within a millisecond. */
#define LOOK_AGAIN     CLOCK_MS
/* While leaving: what has no event of its own is looked at this often. */
#define LOOK_LEAVING   (20 * CLOCK_MS)
/* An idle worker that was told to leave needs microseconds; a stopped one
 * shall not keep the listeners open. */
#define IDLE_MAY_TAKE  (2 * CLOCK_S)
/* SIGKILL is not refused; a process stuck in the kernel is left behind. */
#define KILL_MAY_TAKE  (10 * CLOCK_S)
/* Without one worker that waits, the start has failed after this. */
#define START_MAY_TAKE (30 * CLOCK_S)
/* So many workers in a row that die before they wait: the start failed. */
#define STARTS_MAY_FAIL 5
#define EVENTS_AT_ONCE 64

struct phase_row {
	const char *name;
	void (*enter)(struct supervisor *s);
	void (*turn)(struct supervisor *s); /* after every event and tick */
	enum phase on_term;
	enum phase on_int;
};

/* --- the pool ------------------------------------------------------------ */

static void add_workers(struct supervisor *s, unsigned n)
{
	while (n-- > 0)
		if (!spawn_one(&s->spawn))
			return;
}

/*
 * Older workers serve until new ones wait in their place.  Where there is no
 * room for both, half of the idle ones go at a time.
 */
static void replace_older(struct supervisor *s, const struct pool_seen *seen,
			  const struct pool_plan *plan)
{
	struct pool_seen now;

	if (!spawn_has_older(&s->spawn))
		return;
	if (s->spawn.alive >= s->limits.max) {
		spawn_retire_older(&s->spawn, (s->spawn.alive + 1) / 2);
		return;
	}
	spawn_count(&s->spawn, &now);
	if (!plan->add && !plan->again && !now.starting && seen->idle)
		spawn_retire_older(&s->spawn, UINT_MAX);
}

static void look_at_pool(struct supervisor *s)
{
	uint64_t now = clock_now(), paused;
	struct pool_seen seen;
	struct pool_plan plan;

	s->next_look = CLOCK_NEVER;
	paused = spawn_paused_until(&s->spawn, now);
	if (paused) {
		s->next_look = paused;
		return;
	}
	spawn_count(&s->spawn, &seen);
	if (!seen.idle && !seen.starting)
		seen.waiting = listen_has_waiting(&s->listen);
	plan = pool_look(&s->limits, &seen, &s->memory, now);
	add_workers(s, plan.add);
	spawn_retire(&s->spawn, plan.retire);
	replace_older(s, &seen, &plan);
	if (plan.again)
		s->next_look = clock_now() + LOOK_AGAIN;
}

/*
 * A wake-up dies with the worker it woke: its connection waits while others
 * sleep.  Who leaves looks into every queue once more, so one idle worker is
 * asked to; if the connection was taken meanwhile, that costs one fork.
 */
static void look_for_lost_wakeup(struct supervisor *s)
{
	struct pool_seen seen;

	spawn_count(&s->spawn, &seen);
	if (!listen_has_waiting(&s->listen))
		return;
	if (seen.idle)
		spawn_retire(&s->spawn, 1);
}

/* --- the phases ---------------------------------------------------------- */

static void enter_start(struct supervisor *s)
{
	s->deadline = clock_now() + START_MAY_TAKE;
	add_workers(s, s->limits.min);
}

static void turn_start(struct supervisor *s)
{
	struct pool_seen seen;

	spawn_count(&s->spawn, &seen);
	if (seen.idle || spawn_busy(&s->spawn)) {
		supervisor_enter(s, PHASE_RUN);
		return;
	}
	if (s->spawn.failed_starts >= STARTS_MAY_FAIL ||
	    clock_now() >= s->deadline) {
		log_error("giving up: no worker came to life");
		s->failed = true;
		supervisor_enter(s, PHASE_STOP);
		return;
	}
	look_at_pool(s);
}

static void enter_run(struct supervisor *s)
{
	if (s->how->in_background)
		background_detach();
	s->spawn.detach = false; /* from now on they inherit that */
	notify_ready();
	background_ready(s->tell_ready);
	s->tell_ready = -1;
	log_info("ready");
}

static void turn_run(struct supervisor *s)
{
	look_at_pool(s);
	s->next_look = clock_earlier(s->next_look,
				     overload_look(&s->overload, &s->spawn,
						   s->limits.max));
}

static void enter_drain(struct supervisor *s)
{
	supervisor_refuse_changes(s);
	notify_stopping();
	log_info("draining: %u workers, %u of them busy, at most %.0f s",
		 s->spawn.alive, spawn_busy(&s->spawn),
		 (double)s->conf->drain_timeout / (double)CLOCK_S);
	s->deadline = clock_now() + s->conf->drain_timeout;
	spawn_retire_all(&s->spawn);
}

/*
 * The listeners close after the last idle worker has looked into the queues
 * and gone: what was queued until then is served, what comes later is
 * refused at once instead of waiting for nobody.
 */
static void close_listeners_when_unused(struct supervisor *s, uint64_t now)
{
	uint64_t entered = s->deadline - s->conf->drain_timeout;

	if (!s->listen.count)
		return;
	if (s->spawn.alive > spawn_busy(&s->spawn) &&
	    now < entered + IDLE_MAY_TAKE)
		return;
	listen_close(&s->listen, &s->conf->listen);
}

static void turn_drain(struct supervisor *s)
{
	uint64_t now = clock_now();

	close_listeners_when_unused(s, now);
	if (!s->spawn.alive) {
		supervisor_enter(s, PHASE_OVER);
		return;
	}
	if (now >= s->deadline) {
		log_warn("drain_timeout is over: %u workers are killed",
			 s->spawn.alive);
		supervisor_enter(s, PHASE_STOP);
		return;
	}
	s->next_look = s->listen.count ? now + LOOK_LEAVING : s->deadline;
}

static void enter_stop(struct supervisor *s)
{
	supervisor_refuse_changes(s);
	notify_stopping();
	s->deadline = clock_now() + KILL_MAY_TAKE;
	spawn_kill_all(&s->spawn);
	listen_close(&s->listen, &s->conf->listen);
}

static void turn_stop(struct supervisor *s)
{
	if (s->spawn.alive && clock_now() < s->deadline) {
		s->next_look = s->deadline;
		return;
	}
	if (s->spawn.alive)
		log_error("%u workers could not be killed", s->spawn.alive);
	supervisor_enter(s, PHASE_OVER);
}

static void enter_over(struct supervisor *s)
{
	listen_close(&s->listen, &s->conf->listen);
	overload_end(&s->overload, &s->spawn);
	log_info("stopped");
}

static void turn_over(struct supervisor *s)
{
	(void)s;
}

/* clang-format off */
static const struct phase_row phase_rows[] = {
	[PHASE_START] = { "start", enter_start, turn_start, PHASE_STOP,  PHASE_STOP },
	[PHASE_RUN]   = { "run",   enter_run,   turn_run,   PHASE_DRAIN, PHASE_STOP },
	[PHASE_DRAIN] = { "drain", enter_drain, turn_drain, PHASE_STOP,  PHASE_STOP },
	[PHASE_STOP]  = { "stop",  enter_stop,  turn_stop,  PHASE_STOP,  PHASE_STOP },
	[PHASE_OVER]  = { "over",  enter_over,  turn_over,  PHASE_OVER,  PHASE_OVER },
};
/* clang-format on */

void supervisor_enter(struct supervisor *s, enum phase phase)
{
	if (phase == s->phase)
		return;
	log_debug("phase %s", phase_rows[phase].name);
	s->phase = phase;
	s->next_look = CLOCK_NEVER;
	phase_rows[phase].enter(s);
	/* The new phase looks at once: nothing may be left to wait for. */
	s->next_look = 0;
}

const char *supervisor_phase_name(enum phase phase)
{
	return phase_rows[phase].name;
}

void supervisor_take_stranger(void *supervisor, pid_t pid, int status)
{
	struct supervisor *s = supervisor;

	if (!probes_reaped(&s->probes, s->spawn.board, pid, status) &&
	    !reload_reaped(&s->reload, pid))
		(void)upgrade_reaped(&s->upgrade, pid, status);
}

/* --- signals ------------------------------------------------------------- */

static void take_signal(struct supervisor *s, unsigned signo)
{
	const struct phase_row *row = &phase_rows[s->phase];

	switch (signo) {
	case SIGTERM:
		if (s->phase == PHASE_DRAIN)
			log_info("second SIGTERM: stopping without waiting");
		supervisor_enter(s, row->on_term);
		break;
	case SIGINT:
	case SIGQUIT:
		log_info("SIG%s: stopping without waiting",
			 sigabbrev_np((int)signo));
		supervisor_enter(s, row->on_int);
		break;
	case SIGHUP:
		supervisor_reload(s);
		break;
	case SIGUSR1:
		(void)supervisor_reopen_logs(s);
		break;
	case SIGUSR2:
		supervisor_upgrade(s);
		break;
	default: /* SIGCHLD: the dead are counted after every turn */
		break;
	}
}

static void take_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info))
		take_signal(s, info.ssi_signo);
}

/* --- the loop ------------------------------------------------------------ */

static void take_event(struct supervisor *s, const struct epoll_event *e)
{
	uint64_t number, tag = e->data.u64;

	if (tag >= STATUS_TAG)
		status_event(s->status, tag, e->events);
	else if (tag == TAG_SIGNAL)
		take_signals(s);
	else if (tag == TAG_HUNGRY)
		(void)!read(s->hungry_fd, &number, sizeof(number));
	else if (tag == TAG_RELOAD)
		reload_event(&s->reload);
	else if (tag == TAG_UPGRADE)
		upgrade_event(&s->upgrade);
	else if (tag < s->spawn.slots)
		spawn_take_notes(&s->spawn, (unsigned)tag);
}

static void tell_manager(struct supervisor *s)
{
	unsigned alive = s->spawn.alive, busy = spawn_busy(&s->spawn);
	char words[80];

	if (alive == s->told_alive && busy == s->told_busy)
		return;
	snprintf(words, sizeof(words),
		 "%s: %u workers, %u busy, settings %u",
		 phase_rows[s->phase].name, alive, busy,
		 s->settings.generation);
	notify_status(words);
	s->told_alive = alive;
	s->told_busy = busy;
}

static void feed_watchdog(struct supervisor *s)
{
	uint64_t now = clock_now();

	if (!s->feed_every || now < s->next_feed)
		return;
	s->next_feed = now + s->feed_every;
	notify_alive();
}

static uint64_t next_time(const struct supervisor *s)
{
	uint64_t until = clock_earlier(s->next_tick, s->next_look);

	until = clock_earlier(until, reload_until(&s->reload));
	until = clock_earlier(until, status_until(s->status));
	until = clock_earlier(until, upgrade_until(&s->upgrade));
	return s->feed_every ? clock_earlier(until, s->next_feed) : until;
}

static void tick(struct supervisor *s)
{
	uint64_t now = clock_now();

	if (now < s->next_tick)
		return;
	s->next_tick = now + TICK;
	if (s->phase == PHASE_RUN) {
		look_for_lost_wakeup(s);
		probes_tick(&s->probes, s->spawn.board, s->conf,
			    s->settings.cells.map);
	}
	settings_look_at_tables(&s->settings);
	tell_manager(s);
}

static void loop(struct supervisor *s)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	phase_rows[s->phase].enter(s);
	while (s->phase != PHASE_OVER) {
		int n = epoll_wait(s->epoll_fd, events, EVENTS_AT_ONCE,
				   clock_poll_ms(next_time(s)));

		for (int i = 0; i < n; i++)
			take_event(s, &events[i]);
		(void)spawn_reap(&s->spawn);
		tick(s);
		feed_watchdog(s);
		supervisor_look_at_changes(s);
		phase_rows[s->phase].turn(s);
		s->view.phase = phase_rows[s->phase].name;
		status_turn(s->status);
	}
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

bool supervisor_run(const struct supervisor_how *how)
{
	struct supervisor s = {
		.how = how,
		.epoll_fd = -1,
		.signal_fd = -1,
		.hungry_fd = -1,
		.pid_fd = -1,
		.tell_ready = how->tell_ready,
		.next_look = CLOCK_NEVER,
	};
	bool ok;

	settings_begin(&s.settings, how->arena, how->conf,
		       how->handover ? how->handover->settings + 1 : 1);
	s.conf = s.settings.conf;
	supervisor_begin_changes(&s);
	ok = supervisor_open(&s);
	if (ok)
		loop(&s);
	supervisor_end_changes(&s);
	listen_close(&s.listen, &s.conf->listen);
	status_close(&s.status);
	past_free(&s.view.past);
	pid_file_close(s.conf->pid_file, s.pid_fd);
	spawn_deinit(&s.spawn);
	log_follow(NULL);
	log_count_lost(NULL);
	board_free(&s.spawn.board);
	close_fd(s.epoll_fd);
	close_fd(s.signal_fd);
	close_fd(s.hungry_fd);
	close_fd(s.tell_ready);
	settings_end(&s.settings);
	return ok && !s.failed;
}
