/*
 * mta - the connection to the MTA: its socket and what lies in both buffers
 *
 * Owns the descriptor.  Reading waits in mta_await() only; writing waits for
 * the MTA alone, at most MTA_WRITE_TIMEOUT.  Once lost, every call says so
 * again.
 */
#ifndef WORKER_MTA_H
#define WORKER_MTA_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/milter_answer.h"

struct mta_line {
	int fd;
	struct buf in;
	struct buf out;
	size_t packet_len; /* of the packet shown last, to be used up */
	bool is_tcp;
	bool is_patient; /* mta_await() may be used */
	bool lost;	 /* closed, reset, or does not read */
	bool garbage;	 /* a packet of impossible length */
};

void mta_init(struct mta_line *m);
/* is_tcp: acknowledgements are not to be delayed. */
void mta_open(struct mta_line *m, int fd, bool is_tcp);
/* mta_await() may wait so long, in microseconds. */
void mta_be_patient(struct mta_line *m, uint64_t patience);
void mta_close(struct mta_line *m);
/* Idle for now: empty buffers are given back. */
void mta_trim(struct mta_line *m);

/* The descriptor to poll for input, -1 while there is no room for more. */
int mta_wants(const struct mta_line *m);
/* After poll said readable: reads once. */
void mta_read(struct mta_line *m);
/*
 * While there is nothing else to wait for: waits for it and reads once.
 * False: it has said nothing in all its patience, or has none.
 */
bool mta_await(struct mta_line *m);
/* The next whole packet; false: none yet, or garbage.  Good until the next. */
bool mta_next(struct mta_line *m, struct slice *packet_out);
/* The letter of the packet mta_next() would show; 0: none. */
char mta_peek(const struct mta_line *m);

/*
 * Queues an answer; large amounts are written on the way.  False: lost, or
 * no memory (then lost as well: half an answer is worse than none).
 */
bool mta_put(struct mta_line *m, const struct answer *answer);
/* Room in the queue after writing some away; false: lost. */
bool mta_make_room(struct mta_line *m);
/* Writes all that is queued. */
bool mta_flush(struct mta_line *m);

#endif
