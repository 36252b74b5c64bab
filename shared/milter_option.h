/*
 * milter_option - negotiation: what each child is offered, what the MTA gets
 *
 * Rules: milter-protocol section 3, design section 3.  All functions are pure.
 */
#ifndef SHARED_MILTER_OPTION_H
#define SHARED_MILTER_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/milter.h"
#include "shared/slice.h"

/* The body of an OPTNEG, either way.  Lists only ever come with an answer. */
struct option {
	uint32_t version;
	uint32_t actions;
	uint32_t protocol;
	bool has_list[LIST_COUNT];
	struct slice list[LIST_COUNT]; /* names separated by blanks */
};

/*
 * Reads the MTA's offer as libmilter does: an action mask of zero means 0x0f, a
 * protocol mask of zero means 0x3f, unknown bits and MDS bits are cleared,
 * version at most 6.  False: version below 2, *why_out says so.
 */
bool option_read_offer(const struct option *raw, struct option *offer_out,
		       const char **why_out);
/*
 * What a child is offered: version 6, the MTA's actions, all NO* and NR_*,
 * SKIP, and HDR_LEADSPC and RCPT_REJ where the MTA has them.
 */
struct option option_for_child(const struct option *offer);
/*
 * Reads a child's answer against what it was offered.  Tolerated and cut off:
 * actions and bits that were not offered, MDS.  Versions below 3 gain
 * NOUNKNOWN, below 4 NODATA.  False: version above the offered one.
 */
bool option_read_answer(const struct option *raw, const struct option *offered,
			struct option *got_out, const char **why_out);
/*
 * What the MTA is promised: version min(6, its own), all offered actions, no
 * NO* bit; NR_HDR, NR_EOH, NR_BODY, SKIP, HDR_LEADSPC, RCPT_REJ where offered.
 * Lists are left empty; see worker/wish.h.
 */
struct option option_for_mta(const struct option *offer);
/* Both MTAs' default names of a list, separated by blanks ("" for none). */
struct slice option_default_list(enum milter_list list);

#endif
