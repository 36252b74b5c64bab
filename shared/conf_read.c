#include "shared/conf.h"

#include <iniparser/iniparser.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/builtin.h"
#include "shared/conf_cond.h"
#include "shared/conf_lines.h"
#include "shared/conf_value.h"

/*
 * What iniparser is used for
 *
 * conf_lines has taken the files apart; iniparser is given a clean copy of
 * what it found, and the values that count are the ones iniparser gives back.
 * So the grammar of INI files - sections, keys, values - is that of the
 * library, and what it does not do or does differently than an administrator
 * expects is out of its sight: comments, continuations and includes are gone,
 * each setting is named by its number (a second one of the same name stays
 * visible), each byte that means something to it is written as %XX, and a
 * long value is cut into parts that fit its lines.  Only strings are taken
 * from it: its own conversions accept "12abc", and some of them crash.
 */
#define PART_MAX 256 /* bytes of value in a line; iniparser takes 1,022 */

/* The sections of one kind that have names. */
struct named {
	char *items; /* each begins with its name */
	size_t size;
	size_t *count;
	size_t max;
	unsigned *blocks; /* the section of the file that each is from */
};

struct reading {
	struct arena *arena;
	struct conf_problems *problems;
	struct conf_lines lines;
	struct conf *conf;
	struct conf_places *places;
	struct named named[CONF_SECTIONS];
	const struct endpoint_cache *known; /* NULL: ask the resolver */
	bool from_memory;
};

static bool plain_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '_' ||
	       c == '-' || c == '@';
}

/* "server" or "milter NAME": its section in the clean copy. */
static int section_name(const struct conf_line *line, char *text, size_t size)
{
	const char *kind = conf_word_of(conf_section_words, (int)line->section);

	if (line->section == CONF_SERVER)
		return snprintf(text, size, "%s", kind);
	return snprintf(text, size, "%s %.*s", kind, SLICE_ARG(line->name));
}

/* `7.0 = +value`, `7.1 = +more`: the + keeps an empty value from vanishing. */
static bool write_value(struct buf *out, size_t number, struct slice value)
{
	for (size_t part = 0;; part++) {
		struct slice s = slice_head(value, PART_MAX);

		if (!buf_printf(out, "%zu.%zu = +", number, part))
			return false;
		for (size_t i = 0; i < s.len; i++) {
			unsigned char c = (unsigned char)s.data[i];

			if (plain_byte(s.data[i]) ?
				    !buf_add_byte(out, s.data[i]) :
				    !buf_printf(out, "%%%02X", (unsigned)c))
				return false;
		}
		if (!buf_add_byte(out, '\n'))
			return false;
		value = slice_from(value, s.len);
		if (value.len == 0)
			return true;
	}
}

static bool write_copy(const struct conf_lines *lines, struct buf *out)
{
	const struct conf_line *above = NULL;
	char section[CONF_NAME_MAX + 16];
	size_t number = 0;

	for (const struct conf_line *l = lines->first; l; l = l->next) {
		/* An include may have brought other sections in between. */
		if (!above || above->block != l->block) {
			section_name(l, section, sizeof(section));
			if (!buf_printf(out, "[%s]\n", section))
				return false;
		}
		if (!write_value(out, number++, l->value))
			return false;
		above = l;
	}
	return true;
}

static int quiet(const char *format, ...)
{
	(void)format;
	return 0;
}

static dictionary *load_copy(const struct buf *copy)
{
	struct slice text = buf_slice(copy);
	dictionary *d = NULL;
	char path[40];
	int fd = memfd_create("sekisho-settings", MFD_CLOEXEC);

	if (fd < 0)
		return NULL;
	while (text.len) {
		ssize_t n = write(fd, text.data, text.len);

		if (n <= 0)
			break;
		text = slice_from(text, (size_t)n);
	}
	if (text.len == 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		iniparser_set_error_callback(quiet);
		d = iniparser_load(path);
		iniparser_set_error_callback(NULL);
	}
	close(fd);
	return d;
}

static unsigned hex_digit(char c)
{
	return (unsigned)(c >= 'A' ? c - 'A' + 10 : c - '0') & 15;
}

/* Puts the parts together again; false: one is missing, or no memory. */
static bool read_value(const dictionary *d, const struct conf_line *line,
		       size_t number, struct buf *out)
{
	size_t parts = line->value.len / PART_MAX;
	char key[CONF_NAME_MAX + 80];

	if (parts == 0 || line->value.len % PART_MAX)
		parts++;
	buf_clear(out);
	for (size_t part = 0; part < parts; part++) {
		int n = section_name(line, key, sizeof(key));
		const char *s;

		snprintf(key + n, sizeof(key) - (size_t)n, ":%zu.%zu", number,
			 part);
		s = iniparser_getstring(d, key, NULL);
		if (!s || *s++ != '+')
			return false;
		for (; *s; s++) {
			char c = *s;

			if (c == '%' && s[1] && s[2]) {
				c = (char)(hex_digit(s[1]) << 4 |
					   hex_digit(s[2]));
				s += 2;
			}
			if (!buf_add_byte(out, c))
				return false;
		}
	}
	return true;
}

/* All values go out to iniparser and come back. */
static bool through_iniparser(struct conf_lines *lines, struct arena *arena)
{
	struct buf copy, value;
	dictionary *d = NULL;
	size_t number = 0;
	bool ok;

	/* Each byte may become three, and each line gets a number. */
	buf_init(&copy, (size_t)CONF_FILES_MAX * CONF_FILE_MAX);
	buf_init(&value, CONF_VALUE_MAX + 1);
	ok = write_copy(lines, &copy) && (d = load_copy(&copy)) != NULL;
	for (struct conf_line *l = lines->first; ok && l; l = l->next)
		ok = read_value(d, l, number++, &value) &&
		     arena_copy(arena, buf_slice(&value), &l->value);
	if (d)
		iniparser_freedict(d);
	buf_deinit(&copy);
	buf_deinit(&value);
	return ok;
}

/* Rows with a default get it; a default that is no value is our bug. */
static void set_defaults(struct arena *arena, enum conf_section section,
			 void *base)
{
	struct conf_value_error error;
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);

	for (size_t i = 0; i < n; i++)
		BUG_IF(rows[i].standard &&
		       !conf_value_parse(arena, &rows[i],
					 slice_str(rows[i].standard), base,
					 &error) &&
		       !arena_failed(arena));
}

static void problem_at(struct reading *r, struct conf_place place,
		       const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void problem_at(struct reading *r, struct conf_place place,
		       const char *format, ...)
{
	char text[1000];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	conf_problem_add(r->problems, place.file, place.line, "%s", text);
}

static const char *name_of(const struct named *n, size_t index)
{
	const char *name;

	memcpy(&name, n->items + index * n->size, sizeof(name));
	return name;
}

/* What a section made; NULL: the section was refused. */
static void *find_block(const struct named *n, unsigned block,
			size_t *index_out)
{
	for (size_t i = 0; i < *n->count; i++) {
		if (n->blocks[i] == block) {
			*index_out = i;
			return n->items + i * n->size;
		}
	}
	return NULL;
}

static bool is_there(struct reading *r, const struct conf_line *line)
{
	const struct named *n = &r->named[line->section];

	for (size_t i = 0; i < *n->count; i++) {
		const struct conf_place *place =
			&r->places->named[line->section][i];

		if (!slice_equal_case(slice_str(name_of(n, i)), line->name))
			continue;
		problem_at(r, line->place,
			   "%s \"%.*s\" is there already: %s:%u",
			   conf_word_of(conf_section_words,
					(int)line->section),
			   SLICE_ARG(line->name), place->file, place->line);
		return true;
	}
	return false;
}

static void begin_named(struct reading *r, const struct conf_line *line)
{
	struct named *n = &r->named[line->section];
	const char *kind =
		conf_word_of(conf_section_words, (int)line->section);
	const char *name;
	char *item;

	if (is_there(r, line))
		return;
	if (*n->count == n->max) {
		problem_at(r, line->place, "%s \"%.*s\": more than %zu %ss",
			   kind, SLICE_ARG(line->name), n->max, kind);
		return;
	}
	item = n->items + *n->count * n->size;
	name = arena_str(r->arena, line->name);
	if (!name)
		return;
	set_defaults(r->arena, line->section, item);
	memcpy(item, &name, sizeof(name));
	r->places->named[line->section][*n->count] = line->place;
	n->blocks[*n->count] = line->block;
	++*n->count;
}

/* Another section that has this key; CONF_SECTIONS: none has. */
static enum conf_section other_section(const struct conf_line *line)
{
	for (int i = 0; i < CONF_SECTIONS; i++)
		if (conf_row_find((enum conf_section)i, line->key))
			return (enum conf_section)i;
	return CONF_SECTIONS;
}

static void unknown_key(struct reading *r, const struct conf_line *line,
			const char *where)
{
	enum conf_section other = other_section(line);
	const char *nearest = conf_row_nearest(line->section, line->key);
	struct slice key = slice_head(line->key, 80);

	if (other != CONF_SECTIONS)
		problem_at(r, line->place,
			   "unknown key \"%.*s\" in [%s]: it belongs into %s%s",
			   SLICE_ARG(key), where,
			   other == CONF_SERVER ? "" : "a ",
			   conf_section_print(other));
	else if (nearest)
		problem_at(r, line->place,
			   "unknown key \"%.*s\" in [%s]: did you mean \"%s\"?",
			   SLICE_ARG(key), where, nearest);
	else
		problem_at(r, line->place, "unknown key \"%.*s\" in [%s]",
			   SLICE_ARG(key), where);
}

/* Texts are compiled later and remember where they stand. */
static void set_line(const struct conf_row *row, void *base,
		     const struct conf_line *line)
{
	void *at = (char *)base + row->offset;
	struct conf_texts *list = at;
	struct conf_text *text = at;

	if (row->type == CONF_TEXT)
		text->line = line;
	else if (row->type == CONF_TEXTS)
		list->items[list->count - 1].line = line;
}

static void apply_value(struct reading *r, const struct conf_line *line,
			const struct conf_row *row, void *base,
			const char *where)
{
	struct conf_value_error error;

	if (line->bad)
		return;
	if (conf_value_parse(r->arena, row, line->value, base, &error))
		set_line(row, base, line);
	else
		problem_at(r, line->place, "\"%.*s\" for \"%s\" in [%s]: %s",
			   SLICE_ARG(slice_head(conf_unquote(line->value),
						100)),
			   row->key, where, error.why);
}

static void apply_key(struct reading *r, const struct conf_line *line)
{
	const struct conf_row *row = conf_row_find(line->section, line->key);
	struct conf_place *place = r->places->server;
	char where[CONF_NAME_MAX + 16];
	void *base = r->conf;
	size_t index, n;

	section_name(line, where, sizeof(where));
	if (line->section != CONF_SERVER) {
		base = find_block(&r->named[line->section], line->block,
				  &index);
		if (!base)
			return;
		place = r->places->keys[line->section][index];
	}
	if (!row) {
		unknown_key(r, line, where);
		return;
	}
	place += row - conf_rows(line->section, &n);
	if (place->file && row->type != CONF_TEXTS) {
		problem_at(r, line->place,
			   "\"%s\" in [%s] is given twice: %s:%u", row->key,
			   where, place->file, place->line);
		return;
	}
	*place = line->place;
	apply_value(r, line, row, base, where);
}

/* Keys without a default must be given, or be built in. */
static void check_item(struct reading *r, enum conf_section section, size_t i)
{
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);
	const struct named *named = &r->named[section];
	const char *name = name_of(named, i);

	for (size_t row = 0; row < n; row++)
		if (!rows[row].standard &&
		    !r->places->keys[section][i][row].file &&
		    !conf_cond_fill(r->arena, &rows[row], name,
				    named->items + i * named->size))
			problem_at(r, r->places->named[section][i],
				   "%s \"%s\" has no \"%s\"",
				   conf_word_of(conf_section_words,
						(int)section),
				   name, rows[row].key);
}

static void check_required(struct reading *r)
{
	for (int s = CONF_MILTER; s < CONF_SECTIONS; s++)
		for (size_t i = 0; i < *r->named[s].count; i++)
			check_item(r, (enum conf_section)s, i);
}

static size_t row_of(enum conf_section section, const char *key)
{
	size_t n;

	return (size_t)(conf_row_find(section, slice_str(key)) -
			conf_rows(section, &n));
}

static bool look_up(const struct reading *r, struct endpoint *e, bool passive,
		    const char **why_out)
{
	return r->known ? endpoint_recall(r->known, e, passive, why_out) :
			  endpoint_resolve(e, passive, why_out);
}

static void resolve_listeners(struct reading *r, const char *key,
			      struct conf_listeners *list)
{
	struct conf_place place = r->places->server[row_of(CONF_SERVER, key)];
	char text[400];
	const char *why;

	for (size_t i = 0; i < list->count; i++) {
		if (look_up(r, &list->at[i].endpoint, true, &why))
			continue;
		endpoint_print(&list->at[i].endpoint, text, sizeof(text));
		problem_at(r, place.file ? place : r->places->file,
			   "listener \"%s\": %s", text, why);
	}
}

static void resolve_sockets(struct reading *r, size_t milter)
{
	const struct conf_milter *m = &r->conf->milters[milter];
	size_t row = row_of(CONF_MILTER, "socket");
	char text[400];
	const char *why;

	for (unsigned i = 0; i < m->socket.count; i++) {
		if (look_up(r, &m->socket.at[i], false, &why))
			continue;
		endpoint_print(&m->socket.at[i], text, sizeof(text));
		problem_at(r, r->places->keys[CONF_MILTER][milter][row],
			   "milter \"%s\": could not look up \"%s\": %s",
			   m->name, text, why);
	}
}

static void resolve(struct reading *r)
{
	resolve_listeners(r, "listen", &r->conf->listen);
	resolve_listeners(r, "status", &r->conf->status);
	resolve_listeners(r, "control", &r->conf->control);
	for (size_t i = 0; i < r->conf->milter_count; i++)
		resolve_sockets(r, i);
}

/* How many sections of a kind the lines have, twice the same included. */
static size_t count_sections(const struct conf_lines *lines,
			     enum conf_section section)
{
	size_t n = 0;

	for (const struct conf_line *l = lines->first; l; l = l->next)
		n += l->section == section && l->key.len == 0;
	return n;
}

/*
 * Room for all sections of that kind, for what is built in, and for where they
 * stand.
 */
static bool make_room(struct reading *r, enum conf_section section,
		      struct named named)
{
	size_t builtin, room;

	builtin_all(&builtin);
	room = count_sections(&r->lines, section) + builtin;
	if (!named.items)
		named.items = arena_take_n(r->arena, room, named.size);
	named.blocks = arena_take_n(r->arena, room, sizeof(*named.blocks));
	r->places->named[section] = arena_take_n(
		r->arena, room, sizeof(*r->places->named[section]));
	r->places->keys[section] = arena_take_n(
		r->arena, room, sizeof(*r->places->keys[section]));
	r->named[section] = named;
	return named.items && named.blocks && r->places->named[section] &&
	       r->places->keys[section];
}

static bool make_all_room(struct reading *r)
{
	struct conf *c = r->conf;
	bool ok;

	ok = make_room(r, CONF_MILTER,
		       (struct named){ .items = (char *)c->milters,
				       .size = sizeof(c->milters[0]),
				       .count = &c->milter_count,
				       .max = CONF_MILTERS_MAX }) &&
	     make_room(r, CONF_CONDITION,
		       (struct named){ .size = sizeof(c->conditions[0]),
				       .count = &c->condition_count,
				       .max = CONF_CONDITIONS_MAX }) &&
	     make_room(r, CONF_TABLE,
		       (struct named){ .size = sizeof(c->tables[0]),
				       .count = &c->table_count,
				       .max = CONF_TABLES_MAX }) &&
	     make_room(r, CONF_RULE,
		       (struct named){ .size = sizeof(c->rule_texts[0]),
				       .count = &c->rule_count,
				       .max = CONF_RULES_MAX });
	c->conditions = (void *)r->named[CONF_CONDITION].items;
	c->tables = (void *)r->named[CONF_TABLE].items;
	c->rule_texts = (void *)r->named[CONF_RULE].items;
	return ok;
}

static void apply(struct reading *r)
{
	if (!through_iniparser(&r->lines, r->arena)) {
		problem_at(r, r->places->file,
			   "could not pass the settings through a temporary "
			   "file in memory: out of memory or no /proc");
		return;
	}
	if (!make_all_room(r))
		return;
	set_defaults(r->arena, CONF_SERVER, r->conf);
	for (const struct conf_line *l = r->lines.first; l; l = l->next) {
		if (l->key.len)
			apply_key(r, l);
		else if (l->section != CONF_SERVER)
			begin_named(r, l);
	}
	check_required(r);
	conf_cond_compile(r->arena, r->conf, r->places, r->from_memory,
			  r->problems);
	conf_check(r->conf, r->places, r->problems);
}

static const struct conf *read_settings(struct arena *arena, const char *name,
					const struct slice *text,
					const struct endpoint_cache *known,
					struct conf_problems *problems)
{
	struct reading r = { .arena = arena,
			     .problems = problems,
			     .known = known,
			     .from_memory = text != NULL };

	*problems = (struct conf_problems){ .arena = arena };
	problems->tail = &problems->first;
	r.conf = arena_take(arena, sizeof(*r.conf));
	r.places = calloc(1, sizeof(*r.places));
	if (!r.conf || !r.places) {
		conf_problem_add(problems, name, 0, "no memory");
		free(r.places);
		return NULL;
	}
	r.places->file.file = name;
	if (text)
		conf_lines_text(name, *text, &r.lines, problems);
	else
		conf_lines_file(name, &r.lines, problems);
	apply(&r);
	if (!text)
		resolve(&r);
	if (arena_failed(arena))
		conf_problem_add(problems, name, 0, "no memory for settings");
	free(r.places);
	if (problems->count == 0)
		return r.conf;
	conf_close(r.conf);
	return NULL;
}

const struct conf *conf_read(struct arena *arena, const char *path,
			     struct conf_problems *problems_out)
{
	return read_settings(arena, path, NULL, NULL, problems_out);
}

const struct conf *conf_read_known(struct arena *arena, const char *path,
				   const struct endpoint_cache *known,
				   struct conf_problems *problems_out)
{
	return read_settings(arena, path, NULL, known, problems_out);
}

const struct conf *conf_read_text(struct arena *arena, const char *name,
				  struct slice text,
				  struct conf_problems *problems_out)
{
	return read_settings(arena, name, &text, NULL, problems_out);
}
