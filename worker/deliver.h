/*
 * deliver - the end of a message: the whole log of edits, then the verdict
 *
 * Nothing goes out before all of it lies ready; then it goes in one run,
 * waiting for the MTA alone.  Order and exceptions: design section 3, "Edits
 * are a log".
 */
#ifndef WORKER_DELIVER_H
#define WORKER_DELIVER_H

#include <stdbool.h>

#include "worker/chain.h"
#include "worker/mta.h"

/* The reasons of all quarantines, joined; empty: none.  False: no memory. */
bool deliver_quarantine(const struct chain *c, struct slice *reasons_out);
/*
 * Makes the log of an accepted message ready: free children's edits are
 * brought into line with the others'.  False: no memory, send nothing.
 */
bool deliver_prepare(struct chain *c);
/*
 * Sends the log, the new body if any, the quarantine and "continue".  False:
 * the MTA is lost (also when the spool cannot be read back: then the
 * connection must be dropped, or half of a message would count).
 * *edits_out: how many requests were sent.
 */
bool deliver_send(struct chain *c, struct mta_line *mta,
		  struct slice quarantine, unsigned *edits_out);

#endif
