/*
 * rule - rules: when what happens, in which order
 *
 * A rule is a condition and what is done once it is true.  The rules of the
 * settings are compiled once and const from then on; what one session knows of
 * them is in rule_state.  Pure: a run looks at the facts and tells effects,
 * carrying them out is the caller's; only points go straight into the facts,
 * because the next rule may ask for them.
 *
 * When a rule fires.  Rules are run at every stage, in the order of the file:
 * before the milters of that stage are asked, and once more behind them for
 * what milters and points made true.  A rule fires once, at the first run at
 * which its condition is true; at connect and helo for the connection, later
 * for the message.  What then cannot be done yet, because it is about a
 * message (discard, quarantine, header), is done at each MAIL.  At rcpt a rule
 * that looks at `recipient` is run for the recipient at hand, and may fire for
 * each; at later stages it is about any accepted one.
 * A verdict ends the run: rules below it are not looked at.
 *
 * A condition that is still unknown when all that it waits for is there has
 * failed: the rule then carries out on_unknown, or nothing, and is told in the
 * effects.
 */
#ifndef SHARED_RULE_H
#define SHARED_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/cond.h"
#include "shared/facts.h"
#include "shared/milter.h"
#include "shared/slice.h"

/* Bytes of any text a rule gives, after facts are put in. */
#define RULE_TEXT_MAX 400

enum rule_action_kind {
	RULE_ACCEPT,
	RULE_REJECT,
	RULE_TEMPFAIL,
	RULE_DISCARD,
	RULE_QUARANTINE,
	RULE_SKIP,
	RULE_MACRO,
	RULE_HEADER,
	RULE_SCORE,
	RULE_LOG,
	RULE_ACTION_COUNT
};

/* A piece of a text: literal bytes, or the value of a fact. */
struct rule_part {
	struct slice literal;
	enum fact fact; /* FACT_COUNT: literal */
	struct slice name; /* of the header or macro */
	enum stage stage;  /* FACT_MACRO: that it comes with */
	size_t milter;	   /* FACT_MILTER */
};

struct rule_action {
	enum rule_action_kind kind;
	/* reject, tempfail, quarantine, log; value of macro and header */
	struct rule_part *parts;
	size_t part_count;
	char code[4];	   /* reject, tempfail: "550" */
	char enhanced[12]; /* "5.7.1" */
	struct slice name; /* header; macro, as it travels: i, {trusted} */
	bool if_missing;   /* macro {x}?=: the MTA's own value wins */
	uint64_t milters;  /* skip: bit i */
	int64_t score;	   /* thousandths */
};

struct rule {
	struct slice name;
	const struct cond *when;
	const struct rule_action *actions;
	size_t action_count;
	const struct rule_action *on_unknown; /* NULL: none */
	bool per_recipient; /* looks at the recipient, or at its macros */
	bool waits; /* for milters: known only behind those of a stage */
	size_t memo; /* its first one in rule_state */
};

struct rules;

/* ---- text to rules ---- */

struct rule_problem {
	size_t column; /* from 1, in bytes of the action's text */
	char text[256];
};

/*
 * Reads one action.  Names are those of the settings; skip knows all milters.
 * `rule` stands in texts that were not given.  The text is copied.
 * False: *problem_out tells the first problem.
 */
bool rule_action_parse(struct arena *arena, struct slice text,
		       struct slice rule, const struct cond_names *names,
		       struct rule_action *action_out,
		       struct rule_problem *problem_out)
	__attribute__((warn_unused_result));
const char *rule_action_name(enum rule_action_kind kind);
/* accept, reject, tempfail, discard: nothing comes behind it. */
bool rule_is_verdict(enum rule_action_kind kind);

/*
 * Rules in the order of the file; name, when, actions and on_unknown are set,
 * the rest is found out here.  The array is kept, not copied.  NULL: no
 * memory.
 */
const struct rules *rules_new(struct arena *arena, struct rule *rules,
			      size_t count) __attribute__((warn_unused_result));

size_t rules_count(const struct rules *rules);
const struct rule *rules_at(const struct rules *rules, size_t index);
/* No rule takes points away: for facts_init(). */
bool rules_score_grows(const struct rules *rules);
/* Bit i: some rule asks for milter i's word or headers. */
uint64_t rules_milters(const struct rules *rules);
bool rules_use(const struct rules *rules, enum fact fact);
/* Does any rule, or its on_unknown, do this? */
bool rules_do(const struct rules *rules, enum rule_action_kind kind);
/* Calls fn for each macro looked at, in conditions and in texts. */
void rules_each_macro(const struct rules *rules,
		      void (*fn)(void *context, struct slice name,
				 enum stage stage),
		      void *context);

/* ---- a session ---- */

/* Which rules have fired; one per session. */
struct rule_state {
	uint8_t *fired;	   /* by rule: 0, or the stage + 1 */
	uint8_t *unknown;  /* fired by on_unknown, or given up */
	struct cond_memo *memos;
	size_t memo_count;
};

/* A new connection.  False: no memory. */
bool rule_state_init(struct rule_state *s, const struct rules *rules,
		     struct arena *session) __attribute__((warn_unused_result));
/* At HELO: rules that fired at an earlier one may fire again. */
void rule_state_begin_helo(struct rule_state *s, const struct rules *rules);
/* At MAIL, before its run: forgets what was about another message. */
void rule_state_begin_message(struct rule_state *s, const struct rules *rules);

/* One text of one rule; in the order of firing. */
struct rule_note {
	const struct rule *rule;
	struct slice text;
	struct rule_note *next;
};

struct rule_macro {
	const struct rule *rule;
	struct slice name;  /* as it travels: i, {trusted_domain} */
	struct slice value;
	/*
	 * The MTA's own value wins wherever it comes, with this stage or a
	 * later one; false: this one wins.
	 */
	bool if_missing;
	struct rule_macro *next;
};

struct rule_header {
	const struct rule *rule;
	struct slice name;
	struct slice value;
	struct rule_header *next;
};

/*
 * What one run comes to.  skip and macros hold from this stage on: for the
 * message, or for the connection when the stage is before MAIL.
 */
struct rule_effects {
	/* RULE_ACCEPT, _REJECT, _TEMPFAIL, _DISCARD, if there is one. */
	bool has_verdict;
	enum rule_action_kind verdict;
	const struct rule *by;
	/* "550 5.7.1 text", as REPLYCODE: checked, '%' doubled. */
	struct slice reply;
	struct rule_note *quarantine; /* reasons */
	uint64_t skip;		      /* bit i: milter i is left out */
	struct rule_macro *macros;    /* from this stage on */
	struct rule_header *headers;  /* to be added at the end */
	int64_t score;		      /* already in the facts */
	struct rule_note *logs;
	struct rule_note *fired;   /* every rule that fired; no text */
	struct rule_note *unknown; /* conditions that failed; no text */
};

struct rule_run {
	enum stage stage;
	bool behind_milters; /* of this stage */
	/* Takes the texts: session's until MAIL, then the message's. */
	struct arena *arena;
	/*
	 * scratch, matcher, headers_now and at rcpt the recipient at hand are
	 * the caller's; memos are set here.
	 */
	struct cond_run *cond;
};

/*
 * Runs the rules of one stage; *effects_out begins empty.  False: no memory,
 * the message is to be told to come later.
 */
bool rules_run(const struct rules *rules, struct facts *facts,
	       struct rule_state *state, const struct rule_run *run,
	       struct rule_effects *effects_out)
	__attribute__((warn_unused_result));

#endif
