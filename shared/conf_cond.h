/*
 * conf_cond - conditions, tables and rules of the settings, compiled
 *
 * For conf_read.c.  Sections may name each other in any order, so this comes
 * when all of them are read.  Problems are told with file, line and column of
 * the text as it was written.
 */
#ifndef SHARED_CONF_COND_H
#define SHARED_CONF_COND_H

#include "shared/conf_table.h"

/*
 * Where nothing was written for a required key: what is built in by that name.
 * False: nothing is (or there is no memory, which the arena knows).
 */
bool conf_cond_fill(struct arena *arena, const struct conf_row *row,
		    const char *name, void *item);

/*
 * Adds what is built in and named somewhere, opens tables, compiles
 * expressions and rules.  from_memory: tables in files are refused.  The
 * arrays of conditions and tables have room for all that is built in.
 */
void conf_cond_compile(struct arena *arena, struct conf *conf,
		       const struct conf_places *places, bool from_memory,
		       struct conf_problems *problems);

#endif
