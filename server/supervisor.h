/*
 * supervisor - the process that owns everything and serves nobody
 *
 * Opens sockets and shared memory, gives up root, keeps the right number of
 * workers alive, and says what became of those who died.  One loop; it
 * goes through the phases start, run, drain, stop.  The settings may change on
 * the way, see reload.h.  Waits for nothing that a worker, an MTA, a child
 * milter or a resolver could withhold.
 */
#ifndef SERVER_SUPERVISOR_H
#define SERVER_SUPERVISOR_H

#include <stdbool.h>

#include "server/handover.h"
#include "shared/conf.h"

struct supervisor_how {
	const struct conf *conf;
	struct arena *arena;   /* of conf; taken over */
	const char *conf_path; /* absolute; read again at a reload */
	const char *version;
	struct inherit *sockets; /* open already; used up */
	/* What the program had whose place we took; NULL: we began anew. */
	const struct handover *handover;
	bool foreground; /* for the program that takes ours */
	bool in_background; /* standard error goes away once all is ready */
	int tell_ready;	    /* for background_ready(), -1 for none */
};

/*
 * Returns when it was told to stop and all workers are gone: true.  False: it
 * could not start, or its workers could not; the reason is in the log.
 */
bool supervisor_run(const struct supervisor_how *how);

#endif
