/*
 * watch - the one poll set of a worker: the MTA, the children, the supervisor
 *
 * Filled anew before each poll, from the top down: the session adds the MTA
 * and the supervisor, the chain its children, each the earliest time at which
 * it wants to be woken.  Never fails; the number of places is fixed.
 */
#ifndef WORKER_WATCH_H
#define WORKER_WATCH_H

#include <poll.h>
#include <stdint.h>

#include "shared/clock.h"
#include "shared/conf.h"

struct watch {
	struct pollfd fds[CONF_MILTERS_MAX + 2];
	unsigned count;
	uint64_t until; /* clock time at which to stop waiting */
};

static inline void watch_begin(struct watch *w, uint64_t until)
{
	w->count = 0;
	w->until = until;
}

/* The place of fd in fds, for looking at its revents after poll. */
static inline unsigned watch_add(struct watch *w, int fd, short events)
{
	w->fds[w->count] = (struct pollfd){ fd, events, 0 };
	return w->count++;
}

static inline void watch_until(struct watch *w, uint64_t when)
{
	w->until = clock_earlier(w->until, when);
}

/* Waits; what happened stands in revents.  Interrupted: nothing happened. */
static inline void watch_wait(struct watch *w)
{
	if (poll(w->fds, w->count, clock_poll_ms(w->until)) <= 0)
		for (unsigned i = 0; i < w->count; i++)
			w->fds[i].revents = 0;
}

#endif
