#include "server/settings.h"

#include <strings.h>
#include <unistd.h>

#include "server/priv.h"
#include "shared/conf_change.h"
#include "shared/log.h"
#include "shared/table.h"

#define WORDS_CEILING 65536

void settings_begin(struct settings *s, struct arena *arena,
		    const struct conf *conf, unsigned generation)
{
	*s = (struct settings){ .arena = *arena,
				.conf = conf,
				.generation = generation };
	*arena = (struct arena){ 0 };
	cells_init(&s->cells);
}

void settings_end(struct settings *s)
{
	conf_close(s->conf);
	arena_deinit(&s->arena);
	s->conf = NULL;
}

bool settings_name_cells(struct settings *s, struct board *board,
			 bool adopted, unsigned oldest)
{
	cells_init(&s->cells);
	if (adopted)
		cells_recall(&s->cells, board, s->generation);
	if (!cells_assign(&s->cells, s->conf, s->generation, oldest))
		return false;
	cells_write(&s->cells, board);
	return true;
}

/* --- the next generation -------------------------------------------------- */

static bool refuse(struct buf *words, const char *why)
{
	buf_clear(words);
	buf_printf(words, "%s", why);
	return false;
}

/* All that may refuse; *s is as before. */
static const struct conf *prepare(const struct settings *s, struct arena *arena,
				  const struct conf *wanted, unsigned oldest,
				  struct cells *cells, struct buf *restart,
				  struct buf *words)
{
	const struct conf *kept =
		conf_keep_start(arena, wanted, s->conf, restart);

	if (!kept) {
		refuse(words, "no memory for settings");
		return NULL;
	}
	if (!priv_check_spool(kept->spool_directory, true)) {
		refuse(words, "spool_directory cannot be used: the log says why");
		return NULL;
	}
	*cells = s->cells;
	if (cells_assign(cells, kept, s->generation + 1, oldest))
		return kept;
	refuse(words, "all 64 places for milters are taken: milters that were removed keep theirs until the last connection of a worker with older settings ends");
	return NULL;
}

static void tell_change(const struct settings *s, const struct conf *next,
			const struct buf *restart, struct buf *words)
{
	struct buf change;

	buf_init(&change, WORDS_CEILING);
	if (!conf_difference(s->conf, next, &change))
		buf_printf(&change, " ...");
	buf_printf(words, "settings read again, generation %u: %.*s",
		   s->generation + 1,
		   SLICE_ARG(buf_len(&change) ? buf_slice(&change) :
						SLICE_LIT("nothing changed")));
	if (buf_len(restart))
		buf_printf(words, "; only a restart changes %.*s",
			   SLICE_ARG(buf_slice(restart)));
	buf_deinit(&change);
}

static bool same_sockets(const struct conf_sockets *a,
			 const struct conf_sockets *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (!endpoint_is_same(&a->at[i], &b->at[i]))
			return false;
	return true;
}

static bool was_there(const struct conf *before, const struct conf_milter *m)
{
	for (size_t i = 0; i < before->milter_count; i++)
		if (strcasecmp(before->milters[i].name, m->name) == 0)
			return same_sockets(&before->milters[i].socket,
					    &m->socket);
	return false;
}

/*
 * What is known of the old sockets says nothing about the new ones.  Workers
 * with older settings may note a failure of the old ones yet: until their
 * connection ends, and no longer than a breaker_pause.
 */
static void forget_failures(const struct settings *s, const struct conf *next,
			    const struct cells *cells, struct board *board)
{
	for (size_t i = 0; i < next->milter_count; i++)
		if (!was_there(s->conf, &next->milters[i]))
			board_clear_breaker(board, cells->map[i]);
}

bool settings_replace(struct settings *s, struct arena *arena,
		      const struct conf *wanted, unsigned oldest,
		      struct board *board, struct buf *words)
{
	const struct conf *next;
	struct cells cells;
	struct buf restart;

	buf_init(&restart, WORDS_CEILING);
	next = prepare(s, arena, wanted, oldest, &cells, &restart, words);
	if (next)
		tell_change(s, next, &restart, words);
	buf_deinit(&restart);
	if (!next)
		return false;
	forget_failures(s, next, &cells, board);
	settings_end(s);
	s->arena = *arena;
	*arena = (struct arena){ 0 };
	s->conf = next;
	s->generation++;
	s->cells = cells;
	cells_write(&s->cells, board);
	memset(s->table_missing, 0, sizeof(s->table_missing));
	return true;
}

/* --- tables ---------------------------------------------------------------- */

static void tell_table(void *context, const char *file, unsigned line,
		       const char *text)
{
	(void)context;
	log_warn("%s:%u: %s; the table stays as it was", file, line, text);
}

/* Told once when the file goes, and once when it is back. */
static void look_for_file(struct settings *s, size_t i)
{
	const char *path = table_path(s->conf->tables[i].table);
	bool missing = *path && access(path, F_OK) != 0;

	if (missing == s->table_missing[i])
		return;
	s->table_missing[i] = missing;
	if (missing)
		log_warn("%s is gone: table \"%s\" stays as it was", path,
			 s->conf->tables[i].name);
	else
		log_info("%s is back", path);
}

void settings_look_at_tables(struct settings *s)
{
	const struct table_report report = { tell_table, NULL };
	const struct conf *conf = s->conf;

	for (size_t i = 0; i < conf->table_count; i++) {
		struct table *t = conf->tables[i].table;

		look_for_file(s, i);
		if (!table_changed(t) || !table_reload(t, &report))
			continue;
		if (!table_count(t))
			log_warn("table \"%s\" read again: nothing is left in %s",
				 conf->tables[i].name, table_path(t));
		else
			log_info("table \"%s\" read again: %zu entries",
				 conf->tables[i].name, table_count(t));
	}
}
