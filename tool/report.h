/*
 * report - what numbers say, for people, spreadsheets and scripts
 *
 * Per milter and stage how often it answered what and how long it took; and
 * what became of messages, by cause and stage.  Pure: numbers in, text out.
 * False: no room.
 */
#ifndef TOOL_REPORT_H
#define TOOL_REPORT_H

#include "shared/buf.h"
#include "tool/numbers.h"

struct report {
	const struct numbers *n; /* the difference, or all */
	uint64_t from;		 /* wall clock, microseconds */
	bool is_all;		 /* since the server was started */
};

bool report_print(const struct report *r, struct buf *out)
	__attribute__((warn_unused_result));
/* One table; columns that mean nothing in a row are empty there. */
bool report_print_csv(const struct report *r, struct buf *out)
	__attribute__((warn_unused_result));
bool report_print_json(const struct report *r, struct buf *out)
	__attribute__((warn_unused_result));

/* Of all; 0 when there are none. */
double report_share(uint64_t part, uint64_t all);
/* "950us", "1.25ms", "12.5s": three digits; "-" for a time that is none. */
#define REPORT_TIME 16
void report_time(uint64_t us, char text[REPORT_TIME]);

#endif
