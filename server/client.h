/*
 * client - one connection to a status or control socket
 *
 * Owns the descriptor and two bounded buffers.  Registered once with
 * EPOLLET: `readable` and `writable` are what is known of the descriptor, and
 * are forgotten when the kernel says EAGAIN.  No call here ever waits.
 * Fails by is_over: the caller closes it then.
 */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/peer.h"
#include "shared/buf.h"

struct client {
	int fd; /* -1: this place is free */
	bool is_control;
	bool readable;
	bool writable;
	bool is_eof;   /* no request comes any more */
	bool is_last;  /* what is in `out` is the last answer */
	bool is_over;  /* to be closed now */
	/* Ticket of a wish it waits for: nothing is taken meanwhile; or 0. */
	uint64_t waits;
	struct peer peer;
	struct buf in;
	struct buf out;
	uint64_t heard; /* when it sent a request, or took an answer, last */
	uint64_t stuck; /* since when `out` does not move; 0: it is empty */
};

enum client_input {
	CLIENT_NOTHING, /* no complete request, or it is not its turn */
	CLIENT_LINE,
	CLIENT_HTTP,	 /* a complete head of a request */
	CLIENT_TOO_LONG, /* a line without end */
	CLIENT_HTTP_TOO_LONG,
};

void client_open(struct client *c, int fd, bool is_control, uint64_t now);
void client_close(struct client *c);
/* Reads what has come, as far as there is room for it. */
void client_read(struct client *c);
/* Writes what can be written. */
void client_write(struct client *c, uint64_t now);
/*
 * The next request, as soon as it is complete and its answer would not be
 * piled on unread ones.  The slice is good until client_done().
 */
enum client_input client_next(const struct client *c, struct slice *text_out);
/* It is dealt with: a line, or a whole head. */
void client_done(struct client *c, enum client_input kind, struct slice text,
		 uint64_t now);
/* Is there anything to do for it without a new event? */
bool client_has_work(const struct client *c);
/* When it is to be dropped if nothing happens; CLOCK_NEVER: it is not. */
uint64_t client_until(const struct client *c);

/* `ok BYTES` or `error BYTES`, and the text. */
void client_answer(struct client *c, bool ok, struct slice text);
/* Bytes as they are; the connection ends behind them. */
void client_answer_last(struct client *c, struct slice bytes);

#endif
