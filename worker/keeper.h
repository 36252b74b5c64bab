/*
 * keeper - what the workers know together about one child milter
 *
 * Between a member and the board: is its breaker open, which of its sockets is
 * least busy or out of order, how many connections it has by now.  All of that
 * is one word here and there that every worker reads and writes; nothing waits
 * and nothing fails.  Rules: design section 4, "Breaker".
 */
#ifndef WORKER_KEEPER_H
#define WORKER_KEEPER_H

#include "worker/standing.h"

/* The member's child asks here before it connects; see struct child_keeper. */
void keeper_attach(struct member *m, const struct worker_env *env);

/*
 * May this session begin to ask it?  False: its breaker is open.  True may
 * mean that this session has the one trial, and holds its lease from now on.
 */
bool keeper_may_ask(struct member *m);
/* Is its breaker open, and the trial another session's?  Looks only. */
bool keeper_is_left_alone(const struct member *m);
/* It failed, as count_failure() counts it; before its child is closed. */
void keeper_failed(const struct chain *c, struct member *m,
		   enum board_milter_counter kind);
/*
 * No more will be learned of it for now: a trial without a last word is the
 * next session's.
 */
void keeper_let_go(struct member *m);
/* It said a last word, about a message or the connection. */
void keeper_succeeded(struct member *m);

/*
 * Somebody waits for it, for longer than usual: when to look whether its
 * breaker has opened meanwhile.  CLOCK_NEVER: nobody does, or for what may
 * take its time (content, the end of the message).
 */
uint64_t keeper_looks_at(const struct member *m);
/* That time has come and it has: nobody shall wait any longer. */
bool keeper_gives_up(const struct member *m);

#endif
