/*
 * observe - what the MTA says becomes facts
 *
 * The only writer of the session's facts but for the milters' words (hear.h)
 * and rules.  Called after the journal has the command and before anybody is
 * told.  Fails by false: no memory.
 */
#ifndef WORKER_OBSERVE_H
#define WORKER_OBSERVE_H

#include <stdbool.h>

#include "shared/facts.h"
#include "worker/journal.h"
#include "worker/message.h"
#include "worker/worker.h"

void observe_connect(struct facts *f, const struct journal *j);
void observe_helo(struct facts *f, const struct journal *j);
/* Once for the whole message. */
void observe_clock(struct facts *f, const struct worker_env *env);
/* Also reads the pool, once for the whole message. */
bool observe_mail(struct facts *f, const struct journal *j,
		  const struct message *m, const struct worker_env *env);
/* The recipient at hand: its macros, for rules about it. */
void observe_rcpt(struct facts *f, const struct journal *j);
/* It was accepted, and counts from now on. */
bool observe_accepted(struct facts *f, const struct journal *j);
/* It was refused: the macros are those of the last one accepted again. */
void observe_refused(struct facts *f, const struct journal *j);
void observe_data(struct facts *f, const struct journal *j);
void observe_end_of_headers(struct facts *f, const struct journal *j);
/*
 * After more of the body has come; at the end (complete) it is said that no
 * more will.  Only where something asks for it.  False: no memory.
 */
bool observe_body(struct facts *f, const struct message *m,
		  struct arena *message_arena, bool complete);
void observe_end(struct facts *f, const struct journal *j);

#endif
