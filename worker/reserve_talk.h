/*
 * reserve_talk - what each command gets while there is no time for mail; pure
 *
 * One per connection of a reserve worker.  Every command is answered as often
 * as the session of an ordinary worker would answer it; only that no child is
 * asked: each MAIL gets on_overload, and with it its message.  The connection
 * stays good for the messages behind it.  Fails by ending the talk, with a
 * reason where it was the MTA's fault.
 */
#ifndef WORKER_RESERVE_TALK_H
#define WORKER_RESERVE_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/conf.h"
#include "shared/milter_answer.h"
#include "shared/milter_command.h"

/*
 * Where the MTA stands.  OVER is a message that has had its verdict, at its
 * MAIL, while the MTA may still talk about it.
 */
enum reserve_place {
	RESERVE_START,
	RESERVE_OPTIONS, /* negotiated (or QUIT_NC): the client comes next */
	RESERVE_IDLE,
	RESERVE_OVER,
	RESERVE_PLACES
};

/* All zero but on_overload: a new connection. */
struct reserve_talk {
	enum conf_overload on_overload;
	enum reserve_place place;
	uint32_t protocol;     /* as promised to the MTA */
	bool may_negotiate;    /* after QUIT_NC an OPTNEG may come again */
};

struct reserve_reply {
	bool ends;	 /* close the connection behind the answers */
	const char *why; /* it ends by the MTA's fault: this one; else NULL */
	bool is_message; /* a message began, and got its verdict */
	bool has_answer;
	struct answer answer;
};

void reserve_hear(struct reserve_talk *talk, const struct command *cmd,
		  struct reserve_reply *reply_out);

#endif
