#include "shared/cond_parser.h"

static struct cond_node *parse_or(struct cond_parser *p);

/* ---- nodes ---- */

static struct cond_node *node(struct cond_parser *p, enum cond_kind kind,
			      size_t at)
{
	struct cond_node *n;

	if (++p->nodes > COND_NODES_MAX) {
		cond_fails(p, at,
			   "too large: more than %d tests and operators, "
			   "named conditions included",
			   COND_NODES_MAX);
		return NULL;
	}
	n = arena_take(p->arena, sizeof(*n));
	if (!n) {
		cond_no_memory(p);
		return NULL;
	}
	n->kind = kind;
	n->condition = p->condition;
	n->column = at + 1;
	return n;
}

/* What was read since the node began, without blanks at the end. */
static void end_text(struct cond_parser *p, struct cond_node *n)
{
	size_t start = n->column - 1;

	n->text = slice_trim(slice_of(p->text.data + start, p->at - start));
}

static bool go_deeper(struct cond_parser *p)
{
	if (++p->depth <= COND_DEPTH_MAX)
		return true;
	return cond_fails(p, p->at, "nested more than %d deep", COND_DEPTH_MAX);
}

static struct cond_node *parse_test(struct cond_parser *p, size_t at,
				    enum fact fact)
{
	struct cond_node *n = node(p, COND_TEST, at);

	if (!n || !cond_take_test(p, at, fact, &n->test))
		return NULL;
	end_text(p, n);
	return n;
}

/* ---- named conditions ---- */

static const char *const words[] = { "and",  "or",    "not",   "in",
				     "true", "false", "lookup" };

bool cond_reserved(struct slice name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_is_case(name, words[i]))
			return true;
	return facts_find(name) != FACT_COUNT;
}

static const struct cond_named *find_condition(const struct cond_parser *p,
					       struct slice name)
{
	for (size_t i = 0; i < p->names->condition_count; i++)
		if (slice_equal_case(p->names->conditions[i].name, name))
			return &p->names->conditions[i];
	return NULL;
}

static bool unknown_word(struct cond_parser *p, size_t at, struct slice word)
{
	struct cond_near n = cond_near_to(word);

	for (size_t i = 0; i < FACT_COUNT; i++)
		cond_near_try(&n, slice_str(facts_row((enum fact)i)->name));
	for (size_t i = 0; i < p->names->condition_count; i++)
		cond_near_try(&n, p->names->conditions[i].name);
	cond_near_try(&n, SLICE_LIT("lookup"));
	return cond_no_such(p, at, "fact or condition", &n);
}

static bool enter(struct cond_parser *p, const struct cond_named *c, size_t at)
{
	for (unsigned i = 0; i < p->inside_count; i++)
		if (p->inside[i] == c)
			return cond_fails(
				p, at,
				"condition \"%.*s\" is defined by itself",
				SLICE_ARG(slice_head(c->name, 64)));
	if (c->text.len > COND_TEXT_MAX)
		return cond_fails(
			p, at, "condition \"%.*s\" is longer than %d bytes",
			SLICE_ARG(slice_head(c->name, 64)), COND_TEXT_MAX);
	if (!go_deeper(p))
		return false;
	p->inside[p->inside_count++] = c;
	return true;
}

static struct cond_node *parse_whole(struct cond_parser *p);

static struct cond_node *parse_named(struct cond_parser *p, size_t at,
				     const struct cond_named *c)
{
	struct cond_node *n = node(p, COND_NAMED, at);
	struct cond_parser outside;

	if (!n || !enter(p, c, at))
		return NULL;
	end_text(p, n);
	outside = *p;
	p->at = 0;
	if (!arena_copy(p->arena, c->name, &p->condition) ||
	    !arena_copy(p->arena, c->text, &p->text)) {
		cond_no_memory(p);
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

static struct cond_node *parse_const(struct cond_parser *p, size_t at,
				     bool value)
{
	struct cond_node *n = node(p, COND_CONST, at);

	if (!n)
		return NULL;
	n->value = value;
	p->cond->first = STAGE_CONNECT;
	end_text(p, n);
	return n;
}

static struct cond_node *parse_paren(struct cond_parser *p)
{
	size_t open = p->at - 1;
	struct cond_node *n;

	if (!go_deeper(p))
		return NULL;
	n = parse_or(p);
	p->depth--;
	if (!n)
		return NULL;
	if (cond_take_char(p, ')'))
		return n;
	if (cond_peek(p) == '\0')
		cond_fails(p, open, "this \"(\" is never closed");
	else
		cond_fails(p, p->at, "and, or, \")\" is expected, not \"%.*s\"",
			   SLICE_ARG(cond_here(p)));
	return NULL;
}

static bool no_operand(struct cond_parser *p)
{
	if (p->text.len == 0 || p->at >= p->text.len)
		return cond_fails(p, p->at,
				  p->at == 0 || slice_trim(p->text).len == 0 ?
					  "a condition is missing" :
					  "a condition is missing at the end");
	if (p->text.data[p->at] == '!')
		return cond_fails(p, p->at, "write not for \"!\"");
	if (p->text.data[p->at] == '&' || p->text.data[p->at] == '|')
		return cond_fails(p, p->at, "write and, or");
	return cond_fails(p, p->at,
			  "a fact or condition is expected, not \"%.*s\"",
			  SLICE_ARG(cond_here(p)));
}

static struct cond_node *parse_primary(struct cond_parser *p)
{
	struct slice word;
	const struct cond_named *c;
	enum fact fact;
	size_t at;

	if (cond_take_char(p, '('))
		return parse_paren(p);
	word = cond_peek_word(p);
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

static struct cond_node *parse_not(struct cond_parser *p)
{
	struct cond_node *n;
	size_t at;

	cond_peek(p);
	at = p->at;
	if (!cond_take_keyword(p, "not"))
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
static struct cond_node *
parse_parts(struct cond_parser *p, enum cond_kind kind, const char *keyword,
	    struct cond_node *(*part)(struct cond_parser *))
{
	struct cond_node *first, *all, **tail;
	size_t at;

	cond_peek(p);
	at = p->at;
	first = part(p);
	if (!first || !cond_take_keyword(p, keyword))
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
	} while (cond_take_keyword(p, keyword));
	end_text(p, all);
	return all;
}

static struct cond_node *parse_and(struct cond_parser *p)
{
	return parse_parts(p, COND_AND, "and", parse_not);
}

static struct cond_node *parse_or(struct cond_parser *p)
{
	return parse_parts(p, COND_OR, "or", parse_and);
}

static struct cond_node *parse_whole(struct cond_parser *p)
{
	struct cond_node *n = parse_or(p);

	if (!n)
		return NULL;
	cond_peek(p);
	if (p->at >= p->text.len)
		return n;
	if (p->text.data[p->at] == ')')
		cond_fails(p, p->at, "this \")\" closes nothing");
	else if (p->text.data[p->at] == '&' || p->text.data[p->at] == '|')
		cond_fails(p, p->at, "write and, or");
	else
		cond_fails(p, p->at, "and, or is expected, not \"%.*s\"",
			   SLICE_ARG(cond_here(p)));
	return NULL;
}

const struct cond *cond_parse(struct arena *arena, struct slice text,
			      const struct cond_names *names,
			      struct cond_problem *problem_out)
{
	struct cond *c = arena_take(arena, sizeof(*c));
	struct cond_parser p = { .arena = arena,
				 .names = names,
				 .problem = problem_out,
				 .cond = c,
				 .condition = SLICE_EMPTY };

	if (text.len > COND_TEXT_MAX) {
		cond_fails(&p, COND_TEXT_MAX, "longer than %d bytes",
			   COND_TEXT_MAX);
		return NULL;
	}
	if (!c || !arena_copy(arena, text, &p.text)) {
		cond_no_memory(&p);
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
