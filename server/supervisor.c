#include "server/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "server/background.h"
#include "server/limits.h"
#include "server/listen.h"
#include "server/notify.h"
#include "server/overload.h"
#include "server/pool.h"
#include "server/priv.h"
#include "server/probe.h"
#include "server/reload.h"
#include "server/settings.h"
#include "server/spawn.h"
#include "server/status.h"
#include "server/steer.h"
#include "server/upgrade.h"
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
#define WORDS_CEILING  65536

/* Tags in the epoll, above all slots. */
#define TAG_SIGNAL (UINT64_C(1) << 32)
#define TAG_HUNGRY (TAG_SIGNAL + 1)
#define TAG_RELOAD (TAG_SIGNAL + 2)
#define TAG_UPGRADE (TAG_SIGNAL + 3)

/*
 * start: forking the first workers, until one of them waits.
 * run:   as many workers as are needed.
 * drain: idle ones leave, then the sockets close; busy ones may end what
 *	  they do, until drain_timeout.
 * stop:  all are killed.
 * over:  nobody is left.
 */
enum phase { PHASE_START, PHASE_RUN, PHASE_DRAIN, PHASE_STOP, PHASE_OVER };

struct supervisor {
	const struct supervisor_how *how;
	struct settings settings;
	const struct conf *conf; /* those of settings */
	enum phase phase;
	struct listen listen;
	struct status *status;
	struct status_view view;
	struct switches switches;
	struct spawn spawn;
	struct reload reload;
	struct upgrade upgrade;
	struct handover_worker *handed; /* of the last upgrade that failed */
	struct probes probes;
	struct pool_limits limits;
	struct pool_memory memory;
	struct overload overload;
	int epoll_fd;
	int signal_fd;
	int hungry_fd;
	int pid_fd;
	int tell_ready; /* see supervisor_how; ours now */
	uint64_t next_tick;
	uint64_t feed_every; /* the watchdog; 0: there is none */
	uint64_t next_feed;
	uint64_t next_look; /* CLOCK_NEVER: only when something happens */
	uint64_t deadline;  /* of the present phase */
	unsigned told_alive; /* what the service manager was told last */
	unsigned told_busy;
	bool failed;
};

struct phase_row {
	const char *name;
	void (*enter)(struct supervisor *s);
	void (*turn)(struct supervisor *s); /* after every event and tick */
	enum phase on_term;
	enum phase on_int;
};

static void enter(struct supervisor *s, enum phase phase);

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
		enter(s, PHASE_RUN);
		return;
	}
	if (s->spawn.failed_starts >= STARTS_MAY_FAIL ||
	    clock_now() >= s->deadline) {
		log_error("giving up: no worker came to life");
		s->failed = true;
		enter(s, PHASE_STOP);
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

/* Nothing of that kind begins or goes on any more. */
static void refuse_changes(struct supervisor *s)
{
	reload_refuse(&s->reload, "sekishod is stopping");
	upgrade_refuse(&s->upgrade, "sekishod is stopping");
}

static bool is_leaving(const struct supervisor *s)
{
	return s->phase == PHASE_DRAIN || s->phase == PHASE_STOP;
}

static void enter_drain(struct supervisor *s)
{
	refuse_changes(s);
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
		enter(s, PHASE_OVER);
		return;
	}
	if (now >= s->deadline) {
		log_warn("drain_timeout is over: %u workers are killed",
			 s->spawn.alive);
		enter(s, PHASE_STOP);
		return;
	}
	s->next_look = s->listen.count ? now + LOOK_LEAVING : s->deadline;
}

static void enter_stop(struct supervisor *s)
{
	refuse_changes(s);
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
	enter(s, PHASE_OVER);
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

static void enter(struct supervisor *s, enum phase phase)
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

/* --- settings ------------------------------------------------------------- */

/* The most there can be was found at the start. */
static void set_pool(struct supervisor *s)
{
	const struct conf *c = s->conf;
	unsigned max = s->limits.max;

	s->limits.min = c->workers_min < max ? c->workers_min : max;
	s->limits.spare_min = c->spare_min;
	s->limits.spare_max = c->spare_max;
}

static bool set_log(const struct conf *c)
{
	bool ok = log_open(c->log, "sekishod", c->syslog_facility,
			   c->log_file);

	log_level(c->log_level);
	return ok;
}

/* For reload.h: the supervisor lives on with other settings. */
static bool apply_settings(void *owner, struct arena *arena,
			   const struct conf *conf, struct buf *words)
{
	struct supervisor *s = owner;
	struct limits_wish wish;

	if (!settings_replace(&s->settings, arena, conf,
			      spawn_oldest(&s->spawn), s->spawn.board, words))
		return false;
	s->conf = s->spawn.conf = s->settings.conf;
	s->spawn.cells = s->settings.cells.map;
	s->spawn.settings = s->settings.generation;
	wish = (struct limits_wish){ s->limits.max, (unsigned)s->listen.count,
				     (unsigned)s->conf->milter_count,
				     OVERLOAD_RESERVE };
	limits_raise(&wish);
	set_pool(s);
	if (!set_log(s->conf))
		log_error("log_file \"%s\" could not be opened: %s; tried again with each line",
			  s->conf->log_file, strerror(errno));
	board_count(s->spawn.board, 0, COUNT_RELOADS, 1);
	/* The busy ones; for the idle ones see replace_older(). */
	spawn_retire_older(&s->spawn, 0);
	s->view.conf = s->conf;
	s->view.settings = s->settings.generation;
	s->view.read_at = clock_now();
	steer_settle(&s->view);
	status_follow(s->status, s->conf);
	s->told_alive = 0; /* the status names the generation */
	s->next_look = 0;
	return true;
}

static void ask_for_reload(struct supervisor *s)
{
	reload_begin(&s->reload, NULL);
	if (is_leaving(s))
		refuse_changes(s);
}

static void ask_for_upgrade(struct supervisor *s)
{
	upgrade_begin(&s->upgrade, NULL);
	if (is_leaving(s))
		refuse_changes(s);
}

/* For upgrade.h: all that the next program needs. */
static bool collect_handover(void *owner, struct handover *h,
			     struct buf *texts)
{
	struct supervisor *s = owner;

	free(s->handed);
	s->handed = calloc(s->spawn.slots, sizeof(*s->handed));
	if (!s->handed)
		return false;
	h->settings = s->settings.generation;
	h->control_fd = board_control_fd(s->spawn.board);
	h->numbers_fd = board_numbers_fd(s->spawn.board);
	h->pid_fd = s->pid_fd;
	listen_hand_over(&s->listen, &h->sockets);
	status_hand_over(s->status, &h->sockets);
	if (!steer_hand_over(&s->view, texts))
		return false;
	h->workers = s->handed;
	h->worker_count = spawn_hand_over(&s->spawn, s->handed);
	return true;
}

static void take_stranger(void *owner, pid_t pid, int status)
{
	struct supervisor *s = owner;

	if (!probes_reaped(&s->probes, s->spawn.board, pid, status))
		(void)upgrade_reaped(&s->upgrade, pid, status);
}

/* --- signals ------------------------------------------------------------- */

/* All processes look at the board's word before their next line. */
static void reopen_logs(struct supervisor *s)
{
	board_reopen_logs(s->spawn.board);
	if (log_reopen())
		log_info("log files are opened anew");
	else
		log_error("log_file \"%s\" could not be opened anew: %s; the old one stays in use",
			  s->conf->log_file, strerror(errno));
}

static void take_signal(struct supervisor *s, unsigned signo)
{
	const struct phase_row *row = &phase_rows[s->phase];

	switch (signo) {
	case SIGTERM:
		if (s->phase == PHASE_DRAIN)
			log_info("second SIGTERM: stopping without waiting");
		enter(s, row->on_term);
		break;
	case SIGINT:
	case SIGQUIT:
		log_info("SIG%s: stopping without waiting",
			 sigabbrev_np((int)signo));
		enter(s, row->on_int);
		break;
	case SIGHUP:
		ask_for_reload(s);
		break;
	case SIGUSR1:
		reopen_logs(s);
		break;
	case SIGUSR2:
		ask_for_upgrade(s);
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

static bool open_signals(struct supervisor *s)
{
	static const int taken[] = { SIGTERM, SIGINT, SIGQUIT,
				     SIGHUP,  SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return s->signal_fd >= 0;
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

/* Not both at once: an upgrade reads the settings, too. */
static void look_at_changes(struct supervisor *s)
{
	bool may = s->phase == PHASE_RUN;

	reload_turn(&s->reload, may && !upgrade_is_under_way(&s->upgrade));
	upgrade_turn(&s->upgrade, may && !reload_is_under_way(&s->reload));
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
		look_at_changes(s);
		phase_rows[s->phase].turn(s);
		s->view.phase = phase_rows[s->phase].name;
		status_turn(s->status);
	}
}

/* --- the start ----------------------------------------------------------- */

static bool watch(struct supervisor *s, int fd, uint64_t tag)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = tag };

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

static bool open_loop(struct supervisor *s)
{
	s->hungry_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->hungry_fd >= 0 && s->epoll_fd >= 0 && open_signals(s) &&
	    watch(s, s->signal_fd, TAG_SIGNAL) &&
	    watch(s, s->hungry_fd, TAG_HUNGRY))
		return true;
	log_error("could not set up the loop: %s", strerror(errno));
	return false;
}

/* One log line for each line of the words. */
static void log_words(const struct buf *words, bool is_warning)
{
	struct slice rest = buf_slice(words), line;

	while (slice_split(&rest, '\n', &line)) {
		if (!line.len)
			continue;
		if (is_warning)
			log_warn("%.*s", SLICE_ARG(line));
		else
			log_info("%.*s", SLICE_ARG(line));
	}
}

static void set_limits(struct supervisor *s, bool as_root, struct buf *words,
		       bool *short_out)
{
	const struct conf *c = s->conf;
	struct limits_wish wish = { c->workers_max, (unsigned)s->listen.count,
				    (unsigned)c->milter_count,
				    OVERLOAD_RESERVE };
	struct limits l;

	limits_raise(&wish);
	limits_read(&l, as_root);
	s->limits.max = limits_cap(&l, &wish, words, short_out);
	set_pool(s);
}

static void log_start(const struct supervisor *s)
{
	struct buf words;
	char text[400];

	buf_init(&words, WORDS_CEILING);
	buf_printf(&words, "sekishod %s: %u to %u workers; listening on",
		   s->how->version, s->limits.min, s->limits.max);
	for (size_t i = 0; i < s->conf->listen.count; i++) {
		endpoint_print(&s->conf->listen.at[i].endpoint, text,
			       sizeof(text));
		buf_printf(&words, "%s %s", i ? "," : "", text);
	}
	buf_printf(&words, "; milters");
	for (size_t i = 0; i < s->conf->milter_count; i++)
		buf_printf(&words, "%s %s", i ? "," : "",
			   s->conf->milters[i].name);
	log_words(&words, false);
	buf_deinit(&words);
}

static bool refuse_log_file(const struct conf *c)
{
	int reason = errno;

	(void)log_open(LOG_SINK_STDERR, "sekishod", c->syslog_facility, NULL);
	log_error("log_file \"%s\": %s; user id %u must be able to write it, or to create it in its directory",
		  c->log_file, strerror(reason), (unsigned)geteuid());
	return false;
}

/*
 * Until here all words went to standard error, where somebody waits.  After
 * the rights were given up: as the file will be opened when it is rotated.
 */
static bool open_log(const struct supervisor *s, const struct priv *priv,
		     struct board *board, const struct buf *words,
		     bool is_short)
{
	const struct conf *c = s->conf;

	if (s->how->in_background && c->log == LOG_SINK_STDERR)
		log_warn("log = stderr is lost in the background: use -f, or log = syslog");
	if (!set_log(c))
		return refuse_log_file(c);
	log_follow(board_log_generation(board));
	log_start(s);
	/* It was told when the first of us began. */
	if (s->how->handover)
		return true;
	log_words(words, is_short);
	priv_tell(priv);
	return true;
}

/* Before anything can fail: what is begun here is ended in any case. */
static void begin_changes(struct supervisor *s)
{
	s->reload = (struct reload){ .path = s->how->conf_path,
				     .tag = TAG_RELOAD,
				     .apply = apply_settings,
				     .owner = s };
	s->upgrade = (struct upgrade){ .conf_path = s->how->conf_path,
				       .foreground = s->how->foreground,
				       .tag = TAG_UPGRADE,
				       .collect = collect_handover,
				       .owner = s };
	reload_init(&s->reload);
	upgrade_init(&s->upgrade);
	s->feed_every = notify_watchdog();
}

/* The slots that living workers of the program before have. */
static unsigned slots_taken(const struct handover *h)
{
	unsigned n = 0;

	for (unsigned i = 0; h && i < h->worker_count; i++)
		if (h->workers[i].slot >= n)
			n = h->workers[i].slot + 1;
	return n;
}

static unsigned oldest_of(const struct supervisor *s)
{
	const struct handover *h = s->how->handover;
	unsigned oldest = s->settings.generation;

	for (unsigned i = 0; h && i < h->worker_count; i++)
		if (h->workers[i].settings < oldest)
			oldest = h->workers[i].settings;
	return oldest;
}

/* The numbers of the program before; NULL: they cannot be carried on. */
static struct board *adopt_board(struct supervisor *s)
{
	const struct handover *h = s->how->handover;
	struct board *board = board_adopt(h->control_fd, h->numbers_fd);

	if (!board) {
		log_warn("upgrade: the shared memory is of another version: numbers begin anew");
		return NULL;
	}
	if (!settings_name_cells(&s->settings, board, true, oldest_of(s))) {
		log_warn("upgrade: not enough places for milters: numbers begin anew");
		board_free(&board);
		return NULL;
	}
	/* What the machine allows was found when it was made. */
	s->limits.max = board_slots(board) > OVERLOAD_RESERVE ?
				board_slots(board) - OVERLOAD_RESERVE :
				1;
	if (s->conf->workers_max < s->limits.max)
		s->limits.max = s->conf->workers_max;
	set_pool(s);
	return board;
}

static struct board *open_board(struct supervisor *s)
{
	unsigned wanted = s->limits.max + OVERLOAD_RESERVE;
	unsigned taken = slots_taken(s->how->handover);
	struct board *board = s->how->handover ? adopt_board(s) : NULL;
	bool fits;

	if (board)
		return board;
	board = board_new(wanted > taken ? wanted : taken, s->conf->history);
	if (!board) {
		log_error("could not make shared memory: %s", strerror(errno));
		return NULL;
	}
	_Static_assert(CONF_MILTERS_MAX <= BOARD_MILTERS,
		       "on a new board all find their cells");
	fits = settings_name_cells(&s->settings, board, false,
				   s->settings.generation);
	BUG_IF(!fits);
	return board;
}

static bool open_workers(struct supervisor *s, struct board *board)
{
	const struct handover *h = s->how->handover;

	s->reload.epoll_fd = s->upgrade.epoll_fd = s->epoll_fd;
	s->spawn = (struct spawn){
		.conf = s->conf,
		.cells = s->settings.cells.map,
		.settings = s->settings.generation,
		.board = board,
		.listen = &s->listen,
		.slots = board_slots(board),
		.reserve = OVERLOAD_RESERVE,
		.epoll_fd = s->epoll_fd,
		.hungry_fd = s->hungry_fd,
		.detach = s->how->in_background,
		.stranger = take_stranger,
		.owner = s,
	};
	if (!spawn_init(&s->spawn)) {
		log_error("no memory for %u workers", s->limits.max);
		return false;
	}
	if (h)
		spawn_adopt(&s->spawn, h->workers, h->worker_count);
	return true;
}

/* The lock on the pid file ends when any descriptor of it is closed. */
static bool open_pid_file(struct supervisor *s)
{
	if (s->how->handover && s->how->handover->pid_fd >= 0) {
		s->pid_fd = s->how->handover->pid_fd;
		(void)fcntl(s->pid_fd, F_SETFD, FD_CLOEXEC);
		return true;
	}
	if (!*s->conf->pid_file)
		return true;
	s->pid_fd = pid_file_open(s->conf->pid_file);
	/* Who serves already goes on. */
	return s->pid_fd >= 0 || s->how->handover;
}

/* A client of the control socket wants us to end. */
static enum wish wish_drain(void *context, struct buf *words)
{
	struct supervisor *s = context;

	if (s->phase != PHASE_RUN) {
		buf_printf(words, "not now: this is phase %s\n",
			   phase_rows[s->phase].name);
		return WISH_REFUSED;
	}
	enter(s, PHASE_DRAIN);
	buf_printf(words, "draining: %u workers are busy\n",
		   spawn_busy(&s->spawn));
	return WISH_DONE;
}

static void reload_done(void *context, bool ok, struct slice words)
{
	status_wish_done(context, ok, words);
}

static enum wish wish_reload(void *context, struct buf *words)
{
	struct supervisor *s = context;
	const struct reload_wish wish = { reload_done, s->status };

	if (s->phase != PHASE_RUN) {
		buf_printf(words, "not now: sekishod is in phase %s\n",
			   phase_rows[s->phase].name);
		return WISH_REFUSED;
	}
	reload_begin(&s->reload, &wish);
	return WISH_BEGUN;
}

static enum wish wish_upgrade(void *context, struct buf *words)
{
	struct supervisor *s = context;
	const struct reload_wish wish = { reload_done, s->status };

	if (s->phase != PHASE_RUN) {
		buf_printf(words, "not now: sekishod is in phase %s\n",
			   phase_rows[s->phase].name);
		return WISH_REFUSED;
	}
	upgrade_begin(&s->upgrade, &wish);
	return WISH_BEGUN;
}

static enum wish wish_reopen(void *context, struct buf *words)
{
	struct supervisor *s = context;

	reopen_logs(s);
	buf_printf(words, "logs are opened anew\n");
	return WISH_DONE;
}

static bool open_status(struct supervisor *s, struct board *board)
{
	s->view = (struct status_view){
		.board = board,
		.conf = s->conf,
		.cells = s->settings.cells.map,
		.settings = s->settings.generation,
		.spawn = &s->spawn,
		.limits = &s->limits,
		.switches = &s->switches,
		.past = past_new(),
		.version = s->how->version,
		.conf_path = s->how->conf_path,
		.phase = phase_rows[s->phase].name,
		.started = clock_now(),
		.read_at = clock_now(),
		.workers_wanted = s->conf->workers_max,
		.hooks = { .context = s,
			   .reload = wish_reload,
			   .drain = wish_drain,
			   .upgrade = wish_upgrade,
			   .reopen_logs = wish_reopen },
	};
	if (!s->view.past) {
		log_error("no memory for past numbers: %s", strerror(errno));
		return false;
	}
	if (s->how->handover)
		steer_take_over(&s->view, s->how->handover);
	else
		steer_load(&s->view);
	return status_watch(s->status, &s->view, s->epoll_fd);
}

/* In the order of the design: bind, limits, shared memory, then the rights. */
static bool open_all(struct supervisor *s, struct board **board_out)
{
	struct priv priv;
	struct buf words;
	bool is_short, ok;

	if (!priv_find(s->conf, &priv) || !open_pid_file(s) ||
	    !listen_open(&s->listen, &s->conf->listen, s->how->sockets))
		return false;
	s->status = status_open(&s->conf->status, &s->conf->control,
				s->how->sockets);
	if (!s->status)
		return false;
	inherit_end(s->how->sockets);
	buf_init(&words, WORDS_CEILING);
	set_limits(s, priv.uid == 0, &words, &is_short);
	*board_out = open_board(s);
	ok = *board_out && priv_give_up(&priv, s->conf->core_dumps) &&
	     priv_check_spool(s->conf->spool_directory, true) &&
	     open_log(s, &priv, *board_out, &words, is_short) &&
	     open_loop(s) && open_workers(s, *board_out) &&
	     open_status(s, *board_out);
	buf_deinit(&words);
	return ok;
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
	struct board *board = NULL;
	bool ok;

	settings_begin(&s.settings, how->arena, how->conf,
		       how->handover ? how->handover->settings + 1 : 1);
	s.conf = s.settings.conf;
	begin_changes(&s);
	ok = open_all(&s, &board);
	if (ok)
		loop(&s);
	if (s.status) {
		reload_forget(&s.reload, s.status);
		upgrade_forget(&s.upgrade, s.status);
	}
	reload_deinit(&s.reload);
	upgrade_deinit(&s.upgrade);
	free(s.handed);
	listen_close(&s.listen, &s.conf->listen);
	status_close(&s.status);
	past_free(&s.view.past);
	pid_file_close(s.conf->pid_file, s.pid_fd);
	spawn_deinit(&s.spawn);
	log_follow(NULL);
	board_free(&board);
	close_fd(s.epoll_fd);
	close_fd(s.signal_fd);
	close_fd(s.hungry_fd);
	close_fd(s.tell_ready);
	settings_end(&s.settings);
	return ok && !s.failed;
}
