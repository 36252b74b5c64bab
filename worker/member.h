/*
 * member - one child milter's part in the session at hand
 *
 * Where child.h knows the conversation, this knows its sense: what the child
 * has heard of the journal and the message, what it has said about
 * connection, message and recipients, and what has become of it.  A member
 * never waits and decides nothing about the others; chain.h does.
 */
#ifndef WORKER_MEMBER_H
#define WORKER_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/cond.h"
#include "shared/conf.h"
#include "worker/child.h"
#include "worker/edit.h"
#include "worker/message.h"
#include "worker/verdict.h"

struct worker_env;

/* How far a child has heard journal and message on its present connection. */
struct mark {
	bool connect;
	unsigned helo; /* journal's helo_count it was told; 0: none */
	bool mail;
	size_t rcpts; /* journal recipients passed: told or not for it */
	bool data;
	size_t header; /* cursor of view_next_header() */
	bool eoh;
	uint64_t body; /* bytes */
	bool eom;
};

#define MEMBER_NONE SIZE_MAX

enum member_connection {
	CONNECTION_OPEN,
	CONNECTION_ACCEPTED, /* it said accept at connect or helo: done */
	CONNECTION_REFUSED,  /* it said no at connect or helo */
};

/* Of the message at hand.  From GOING there is one step and no way back. */
enum member_state {
	MEMBER_GOING,
	MEMBER_ACCEPTED, /* said accept before the end of message */
	MEMBER_DONE,	 /* final continue or accept at end of message */
	MEMBER_NO,	 /* a no or discard about the message: verdict */
	MEMBER_FAILED,	 /* its failure policy holds: failure */
	MEMBER_RELEASED, /* let go, its word does not count any more */
};

struct member {
	struct child child;
	const struct conf_milter *conf;
	unsigned index; /* its place in the chain */
	unsigned cell;	/* on the board */
	const struct worker_env *env;
	unsigned opened; /* how often a connection to it was begun */
	uint64_t lease;	 /* this session's trial of its breaker; 0: none */
	unsigned place; /* in the watch at hand */

	/* this connection of the MTA */
	bool joined;
	bool skipped_by_rule;
	bool passed_over;	 /* its condition is false for this message */
	struct cond_memo *memos; /* of its condition, for this message */
	enum member_connection connection;
	struct verdict connection_verdict;
	bool said_late; /* that word came with the message at hand */
	bool unsettled; /* failed outside a message: settled at MAIL */

	/* this connection to the child */
	struct mark mark;
	bool in_message;    /* it heard MAIL and no end since */
	bool noted;	    /* its wishes were passed on */
	bool silent;	    /* it has not said a word about this message yet */
	unsigned losses;    /* quiet closes since the message began */
	enum stage hearing; /* what its word is about; STAGE_COUNT: no word */
	size_t told_rcpt; /* journal index of the last one told, or MEMBER_NONE */
	unsigned aside_owed; /* answers to recipients outside the journal */

	/* this message */
	enum conf_mode mode; /* on, off or evaluate: percent is resolved */
	bool asked; /* it heard at least MAIL */
	enum member_state state;
	struct verdict verdict;
	enum child_result failure;
	enum stage said_at; /* stage of the word that ended it */
	bool rcpt_refused;  /* its no to the recipient at hand: rcpt_verdict */
	struct verdict rcpt_verdict;
	bool retell; /* believes in a refused recipient: told anew at data */
	bool own_unknown; /* whether it is shown a recipient is not known yet */
	bool retell_now;  /* ... at once: it is out of the message by it */
	bool has_late;
	struct verdict late;
	bool skip_headers;
	bool skip_body;
	const struct view *view; /* what it is shown; NULL: nothing yet */
	const struct view *left; /* what it leaves to those below */
	struct edits edits;
	unsigned rcpts_refused;

	/* an unknown command at hand */
	bool unknown_waiting; /* still to be told */
	bool unknown_refused;
	struct verdict unknown_verdict;
};

/* Does its word count (mode on)? */
bool member_is_enforced(const struct member *m);
/* Can it still say something about the message at hand? */
bool member_is_going(const struct member *m);
/* The connection to the child is gone: it has heard nothing. */
void member_forget(struct member *m);
/* It has heard nothing of the message: what it heard of connect and helo stays. */
void member_forget_message(struct member *m);
/* A message begins or is over: what is known of it is wiped, but its mode. */
void member_reset_message(struct member *m);
/*
 * Nobody needs its answer any more.  In a message and owing nothing: ABORT;
 * owing: close (it would be out of step); outside a message: left alone.
 */
void member_release(struct member *m);

#endif
