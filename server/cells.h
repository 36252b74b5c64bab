/*
 * cells - which cell of the board belongs to which milter
 *
 * A name keeps its cell for as long as it stands in the settings, and a name
 * that comes back finds its numbers again while nobody else needed the cell.
 * A cell whose milter is gone is given away only when no worker lives that
 * might still write to it: one with settings older than its removal.
 * Pure: the board is told by cells_write().
 */
#ifndef SERVER_CELLS_H
#define SERVER_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/board.h"
#include "shared/conf.h"

struct cell {
	char name[BOARD_NAME_MAX]; /* "": never given away */
	bool is_free;		   /* its milter is gone ... */
	unsigned since;		   /* ... from these settings on */
};

struct cells {
	struct cell at[BOARD_MILTERS];
	uint64_t fresh; /* a bit for each cell with another name than before */
	/* The cell of each milter of the settings, in their order. */
	uint8_t map[CONF_MILTERS_MAX];
};

void cells_init(struct cells *c);
/*
 * As the board has them, which another program has made: all are free, from
 * this generation on.
 */
void cells_recall(struct cells *c, const struct board *board,
		  unsigned generation);
/*
 * The cells of these settings.  generation: of them; oldest: the oldest
 * generation that a living worker has, or the same when there is none.
 * False: there are not enough, and *c is as before.
 */
bool cells_assign(struct cells *c, const struct conf *conf,
		  unsigned generation, unsigned oldest)
	__attribute__((warn_unused_result));
/* Clears and names the cells that are fresh, and makes them fresh no more. */
void cells_write(struct cells *c, struct board *board);

#endif
