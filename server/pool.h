/*
 * pool - how many workers to add and to retire; pure
 *
 * The supervisor counts what it sees and asks; nothing here looks at a
 * process, a clock or the board, so that every case can be a row in a test.
 * Owns nothing, never fails.
 *
 * Growing: `need` is what is missing up to spare_min and to min, or more than
 * anybody can count when connections wait and no worker is free.  Each look
 * in a row that finds a need may add twice as many as the one before (1, 2,
 * 4, ... POOL_STEP_MAX): a burst is met within a few looks, a single
 * connection does not fork a crowd.
 * Shrinking: more than spare_max idle for POOL_RICH_TIME: the surplus goes.
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/clock.h"

#define POOL_STEP_MAX  64
#define POOL_RICH_TIME (5 * CLOCK_S)

/* The settings, after the machine's limits have cut them. */
struct pool_limits {
	unsigned min;
	unsigned max;
	unsigned spare_min;
	unsigned spare_max;
};

struct pool_seen {
	unsigned alive;	   /* processes that exist, leaving ones included */
	unsigned leaving;  /* told to leave, or leaving by themselves */
	unsigned starting; /* forked, not yet waiting; none of `leaving` */
	unsigned idle;	   /* none of `leaving` */
	bool waiting;	   /* connections wait in a queue */
};

/* Kept between two looks; zero at first. */
struct pool_memory {
	unsigned step;	     /* how many the next look may add; 0: one */
	uint64_t rich_since; /* too many are idle since then; 0: they are not */
};

struct pool_plan {
	unsigned add;
	unsigned retire;
	bool again; /* not enough yet: look again soon */
};

struct pool_plan pool_look(const struct pool_limits *limits,
			   const struct pool_seen *seen,
			   struct pool_memory *memory, uint64_t now);

/*
 * pace - when to try again after things went wrong
 *
 * One for failing forks, one for dying workers.  The first trouble pauses for
 * PACE_FIRST; trouble after a pause doubles it up to PACE_LONGEST; trouble
 * during a pause changes nothing, so that many deaths at one moment (the
 * out-of-memory killer, an administrator) cost one short pause.  After
 * PACE_FORGET without trouble all is forgotten.
 */
#define PACE_FIRST   (100 * CLOCK_MS)
#define PACE_LONGEST (10 * CLOCK_S)
#define PACE_FORGET  (10 * CLOCK_S)
/* More deaths than this within PACE_WINDOW are trouble. */
#define PACE_DEATHS  10
#define PACE_WINDOW  (1 * CLOCK_S)

struct pace {
	uint64_t not_before; /* do nothing until then; 0: go on */
	uint64_t pause;	     /* the last pause; 0: no trouble in memory */
	uint64_t window;     /* when the counting of deaths began */
	unsigned deaths;     /* since then */
};

bool pace_is_paused(const struct pace *p, uint64_t now);
/* Trouble now.  True: a pause begins (say so), false: one is under way. */
bool pace_trouble(struct pace *p, uint64_t now);
/*
 * A worker died unexpectedly; early: before it ever waited for a connection,
 * which is trouble at once.  True: a pause begins.
 */
bool pace_death(struct pace *p, uint64_t now, bool early);
/* It works again.  True: there had been trouble (say so). */
bool pace_well(struct pace *p);

#endif
