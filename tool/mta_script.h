/*
 * mta_script - one session played by a script instead of message files
 *
 *     mail "<a@example.org>"; rcpt "<no@example.net>"; expect reply "550*"
 *     rcpt "<b@example.net>"; eom; expect continue
 *
 * A step that the protocol needs before the one told and that was not told is
 * filled in from the settings; sekisho-mta(1) lists the statements.
 * Everything lives in the arena and looks into the text it was read from.
 */
#ifndef TOOL_MTA_SCRIPT_H
#define TOOL_MTA_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/milter_answer.h"
#include "shared/milter_command.h"
#include "tool/mta_play.h"
#include "tool/script.h"

enum mta_step_kind {
	STEP_COMMAND,
	STEP_WAIT,
	STEP_RAW,
	STEP_EXPECT,	  /* an answer */
	STEP_EXPECT_NONE, /* no answer was owed */
	STEP_EXPECT_CLOSE,
	STEP_EXPECT_QUIET, /* nothing comes for so long */
	STEP_MACRO,
	STEP_FILL,
};

struct mta_step {
	enum mta_step_kind kind;
	struct command command;	 /* COMMAND */
	bool has_words;		 /* COMMAND: else the settings' own are meant */
	uint64_t times;		 /* COMMAND body: so often */
	uint64_t time;		 /* WAIT, EXPECT_QUIET; microseconds */
	struct slice bytes;	 /* RAW */
	enum answer_kind answer; /* EXPECT */
	struct slice pattern;	 /* EXPECT reply; empty: any */
	struct mta_macro macro;	 /* MACRO */
	bool fills;		 /* FILL */
	unsigned line;
};

struct mta_script {
	struct mta_step *steps;
	size_t count;
	bool has_expectations;
};

bool mta_script_parse(struct arena *arena, struct slice text,
		      struct mta_script *script_out,
		      struct script_error *error_out);
/* Plays it as one session and reports it as one message. */
void mta_script_play(const struct mta_settings *set,
		     const struct mta_script *script, unsigned number,
		     struct mta_totals *totals);

#endif
