/*
 * wish - which macros the children want of the MTA
 *
 * The MTA negotiates before any child is asked, so what it is asked for is
 * what the children wanted last time: a worker tells the supervisor over its
 * pipe, the supervisor keeps it in shared memory (board).
 */
#ifndef WORKER_WISH_H
#define WORKER_WISH_H

#include "worker/member.h"
#include "worker/worker.h"

/* A child has just negotiated: tells the supervisor when that is news. */
void wish_note(const struct worker_env *env, const struct member *m);
/*
 * Fills in the lists of our answer to the MTA: for each stage at least one
 * child gave a list for, all those names, those that conditions and rules look
 * at, macros_extra and both MTAs' defaults; end of headers and end of message
 * always together, since Sendmail reads one only with the other
 * (milter-protocol 2.6).  Text is taken from the arena; without memory no list
 * is sent.
 */
void wish_lists(const struct worker_env *env, struct arena *arena,
		struct option *answer);

#endif
