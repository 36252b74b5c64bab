/*
 * milter_facts - what a playing child has heard in one connection
 *
 * Kept for the conditions of the rules and for --save.  Two arenas: one for
 * the connection, one for the message; the message's is emptied when the
 * next message begins, which may be its macros already.
 * Fails by false: no memory left, the connection had better end.
 */
#ifndef TOOL_MILTER_FACTS_H
#define TOOL_MILTER_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/milter_command.h"
#include "tool/milter_rule.h"

/* A recipient (arguments in second) or a header (value in second). */
struct fact {
	struct fact *next;
	struct slice first;
	struct slice second;
};

struct facts {
	struct arena session;
	struct arena message;
	uint64_t session_number; /* 1, 2, ... in order of connections */
	uint64_t message_number; /* in this connection; 0 before the first */
	struct slice client_name;
	struct slice client_address;
	struct slice helo;
	struct slice sender;
	struct slice sender_args;
	struct fact *rcpts, *last_rcpt;
	struct fact *headers, *last_header;
	struct buf body; /* empty unless keeps_body */
	bool keeps_body;
	bool has_leadspc; /* header values come with their leading blank */
	uint64_t body_size;
	uint64_t body_hash;
	/* Of the event kinds, in this message. */
	uint64_t seen[CMD_COUNT];
	struct slice macros[128]; /* by letter */
	bool is_fresh; /* macros of the next message came, MAIL did not yet */
};

void facts_init(struct facts *f, uint64_t session_number, bool keeps_body);
void facts_deinit(struct facts *f);
/* Back to before CONNECT (QUIT_NC); the numbers go on. */
void facts_forget(struct facts *f);
/* Notes a command; to be called before the rules are asked. */
bool facts_note(struct facts *f, const struct command *command);
/* The first rule for what was noted last, or NULL. */
const struct rule *facts_rule(const struct facts *f, const struct rules *rules,
			      const struct command *command);

#endif
