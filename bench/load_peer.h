/*
 * load_peer - one milter in an MTA's list, talked to in Postfix's way
 *
 * Owns the socket, two buffers and the macros this milter wants; lives as
 * long as the MTA's session.  What needs no answer is gathered and written
 * 4096 bytes at a time, as Postfix's stream does; before an answer is waited
 * for everything goes out.  Each header and body chunk has its macros before
 * it, as Postfix sends them.  Waits with poll and reads after it.
 * Fails by PEER_FAILED with a line on stderr; use it no more then.
 */
#ifndef BENCH_LOAD_PEER_H
#define BENCH_LOAD_PEER_H

#include "shared/buf.h"
#include "shared/endpoint.h"
#include "shared/milter_command.h"

enum peer_result {
	PEER_CONTINUE = 0,
	PEER_ACCEPTED, /* wants no more of this message (or connection) */
	PEER_SKIP,     /* wants no more of the body */
	PEER_REFUSED,  /* reject, tempfail, discard, a reply */
	PEER_FAILED, /* it broke off, was silent too long or talked nonsense */
};

struct peer {
	int fd;
	struct buf in;
	struct buf out;
	uint32_t protocol;
	struct buf macros[LIST_COUNT];
	bool is_out_connection; /* it accepted at connect or helo */
	bool is_out_message;
};

/* Connects and negotiates; endpoint is resolved.  Always close it later. */
bool peer_open(struct peer *p, const struct endpoint *endpoint)
	__attribute__((warn_unused_result));
/* Sends QUIT and closes. */
void peer_close(struct peer *p);
/*
 * Says a command of one of the stages, its macros before it, unless this
 * milter wants none of that stage; waits for the answer if one is owed.
 * Changes that come before the final answer are read and left alone.
 */
enum peer_result peer_say(struct peer *p, const struct command *command)
	__attribute__((warn_unused_result));
/* ABORT; it goes out together with what is said next. */
bool peer_abort(struct peer *p) __attribute__((warn_unused_result));

#endif
