/*
 * numbers - the server's counters as it tells them, in a struct
 *
 * Reads the text of the request `numbers` (sekisho-status(7)) strictly: a
 * line that is none, a word nobody knows or a number that is none refuses the
 * whole of it, with the line.  The struct is large: one on the heap per text.
 */
#ifndef TOOL_NUMBERS_H
#define TOOL_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/board.h"
#include "shared/slice.h"

#define NUMBERS_WHY 160

struct numbers_milter {
	char name[BOARD_NAME_MAX];
	uint64_t counter[BOARD_MILTER_COUNTERS];
	uint64_t answer[STAGE_COUNT][BOARD_ANSWERS];
	struct histogram latency[STAGE_COUNT];
	struct conf_switch mode;
	enum breaker_state breaker;
	uint64_t connections; /* of all its sockets */
};

struct numbers {
	uint64_t time;	 /* wall clock, microseconds since 1970 */
	uint64_t uptime; /* seconds */
	char version[64];
	uint64_t workers[SLOT_STATES];
	uint64_t counter[BOARD_COUNTERS];
	uint64_t verdict[STAGE_COUNT][OUTCOMES][CAUSES];
	struct histogram wait[STAGE_COUNT + 1]; /* the last: whole messages */
	struct numbers_milter milter[BOARD_MILTERS];
	size_t milter_count;
};

/* False: why_out says where and what. */
bool numbers_parse(struct slice text, struct numbers *n_out,
		   char why_out[NUMBERS_WHY])
	__attribute__((warn_unused_result));
/*
 * What happened between two: all that counts up becomes the difference, what
 * is a state (workers, modes, connections) stays as it is now.  Milters are
 * found by name.  False: something counted down, so the server was started
 * anew in between; `now` is then left alone and tells of all since its start.
 */
bool numbers_subtract(struct numbers *now, const struct numbers *before);

/* NULL: not there. */
const struct numbers_milter *numbers_find(const struct numbers *n,
					  const char *name);
/* All answers to a stage; all failures. */
uint64_t numbers_answers(const struct numbers_milter *m, enum stage stage);
uint64_t numbers_failures(const struct numbers_milter *m);
uint64_t numbers_outcome(const struct numbers *n, enum board_outcome outcome);
/* That have an outcome. */
uint64_t numbers_messages(const struct numbers *n);
/* All stages together. */
void numbers_latency(const struct numbers_milter *m, struct histogram *sum_out);

/* "sessions", "applied", ...; as they stand in the text. */
const char *numbers_counter_name(enum board_counter counter);
const char *numbers_milter_name(enum board_milter_counter counter);

#endif
