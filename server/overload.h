/*
 * overload - when there are not workers enough: reserve workers, told once
 *
 * Looked at by the supervisor after each event.  When all ordinary workers
 * are busy and connections have waited for OVERLOAD_WAIT at each look, a
 * reserve worker is forked (worker/reserve.h), and another while that does
 * not help.  It is over when the last of them has left by itself.  The
 * beginning and the end are told, once each.  Never fails.
 */
#ifndef SERVER_OVERLOAD_H
#define SERVER_OVERLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "server/spawn.h"
#include "shared/clock.h"

#define OVERLOAD_RESERVE 2 /* workers at most; slots of the board for them */
#define OVERLOAD_WAIT	 (2 * CLOCK_S)
/* While all workers are busy: looked at the queues so often. */
#define OVERLOAD_LOOK (CLOCK_S / 2)

struct overload_seen {
	bool full;    /* as many workers as there may be, and all busy */
	bool waiting; /* connections wait in a queue */
	unsigned reserve; /* reserve workers alive */
};

struct overload_plan {
	bool begins;
	bool ends;
	bool fork;	   /* a reserve worker */
	uint64_t next_look; /* CLOCK_NEVER: when something happens */
};

/* Kept between two looks; zero at first. */
struct overload {
	uint64_t waits_since; /* 0: nobody waits, or needs not */
	uint64_t began;	      /* 0: there is none */
	uint64_t sessions;    /* the board's sums at that time */
	uint64_t messages;
};

/* What to do now; pure. */
struct overload_plan overload_plan(struct overload *o,
				   const struct overload_seen *seen,
				   uint64_t now);
/* Looks, does and tells it.  Returns when to look again, or CLOCK_NEVER. */
uint64_t overload_look(struct overload *o, struct spawn *spawn,
		       unsigned workers_max);
/* The supervisor stops: tells the end, if it has not come yet. */
void overload_end(struct overload *o, const struct spawn *spawn);

#endif
