/*
 * board_layout - the bytes of the two memfds of the board
 *
 * For board.c, the board_*.c files and their test only; everybody else goes
 * through board.h.  What is asserted here is written down in doc/board.md;
 * change both and BOARD_VERSION together.
 */
#ifndef SHARED_BOARD_LAYOUT_H
#define SHARED_BOARD_LAYOUT_H

#include <stdalign.h>

#include "shared/board.h"

#define BOARD_MAGIC	0x534b5348u /* "SKSH" */
#define BOARD_LINE	64	    /* bytes of a cache line */
#define BOARD_SLOTS_MAX 100000
#define BOARD_HISTORY_MAX 100000

/* At offset 0 of both memfds; written once, before anybody else maps them. */
struct board_header {
	uint32_t magic;
	uint32_t version;
	uint64_t size;	    /* of the whole memfd, bytes */
	uint32_t slots;	    /* numbers; 0 in control, as all below */
	uint32_t slot_size;
	uint32_t milters;
	uint32_t shards;
	uint32_t counters;  /* words of a shard before the verdicts */
	uint32_t milter_counters;
	uint32_t history;   /* cells of the ring */
	uint32_t cell_size; /* of one of them */
	char padding[16];
};

/* Cells begin on a line of their own, so that no two writers share one. */
struct board_milter_cell {
	alignas(BOARD_LINE) char name[BOARD_NAME_MAX];
	_Atomic uint32_t switched; /* 0: not; else 1 + mode | percent << 8 */
	struct board_wish wish;
};

struct board_slot_cell {
	alignas(BOARD_LINE) struct board_slot slot;
};

struct board_times {
	_Atomic uint64_t sum; /* microseconds */
	_Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
};

struct board_shard {
	alignas(BOARD_LINE) _Atomic uint64_t counters[BOARD_COUNTERS];
	_Atomic uint64_t verdicts[STAGE_COUNT][OUTCOMES][CAUSES];
	_Atomic uint64_t milters[BOARD_MILTERS][BOARD_MILTER_COUNTERS];
	_Atomic uint64_t answers[BOARD_MILTERS][STAGE_COUNT][BOARD_ANSWERS];
	struct board_times waits[STAGE_COUNT + 1];
	struct board_times latencies[BOARD_MILTERS][STAGE_COUNT];
};

struct board_breaker_cell {
	alignas(BOARD_LINE) _Atomic uint64_t word;
	_Atomic uint64_t opened_at;
	_Atomic uint64_t failed; /* cause | milliseconds << 8 */
	_Atomic uint64_t suspect; /* seconds | hash << 32 */
	_Atomic uint64_t down_until[CONF_SOCKETS_MAX];
	_Atomic uint64_t reuse; /* enum board_reuse */
};

struct board_ring_cell {
	alignas(BOARD_LINE) _Atomic uint32_t changes;
	uint32_t hash; /* of what follows: two writers may meet in a cell */
	uint64_t number;
	uint64_t at;
	char queue_id[32];
	uint16_t len;
	char line[BOARD_LINE_MAX];
};

struct board_control {
	struct board_header header;
	_Atomic uint32_t log_generation;
	struct board_milter_cell milters[BOARD_MILTERS];
};

struct board_numbers {
	struct board_header header;
	struct board_shard shards[BOARD_SHARDS];
	struct board_breaker_cell breakers[BOARD_MILTERS];
	alignas(BOARD_LINE) _Atomic uint64_t newest; /* entry of the ring */
	/* By slot; what is behind header.slots is never touched. */
	alignas(BOARD_LINE) _Atomic uint32_t states[BOARD_SLOTS_MAX];
	struct board_slot_cell slots[]; /* header.slots of them, */
	/* and behind them header.history of struct board_ring_cell */
};

struct board {
	struct board_control *control;
	struct board_numbers *numbers;
	struct board_ring_cell *ring; /* in numbers */
	size_t numbers_size;
	/* Our own copies: what is in the memfd is not trusted. */
	unsigned slots;
	unsigned history;
	int control_fd;
	int numbers_fd;
};

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
	       "the words of the board are shared between processes");
/* Of all but its own hash and changes, so that a torn entry is seen. */
uint32_t board_entry_hash(const struct board_entry *e);

_Static_assert(sizeof(struct board_header) == 64, "doc/board.md: board_header");
_Static_assert(offsetof(struct board_header, size) == 8, "doc/board.md");
_Static_assert(offsetof(struct board_header, slots) == 16, "doc/board.md");
_Static_assert(offsetof(struct board_header, milters) == 24, "doc/board.md");
_Static_assert(offsetof(struct board_header, counters) == 32, "doc/board.md");
_Static_assert(offsetof(struct board_header, history) == 40, "doc/board.md");
_Static_assert(offsetof(struct board_wish, actions) == 4, "doc/board.md");
_Static_assert(offsetof(struct board_wish, protocol) == 8, "doc/board.md");
_Static_assert(offsetof(struct board_wish, has_list) == 12, "doc/board.md");
_Static_assert(offsetof(struct board_wish, list_len) == 20, "doc/board.md");
_Static_assert(offsetof(struct board_wish, list) == 34, "doc/board.md");
_Static_assert(offsetof(struct board_milter_cell, switched) == 72,
	       "doc/board.md");
_Static_assert(offsetof(struct board_milter_cell, wish) == 76, "doc/board.md");
_Static_assert(sizeof(struct board_milter_cell) == 7296,
	       "doc/board.md: board_milter_cell");
_Static_assert(offsetof(struct board_control, log_generation) == 64,
	       "doc/board.md");
_Static_assert(offsetof(struct board_control, milters) == 128, "doc/board.md");
_Static_assert(sizeof(struct board_control) == 467072,
	       "doc/board.md: board_control");
_Static_assert(offsetof(struct board_times, buckets) == 8, "doc/board.md");
_Static_assert(sizeof(struct board_times) == 872, "doc/board.md: board_times");
_Static_assert(offsetof(struct board_shard, verdicts) == 152, "doc/board.md");
_Static_assert(offsetof(struct board_shard, milters) == 2952, "doc/board.md");
_Static_assert(offsetof(struct board_shard, answers) == 13192, "doc/board.md");
_Static_assert(offsetof(struct board_shard, waits) == 43912, "doc/board.md");
_Static_assert(offsetof(struct board_shard, latencies) == 53504,
	       "doc/board.md");
_Static_assert(sizeof(struct board_shard) == 611584,
	       "doc/board.md: board_shard");
_Static_assert(offsetof(struct board_breaker_cell, opened_at) == 8,
	       "doc/board.md");
_Static_assert(offsetof(struct board_breaker_cell, failed) == 16,
	       "doc/board.md");
_Static_assert(offsetof(struct board_breaker_cell, suspect) == 24,
	       "doc/board.md");
_Static_assert(offsetof(struct board_breaker_cell, down_until) == 32,
	       "doc/board.md");
_Static_assert(offsetof(struct board_breaker_cell, reuse) == 96,
	       "doc/board.md");
_Static_assert(sizeof(struct board_breaker_cell) == 128,
	       "doc/board.md: board_breaker_cell");
_Static_assert(offsetof(struct board_numbers, shards) == 64, "doc/board.md");
_Static_assert(offsetof(struct board_numbers, breakers) == 4892736,
	       "doc/board.md");
_Static_assert(offsetof(struct board_numbers, newest) == 4900928,
	       "doc/board.md");
_Static_assert(offsetof(struct board_numbers, states) == 4900992,
	       "doc/board.md");
_Static_assert(offsetof(struct board_numbers, slots) == 5300992,
	       "doc/board.md");
_Static_assert(offsetof(struct board_slot, stage) == 4, "doc/board.md");
_Static_assert(offsetof(struct board_slot, child) == 8, "doc/board.md");
_Static_assert(offsetof(struct board_slot, sessions) == 12, "doc/board.md");
_Static_assert(offsetof(struct board_slot, since) == 16, "doc/board.md");
_Static_assert(offsetof(struct board_slot, generation) == 24, "doc/board.md");
_Static_assert(offsetof(struct board_slot, text) == 32, "doc/board.md");
_Static_assert(offsetof(struct board_slot, settings) == 228, "doc/board.md");
_Static_assert(offsetof(struct board_slot, listener) == 232, "doc/board.md");
_Static_assert(offsetof(struct board_slot, held) == 236, "doc/board.md");
_Static_assert(offsetof(struct board_text, peer) == 4, "doc/board.md");
_Static_assert(offsetof(struct board_text, queue_id) == 68, "doc/board.md");
_Static_assert(offsetof(struct board_text, sender) == 100, "doc/board.md");
_Static_assert(sizeof(struct board_text) == 196, "doc/board.md: board_text");
_Static_assert(offsetof(struct board_slot, guests) == 300, "doc/board.md");
_Static_assert(sizeof(struct board_slot) == 304, "doc/board.md: board_slot");
_Static_assert(sizeof(struct board_slot_cell) == 320,
	       "doc/board.md: board_slot_cell");
_Static_assert(offsetof(struct board_ring_cell, hash) == 4, "doc/board.md");
_Static_assert(offsetof(struct board_ring_cell, number) == 8, "doc/board.md");
_Static_assert(offsetof(struct board_ring_cell, at) == 16, "doc/board.md");
_Static_assert(offsetof(struct board_ring_cell, queue_id) == 24,
	       "doc/board.md");
_Static_assert(offsetof(struct board_ring_cell, len) == 56, "doc/board.md");
_Static_assert(offsetof(struct board_ring_cell, line) == 58, "doc/board.md");
_Static_assert(sizeof(struct board_ring_cell) == 2048,
	       "doc/board.md: board_ring_cell");
#endif
