/*
 * session_parts - what the three files of a session share; nobody else's
 *
 *	session.c           the loop, a row per command, waiting and answering
 *	session_envelope.c  connect to data: told, decided, answered
 *	session_message.c   content, end of message, and the one line about it
 */
#ifndef WORKER_SESSION_PARTS_H
#define WORKER_SESSION_PARTS_H

#include "worker/chain.h"
#include "worker/mta.h"
#include "worker/session.h"
#include "worker/summary.h"

/*
 * Where the MTA stands.  A session negotiates, is told the client, and then
 * has any number of messages, each an envelope, headers, and a body; OVER is
 * a message that got its verdict before its end, while the MTA may still
 * talk about it.
 */
enum place {
	PLACE_START,
	PLACE_OPTIONS, /* negotiated (or QUIT_NC): the client comes next */
	PLACE_IDLE,
	PLACE_ENVELOPE,
	PLACE_HEADERS,
	PLACE_BODY,
	PLACE_OVER,
	PLACE_COUNT
};

struct session {
	const struct worker_env *env;
	struct board_slot *slot;
	struct mta_line mta;
	struct arena session_arena;
	struct arena message_arena;
	struct journal journal;
	struct message message;
	struct chain chain;

	bool *told_to_leave;
	bool exhausted;
	bool quit;    /* nothing more is to be read */
	bool trimmed; /* nothing is left to give back until a packet comes */
	bool wait_optneg; /* after QUIT_NC an OPTNEG may come again */
	enum place place;
	struct option offer;
	struct option promised;
	const struct conf_listen *listen;
	uint64_t began;
	struct verdict refused; /* of the connection; CONTINUE: none */
	struct verdict verdict; /* of the message in PLACE_OVER; looks into: */
	struct buf reply;
	struct verdict by_rules; /* a no of theirs to the content at hand */
	struct summary summary;
};

/* ---- session.c ---- */

void session_count(const struct session *s, enum board_counter counter,
		   uint64_t n);
/* The MTA waited since then for the answer to this stage. */
void session_count_wait(const struct session *s, enum stage stage,
			uint64_t since);
/* One poll over MTA, children and supervisor, and what comes of it. */
void session_wait(struct session *s, uint64_t until, bool watch_mta);
/*
 * The MTA alone was waited for.  Once in a message, while there is still time
 * to do without it, each child is looked at: one that has said more than it
 * owes is out of step, and its word to one command would be taken for that to
 * the next, a no at the end of the message for nothing.
 */
void session_look(struct session *s);
/* The MTA waits for its answer: what those say who still owe one. */
void session_wait_for_children(struct session *s, uint64_t until);
/* Answers the command at hand; a lost MTA is noticed by the loop. */
void session_answer(struct session *s, const struct verdict *v);
void session_answer_kind(struct session *s, enum verdict_kind kind);
/*
 * All that were late have their policy: the verdict.  Should that ever leave
 * the event open, the mail is put off rather than the MTA kept waiting.
 * Returns true.
 */
bool session_decided_late(struct session *s, struct verdict *v);
/*
 * Something of ours has run out, if it has (chain.no_space): counted, told,
 * and when it is memory or descriptors the process leaves after the session.
 * A full disk is no reason to: a new worker would find it full, too.
 */
void session_note_no_space(struct session *s);
/* Takes the message's queue id from these macros, if it is there and new. */
void session_note_queue_id(struct session *s, struct slice macros);
/* Ours: no memory.  The event at hand is decided as tempfail by it. */
void session_no_memory(struct session *s);

/* ---- session_envelope.c: one handler per command ---- */

void session_on_connect(struct session *s, const struct command *cmd);
void session_on_helo(struct session *s, const struct command *cmd);
void session_on_mail(struct session *s, const struct command *cmd);
void session_on_rcpt(struct session *s, const struct command *cmd);
void session_on_data(struct session *s, const struct command *cmd);
void session_on_unknown(struct session *s, const struct command *cmd);

/* ---- session_message.c ---- */

void session_on_header(struct session *s, const struct command *cmd);
void session_on_eoh(struct session *s, const struct command *cmd);
void session_on_body(struct session *s, const struct command *cmd);
void session_on_eom(struct session *s, const struct command *cmd);
/* A verdict before the end of the message: told, logged, done. */
void session_refuse_message(struct session *s, const struct verdict *v);
/* The MTA took the message back, or went away; outside one: nothing. */
void session_abort_message(struct session *s);

#endif
