/*
 * slots - a copy of what the board says of one worker, made fit to be shown
 *
 * Numbers out of range and bytes that are not printable never leave here.
 */
#ifndef SERVER_SLOTS_H
#define SERVER_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/answer.h"

struct slot_seen {
	unsigned slot;
	pid_t pid; /* from the supervisor's own copy */
	const char *state;
	bool is_busy;
	bool in_message; /* the verdict of one is not known yet */
	const char *stage; /* "-" between messages */
	char child[BOARD_NAME_MAX]; /* waited for; "-" : nobody */
	bool is_waiting; /* for a child */
	uint64_t since; /* how long ago that was noted, microseconds */
	unsigned sessions;
	unsigned settings;
	unsigned listener;
	char peer[65];
	char queue_id[33]; /* "-" while unknown */
	char sender[97];
};

/* False: nobody is in this slot. */
bool slots_look(const struct status_view *v, unsigned slot,
		struct slot_seen *seen_out);
/*
 * The busy ones that have been where they are for longest, at most `max`:
 * first those that wait for a milter.  Returns how many.
 */
unsigned slots_find_longest(const struct status_view *v,
			    struct slot_seen *seen_out, unsigned max);

#endif
