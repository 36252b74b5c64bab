/*
 * metrics - the lines of the two text formats that Prometheus reads
 *
 * OpenMetrics 1.0 and the older text format 0.0.4 differ in how a counter's
 * family is called, in the type of an info, and in the end; callers need not
 * know.  A family's samples must stand together, behind metrics_family().
 * Fails by the buf being full, which the caller looks at in the end.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/histogram.h"

enum metrics_type {
	METRICS_GAUGE,
	METRICS_COUNTER,   /* its samples end in _total */
	METRICS_HISTOGRAM, /* of seconds */
	METRICS_INFO,	   /* its sample ends in _info */
};

struct metrics_label {
	const char *name; /* NULL: none */
	const char *value;
};

#define METRICS_LABELS 3

struct metrics {
	struct buf *out;
	bool is_open; /* OpenMetrics */
	const char *name; /* of the family, without _total or _info */
	enum metrics_type type;
};

void metrics_family(struct metrics *m, const char *name,
		    enum metrics_type type, const char *help);
/* labels: METRICS_LABELS of them, or fewer and one without a name; or NULL. */
void metrics_sample(const struct metrics *m,
		    const struct metrics_label *labels, uint64_t value);
/* Microseconds as seconds. */
void metrics_sample_us(const struct metrics *m,
		       const struct metrics_label *labels, uint64_t us);
/*
 * Cumulative, with le at powers of two of a microsecond, 2 us to 134 s: a
 * time just at a border counts as above it.
 */
void metrics_histogram(const struct metrics *m,
		       const struct metrics_label *labels,
		       const struct histogram *h);
void metrics_end(const struct metrics *m);

#endif
