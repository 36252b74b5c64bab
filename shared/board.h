/*
 * board - shared memory: what the processes know of each other
 *
 * Two sealed memfds made by the supervisor.  *control* is written by the
 * supervisor alone and mapped read-only in workers: what each child milter
 * wanted when it last negotiated.  *numbers* is written by workers with
 * relaxed atomics: counters sharded by worker index, and a slot per worker.
 * No locks and no pointers; a SIGKILL at any instruction leaves both sane.
 * The supervisor waits for nothing in here and trusts nothing in here: pids
 * are kept in a private copy too.  Byte map: doc/board.md.
 */
#ifndef SHARED_BOARD_H
#define SHARED_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/milter.h"
#include "shared/slice.h"

#define BOARD_VERSION  1
#define BOARD_MILTERS  64
#define BOARD_SHARDS   8
#define BOARD_LIST_MAX 1024 /* bytes of one remembered macro list */
#define BOARD_NO_CHILD 0xff

enum board_state {
	SLOT_FREE = 0,
	SLOT_STARTING, /* forked, not yet waiting for connections */
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_LEAVING, /* has served its last session, is on its way out */
};

/* What a child wanted at its last negotiation; written by the supervisor. */
struct board_wish {
	_Atomic uint32_t changes; /* odd while being written; 0: nothing known */
	uint32_t actions;
	uint32_t protocol;
	uint8_t has_list[LIST_COUNT];
	uint16_t list_len[LIST_COUNT];
	char list[LIST_COUNT][BOARD_LIST_MAX];
};

/* The words in a slot about the present session, written between two steps
 * of `changes`; readers copy, compare, and give up after three tries. */
struct board_text {
	_Atomic uint32_t changes;
	char peer[64];	   /* "name[address]" of the SMTP client */
	char queue_id[32]; /* "" while unknown */
	char sender[96];   /* cut */
};

struct board_slot {
	_Atomic uint32_t state; /* enum board_state */
	_Atomic uint32_t stage; /* enum stage; STAGE_COUNT: between messages */
	_Atomic uint32_t child; /* index waited for, or BOARD_NO_CHILD */
	_Atomic uint32_t sessions; /* served by this process */
	_Atomic uint64_t since;	   /* clock_now() of the last note of it */
	_Atomic uint64_t generation;
	struct board_text text;
};

/* Counters of one shard; every word is valid alone. */
enum board_counter {
	COUNT_SESSIONS,
	COUNT_MESSAGES,
	COUNT_RECIPIENTS,
	COUNT_RECIPIENTS_REFUSED,
	COUNT_ACCEPTED,
	COUNT_REJECTED,
	COUNT_TEMPFAILED,
	COUNT_DISCARDED,
	COUNT_QUARANTINED,
	COUNT_ABORTED,
	COUNT_LOST, /* counted by the supervisor */
	COUNT_BYTES,
	COUNT_PROTOCOL_ERRORS, /* of MTAs */
	COUNT_RESOURCE_FAILURES,
	COUNT_EDITS_DROPPED, /* of free children, taken over by others */
	COUNT_CUT_PACKETS,   /* header values or macros cut for a child */
	BOARD_COUNTERS
};

enum board_milter_counter {
	MILTER_APPLIED,	 /* messages it was asked about */
	MILTER_CONNECTS,
	MILTER_CONTINUED,
	MILTER_ACCEPTED,
	MILTER_REJECTED,
	MILTER_TEMPFAILED,
	MILTER_DISCARDED,
	MILTER_QUARANTINED,
	MILTER_EDITS,
	MILTER_FAILED_CONNECT,
	MILTER_FAILED_TIMEOUT,
	MILTER_FAILED_EOF,
	MILTER_FAILED_PROTOCOL,
	MILTER_LATE,
	MILTER_PASSED_WITHOUT, /* messages let through although it had failed */
	MILTER_REJOINED,
	BOARD_MILTER_COUNTERS
};

struct board; /* opaque: the two mappings and their descriptors */

/*
 * Makes both memfds for this many worker slots, seals them, maps both
 * writable.  NULL with errno when that fails.
 */
struct board *board_new(unsigned slots);
/*
 * In a worker, after fork: control is mapped read-only, for good, and both
 * descriptors are closed.  False with errno: this process should end.
 */
bool board_become_reader(struct board *b);
void board_free(struct board **b);

unsigned board_slots(const struct board *b);
struct board_slot *board_slot(struct board *b, unsigned index);
/*
 * The supervisor, for a slot nobody writes any more (before its first worker
 * and after reaping one): free, no text, and `changes` even again even if the
 * worker was killed between its two steps.
 */
void board_slot_reset(struct board_slot *s, uint64_t generation);

/* Adds n to a counter of the worker's shard; never fails. */
void board_count(struct board *b, unsigned slot, enum board_counter counter,
		 uint64_t n);
void board_count_milter(struct board *b, unsigned slot, unsigned milter,
			enum board_milter_counter counter, uint64_t n);
/* Sums over the shards. */
uint64_t board_sum(const struct board *b, enum board_counter counter);
uint64_t board_sum_milter(const struct board *b, unsigned milter,
			  enum board_milter_counter counter);

/* The worker's notes in its own slot. */
void board_note_state(struct board_slot *s, enum board_state state);
void board_note_stage(struct board_slot *s, enum stage stage, unsigned child);
void board_note_text(struct board_slot *s, struct slice peer,
		     struct slice queue_id, struct slice sender);
/* A steady copy; false after three tries (all fields then "?"). */
bool board_read_text(const struct board_slot *s, struct board_text *copy_out);

/* The supervisor remembers what a child wanted (lists cut to their limit:
 * a list that does not fit is remembered as not given). */
struct board_wanted {
	uint32_t actions;
	uint32_t protocol;
	bool has_list[LIST_COUNT];
	struct slice list[LIST_COUNT];
};
void board_remember(struct board *b, unsigned milter,
		    const struct board_wanted *wanted);
/*
 * What is remembered; false: nothing, or not steady.  Lists are copied to
 * room (at least LIST_COUNT * BOARD_LIST_MAX bytes).
 */
bool board_recall(const struct board *b, unsigned milter, char *room,
		  struct board_wanted *wanted_out);

#endif
