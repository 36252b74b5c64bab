#include "server/supervisor.h"

#include <errno.h>
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
#include "server/spawn.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/table.h"

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
	const struct conf *conf;
	enum phase phase;
	struct listen listen;
	struct spawn spawn;
	struct pool_limits limits;
	struct pool_memory memory;
	struct overload overload;
	int epoll_fd;
	int signal_fd;
	int hungry_fd;
	int pid_fd;
	int tell_ready; /* see supervisor_how; ours now */
	uint64_t next_tick;
	bool table_missing[CONF_TABLES_MAX];
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

static void enter_drain(struct supervisor *s)
{
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
	listen_close(&s->listen, s->conf);
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
	notify_stopping();
	s->deadline = clock_now() + KILL_MAY_TAKE;
	spawn_kill_all(&s->spawn);
	listen_close(&s->listen, s->conf);
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
	listen_close(&s->listen, s->conf);
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

/* --- signals ------------------------------------------------------------- */

/* All processes look at the board's word before their next line. */
static void reopen_logs(struct supervisor *s)
{
	board_reopen_logs(s->spawn.board);
	if (log_reopen())
		log_info("SIGUSR1: log files are opened anew");
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
	case SIGUSR1:
		reopen_logs(s);
		break;
	case SIGHUP:
		log_info("SIG%s changes nothing: settings are read at start",
			 sigabbrev_np((int)signo));
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
				     SIGHUP,  SIGUSR1, SIGCHLD };
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

static void take_event(struct supervisor *s, uint64_t tag)
{
	uint64_t number;

	if (tag == TAG_SIGNAL)
		take_signals(s);
	else if (tag == TAG_HUNGRY)
		(void)!read(s->hungry_fd, &number, sizeof(number));
	else if (tag < s->spawn.slots)
		spawn_take_notes(&s->spawn, (unsigned)tag);
}

static void tell_manager(struct supervisor *s)
{
	unsigned alive = s->spawn.alive, busy = spawn_busy(&s->spawn);
	char words[80];

	if (alive == s->told_alive && busy == s->told_busy)
		return;
	snprintf(words, sizeof(words), "%s: %u workers, %u busy",
		 phase_rows[s->phase].name, alive, busy);
	notify_status(words);
	s->told_alive = alive;
	s->told_busy = busy;
}

static void tell_table(void *context, const char *file, unsigned line,
		       const char *text)
{
	(void)context;
	log_warn("%s:%u: %s; the table stays as it was", file, line, text);
}

/* Told once when the file goes, and once when it is back. */
static void look_for_file(struct supervisor *s, size_t i)
{
	const char *path = table_path(s->conf->tables[i].table);
	bool missing = *path && access(path, F_OK) != 0;

	if (missing == s->table_missing[i])
		return;
	s->table_missing[i] = missing;
	if (missing)
		log_warn("%s is gone: table \"%s\" stays as it was", path,
			 s->conf->tables[i].name);
	else
		log_info("%s is back", path);
}

/* Files of tables that have changed; workers take them up by themselves. */
static void look_at_tables(struct supervisor *s)
{
	const struct table_report report = { tell_table, NULL };
	const struct conf *conf = s->conf;

	for (size_t i = 0; i < conf->table_count; i++) {
		struct table *t = conf->tables[i].table;

		look_for_file(s, i);
		if (!table_changed(t) || !table_reload(t, &report))
			continue;
		if (!table_count(t))
			log_warn("table \"%s\" read again: nothing is left in %s",
				 conf->tables[i].name, table_path(t));
		else
			log_info("table \"%s\" read again: %zu entries",
				 conf->tables[i].name, table_count(t));
	}
}

static void tick(struct supervisor *s)
{
	uint64_t now = clock_now();

	if (now < s->next_tick)
		return;
	s->next_tick = now + TICK;
	if (s->phase == PHASE_RUN)
		look_for_lost_wakeup(s);
	look_at_tables(s);
	tell_manager(s);
}

static void loop(struct supervisor *s)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	phase_rows[s->phase].enter(s);
	while (s->phase != PHASE_OVER) {
		uint64_t until = clock_earlier(s->next_tick, s->next_look);
		int n = epoll_wait(s->epoll_fd, events, EVENTS_AT_ONCE,
				   clock_poll_ms(until));

		for (int i = 0; i < n; i++)
			take_event(s, events[i].data.u64);
		(void)spawn_reap(&s->spawn);
		tick(s);
		phase_rows[s->phase].turn(s);
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
	/* Everything opened from here on is not for workers. */
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->hungry_fd >= 0 && s->epoll_fd >= 0 && open_signals(s) &&
	    spawn_keep_private(&s->signal_fd, s->epoll_fd) &&
	    (s->tell_ready < 0 ||
	     spawn_keep_private(&s->tell_ready, s->epoll_fd)) &&
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
	unsigned max;

	limits_raise(&wish);
	limits_read(&l, as_root);
	max = limits_cap(&l, &wish, words, short_out);
	s->limits = (struct pool_limits){
		.max = max,
		.min = c->workers_min < max ? c->workers_min : max,
		.spare_min = c->spare_min,
		.spare_max = c->spare_max,
	};
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
	if (!log_open(c->log, "sekishod", c->syslog_facility, c->log_file))
		return refuse_log_file(c);
	log_follow(board_log_generation(board));
	log_level(c->log_level);
	log_start(s);
	log_words(words, is_short);
	priv_tell(priv);
	return true;
}

static bool open_workers(struct supervisor *s, struct board *board)
{
	s->spawn = (struct spawn){
		.conf = s->conf,
		.board = board,
		.listen = &s->listen,
		.slots = s->limits.max + OVERLOAD_RESERVE,
		.reserve = OVERLOAD_RESERVE,
		.epoll_fd = s->epoll_fd,
		.hungry_fd = s->hungry_fd,
		.pid_fd = s->pid_fd,
		.first_private_fd = s->epoll_fd,
		.detach = s->how->in_background,
	};
	if (spawn_init(&s->spawn))
		return true;
	log_error("no memory for %u workers", s->limits.max);
	return false;
}

/* In the order of the design: bind, limits, shared memory, then the rights. */
static bool open_all(struct supervisor *s, struct board **board_out)
{
	struct priv priv;
	struct buf words;
	bool is_short, ok;

	if (!priv_find(s->conf, &priv))
		return false;
	if (*s->conf->pid_file) {
		s->pid_fd = pid_file_open(s->conf->pid_file);
		if (s->pid_fd < 0)
			return false;
	}
	if (!listen_open(&s->listen, s->conf))
		return false;
	buf_init(&words, WORDS_CEILING);
	set_limits(s, priv.uid == 0, &words, &is_short);
	*board_out = board_new(s->limits.max + OVERLOAD_RESERVE,
			       s->conf->history);
	if (!*board_out)
		log_error("could not make shared memory: %s", strerror(errno));
	ok = *board_out && priv_give_up(&priv, s->conf->core_dumps) &&
	     priv_check_spool(s->conf->spool_directory, true);
	ok = ok && open_log(s, &priv, *board_out, &words, is_short) &&
	     open_loop(s) && open_workers(s, *board_out);
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
		.conf = how->conf,
		.epoll_fd = -1,
		.signal_fd = -1,
		.hungry_fd = -1,
		.pid_fd = -1,
		.tell_ready = how->tell_ready,
		.next_look = CLOCK_NEVER,
	};
	struct board *board = NULL;
	bool ok = open_all(&s, &board);

	if (ok)
		loop(&s);
	listen_close(&s.listen, s.conf);
	pid_file_close(s.conf->pid_file, s.pid_fd);
	spawn_deinit(&s.spawn);
	log_follow(NULL);
	board_free(&board);
	close_fd(s.epoll_fd);
	close_fd(s.signal_fd);
	close_fd(s.hungry_fd);
	close_fd(s.tell_ready);
	return ok && !s.failed;
}
