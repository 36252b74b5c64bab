#include <string.h>

#include "shared/clock.h"
#include "shared/table_parts.h"

#define RULES_MAX    10000
#define IF_DEPTH_MAX 50
/* A value with groups put in is cut there. */
#define VALUE_MAX 4096

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };

struct rule {
	enum rule_kind kind;
	bool negated;
	const struct cond_regex *regex;
	struct slice value;
	uint32_t behind; /* RULE_IF: the rule behind its endif */
};

struct table_regexp {
	struct rule *rules;
	size_t count;
};

/* ---- reading; used to check (with reports) and to compile (without) ---- */

struct reading {
	struct table_build *b;
	struct arena *arena;
	struct rule *rules;
	size_t count;
	size_t open[IF_DEPTH_MAX];
	unsigned open_line[IF_DEPTH_MAX];
	unsigned depth;
};

/*
 * Flags switch over, as in Postfix: a pattern takes any case and its dot a
 * line end unless told else.
 */
static bool read_flags(struct reading *r, unsigned line, struct slice word,
		       unsigned *flags_out)
{
	unsigned flags = REGEX_CASELESS | REGEX_DOTALL;

	for (size_t i = 0; i < word.len; i++) {
		/* clang-format off */
		switch (word.data[i]) {
		case 'i': flags ^= REGEX_CASELESS; break;
		case 'm': flags ^= REGEX_MULTILINE; break;
		case 's': flags ^= REGEX_DOTALL; break;
		case 'x': flags ^= REGEX_EXTENDED; break;
		case 'u': flags ^= REGEX_UTF; break;
		case 'A': flags ^= REGEX_ANCHORED; break;
		case 'E': flags ^= REGEX_DOLLAR_END; break;
		case 'U': flags ^= REGEX_UNGREEDY; break;
		default:
			table_problem(r->b, line, "\"%c\" is no flag of a regex: "
				      "i, m, s, x, u, A, E, U", word.data[i]);
			return false;
		}
		/* clang-format on */
	}
	*flags_out = flags;
	return true;
}

static bool is_delimiter(char c)
{
	return c > ' ' && c < 0x7f && c != '\\' &&
	       !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		 (c >= 'a' && c <= 'z'));
}

/* /pattern/flags off the front of *rest. */
static bool read_regex(struct reading *r, unsigned line, struct slice *rest,
		       struct rule *rule)
{
	struct cond_regex_problem problem;
	struct slice s = *rest;
	size_t end = 1, behind;
	unsigned flags;

	if (s.len == 0 || !is_delimiter(s.data[0])) {
		table_problem(r->b, line,
			      "a line begins with /pattern/, "
			      "!/pattern/, if or endif");
		return false;
	}
	while (end < s.len && s.data[end] != s.data[0])
		end += s.data[end] == '\\' ? 2 : 1;
	if (end >= s.len) {
		table_problem(r->b, line, "the regex has no closing \"%c\"",
			      s.data[0]);
		return false;
	}
	behind = end + 1;
	while (behind < s.len && s.data[behind] != ' ' &&
	       s.data[behind] != '\t')
		behind++;
	if (!read_flags(r, line, slice_of(s.data + end + 1, behind - end - 1),
			&flags))
		return false;
	*rest = slice_trim(slice_from(s, behind));
	rule->regex = cond_regex_compile(
		r->arena, slice_of(s.data + 1, end - 1), flags, &problem);
	if (!rule->regex)
		table_problem(r->b, line, "regex, at byte %zu: %s",
			      problem.offset + 1, problem.text);
	return rule->regex != NULL;
}

static void read_if(struct reading *r, unsigned line, struct rule *rule)
{
	rule->kind = RULE_IF;
	if (r->depth == IF_DEPTH_MAX) {
		table_problem(r->b, line, "if inside if, more than %d deep",
			      IF_DEPTH_MAX);
		return;
	}
	r->open[r->depth] = r->count;
	r->open_line[r->depth++] = line;
}

static bool is_word(struct slice line, const char *word, struct slice *rest_out)
{
	size_t n = strlen(word);

	if (!slice_is_case(slice_head(line, n), word) ||
	    (line.len > n && line.data[n] != ' ' && line.data[n] != '\t' &&
	     !is_delimiter(line.data[n])))
		return false;
	*rest_out = slice_trim(slice_from(line, n));
	return true;
}

static void read_endif(struct reading *r, unsigned line, struct slice rest)
{
	if (rest.len && rest.data[0] != '#')
		table_problem(r->b, line, "nothing stands behind endif");
	if (r->depth == 0)
		table_problem(r->b, line, "endif without if");
	else
		r->rules[r->open[--r->depth]].behind = (uint32_t)r->count + 1;
}

static void read_line(struct reading *r, unsigned line, struct slice text)
{
	struct rule *rule = &r->rules[r->count];
	struct slice rest = text;

	*rule = (struct rule){ .kind = RULE_MATCH };
	if (is_word(text, "endif", &rest)) {
		rule->kind = RULE_ENDIF;
		read_endif(r, line, rest);
		r->count++;
		return;
	}
	if (is_word(text, "if", &rest))
		read_if(r, line, rule);
	if (rest.len && rest.data[0] == '!') {
		rule->negated = true;
		rest = slice_trim(slice_from(rest, 1));
	}
	if (read_regex(r, line, &rest, rule)) {
		rule->value = rest;
		if (rule->kind == RULE_IF && rest.len && rest.data[0] != '#')
			table_problem(r->b, line,
				      "nothing stands behind the "
				      "regex of an if");
	}
	r->count++;
}

static bool read_all(struct reading *r, struct slice text)
{
	struct table_lines lines = table_lines_of(text, true);
	struct slice line;

	size_t room = 1;

	for (size_t i = 0; i < text.len; i++)
		room += text.data[i] == '\n';
	if (room > RULES_MAX)
		room = RULES_MAX;
	r->rules = arena_take_n(r->arena, room, sizeof(*r->rules));
	if (!r->rules)
		return false;
	while (table_next_line(r->b, &lines, &line)) {
		if (r->count == RULES_MAX) {
			table_problem(r->b, lines.line, "more than %d lines",
				      RULES_MAX);
			return true;
		}
		read_line(r, lines.line, line);
	}
	while (r->depth > 0)
		table_problem(r->b, r->open_line[--r->depth],
			      "if without endif");
	return true;
}

void table_regexp_build(struct table_build *b, struct slice text)
{
	struct arena arena;
	struct reading r = { .b = b, .arena = &arena };

	arena_init(&arena, (size_t)256 << 20);
	if (!read_all(&r, text))
		table_problem(b, 0, "no memory for it");
	b->head.count = (uint32_t)r.count;
	table_add_text(b, text, &b->head.source);
	arena_deinit(&arena);
}

const struct table_regexp *table_regexp_compile(struct arena *arena,
						const struct table_head *h)
{
	struct table_report nobody = { NULL, NULL };
	struct table_build b = { .path = "", .report = &nobody };
	struct table_regexp *compiled = arena_take(arena, sizeof(*compiled));
	struct reading r = { .b = &b, .arena = arena };

	/* Lines that go on are joined there, so it has to stay. */
	b.work = arena;
	if (!compiled || !read_all(&r, table_text(h, h->source)) || b.problems)
		return NULL;
	compiled->rules = r.rules;
	compiled->count = r.count;
	return compiled;
}

/* ---- looking up ---- */

/*
 * Which group does "$1", "${1}" or "$(1)" at the front of s mean?  Returns
 * the bytes it takes; 0: none.
 */
static size_t group_at(struct slice s, unsigned *group_out)
{
	size_t at = 1;
	char close = 0;

	if (s.len > 3 && (s.data[1] == '{' || s.data[1] == '('))
		close = s.data[at++] == '{' ? '}' : ')';
	if (at >= s.len || s.data[at] < '0' || s.data[at] > '9')
		return 0;
	*group_out = (unsigned)(s.data[at++] - '0');
	if (close && (at >= s.len || s.data[at++] != close))
		return 0;
	return at;
}

/* One step of putting groups in: a piece of the value and what it gives. */
static struct slice next_piece(struct slice *rest,
			       const struct cond_matcher *matcher)
{
	ptrdiff_t dollar = slice_find(*rest, '$');
	struct slice piece = *rest;
	unsigned group;
	size_t n;

	if (dollar != 0) {
		piece = slice_head(*rest,
				   dollar < 0 ? rest->len : (size_t)dollar);
		*rest = slice_from(*rest, piece.len);
		return piece;
	}
	n = group_at(*rest, &group);
	if (n) {
		*rest = slice_from(*rest, n);
		return cond_matcher_group(matcher, group);
	}
	/* $$ is a dollar; another one stands for itself. */
	n = rest->len > 1 && rest->data[1] == '$' ? 2 : 1;
	piece = slice_head(*rest, 1);
	*rest = slice_from(*rest, n);
	return piece;
}

static struct slice with_groups(struct slice value, struct table_ask *ask)
{
	struct slice rest = value;
	char *out;
	size_t len = 0;

	if (slice_find(value, '$') < 0)
		return value;
	out = ask->scratch ? arena_take(ask->scratch, VALUE_MAX) : NULL;
	if (!out)
		return SLICE_EMPTY;
	while (rest.len) {
		struct slice piece = slice_head(next_piece(&rest, ask->matcher),
						VALUE_MAX - len);

		if (piece.len)
			memcpy(out + len, piece.data, piece.len);
		len += piece.len;
	}
	return slice_of(out, len);
}

static enum tri rule_matches(const struct rule *rule, struct table_ask *ask)
{
	enum tri is;

	ask->steps++;
	if (ask->until && clock_now() > ask->until)
		return TRI_UNKNOWN;
	is = cond_match(rule->regex, ask->matcher, ask->key.text);
	return rule->negated ? tri_not(is) : is;
}

enum table_answer table_regexp_lookup(const struct table_regexp *r,
				      struct table_ask *ask)
{
	size_t i = 0;

	if (!ask->matcher)
		return TABLE_UNKNOWN;
	while (i < r->count) {
		const struct rule *rule = &r->rules[i++];
		enum tri is;

		if (rule->kind == RULE_ENDIF)
			continue;
		is = rule_matches(rule, ask);
		if (is == TRI_UNKNOWN)
			return TABLE_UNKNOWN;
		if (rule->kind == RULE_IF) {
			if (is == TRI_FALSE)
				i = rule->behind;
		} else if (is == TRI_TRUE) {
			/* What did not match has no groups. */
			ask->value = rule->negated ?
					     rule->value :
					     with_groups(rule->value, ask);
			return TABLE_YES;
		}
	}
	return TABLE_NO;
}
