#include <stdlib.h>

#include "shared/conf_value.h"

#define SAMPLE_WIDTH 76

/* `key = value`, unless it has the default value and those are not wanted. */
static bool print_row(const struct conf_row *row, const void *base,
		      const void *defaults, struct buf *out)
{
	struct buf standard, value;
	bool ok;

	buf_init(&standard, out->ceiling);
	buf_init(&value, out->ceiling);
	ok = conf_value_print(row, base, &value) &&
	     (!defaults || conf_value_print(row, defaults, &standard));
	if (ok && (!defaults || !row->standard ||
		   !slice_equal(buf_slice(&value), buf_slice(&standard)))) {
		ok = buf_printf(out, "%s =%s", row->key,
				buf_len(&value) ? " " : "") &&
		     buf_add(out, buf_slice(&value)) && buf_add_byte(out, '\n');
	}
	buf_deinit(&standard);
	buf_deinit(&value);
	return ok;
}

/* defaults: NULL to print all. */
static bool print_section(enum conf_section section, const void *base,
			  const void *defaults, struct buf *out)
{
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);

	for (size_t i = 0; i < n; i++)
		if (!print_row(&rows[i], base, defaults, out))
			return false;
	return true;
}

/* A struct of nothing but defaults; false: no memory. */
static bool take_defaults(struct arena *arena, enum conf_section section,
			  void *base)
{
	struct conf_value_error error;
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].standard &&
		    !conf_value_parse(arena, &rows[i],
				      slice_str(rows[i].standard), base,
				      &error))
			return false;
	return true;
}

static bool print_all(const struct conf *conf, const struct conf *server,
		      const struct conf_milter *milter, struct buf *out)
{
	if (!buf_printf(out, "[server]\n") ||
	    !print_section(CONF_SERVER, conf, server, out))
		return false;
	for (size_t i = 0; i < conf->milter_count; i++) {
		const struct conf_milter *m = &conf->milters[i];

		if (!buf_printf(out, "\n[milter %s]\n", m->name) ||
		    !print_section(CONF_MILTER, m, milter, out))
			return false;
	}
	return true;
}

bool conf_print(const struct conf *conf, bool with_defaults, struct buf *out)
{
	struct arena arena;
	struct conf *server;
	bool ok = false;

	if (with_defaults)
		return print_all(conf, NULL, NULL, out);
	arena_init(&arena, sizeof(*server) + 256 * 1024);
	server = arena_take(&arena, sizeof(*server));
	/* A milter without a socket prints none, but that row is never left. */
	if (server && take_defaults(&arena, CONF_SERVER, server) &&
	    take_defaults(&arena, CONF_MILTER, &server->milters[0]))
		ok = print_all(conf, server, &server->milters[0], out);
	arena_deinit(&arena);
	return ok;
}

/* The text in lines of comment, broken at blanks. */
static bool print_comment(const char *text, struct buf *out)
{
	struct slice rest = slice_str(text), word;
	size_t column = SAMPLE_WIDTH;
	bool first = true;

	while (slice_split(&rest, ' ', &word)) {
		if (word.len == 0)
			continue;
		if (column + 1 + word.len > SAMPLE_WIDTH) {
			if (!buf_printf(out, "%s# ", first ? "" : "\n"))
				return false;
			column = 2;
		} else if (buf_add_byte(out, ' ')) {
			column++;
		} else {
			return false;
		}
		if (!buf_add(out, word))
			return false;
		column += word.len;
		first = false;
	}
	return buf_add_byte(out, '\n');
}

static bool print_words(const struct conf_row *row, struct buf *out)
{
	bool ok = buf_add(out, SLICE_LIT("# One of"));

	for (const struct conf_word *w = row->words; ok && w->word; w++)
		ok = buf_printf(out, "%s %s", w == row->words ? ":" : ",",
				w->word);
	return ok && buf_add_byte(out, '\n');
}

static bool print_sample_row(const struct conf_row *row, struct buf *out)
{
	const char *value = row->sample ? row->sample : row->standard;

	if (!buf_add_byte(out, '\n') || !print_comment(row->sentence, out))
		return false;
	if (row->words && !print_words(row, out))
		return false;
	if (row->when == CONF_AT_START &&
	    !buf_add(out, SLICE_LIT("# Changes only when the server is "
				    "started again.\n")))
		return false;
	return buf_printf(out, "%s%s =%s%s\n", row->sample ? "" : "#",
			  row->key, value[0] ? " " : "", value);
}

static bool print_sample_section(enum conf_section section, struct buf *out)
{
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);

	for (size_t i = 0; i < n; i++)
		if (!print_sample_row(&rows[i], out))
			return false;
	return true;
}

bool conf_print_sample(struct buf *out)
{
	return buf_add(out, SLICE_LIT(
		"# sekisho.conf - settings of sekishod; see sekisho.conf(5)\n"
		"#\n"
		"# A line that begins with # or ; is a comment; behind a value "
		"it needs a\n"
		"# blank before it.  An indented line continues the line "
		"above.  What stands\n"
		"# behind a # here is the default.  Check with: sekishod -t -c "
		"FILE\n"
		"\n"
		"[server]\n")) &&
	       print_sample_section(CONF_SERVER, out) &&
	       buf_add(out, SLICE_LIT(
		"\n"
		"# One section for each milter; they are asked in the order "
		"of this file.\n"
		"[milter opendkim]\n")) &&
	       print_sample_section(CONF_MILTER, out) &&
	       buf_add(out, SLICE_LIT(
		"\n"
		"# More sections may stand in files of their own.\n"
		"#include = conf.d/*.conf\n"));
}
