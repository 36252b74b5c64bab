#include "server/supervisor_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "server/background.h"
#include "server/limits.h"
#include "server/priv.h"
#include "shared/log.h"

#define WORDS_CEILING 65536

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
	s->possible = s->limits.max;
	supervisor_set_pool(s);
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

/* What the size of the shared memory holds back after an upgrade. */
static void tell_kept(const struct supervisor *s, const struct board *board)
{
	const struct conf *c = s->conf;

	if (s->limits.max < s->possible)
		log_warn("workers_max = %u takes effect at a restart: %u stay",
			 c->workers_max, s->limits.max);
	if (c->history != board_history(board))
		log_warn("history = %u takes effect at a restart: %u stays",
			 c->history, board_history(board));
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
	if (!supervisor_set_log(c))
		return refuse_log_file(c);
	log_follow(board_log_generation(board));
	log_count_lost(board_lost_lines(board, 0));
	log_start(s);
	if (s->numbers_kept)
		tell_kept(s, board);
	/* It was told when the first of us began. */
	if (s->how->handover)
		return true;
	log_words(words, is_short);
	priv_tell(priv);
	return true;
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
	supervisor_set_pool(s);
	s->numbers_kept = true;
	return board;
}

static struct board *open_board(struct supervisor *s)
{
	unsigned taken = slots_taken(s->how->handover);
	unsigned max = s->limits.max > taken ? s->limits.max : taken;
	struct board *board = s->how->handover ? adopt_board(s) : NULL;
	bool fits;

	if (board)
		return board;
	/* No worker of before may lie in a slot of the reserve. */
	board = board_new(max + OVERLOAD_RESERVE, s->conf->history);
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
		.stranger = supervisor_take_stranger,
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

/* In the order of the design: bind, limits, shared memory, then the rights. */
bool supervisor_open(struct supervisor *s)
{
	struct board *board;
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
	board = open_board(s);
	/* Freed by whoever has it. */
	s->spawn.board = board;
	ok = board && priv_give_up(&priv, s->conf->core_dumps) &&
	     priv_check_spool(s->conf->spool_directory, true) &&
	     open_log(s, &priv, board, &words, is_short) &&
	     open_loop(s) && open_workers(s, board) &&
	     supervisor_open_status(s);
	buf_deinit(&words);
	return ok;
}
