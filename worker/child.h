/*
 * child - our side of one conversation with one child milter
 *
 * Owns the socket and the two packet buffers; lives as long as the worker and
 * is opened and closed as sessions need it.  Knows how packets are said and
 * which answers are owed, not what they mean: see member.h and chain.h.
 * Never blocks but for the moment of child_await(): what can't be written or
 * read now is left to the next poll.
 * All addresses of all sockets are tried before it fails to open; what other
 * workers have seen of them comes in by a struct child_keeper.
 * Fails by a child_result with a reason in words; after a failure the caller
 * closes it.  Never exits.
 */
#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/board.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/conf.h"
#include "shared/milter_answer.h"
#include "shared/milter_command.h"
#include "shared/milter_option.h"
#include "worker/body.h"
#include "worker/journal.h"

enum child_result {
	CHILD_OK = 0,
	CHILD_NOTHING,	/* no whole answer is there yet */
	CHILD_CONNECT,	/* could not be reached, or refused to negotiate */
	CHILD_TIMEOUT,	/* silent for too long */
	CHILD_EOF,	/* closed its side */
	CHILD_PROTOCOL, /* said what it may not say */
	CHILD_LATE,	/* not its fault alone: our own deadline came first */
	CHILD_BREAKER,	/* its breaker is open: it was not asked */
	CHILD_NO_SPACE, /* ours: memory or descriptors */
};

enum child_link {
	LINK_NONE,
	LINK_CONNECTING,  /* also: waiting to try again, fd is -1 then */
	LINK_NEGOTIATING, /* our offer is out */
	LINK_OPEN,
	LINK_PARKED, /* open, but of no session: child_open() takes it over */
};

/* Answers owed come in the order of the commands: runs of the same stage. */
struct child_owed {
	enum stage stage;
	unsigned count;
};

#define CHILD_OWED_RUNS 8

/* Most children answer sooner.  The kernel's clock is not much finer. */
#define CHILD_PATIENCE (4 * CLOCK_MS)

/*
 * What whoever has a view of all workers knows better than one conversation:
 * which of the milter's sockets comes first, and whether it may have one more
 * connection.  Sockets are places in conf->socket.
 */
struct child_keeper {
	/* In which order to try them: each one once. */
	void (*order)(void *context, uint8_t order_out[CONF_SOCKETS_MAX]);
	/* A connection to it is about to be; false: not now, wait. */
	bool (*take)(void *context, unsigned socket);
	/* What was taken is no more: closed, or never opened. */
	void (*give_back)(void *context);
	/* None of its addresses could be used; c->why tells the last reason. */
	void (*failed)(void *context, unsigned socket);
	/* It has negotiated. */
	void (*works)(void *context, unsigned socket);
	/* Does it take one session after the other? */
	enum board_reuse (*reuse)(void *context);
	void (*reuse_seen)(void *context, enum board_reuse seen);
};

struct child {
	const struct conf_milter *conf;
	const struct child_keeper *keeper; /* NULL: none */
	void *keeper_context;
	enum child_link link;
	int fd;
	uint8_t order[CONF_SOCKETS_MAX];
	unsigned addr_next; /* which address to try next, in that order */
	unsigned socket;    /* that one is tried, or connected to */
	bool taken;	    /* ... and the keeper has said yes to it */
	bool waits;	    /* the keeper has said: not now */
	bool is_patient;    /* child_await() may be used on its socket */
	bool at_end; /* its continue to an end of message was its last word */
	bool reused; /* taken over from another session; not yet proven good */
	bool on_trial; /* parked, and has been told QUIT_NC: what does it say? */
	bool no_reuse;	/* it does not take a second session, as we have seen */
	unsigned stale; /* connections in a row that were closed then */
	unsigned sessions; /* that this connection has served */
	uint64_t parked_at;
	uint64_t opened_at;
	uint64_t retry_at; /* CLOCK_NEVER: no try waits */
	struct buf in;
	struct buf out;
	struct body_run run; /* what goes behind out */
	size_t answer_len;   /* packet shown last, to be used up */
	struct option offered;
	struct option got; /* lists look into list_bytes */
	struct buf list_bytes;
	struct child_owed owed[CHILD_OWED_RUNS];
	unsigned owed_runs;
	bool unanswered_tail; /* told more, unanswerable, after the last owed */
	uint64_t alive_at;    /* last sign of life, or when it began to owe */
	uint64_t busy_since;
	uint64_t head_since; /* since when the first answer is owed */
	uint32_t slow_at; /* stages whose last answer outlasted our patience */
	uint64_t answered_in; /* how long the last final answer took */
	uint64_t busy;	      /* sum of times in which it owed, microseconds */
	const char *why; /* the reason of the last failure, static or below */
	char why_room[160];
};

void child_init(struct child *c, const struct conf_milter *conf);

/* Idle for now: empty buffers are given back. */
void child_trim(struct child *c);
/* Closed before; gives the buffers back. */
void child_deinit(struct child *c);

/* Begins to connect; offer is what the MTA offered us. */
enum child_result child_open(struct child *c, const struct option *offer);
/* Closes without a word; buffers are emptied, large ones given back. */
void child_close(struct child *c);
/*
 * Says QUIT as far as it goes without waiting, after ABORT when it is in a
 * message, and closes.
 */
void child_quit(struct child *c, bool in_message);
/*
 * The session is over, but the next one may have the connection: child_open()
 * takes it over by QUIT_NC, which libmilter heeds behind a continue to the end
 * of a message and nowhere else (milter-protocol 5).  While the keeper does
 * not know yet whether the milter does, QUIT_NC goes out at once, and nobody
 * takes it over: it is watched what it says to that.  False: not this one.
 * These four are child_reuse.c.
 */
bool child_park(struct child *c);
/*
 * Says QUIT to one that has been parked for so long, in microseconds; for one
 * on trial that is the verdict, too.
 */
void child_unpark(struct child *c, uint64_t age);
/* For child_open(); false: it is closed now, if it was parked. */
bool child_take_over(struct child *c, const struct option *offered);
/*
 * It has failed on a connection taken over, before it had said a word that
 * only the new session can be about: that is no failure of the milter.  Tells
 * the keeper about one that does not take a second session.
 */
bool child_is_stale(struct child *c, enum child_result failure);

/* Poll events wanted, 0 for none; and when to come back without any. */
short child_events(const struct child *c);
uint64_t child_deadline(const struct child *c);
/* After poll: goes on connecting, negotiating, writing and reading. */
enum child_result child_serve(struct child *c, short revents);
/*
 * Waits a moment (CHILD_PATIENCE) for the answers that it owes and reads them;
 * for one with nothing left to be written.  CHILD_NOTHING: it needs longer.
 */
enum child_result child_await(struct child *c);
/* The deadline has passed: tries the next address, or says how it failed. */
enum child_result child_too_late(struct child *c);

/*
 * A child that owes nothing may not have said anything.  False: it has; the
 * next poll will tell.
 */
bool child_is_quiet(const struct child *c);
/*
 * It has just said its last word about the message: was that about the last
 * thing it was told?  If not, nobody knows how it takes the rest.
 */
bool child_in_step(const struct child *c);
/* Is there nothing to be done about it but to hear its answers? */
bool child_is_settled(const struct child *c);
/* How many answers it owes. */
size_t child_debt(const struct child *c);
/* Does it owe any answer? */
bool child_owes(const struct child *c);
/*
 * The next answer, with the stage it belongs to; slices are good until the
 * next call.  The answer to E is owed until it is final: edits and PROGRESS
 * leave the debt alone.  CHILD_PROTOCOL: undecodable, or nothing was owed.
 */
enum child_result child_answer(struct child *c, struct answer *answer_out,
			       enum stage *stage_out);

/*
 * Queues a command; the NO* bits were looked at by the caller, the NR_* bits
 * decide here whether an answer is owed.  CHILD_NO_SPACE: nothing queued.
 */
enum child_result child_tell(struct child *c, enum stage stage,
			     const struct command *command);
/* A packet the caller queued itself in c->out: is an answer owed now? */
void child_told(struct child *c, enum stage stage);
/*
 * Queues a part of a body as packets that are not copied; nothing else may be
 * queued until it has gone (child_has_run).  The body must stay as long.
 */
void child_tell_body(struct child *c, struct body *body, uint64_t from,
		     uint64_t end);
bool child_has_run(const struct child *c);
/* Is anything queued that has not gone? */
bool child_is_writing(const struct child *c);
/* Queues the macros of a stage, cut down to the child's own list. */
enum child_result child_tell_macros(struct child *c, enum stage stage,
				    const struct journal_macros *macros,
				    unsigned *dropped_out);
/* Queues ABORT. */
enum child_result child_abort(struct child *c);
/* Writes what is queued as far as it goes. */
enum child_result child_flush(struct child *c);

/* May it be told this stage at all (NO* bits, version)? */
bool child_wants(const struct child *c, enum stage stage);
/* "could not connect", "timeout", ... for the log. */
const char *child_result_name(enum child_result r);

#endif
