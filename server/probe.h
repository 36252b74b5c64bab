/*
 * probe - asks milters that are left alone whether they answer again
 *
 * A milter may hang, so the supervisor never asks it itself: when the pause of
 * a breaker is nearly over, and soon for a milter that could not be reached, it
 * forks a process that negotiates once (see shared/probe.h) and says by its
 * exit code what came of it.  When that went well the next session may ask the
 * milter at once; when not, the pause begins anew and no mail waits.
 * At most one process per milter and PROBES_AT_ONCE of all.  Fails by trying
 * again a second later.
 */
#ifndef SERVER_PROBE_H
#define SERVER_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/board.h"
#include "shared/conf.h"

#define PROBES_AT_ONCE 4

/* The probe of one milter, by its cell on the board. */
struct probe_row {
	pid_t pid; /* 0: none is at it */
	char name[BOARD_NAME_MAX];
	struct breaker_limits limits; /* of the settings it began with */
	uint64_t kill_at; /* it should have ended by itself long before */
	uint64_t wait; /* from the last one to the next */
	uint64_t not_before;
	bool answers; /* as far as the log knows: the last one did, ... */
	uint64_t failed_at; /* ... after this failure */
};

struct probes {
	struct probe_row rows[BOARD_MILTERS];
	unsigned running;
};

/*
 * Once a second: forks what is due, ends what got stuck.  cells: the cell of
 * each milter of conf; NULL: the same as its place.
 */
void probes_tick(struct probes *p, struct board *board, const struct conf *conf,
		 const uint8_t *cells);
/*
 * A process of ours has ended: was it a probe?  Then the board learns what it
 * found.  False: it was none.
 */
bool probes_reaped(struct probes *p, struct board *board, pid_t pid,
		   int status);

#endif
