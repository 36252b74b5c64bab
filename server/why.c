#include "server/why.h"

/*
 * In a line: those of the message first, then its milters, those that were
 * passed without, the verdict and the rest.
 */
static const char *const names[WHY_FIELDS] = {
	[WHY_FROM] = "from",
	[WHY_NRCPT] = "nrcpt",
	[WHY_SIZE] = "size",
	[WHY_CLIENT] = "client",
	[WHY_PASSED_WITHOUT] = "passed_without",
	[WHY_VERDICT] = "verdict",
	[WHY_BY] = "by",
	[WHY_STAGE] = "stage",
	[WHY_RULE] = "rule",
	[WHY_REPLY] = "reply",
	[WHY_QUARANTINE] = "quarantine",
	[WHY_EDITS] = "edits",
	[WHY_TIME] = "time",
	[WHY_CHILD] = "child",
	[WHY_SIGNAL] = "signal",
	[WHY_EXIT] = "exit",
	[WHY_PID] = "pid",
};

const char *why_field_name(enum why_field field)
{
	return names[field];
}

/* One `name=value`, blanks inside quotes and parentheses taken along. */
static bool take_token(struct slice *rest, struct slice *token_out)
{
	struct slice s = slice_trim(*rest);
	bool quoted = false;
	unsigned depth = 0;
	size_t i = 0;

	for (; i < s.len; i++) {
		char c = s.data[i];

		if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == '(')
			depth++;
		else if (!quoted && c == ')' && depth)
			depth--;
		else if (!quoted && !depth && is_blank(c))
			break;
	}
	*token_out = slice_head(s, i);
	*rest = slice_from(s, i);
	return i > 0;
}

static struct slice without_quotes(struct slice s)
{
	if (!s.len || s.data[0] != '"')
		return s;
	s = slice_from(s, 1);
	if (s.len && s.data[s.len - 1] == '"')
		s.len--;
	return s;
}

static bool split_token(struct slice token, struct slice *name_out,
			struct slice *value_out)
{
	ptrdiff_t equals = slice_find(token, '=');

	if (equals <= 0)
		return false;
	*name_out = slice_head(token, (size_t)equals);
	*value_out = slice_from(token, (size_t)equals + 1);
	return true;
}

/* The last word before the verdict may not be a milter's. */
static bool is_passed_without(struct slice name, struct slice rest,
			      const char *verdict)
{
	return slice_is(name, names[WHY_PASSED_WITHOUT]) &&
	       slice_trim(rest).data == verdict;
}

/* The field of this name among those from `first` on; or WHY_FIELDS. */
static unsigned find_field(struct slice name, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		if (slice_is(name, names[i]))
			return i;
	return WHY_FIELDS;
}

static void add_member(struct why *w, struct slice token)
{
	struct why_member *m = &w->members[w->member_count];
	struct slice name, value;
	size_t i;

	if (w->member_count == CONF_MILTERS_MAX)
		return;
	*m = (struct why_member){ .time = SLICE_EMPTY };
	if (token.len > 1 && token.data[0] == '(') {
		m->is_evaluated = true;
		token = slice_from(token, 1);
		if (token.data[token.len - 1] == ')')
			token.len--;
	}
	if (!split_token(token, &name, &value))
		return;
	m->name = name;
	m->word = value;
	/* The time stands behind the last slash. */
	for (i = value.len; i-- > 0;)
		if (value.data[i] == '/') {
			m->word = slice_head(value, i);
			m->time = slice_from(value, i + 1);
			break;
		}
	w->member_count++;
}

/*
 * Where the milters end: a milter may be called "verdict", so the last one
 * counts; no milter stands behind it.
 */
static const char *find_verdict(struct slice rest)
{
	const char *at = NULL;
	struct slice token;

	while (take_token(&rest, &token))
		if (slice_starts(token, "verdict="))
			at = token.data;
	return at;
}

bool why_parse(struct slice line, struct why *why_out)
{
	ptrdiff_t colon = slice_find(line, ':');
	struct slice token, name, value;
	const char *verdict;
	unsigned next = WHY_FROM;
	bool behind = false;

	*why_out = (struct why){ .id = SLICE_EMPTY };
	for (unsigned i = 0; i < WHY_FIELDS; i++)
		why_out->fields[i] = SLICE_EMPTY;
	if (colon <= 0)
		return false;
	why_out->id = slice_head(line, (size_t)colon);
	line = slice_from(line, (size_t)colon + 1);
	verdict = find_verdict(line);
	while (take_token(&line, &token)) {
		unsigned field;

		behind = behind || token.data == verdict;
		if (!split_token(token, &name, &value))
			continue;
		field = behind ? find_field(name, WHY_VERDICT, WHY_FIELDS) :
				 find_field(name, next, WHY_PASSED_WITHOUT);
		if (!behind && is_passed_without(name, line, verdict))
			field = WHY_PASSED_WITHOUT;
		if (field < WHY_FIELDS) {
			why_out->fields[field] = without_quotes(value);
			next = field < WHY_PASSED_WITHOUT ? field + 1 : next;
		} else if (!behind) {
			add_member(why_out, token);
		}
	}
	return why_out->fields[WHY_VERDICT].len > 0;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 :
				      -1;
}

bool why_unquote(struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '\\' && text.len - i >= 4 && text.data[i + 1] == 'x' &&
		    hex(text.data[i + 2]) >= 0 && hex(text.data[i + 3]) >= 0) {
			c = (char)(hex(text.data[i + 2]) * 16 +
				   hex(text.data[i + 3]));
			i += 3;
		}
		if (!buf_add_byte(out, c))
			return false;
	}
	return true;
}
