/*
 * ctl_client - one conversation with the server: requests and their answers
 *
 * Finds the status and control sockets in the settings file, which may be
 * wrong elsewhere: asking for a reload must work just then.  Owns one socket;
 * every answer comes before the deadline or not at all.  Complaints, with what
 * to do about it, go to stderr.
 */
#ifndef TOOL_CTL_CLIENT_H
#define TOOL_CTL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "tool/options.h"

#define CTL_CLIENT_WHERE 400

/* What every verb that asks the server takes. */
struct ctl_client_options {
	const char *conf;
	const char *address; /* NULL: as the settings say */
	uint64_t timeout;    /* microseconds; 0: the verb's own */
	bool is_json;
	bool is_quiet; /* who asks says himself that nobody answers */
};

/* Their rows; a verb's own options count from CTL_CLIENT_OTHER on. */
enum ctl_client_option {
	CTL_CLIENT_CONF = 1,
	CTL_CLIENT_ADDRESS,
	CTL_CLIENT_TIMEOUT,
	CTL_CLIENT_JSON,
	CTL_CLIENT_OTHER,
};
/* clang-format off */
#define CTL_CLIENT_ROWS \
	{ CTL_CLIENT_CONF,    "config",  'c', true }, \
	{ CTL_CLIENT_ADDRESS, "socket",  's', true }, \
	{ CTL_CLIENT_TIMEOUT, "timeout", 't', true }, \
	{ CTL_CLIENT_JSON,    "json",    'j', false }
/* clang-format on */
#define CTL_CLIENT_DEFAULTS                                                    \
	{                                                                      \
		SEKISHO_CONF, NULL, 0, false, false                            \
	}

/* One of the options above; false: its value is wrong, which was said. */
bool ctl_client_option(struct ctl_client_options *o, int id, const char *value);

struct ctl_client {
	int fd; /* -1: closed */
	bool is_quiet;
	uint64_t timeout;
	char where[CTL_CLIENT_WHERE]; /* the address, for messages */
	struct buf in;
	struct buf out;
	size_t answer_len; /* the answer last given, still in `in` */
};

/*
 * Connects: a request that changes something to a control socket, others to a
 * status socket or, where there is none, to a control socket.  timeout: of
 * this verb, unless options name another.  Status: CTL_OK or CTL_UNREACHABLE
 * (also CTL_USAGE for an address that is none).
 */
int ctl_client_open(struct ctl_client *c, const struct ctl_client_options *o,
		    bool changes, uint64_t timeout)
	__attribute__((warn_unused_result));
/*
 * Sends a line and waits for its answer, which is good until the next call.
 * CTL_OK: "ok"; CTL_REFUSED: "error", and the text says why (nothing was
 * printed); CTL_UNREACHABLE: none came.
 */
int ctl_client_ask(struct ctl_client *c, const char *line,
		   struct slice *text_out) __attribute__((warn_unused_result));
void ctl_client_close(struct ctl_client *c);

/* Asks for something that changes nothing, and prints it (in ctl_ask.c). */
int ctl_ask_line(const char *line, const struct ctl_client_options *o);

#endif
