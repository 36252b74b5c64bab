#include "worker/worker.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/table.h"
#include "worker/reserve.h"
#include "worker/session.h"

#define EVENTS_MAX (CONF_LISTEN_MAX * ENDPOINT_ADDRS + 2)

/* Tags in the epoll, above all listeners. */
#define TAG_SUPERVISOR (UINT64_C(1) << 32)
#define TAG_SIGNAL     (TAG_SUPERVISOR + 1)

#ifdef SEKISHO_COVERAGE
void __gcov_dump(void);
#endif

enum accepted {
	ACCEPTED_ONE,
	ACCEPTED_NONE,
	ACCEPTED_CLOSED,    /* the listener was shut down: we are draining */
	ACCEPTED_EXHAUSTED, /* no memory or descriptors */
};

struct worker {
	const struct worker_env *env;
	struct board_slot *slot;
	struct session *session;
	int epoll_fd;
	int signal_fd;
	int idle_ms; /* after this silence memory is given back; -1: it was */
	bool told_to_leave;
	bool exhausted;
	unsigned sessions_left;
};

/* The one way out; coverage counters would be lost by _exit alone. */
_Noreturn static void leave(enum worker_exit code)
{
#ifdef SEKISHO_COVERAGE
	__gcov_dump();
#endif
	_exit((int)code);
}

/* --- before the first connection ---------------------------------------- */

/* With jitter, or all workers of one start would leave at one moment. */
static unsigned find_sessions_max(const struct worker_env *env)
{
	unsigned max = env->conf->sessions_max;
	struct timespec t;

	if (!max)
		return UINT_MAX;
	clock_gettime(CLOCK_MONOTONIC, &t);
	srandom((unsigned)t.tv_nsec ^ ((unsigned)getpid() << 8));
	return max - (unsigned)random() % (max / 8 + 1);
}

static bool watch(const struct worker *w, int fd, uint32_t events,
		  uint64_t tag)
{
	struct epoll_event e = { .events = events, .data.u64 = tag };

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

/*
 * SIGTERM stays blocked and is read from a descriptor: it is noticed where we
 * wait, and cuts no accept, read or write in the middle.
 */
static bool watch_signals(struct worker *w)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	w->signal_fd = signalfd(-1, &term, SFD_NONBLOCK | SFD_CLOEXEC);
	return w->signal_fd >= 0 && watch(w, w->signal_fd, EPOLLIN, TAG_SIGNAL);
}

static bool begin(struct worker *w, const struct worker_env *env)
{
	*w = (struct worker){ .env = env,
			      .slot = board_slot(env->board, env->slot),
			      .idle_ms = SESSION_IDLE / CLOCK_MS,
			      .sessions_left = find_sessions_max(env) };
	atomic_store_explicit(&w->slot->settings, env->settings,
			      memory_order_relaxed);
	if (!board_become_reader(env->board))
		return false;
	log_count_lost(board_lost_lines(env->board, env->slot));
	for (size_t i = 0; i < env->conf->table_count; i++)
		if (!table_in_worker(env->conf->tables[i].table))
			return false;
	w->session = session_new(env);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!w->session || w->epoll_fd < 0 || !watch_signals(w) ||
	    !watch(w, env->supervisor_fd, EPOLLIN, TAG_SUPERVISOR))
		return false;
	/* Exclusive: one connection wakes one worker, not all of them. */
	for (size_t i = 0; i < env->listen_count; i++)
		if (!watch(w, env->listen_fds[i], EPOLLIN | EPOLLEXCLUSIVE, i))
			return false;
	return true;
}

/* --- telling ------------------------------------------------------------- */

static void note_state(const struct worker *w, enum board_state state)
{
	board_note_state(w->env->board, w->env->slot, state);
}

static void tell_hungry(const struct worker *w)
{
	const uint64_t one = 1;

	(void)!write(w->env->hungry_fd, &one, sizeof(one));
}

/* Are fewer than spare_min left to take the next connection? */
static bool is_hungry(const struct worker *w)
{
	unsigned enough = w->env->conf->spare_min;

	return board_count_state(w->env->board, SLOT_IDLE, enough) < enough;
}

/* --- one connection ------------------------------------------------------ */

static enum accepted accept_one(const struct worker *w, size_t listener,
				int *fd_out)
{
	*fd_out = accept4(w->env->listen_fds[listener], NULL, NULL,
			  SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (*fd_out >= 0)
		return ACCEPTED_ONE;
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		log_error("could not take a connection: %s", strerror(errno));
		return ACCEPTED_EXHAUSTED;
	case EINVAL:
	case EBADF:
		return ACCEPTED_CLOSED;
	default: /* somebody else took it, or it was gone already */
		return ACCEPTED_NONE;
	}
}

static void prepare_connection(const struct worker *w, int fd, size_t entry)
{
	static const int one = 1;

	if (w->env->conf->listen.at[entry].endpoint.kind == ENDPOINT_UNIX)
		return;
	/* An MTA host that vanishes must not hold a worker for ever. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

/*
 * The slot says busy for as long as we hold a connection, also when we leave
 * afterwards: that is how the supervisor knows whether a death lost one.
 */
static void serve(struct worker *w, int fd, size_t listener)
{
	size_t entry = w->env->listen_of_fd[listener];

	note_state(w, SLOT_BUSY);
	atomic_store_explicit(&w->slot->listener, (uint32_t)entry,
			      memory_order_relaxed);
	atomic_fetch_add_explicit(&w->slot->sessions, 1, memory_order_relaxed);
	if (!w->told_to_leave && is_hungry(w))
		tell_hungry(w);
	prepare_connection(w, fd, entry);
	if (session_serve(w->session, fd, entry, &w->told_to_leave) ==
	    SESSION_EXHAUSTED)
		w->exhausted = true;
	if (w->sessions_left)
		w->sessions_left--;
}

/* True: served one, or shall not try another listener. */
static bool try_listener(struct worker *w, size_t listener)
{
	int fd;

	switch (accept_one(w, listener, &fd)) {
	case ACCEPTED_ONE:
		serve(w, fd, listener);
		return true;
	case ACCEPTED_EXHAUSTED:
		w->exhausted = true;
		return true;
	case ACCEPTED_CLOSED:
		w->told_to_leave = true;
		return false;
	case ACCEPTED_NONE:
		break;
	}
	return false;
}

/* --- waiting ------------------------------------------------------------- */

/* What the supervisor said: its end, 'd', or nothing after all. */
static void hear_supervisor(struct worker *w)
{
	char word;
	ssize_t n = recv(w->env->supervisor_fd, &word, 1, MSG_DONTWAIT);

	if (n == 0 || (n > 0 && word == 'd') ||
	    (n < 0 && errno != EAGAIN && errno != EINTR))
		w->told_to_leave = true;
}

static void hear_signal(struct worker *w)
{
	struct signalfd_siginfo info;

	/* From the administrator, or the supervisor's death: the same. */
	if (read(w->signal_fd, &info, sizeof(info)) == sizeof(info))
		w->told_to_leave = true;
}

static void hear(struct worker *w, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		if (events[i].data.u64 == TAG_SUPERVISOR)
			hear_supervisor(w);
		else if (events[i].data.u64 == TAG_SIGNAL)
			hear_signal(w);
	}
}

/*
 * Waits once and serves at most one connection: in the order in which the
 * listeners woke us, for only the first wake-up was ours alone.
 */
static void wait_and_serve(struct worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(w->epoll_fd, events, EVENTS_MAX, w->idle_ms);

	if (n == 0) {
		session_trim(w->session);
		w->idle_ms = -1;
		return;
	}
	w->idle_ms = SESSION_IDLE / CLOCK_MS;
	hear(w, events, n);
	if (w->told_to_leave)
		return; /* the last look takes what woke us */
	for (int i = 0; i < n; i++)
		if (events[i].data.u64 < w->env->listen_count &&
		    try_listener(w, (size_t)events[i].data.u64))
			break;
	if (!w->told_to_leave && !w->exhausted && w->sessions_left)
		note_state(w, SLOT_IDLE);
}

/*
 * A wake-up may have been ours when we decided to leave: out of the epoll,
 * so that no other comes, and one look into every queue.
 */
static void look_last(struct worker *w)
{
	close(w->epoll_fd);
	for (size_t i = 0; i < w->env->listen_count && !w->exhausted; i++) {
		note_state(w, SLOT_LEAVING);
		(void)try_listener(w, i);
	}
	note_state(w, SLOT_LEAVING);
}

/*
 * Nobody will start workers any more.  Who connects now is better refused
 * than left waiting for nobody, and a new supervisor must be able to listen:
 * shut down, the sockets are dead in the workers that are still busy too.
 */
static void end_listening_when_orphaned(const struct worker_env *env)
{
	char word;

	if (recv(env->supervisor_fd, &word, 1, MSG_DONTWAIT | MSG_PEEK) != 0)
		return;
	for (size_t i = 0; i < env->listen_count; i++)
		if (!env->listen_foreign || !env->listen_foreign[i])
			(void)shutdown(env->listen_fds[i], SHUT_RDWR);
}

_Noreturn static void be_reserve(const struct worker_env *env)
{
	enum worker_exit code = reserve_run(env);

	end_listening_when_orphaned(env);
	leave(code);
}

_Noreturn void worker_main(const struct worker_env *env)
{
	struct worker w;

	if (env->is_reserve)
		be_reserve(env);
	if (!begin(&w, env)) {
		log_error("worker could not begin: %s", strerror(errno));
		leave(WORKER_EXHAUSTED);
	}
	note_state(&w, SLOT_IDLE);
	/* Not out of hunger: tells the supervisor that we wait now. */
	tell_hungry(&w);
	while (!w.told_to_leave && !w.exhausted && w.sessions_left)
		wait_and_serve(&w);
	look_last(&w);
	session_trim(w.session); /* and QUIT to milters still connected */
	end_listening_when_orphaned(env);
	leave(w.exhausted ? WORKER_EXHAUSTED : WORKER_DONE);
}
