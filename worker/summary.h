/*
 * summary - what the message's one log line tells (design section 8)
 *
 * Collected while the message is served, written when its outcome is known
 * and the children in evaluate mode are done.
 */
#ifndef WORKER_SUMMARY_H
#define WORKER_SUMMARY_H

#include <stdint.h>

#include "worker/chain.h"

struct summary {
	uint64_t began;	    /* clock time of MAIL */
	uint64_t size;	    /* bytes of headers and body as the MTA sent them */
	char queue_id[32];  /* "" while unknown */
	char client[300];   /* "name[address]" */
	unsigned edits;	    /* requests sent to the MTA */
	unsigned long long messages; /* of this connection so far */
	struct slice quarantine;     /* reasons joined; empty: none */
};

/* Outcomes that are no verdict_kind. */
#define SUMMARY_QUARANTINE "quarantine"
#define SUMMARY_ABORT	   "abort"

/* As people write it: without the <> of the wire. */
struct slice summary_address(struct slice address);
/* The line of a message; word: the outcome. */
void summary_message(const struct summary *s, const struct chain *c,
		     const struct verdict *v, const char *word);
/* A recipient that a rule has refused: no child's word tells of it. */
void summary_refused_rcpt(const struct summary *s,
			  const struct command_envelope *rcpt,
			  const struct verdict *v);
/* The line of a connection without a message; v: its verdict, if any. */
void summary_connection(const struct summary *s, const struct chain *c,
			const struct verdict *v, uint64_t began);

#endif
