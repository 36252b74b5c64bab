#include "shared/conf.h"

#include <iniparser/iniparser.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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

struct reading {
	struct arena *arena;
	struct conf_problems *problems;
	struct conf_lines lines;
	struct conf *conf;
	struct conf_places *places;
	unsigned blocks[CONF_MILTERS_MAX]; /* the section each milter is from */
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
	if (line->section == CONF_SERVER)
		return snprintf(text, size, "server");
	return snprintf(text, size, "milter %.*s", SLICE_ARG(line->name));
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

/* The milter that a section made; NULL: the section was refused. */
static struct conf_milter *find_block(struct reading *r, unsigned block,
				      size_t *index_out)
{
	for (size_t i = 0; i < r->conf->milter_count; i++) {
		if (r->blocks[i] == block) {
			*index_out = i;
			return &r->conf->milters[i];
		}
	}
	return NULL;
}

static void begin_milter(struct reading *r, const struct conf_line *line)
{
	size_t n = r->conf->milter_count;
	struct conf_milter *m;

	for (size_t i = 0; i < n; i++) {
		if (!slice_equal_case(slice_str(r->conf->milters[i].name),
				      line->name))
			continue;
		problem_at(r, line->place,
			   "milter \"%.*s\" is there already: %s:%u",
			   SLICE_ARG(line->name), r->places->milter[i].file,
			   r->places->milter[i].line);
		return;
	}
	if (n == CONF_MILTERS_MAX) {
		problem_at(r, line->place, "milter \"%.*s\": more than %d "
			   "milters", SLICE_ARG(line->name), CONF_MILTERS_MAX);
		return;
	}
	m = &r->conf->milters[n];
	m->name = arena_str(r->arena, line->name);
	set_defaults(r->arena, CONF_MILTER, m);
	r->places->milter[n] = line->place;
	r->blocks[n] = line->block;
	if (m->name)
		r->conf->milter_count++;
}

static void unknown_key(struct reading *r, const struct conf_line *line,
			const char *where)
{
	enum conf_section other =
		line->section == CONF_SERVER ? CONF_MILTER : CONF_SERVER;
	const char *nearest = conf_row_nearest(line->section, line->key);
	struct slice key = slice_head(line->key, 80);

	if (conf_row_find(other, line->key))
		problem_at(r, line->place,
			   "unknown key \"%.*s\" in [%s]: it belongs into %s",
			   SLICE_ARG(key), where,
			   other == CONF_SERVER ? "[server]" :
						  "a [milter NAME]");
	else if (nearest)
		problem_at(r, line->place,
			   "unknown key \"%.*s\" in [%s]: did you mean \"%s\"?",
			   SLICE_ARG(key), where, nearest);
	else
		problem_at(r, line->place, "unknown key \"%.*s\" in [%s]",
			   SLICE_ARG(key), where);
}

static void apply_key(struct reading *r, const struct conf_line *line)
{
	const struct conf_row *row = conf_row_find(line->section, line->key);
	struct conf_place *place = r->places->server;
	struct conf_value_error error;
	char where[CONF_NAME_MAX + 16];
	void *base = r->conf;
	size_t index, n;

	section_name(line, where, sizeof(where));
	if (line->section == CONF_MILTER) {
		base = find_block(r, line->block, &index);
		if (!base)
			return;
		place = r->places->milter_key[index];
	}
	if (!row) {
		unknown_key(r, line, where);
		return;
	}
	place += row - conf_rows(line->section, &n);
	if (place->file) {
		problem_at(r, line->place,
			   "\"%s\" in [%s] is given twice: %s:%u", row->key,
			   where, place->file, place->line);
		return;
	}
	*place = line->place;
	if (!line->bad &&
	    !conf_value_parse(r->arena, row, line->value, base, &error))
		problem_at(r, line->place, "\"%.*s\" for \"%s\" in [%s]: %s",
			   SLICE_ARG(slice_head(conf_unquote(line->value),
						100)),
			   row->key, where, error.why);
}

/* Keys without a default must be given. */
static void check_required(struct reading *r)
{
	size_t n;
	const struct conf_row *rows = conf_rows(CONF_MILTER, &n);

	for (size_t i = 0; i < r->conf->milter_count; i++)
		for (size_t row = 0; row < n; row++)
			if (!rows[row].standard &&
			    !r->places->milter_key[i][row].file)
				problem_at(r, r->places->milter[i],
					   "milter \"%s\" has no \"%s\"",
					   r->conf->milters[i].name,
					   rows[row].key);
}

static void resolve(struct reading *r)
{
	char text[400];
	const char *why;
	size_t n;
	const struct conf_row *rows = conf_rows(CONF_SERVER, &n);
	size_t listen = (size_t)(conf_row_find(CONF_SERVER,
					       SLICE_LIT("listen")) - rows);
	size_t socket = (size_t)(conf_row_find(CONF_MILTER,
					       SLICE_LIT("socket")) -
				 conf_rows(CONF_MILTER, &n));

	for (size_t i = 0; i < r->conf->listen_count; i++) {
		struct endpoint *e = &r->conf->listen[i].endpoint;
		struct conf_place place = r->places->server[listen];

		if (endpoint_resolve(e, true, &why))
			continue;
		endpoint_print(e, text, sizeof(text));
		problem_at(r, place.file ? place : r->places->file,
			   "listener \"%s\": %s", text, why);
	}
	for (size_t i = 0; i < r->conf->milter_count; i++) {
		struct conf_milter *m = &r->conf->milters[i];

		if (endpoint_resolve(&m->socket, false, &why))
			continue;
		endpoint_print(&m->socket, text, sizeof(text));
		problem_at(r, r->places->milter_key[i][socket],
			   "milter \"%s\": could not look up \"%s\": %s",
			   m->name, text, why);
	}
}

static void apply(struct reading *r)
{
	if (!through_iniparser(&r->lines, r->arena)) {
		problem_at(r, r->places->file,
			   "could not pass the settings through a temporary "
			   "file in memory: out of memory or no /proc");
		return;
	}
	set_defaults(r->arena, CONF_SERVER, r->conf);
	for (const struct conf_line *l = r->lines.first; l; l = l->next) {
		if (l->key.len)
			apply_key(r, l);
		else if (l->section == CONF_MILTER)
			begin_milter(r, l);
	}
	check_required(r);
	conf_check(r->conf, r->places, r->problems);
}

static const struct conf *read_settings(struct arena *arena, const char *name,
					const struct slice *text,
					struct conf_problems *problems)
{
	struct reading r = { .arena = arena, .problems = problems };

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
	return problems->count ? NULL : r.conf;
}

const struct conf *conf_read(struct arena *arena, const char *path,
			     struct conf_problems *problems_out)
{
	return read_settings(arena, path, NULL, problems_out);
}

const struct conf *conf_read_text(struct arena *arena, const char *name,
				  struct slice text,
				  struct conf_problems *problems_out)
{
	return read_settings(arena, name, &text, problems_out);
}
