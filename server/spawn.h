/*
 * spawn - the workers as the supervisor knows them
 *
 * Forks a worker into a slot of the board, takes its notes and reaps it; what
 * was lost with it is lost.h's.  Owns a private row per slot (pid, generation, our end
 * of the pair): what the board says is used for counting and for words, never
 * to find a process.  Fails by saying so in the log and trying later.
 */
#ifndef SERVER_SPAWN_H
#define SERVER_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/handover.h"
#include "server/listen.h"
#include "server/pool.h"
#include "shared/board.h"
#include "shared/buf.h"
#include "shared/conf.h"

struct spawn_row {
	pid_t pid;	     /* 0: nobody */
	int fd;		     /* our end; -1 when closed */
	bool told;	     /* was told to leave */
	bool killed;	     /* by us: no surprise when it dies */
	uint64_t generation; /* of the slot, counted here */
	unsigned settings;   /* generation of those it was forked with */
};

struct spawn {
	const struct conf *conf; /* these three change with a reload */
	const uint8_t *cells;
	unsigned settings;
	struct board *board;
	const struct listen *listen;
	struct spawn_row *rows;
	unsigned slots;
	unsigned reserve; /* the last ones of these: for reserve workers */
	unsigned alive;	  /* rows with a pid */
	int epoll_fd;	/* the supervisor's; our ends are in it by slot */
	int hungry_fd;
	bool detach; /* a worker lets go of the terminal itself */
	/* Is told of children that are no workers; NULL: nobody cares. */
	void (*stranger)(void *owner, pid_t pid, int status);
	void *owner;
	pid_t supervisor;
	struct pace forks;  /* fork fails */
	struct pace deaths; /* workers die */
	unsigned failed_starts; /* in a row died before they could wait */
};

/* Everything in *s but rows and supervisor is set by the caller. */
bool spawn_init(struct spawn *s);
void spawn_deinit(struct spawn *s);

/* Workers of the program whose place we took; see upgrade.h. */
void spawn_adopt(struct spawn *s, const struct handover_worker *workers,
		 unsigned count);
/* Our workers for the next program, s->slots at most; how many. */
unsigned spawn_hand_over(const struct spawn *s, struct handover_worker *out);

/*
 * Forks one worker.  False: no free slot, or the machine refused (the pace
 * then pauses).  In the child it never returns.
 */
bool spawn_one(struct spawn *s);
/* Likewise a reserve worker, see worker/reserve.h. */
bool spawn_reserve(struct spawn *s);
/* Until when nothing shall be forked; 0: go on. */
uint64_t spawn_paused_until(const struct spawn *s, uint64_t now);

/* What the board and the rows say now of ordinary workers. */
void spawn_count(const struct spawn *s, struct pool_seen *seen_out);
/* How many reserve workers are alive. */
unsigned spawn_reserves(const struct spawn *s);
/* How many workers hold connections, or are there for those that wait. */
unsigned spawn_busy(const struct spawn *s);

/* Asks up to n idle workers to leave; all: whoever is there. */
void spawn_retire(struct spawn *s, unsigned n);
void spawn_retire_all(struct spawn *s);
void spawn_kill_all(struct spawn *s);

/*
 * Are there workers of older settings that were not told to leave?  Those of
 * the reserve do not count here: they stay while they are needed.
 */
bool spawn_has_older(const struct spawn *s);
/* The oldest settings that a living worker has; none lives: the present. */
unsigned spawn_oldest(const struct spawn *s);
/* Asks those of older settings to leave; of those that are idle, so many. */
void spawn_retire_older(struct spawn *s, unsigned idle);

/* Takes the notes a worker sent; closes our end when it closed its own. */
void spawn_take_notes(struct spawn *s, unsigned slot);
/* Reaps everybody who died, explains and counts.  False: nobody had died. */
bool spawn_reap(struct spawn *s);

/*
 * Checks a note and remembers it.  False: it is not what a worker of ours
 * would send, and nothing was changed.
 */
bool spawn_take_wish(struct board *board, size_t milters, const void *note,
		     size_t len);

#endif
