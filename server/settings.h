/*
 * settings - the settings in force, and those before them
 *
 * Owns the arena of the present generation, its tables, and which milter has
 * which cell of the board; the supervisor has one of these.  The next
 * generation takes its place as a whole or not at all.
 */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include <stdbool.h>

#include "server/cells.h"
#include "shared/arena.h"
#include "shared/board.h"
#include "shared/buf.h"
#include "shared/conf.h"

/* Bytes of one generation, tables apart. */
#define SETTINGS_CEILING (64u * 1024 * 1024)

struct settings {
	struct arena arena;
	const struct conf *conf;
	unsigned generation; /* from 1; an upgrade goes on counting */
	struct cells cells;
	bool table_missing[CONF_TABLES_MAX];
};

/* Takes over the arena and what was read into it. */
void settings_begin(struct settings *s, struct arena *arena,
		    const struct conf *conf, unsigned generation);
void settings_end(struct settings *s);
/*
 * The cells of the first generation.  adopted: the board is another program's
 * and names stand in it; then false: there are not enough.
 */
bool settings_name_cells(struct settings *s, struct board *board,
			 bool adopted, unsigned oldest);
/*
 * These settings from now on, but for what changes only at a restart; arena
 * is theirs and taken over.  oldest: see cells_assign().  What changed, or
 * why nothing did, goes to words.  False: nothing was changed or taken over.
 */
bool settings_replace(struct settings *s, struct arena *arena,
		      const struct conf *wanted, unsigned oldest,
		      struct board *board, struct buf *words);
/* Reads tables again whose files have changed; says so in the log. */
void settings_look_at_tables(struct settings *s);

#endif
