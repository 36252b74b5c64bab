/*
 * puppet - a child milter played inside the test process
 *
 * Owns a unix listener in a directory of its own and at most one connection,
 * all non-blocking: the test lets the program go on, then puppet_play(), and
 * so on, each in its turn.  It answers as it is told to, and writes down what
 * it heard.  Fails the running test.
 */
#ifndef T_UNIT_WORKER_PUPPET_H
#define T_UNIT_WORKER_PUPPET_H

#include "shared/buf.h"
#include "shared/conf.h"
#include "shared/milter_answer.h"
#include "shared/milter_command.h"

struct puppet {
	char directory[64];
	char path[80];
	int listener;
	int fd; /* -1: nobody is connected */
	struct buf in;
	/*
	 * One letter a command, "|" a connection; MAIL and RCPT with their
	 * addresses, HELO and unknown commands with their text.
	 */
	struct buf heard;
	/* "name:value\n", an empty line, the body; of the last message. */
	struct buf content;
	/* "M i=Q1 " a MACRO packet with its letter. */
	struct buf macros;

	struct option option; /* its answer to OPTNEG */
	const char *hello;    /* sent instead of it; "" for nothing */
	/*
	 * What it says at each stage, as puppet_say() has it; "" for nothing.
	 * Not asked where its NR_* bits forbid an answer.
	 */
	const char *say[STAGE_COUNT];
	const char *bad_rcpt; /* to this one it says bad_say instead */
	const char *bad_say;
	/* Sent in front of its answer to E. */
	const struct answer *edits;
	size_t edit_count;
};

/* Listens, and continues everything with version 6 and all actions. */
void puppet_open(struct puppet *p);
void puppet_close(struct puppet *p);
/* The address as a setting has it. */
void puppet_address(const struct puppet *p, struct endpoint *endpoint_out);
/*
 * Accepts, reads, answers, as far as it goes without waiting.  True:
 * something happened.
 */
bool puppet_play(struct puppet *p);
/*
 * Each letter is an answer without payload; "y" takes the rest as its text,
 * "x" closes the connection, "!" is a length that cannot be.
 */
void puppet_say(struct puppet *p, const char *words);
void puppet_answer(struct puppet *p, const struct answer *a);
/* What was heard since the last time it was looked at. */
void puppet_expect(struct puppet *p, const char *heard);

#endif
