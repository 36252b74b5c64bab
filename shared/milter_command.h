/*
 * milter_command - MTA to milter: one command, decoded or to be encoded
 *
 * Decoding gives slices into the packet; what must outlive it is copied by
 * the caller.  Strict where a misreading would do harm, tolerant where both
 * MTAs or libmilter are: milter-protocol sections 1.2, 2.1 and 10.
 */
#ifndef SHARED_MILTER_COMMAND_H
#define SHARED_MILTER_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/milter.h"
#include "shared/milter_option.h"

enum command_kind {
	CMD_OPTNEG,
	CMD_MACRO,
	CMD_CONNECT,
	CMD_HELO,
	CMD_MAIL,
	CMD_RCPT,
	CMD_DATA,
	CMD_HEADER,
	CMD_EOH,
	CMD_BODY,
	CMD_EOM,
	CMD_ABORT,
	CMD_QUIT,
	CMD_QUIT_NC,
	CMD_UNKNOWN,
	CMD_COUNT
};

struct command_connect {
	struct slice host;
	char family; /* '4', '6', 'L' or 'U' */
	uint16_t port;
	struct slice address; /* as written; empty with family U */
};

struct command_envelope {
	struct slice address; /* as the client typed it */
	struct slice args;    /* each argument with its NUL; may be empty */
};

struct command_header {
	struct slice name;
	struct slice value;
};

struct command_macro {
	char letter;	    /* of the command they belong to; any byte */
	struct slice pairs; /* whole pairs, see macro.h */
};

struct command {
	enum command_kind kind;
	union {
		struct option option;		  /* OPTNEG */
		struct command_macro macro;	  /* MACRO */
		struct command_connect connect;	  /* CONNECT */
		struct slice text;		  /* HELO, UNKNOWN */
		struct command_envelope envelope; /* MAIL, RCPT */
		struct command_header header;	  /* HEADER */
		struct slice body;		  /* BODY; EOM with data */
	};
};

/*
 * packet: letter and payload.  False: *why_out says in words what is wrong
 * (static text); the only right thing to do then is to close.
 */
bool command_decode(struct slice packet, struct command *command_out,
		    const char **why_out);
/*
 * Appends the whole packet, length included; the slices may not point into b.
 * False: no room, or a payload above MILTER_PAYLOAD_MAX; b unchanged.
 */
bool command_encode(struct buf *b, const struct command *command)
	__attribute__((warn_unused_result));
/* "connect", "helo", ... for logs. */
const char *command_name(enum command_kind kind);
/* The stage of a command that has one, else STAGE_COUNT. */
enum stage command_stage(enum command_kind kind);

#endif
