/*
 * hear - what a child's answers do to its part in the session
 *
 * The effects of verdict.h carried out on one member; what they mean for the
 * others is chain.h's.  Failures go to standing_fail().
 */
#ifndef WORKER_HEAR_H
#define WORKER_HEAR_H

#include "worker/standing.h"

/* Takes all answers that are there. */
void hear_member(struct chain *c, struct member *m);
/*
 * A recipient (journal index at) was refused, and m has answered for it
 * otherwise: if it is a chain child below the one that refused, it must not
 * go on believing in it.
 */
void hear_believes(struct chain *c, struct member *m, size_t at);

#endif
