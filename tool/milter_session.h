/*
 * milter_session - one MTA's connection to a playing child
 *
 * Never blocks: it is fed when its socket is readable or a delay is over, and
 * says what it waits for.  Owns the socket.  After DONE it wants nothing
 * more and is to be freed.  Rules that say so end the whole process.
 */
#ifndef TOOL_MILTER_SESSION_H
#define TOOL_MILTER_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tool/milter_rule.h"

/* What all connections of the process share. */
struct player {
	struct rules rules;
	FILE *log;	  /* NULL: none */
	const char *save; /* directory, NULL: none */
};

struct milter_session;

/* fd is owned from now on.  NULL: no memory, fd is closed. */
struct milter_session *milter_session_new(const struct player *player, int fd,
					  uint64_t number);
void milter_session_free(struct milter_session **s);

int milter_session_fd(const struct milter_session *s);
/* POLLIN, POLLOUT or neither (in a delay). */
short milter_session_events(const struct milter_session *s);
/* When to call milter_session_go() at the latest, as clock.h has it. */
uint64_t milter_session_when(const struct milter_session *s);
/* Does what can be done now; false: the connection is over. */
bool milter_session_go(struct milter_session *s, short revents);

#endif
