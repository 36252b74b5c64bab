#include <stdarg.h>
#include <stdio.h>

#include "shared/milter_answer.h"
#include "shared/rule_text.h"

/* The text of one action, read from the left. */
struct parser {
	struct arena *arena;
	struct slice text;
	size_t at;
	struct slice rule;
	const struct cond_names *names;
	struct rule_problem *problem;
};

/* clang-format off */
static const struct {
	const char *name;
	bool is_verdict;
} kinds[] = {
	[RULE_ACCEPT]     = { "accept",     true },
	[RULE_REJECT]     = { "reject",     true },
	[RULE_TEMPFAIL]   = { "tempfail",   true },
	[RULE_DISCARD]    = { "discard",    true },
	[RULE_QUARANTINE] = { "quarantine", false },
	[RULE_SKIP]       = { "skip",       false },
	[RULE_MACRO]      = { "macro",      false },
	[RULE_HEADER]     = { "header",     false },
	[RULE_SCORE]      = { "score",      false },
	[RULE_LOG]        = { "log",        false },
};
/* clang-format on */
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == RULE_ACTION_COUNT,
	       "an action has no name");

const char *rule_action_name(enum rule_action_kind kind)
{
	return kinds[kind].name;
}

bool rule_is_verdict(enum rule_action_kind kind)
{
	return kinds[kind].is_verdict;
}

__attribute__((format(printf, 3, 4))) static bool
fails(struct parser *p, size_t at, const char *format, ...)
{
	va_list args;

	p->problem->column = at + 1;
	va_start(args, format);
	vsnprintf(p->problem->text, sizeof(p->problem->text), format, args);
	va_end(args);
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void pass_blanks(struct parser *p)
{
	while (p->at < p->text.len && is_blank(p->text.data[p->at]))
		p->at++;
}

/* Up to a blank, and the blanks behind it. */
static struct slice take_word(struct parser *p)
{
	size_t start = p->at;
	struct slice word;

	while (p->at < p->text.len && !is_blank(p->text.data[p->at]))
		p->at++;
	word = slice_of(p->text.data + start, p->at - start);
	pass_blanks(p);
	return word;
}

/* Quotes around all that is left are not part of it. */
static void pass_quotes(struct parser *p)
{
	struct slice rest = slice_from(p->text, p->at);
	char quote;

	if (rest.len < 2)
		return;
	quote = rest.data[0];
	if ((quote != '"' && quote != '\'') ||
	    slice_find(slice_from(rest, 1), quote) !=
		    (ptrdiff_t)rest.len - 2)
		return;
	p->at++;
	p->text.len--;
}

/* ---- texts with facts in them ---- */

static struct rule_part *add_part(struct parser *p, struct rule_action *a,
				  struct slice literal)
{
	/* Full at every power of two: the array doubles. */
	if (!(a->part_count & (a->part_count - 1))) {
		struct rule_part *parts = arena_take_n(
			p->arena, a->part_count ? a->part_count * 2 : 1,
			sizeof(*parts));

		if (!parts) {
			fails(p, p->at, "no memory for it");
			return NULL;
		}
		if (a->part_count)
			memcpy(parts, a->parts,
			       a->part_count * sizeof(*parts));
		a->parts = parts;
	}
	a->parts[a->part_count] = (struct rule_part){ .literal = literal,
						      .fact = FACT_COUNT };
	return &a->parts[a->part_count++];
}

static bool add_literal(struct parser *p, struct rule_action *a,
			struct slice literal)
{
	return literal.len == 0 || add_part(p, a, literal) != NULL;
}

static bool find_milter(struct parser *p, size_t at, struct slice name,
			size_t *index_out)
{
	for (size_t i = 0; i < p->names->milter_count; i++) {
		if (slice_equal_case(p->names->milters[i], name)) {
			*index_out = i;
			return true;
		}
	}
	return fails(p, at, "there is no milter \"%.*s\"",
		     SLICE_ARG(slice_head(name, 64)));
}

static struct slice unquoted(struct slice s)
{
	s = slice_trim(s);
	if (s.len >= 2 && (s.data[0] == '"' || s.data[0] == '\'') &&
	    s.data[s.len - 1] == s.data[0])
		return slice_of(s.data + 1, s.len - 2);
	return s;
}

/* What stands between the parentheses of a fact. */
static bool set_argument(struct parser *p, size_t at, struct rule_part *part,
			 struct slice arg)
{
	arg = unquoted(arg);
	if (arg.len == 0)
		return fails(p, at, "%s needs a name in parentheses",
			     facts_row(part->fact)->name);
	part->name = arg;
	if (part->fact == FACT_MACRO)
		part->stage = facts_macro_stage(arg);
	if (part->fact == FACT_MILTER)
		return find_milter(p, at, arg, &part->milter);
	return true;
}

/* inside: "sender" or "header("Subject")"; at: where it begins. */
static bool add_fact(struct parser *p, struct rule_action *a, size_t at,
		     struct slice inside)
{
	ptrdiff_t open = slice_find(inside, '(');
	struct slice name =
		slice_trim(open < 0 ? inside : slice_head(inside, (size_t)open));
	enum fact fact = facts_find(name);
	struct rule_part *part;

	if (fact == FACT_COUNT)
		return fails(p, at, "there is no fact \"%.*s\"; a brace that "
			     "means itself is written twice: {{",
			     SLICE_ARG(slice_head(name, 64)));
	if (facts_row(fact)->args > 1 || fact == FACT_BODY)
		return fails(p, at, "%s cannot stand in a text",
			     facts_row(fact)->name);
	if ((facts_row(fact)->args == 1) != (open >= 0))
		return fails(p, at, "%s %s", facts_row(fact)->name,
			     open >= 0 ? "takes nothing in parentheses" :
					 "needs a name in parentheses");
	part = add_part(p, a, SLICE_EMPTY);
	if (!part)
		return false;
	part->fact = fact;
	if (open < 0)
		return true;
	inside = slice_trim(inside);
	if (inside.data[inside.len - 1] != ')')
		return fails(p, at, "the closing \")\" is missing");
	return set_argument(p, at, part,
			    slice_of(inside.data + open + 1,
				     inside.len - (size_t)open - 2));
}

/* Length up to the brace that closes; a name in quotes may hold some. */
static size_t fact_length(struct slice s)
{
	char quote = '\0';

	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (quote)
			quote = c == quote ? '\0' : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '}')
			return i;
	}
	return s.len;
}

/* All that is left: literal bytes, {fact}, and {{ for a brace. */
static bool take_text(struct parser *p, struct rule_action *a)
{
	size_t start = p->at;

	while (p->at < p->text.len) {
		struct slice rest = slice_from(p->text, p->at);
		size_t n;

		if (rest.data[0] != '{') {
			p->at++;
			continue;
		}
		if (!add_literal(p, a, slice_of(p->text.data + start,
						p->at - start)))
			return false;
		if (slice_starts(rest, "{{")) {
			start = p->at + 1;
			p->at += 2;
			continue;
		}
		n = fact_length(slice_from(rest, 1));
		if (n + 1 >= rest.len)
			return fails(p, p->at, "the brace is never closed; one "
				     "that means itself is written twice: {{");
		if (!add_fact(p, a, p->at + 1, slice_of(rest.data + 1, n)))
			return false;
		p->at += n + 2;
		start = p->at;
	}
	return add_literal(p, a, slice_of(p->text.data + start,
					  p->at - start));
}

/* ---- the kinds ---- */

static bool is_code(struct slice word)
{
	if (word.len != 3)
		return false;
	for (size_t i = 0; i < 3; i++)
		if (!is_digit(word.data[i]))
			return false;
	return true;
}

/* "5.7.1": a class of one digit, then one to three digits twice. */
static bool is_enhanced(struct slice word)
{
	struct slice part;
	unsigned n = 0;

	while (slice_split(&word, '.', &part)) {
		if (part.len == 0 || part.len > (n ? 3u : 1u))
			return false;
		for (size_t i = 0; i < part.len; i++)
			if (!is_digit(part.data[i]))
				return false;
		n++;
	}
	return n == 3;
}

static void set_word(char *to, size_t room, struct slice word)
{
	snprintf(to, room, "%.*s", SLICE_ARG(word));
}

static bool take_codes(struct parser *p, struct rule_action *a)
{
	bool is_reject = a->kind == RULE_REJECT;
	char class = is_reject ? '5' : '4';
	size_t at = p->at;
	struct slice word = take_word(p);

	set_word(a->code, sizeof(a->code),
		 is_reject ? SLICE_LIT("550") : SLICE_LIT("451"));
	set_word(a->enhanced, sizeof(a->enhanced),
		 is_reject ? SLICE_LIT("5.7.1") : SLICE_LIT("4.7.1"));
	if (is_code(word)) {
		if (word.data[0] != class)
			return fails(p, at, "%s takes a code from %c00 to %c99",
				     kinds[a->kind].name, class, class);
		set_word(a->code, sizeof(a->code), word);
		at = p->at;
		word = take_word(p);
	}
	if (!is_enhanced(word)) {
		p->at = at;
		return true;
	}
	if (word.data[0] != class)
		return fails(p, at, "the enhanced code has to begin with %c, "
			     "as the code does", class);
	set_word(a->enhanced, sizeof(a->enhanced), word);
	return true;
}

static bool take_reply(struct parser *p, struct rule_action *a)
{
	size_t at;

	pass_quotes(p);
	if (!take_codes(p, a))
		return false;
	pass_quotes(p);
	at = p->at;
	if (p->at == p->text.len &&
	    !add_literal(p, a, a->kind == RULE_REJECT ?
				       SLICE_LIT("message refused") :
				       SLICE_LIT("try again later")))
		return false;
	return take_text(p, a) &&
	       (rule_reply_ok(a) ||
		fails(p, at, "this text cannot stand in a reply: it begins "
			     "like a code, or is too long"));
}

static bool take_milters(struct parser *p, struct rule_action *a)
{
	if (p->at == p->text.len)
		return fails(p, p->at, "skip needs the name of a milter");
	while (p->at < p->text.len) {
		size_t at = p->at, index;
		struct slice word = take_word(p);

		if (word.len && word.data[word.len - 1] == ',')
			word.len--;
		if (word.len == 0)
			continue;
		if (!find_milter(p, at, word, &index))
			return false;
		a->milters |= UINT64_C(1) << index;
	}
	return true;
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
		    strchr("{}\"'=", s.data[i]))
			return false;
	return true;
}

static bool take_macro(struct parser *p, struct rule_action *a)
{
	struct slice rest = slice_from(p->text, p->at);
	ptrdiff_t equals = slice_find(rest, '=');
	struct slice name;

	if (equals < 0)
		return fails(p, p->at, "write macro {name}=value");
	name = slice_head(rest, (size_t)equals);
	if (name.len && name.data[name.len - 1] == '?') {
		a->if_missing = true;
		name.len--;
	}
	a->name = slice_trim(name);
	if (!is_macro_name(a->name))
		return fails(p, p->at, "\"%.*s\" is no macro name: one letter, "
			     "or {name} in braces",
			     SLICE_ARG(slice_head(a->name, 64)));
	p->at += (size_t)equals + 1;
	pass_blanks(p);
	pass_quotes(p);
	return take_text(p, a);
}

static bool is_header_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] < 0x21 || name.data[i] > 0x7e)
			return false;
	return name.len > 0 && name.len <= 200;
}

static bool take_header(struct parser *p, struct rule_action *a)
{
	struct slice rest = slice_from(p->text, p->at);
	ptrdiff_t colon = slice_find(rest, ':');

	if (colon < 0)
		return fails(p, p->at, "write header Name: value");
	a->name = slice_trim(slice_head(rest, (size_t)colon));
	if (!is_header_name(a->name))
		return fails(p, p->at, "\"%.*s\" is not the name of a header",
			     SLICE_ARG(slice_head(a->name, 64)));
	p->at += (size_t)colon + 1;
	pass_blanks(p);
	pass_quotes(p);
	if (p->at == p->text.len)
		return fails(p, p->at, "the header has no value");
	return take_text(p, a);
}

/* "5", "-2.5", "+.125": thousandths, three places at most. */
static bool score_of(struct slice s, int64_t *score_out)
{
	struct slice whole;
	uint64_t n = 0, part = 0, scale = 1000;
	bool is_minus = slice_starts(s, "-");
	bool has_part = slice_find(s, '.') >= 0;

	if (is_minus || slice_starts(s, "+"))
		s = slice_from(s, 1);
	if (s.len == 0)
		return false;
	slice_split(&s, '.', &whole);
	if ((whole.len && !slice_to_u64(whole, 1000000, &n)) ||
	    (!whole.len && !has_part))
		return false;
	if (has_part && (s.len > 3 || !slice_to_u64(s, 999, &part)))
		return false;
	for (size_t i = 0; i < s.len && has_part; i++)
		scale /= 10;
	*score_out = (int64_t)(n * 1000 + (has_part ? part * scale : 0));
	if (is_minus)
		*score_out = -*score_out;
	return true;
}

static bool take_score(struct parser *p, struct rule_action *a)
{
	size_t at = p->at;
	struct slice word = take_word(p);

	if (p->at == p->text.len && score_of(word, &a->score))
		return true;
	return fails(p, at, "score needs a number such as 5 or -2.5, up to a "
		     "million and with three places at most");
}

static bool take_nothing(struct parser *p, const struct rule_action *a)
{
	if (p->at == p->text.len)
		return true;
	return fails(p, p->at, "nothing may stand behind %s",
		     kinds[a->kind].name);
}

static bool take_rest(struct parser *p, struct rule_action *a)
{
	switch (a->kind) {
	case RULE_ACCEPT:
	case RULE_DISCARD:
		return take_nothing(p, a);
	case RULE_REJECT:
	case RULE_TEMPFAIL:
		return take_reply(p, a);
	case RULE_QUARANTINE:
		pass_quotes(p);
		if (p->at == p->text.len)
			return add_literal(p, a, SLICE_LIT("rule ")) &&
			       add_literal(p, a, p->rule);
		return take_text(p, a);
	case RULE_LOG:
		pass_quotes(p);
		return p->at < p->text.len ?
			       take_text(p, a) :
			       fails(p, p->at, "log needs a text");
	case RULE_SKIP:
		return take_milters(p, a);
	case RULE_MACRO:
		return take_macro(p, a);
	case RULE_HEADER:
		return take_header(p, a);
	case RULE_SCORE:
		return take_score(p, a);
	case RULE_ACTION_COUNT:
		break;
	}
	return false;
}

bool rule_action_parse(struct arena *arena, struct slice text,
		       struct slice rule, const struct cond_names *names,
		       struct rule_action *action_out,
		       struct rule_problem *problem_out)
{
	struct parser p = { .arena = arena, .names = names,
			    .problem = problem_out };
	struct slice word;

	*action_out = (struct rule_action){ .kind = RULE_ACTION_COUNT };
	if (!arena_copy(arena, text, &p.text) ||
	    !arena_copy(arena, rule, &p.rule))
		return fails(&p, 0, "no memory for it");
	pass_blanks(&p);
	word = take_word(&p);
	for (int i = 0; i < RULE_ACTION_COUNT; i++) {
		if (!slice_is_case(word, kinds[i].name))
			continue;
		action_out->kind = (enum rule_action_kind)i;
		return take_rest(&p, action_out);
	}
	return fails(&p, (size_t)(word.data - p.text.data),
		     "\"%.*s\" is no action: accept, reject, tempfail, "
		     "discard, quarantine, skip, macro, header, score, log",
		     SLICE_ARG(slice_head(word, 64)));
}
