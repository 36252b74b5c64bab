/*
 * milter_rule - a child's script: options and rules
 *
 *     option version 2
 *     option actions addhdrs chghdrs
 *     option protocol nohelo nr_hdr skip
 *     option macros mail "i {auth_authen}"
 *     at rcpt when rcpt ~ "reject@" do reply "550 5.1.1 no such user"
 *     at eom do addheader "X-Test" "yes"; delay 200ms; accept
 *
 * A statement that begins with neither `at` nor `option` is one more action
 * of the rule before it.  The first rule that matches an event is carried out,
 * its actions in order; sekisho-milter(1) lists them all.
 * Everything lives in the arena and looks into the text it was read from.
 */
#ifndef TOOL_MILTER_RULE_H
#define TOOL_MILTER_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/milter_answer.h"
#include "shared/milter_command.h"
#include "tool/script.h"

enum condition_kind {
	CONDITION_SENDER,
	CONDITION_RCPT, /* the one at hand; afterwards any of the message */
	CONDITION_HELO,
	CONDITION_CLIENT, /* name or address */
	CONDITION_HEADER,
	CONDITION_BODY,
	CONDITION_MACRO,
	CONDITION_SESSION,
	CONDITION_MESSAGE,
	CONDITION_CHANCE,
};

enum condition_test { TEST_SET, TEST_EQUAL, TEST_LIKE };

struct condition {
	enum condition_kind kind;
	enum condition_test test;
	bool is_negated;
	struct slice name; /* of the header or macro */
	struct slice text;
	uint64_t number; /* session, message; chance: one in so many */
};

enum action_kind {
	ACTION_ANSWER, /* an answer, an edit or a sign of progress */
	ACTION_GARBAGE,
	ACTION_SILENCE,
	ACTION_DELAY,
	ACTION_ANYWAY, /* answer although that was promised away */
	ACTION_CLOSE,
	ACTION_EXIT,
	ACTION_KILL,
};

struct action {
	enum action_kind kind;
	struct answer answer;
	struct slice bytes; /* GARBAGE */
	uint64_t time;	    /* DELAY, microseconds */
	int status;	    /* EXIT */
};

struct rule {
	enum command_kind event;
	uint64_t nth;	     /* of the events of this kind; 0: every */
	struct slice header; /* at header "NAME"; empty: every */
	struct condition *conditions;
	size_t condition_count;
	struct action *actions;
	size_t action_count;
};

struct rules {
	/* What is answered to the offer; lists look into the script. */
	struct option option;
	bool is_forced;	 /* answer bits and version even if not offered */
	bool wants_body; /* some condition looks into bodies */
	struct rule *rules;
	size_t count;
};

/*
 * Reads a whole script.  Without `option actions` the answer asks for what
 * the edits in the rules need, without `option protocol` for SKIP when a
 * rule uses it.  False: *error_out.
 */
bool rules_parse(struct arena *arena, struct slice text,
		 struct rules *rules_out, struct script_error *error_out);

#endif
