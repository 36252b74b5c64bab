/*
 * feed - tells a child what it has not heard yet and may hear now
 *
 * Live and replayed are one way: a child has a mark in journal and message
 * and is told what lies behind it, as far as its order allows (design section
 * 3, "Joining", "Order", "Content").  The envelope goes command by command, the
 * next one after the answer to the last; content goes in large writes of
 * whole packets, its answers read meanwhile.
 */
#ifndef WORKER_FEED_H
#define WORKER_FEED_H

#include "worker/standing.h"

/*
 * Tells m as much as it may hear now, opening its connection when it has
 * something to hear.  Failures go to standing_fail().
 */
void feed_member(struct chain *c, struct member *m);
/*
 * A recipient that is not in the journal, because the MTA has refused it
 * itself: told to a child that asked for such and has heard all the others.
 */
void feed_aside(struct chain *c, struct member *m,
		const struct command_envelope *rcpt,
		const struct journal_macros *macros);

#endif
