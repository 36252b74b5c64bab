#include "worker/reserve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "shared/log.h"
#include "worker/mta.h"
#include "worker/reserve_talk.h"

#define GUESTS_MAX 1000
/* Descriptors that are not connections: standard ones, log, pair, spare. */
#define OTHER_FDS 24
/* While an ordinary worker is idle it takes what comes: looked at so often. */
#define LOOK_AT_IDLE (100 * CLOCK_MS)
/* With no connection, and none taken for so long: not needed any more. */
#define LEAVE_AFTER (5 * CLOCK_S)
/* Answers an MTA may leave unread before no more of its words are heard. */
#define UNREAD_MAX ((size_t)32 * 1024)

/* In the poll set: these, the listeners, the guests. */
enum { AT_SIGNAL, AT_SUPERVISOR, AT_LISTENERS };

struct guest {
	struct mta_line mta;
	struct reserve_talk talk;
	uint64_t until; /* the MTA has been silent for too long then */
};

struct reserve {
	const struct worker_env *env;
	struct board_slot *slot;
	struct guest *guests; /* the first `count` are there */
	struct pollfd *fds;
	unsigned count;
	unsigned max;
	int signal_fd;
	bool told_to_leave;
	bool exhausted;
	uint64_t taken_at; /* the last connection */
};

/* --- the beginning ------------------------------------------------------- */

static unsigned find_max(const struct worker_env *env)
{
	rlim_t others = OTHER_FDS + env->listen_count;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 ||
	    r.rlim_cur >= others + GUESTS_MAX)
		return GUESTS_MAX;
	return r.rlim_cur > others ? (unsigned)(r.rlim_cur - others) : 1;
}

static bool watch_signals(struct reserve *r)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	r->signal_fd = signalfd(-1, &term, SFD_NONBLOCK | SFD_CLOEXEC);
	return r->signal_fd >= 0;
}

static bool begin(struct reserve *r, const struct worker_env *env)
{
	*r = (struct reserve){ .env = env,
			       .slot = board_slot(env->board, env->slot),
			       .max = find_max(env),
			       .signal_fd = -1,
			       .taken_at = clock_now() };
	atomic_store_explicit(&r->slot->settings, env->settings,
			      memory_order_relaxed);
	r->guests = calloc(r->max, sizeof(*r->guests));
	r->fds = calloc(AT_LISTENERS + env->listen_count + r->max,
			sizeof(*r->fds));
	if (!r->guests || !r->fds || !board_become_reader(env->board))
		return false;
	log_count_lost(board_lost_lines(env->board, env->slot));
	return watch_signals(r);
}

static void count(const struct reserve *r, enum board_counter counter)
{
	board_count(r->env->board, r->env->slot, counter, 1);
}

/* --- one connection ------------------------------------------------------ */

static void part(struct guest *g)
{
	mta_close(&g->mta);
	mta_trim(&g->mta);
	buf_deinit(&g->mta.in);
	buf_deinit(&g->mta.out);
}

static bool breach(struct reserve *r, const char *why)
{
	log_warn("MTA: %s; connection closed", why);
	count(r, COUNT_PROTOCOL_ERRORS);
	return false;
}

/* Begun, settled and ended at one moment: nobody waits in between. */
static void count_message(struct reserve *r)
{
	struct board *b = r->env->board;
	unsigned slot = r->env->slot;

	board_message_begin(b, slot);
	count(r, COUNT_OVERLOADED_MESSAGES);
	board_message_settle(b, slot, STAGE_MAIL,
			     r->env->conf->on_overload == OVERLOAD_ACCEPT ?
				     OUTCOME_ACCEPT :
				     OUTCOME_TEMPFAIL,
			     CAUSE_OWN);
	board_message_end(b, slot);
}

/* False: the connection ends. */
static bool hear(struct reserve *r, struct guest *g, struct slice packet)
{
	struct reserve_reply reply;
	struct command cmd;
	const char *why;

	if (!command_decode(packet, &cmd, &why))
		return breach(r, why);
	reserve_hear(&g->talk, &cmd, &reply);
	if (reply.why)
		return breach(r, reply.why);
	if (reply.is_message)
		count_message(r);
	/* There is room: see UNREAD_MAX.  Nothing is waited for. */
	if (reply.has_answer && !mta_put(&g->mta, &reply.answer))
		return false;
	return !reply.ends;
}

/* As much as goes; the rest when poll says so.  False: the MTA is gone. */
static bool send_some(struct guest *g)
{
	enum io_result result = IO_OK;

	if (buf_len(&g->mta.out))
		result = io_write(g->mta.fd, &g->mta.out);
	return result == IO_OK || result == IO_AGAIN;
}

/* A thousand connections, each with a large buffer: only while needed. */
static void save_memory(struct guest *g)
{
	if (!buf_len(&g->mta.in) && !g->mta.packet_len)
		buf_release(&g->mta.in);
	if (!buf_len(&g->mta.out))
		buf_release(&g->mta.out);
}

static bool go_on(struct reserve *r, struct guest *g)
{
	struct slice packet;
	bool was_full, stays = true;

	do {
		while (stays && buf_len(&g->mta.out) < UNREAD_MAX &&
		       mta_next(&g->mta, &packet))
			stays = hear(r, g, packet);
		was_full = buf_len(&g->mta.out) >= UNREAD_MAX;
		if (!send_some(g))
			return false;
		/* What we have read already, no poll will tell of again. */
	} while (stays && was_full && !buf_len(&g->mta.out));
	if (stays && g->mta.garbage)
		return breach(r, "a packet of impossible length");
	save_memory(g);
	return stays && !g->mta.lost;
}

static short wants(const struct guest *g)
{
	if (buf_len(&g->mta.out))
		return POLLOUT;
	return POLLIN;
}

/* False: it has ended. */
static bool serve_guest(struct reserve *r, struct guest *g, short events,
			uint64_t now)
{
	if (!events)
		return now < g->until || breach(r, "silent for too long");
	g->until = now + r->env->conf->mta_idle_timeout;
	if (!buf_len(&g->mta.out))
		mta_read(&g->mta);
	return go_on(r, g);
}

static void serve_guests(struct reserve *r)
{
	const struct pollfd *fds = &r->fds[AT_LISTENERS + r->env->listen_count];
	uint64_t now = clock_now();

	/* From the end: the last, served already, takes an empty place. */
	for (unsigned i = r->count; i-- > 0;) {
		if (serve_guest(r, &r->guests[i], fds[i].revents, now))
			continue;
		part(&r->guests[i]);
		r->guests[i] = r->guests[--r->count];
		board_note_guests(r->slot, r->count);
	}
}

/* --- taking connections -------------------------------------------------- */

/* Who has an ordinary worker shall not have us. */
static bool may_take(const struct reserve *r)
{
	return !r->told_to_leave && r->count < r->max &&
	       !board_count_state(r->env->board, SLOT_IDLE, 1);
}

static void take(struct reserve *r, int fd, bool is_tcp)
{
	struct guest *g = &r->guests[r->count++];

	r->taken_at = clock_now();
	*g = (struct guest){
		.talk.on_overload = r->env->conf->on_overload,
		.until = r->taken_at + r->env->conf->mta_idle_timeout,
	};
	mta_init(&g->mta);
	mta_open(&g->mta, fd, is_tcp);
	count(r, COUNT_SESSIONS);
	board_note_guests(r->slot, r->count);
	count(r, COUNT_OVERLOADED_SESSIONS);
	atomic_fetch_add_explicit(&r->slot->sessions, 1, memory_order_relaxed);
}

static void could_not_take(struct reserve *r)
{
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		log_error("could not take a connection: %s", strerror(errno));
		r->max = r->count;
		r->exhausted = !r->count;
		break;
	case EINVAL:
	case EBADF: /* the listener was shut down: we are draining */
		r->told_to_leave = true;
		break;
	default: /* somebody else took it, or it was gone already */
		break;
	}
}

static void take_all(struct reserve *r, size_t listener)
{
	const struct worker_env *env = r->env;
	size_t entry = env->listen_of_fd[listener];
	bool is_tcp =
		env->conf->listen.at[entry].endpoint.kind != ENDPOINT_UNIX;

	while (may_take(r)) {
		int fd = accept4(env->listen_fds[listener], NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			could_not_take(r);
			return;
		}
		take(r, fd, is_tcp);
	}
}

/* --- the loop ------------------------------------------------------------ */

static uint64_t find_until(const struct reserve *r, bool takes)
{
	uint64_t until = takes ? CLOCK_NEVER : clock_now() + LOOK_AT_IDLE;

	if (r->told_to_leave || r->count >= r->max)
		until = CLOCK_NEVER;
	if (!r->count)
		until = clock_earlier(until, r->taken_at + LEAVE_AFTER);
	for (unsigned i = 0; i < r->count; i++)
		until = clock_earlier(until, r->guests[i].until);
	return until;
}

static nfds_t fill(struct reserve *r, bool takes)
{
	struct pollfd *p = r->fds;

	p[AT_SIGNAL] = (struct pollfd){ r->signal_fd, POLLIN, 0 };
	p[AT_SUPERVISOR] =
		(struct pollfd){ r->told_to_leave ? -1 : r->env->supervisor_fd,
				 POLLIN, 0 };
	p += AT_LISTENERS;
	for (size_t i = 0; i < r->env->listen_count; i++)
		*p++ = (struct pollfd){ takes ? r->env->listen_fds[i] : -1,
					POLLIN, 0 };
	for (unsigned i = 0; i < r->count; i++)
		*p++ = (struct pollfd){ r->guests[i].mta.fd,
					wants(&r->guests[i]), 0 };
	return (nfds_t)(p - r->fds);
}

static void hear_orders(struct reserve *r)
{
	struct signalfd_siginfo info;
	char word;
	ssize_t n;

	if (read(r->signal_fd, &info, sizeof(info)) == sizeof(info))
		r->told_to_leave = true;
	n = recv(r->env->supervisor_fd, &word, 1, MSG_DONTWAIT);
	if (n == 0 || (n > 0 && word == 'd') ||
	    (n < 0 && errno != EAGAIN && errno != EINTR))
		r->told_to_leave = true;
}

/* For who looks at the workers: there is no one client to name. */
static void note_guests(const struct reserve *r)
{
	char words[40];

	snprintf(words, sizeof(words), "%u connections", r->count);
	board_note_text(r->slot, slice_str(words), SLICE_EMPTY, SLICE_EMPTY);
}

static void turn(struct reserve *r)
{
	bool takes = may_take(r);
	unsigned before = r->count;
	nfds_t n = fill(r, takes);

	if (poll(r->fds, n, clock_poll_ms(find_until(r, takes))) < 0)
		return; /* EINTR, or no memory: again */
	if (r->fds[AT_SIGNAL].revents || r->fds[AT_SUPERVISOR].revents)
		hear_orders(r);
	serve_guests(r);
	for (size_t i = 0; i < r->env->listen_count; i++)
		if (r->fds[AT_LISTENERS + i].revents)
			take_all(r, i);
	if (r->count != before)
		note_guests(r);
}

static bool is_done(const struct reserve *r)
{
	if (r->count)
		return false;
	return r->told_to_leave || r->exhausted ||
	       clock_now() >= r->taken_at + LEAVE_AFTER;
}

enum worker_exit reserve_run(const struct worker_env *env)
{
	struct reserve r;

	if (!begin(&r, env)) {
		log_error("reserve worker could not begin: %s",
			  strerror(errno));
		return WORKER_EXHAUSTED;
	}
	board_note_state(env->board, env->slot, SLOT_RESERVE);
	while (!is_done(&r))
		turn(&r);
	free(r.guests);
	free(r.fds);
	close(r.signal_fd);
	return r.exhausted ? WORKER_EXHAUSTED : WORKER_DONE;
}
