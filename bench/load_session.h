/*
 * load_session - one SMTP session of an MTA with milters, Postfix's way
 *
 * Each command of the envelope goes to the first milter, its answer is
 * awaited, then to the next; the content is replayed to each in turn.  With
 * one milter in the list this is an MTA in front of a manager.
 * Fails by false: the session broke off (a line is on stderr) and is closed
 * next.
 */
#ifndef BENCH_LOAD_SESSION_H
#define BENCH_LOAD_SESSION_H

#include "bench/load_peer.h"
#include "bench/load_tally.h"

#define LOAD_PEERS_MAX 16

/* What to send; the same for all sessions of a load. */
struct load_plan {
	uint64_t sessions;
	uint64_t messages; /* in each session */
	uint64_t concurrency;
	uint64_t headers;
	uint64_t size; /* of headers and body */
	uint64_t recipients;
	uint64_t helos;	   /* how often a session says it */
	uint64_t pause;	   /* ms, about so long between two of them */
	uint64_t stranger; /* every so many'th session is a stranger's; 0 */
	uint64_t hold;	   /* sessions to hold open; nothing else is sent */
	uint64_t limit;	   /* seconds for all of it */
	unsigned peer_count;
	struct endpoint peers[LOAD_PEERS_MAX];
	struct command_header *header; /* made of the above */
	struct slice body;
};

struct load_session {
	const struct load_plan *plan;
	struct load_tally *tally;
	unsigned open;
	struct peer peers[]; /* peer_count of them */
};

/* NULL: no memory. */
struct load_session *load_session_new(const struct load_plan *plan,
				      struct load_tally *tally);
/* Up to the answer to the last HELO; number tells whose session it is. */
bool load_session_begin(struct load_session *s, uint64_t number);
/* MAIL and the recipients; *refused_out: a milter does not want it. */
bool load_session_envelope(struct load_session *s, bool *refused_out);
/* A whole message, counted. */
bool load_session_message(struct load_session *s);
/* QUIT to all that are open. */
void load_session_end(struct load_session *s);

#endif
