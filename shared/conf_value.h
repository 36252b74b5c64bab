/*
 * conf_value - the text of one setting to its value, and back
 *
 * Strict: the whole text must be a value of the row's type and inside its
 * range.  Strings are copied into the arena.  Fails with words about what is
 * wrong with the value; the caller adds file, line and key.
 */
#ifndef SHARED_CONF_VALUE_H
#define SHARED_CONF_VALUE_H

#include "shared/conf_table.h"

struct conf_value_error {
	char why[512];
};

/* base: the struct conf, or the struct conf_milter, that the row is in. */
bool conf_value_parse(struct arena *arena, const struct conf_row *row,
		      struct slice text, void *base,
		      struct conf_value_error *error_out)
	__attribute__((warn_unused_result));
/* As it may stand in a settings file (in conf_print.c); false: no room. */
bool conf_value_print(const struct conf_row *row, const void *base,
		      struct buf *out) __attribute__((warn_unused_result));
/* One of a list; also in conf_print.c, as the next three. */
bool conf_listen_print(const struct conf_listen *l, struct buf *out)
	__attribute__((warn_unused_result));
/*
 * Would both be printed alike?  Not for CONF_TEXTS.  Without memory they count
 * as different: better told too much.
 */
bool conf_value_same(const struct conf_row *row, const void *a, const void *b);
/* defaults: NULL when none counts as one, for all is to be shown. */
bool conf_value_is_default(const struct conf_row *row, const void *base,
			   const void *defaults);
/*
 * Nothing but defaults, with one milter of nothing but defaults, in this
 * arena, which begins here.  NULL: no memory.
 */
const struct conf *conf_defaults(struct arena *arena);
/* "500ms", "15m", "2h", "1d"; a bare number counts seconds. */
bool conf_duration_parse(struct slice text, uint64_t *us_out)
	__attribute__((warn_unused_result));
/* With the largest unit that leaves it whole; also in conf_print.c. */
bool conf_number_print(enum conf_type type, uint64_t number, struct buf *out)
	__attribute__((warn_unused_result));

/*
 * How long is the literal that begins at text[at]: "...", '...' or, behind a
 * `~`, a regular expression /.../ (in it a backslash protects the next byte)?
 * 0: none begins there; -1: it is never closed.
 */
ptrdiff_t conf_literal(struct slice text, size_t at);
/* "x" and 'x' mean x, when the quotes go around all of the text. */
struct slice conf_unquote(struct slice text);

#endif
