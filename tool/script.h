/*
 * script - the small language that both players read
 *
 * A script is a row of statements, one per line or separated by `;`; a
 * statement is a row of words.  A word is anything without blanks, or text in
 * double quotes with the escapes \r \n \t \0 \" \\ and \xNN.  `#` at the
 * beginning of a word starts a comment, a backslash at the end of a line
 * continues it.  What the words mean is the players' business: milter_rule.h
 * and mta_script.h.
 * All memory comes from the caller's arena; words without escapes look into
 * the text, which must live as long.  Fails by an error that names the place.
 */
#ifndef TOOL_SCRIPT_H
#define TOOL_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/milter_answer.h"
#include "shared/slice.h"

struct script_word {
	struct slice text;
	bool is_quoted;
	unsigned line; /* both count from 1 */
	unsigned column;
};

struct script_statement {
	struct script_word *words; /* at least one */
	size_t count;
};

struct script {
	struct script_statement *statements;
	size_t count;
};

struct script_error {
	unsigned line;
	unsigned column;
	char text[160];
};

/* False: *error_out says what is wrong and where. */
bool script_parse(struct arena *arena, struct slice text,
		  struct script *script_out, struct script_error *error_out);
/* Always false; notes the place of a word and what is wrong with it. */
bool script_fail(struct script_error *error, const struct script_word *word,
		 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Is this word, not quoted, the keyword? */
bool script_is(const struct script_word *word, const char *keyword);
/* "200ms", "3s", "2m" or a bare number of seconds, in microseconds. */
bool script_time(struct slice text, uint64_t *time_out);
/* Bytes as told: a quoted word is the text itself, a bare one is hex. */
bool script_bytes(struct arena *arena, const struct script_word *word,
		  struct slice *bytes_out);
/*
 * Does the pattern match, without regard to ASCII case?  With * or ? in it a
 * glob for the whole text, else a part of the text.
 */
bool script_match(struct slice pattern, struct slice text);

/*
 * Appends text as a quoted word that script_parse() reads back to the same
 * bytes.  False: no room.
 */
bool script_quote(struct buf *out, struct slice text);
/* The same, but bare when the text is one plain word. */
bool script_print(struct buf *out, struct slice text);
/* What an answer is called in scripts, logs and reports. */
const char *script_answer_name(enum answer_kind kind);
/*
 * 64 bit FNV-1a, to compare bodies by; begin with SCRIPT_HASH, go on with
 * the result.  No protection against malice, nothing here needs it.
 */
#define SCRIPT_HASH UINT64_C(0xcbf29ce484222325)
uint64_t script_hash(uint64_t hash, struct slice bytes);

#endif
