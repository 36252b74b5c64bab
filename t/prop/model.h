/*
 * model - the specification in code: one message at a time, the children one
 * after the other
 *
 * The model reads what everybody saw, from beginning to end, as a grammar
 * reads a text: for each command of the MTA it says which child must have
 * been asked what, takes the child's answer from the record, and folds the
 * answers into the one that the MTA must have got.  Where the design leaves
 * freedom a child is asked "loosely": it may have been asked or not.
 * The first thing that does not fit ends the reading (longjmp).
 *
 * "design 3" and the like mean the sections of the design: 3 session, 4
 * answers.
 */
#ifndef T_PROP_MODEL_H
#define T_PROP_MODEL_H

#include <setjmp.h>

#include "t/prop/prop.h"

/* What an answer says, wherever it stands. */
enum said {
	SAID_CONTINUE,
	SAID_ACCEPT,
	SAID_NO, /* reject, tempfail, reply code */
	SAID_DISCARD,
	SAID_SKIP,
	SAID_FAILED,
	SAID_GONE,    /* failed by closing */
	SAID_NOTHING, /* was not asked, and need not have been */
};

enum scope { FOR_COMMAND, FOR_RECIPIENT, FOR_MESSAGE, FOR_CONNECTION };

struct outcome {
	enum said said;
	enum scope scope;
	const struct event *event; /* with the no */
};

/* A no (or discard) as the MTA gets it; kind 0: none. */
struct verdict {
	char kind;	   /* r t y d, or 4, 5: any answer of that class */
	struct slice text; /* with y */
	enum scope scope;
};

struct kid {
	const struct kid_plan *plan;
	unsigned number;
	/* reading its record */
	const struct conn *conn;
	size_t at;	   /* next event */
	unsigned next_conn; /* where to look for its next connection */
	bool loose;	   /* it may have been asked less than all */
	/* what is so on this connection */
	bool live;
	bool stray; /* may have been connected to when nobody needed it */
	bool tried; /* a join was tried in this session */
	bool used;  /* has been through a message */
	bool heard_connect;
	unsigned helo; /* which it heard, counted from 1; 0: none */
	bool done_connection;
	/* what is so in this message */
	bool joined;
	bool joining; /* may have begun to, below a refusal */
	bool in_message; /* was told some of it, gave no final answer */
	bool done;	 /* accepted */
	bool failed;
	bool answered; /* anything in this message */
	bool now_only; /* loosely: only what it heard before the MTA's answer */
	bool may_owe; /* an answer nobody waits for */
	bool dirty;  /* believes in a recipient that was refused above */
	char late;   /* class of a no to an earlier recipient, 0: none */
	bool walked; /* was shown content */
	bool remembered; /* said so below a refusal, where it did not count */
	struct outcome memory;
	const struct edit *edits; /* of its accepting final answer */
	unsigned edit_count;
	bool held;		 /* quarantine, by it or its policy */
	bool held_by_policy;
	struct slice held_because;
};

struct model {
	const struct prop_case *c;
	struct run *run;
	jmp_buf stop;
	char *why; /* what does not fit */
	struct kid kids[KIDS_MAX];
	const struct exchange *now; /* the MTA's command at hand */
	/* the journal (design 3) */
	const struct op *connect;
	const struct op *helo;
	const struct op *mail;
	const struct op *rcpts[RCPTS_MAX];
	unsigned rcpt_count;
	const struct op *data;
	/* the message as it came */
	bool in_content;
	struct mail_headers original;
	struct buf body;
	const struct op *eoh;
	const struct op *eom;
	bool in_transaction;
	struct verdict message;	   /* sticks to it */
	bool soft; /* by a failure at RCPT: children may still be asked */
	unsigned soft_by;
	struct verdict connection; /* sticks to all */
	struct verdict maybe;	   /* ... if it was heard in time */
	uint64_t next_seq; /* of the command that ends the message; 0: none */
	uint64_t gate;	   /* when the last chain child above had finished */
};

/* A version of the message. */
struct content {
	const struct mail_headers *headers;
	struct slice body;
};

/* Ends the reading.  k may be NULL. */
_Noreturn void wrong(struct model *m, const struct kid *k, const char *format,
		     ...) __attribute__((format(printf, 3, 4)));

/* model_talk.c: reading the record of one child */
uint64_t horizon(const struct model *m);
const struct event *next_event(const struct kid *k);
/* A connection that was begun for nothing and used for nothing. */
bool came_to_nothing(const struct conn *c);
/* Was the child never to hear this command? */
bool withheld(const struct kid *k, char letter);
bool takes_leadspc(const struct model *m, const struct kid *k);
/* Everything it has missed, then op; op NULL: only what it has missed. */
struct outcome bring(struct model *m, struct kid *k, const struct op *op);
bool joins_again(struct model *m, struct kid *k, bool surely);
/* Takes the answer of an event that the child was right to hear. */
enum said take_answer(struct model *m, struct kid *k, const struct event *e);
void check_event(struct model *m, struct kid *k, const struct event *e,
		 const struct op *op);
/* It is told to forget the message, or was closed where that is allowed. */
void release(struct model *m, struct kid *k);
/* It is told good-bye. */
void finish(struct model *m, struct kid *k);
/* Rules that hold on every connection, whoever is at its other end. */
void check_manners(struct model *m, const struct conn *c);

/* model_content.c: content, its end, and the log of edits */
void end_of_message(struct model *m);
/* The MTA broke off inside the content: children saw some of it. */
void broken_off(struct model *m, struct kid *k);

/* model.c */
struct verdict verdict_from(const struct event *e, enum scope scope);
/* Design 4, "Failure policy"; kind 0: the message goes on without it. */
struct verdict policy_of(struct kid *k);
/* A no to the connection when everything was decided: it counts from the next
 * MAIL on if it was heard in time. */
void refused_too_late(struct model *m, struct kid *k, const struct outcome *o);
/* A refusal of an earlier recipient, come out as a verdict. */
struct verdict late_verdict(const struct kid *k);
/* Is that what the MTA got? */
bool fits(const struct verdict *v, const struct exchange *x);
void expect_verdict(struct model *m, const struct verdict *v);

#endif
