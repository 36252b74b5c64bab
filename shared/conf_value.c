#include "shared/conf_value.h"

#include <stdarg.h>
#include <stdio.h>

_Static_assert(sizeof(enum conf_order) == sizeof(int) &&
		       sizeof(enum log_sink) == sizeof(int),
	       "CONF_WORD writes an int");

__attribute__((format(printf, 2, 3))) static bool
fails(struct conf_value_error *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->why, sizeof(e->why), format, args);
	va_end(args);
	return false;
}

/* A quote in the middle of a word is a byte like others: it's. */
static bool may_open(struct slice text, size_t at)
{
	return at == 0 || is_blank(text.data[at - 1]) ||
	       strchr(",=(", text.data[at - 1]) != NULL;
}

static bool behind_tilde(struct slice text, size_t at)
{
	while (at > 0 && is_blank(text.data[at - 1]))
		at--;
	return at > 0 && text.data[at - 1] == '~';
}

ptrdiff_t conf_literal(struct slice text, size_t at)
{
	char open = text.data[at];
	bool regex = open == '/' && behind_tilde(text, at);

	if (!regex && !((open == '"' || open == '\'') && may_open(text, at)))
		return 0;
	for (size_t i = at + 1; i < text.len; i++) {
		if (regex && text.data[i] == '\\')
			i++;
		else if (text.data[i] == open)
			return (ptrdiff_t)(i - at + 1);
	}
	return -1;
}

struct slice conf_unquote(struct slice text)
{
	if (text.len < 2 || (text.data[0] != '"' && text.data[0] != '\''))
		return text;
	if (conf_literal(text, 0) != (ptrdiff_t)text.len)
		return text;
	return slice_of(text.data + 1, text.len - 2);
}

enum behind { BEHIND_WORD, BEHIND_COMMA, BEHIND_END };

/*
 * Takes a word off the front of *rest, up to a blank or comma outside of
 * quotes, and what stands behind it.  The word is empty when there is none
 * before the comma or the end.
 */
static enum behind take_word(struct slice *rest, struct slice *word_out)
{
	struct slice s = slice_trim(*rest);
	size_t i = 0;

	while (i < s.len && !is_blank(s.data[i]) && s.data[i] != ',') {
		ptrdiff_t n = conf_literal(s, i);

		i += n > 0 ? (size_t)n : 1;
	}
	*word_out = slice_head(s, i);
	*rest = slice_trim(slice_from(s, i));
	if (rest->len == 0)
		return BEHIND_END;
	if (rest->data[0] != ',')
		return BEHIND_WORD;
	*rest = slice_from(*rest, 1);
	return BEHIND_COMMA;
}

/* Number and unit; without a unit it is times `bare`. */
static bool parse_units(struct slice text, const struct conf_unit *units,
			uint64_t bare, uint64_t *number_out)
{
	size_t digits = 0;
	uint64_t number;
	struct slice word;

	while (digits < text.len && text.data[digits] >= '0' &&
	       text.data[digits] <= '9')
		digits++;
	word = slice_trim(slice_from(text, digits));
	if (word.len) {
		while (units->word && !slice_is_case(word, units->word))
			units++;
		if (!units->word)
			return false;
		bare = units->factor;
	}
	if (!slice_to_u64(slice_head(text, digits), UINT64_MAX / bare, &number))
		return false;
	*number_out = number * bare;
	return true;
}

bool conf_duration_parse(struct slice text, uint64_t *us_out)
{
	return parse_units(text, conf_durations, 1000000, us_out);
}

static bool out_of_range(const struct conf_row *row, const char *side,
			 uint64_t limit, struct conf_value_error *e)
{
	struct buf b;
	struct slice text;

	buf_init(&b, 64);
	text = conf_number_print(row->type, limit, &b) ? buf_slice(&b) :
							   SLICE_EMPTY;
	fails(e, "%s is %.*s", side, SLICE_ARG(text));
	buf_deinit(&b);
	return false;
}

static bool parse_number(const struct conf_row *row, struct slice text,
			 void *at, struct conf_value_error *e)
{
	uint64_t n = 0;
	unsigned small;

	if (row->type == CONF_UNSIGNED && !slice_to_u64(text, UINT64_MAX, &n))
		return fails(e, "not a whole number");
	if (row->type == CONF_SIZE && !parse_units(text, conf_sizes, 1, &n))
		return fails(e, "not a size: a whole number and k, M or G, "
				"for example 64k");
	if (row->type == CONF_DURATION &&
	    !parse_units(text, conf_durations, 1000000, &n))
		return fails(e, "not a time: a whole number and ms, s, m, h or "
				"d, for example 30s");
	if (n < row->min)
		return out_of_range(row, "the smallest value", row->min, e);
	if (n > row->max)
		return out_of_range(row, "the largest value", row->max, e);
	if (row->type != CONF_UNSIGNED) {
		memcpy(at, &n, sizeof(n));
		return true;
	}
	small = (unsigned)n;
	memcpy(at, &small, sizeof(small));
	return true;
}

static bool parse_bool(struct slice text, bool *at, struct conf_value_error *e)
{
	*at = slice_is_case(text, "yes") || slice_is_case(text, "on") ||
	      slice_is_case(text, "true");
	if (*at || slice_is_case(text, "no") || slice_is_case(text, "off") ||
	    slice_is_case(text, "false"))
		return true;
	return fails(e, "neither yes nor no");
}

static bool parse_string(struct arena *arena, const struct conf_row *row,
			 struct slice text, void *at,
			 struct conf_value_error *e)
{
	char *copy;

	if (text.len && row->type == CONF_PATH && text.data[0] != '/')
		return fails(e, "a path must begin with \"/\"");
	if (text.len >= 4096 && row->type == CONF_PATH)
		return fails(e, "a path may have no more than 4095 bytes");
	if (text.len == 0 && row->standard && row->standard[0] != '\0')
		return fails(e, "must not be empty");
	copy = arena_str(arena, text);
	if (!copy)
		return fails(e, "no memory");
	memcpy(at, &copy, sizeof(copy));
	return true;
}

/* The bytes themselves: quotes in an expression belong to it. */
static bool parse_text(struct arena *arena, const struct conf_row *row,
		       struct slice text, void *at, struct conf_value_error *e)
{
	struct conf_text *t = at;

	if (text.len == 0 && !row->standard)
		return fails(e, "must not be empty");
	t->line = NULL;
	return arena_copy(arena, text, &t->text) || fails(e, "no memory");
}

/* One more of them. */
static bool parse_texts(struct arena *arena, const struct conf_row *row,
			struct slice text, struct conf_texts *list,
			struct conf_value_error *e)
{
	if (list->count == CONF_ACTIONS_MAX)
		return fails(e, "more than %d of them", CONF_ACTIONS_MAX);
	if (list->count == 0)
		list->items = arena_take_n(arena, CONF_ACTIONS_MAX,
					   sizeof(*list->items));
	if (!list->items)
		return fails(e, "no memory");
	if (!parse_text(arena, row, text, &list->items[list->count], e))
		return false;
	list->count++;
	return true;
}

static bool unknown_word(const struct conf_word *words, struct slice text,
			 struct conf_value_error *e)
{
	const char *near[16];
	const char *nearest;
	char list[300] = "";
	size_t n = 0, used = 0;

	for (; words[n].word && n < sizeof(near) / sizeof(near[0]); n++) {
		near[n] = words[n].word;
		used += (size_t)snprintf(list + used, sizeof(list) - used,
					 "%s%s", n ? ", " : "", words[n].word);
	}
	nearest = conf_nearest(text, near, n);
	if (nearest)
		return fails(e, "one of %s; did you mean \"%s\"?", list,
			     nearest);
	return fails(e, "must be one of %s", list);
}

static bool find_word(const struct conf_word *words, struct slice text,
		      int *value_out, struct conf_value_error *e)
{
	*value_out = 0;
	for (const struct conf_word *w = words; w->word; w++) {
		if (slice_is_case(text, w->word)) {
			*value_out = w->value;
			return true;
		}
	}
	return unknown_word(words, text, e);
}

static bool parse_word(const struct conf_row *row, struct slice text, void *at,
		       struct conf_value_error *e)
{
	int value;
	bool either;

	if (!find_word(row->words, text, &value, e))
		return false;
	if (row->type == CONF_WORD) {
		memcpy(at, &value, sizeof(value));
		return true;
	}
	either = value != 0;
	memcpy(at, &either, sizeof(either));
	return true;
}

static bool parse_mode(struct slice text, mode_t *mode_out)
{
	unsigned mode = 0;

	if (text.len < 3 || text.len > 4)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '7')
			return false;
		mode = mode * 8 + (unsigned)(text.data[i] - '0');
	}
	*mode_out = mode;
	return mode != 0 && mode <= 0777;
}

/* One `name=value` behind the address of a listener. */
static bool parse_listen_option(struct arena *arena, struct slice word,
				struct conf_listen *l,
				struct conf_value_error *e)
{
	struct slice name = SLICE_EMPTY, value = word;
	int mta;

	if (slice_find(word, '=') < 0)
		return fails(e, "\"%.*s\" stands behind an address: a comma "
				"separates addresses, options are owner=, "
				"group=, mode=, mta=", SLICE_ARG(word));
	slice_split(&value, '=', &name);
	value = conf_unquote(value);
	if (value.len == 0)
		return fails(e, "nothing behind \"%.*s=\"", SLICE_ARG(name));
	if (slice_is_case(name, "mta")) {
		l->has_mta = find_word(conf_mta_words, value, &mta, e);
		if (l->has_mta)
			l->mta = (enum mta)mta;
		return l->has_mta;
	}
	if (slice_is_case(name, "owner"))
		return (l->owner = arena_str(arena, value)) != NULL ||
		       fails(e, "no memory");
	if (slice_is_case(name, "group"))
		return (l->group = arena_str(arena, value)) != NULL ||
		       fails(e, "no memory");
	if (slice_is_case(name, "mode"))
		return parse_mode(value, &l->mode) ||
		       fails(e, "mode=%.*s is not an octal mode like 0660",
			     SLICE_ARG(value));
	return fails(e, "unknown option \"%.*s\": there are owner=, group=, "
			"mode= and mta=", SLICE_ARG(name));
}

static bool parse_address(struct slice text, struct endpoint *endpoint,
			  struct conf_value_error *e)
{
	const char *why;

	if (endpoint_parse(text, endpoint, &why))
		return true;
	return fails(e, "\"%.*s\": %s", SLICE_ARG(slice_head(text, 200)), why);
}

/* Takes one listener with its options off the front of *rest. */
static bool parse_listener(struct arena *arena, struct slice *rest,
			   struct conf_listen *l, enum behind *behind_out,
			   struct conf_value_error *e)
{
	struct slice word;

	*l = (struct conf_listen){ .owner = "", .group = "" };
	*behind_out = take_word(rest, &word);
	if (word.len == 0)
		return fails(e, "no address before or behind a comma");
	if (!parse_address(conf_unquote(word), &l->endpoint, e))
		return false;
	while (*behind_out == BEHIND_WORD) {
		*behind_out = take_word(rest, &word);
		if (!parse_listen_option(arena, word, l, e))
			return false;
	}
	if (l->endpoint.kind != ENDPOINT_UNIX &&
	    (l->mode || l->owner[0] || l->group[0]))
		return fails(e, "owner=, group= and mode= are for unix sockets "
				"only");
	return true;
}

static bool parse_listen(struct arena *arena, const struct conf_row *row,
			 struct slice text, struct conf_listeners *list,
			 struct conf_value_error *e)
{
	enum behind behind;

	list->count = 0;
	if (text.len == 0 && row->standard && !row->standard[0])
		return true;
	do {
		struct conf_listen *l = &list->at[list->count];

		if (list->count == CONF_LISTEN_MAX)
			return fails(e, "more than %d addresses",
				     CONF_LISTEN_MAX);
		if (!parse_listener(arena, &text, l, &behind, e))
			return false;
		if (l->has_mta && row->type == CONF_STATUS)
			return fails(e, "mta= is for listen only");
		list->count++;
	} while (behind == BEHIND_COMMA);
	return true;
}

/* Addresses of one milter, separated by commas. */
static bool parse_sockets(struct arena *arena, struct slice text,
			  struct conf_sockets *list,
			  struct conf_value_error *e)
{
	struct slice word;
	enum behind behind;

	list->count = 0;
	list->at = arena_take_n(arena, CONF_SOCKETS_MAX, sizeof(*list->at));
	if (!list->at)
		return fails(e, "no memory");
	do {
		if (list->count == CONF_SOCKETS_MAX)
			return fails(e, "more than %d addresses",
				     CONF_SOCKETS_MAX);
		behind = take_word(&text, &word);
		if (behind == BEHIND_WORD)
			return fails(e, "more than one word: a value with "
					"blanks needs quotes around all of it");
		if (list->count && word.len == 0)
			return fails(e, "no address before or behind a comma");
		if (!parse_address(conf_unquote(word), &list->at[list->count],
				   e))
			return false;
		list->count++;
	} while (behind == BEHIND_COMMA);
	return true;
}

static bool parse_switch(struct slice text, struct conf_switch *switch_out,
			 struct conf_value_error *e)
{
	struct slice word;
	uint64_t percent;
	int mode;

	if (take_word(&text, &word) == BEHIND_COMMA)
		return fails(e, "a comma has no meaning here");
	if (!find_word(conf_mode_words, word, &mode, e))
		return false;
	*switch_out = (struct conf_switch){ .mode = (enum conf_mode)mode };
	if (mode != MODE_PERCENT)
		return text.len == 0 ||
		       fails(e, "nothing may stand behind \"%.*s\"",
			     SLICE_ARG(word));
	if (text.len && text.data[text.len - 1] == '%')
		text.len--;
	if (!slice_to_u64(text, 100, &percent))
		return fails(e, "percent needs a whole number from 0 to 100");
	switch_out->percent = (unsigned)percent;
	return true;
}

_Static_assert(sizeof(((struct conf_value_error *)0)->why) == CONF_SWITCH_WHY,
	       "conf_switch_parse() hands the words on");

bool conf_switch_parse(struct slice text, struct conf_switch *switch_out,
		       char why_out[CONF_SWITCH_WHY])
{
	struct conf_value_error e = { "" };
	bool ok = parse_switch(slice_trim(text), switch_out, &e);

	memcpy(why_out, e.why, sizeof(e.why));
	return ok;
}

/* One letter, or a longer name in braces. */
static bool is_macro_name(struct slice s)
{
	if (s.len >= 3 && s.data[0] == '{' && s.data[s.len - 1] == '}')
		s = slice_of(s.data + 1, s.len - 2);
	else if (s.len != 1)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] > '~' ||
		    strchr("{}\"'", s.data[i]))
			return false;
	return true;
}

/* The names with one blank between them, as OPTNEG wants its lists. */
static bool parse_names(struct arena *arena, struct slice names,
			struct slice *list_out, struct conf_value_error *e)
{
	struct slice word;
	char *list = arena_take(arena, names.len + 1);
	size_t used = 0;
	enum behind behind;

	if (!list)
		return fails(e, "no memory");
	do {
		behind = take_word(&names, &word);
		if (!is_macro_name(word))
			return fails(e, "\"%.*s\" is no macro name: one "
					"letter, or {name} in braces",
				     SLICE_ARG(word));
		if (used)
			list[used++] = ' ';
		memcpy(list + used, word.data, word.len);
		used += word.len;
	} while (behind == BEHIND_WORD);
	*list_out = slice_of(list, used);
	return true;
}

static bool parse_macros(struct arena *arena, struct slice text,
			 struct slice *lists, struct conf_value_error *e)
{
	struct slice part, stage;
	int list;

	for (int i = 0; i < LIST_COUNT; i++)
		lists[i] = SLICE_EMPTY;
	if (text.len == 0)
		return true;
	while (slice_split(&text, ',', &part)) {
		if (slice_find(part, ':') < 0)
			return fails(e, "needs STAGE: NAME NAME, STAGE: NAME");
		slice_split(&part, ':', &stage);
		if (!find_word(conf_list_words, slice_trim(stage), &list, e))
			return false;
		if (lists[list].len)
			return fails(e, "stage \"%.*s\" is given twice",
				     SLICE_ARG(slice_trim(stage)));
		if (!parse_names(arena, part, &lists[list], e))
			return false;
	}
	return true;
}

/*
 * `socket = unix:/m` and below it, indented, `order=free`: a path may hold
 * blanks, but hardly this one.  Who means blanks says so by quotes.
 */
static bool one_word(const struct conf_row *row, struct slice text)
{
	if (row->type != CONF_STRING && row->type != CONF_PATH)
		return true;
	for (size_t i = 0; i < text.len; i++)
		if (is_blank(text.data[i]))
			return conf_unquote(text).len < text.len;
	return true;
}

bool conf_value_parse(struct arena *arena, const struct conf_row *row,
		      struct slice text, void *base,
		      struct conf_value_error *error_out)
{
	void *at = (char *)base + row->offset;

	text = slice_trim(text);
	if (!one_word(row, text))
		return fails(error_out, "more than one word: a value with "
					"blanks needs quotes around all of it");
	if (row->type != CONF_LISTEN && row->type != CONF_STATUS &&
	    row->type != CONF_SOCKETS && row->type != CONF_TEXT &&
	    row->type != CONF_TEXTS)
		text = conf_unquote(text);
	switch (row->type) {
	case CONF_BOOL:
		return parse_bool(text, at, error_out);
	case CONF_UNSIGNED:
	case CONF_SIZE:
	case CONF_DURATION:
		return parse_number(row, text, at, error_out);
	case CONF_STRING:
	case CONF_PATH:
		return parse_string(arena, row, text, at, error_out);
	case CONF_WORD:
	case CONF_EITHER:
		return parse_word(row, text, at, error_out);
	case CONF_SOCKETS:
		return parse_sockets(arena, text, at, error_out);
	case CONF_SWITCH:
		return parse_switch(text, at, error_out);
	case CONF_LISTEN:
	case CONF_STATUS:
		return parse_listen(arena, row, text, at, error_out);
	case CONF_MACROS:
		return parse_macros(arena, text, at, error_out);
	case CONF_TEXT:
		return parse_text(arena, row, text, at, error_out);
	case CONF_TEXTS:
		return parse_texts(arena, row, text, at, error_out);
	}
	return fails(error_out, "no such type");
}
