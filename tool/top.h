/*
 * top - what happens in a second, out of two answers about numbers
 *
 * Pure: numbers in, rates or text out.  The rates of the first picture are
 * those since the server was started.
 */
#ifndef TOOL_TOP_H
#define TOOL_TOP_H

#include "shared/buf.h"
#include "tool/numbers.h"

struct top_milter {
	const struct numbers_milter *now;
	double messages; /* a second, as all of these */
	double noes;
	double failures;
	uint64_t p50, p99; /* microseconds, of what was answered meanwhile */
	uint64_t all_p50, all_p99; /* since it is counted */
};

struct top {
	const struct numbers *now;
	double seconds; /* that the rates are about */
	bool is_all;	/* since the start of the server */
	double sessions;
	double messages;
	double bytes;
	double outcomes[OUTCOMES];
	struct top_milter milters[BOARD_MILTERS];
};

/*
 * before: an earlier answer, or NULL; difference: room for our own use, that
 * of one.  `now` must live as long as the result.
 */
void top_compute(const struct numbers *now, const struct numbers *before,
		 struct numbers *difference, struct top *t_out);

/* How large the picture may be; 0: as large as it gets. */
struct top_size {
	unsigned columns;
	unsigned lines;
	bool is_screen; /* has bold */
};

/*
 * workers: a table with a title, shown below as far as there is room.  On a
 * screen the picture begins where the pen is and wipes what was there.
 */
bool top_print(const struct top *t, struct slice workers,
	       const struct top_size *size, struct buf *out)
	__attribute__((warn_unused_result));

#endif
