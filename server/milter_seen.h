/*
 * milter_seen - what is known of one milter at this moment, gathered
 *
 * For `milters` and `milter NAME`.  The counters are read one after the other
 * while workers go on.  Never fails.
 */
#ifndef SERVER_MILTER_SEEN_H
#define SERVER_MILTER_SEEN_H

#include "server/status.h"
#include "shared/histogram.h"
#include "shared/json.h"

struct milter_seen {
	const struct conf_milter *conf;
	unsigned cell;
	struct conf_switch mode; /* in force */
	bool is_switched;
	struct board_breaker_copy breaker;
	uint64_t counters[BOARD_MILTER_COUNTERS];
	uint64_t noes; /* reject, tempfail and discard */
	uint64_t failures;
	unsigned held[CONF_SOCKETS_MAX];
	unsigned held_all;
	enum stage busiest;
	struct histogram times; /* of that stage */
};

/* milter: its place in the settings. */
void milter_seen_look(const struct status_view *v, size_t milter,
		      struct milter_seen *seen_out);
/* Messages it was not asked about, whatever the cause. */
uint64_t milter_seen_skipped(const struct milter_seen *seen);
struct stage_seen {
	uint64_t answers[BOARD_ANSWERS];
	struct histogram times;
};
/* What it has said to one stage.  False: nothing yet. */
bool milter_seen_stage(const struct status_view *v, unsigned cell,
		       enum stage stage, struct stage_seen *seen_out);
/* Everything about it, as one object of an array. */
void milter_seen_add(const struct status_view *v, size_t milter,
		     struct json *j);

#endif
