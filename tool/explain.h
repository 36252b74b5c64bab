/*
 * explain - which milters and rules apply to a made-up session, and why
 *
 * Plays connect to the end of message over the conditions of the settings; no
 * daemon, no milter and no network is needed.  What is not given (no
 * recipient, no message) is not known, and neither is what depends on it.
 * All memory is the arena's; a play fails by false: no memory.
 */
#ifndef TOOL_EXPLAIN_H
#define TOOL_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/cond.h"
#include "shared/conf.h"
#include "shared/facts.h"
#include "shared/milter.h"
#include "shared/rule.h"
#include "shared/slice.h"

#define EXPLAIN_LIST_MAX    100 /* recipients, macros, ... of the command line */
#define EXPLAIN_REASONS_MAX 8

/* NAME=VALUE of the command line. */
struct explain_pair {
	struct slice name;
	struct slice value;
};

/* What the command line says; an empty slice was not given. */
struct explain_settings {
	const char *conf;
	struct slice client;
	struct slice name;
	struct slice helo;
	struct slice from;
	struct slice rcpt[EXPLAIN_LIST_MAX];
	size_t rcpt_count;
	struct slice auth;
	struct slice tls;
	struct slice daemon;
	struct slice queue_id;
	struct explain_pair macro[EXPLAIN_LIST_MAX];
	size_t macro_count;
	struct slice arg[EXPLAIN_LIST_MAX];
	size_t arg_count;
	/* What these milters are supposed to say. */
	struct explain_pair milter[EXPLAIN_LIST_MAX];
	size_t milter_count;
	bool has_from;	   /* else MAIL is not reached */
	bool made_up_from; /* because what comes behind it was given */
	bool made_up_rcpt;
	unsigned second, weekday;
	uint64_t load, sessions, port, age;
	const char *file; /* NULL: no message */
	const char *of;	  /* NULL, or the milter or rule that is asked for */
	bool is_json;
};

/* One milter or rule. */
struct explain_item {
	const char *name;
	const struct cond *when; /* NULL: always */
	const struct conf_milter *milter; /* NULL: it is a rule */
	size_t index;
	/* Does it apply, or fire? */
	enum tri answer;
	/* Unknown, though all is there: a limit or a lookup failed. */
	bool has_failed;
	bool is_final; /* the stage below is that of the decision */
	enum stage stage;
	struct cond_reason reasons[EXPLAIN_REASONS_MAX];
	size_t reason_count; /* may be more than there are */
	/* recipients = own, and rules that fired for some only */
	struct slice *recipients;
	size_t recipient_count;
	const struct rule *skipped_by; /* a milter that a rule took out */
	enum stage skipped_at;
};

/* What a rule did, in words. */
struct explain_event {
	enum stage stage;
	const struct rule *rule;
	struct slice recipient; /* at rcpt */
	struct slice text;
	struct explain_event *next;
};

struct explain {
	const struct explain_settings *set;
	struct explain_item *items; /* milters, then rules */
	size_t milter_count;
	size_t rule_count;
	struct explain_event *events;
	enum stage reached; /* the last stage that was played */
	/* How rules let it end; RULE_ACTION_COUNT: they do not. */
	enum rule_action_kind verdict;
	const struct rule *by; /* NULL with a verdict: no recipient is left */
	enum stage verdict_stage;
	struct slice reply;
	bool is_quarantined;
};

/* Exit statuses; listed in sekishoctl(8). */
enum explain_status {
	EXPLAIN_YES = 0, /* applies, fires; or: no rule is against it */
	EXPLAIN_SETTINGS = 1,
	EXPLAIN_USAGE = 2,
	EXPLAIN_FAILURE = 3,
	EXPLAIN_REJECT = 10,
	EXPLAIN_TEMPFAIL = 11,
	EXPLAIN_DISCARD = 12,
	EXPLAIN_QUARANTINE = 13,
	EXPLAIN_NO = 20, /* does not apply or fire; for --of */
	EXPLAIN_UNKNOWN = 21,
};

/* Reads the command line; complaints go to stderr. */
bool explain_options(char *const *args, struct explain_settings *set_out);

bool explain_play(struct arena *arena, const struct conf *conf,
		  const struct explain_settings *set, struct slice message,
		  struct explain *out) __attribute__((warn_unused_result));

/* The item that --of names; NULL: there is none. */
const struct explain_item *explain_find(const struct explain *e,
					const char *name);
enum explain_status explain_status(const struct explain *e,
				   const struct explain_item *of);
/* of: only this one, and what it did; NULL: all.  False: no room. */
bool explain_print(const struct explain *e, const struct explain_item *of,
		   struct buf *out) __attribute__((warn_unused_result));
bool explain_print_json(const struct explain *e, const struct explain_item *of,
			struct buf *out) __attribute__((warn_unused_result));

#endif
