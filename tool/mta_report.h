/*
 * mta_report - what became of one message, noted while it is played
 *
 * Everything noted is copied into the report's own arena and lives until the
 * report is emptied for the next message.  Notes are dropped when memory runs
 * out (the arena then says it failed, and so does the message).
 */
#ifndef TOOL_MTA_REPORT_H
#define TOOL_MTA_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "shared/arena.h"
#include "shared/milter_answer.h"

enum verdict {
	VERDICT_ACCEPT,
	VERDICT_REJECT,
	VERDICT_TEMPFAIL,
	VERDICT_DISCARD,
	VERDICT_QUARANTINE,
	VERDICT_FAILURE, /* of the protocol or the connection */
	VERDICT_COUNT
};

/* "accept", "reject", ... */
const char *verdict_name(enum verdict verdict);
/* The exit status of the program: 0, 10, 11, 12, 13, 20. */
int verdict_status(enum verdict verdict);

enum report_answer {
	REPORT_ANSWERED, /* see kind */
	REPORT_NOT_SENT, /* the milter did not want it */
	REPORT_NOT_OWED, /* sent, but no answer was to come */
};

struct report_step {
	struct report_step *next;
	const char *stage; /* static text */
	struct slice what; /* address, name of the header, ... */
	enum report_answer how;
	enum answer_kind answer;
	struct slice text; /* of a reply code */
	uint64_t time;	   /* until the answer, microseconds */
};

struct report_edit {
	struct report_edit *next;
	struct answer answer;
};

enum fate {
	FATE_ACCEPTED,
	FATE_REJECTED,
	FATE_TEMPFAILED,
	FATE_REFUSED, /* by the MTA itself */
	FATE_DELETED,
	FATE_ADDED,
};

struct report_rcpt {
	struct report_rcpt *next;
	struct slice address;
	enum fate fate;
	struct slice text; /* of its refusal */
};

struct report_warning {
	struct report_warning *next;
	struct slice text;
};

struct report {
	struct arena arena;
	unsigned session;
	unsigned message;
	struct slice file;
	struct slice queue_id;
	struct slice sender;	  /* after the edits */
	struct slice sender_args; /* given by CHGFROM */
	struct report_step *steps, *last_step;
	struct report_edit *edits, *last_edit;
	struct report_rcpt *rcpts, *last_rcpt;
	struct report_warning *warnings, *last_warning;
	enum verdict verdict;
	const char *stage; /* where the verdict was given */
	struct slice reply;
	struct slice quarantine;
	struct slice failure; /* empty: none */
	bool is_body_replaced;
	uint64_t body_size; /* as it would be delivered */
	uint64_t body_hash;
	uint64_t time;
};

void report_init(struct report *r);
void report_deinit(struct report *r);
void report_begin(struct report *r, unsigned session, unsigned message);

void report_step(struct report *r, const struct report_step *step);
void report_edit(struct report *r, const struct answer *answer);
struct report_rcpt *report_rcpt(struct report *r, struct slice address,
				enum fate fate);
void report_warn(struct report *r, struct slice text);
/* The first failure of a message stays; false always, for the caller. */
bool report_fail(struct report *r, const char *stage, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_verdict(struct report *r, enum verdict verdict, const char *stage,
		    struct slice reply);

/* For people: a line per step, and what became of it. */
void report_print(const struct report *r, FILE *to);
/* One JSON object on one line. */
void report_print_json(const struct report *r, FILE *to);
const char *report_fate_name(enum fate fate);

#endif
