/*
 * choose - which child applies, and from which stage on
 *
 * Switch first, then its condition (design section 5), then the stage of
 * joining that tests may set.  Looks at facts only; never fails: what cannot
 * be told at the very end counts as true, for a sender must not be able to
 * choose which filter runs.
 */
#ifndef WORKER_CHOOSE_H
#define WORKER_CHOOSE_H

#include "worker/standing.h"

enum choice {
	CHOICE_LATER, /* not known yet */
	CHOICE_YES,
	CHOICE_NO, /* not this message; outside one: not for what is known */
};

/* Does this child, not joined yet, join at the event at hand? */
enum choice choose(struct chain *c, struct member *m);
/*
 * Is its condition one about the connection alone?  Then what was chosen
 * holds for all its messages.
 */
bool choose_is_for_connection(const struct member *m);
/*
 * With `recipients = own`: is the recipient (journal index) one it is shown?
 * Always yes for others.
 */
enum tri choose_recipient(struct chain *c, const struct member *m, size_t at);
/* Does it apply by its own recipients (recipients = own, all)? */
bool choose_is_by_recipient(const struct member *m);
/*
 * With `mixed = defer`: would other children look at the recipient at hand
 * than at the first one?  Then it shall come again in a message of its own.
 */
bool choose_is_mixed(struct chain *c);

/*
 * How it is switched for what comes now: on, off or evaluate.  Percent is on
 * for that share of the client networks, each of which always meets the same.
 */
enum conf_mode choose_mode(const struct chain *c, const struct member *m);

#endif
