#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/cond_tree.h"

/*
 * A parser by descent: or, and, not, a test.  The first problem ends it; each
 * function answers NULL or false then, and nobody says more.
 */
struct parser {
	struct arena *arena;
	const struct cond_names *names;
	struct cond_problem *problem;
	struct cond *cond;
	struct slice text;	/* of the expression at hand */
	struct slice condition; /* whose it is */
	size_t at;
	unsigned depth;
	unsigned nodes;
	/* Conditions that are being built in, to see a circle. */
	const struct cond_named *inside[COND_DEPTH_MAX];
	unsigned inside_count;
};

static struct cond_node *parse_or(struct parser *p);

/* ---- problems ---- */

__attribute__((format(printf, 3, 4))) static bool
fails(struct parser *p, size_t at, const char *format, ...)
{
	va_list args;

	p->problem->condition = p->condition;
	p->problem->column = at + 1;
	va_start(args, format);
	vsnprintf(p->problem->text, sizeof(p->problem->text), format, args);
	va_end(args);
	return false;
}

static bool no_memory(struct parser *p)
{
	return fails(p, p->at, "no memory for it");
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

#define NEAR_MAX 64

static size_t least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Letters to put in, take out or exchange. */
static size_t distance(struct slice a, struct slice b)
{
	size_t row[NEAR_MAX + 1];

	if (a.len > NEAR_MAX || b.len > NEAR_MAX)
		return NEAR_MAX;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t above = row[j];
			bool same = lower(a.data[i - 1]) == lower(b.data[j - 1]);

			row[j] = least(above + 1, row[j - 1] + 1,
				       corner + !same);
			corner = above;
		}
	}
	return row[b.len];
}

struct near {
	struct slice wanted;
	struct slice name;
	size_t distance;
};

static void near_try(struct near *n, struct slice name)
{
	size_t d = distance(n->wanted, name);

	if (d < n->distance) {
		n->distance = d;
		n->name = name;
	}
}

static struct near near_to(struct slice wanted)
{
	/* Half of a short word changed is another word. */
	return (struct near){ wanted, SLICE_EMPTY,
			      wanted.len / 3 + (wanted.len > 2) + 1 };
}

/* Says that there is no such name, and which one may have been meant. */
static bool no_such(struct parser *p, size_t at, const char *what,
		    const struct near *n)
{
	if (n->name.len)
		return fails(p, at, "there is no %s \"%.*s\"; is \"%.*s\" meant?",
			     what, SLICE_ARG(slice_head(n->wanted, 64)),
			     SLICE_ARG(n->name));
	return fails(p, at, "there is no %s \"%.*s\"", what,
		     SLICE_ARG(slice_head(n->wanted, 64)));
}

/* ---- letters and words ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' ||
	       c == '@';
}

/* The byte at hand behind blanks; NUL at the end. */
static char peek(struct parser *p)
{
	while (p->at < p->text.len && is_blank(p->text.data[p->at]))
		p->at++;
	return p->at < p->text.len ? p->text.data[p->at] : '\0';
}

static bool take_char(struct parser *p, char c)
{
	if (p->at >= p->text.len || peek(p) != c || p->at >= p->text.len)
		return false;
	p->at++;
	return true;
}

static struct slice peek_word(struct parser *p)
{
	size_t end;

	peek(p);
	end = p->at;
	while (end < p->text.len && is_word_byte(p->text.data[end]))
		end++;
	return slice_of(p->text.data + p->at, end - p->at);
}

static bool take_keyword(struct parser *p, const char *word)
{
	struct slice w = peek_word(p);

	if (!slice_is_case(w, word))
		return false;
	p->at += w.len;
	return true;
}

/* What stands here, for a message. */
static struct slice here(struct parser *p)
{
	struct slice w = peek_word(p);

	if (w.len == 0 && p->at < p->text.len)
		w = slice_of(p->text.data + p->at, 1);
	return slice_head(w, 64);
}

static bool is_value_end(char c)
{
	return is_blank(c) || c == ',' || c == ')' || c == '}' || c == '(';
}

static bool take_quoted(struct parser *p, char quote, struct slice *value_out)
{
	size_t start = ++p->at;
	ptrdiff_t n = slice_find(slice_from(p->text, start), quote);

	if (n < 0)
		return fails(p, start - 1, "this %c is never closed", quote);
	*value_out = slice_of(p->text.data + start, (size_t)n);
	p->at = start + (size_t)n + 1;
	return true;
}

/*
 * 'text', "text", or a bare word up to a blank, comma or parenthesis; a pair
 * of braces around a bare word is part of it: {rcpt_addr}.
 */
static bool take_value(struct parser *p, struct slice *value_out)
{
	char c = peek(p);
	size_t start = p->at;

	if (c == '"' || c == '\'')
		return take_quoted(p, c, value_out);
	if (c == '{')
		p->at++;
	while (p->at < p->text.len && !is_value_end(p->text.data[p->at]))
		p->at++;
	if (c == '{' && p->at < p->text.len && p->text.data[p->at] == '}')
		p->at++;
	*value_out = slice_of(p->text.data + start, p->at - start);
	return true;
}

/* The same, and there has to be one. */
static bool take_operand(struct parser *p, const char *example,
			 struct slice *value_out)
{
	char c = peek(p);

	if (p->at >= p->text.len)
		return fails(p, p->at, "%s is missing at the end", example);
	if (c == ')' || c == ',' || c == '}' || c == '(')
		return fails(p, p->at, "%s is missing before \"%c\"", example, c);
	return take_value(p, value_out);
}

/* ---- nodes ---- */

static struct cond_node *node(struct parser *p, enum cond_kind kind, size_t at)
{
	struct cond_node *n;

	if (++p->nodes > COND_NODES_MAX) {
		fails(p, at, "too large: more than %d tests and operators, "
		      "named conditions included", COND_NODES_MAX);
		return NULL;
	}
	n = arena_take(p->arena, sizeof(*n));
	if (!n) {
		no_memory(p);
		return NULL;
	}
	n->kind = kind;
	n->condition = p->condition;
	n->column = at + 1;
	return n;
}

/* What was read since the node began, without blanks at the end. */
static void end_text(struct parser *p, struct cond_node *n)
{
	size_t start = n->column - 1;

	n->text = slice_trim(slice_of(p->text.data + start, p->at - start));
}

static bool go_deeper(struct parser *p)
{
	if (++p->depth <= COND_DEPTH_MAX)
		return true;
	return fails(p, p->at, "nested more than %d deep", COND_DEPTH_MAX);
}

/* ---- a fact and its arguments ---- */

static bool take_milter(struct parser *p, struct cond_test *t)
{
	const struct cond_names *names = p->names;
	struct slice name;
	struct near n;
	size_t at;

	peek(p);
	at = p->at;
	if (!take_operand(p, "the name of a milter", &name))
		return false;
	n = near_to(name);
	for (size_t i = 0; i < names->milter_count; i++) {
		if (!slice_equal_case(names->milters[i], name)) {
			near_try(&n, names->milters[i]);
			continue;
		}
		if (i >= names->milters_above)
			return fails(p, at, "milter \"%.*s\" does not stand above; "
				     "only the word of those above is known",
				     SLICE_ARG(slice_head(name, 64)));
		t->milter = i;
		p->cond->milters |= i < 64 ? UINT64_C(1) << i : 0;
		return true;
	}
	return no_such(p, at, "milter", &n);
}

static bool is_header_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] < 0x21 || name.data[i] > 0x7e ||
		    name.data[i] == ':')
			return false;
	return name.len > 0 && name.len <= 200;
}

static bool take_header_name(struct parser *p, struct cond_test *t)
{
	size_t at;

	peek(p);
	at = p->at;
	if (!take_operand(p, "the name of a header", &t->name))
		return false;
	if (!is_header_name(t->name))
		return fails(p, at, "this is not the name of a header; "
			     "write it without colon, as in header(\"Subject\")");
	return true;
}

static bool find_stage(struct slice name, enum stage *stage_out)
{
	for (int i = 0; i < STAGE_HEADER; i++)
		if (slice_is_case(name, milter_stage_name((enum stage)i))) {
			*stage_out = (enum stage)i;
			return true;
		}
	if (slice_is_case(name, milter_stage_name(STAGE_EOH)))
		*stage_out = STAGE_EOH;
	else if (slice_is_case(name, milter_stage_name(STAGE_EOM)))
		*stage_out = STAGE_EOM;
	else
		return false;
	return true;
}

/*
 * macro("{name}") or macro("{name}", stage).  What came with HELO may be
 * replaced until MAIL, and each recipient brings its own.
 */
static bool take_macro(struct parser *p, struct cond_test *t)
{
	struct slice stage;
	size_t at;

	if (!take_operand(p, "the name of a macro", &t->name))
		return false;
	t->stage = facts_macro_stage(t->name);
	if (take_char(p, ',')) {
		peek(p);
		at = p->at;
		if (!take_operand(p, "a stage", &stage))
			return false;
		if (!find_stage(stage, &t->stage))
			return fails(p, at, "\"%.*s\" is no stage that has macros: "
				     "connect, helo, mail, rcpt, data, eoh, eom",
				     SLICE_ARG(slice_head(stage, 64)));
	}
	t->from = t->stage == STAGE_HELO ? STAGE_MAIL
		: t->stage == STAGE_RCPT ? STAGE_DATA
					 : t->stage;
	t->first = t->stage == STAGE_RCPT ? STAGE_RCPT : t->from;
	return true;
}

static bool take_args(struct parser *p, struct cond_test *t)
{
	if (t->fact == FACT_MACRO)
		return take_macro(p, t);
	if (t->fact == FACT_MILTER)
		return take_milter(p, t);
	if (t->fact == FACT_MILTER_HEADER) {
		if (!take_milter(p, t))
			return false;
		if (!take_char(p, ','))
			return fails(p, p->at, "a comma and the name of a header "
				     "are missing: milter_header(NAME, \"X-Spam\")");
	}
	return take_header_name(p, t);
}

static bool close_args(struct parser *p)
{
	if (take_char(p, ')'))
		return true;
	if (peek(p) == '\0')
		return fails(p, p->at, "the closing \")\" is missing");
	return fails(p, p->at, "\")\" is expected, not \"%.*s\"",
		     SLICE_ARG(here(p)));
}

static bool take_fact(struct parser *p, size_t at, enum fact fact,
		      struct cond_test *t)
{
	const struct fact_row *row = facts_row(fact);

	t->fact = fact;
	t->type = row->type;
	t->first = row->first;
	t->from = row->from;
	p->cond->facts |= UINT64_C(1) << fact;
	if (row->args == 0)
		return peek(p) != '(' ||
		       fails(p, p->at, "%s takes nothing in parentheses",
			     row->name);
	if (!take_char(p, '('))
		return fails(p, at, "%s needs a name: %s(%s)", row->name,
			     row->name,
			     fact == FACT_MACRO		   ? "\"{name}\""
			     : fact == FACT_MILTER	   ? "NAME"
			     : fact == FACT_MILTER_HEADER ? "NAME, \"X-Spam\""
							   : "\"Subject\"");
	return take_args(p, t) && close_args(p);
}

static const struct table *find_table(struct parser *p, size_t at,
				      struct slice name)
{
	struct near n = near_to(name);

	for (size_t i = 0; i < p->names->table_count; i++) {
		const struct table *t = p->names->tables[i];

		if (slice_equal_case(table_name(t), name)) {
			p->cond->tables = true;
			return t;
		}
		near_try(&n, table_name(t));
	}
	no_such(p, at, "table", &n);
	return NULL;
}

static bool is_text(enum fact_type type)
{
	return type == FACT_IS_TEXT || type == FACT_IS_WORD ||
	       type == FACT_IS_DOMAIN || type == FACT_IS_MAILBOX;
}

/* Can what this fact says be looked for in this table? */
static bool table_fits(struct parser *p, size_t at, const struct table *table,
		       const struct cond_test *t)
{
	struct slice name = table_name(table);

	if (t->type == FACT_IS_ADDRESS)
		return table_has_networks(table) ||
		       table_kind(table) == TABLE_REGEXP ||
		       fails(p, at, "table \"%.*s\" has no networks, and %s is %s",
			     SLICE_ARG(name), facts_row(t->fact)->name,
			     facts_type_name(t->type));
	return table_has_text(table) ||
	       fails(p, at, "table \"%.*s\" has networks only, and %s is %s",
		     SLICE_ARG(name), facts_row(t->fact)->name,
		     facts_type_name(t->type));
}

static bool take_key(struct parser *p, struct cond_test *t)
{
	struct slice word = peek_word(p);
	size_t at = p->at;
	enum fact fact = facts_find(word);

	if (fact == FACT_COUNT) {
		struct near n = near_to(word);

		for (size_t i = 0; i < FACT_COUNT; i++)
			near_try(&n, slice_str(facts_row((enum fact)i)->name));
		return no_such(p, at, "fact", &n);
	}
	p->at += word.len;
	if (!take_fact(p, at, fact, t))
		return false;
	if (!is_text(t->type) && t->type != FACT_IS_ADDRESS)
		return fails(p, at, "%s is %s, which is not looked up in tables",
			     facts_row(fact)->name, facts_type_name(t->type));
	return true;
}

/* lookup(table, fact): a test of the value found. */
static bool take_lookup(struct parser *p, struct cond_test *t)
{
	struct slice name;
	size_t at;

	if (!take_char(p, '('))
		return fails(p, p->at,
			     "lookup needs a table and a fact: lookup(NAME, sender)");
	peek(p);
	at = p->at;
	if (!take_operand(p, "the name of a table", &name))
		return false;
	t->lookup = find_table(p, at, name);
	if (!t->lookup)
		return false;
	if (!take_char(p, ','))
		return fails(p, p->at, "a comma and a fact are missing: "
			     "lookup(%.*s, sender)", SLICE_ARG(slice_head(name, 64)));
	if (!take_key(p, t) || !table_fits(p, at, t->lookup, t))
		return false;
	t->type = FACT_IS_TEXT;
	return close_args(p);
}

/* ---- operators and operands ---- */

static const char *test_name(const struct cond_test *t)
{
	return t->lookup ? "lookup" : facts_row(t->fact)->name;
}

static bool has_order(enum fact_type type)
{
	return type == FACT_IS_NUMBER || type == FACT_IS_SIZE ||
	       type == FACT_IS_DURATION || type == FACT_IS_TIME ||
	       type == FACT_IS_TEXT;
}

static bool take_number(struct parser *p, struct cond_test *t)
{
	struct slice value;
	size_t at;

	peek(p);
	at = p->at;
	if (!take_operand(p, cond_value_example(t->type), &value))
		return false;
	if (!cond_value_number(t->type, value, &t->number))
		return fails(p, at, "\"%.*s\" is not %s, write %s",
			     SLICE_ARG(slice_head(value, 64)),
			     t->type == FACT_IS_TEXT ? "a number"
						     : facts_type_name(t->type),
			     t->type == FACT_IS_TEXT ?
				     "one such as 5 or 2.5" :
				     cond_value_example(t->type));
	return true;
}

static bool take_order(struct parser *p, struct cond_test *t, size_t at)
{
	if (!has_order(t->type))
		return fails(p, at, "%s is %s, which is not more or less than "
			     "another", test_name(t), facts_type_name(t->type));
	t->as_number = t->type == FACT_IS_TEXT;
	return take_number(p, t);
}

static bool bad_flag(struct parser *p, char c)
{
	return fails(p, p->at,
		     "\"%c\" is no flag of a regex: i (any case), m, s, x, u "
		     "(UTF-8), A, E, U", c);
}

static unsigned flag_of(char c)
{
	static const struct {
		char letter;
		unsigned flag;
	} flags[] = {
		{ 'i', REGEX_CASELESS },   { 'm', REGEX_MULTILINE },
		{ 's', REGEX_DOTALL },	   { 'x', REGEX_EXTENDED },
		{ 'u', REGEX_UTF },	   { 'A', REGEX_ANCHORED },
		{ 'E', REGEX_DOLLAR_END }, { 'U', REGEX_UNGREEDY },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].letter == c)
			return flags[i].flag;
	return 0;
}

static bool take_flags(struct parser *p, unsigned *flags_out)
{
	*flags_out = 0;
	while (p->at < p->text.len && !is_value_end(p->text.data[p->at])) {
		unsigned flag = flag_of(p->text.data[p->at]);

		if (!flag)
			return bad_flag(p, p->text.data[p->at]);
		*flags_out |= flag;
		p->at++;
	}
	return true;
}

static bool take_regex(struct parser *p, struct cond_test *t)
{
	struct cond_regex_problem problem;
	size_t start, end;
	unsigned flags;

	if (!is_text(t->type) && t->type != FACT_IS_ADDRESS)
		return fails(p, p->at, "%s is %s; a regex needs text", test_name(t),
			     facts_type_name(t->type));
	if (peek(p) != '/')
		return fails(p, p->at, "a regex between slashes is expected: "
			     "~ /^mx[0-9]/i");
	start = end = p->at + 1;
	while (end < p->text.len && p->text.data[end] != '/')
		end += p->text.data[end] == '\\' ? 2 : 1;
	if (end >= p->text.len)
		return fails(p, start - 1, "this regex has no closing \"/\"");
	p->at = end + 1;
	if (!take_flags(p, &flags))
		return false;
	t->regex = cond_regex_compile(p->arena,
				      slice_of(p->text.data + start, end - start),
				      flags, &problem);
	if (!t->regex)
		return fails(p, start + problem.offset, "regex: %s", problem.text);
	return true;
}

/* One entry of { }, or the only one. */
static bool take_range(struct parser *p, struct cond_test *t,
		       struct cond_range *ranges, size_t *count)
{
	struct slice value;
	size_t at, n;

	peek(p);
	at = p->at;
	if (!take_operand(p, cond_value_example(t->type), &value))
		return false;
	n = cond_value_ranges(t->type, value, ranges + *count);
	if (n == 0)
		return fails(p, at, "\"%.*s\" is not %s, write %s",
			     SLICE_ARG(slice_head(value, 64)),
			     slice_find(slice_from(value, 1), '-') >= 0 ?
				     "a range" :
				     facts_type_name(t->type),
			     cond_value_example(t->type));
	*count += n;
	return true;
}

/* Twice the room, two at least; what was there is copied. */
static void *grown(struct parser *p, const void *items, size_t *room,
		   size_t size)
{
	size_t more = *room ? *room * 2 : 2;
	void *copy = arena_take_n(p->arena, more, size);

	if (!copy)
		no_memory(p);
	else if (*room)
		memcpy(copy, items, *room * size);
	*room = more;
	return copy;
}

static bool more_entries(struct parser *p, bool *more_out)
{
	*more_out = take_char(p, ',');
	if (*more_out || take_char(p, '}'))
		return true;
	if (peek(p) == '\0')
		return fails(p, p->at, "the closing \"}\" is missing");
	return fails(p, p->at, "a comma or \"}\" is expected, not \"%.*s\"",
		     SLICE_ARG(here(p)));
}

static bool take_ranges(struct parser *p, struct cond_test *t)
{
	bool more = take_char(p, '{');
	struct cond_range *ranges = NULL;
	bool braces = more;
	size_t room = 0;

	t->op = COND_RANGES;
	do {
		if (t->range_count + 2 > room)
			ranges = grown(p, ranges, &room, sizeof(*ranges));
		t->ranges = ranges;
		if (!ranges || !take_range(p, t, ranges, &t->range_count))
			return false;
		if (braces && !more_entries(p, &more))
			return false;
	} while (more);
	return true;
}

static bool check_network(struct parser *p, size_t at, struct slice word,
			  struct network *network_out)
{
	char right[64];

	switch (network_parse(word, network_out)) {
	case NETWORK_OK:
		return true;
	case NETWORK_HOST_BITS:
		network_print(network_out, right, sizeof(right));
		return fails(p, at, "bits are set behind the prefix; is %s meant?",
			     right);
	case NETWORK_BAD:
		break;
	}
	return fails(p, at, "\"%.*s\" is no address or network, write one such as "
		     "192.0.2.0/24", SLICE_ARG(slice_head(word, 64)));
}

static bool check_word(struct parser *p, size_t at, const struct cond_test *t,
		       struct slice word)
{
	struct network network;

	if (word.len == 0)
		return fails(p, at, "an empty word in a list; use = \"\"");
	return t->type != FACT_IS_ADDRESS || check_network(p, at, word, &network);
}

/* { a, b }: behind the brace. */
static bool take_words(struct parser *p, struct cond_test *t)
{
	struct slice *list = NULL;
	size_t n = 0, room = 0, at;
	bool more = true;

	while (more) {
		if (n == room)
			list = grown(p, list, &room, sizeof(*list));
		if (!list)
			return false;
		peek(p);
		at = p->at;
		if (!take_operand(p, cond_value_example(t->type), &list[n]) ||
		    !check_word(p, at, t, list[n]) || !more_entries(p, &more))
			return false;
		n++;
	}
	t->op = COND_TABLE;
	t->table = table_of_words(p->arena, list, n);
	return t->table != NULL || no_memory(p);
}

/* Behind `in`: a network, { } or the name of a table. */
static bool take_set(struct parser *p, struct cond_test *t)
{
	struct slice value;
	size_t at;

	if (take_char(p, '{'))
		return take_words(p, t);
	peek(p);
	at = p->at;
	if (!take_operand(p, "a table or a list such as { a, b }", &value))
		return false;
	if (t->type == FACT_IS_ADDRESS && value.len &&
	    (slice_find(value, '/') >= 0 || slice_find(value, ':') >= 0 ||
	     (value.data[0] >= '0' && value.data[0] <= '9'))) {
		t->op = COND_NETWORK;
		return check_network(p, at, value, &t->network);
	}
	t->op = COND_TABLE;
	t->table = find_table(p, at, value);
	return t->table && table_fits(p, at, t->table, t);
}

static bool take_in(struct parser *p, struct cond_test *t, size_t at)
{
	if (t->type == FACT_IS_BOOL)
		return fails(p, at, "%s is %s; write it alone, or behind not",
			     test_name(t), facts_type_name(t->type));
	if (is_text(t->type) || t->type == FACT_IS_ADDRESS)
		return take_set(p, t);
	return take_ranges(p, t);
}

static bool take_yes(struct parser *p, struct cond_test *t)
{
	size_t at;
	struct slice value;

	peek(p);
	at = p->at;
	if (!take_operand(p, "yes or no", &value))
		return false;
	t->op = COND_IS;
	if (slice_is_case(value, "yes") || slice_is_case(value, "true"))
		return true;
	t->negated = !t->negated;
	return slice_is_case(value, "no") || slice_is_case(value, "false") ||
	       fails(p, at, "%s is yes or no", test_name(t));
}

/* Behind = and !=. */
static bool take_equal(struct parser *p, struct cond_test *t)
{
	size_t at;

	if (t->type == FACT_IS_BOOL)
		return take_yes(p, t);
	peek(p);
	at = p->at;
	if (!is_text(t->type) && t->type != FACT_IS_ADDRESS) {
		struct cond_range *ranges =
			arena_take_n(p->arena, 2, sizeof(*ranges));

		/* 08:00 is a minute; so this is a range, too. */
		t->op = COND_RANGES;
		t->ranges = ranges;
		if (!ranges)
			return no_memory(p);
		return take_range(p, t, ranges, &t->range_count);
	}
	if (peek(p) == '/' || peek(p) == '{')
		return fails(p, at, peek(p) == '/' ?
			     "a regex stands behind ~, not behind =" :
			     "a list stands behind in, not behind =");
	if (!take_operand(p, cond_value_example(t->type), &t->word))
		return false;
	if (t->type != FACT_IS_ADDRESS)
		return true;
	t->op = COND_NETWORK;
	return check_network(p, at, t->word, &t->network);
}

/* ---- a test ---- */

static const struct {
	const char *sign;
	enum cond_op op;
	bool negated;
} operators[] = {
	/* Longer ones before their beginnings. */
	{ "!=", COND_EQ, true },  { "!~", COND_MATCH, true },
	{ "<=", COND_LE, false }, { ">=", COND_GE, false },
	{ "=", COND_EQ, false },  { "<", COND_LT, false },
	{ ">", COND_GT, false },  { "~", COND_MATCH, false },
};

static bool take_sign(struct parser *p, struct cond_test *t)
{
	struct slice rest;

	peek(p);
	rest = slice_from(p->text, p->at);
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (!slice_starts(rest, operators[i].sign))
			continue;
		p->at += strlen(operators[i].sign);
		t->op = operators[i].op;
		t->negated = operators[i].negated;
		return true;
	}
	return false;
}

/* `not in` and not `not` alone: that one stands before a test. */
static bool take_not_in(struct parser *p)
{
	size_t at = p->at;

	if (take_keyword(p, "not") && take_keyword(p, "in"))
		return true;
	p->at = at;
	return false;
}

static bool needs_operator(struct parser *p, const struct cond_test *t,
			   size_t at)
{
	if (is_text(t->type) || t->type == FACT_IS_BOOL ||
	    t->type == FACT_IS_ADDRESS || t->fact == FACT_DECLARED_SIZE)
		return true;
	return fails(p, at, "%s is %s and needs a comparison, such as %s %s",
		     test_name(t), facts_type_name(t->type), test_name(t),
		     t->type == FACT_IS_TIME	  ? "in 08:00-20:00"
		     : t->type == FACT_IS_WEEKDAY ? "in mon-fri"
		     : t->type == FACT_IS_VERDICT ? "= reject"
		     : t->type == FACT_IS_SIZE	  ? "< 10M"
		     : t->type == FACT_IS_DURATION ? "> 30s"
						   : "> 5");
}

static bool take_comparison(struct parser *p, struct cond_test *t, size_t at)
{
	size_t op_at;

	peek(p);
	op_at = p->at;
	if (take_sign(p, t)) {
		if (t->op == COND_EQ && p->at < p->text.len &&
		    (p->text.data[p->at] == '=' || p->text.data[p->at] == '~'))
			return fails(p, op_at, "write = for \"equal\" and ~ for a "
				     "regex");
		if (t->op == COND_EQ)
			return take_equal(p, t);
		if (t->op == COND_MATCH)
			return take_regex(p, t);
		return take_order(p, t, op_at);
	}
	t->negated = take_not_in(p);
	if (t->negated || take_keyword(p, "in"))
		return take_in(p, t, op_at);
	return needs_operator(p, t, at);
}

static struct cond_node *parse_test(struct parser *p, size_t at, enum fact fact)
{
	struct cond_node *n = node(p, COND_TEST, at);
	struct cond_test *t;

	if (!n)
		return NULL;
	t = &n->test;
	if (!(fact == FACT_COUNT ? take_lookup(p, t) :
				   take_fact(p, at, fact, t)))
		return NULL;
	if (t->first > p->names->until) {
		fails(p, at, "%s is known from %s on, but this is asked at %s at "
		      "the latest", facts_row(t->fact)->name,
		      milter_stage_name(t->first),
		      milter_stage_name(p->names->until));
		return NULL;
	}
	if (!take_comparison(p, t, at))
		return NULL;
	t->memo = p->cond->memos++;
	if (p->cond->first > t->first)
		p->cond->first = t->first;
	if (p->cond->from < t->from)
		p->cond->from = t->from;
	end_text(p, n);
	return n;
}

/* ---- named conditions ---- */

static const char *const words[] = { "and", "or",    "not", "in",
				     "true", "false", "lookup" };

bool cond_reserved(struct slice name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_is_case(name, words[i]))
			return true;
	return facts_find(name) != FACT_COUNT;
}

static const struct cond_named *find_condition(const struct parser *p,
					       struct slice name)
{
	for (size_t i = 0; i < p->names->condition_count; i++)
		if (slice_equal_case(p->names->conditions[i].name, name))
			return &p->names->conditions[i];
	return NULL;
}

static bool unknown_word(struct parser *p, size_t at, struct slice word)
{
	struct near n = near_to(word);

	for (size_t i = 0; i < FACT_COUNT; i++)
		near_try(&n, slice_str(facts_row((enum fact)i)->name));
	for (size_t i = 0; i < p->names->condition_count; i++)
		near_try(&n, p->names->conditions[i].name);
	near_try(&n, SLICE_LIT("lookup"));
	return no_such(p, at, "fact or condition", &n);
}

static bool enter(struct parser *p, const struct cond_named *c, size_t at)
{
	for (unsigned i = 0; i < p->inside_count; i++)
		if (p->inside[i] == c)
			return fails(p, at, "condition \"%.*s\" is defined by itself",
				     SLICE_ARG(slice_head(c->name, 64)));
	if (c->text.len > COND_TEXT_MAX)
		return fails(p, at, "condition \"%.*s\" is longer than %d bytes",
			     SLICE_ARG(slice_head(c->name, 64)), COND_TEXT_MAX);
	if (!go_deeper(p))
		return false;
	p->inside[p->inside_count++] = c;
	return true;
}

static struct cond_node *parse_whole(struct parser *p);

static struct cond_node *parse_named(struct parser *p, size_t at,
				     const struct cond_named *c)
{
	struct cond_node *n = node(p, COND_NAMED, at);
	struct parser outside;

	if (!n || !enter(p, c, at))
		return NULL;
	end_text(p, n);
	outside = *p;
	p->at = 0;
	if (!arena_copy(p->arena, c->name, &p->condition) ||
	    !arena_copy(p->arena, c->text, &p->text)) {
		no_memory(p);
		return NULL;
	}
	n->parts = parse_whole(p);
	p->text = outside.text;
	p->condition = outside.condition;
	p->at = outside.at;
	p->depth--;
	p->inside_count--;
	return n->parts ? n : NULL;
}

/* ---- or, and, not ---- */

static struct cond_node *parse_const(struct parser *p, size_t at, bool value)
{
	struct cond_node *n = node(p, COND_CONST, at);

	if (!n)
		return NULL;
	n->value = value;
	p->cond->first = STAGE_CONNECT;
	end_text(p, n);
	return n;
}

static struct cond_node *parse_paren(struct parser *p)
{
	size_t open = p->at - 1;
	struct cond_node *n;

	if (!go_deeper(p))
		return NULL;
	n = parse_or(p);
	p->depth--;
	if (!n)
		return NULL;
	if (take_char(p, ')'))
		return n;
	if (peek(p) == '\0')
		fails(p, open, "this \"(\" is never closed");
	else
		fails(p, p->at, "and, or, \")\" is expected, not \"%.*s\"",
		      SLICE_ARG(here(p)));
	return NULL;
}

static bool no_operand(struct parser *p)
{
	if (p->text.len == 0 || p->at >= p->text.len)
		return fails(p, p->at, p->at == 0 || slice_trim(p->text).len == 0 ?
			     "a condition is missing" :
			     "a condition is missing at the end");
	if (p->text.data[p->at] == '!')
		return fails(p, p->at, "write not for \"!\"");
	if (p->text.data[p->at] == '&' || p->text.data[p->at] == '|')
		return fails(p, p->at, "write and, or");
	return fails(p, p->at, "a fact or condition is expected, not \"%.*s\"",
		     SLICE_ARG(here(p)));
}

static struct cond_node *parse_primary(struct parser *p)
{
	struct slice word;
	const struct cond_named *c;
	enum fact fact;
	size_t at;

	if (take_char(p, '('))
		return parse_paren(p);
	word = peek_word(p);
	at = p->at;
	if (word.len == 0 || slice_is_case(word, "and") ||
	    slice_is_case(word, "or") || slice_is_case(word, "in")) {
		no_operand(p);
		return NULL;
	}
	p->at += word.len;
	if (slice_is_case(word, "true") || slice_is_case(word, "false"))
		return parse_const(p, at, slice_is_case(word, "true"));
	fact = facts_find(word);
	if (fact != FACT_COUNT || slice_is_case(word, "lookup"))
		return parse_test(p, at, fact);
	c = find_condition(p, word);
	if (c)
		return parse_named(p, at, c);
	unknown_word(p, at, word);
	return NULL;
}

static struct cond_node *parse_not(struct parser *p)
{
	struct cond_node *n;
	size_t at;

	peek(p);
	at = p->at;
	if (!take_keyword(p, "not"))
		return parse_primary(p);
	n = node(p, COND_NOT, at);
	if (!n || !go_deeper(p))
		return NULL;
	n->parts = parse_not(p);
	p->depth--;
	if (!n->parts)
		return NULL;
	end_text(p, n);
	return n;
}

/* One part alone is itself; more of them make a node. */
static struct cond_node *parse_parts(struct parser *p, enum cond_kind kind,
				     const char *keyword,
				     struct cond_node *(*part)(struct parser *))
{
	struct cond_node *first, *all, **tail;
	size_t at;

	peek(p);
	at = p->at;
	first = part(p);
	if (!first || !take_keyword(p, keyword))
		return first;
	all = node(p, kind, at);
	if (!all)
		return NULL;
	all->parts = first;
	tail = &first->next;
	do {
		*tail = part(p);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
	} while (take_keyword(p, keyword));
	end_text(p, all);
	return all;
}

static struct cond_node *parse_and(struct parser *p)
{
	return parse_parts(p, COND_AND, "and", parse_not);
}

static struct cond_node *parse_or(struct parser *p)
{
	return parse_parts(p, COND_OR, "or", parse_and);
}

static struct cond_node *parse_whole(struct parser *p)
{
	struct cond_node *n = parse_or(p);

	if (!n)
		return NULL;
	peek(p);
	if (p->at >= p->text.len)
		return n;
	if (p->text.data[p->at] == ')')
		fails(p, p->at, "this \")\" closes nothing");
	else if (p->text.data[p->at] == '&' || p->text.data[p->at] == '|')
		fails(p, p->at, "write and, or");
	else
		fails(p, p->at, "and, or is expected, not \"%.*s\"",
		      SLICE_ARG(here(p)));
	return NULL;
}

const struct cond *cond_parse(struct arena *arena, struct slice text,
			      const struct cond_names *names,
			      struct cond_problem *problem_out)
{
	struct cond *c = arena_take(arena, sizeof(*c));
	struct parser p = { .arena = arena,
			    .names = names,
			    .problem = problem_out,
			    .cond = c,
			    .condition = SLICE_EMPTY };

	if (text.len > COND_TEXT_MAX) {
		fails(&p, COND_TEXT_MAX, "longer than %d bytes", COND_TEXT_MAX);
		return NULL;
	}
	if (!c || !arena_copy(arena, text, &p.text)) {
		no_memory(&p);
		return NULL;
	}
	c->text = p.text;
	c->first = STAGE_EOM;
	c->from = STAGE_CONNECT;
	c->root = parse_whole(&p);
	return c->root ? c : NULL;
}

/* ---- what a tree looks at ---- */

enum stage cond_known_from(const struct cond *c)
{
	return c->from;
}

enum stage cond_first(const struct cond *c)
{
	return c->first;
}

bool cond_uses(const struct cond *c, enum fact fact)
{
	return c->facts & UINT64_C(1) << fact;
}

bool cond_uses_tables(const struct cond *c)
{
	return c->tables;
}

uint64_t cond_milters(const struct cond *c)
{
	return c->milters;
}

size_t cond_memos(const struct cond *c)
{
	return c->memos;
}

struct slice cond_text(const struct cond *c)
{
	return c->text;
}

static void each_macro(const struct cond_node *n,
		       void (*fn)(void *, struct slice, enum stage),
		       void *context)
{
	if (n->kind == COND_TEST && n->test.fact == FACT_MACRO)
		fn(context, n->test.name, n->test.stage);
	for (const struct cond_node *i = n->parts; i; i = i->next)
		each_macro(i, fn, context);
}

void cond_each_macro(const struct cond *c,
		     void (*fn)(void *context, struct slice name,
				enum stage stage),
		     void *context)
{
	each_macro(c->root, fn, context);
}
