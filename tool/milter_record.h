/*
 * milter_record - what a playing child tells of its conversations
 *
 * One line per command heard and answer given, made of words as the script
 * language has them: "s1 m1 rcpt <b@example.org>".  The format is described
 * in sekisho-milter(1) and read by tests: add to it, do not change it.
 * A line that cannot be written is lost; playing goes on.
 */
#ifndef TOOL_MILTER_RECORD_H
#define TOOL_MILTER_RECORD_H

#include <stdio.h>

#include "shared/milter_answer.h"
#include "tool/milter_facts.h"

/* log may be NULL: nothing is told. */
void record_command(FILE *log, const struct facts *f,
		    const struct command *command);
void record_answer(FILE *log, const struct facts *f,
		   const struct answer *answer);
/* "s1 WORD TEXT": connections that come and go, garbage, protocol errors. */
void record_note(FILE *log, const struct facts *f, const char *word,
		 struct slice text);
/*
 * The message as seen so far: DIRECTORY/sN-mN.eml (headers, an empty line,
 * body) and DIRECTORY/sN-mN.env (client, helo, envelope, macros, by lines).
 * False with errno.
 */
bool record_save(const char *directory, const struct facts *f);

#endif
