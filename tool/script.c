#include "tool/script.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/clock.h"

struct lexer {
	struct arena *arena;
	struct slice rest;
	unsigned line;
	unsigned column;
	struct script_error *error;
};

/* Both lists grow by doubling; what they leave behind dies with the arena. */
struct statements {
	struct script_statement *items;
	size_t count, room;
};
struct words {
	struct script_word *items;
	size_t count, room;
};

bool script_fail(struct script_error *error, const struct script_word *word,
		 const char *format, ...)
{
	va_list args;

	error->line = word ? word->line : 0;
	error->column = word ? word->column : 0;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

static void *grown(struct arena *a, const void *old, size_t count, size_t *room,
		   size_t size)
{
	size_t room_now = *room ? *room * 2 : 8;
	char *items = arena_take_n(a, room_now, size);

	if (items && count)
		memcpy(items, old, count * size);
	if (items)
		*room = room_now;
	return items;
}

static bool push_word(struct lexer *x, struct words *w, struct script_word word)
{
	if (w->count == w->room) {
		void *items = grown(x->arena, w->items, w->count, &w->room,
				    sizeof(*w->items));

		if (!items)
			return script_fail(x->error, &word, "script too long");
		w->items = items;
	}
	w->items[w->count++] = word;
	return true;
}

static bool push_statement(struct lexer *x, struct statements *s,
			   struct words *w)
{
	if (!w->count)
		return true;
	if (s->count == s->room) {
		void *items = grown(x->arena, s->items, s->count, &s->room,
				    sizeof(*s->items));

		if (!items)
			return script_fail(x->error, &w->items[0],
					   "script too long");
		s->items = items;
	}
	s->items[s->count++] = (struct script_statement){ w->items, w->count };
	*w = (struct words){ 0 };
	return true;
}

static char first(const struct lexer *x)
{
	return x->rest.len ? x->rest.data[0] : '\0';
}

static void step(struct lexer *x)
{
	if (first(x) == '\n') {
		x->line++;
		x->column = 0;
	}
	x->column++;
	x->rest = slice_from(x->rest, 1);
}

/* Passes blanks, comments and continued line ends. */
static void skip_blanks(struct lexer *x)
{
	for (;;) {
		char c = first(x);

		if (!x->rest.len)
			return;
		if (c == ' ' || c == '\t' || c == '\r') {
			step(x);
		} else if (c == '#') {
			while (x->rest.len && first(x) != '\n')
				step(x);
		} else if (slice_starts(x->rest, "\\\n")) {
			step(x);
			step(x);
		} else {
			return;
		}
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Two hex digits at the front of s, or -1. */
static int hex_byte(struct slice s)
{
	int high, low;

	if (s.len < 2)
		return -1;
	high = hex_digit(s.data[0]);
	low = hex_digit(s.data[1]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Behind a backslash: the byte meant, used up; false: no such escape. */
static bool read_escape(struct lexer *x, char *byte_out)
{
	static const char letters[] = "rnt0\"\\";
	static const char bytes[] = "\r\n\t\0\"\\";
	char c = first(x);
	const char *at = x->rest.len ? memchr(letters, c, 6) : NULL;

	if (at) {
		*byte_out = bytes[at - letters];
		step(x);
		return true;
	}
	if (x->rest.len && c == 'x') {
		int byte = hex_byte(slice_from(x->rest, 1));

		if (byte < 0)
			return false;
		*byte_out = (char)byte;
		step(x);
		step(x);
		step(x);
		return true;
	}
	return false;
}

static bool read_quoted(struct lexer *x, struct script_word *word)
{
	/* Never longer than what is left of the text. */
	char *to;
	size_t n = 0;
	ptrdiff_t end;

	step(x);
	word->is_quoted = true;
	end = slice_find(x->rest, '"');
	/* The common case needs no copy. */
	if (end >= 0 &&
	    slice_find(slice_head(x->rest, (size_t)end), '\\') < 0) {
		word->text = slice_head(x->rest, (size_t)end);
		for (ptrdiff_t i = 0; i <= end; i++)
			step(x);
		return true;
	}
	to = arena_take(x->arena, x->rest.len + 1);
	if (!to)
		return script_fail(x->error, word, "script too long");
	while (x->rest.len && first(x) != '"') {
		char c = first(x);

		step(x);
		if (c == '\\' && !read_escape(x, &c))
			return script_fail(x->error, word,
					   "unknown escape in quotes");
		to[n++] = c;
	}
	if (!x->rest.len)
		return script_fail(x->error, word, "quote without end");
	step(x);
	word->text = slice_of(to, n);
	return true;
}

static void read_bare(struct lexer *x, struct script_word *word)
{
	struct slice from = x->rest;
	size_t n = 0;

	while (x->rest.len && !memchr(" \t\r\n;\"", first(x), 6) &&
	       !slice_starts(x->rest, "\\\n")) {
		step(x);
		n++;
	}
	word->text = slice_head(from, n);
}

static bool read_word(struct lexer *x, struct words *words)
{
	struct script_word word = { .line = x->line, .column = x->column };

	if (first(x) == '"') {
		if (!read_quoted(x, &word))
			return false;
	} else {
		read_bare(x, &word);
	}
	return push_word(x, words, word);
}

bool script_parse(struct arena *arena, struct slice text,
		  struct script *script_out, struct script_error *error_out)
{
	struct lexer x = { arena, text, 1, 1, error_out };
	struct statements statements = { 0 };
	struct words words = { 0 };

	for (;;) {
		skip_blanks(&x);
		if (!x.rest.len)
			break;
		if (first(&x) == '\n' || first(&x) == ';') {
			step(&x);
			if (!push_statement(&x, &statements, &words))
				return false;
		} else if (!read_word(&x, &words)) {
			return false;
		}
	}
	if (!push_statement(&x, &statements, &words))
		return false;
	*script_out = (struct script){ statements.items, statements.count };
	return true;
}

bool script_is(const struct script_word *word, const char *keyword)
{
	return !word->is_quoted && slice_is(word->text, keyword);
}

bool script_time(struct slice text, uint64_t *time_out)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = { { "us", 1 },
		      { "ms", CLOCK_MS },
		      { "s", CLOCK_S },
		      { "m", 60 * CLOCK_S },
		      { "", CLOCK_S } };
	size_t digits = 0;
	uint64_t n;

	while (digits < text.len && text.data[digits] >= '0' &&
	       text.data[digits] <= '9')
		digits++;
	if (!slice_to_u64(slice_head(text, digits), 1000000000, &n))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (slice_is(slice_from(text, digits), units[i].unit)) {
			*time_out = n * units[i].us;
			return true;
		}
	return false;
}

bool script_bytes(struct arena *arena, const struct script_word *word,
		  struct slice *bytes_out)
{
	struct slice hex = word->text;
	char *to;

	if (word->is_quoted) {
		*bytes_out = word->text;
		return true;
	}
	to = hex.len % 2 ? NULL : arena_take(arena, hex.len / 2);
	if (!to)
		return false;
	for (size_t i = 0; i < hex.len / 2; i++) {
		int byte = hex_byte(slice_from(hex, i * 2));

		if (byte < 0)
			return false;
		to[i] = (char)byte;
	}
	*bytes_out = slice_of(to, hex.len / 2);
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Goes back to the last star only: linear enough for any pattern. */
static bool match_glob(struct slice pattern, struct slice text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.len &&
			   (pattern.data[p] == '?' ||
			    lower(pattern.data[p]) == lower(text.data[t]))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

bool script_match(struct slice pattern, struct slice text)
{
	if (slice_find(pattern, '*') >= 0 || slice_find(pattern, '?') >= 0)
		return match_glob(pattern, text);
	for (size_t i = 0; i + pattern.len <= text.len; i++)
		if (slice_equal_case(pattern, slice_head(slice_from(text, i),
							 pattern.len)))
			return true;
	return false;
}

static bool is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x21 || c > 0x7e || c == '"' || c == '\\' || c == ';')
			return false;
	}
	return text.len && text.data[0] != '#';
}

bool script_quote(struct buf *out, struct slice text)
{
	static const char letters[] = "rnt\"\\";
	static const char bytes[] = "\r\n\t\"\\";
	bool ok = buf_add_byte(out, '"');

	for (size_t i = 0; ok && i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		const char *at = memchr(bytes, c, 5);

		if (at)
			ok = buf_add_byte(out, '\\') &&
			     buf_add_byte(out, letters[at - bytes]);
		else if (c >= 0x20 && c <= 0x7e)
			ok = buf_add_byte(out, (char)c);
		else
			ok = buf_printf(out, "\\x%02x", c);
	}
	return ok && buf_add_byte(out, '"');
}

bool script_print(struct buf *out, struct slice text)
{
	return is_plain(text) ? buf_add(out, text) : script_quote(out, text);
}

const char *script_answer_name(enum answer_kind kind)
{
	return kind == ANSWER_REPLYCODE ? "reply" : answer_name(kind);
}

uint64_t script_hash(uint64_t hash, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		hash ^= (unsigned char)bytes.data[i];
		hash *= UINT64_C(0x100000001b3);
	}
	return hash;
}
