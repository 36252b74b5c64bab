/*
 * watch - the one poll set of a worker: the MTA, the children, the supervisor
 *
 * Filled anew before each poll, from the top down: the session adds the MTA
 * and the supervisor, the chain its children, each the earliest time at which
 * it wants to be woken.  Never fails; the number of places is fixed.
 */
#ifndef WORKER_WATCH_H
#define WORKER_WATCH_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/clock.h"
#include "shared/conf.h"

#define WATCH_MAX     (CONF_MILTERS_MAX + 2)
/* The place of what has no descriptor now: nothing ever happens there. */
#define WATCH_NOWHERE WATCH_MAX

struct watch {
	struct pollfd fds[WATCH_MAX + 1];
	unsigned count;
	uint64_t until; /* clock time at which to stop waiting */
};

static inline void watch_begin(struct watch *w, uint64_t until)
{
	w->count = 0;
	w->until = until;
	w->fds[WATCH_NOWHERE].revents = 0;
}

/*
 * The place of fd in fds, for looking at its revents after poll.  Without a
 * descriptor (-1) none is taken: poll() refuses more entries than descriptors
 * are allowed, open or not.
 */
static inline unsigned watch_add(struct watch *w, int fd, short events)
{
	if (fd < 0)
		return WATCH_NOWHERE;
	w->fds[w->count] = (struct pollfd){ fd, events, 0 };
	return w->count++;
}

static inline void watch_until(struct watch *w, uint64_t when)
{
	w->until = clock_earlier(w->until, when);
}

/*
 * Waits; what happened stands in revents.  Interrupted: nothing happened.
 * False: poll failed, errno tells; waiting again would not help.
 */
static inline bool watch_wait(struct watch *w)
{
	int n = poll(w->fds, w->count, clock_poll_ms(w->until));

	if (n <= 0)
		for (unsigned i = 0; i < w->count; i++)
			w->fds[i].revents = 0;
	return n >= 0 || errno == EINTR;
}

#endif
