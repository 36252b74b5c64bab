/*
 * verdict - what an answer means where it stands, and what it comes to
 *
 * Pure tables for design section 4 ("Answers"): one for what a child's answer
 * does at each stage, one for what a failure policy says.  Nothing fails.
 */
#ifndef WORKER_VERDICT_H
#define WORKER_VERDICT_H

#include <stdbool.h>

#include "shared/conf.h"
#include "shared/milter.h"
#include "shared/milter_answer.h"
#include "shared/slice.h"

/* What a child's answer does. */
enum effect {
	EFFECT_NEXT,		/* go on */
	EFFECT_DONE_CONNECTION, /* accept: the child is done for good */
	EFFECT_DONE_MESSAGE,	/* accept: the child is done with the message */
	EFFECT_NO_CONNECTION,	/* a no that holds for the connection */
	EFFECT_NO_MESSAGE,	/* ... for the message */
	EFFECT_NO_RCPT,		/* ... for this recipient */
	EFFECT_NO_COMMAND,	/* ... for this unknown command */
	EFFECT_DISCARD,		/* the message is taken and thrown away */
	EFFECT_ODD,		/* not legal here: logged, as continue */
	EFFECT_SKIP,		/* no more of this kind in this message */
	EFFECT_EDIT,
	EFFECT_PROGRESS, /* still at work */
	EFFECT_BREACH,	 /* the child's failure */
};

enum effect verdict_effect(enum stage stage, enum answer_kind answer);

enum verdict_kind {
	VERDICT_CONTINUE,
	VERDICT_ACCEPT,
	VERDICT_REJECT,
	VERDICT_TEMPFAIL,
	VERDICT_DISCARD,
};

/* A no or a discard, with who said it and when. */
struct verdict {
	enum verdict_kind kind;
	struct slice reply; /* "550 5.7.1 ...", as REPLYCODE; may be empty */
	int by;		    /* index of the child; -1: sekisho itself */
	enum stage stage;   /* at which command it was said */
	struct slice rule;  /* the rule that said it; empty: none did */
};

/*
 * The class of a no: from the kind of answer, or from the first digit of a
 * reply code; VERDICT_CONTINUE when the code is neither 4xx nor 5xx.
 */
enum verdict_kind verdict_class(const struct answer *answer);

/* What a policy makes of a failed child; accept and quarantine: continue. */
enum verdict_kind verdict_of_policy(enum conf_policy policy);

/*
 * Of two late refusals of earlier recipients the one that counts for the
 * message: the first, but a 4xx beats a 5xx (design section 3, Joining).
 */
const struct verdict *verdict_of_late(const struct verdict *first,
				      const struct verdict *later);

/* "continue", "accept", "reject", "tempfail", "discard". */
const char *verdict_name(enum verdict_kind kind);

/*
 * The MTA's answer for a verdict; text goes as REPLYCODE, without one the bare
 * verdict.  Slices are those of the verdict.
 */
struct answer verdict_answer(const struct verdict *v);

#endif
