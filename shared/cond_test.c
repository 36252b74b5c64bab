#include <string.h>

#include "shared/cond_parser.h"

/* ---- a fact and its arguments ---- */

static bool take_milter(struct cond_parser *p, struct cond_test *t)
{
	const struct cond_names *names = p->names;
	struct slice name;
	struct cond_near n;
	size_t at;

	cond_peek(p);
	at = p->at;
	if (!cond_take_operand(p, "the name of a milter", &name))
		return false;
	n = cond_near_to(name);
	for (size_t i = 0; i < names->milter_count; i++) {
		if (!slice_equal_case(names->milters[i], name)) {
			cond_near_try(&n, names->milters[i]);
			continue;
		}
		if (i >= names->milters_above)
			return cond_fails(
				p, at,
				"milter \"%.*s\" does not stand above; "
				"only the word of those above is known",
				SLICE_ARG(slice_head(name, 64)));
		t->milter = i;
		p->cond->milters |= i < 64 ? UINT64_C(1) << i : 0;
		return true;
	}
	return cond_no_such(p, at, "milter", &n);
}

static bool is_header_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] < 0x21 || name.data[i] > 0x7e ||
		    name.data[i] == ':')
			return false;
	return name.len > 0 && name.len <= 200;
}

static bool take_header_name(struct cond_parser *p, struct cond_test *t)
{
	size_t at;

	cond_peek(p);
	at = p->at;
	if (!cond_take_operand(p, "the name of a header", &t->name))
		return false;
	if (!is_header_name(t->name))
		return cond_fails(
			p, at,
			"this is not the name of a header; "
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
static bool take_macro(struct cond_parser *p, struct cond_test *t)
{
	struct slice stage;
	size_t at;

	if (!cond_take_operand(p, "the name of a macro", &t->name))
		return false;
	t->stage = facts_macro_stage(t->name);
	if (cond_take_char(p, ',')) {
		cond_peek(p);
		at = p->at;
		if (!cond_take_operand(p, "a stage", &stage))
			return false;
		if (!find_stage(stage, &t->stage))
			return cond_fails(
				p, at,
				"\"%.*s\" is no stage that has macros: "
				"connect, helo, mail, rcpt, data, eoh, eom",
				SLICE_ARG(slice_head(stage, 64)));
	}
	t->from = t->stage == STAGE_HELO ? STAGE_MAIL :
		  t->stage == STAGE_RCPT ? STAGE_DATA :
					   t->stage;
	t->first = t->stage == STAGE_RCPT ? STAGE_RCPT : t->from;
	return true;
}

static bool take_args(struct cond_parser *p, struct cond_test *t)
{
	if (t->fact == FACT_MACRO)
		return take_macro(p, t);
	if (t->fact == FACT_MILTER)
		return take_milter(p, t);
	if (t->fact == FACT_MILTER_HEADER) {
		if (!take_milter(p, t))
			return false;
		if (!cond_take_char(p, ','))
			return cond_fails(
				p, p->at,
				"a comma and the name of a header "
				"are missing: milter_header(NAME, \"X-Spam\")");
	}
	return take_header_name(p, t);
}

static bool close_args(struct cond_parser *p)
{
	if (cond_take_char(p, ')'))
		return true;
	if (cond_peek(p) == '\0')
		return cond_fails(p, p->at, "the closing \")\" is missing");
	return cond_fails(p, p->at, "\")\" is expected, not \"%.*s\"",
			  SLICE_ARG(cond_here(p)));
}

static bool take_fact(struct cond_parser *p, size_t at, enum fact fact,
		      struct cond_test *t)
{
	const struct fact_row *row = facts_row(fact);

	t->fact = fact;
	t->type = row->type;
	t->first = row->first;
	t->from = row->from;
	p->cond->facts |= UINT64_C(1) << fact;
	if (row->args == 0)
		return cond_peek(p) != '(' ||
		       cond_fails(p, p->at, "%s takes nothing in parentheses",
				  row->name);
	if (!cond_take_char(p, '('))
		return cond_fails(
			p, at, "%s needs a name: %s(%s)", row->name, row->name,
			fact == FACT_MACRO	   ? "\"{name}\"" :
			fact == FACT_MILTER	   ? "NAME" :
			fact == FACT_MILTER_HEADER ? "NAME, \"X-Spam\"" :
						     "\"Subject\"");
	return take_args(p, t) && close_args(p);
}

static const struct table *find_table(struct cond_parser *p, size_t at,
				      struct slice name)
{
	struct cond_near n = cond_near_to(name);

	for (size_t i = 0; i < p->names->table_count; i++) {
		const struct table *t = p->names->tables[i];

		if (slice_equal_case(table_name(t), name)) {
			p->cond->tables = true;
			return t;
		}
		cond_near_try(&n, table_name(t));
	}
	cond_no_such(p, at, "table", &n);
	return NULL;
}

static bool is_text(enum fact_type type)
{
	return type == FACT_IS_TEXT || type == FACT_IS_WORD ||
	       type == FACT_IS_DOMAIN || type == FACT_IS_MAILBOX;
}

/* Can what this fact says be looked for in this table? */
static bool table_fits(struct cond_parser *p, size_t at,
		       const struct table *table, const struct cond_test *t)
{
	struct slice name = table_name(table);

	if (table_kind(table) == TABLE_INLINE && !table_count(table))
		return true; /* emptied by its administrator */
	if (t->type == FACT_IS_ADDRESS)
		return table_has_networks(table) ||
		       table_kind(table) == TABLE_REGEXP ||
		       cond_fails(
			       p, at,
			       "table \"%.*s\" has no networks, and %s is %s",
			       SLICE_ARG(name), facts_row(t->fact)->name,
			       facts_type_name(t->type));
	return table_has_text(table) ||
	       cond_fails(p, at,
			  "table \"%.*s\" has networks only, and %s is %s",
			  SLICE_ARG(name), facts_row(t->fact)->name,
			  facts_type_name(t->type));
}

static bool take_key(struct cond_parser *p, struct cond_test *t)
{
	struct slice word = cond_peek_word(p);
	size_t at = p->at;
	enum fact fact = facts_find(word);

	if (fact == FACT_COUNT) {
		struct cond_near n = cond_near_to(word);

		for (size_t i = 0; i < FACT_COUNT; i++)
			cond_near_try(&n,
				      slice_str(facts_row((enum fact)i)->name));
		return cond_no_such(p, at, "fact", &n);
	}
	p->at += word.len;
	if (!take_fact(p, at, fact, t))
		return false;
	if (!is_text(t->type) && t->type != FACT_IS_ADDRESS)
		return cond_fails(
			p, at, "%s is %s, which is not looked up in tables",
			facts_row(fact)->name, facts_type_name(t->type));
	return true;
}

/* lookup(table, fact): a test of the value found. */
static bool take_lookup(struct cond_parser *p, struct cond_test *t)
{
	struct slice name;
	size_t at;

	if (!cond_take_char(p, '('))
		return cond_fails(p, p->at,
				  "lookup needs a table and a fact: "
				  "lookup(NAME, sender)");
	cond_peek(p);
	at = p->at;
	if (!cond_take_operand(p, "the name of a table", &name))
		return false;
	t->lookup = find_table(p, at, name);
	if (!t->lookup)
		return false;
	if (!cond_take_char(p, ','))
		return cond_fails(p, p->at,
				  "a comma and a fact are missing: "
				  "lookup(%.*s, sender)",
				  SLICE_ARG(slice_head(name, 64)));
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

static bool take_number(struct cond_parser *p, struct cond_test *t)
{
	struct slice value;
	size_t at;

	cond_peek(p);
	at = p->at;
	if (!cond_take_operand(p, cond_value_example(t->type), &value))
		return false;
	if (!cond_value_number(t->type, value, &t->number))
		return cond_fails(
			p, at, "\"%.*s\" is not %s, write %s",
			SLICE_ARG(slice_head(value, 64)),
			t->type == FACT_IS_TEXT ? "a number" :
						  facts_type_name(t->type),
			t->type == FACT_IS_TEXT ? "one such as 5 or 2.5" :
						  cond_value_example(t->type));
	return true;
}

static bool take_order(struct cond_parser *p, struct cond_test *t, size_t at)
{
	if (!has_order(t->type))
		return cond_fails(p, at,
				  "%s is %s, which is not more or less than "
				  "another",
				  test_name(t), facts_type_name(t->type));
	t->as_number = t->type == FACT_IS_TEXT;
	return take_number(p, t);
}

static bool bad_flag(struct cond_parser *p, char c)
{
	return cond_fails(
		p, p->at,
		"\"%c\" is no flag of a regex: i (any case), m, s, x, u "
		"(UTF-8), A, E, U",
		c);
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

static bool take_flags(struct cond_parser *p, unsigned *flags_out)
{
	*flags_out = 0;
	while (p->at < p->text.len && !cond_is_value_end(p->text.data[p->at])) {
		unsigned flag = flag_of(p->text.data[p->at]);

		if (!flag)
			return bad_flag(p, p->text.data[p->at]);
		*flags_out |= flag;
		p->at++;
	}
	return true;
}

static bool take_regex(struct cond_parser *p, struct cond_test *t)
{
	struct cond_regex_problem problem;
	size_t start, end;
	unsigned flags;

	if (!is_text(t->type) && t->type != FACT_IS_ADDRESS)
		return cond_fails(p, p->at, "%s is %s; a regex needs text",
				  test_name(t), facts_type_name(t->type));
	if (cond_peek(p) != '/')
		return cond_fails(p, p->at,
				  "a regex between slashes is expected: "
				  "~ /^mx[0-9]/i");
	start = end = p->at + 1;
	while (end < p->text.len && p->text.data[end] != '/')
		end += p->text.data[end] == '\\' ? 2 : 1;
	if (end >= p->text.len)
		return cond_fails(p, start - 1,
				  "this regex has no closing \"/\"");
	p->at = end + 1;
	if (!take_flags(p, &flags))
		return false;
	t->regex = cond_regex_compile(
		p->arena, slice_of(p->text.data + start, end - start), flags,
		&problem);
	if (!t->regex)
		return cond_fails(p, start + problem.offset, "regex: %s",
				  problem.text);
	return true;
}

/* One entry of { }, or the only one. */
static bool take_range(struct cond_parser *p, struct cond_test *t,
		       struct cond_range *ranges, size_t *count)
{
	struct slice value;
	size_t at, n;

	cond_peek(p);
	at = p->at;
	if (!cond_take_operand(p, cond_value_example(t->type), &value))
		return false;
	n = cond_value_ranges(t->type, value, ranges + *count);
	if (n == 0)
		return cond_fails(p, at, "\"%.*s\" is not %s, write %s",
				  SLICE_ARG(slice_head(value, 64)),
				  slice_find(slice_from(value, 1), '-') >= 0 ?
					  "a range" :
					  facts_type_name(t->type),
				  cond_value_example(t->type));
	*count += n;
	return true;
}

/* Twice the room, two at least; what was there is copied. */
static void *grown(struct cond_parser *p, const void *items, size_t *room,
		   size_t size)
{
	size_t more = *room ? *room * 2 : 2;
	void *copy = arena_take_n(p->arena, more, size);

	if (!copy)
		cond_no_memory(p);
	else if (*room)
		memcpy(copy, items, *room * size);
	*room = more;
	return copy;
}

static bool more_entries(struct cond_parser *p, bool *more_out)
{
	*more_out = cond_take_char(p, ',');
	if (*more_out || cond_take_char(p, '}'))
		return true;
	if (cond_peek(p) == '\0')
		return cond_fails(p, p->at, "the closing \"}\" is missing");
	return cond_fails(p, p->at,
			  "a comma or \"}\" is expected, not \"%.*s\"",
			  SLICE_ARG(cond_here(p)));
}

static bool take_ranges(struct cond_parser *p, struct cond_test *t)
{
	bool more = cond_take_char(p, '{');
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

static bool check_network(struct cond_parser *p, size_t at, struct slice word,
			  struct network *network_out)
{
	char right[64];

	switch (network_parse(word, network_out)) {
	case NETWORK_OK:
		return true;
	case NETWORK_HOST_BITS:
		network_print(network_out, right, sizeof(right));
		return cond_fails(
			p, at, "bits are set behind the prefix; is %s meant?",
			right);
	case NETWORK_BAD:
		break;
	}
	return cond_fails(
		p, at,
		"\"%.*s\" is no address or network, write one such as "
		"192.0.2.0/24",
		SLICE_ARG(slice_head(word, 64)));
}

static bool check_word(struct cond_parser *p, size_t at,
		       const struct cond_test *t, struct slice word)
{
	struct network network;

	if (word.len == 0)
		return cond_fails(p, at, "an empty word in a list; use = \"\"");
	return t->type != FACT_IS_ADDRESS ||
	       check_network(p, at, word, &network);
}

/* { a, b }: behind the brace. */
static bool take_words(struct cond_parser *p, struct cond_test *t)
{
	struct slice *list = NULL;
	size_t n = 0, room = 0, at;
	bool more = true;

	while (more) {
		if (n == room)
			list = grown(p, list, &room, sizeof(*list));
		if (!list)
			return false;
		cond_peek(p);
		at = p->at;
		if (!cond_take_operand(p, cond_value_example(t->type),
				       &list[n]) ||
		    !check_word(p, at, t, list[n]) || !more_entries(p, &more))
			return false;
		n++;
	}
	t->op = COND_TABLE;
	t->table = table_of_words(p->arena, list, n);
	return t->table != NULL || cond_no_memory(p);
}

/* Behind `in`: a network, { } or the name of a table. */
static bool take_set(struct cond_parser *p, struct cond_test *t)
{
	struct slice value;
	size_t at;

	if (cond_take_char(p, '{'))
		return take_words(p, t);
	cond_peek(p);
	at = p->at;
	if (!cond_take_operand(p, "a table or a list such as { a, b }", &value))
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

static bool take_in(struct cond_parser *p, struct cond_test *t, size_t at)
{
	if (t->type == FACT_IS_BOOL)
		return cond_fails(p, at,
				  "%s is %s; write it alone, or behind not",
				  test_name(t), facts_type_name(t->type));
	if (is_text(t->type) || t->type == FACT_IS_ADDRESS)
		return take_set(p, t);
	return take_ranges(p, t);
}

static bool take_yes(struct cond_parser *p, struct cond_test *t)
{
	size_t at;
	struct slice value;

	cond_peek(p);
	at = p->at;
	if (!cond_take_operand(p, "yes or no", &value))
		return false;
	t->op = COND_IS;
	if (slice_is_case(value, "yes") || slice_is_case(value, "true"))
		return true;
	t->negated = !t->negated;
	return slice_is_case(value, "no") || slice_is_case(value, "false") ||
	       cond_fails(p, at, "%s is yes or no", test_name(t));
}

/* Behind = and !=. */
static bool take_equal(struct cond_parser *p, struct cond_test *t)
{
	size_t at;

	if (t->type == FACT_IS_BOOL)
		return take_yes(p, t);
	cond_peek(p);
	at = p->at;
	if (!is_text(t->type) && t->type != FACT_IS_ADDRESS) {
		struct cond_range *ranges =
			arena_take_n(p->arena, 2, sizeof(*ranges));

		/* 08:00 is a minute; so this is a range, too. */
		t->op = COND_RANGES;
		t->ranges = ranges;
		if (!ranges)
			return cond_no_memory(p);
		return take_range(p, t, ranges, &t->range_count);
	}
	if (cond_peek(p) == '/' || cond_peek(p) == '{')
		return cond_fails(
			p, at,
			cond_peek(p) == '/' ?
				"a regex stands behind ~, not behind =" :
				"a list stands behind in, not behind =");
	if (!cond_take_operand(p, cond_value_example(t->type), &t->word))
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

static bool take_sign(struct cond_parser *p, struct cond_test *t)
{
	struct slice rest;

	cond_peek(p);
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
static bool take_not_in(struct cond_parser *p)
{
	size_t at = p->at;

	if (cond_take_keyword(p, "not") && cond_take_keyword(p, "in"))
		return true;
	p->at = at;
	return false;
}

static bool needs_operator(struct cond_parser *p, const struct cond_test *t,
			   size_t at)
{
	if (is_text(t->type) || t->type == FACT_IS_BOOL ||
	    t->type == FACT_IS_ADDRESS || t->fact == FACT_DECLARED_SIZE)
		return true;
	return cond_fails(p, at,
			  "%s is %s and needs a comparison, such as %s %s",
			  test_name(t), facts_type_name(t->type), test_name(t),
			  t->type == FACT_IS_TIME     ? "in 08:00-20:00" :
			  t->type == FACT_IS_WEEKDAY  ? "in mon-fri" :
			  t->type == FACT_IS_VERDICT  ? "= reject" :
			  t->type == FACT_IS_SIZE     ? "< 10M" :
			  t->type == FACT_IS_DURATION ? "> 30s" :
							"> 5");
}

static bool take_comparison(struct cond_parser *p, struct cond_test *t,
			    size_t at)
{
	size_t op_at;

	cond_peek(p);
	op_at = p->at;
	if (take_sign(p, t)) {
		if (t->op == COND_EQ && p->at < p->text.len &&
		    (p->text.data[p->at] == '=' || p->text.data[p->at] == '~'))
			return cond_fails(p, op_at,
					  "write = for \"equal\" and ~ for a "
					  "regex");
		if (t->op == COND_EQ)
			return take_equal(p, t);
		if (t->op == COND_MATCH)
			return take_regex(p, t);
		return take_order(p, t, op_at);
	}
	t->negated = take_not_in(p);
	if (t->negated || cond_take_keyword(p, "in"))
		return take_in(p, t, op_at);
	return needs_operator(p, t, at);
}

bool cond_take_test(struct cond_parser *p, size_t at, enum fact fact,
		    struct cond_test *t)
{
	bool ok = fact == FACT_COUNT ? take_lookup(p, t) :
				       take_fact(p, at, fact, t);

	if (!ok)
		return false;
	if (t->first > p->names->until)
		return cond_fails(p, at,
				  "%s is known from %s on, but this is "
				  "asked at %s at the latest",
				  facts_row(t->fact)->name,
				  milter_stage_name(t->first),
				  milter_stage_name(p->names->until));
	if (!take_comparison(p, t, at))
		return false;
	t->memo = p->cond->memos++;
	if (p->cond->first > t->first)
		p->cond->first = t->first;
	if (p->cond->from < t->from)
		p->cond->from = t->from;
	return true;
}
