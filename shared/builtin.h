/*
 * builtin - conditions, tables and rules that are there by their name
 *
 * Each is a section of settings that nobody has to write; whoever does write
 * one of the same name takes its place.  Conditions and tables are part of the
 * settings as soon as something names them.  A rule acts, so it needs its
 * section: `[rule trust]` without keys takes all of them from here.
 * All of it is const; nothing fails.
 */
#ifndef SHARED_BUILTIN_H
#define SHARED_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/conf_table.h"
#include "shared/slice.h"

#define BUILTIN_ACTIONS_MAX 6

struct builtin {
	enum conf_section section; /* CONF_CONDITION, _TABLE or _RULE */
	const char *name;
	const char *text; /* is, source or when */
	const char *actions[BUILTIN_ACTIONS_MAX]; /* of a rule; NULL ends */
	const char *what; /* one line for people */
};

const struct builtin *builtin_all(size_t *count_out);
/* By name, any case; NULL: there is none. */
const struct builtin *builtin_find(enum conf_section section,
				   struct slice name);
/* All of them as a settings file; false: no room. */
bool builtin_print(struct buf *out) __attribute__((warn_unused_result));

#endif
