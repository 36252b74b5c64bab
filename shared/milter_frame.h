/*
 * milter_frame - length-prefixed packets out of and into a buf
 *
 * A packet is the command or answer letter and its payload; on the wire a
 * 32 bit big endian length of just that stands before it (milter-protocol 1).
 */
#ifndef SHARED_MILTER_FRAME_H
#define SHARED_MILTER_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"

enum frame_result {
	FRAME_OK = 0,
	FRAME_MORE,	 /* not all of it is here yet */
	FRAME_BAD_LENGTH /* 0 or above the limit: said as soon as 4 bytes are in */
};

/*
 * Looks at the first packet in b without using it up; length_max is the
 * largest length word allowed.  *packet_out: letter and payload, at least
 * one byte.  Use frame_skip() when done with it.
 */
enum frame_result frame_peek(const struct buf *b, uint32_t length_max,
			     struct slice *packet_out);
/* Uses up the packet that frame_peek() showed. */
void frame_skip(struct buf *b, struct slice packet);

/*
 * Writing: frame_begin() reserves the length and puts the letter; the payload
 * is appended with buf_add*(); frame_end() fills the length in.  When
 * anything in between failed, frame_undo() takes the unfinished packet away.
 * *mark_out is the buf_len() before.
 */
bool frame_begin(struct buf *b, char letter, size_t *mark_out)
	__attribute__((warn_unused_result));
void frame_end(struct buf *b, size_t mark);
/* The same, but false (and nothing done) when the payload is longer. */
bool frame_end_within(struct buf *b, size_t mark, size_t payload_max)
	__attribute__((warn_unused_result));
void frame_undo(struct buf *b, size_t mark);
/* A packet without payload. */
bool frame_put(struct buf *b, char letter) __attribute__((warn_unused_result));

/*
 * What a peer that speaks no milter seems to be, from its first bytes: "an
 * HTTP client", "an SMTP server", "TLS", "Redis" ...; NULL when unknown.
 */
const char *frame_guess_peer(struct slice first_bytes);

#endif
