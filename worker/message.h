/*
 * message - headers and body of the message at hand, and their versions
 *
 * A view is the message as it stands at one place of the chain: the original
 * as the MTA sends it, or as a child above left it.  A view is never changed
 * once a child may look at it, but for the original growing at its end while
 * it arrives.  So a slow child (evaluate mode) keeps seeing what its place
 * showed it.  All memory is the message arena's, but for the body's (spool.h).
 */
#ifndef WORKER_MESSAGE_H
#define WORKER_MESSAGE_H

#include <stdbool.h>

#include "shared/arena.h"
#include "shared/conf.h"
#include "shared/header_list.h"
#include "worker/body.h"

struct view {
	struct header_list headers;
	struct body *body;
	bool headers_done; /* end of headers seen: no more are to come */
	bool complete;	   /* end of message seen */
};

/* Why a message cannot be taken any more; both stick until the reset. */
enum message_trouble {
	MESSAGE_FINE = 0,
	MESSAGE_TOO_LARGE, /* the sender's fault: 552 at end of message */
	MESSAGE_NO_SPACE,  /* ours: tempfail */
};

struct message {
	struct arena *arena;
	const struct conf *conf;
	struct view original;
	struct body body;
	struct spool spool; /* the body's; its pages serve the next message */
	unsigned header_count;
	uint64_t header_bytes;
	enum message_trouble trouble;
	int no_space;	   /* errno, with MESSAGE_NO_SPACE */
	const char *limit; /* the setting, with MESSAGE_TOO_LARGE */
};

/*
 * Begins a message; the arena is the message's and already reset.  Before the
 * first one *m is all zero.
 */
void message_begin(struct message *m, struct arena *arena,
		   const struct conf *conf, enum mta mta);
/* Closes what is open; the caller resets the arena afterwards. */
void message_end(struct message *m);
/* Idle for now: what is kept for the body of the next one is given back. */
void message_trim(struct message *m);

/* Content as the MTA sends it; in trouble, further content is dropped. */
void message_add_header(struct message *m, struct slice name,
			struct slice value);
void message_end_headers(struct message *m);
void message_add_body(struct message *m, struct slice bytes);
void message_complete(struct message *m);

/*
 * The next header milters see, counting *cursor up from 0; NULL when there is
 * none yet (headers_done tells whether one may still come).
 */
const struct header *view_next_header(const struct view *v, size_t *cursor);

#endif
