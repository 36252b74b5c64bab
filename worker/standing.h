/*
 * standing - the children of one session, and where each of them stands
 *
 * Holds what the files of the chain share: the event at hand, the members, and
 * the two questions everybody asks - has this one passed the event, and what
 * becomes of it when it fails?  Looks and notes, tells nobody anything: that is
 * feed.h (telling), hear.h (listening), chain.h (the whole).
 */
#ifndef WORKER_STANDING_H
#define WORKER_STANDING_H

#include <stdbool.h>

#include "shared/cond.h"
#include "shared/facts.h"
#include "worker/journal.h"
#include "worker/member.h"
#include "worker/message.h"
#include "worker/rulebook.h"
#include "worker/worker.h"

struct chain {
	const struct worker_env *env;
	struct arena *session_arena;
	struct arena *message_arena;
	struct journal *journal;
	struct message *message;
	struct facts facts;
	struct rulebook book;
	struct cond_matcher *matcher;
	struct arena scratch; /* of one evaluation */
	/*
	 * Some condition or rule looks at it.  Decoding a body costs more than
	 * all else we do with a small message; for the clock each worker reads
	 * the time zone's file, six calls and a page of its own.
	 */
	bool uses_body;
	bool uses_clock;
	unsigned limit_hits;  /* of this message's conditions */
	unsigned failed_lookups;
	uint64_t regex_time;
	struct option offer;	/* the MTA's */
	bool mta_leadspc;	/* values come and go with their leading space */
	enum mta mta;

	struct member *members; /* as long as the worker */
	unsigned count;

	/* the event at hand */
	enum stage event;
	struct slice unknown;		      /* text of the unknown command */
	struct journal_macros unknown_macros; /* and its macros */
	bool impatient; /* a short wait for an answer to it was in vain */
	bool content; /* content of the message at hand has begun */
	int no_space; /* errno of what ran out; 0: nothing */
};

enum standing {
	STANDING_WAIT, /* it may still say something about the event */
	STANDING_PASS,
	STANDING_NO,
};

/*
 * Where does this member stand about an event?  STAGE_EOM asks about the
 * message as a whole.  *verdict_out is set with STANDING_NO only.
 */
enum standing standing_of(const struct chain *c, const struct member *m,
			  enum stage event, struct verdict *verdict_out);
/* Has it heard the envelope event at hand, and answered it? */
bool standing_has_heard(const struct chain *c, const struct member *m,
			enum stage event);
/*
 * Content waits while an undecided child stands above: for a chain child a
 * chain or strict one, for a strict child any.
 */
bool standing_may_have_content(const struct chain *c, const struct member *m);
/* The message as the chain and strict children above have left it. */
const struct view *standing_view(const struct chain *c,
				 const struct member *m);
/*
 * This member failed; the reason in words is in its child.  It is closed;
 * outside a message the failure is settled at the next MAIL, inside one the
 * policy holds from now on - but for a child that was merely restarted
 * between two messages: it stays GOING and is to be opened again.
 */
void standing_fail(struct chain *c, struct member *m,
		   enum child_result failure);
/*
 * Our deadline came before it was done.  One that owes nothing, and only
 * waited for its turn, keeps its connection.
 */
void standing_late(struct chain *c, struct member *m);
/*
 * It failed at a recipient (journal index at) that another above it refuses:
 * in a row it would not have been asked, so it is tried again.
 */
void standing_forgive(struct chain *c, struct member *m, size_t at);
/* The same by our own reading of what it said; why: static text. */
void standing_breach(struct chain *c, struct member *m, const char *why);

#endif
