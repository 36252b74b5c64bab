/*
 * board_layout - the bytes of the two memfds of the board
 *
 * For board.c, board_read.c and their test only; everybody else goes through
 * board.h.  What is asserted here is written down in doc/board.md; change
 * both and BOARD_VERSION together.
 */
#ifndef SHARED_BOARD_LAYOUT_H
#define SHARED_BOARD_LAYOUT_H

#include <stdalign.h>

#include "shared/board.h"

#define BOARD_MAGIC	0x534b5348u /* "SKSH" */
#define BOARD_LINE	64	    /* bytes of a cache line */
#define BOARD_SLOTS_MAX 100000

/* At offset 0 of both memfds; written once, before anybody else maps them. */
struct board_header {
	uint32_t magic;
	uint32_t version;
	uint64_t size;	    /* of the whole memfd, bytes */
	uint32_t slots;	    /* numbers; 0 in control */
	uint32_t slot_size; /* numbers; 0 in control */
	uint32_t milters;
	uint32_t shards;    /* numbers; 0 in control */
	uint32_t counters;  /* numbers: words of a shard before the milters */
	uint32_t milter_counters;
	char padding[24];
};

/* Cells begin on a line of their own, so that no two writers share one. */
struct board_wish_cell {
	alignas(BOARD_LINE) struct board_wish wish;
};

struct board_slot_cell {
	alignas(BOARD_LINE) struct board_slot slot;
};

struct board_shard {
	alignas(BOARD_LINE) _Atomic uint64_t counters[BOARD_COUNTERS];
	_Atomic uint64_t milters[BOARD_MILTERS][BOARD_MILTER_COUNTERS];
};

struct board_control {
	struct board_header header;
	struct board_wish_cell wishes[BOARD_MILTERS];
};

struct board_numbers {
	struct board_header header;
	struct board_shard shards[BOARD_SHARDS];
	struct board_slot_cell slots[]; /* header.slots of them */
};

struct board {
	struct board_control *control;
	struct board_numbers *numbers;
	size_t numbers_size;
	unsigned slots; /* our own copy: what is in the memfd is not trusted */
	int control_fd;
	int numbers_fd;
};

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
	       "the words of the board are shared between processes");
_Static_assert(sizeof(struct board_header) == 64, "doc/board.md: header");
_Static_assert(offsetof(struct board_header, size) == 8, "doc/board.md");
_Static_assert(offsetof(struct board_header, slots) == 16, "doc/board.md");
_Static_assert(offsetof(struct board_header, milters) == 24, "doc/board.md");
_Static_assert(offsetof(struct board_header, counters) == 32, "doc/board.md");

_Static_assert(offsetof(struct board_wish, actions) == 4, "doc/board.md");
_Static_assert(offsetof(struct board_wish, protocol) == 8, "doc/board.md");
_Static_assert(offsetof(struct board_wish, has_list) == 12, "doc/board.md");
_Static_assert(offsetof(struct board_wish, list_len) == 20, "doc/board.md");
_Static_assert(offsetof(struct board_wish, list) == 34, "doc/board.md");
_Static_assert(sizeof(struct board_wish_cell) == 7232, "doc/board.md: wish");
_Static_assert(offsetof(struct board_control, wishes) == 64, "doc/board.md");
_Static_assert(sizeof(struct board_control) == 462912, "doc/board.md");

_Static_assert(offsetof(struct board_shard, milters) == 128, "doc/board.md");
_Static_assert(sizeof(struct board_shard) == 8320, "doc/board.md: shard");
_Static_assert(offsetof(struct board_numbers, shards) == 64, "doc/board.md");
_Static_assert(offsetof(struct board_numbers, slots) == 66624, "doc/board.md");

_Static_assert(offsetof(struct board_slot, stage) == 4, "doc/board.md");
_Static_assert(offsetof(struct board_slot, child) == 8, "doc/board.md");
_Static_assert(offsetof(struct board_slot, sessions) == 12, "doc/board.md");
_Static_assert(offsetof(struct board_slot, since) == 16, "doc/board.md");
_Static_assert(offsetof(struct board_slot, generation) == 24, "doc/board.md");
_Static_assert(offsetof(struct board_slot, text) == 32, "doc/board.md");
_Static_assert(offsetof(struct board_text, peer) == 4, "doc/board.md");
_Static_assert(offsetof(struct board_text, queue_id) == 68, "doc/board.md");
_Static_assert(offsetof(struct board_text, sender) == 100, "doc/board.md");
_Static_assert(sizeof(struct board_text) == 196, "doc/board.md: text");
_Static_assert(sizeof(struct board_slot_cell) == 256, "doc/board.md: slot");

#endif
