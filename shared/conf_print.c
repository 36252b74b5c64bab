#include <stdio.h>
#include <stdlib.h>

#include "shared/conf_value.h"

#define SAMPLE_WIDTH 76

bool conf_number_print(enum conf_type type, uint64_t number, struct buf *out)
{
	const struct conf_unit *u =
		type == CONF_SIZE ? conf_sizes : conf_durations;

	if (type == CONF_UNSIGNED || number == 0)
		return buf_printf(out, "%llu", (unsigned long long)number);
	/* The last one stays: nothing is finer than it. */
	while (u[1].word && number % u->factor != 0)
		u++;
	return buf_printf(out, "%llu%s",
			  (unsigned long long)(number / u->factor), u->word);
}

/*
 * Quotes where the reader would otherwise see an end or a comment.  A text
 * with both kinds of quotes was written without any around it, for none fits,
 * so it can be written so again.
 */
static bool print_string(struct buf *out, struct slice s)
{
	bool special = false;
	const char *quote = slice_find(s, '"') < 0 ? "\"" : "'";

	for (size_t i = 0; i < s.len; i++)
		special |= strchr(" \t,;#\"'~=", s.data[i]) != NULL;
	if (!special || slice_find(s, quote[0]) >= 0)
		return buf_add(out, s);
	return buf_printf(out, "%s%.*s%s", quote, SLICE_ARG(s), quote);
}

static bool print_endpoint(struct buf *out, const struct endpoint *e)
{
	char text[400];

	endpoint_print(e, text, sizeof(text));
	return print_string(out, slice_str(text));
}

bool conf_listen_print(const struct conf_listen *l, struct buf *out)
{
	if (!print_endpoint(out, &l->endpoint))
		return false;
	if (l->owner[0] && !(buf_add(out, SLICE_LIT(" owner=")) &&
			     print_string(out, slice_str(l->owner))))
		return false;
	if (l->group[0] && !(buf_add(out, SLICE_LIT(" group=")) &&
			     print_string(out, slice_str(l->group))))
		return false;
	if (l->mode && !buf_printf(out, " mode=%04o", (unsigned)l->mode))
		return false;
	return !l->has_mta ||
	       buf_printf(out, " mta=%s",
			  conf_word_of(conf_mta_words, (int)l->mta));
}

static bool print_listen(struct buf *out, const struct conf_listeners *list)
{
	for (size_t i = 0; i < list->count; i++)
		/* A line for each: all in one could be too long to read. */
		if ((i && !buf_add(out, SLICE_LIT(",\n    "))) ||
		    !conf_listen_print(&list->at[i], out))
			return false;
	return true;
}

static bool print_sockets(struct buf *out, const struct conf_sockets *list)
{
	for (unsigned i = 0; i < list->count; i++)
		if ((i && !buf_add(out, SLICE_LIT(",\n    "))) ||
		    !print_endpoint(out, &list->at[i]))
			return false;
	return true;
}

void conf_switch_print(const struct conf_switch *s, char *text, size_t size)
{
	const char *word = conf_mode_name(s->mode);

	if (s->mode == MODE_PERCENT)
		snprintf(text, size, "%s %u", word, s->percent);
	else
		snprintf(text, size, "%s", word);
}

static bool print_switch(struct buf *out, const struct conf_switch *s)
{
	char text[CONF_SWITCH_TEXT];

	conf_switch_print(s, text, sizeof(text));
	return buf_add(out, slice_str(text));
}

static bool print_macros(struct buf *out, const struct slice *lists)
{
	bool first = true;

	for (const struct conf_word *w = conf_list_words; w->word; w++) {
		struct slice list = lists[w->value];

		if (list.len == 0)
			continue;
		if (!buf_printf(out, "%s%s: %.*s", first ? "" : ", ", w->word,
				SLICE_ARG(list)))
			return false;
		first = false;
	}
	return true;
}

/* Longer values are broken: a line of the file has its limit. */
#define TEXT_LINE_MAX 1000
#define TEXT_WIDTH    72

/* May the value go on at `at` on an indented line of its own? */
static bool may_break(struct slice rest)
{
	ptrdiff_t equals = slice_find(rest, '=');

	/* The reader would take `order = x` for a key that is indented. */
	return rest.len && !strchr(";#", rest.data[0]) &&
	       (equals < 1 || slice_find(slice_trim(slice_head(
					 rest, (size_t)equals)), ' ') >= 0);
}

/* As written, comments and line breaks apart. */
static bool print_text(struct buf *out, struct slice text)
{
	size_t from = 0;

	if (text.len <= TEXT_LINE_MAX)
		return buf_add(out, text);
	for (size_t i = 0; i < text.len; i++) {
		ptrdiff_t literal = conf_literal(text, i);

		if (literal > 0)
			i += (size_t)literal - 1;
		else if (text.data[i] == ' ' && i - from >= TEXT_WIDTH &&
			 may_break(slice_from(text, i + 1))) {
			if (!buf_add(out, slice_of(text.data + from,
						   i - from)) ||
			    !buf_add(out, SLICE_LIT("\n\t")))
				return false;
			from = i + 1;
		}
	}
	return buf_add(out, slice_from(text, from));
}

static uint64_t number_at(const struct conf_row *row, const void *at)
{
	unsigned small;
	uint64_t n;

	if (row->type != CONF_UNSIGNED) {
		memcpy(&n, at, sizeof(n));
		return n;
	}
	memcpy(&small, at, sizeof(small));
	return small;
}

static int word_at(const struct conf_row *row, const void *at)
{
	bool either;
	int value;

	if (row->type == CONF_WORD) {
		memcpy(&value, at, sizeof(value));
		return value;
	}
	memcpy(&either, at, sizeof(either));
	return either;
}

bool conf_value_print(const struct conf_row *row, const void *base,
		      struct buf *out)
{
	const void *at = (const char *)base + row->offset;
	const char *text;

	switch (row->type) {
	case CONF_BOOL:
		return buf_add(out, word_at(row, at) ? SLICE_LIT("yes") :
						       SLICE_LIT("no"));
	case CONF_UNSIGNED:
	case CONF_SIZE:
	case CONF_DURATION:
		return conf_number_print(row->type, number_at(row, at), out);
	case CONF_STRING:
	case CONF_PATH:
		memcpy(&text, at, sizeof(text));
		return print_string(out, slice_str(text));
	case CONF_WORD:
	case CONF_EITHER:
		return buf_add(out, slice_str(conf_word_of(row->words,
							   word_at(row, at))));
	case CONF_SOCKETS:
		return print_sockets(out, at);
	case CONF_SWITCH:
		return print_switch(out, at);
	case CONF_LISTEN:
	case CONF_STATUS:
		return print_listen(out, at);
	case CONF_MACROS:
		return print_macros(out, at);
	case CONF_TEXT:
		return print_text(out, ((const struct conf_text *)at)->text);
	case CONF_TEXTS:
		break; /* one line each: print_texts() */
	}
	return false;
}

/* Of one value as it is printed: an expression, a list of addresses. */
#define VALUE_CEILING (1024u * 1024)

bool conf_value_same(const struct conf_row *row, const void *a, const void *b)
{
	struct buf one, other;
	bool same;

	buf_init(&one, VALUE_CEILING);
	buf_init(&other, VALUE_CEILING);
	same = conf_value_print(row, a, &one) &&
	       conf_value_print(row, b, &other) &&
	       slice_equal(buf_slice(&one), buf_slice(&other));
	buf_deinit(&one);
	buf_deinit(&other);
	return same;
}

bool conf_value_is_default(const struct conf_row *row, const void *base,
			   const void *defaults)
{
	return defaults && row->standard && row->type != CONF_TEXTS &&
	       conf_value_same(row, base, defaults);
}

/* `key = value`, unless it has the default value and those are not wanted. */
static bool print_row(const struct conf_row *row, const void *base,
		      const void *defaults, struct buf *out)
{
	size_t before;

	if (conf_value_is_default(row, base, defaults))
		return true;
	if (!buf_printf(out, "%s = ", row->key))
		return false;
	before = buf_len(out);
	if (!conf_value_print(row, base, out))
		return false;
	if (buf_len(out) == before)
		buf_cut(out, before - 1);
	return buf_add_byte(out, '\n');
}

/* `key = value` for each of them. */
static bool print_texts(const struct conf_row *row, const void *base,
			struct buf *out)
{
	const void *at = (const char *)base + row->offset;
	const struct conf_texts *list = at;

	for (size_t i = 0; i < list->count; i++)
		if (!buf_printf(out, "%s = ", row->key) ||
		    !print_text(out, list->items[i].text) ||
		    !buf_add_byte(out, '\n'))
			return false;
	return true;
}

/* defaults: NULL to print all. */
static bool print_section(enum conf_section section, const void *base,
			  const void *defaults, struct buf *out)
{
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].type == CONF_TEXTS ?
			    !print_texts(&rows[i], base, out) :
			    !print_row(&rows[i], base, defaults, out))
			return false;
	return true;
}

static bool print_named(enum conf_section section, const char *name,
			const void *base, const void *defaults, struct buf *out)
{
	return buf_printf(out, "\n[%s %s]\n",
			  conf_word_of(conf_section_words, (int)section),
			  name) &&
	       print_section(section, base, defaults, out);
}

/* Those that were written; what is built in is there anyhow. */
static bool print_conditions(const struct conf *conf, bool all,
			     struct buf *out)
{
	static const struct conf_rule no_rule;

	for (size_t i = 0; i < conf->condition_count; i++)
		if (!conf->conditions[i].is_builtin &&
		    !print_named(CONF_CONDITION, conf->conditions[i].name,
				 &conf->conditions[i], NULL, out))
			return false;
	for (size_t i = 0; i < conf->table_count; i++)
		if (!conf->tables[i].is_builtin &&
		    !print_named(CONF_TABLE, conf->tables[i].name,
				 &conf->tables[i], NULL, out))
			return false;
	for (size_t i = 0; i < conf->rule_count; i++)
		if (!print_named(CONF_RULE, conf->rule_texts[i].name,
				 &conf->rule_texts[i], all ? NULL : &no_rule,
				 out))
			return false;
	return true;
}

/* False: no memory. */
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

const struct conf *conf_defaults(struct arena *arena)
{
	struct conf *c;

	arena_init(arena, sizeof(*c) + 256 * 1024);
	c = arena_take(arena, sizeof(*c));
	/* A milter without a socket prints none, but that row is never left. */
	if (!c || !take_defaults(arena, CONF_SERVER, c) ||
	    !take_defaults(arena, CONF_MILTER, &c->milters[0]))
		return NULL;
	return c;
}

static bool print_all(const struct conf *conf, const struct conf *server,
		      const struct conf_milter *milter, struct buf *out)
{
	if (!buf_printf(out, "[server]\n") ||
	    !print_section(CONF_SERVER, conf, server, out))
		return false;
	for (size_t i = 0; i < conf->milter_count; i++) {
		const struct conf_milter *m = &conf->milters[i];

		if (!print_named(CONF_MILTER, m->name, m, milter, out))
			return false;
	}
	return print_conditions(conf, !milter, out);
}

bool conf_print(const struct conf *conf, bool with_defaults, struct buf *out)
{
	const struct conf *defaults;
	struct arena arena;
	bool ok;

	if (with_defaults)
		return print_all(conf, NULL, NULL, out);
	defaults = conf_defaults(&arena);
	ok = defaults &&
	     print_all(conf, defaults, &defaults->milters[0], out);
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

/*
 * Nothing of this is in force: conditions and rules have no defaults, but
 * whoever needs them should find how they look.
 */
static const char examples[] =
	"\n"
	"# Conditions have names and stand in `when =`; tables are looked up in;\n"
	"# rules act by themselves.  See sekisho-conditions(7).\n"
	"#\n"
	"# Some are built in: `when = s25r and not authenticated` in a section\n"
	"# [milter greylist] greylists only who looks like a dial-up machine and\n"
	"# has not logged in.  A section of the same name takes their place.\n"
	"#\n"
	"# [condition office_hours]\n"
	"# is = weekday in mon-fri and time in 08:00-20:00\n"
	"#\n"
	"# Lists of whom to block and whom to let pass, in files of their own:\n"
	"#\n"
	"# [table blocked_clients]\n"
	"# source = cidr:/etc/sekisho/blocked_clients\n"
	"#\n"
	"# [table blocked_senders]\n"
	"# source = list:/etc/sekisho/blocked_senders\n"
	"#\n"
	"# [table allowed_senders]\n"
	"# source = list:/etc/sekisho/allowed_senders\n"
	"#\n"
	"# [table blocked_subjects]\n"
	"# source = regexp:/etc/sekisho/blocked_subjects\n"
	"#\n"
	"# Rules are carried out in the order of this file.\n"
	"#\n"
	"# [rule allow]\n"
	"# when = sender in allowed_senders and not remote_network\n"
	"# action = accept\n"
	"#\n"
	"# [rule block]\n"
	"# when = client_addr in blocked_clients or sender in blocked_senders\n"
	"# action = reject 550 5.7.1 mail from {sender} is not wanted here\n"
	"#\n"
	"# [rule subjects]\n"
	"# when = header(\"Subject\") in blocked_subjects\n"
	"# action = quarantine the subject is on our list\n"
	"# action = log held for its subject\n"
	"#\n"
	"# [rule mark]\n"
	"# when = size > 10M\n"
	"# action = header X-Large: {size} bytes\n";

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
	       buf_add(out, slice_str(examples)) &&
	       buf_add(out, SLICE_LIT(
		"\n"
		"# More sections may stand in files of their own.\n"
		"#include = conf.d/*.conf\n"));
}
