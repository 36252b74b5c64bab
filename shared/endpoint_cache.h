/*
 * endpoint_cache - addresses that somebody else has looked up
 *
 * A process that may not wait for a resolver is given what another process
 * found, and takes endpoints from there.  The memory is the caller's.
 */
#ifndef SHARED_ENDPOINT_CACHE_H
#define SHARED_ENDPOINT_CACHE_H

#include <stddef.h>

#include "shared/endpoint.h"

/* An endpoint that was looked up, and for what. */
struct endpoint_known {
	struct endpoint endpoint;
	bool passive;
};

struct endpoint_cache {
	const struct endpoint_known *at;
	size_t count;
};

/*
 * As endpoint_resolve(), but never waits: what is not known and needs a
 * resolver is refused.
 */
bool endpoint_recall(const struct endpoint_cache *cache, struct endpoint *e,
		     bool passive, const char **why_out);

#endif
