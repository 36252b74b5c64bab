/*
 * mta_peer - the playing MTA's connection to a milter, as bytes and packets
 *
 * Blocks, with a deadline for every answer; reads while it writes, so that a
 * milter that answers in the middle of a body cannot stop us both.
 * Fails by false with the reason in `why`; the connection is then of no use.
 */
#ifndef TOOL_MTA_PEER_H
#define TOOL_MTA_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/endpoint.h"
#include "shared/milter_answer.h"
#include "shared/milter_command.h"

struct mta_peer {
	int fd; /* -1: closed */
	struct buf in;
	struct buf out;
	uint64_t timeout;
	struct slice packet; /* the answer last read, still in `in` */
	bool is_eof;
	char why[160];
};

bool mta_peer_open(struct mta_peer *p, const struct endpoint *endpoint,
		   uint64_t timeout);
void mta_peer_close(struct mta_peer *p);

/* Queues a command; mta_peer_flush() sends all that is queued. */
bool mta_peer_put(struct mta_peer *p, const struct command *command);
bool mta_peer_put_bytes(struct mta_peer *p, struct slice bytes);
bool mta_peer_flush(struct mta_peer *p);
/* Sends what is queued and waits; the answer is good until the next call. */
bool mta_peer_answer(struct mta_peer *p, struct answer *answer_out);
/* Has anything come that was not read yet? */
bool mta_peer_is_quiet(struct mta_peer *p);
/*
 * After QUIT: reads until the milter closes, at most so long; true when
 * nothing came before that.
 */
bool mta_peer_drain(struct mta_peer *p, uint64_t limit);

#endif
