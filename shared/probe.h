/*
 * probe - does a child milter answer?  Asked once, and waited for
 *
 * Connects, offers what an MTA offers at most, reads what the milter wants of
 * it, says QUIT.  For processes that have nothing else to do meanwhile: the
 * supervisor's probe and the control tool; a worker never waits like this.
 * Holds nothing when it returns.  Fails by a reason in words.
 */
#ifndef SHARED_PROBE_H
#define SHARED_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/endpoint.h"

/* Instead of an address: all of the endpoint's, until one answers. */
#define PROBE_ALL ENDPOINT_ADDRS

struct probe_result {
	bool connected;
	bool negotiated;
	unsigned addr;	   /* which address of the endpoint was asked last */
	uint32_t version;  /* these three when negotiated; what we did not */
	uint32_t actions;  /* offer is cut off */
	uint32_t protocol; /* SMFIP_*: steps it does not want, and the like */
	uint64_t connect_time;	 /* microseconds, of the last address */
	uint64_t negotiate_time; /* from connected to its answer */
	char why[160]; /* "" when negotiated: else what went wrong */
};

/*
 * Asks a resolved endpoint at one of its addresses, or at PROBE_ALL of them
 * with an even share of the time for each.  timeout: microseconds, for all of
 * it.  True: it has negotiated.
 */
bool probe_milter(const struct endpoint *e, unsigned addr, uint64_t timeout,
		  struct probe_result *result_out);

#endif
