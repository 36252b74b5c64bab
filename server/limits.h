/*
 * limits - what this machine allows, compared with the settings, in words
 *
 * Read once at start.  A limit that cannot be read is LIMITS_NONE.  Nothing
 * here fails: a machine that allows less gets fewer workers, and says so.
 */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"

#define LIMITS_NONE UINT64_MAX

struct limits {
	uint64_t nofile;    /* descriptors of one process, soft */
	uint64_t nproc;	    /* processes of the user; none for root */
	uint64_t pid_max;   /* process ids of the machine */
	uint64_t pids_free; /* what the control group still allows */
	uint64_t somaxconn; /* longest queue of a listener */
};

/* What the settings ask for. */
struct limits_wish {
	unsigned workers_max;
	unsigned listeners;
	unsigned milters;
	unsigned reserve; /* workers above workers_max */
};

/*
 * Raises RLIMIT_NOFILE of this process to what the wish needs, as far as it
 * may; workers inherit it.
 */
void limits_raise(const struct limits_wish *wish);
/* as_root: RLIMIT_NPROC does not count for who will run the workers. */
void limits_read(struct limits *limits_out, bool as_root);
/*
 * How many workers are possible, at most wish->workers_max and at least 1.
 * One line per limit that cuts or is too small into words, each ended by a
 * newline; *short_out: true when there is any.
 */
unsigned limits_cap(const struct limits *l, const struct limits_wish *wish,
		    struct buf *words, bool *short_out);
/* One line with the limits themselves. */
void limits_print(const struct limits *l, const struct limits_wish *wish,
		  struct buf *words);

#endif
