#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/cond_parser.h"

/* ---- problems ---- */

bool cond_fails(struct cond_parser *p, size_t at, const char *format, ...)
{
	va_list args;

	p->problem->condition = p->condition;
	p->problem->column = at + 1;
	va_start(args, format);
	vsnprintf(p->problem->text, sizeof(p->problem->text), format, args);
	va_end(args);
	return false;
}

bool cond_no_memory(struct cond_parser *p)
{
	return cond_fails(p, p->at, "no memory for it");
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
			bool same =
				lower(a.data[i - 1]) == lower(b.data[j - 1]);

			row[j] = least(above + 1, row[j - 1] + 1,
				       corner + !same);
			corner = above;
		}
	}
	return row[b.len];
}

void cond_near_try(struct cond_near *n, struct slice name)
{
	size_t d = distance(n->wanted, name);

	if (d < n->distance) {
		n->distance = d;
		n->name = name;
	}
}

struct cond_near cond_near_to(struct slice wanted)
{
	/* Half of a short word changed is another word. */
	return (struct cond_near){ wanted, SLICE_EMPTY,
				   wanted.len / 3 + (wanted.len > 2) + 1 };
}

/* Says that there is no such name, and which one may have been meant. */
bool cond_no_such(struct cond_parser *p, size_t at, const char *what,
		  const struct cond_near *n)
{
	if (n->name.len)
		return cond_fails(p, at,
				  "there is no %s \"%.*s\"; is \"%.*s\" meant?",
				  what, SLICE_ARG(slice_head(n->wanted, 64)),
				  SLICE_ARG(n->name));
	return cond_fails(p, at, "there is no %s \"%.*s\"", what,
			  SLICE_ARG(slice_head(n->wanted, 64)));
}

/* ---- letters and words ---- */

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' ||
	       c == '@';
}

/* The byte at hand behind blanks; NUL at the end. */
char cond_peek(struct cond_parser *p)
{
	while (p->at < p->text.len && is_space(p->text.data[p->at]))
		p->at++;
	return p->at < p->text.len ? p->text.data[p->at] : '\0';
}

bool cond_take_char(struct cond_parser *p, char c)
{
	if (p->at >= p->text.len || cond_peek(p) != c || p->at >= p->text.len)
		return false;
	p->at++;
	return true;
}

struct slice cond_peek_word(struct cond_parser *p)
{
	size_t end;

	cond_peek(p);
	end = p->at;
	while (end < p->text.len && is_word_byte(p->text.data[end]))
		end++;
	return slice_of(p->text.data + p->at, end - p->at);
}

bool cond_take_keyword(struct cond_parser *p, const char *word)
{
	struct slice w = cond_peek_word(p);

	if (!slice_is_case(w, word))
		return false;
	p->at += w.len;
	return true;
}

/* What stands here, for a message. */
struct slice cond_here(struct cond_parser *p)
{
	struct slice w = cond_peek_word(p);

	if (w.len == 0 && p->at < p->text.len)
		w = slice_of(p->text.data + p->at, 1);
	return slice_head(w, 64);
}

bool cond_is_value_end(char c)
{
	return is_space(c) || c == ',' || c == ')' || c == '}' || c == '(';
}

static bool take_quoted(struct cond_parser *p, char quote,
			struct slice *value_out)
{
	size_t start = ++p->at;
	ptrdiff_t n = slice_find(slice_from(p->text, start), quote);

	if (n < 0)
		return cond_fails(p, start - 1, "this %c is never closed",
				  quote);
	*value_out = slice_of(p->text.data + start, (size_t)n);
	p->at = start + (size_t)n + 1;
	return true;
}

/*
 * 'text', "text", or a bare word up to a blank, comma or parenthesis; a pair
 * of braces around a bare word is part of it: {rcpt_addr}.
 */
static bool take_value(struct cond_parser *p, struct slice *value_out)
{
	char c = cond_peek(p);
	size_t start = p->at;

	if (c == '"' || c == '\'')
		return take_quoted(p, c, value_out);
	if (c == '{')
		p->at++;
	while (p->at < p->text.len && !cond_is_value_end(p->text.data[p->at]))
		p->at++;
	if (c == '{' && p->at < p->text.len && p->text.data[p->at] == '}')
		p->at++;
	*value_out = slice_of(p->text.data + start, p->at - start);
	return true;
}

/* The same, and there has to be one. */
bool cond_take_operand(struct cond_parser *p, const char *example,
		       struct slice *value_out)
{
	char c = cond_peek(p);

	if (p->at >= p->text.len)
		return cond_fails(p, p->at, "%s is missing at the end",
				  example);
	if (c == ')' || c == ',' || c == '}' || c == '(')
		return cond_fails(p, p->at, "%s is missing before \"%c\"",
				  example, c);
	return take_value(p, value_out);
}
