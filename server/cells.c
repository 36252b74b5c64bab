#include "server/cells.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void cells_init(struct cells *c)
{
	*c = (struct cells){ 0 };
}

void cells_recall(struct cells *c, const struct board *board,
		  unsigned generation)
{
	cells_init(c);
	for (unsigned i = 0; i < BOARD_MILTERS; i++) {
		snprintf(c->at[i].name, sizeof(c->at[i].name), "%s",
			 board_milter_name(board, i));
		c->at[i].is_free = c->at[i].name[0] != '\0';
		c->at[i].since = generation;
	}
}

static bool is_named(const struct cell *cell, const char *name)
{
	return cell->name[0] && strcasecmp(cell->name, name) == 0;
}

static bool has_milter(const struct conf *conf, const struct cell *cell)
{
	for (size_t i = 0; i < conf->milter_count; i++)
		if (is_named(cell, conf->milters[i].name))
			return true;
	return false;
}

static void free_unused(struct cells *c, const struct conf *conf,
			unsigned generation)
{
	for (unsigned i = 0; i < BOARD_MILTERS; i++) {
		struct cell *cell = &c->at[i];

		if (!cell->name[0] || cell->is_free || has_milter(conf, cell))
			continue;
		cell->is_free = true;
		cell->since = generation;
	}
}

static bool find_named(const struct cells *c, const char *name,
		       unsigned *cell_out)
{
	for (unsigned i = 0; i < BOARD_MILTERS; i++)
		if (is_named(&c->at[i], name)) {
			*cell_out = i;
			return true;
		}
	return false;
}

/* A cell that nobody ever had, else the one that is free for longest. */
static bool find_free(const struct cells *c, unsigned oldest,
		      unsigned *cell_out)
{
	const struct cell *best = NULL;

	for (unsigned i = 0; i < BOARD_MILTERS; i++) {
		const struct cell *cell = &c->at[i];

		if (!cell->name[0]) {
			*cell_out = i;
			return true;
		}
		if (cell->is_free && cell->since <= oldest &&
		    (!best || cell->since < best->since))
			best = cell;
	}
	if (!best)
		return false;
	*cell_out = (unsigned)(best - c->at);
	return true;
}

static bool assign_one(struct cells *c, size_t milter, const char *name,
		       unsigned oldest)
{
	unsigned i;

	if (!find_named(c, name, &i)) {
		if (!find_free(c, oldest, &i))
			return false;
		snprintf(c->at[i].name, sizeof(c->at[i].name), "%s", name);
		c->fresh |= UINT64_C(1) << i;
	}
	c->at[i].is_free = false;
	c->map[milter] = (uint8_t)i;
	return true;
}

bool cells_assign(struct cells *c, const struct conf *conf,
		  unsigned generation, unsigned oldest)
{
	struct cells next = *c;

	free_unused(&next, conf, generation);
	for (size_t i = 0; i < conf->milter_count; i++)
		if (!assign_one(&next, i, conf->milters[i].name, oldest))
			return false;
	*c = next;
	return true;
}

void cells_write(struct cells *c, struct board *board)
{
	_Static_assert(BOARD_MILTERS == 64, "a bit for each cell");
	for (unsigned i = 0; i < BOARD_MILTERS; i++) {
		if (!(c->fresh >> i & 1))
			continue;
		board_clear_milter(board, i);
		board_name_milter(board, i, c->at[i].name);
	}
	c->fresh = 0;
}
