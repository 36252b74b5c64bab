#include "shared/json.h"

#include <inttypes.h>

#define MILLION 1000000u

/*
 * How many bytes at the front are one valid character beyond ASCII; 0: none.
 * Overlong forms, surrogates and what lies above U+10FFFF are not valid.
 */
static size_t utf8_len(struct slice s)
{
	unsigned char c = (unsigned char)s.data[0], second;
	size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	if (c < 0xc2 || c > 0xf4 || s.len < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if (((unsigned char)s.data[i] & 0xc0) != 0x80)
			return 0;
	second = (unsigned char)s.data[1];
	if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
	    (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
		return 0;
	return len;
}

static size_t plain_len(struct slice s)
{
	size_t n = 0;

	while (n < s.len) {
		unsigned char c = (unsigned char)s.data[n];
		size_t more = 1;

		if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
			break;
		if (c >= 0x80)
			more = utf8_len(slice_from(s, n));
		if (!more)
			break;
		n += more;
	}
	return n;
}

bool json_quote(struct buf *out, struct slice text)
{
	if (!buf_add_byte(out, '"'))
		return false;
	while (text.len) {
		size_t n = plain_len(text);
		unsigned char c;

		if (!buf_add(out, slice_head(text, n)))
			return false;
		text = slice_from(text, n);
		if (!text.len)
			break;
		c = (unsigned char)text.data[0];
		text = slice_from(text, 1);
		if (c == '"' || c == '\\') {
			if (!buf_printf(out, "\\%c", c))
				return false;
		} else if (!buf_printf(out, "\\u%04x", c)) {
			return false;
		}
	}
	return buf_add_byte(out, '"');
}

struct json json_begin(struct buf *out)
{
	return (struct json){ .out = out };
}

bool json_end(const struct json *j)
{
	return !j->failed;
}

/* What stands before a value.  False: nothing shall be written. */
static bool before(struct json *j, const char *key)
{
	bool ok = !j->failed;

	if (ok && j->comma)
		ok = buf_add_byte(j->out, ',');
	if (ok && key)
		ok = json_quote(j->out, slice_str(key)) &&
		     buf_add_byte(j->out, ':');
	j->failed = !ok;
	j->comma = true;
	return ok;
}

static void open_with(struct json *j, const char *key, char bracket)
{
	if (before(j, key))
		j->failed = !buf_add_byte(j->out, bracket);
	j->comma = false;
}

static void close_with(struct json *j, char bracket)
{
	if (!j->failed)
		j->failed = !buf_add_byte(j->out, bracket);
	j->comma = true;
}

void json_object(struct json *j, const char *key)
{
	open_with(j, key, '{');
}

void json_object_end(struct json *j)
{
	close_with(j, '}');
}

void json_array(struct json *j, const char *key)
{
	open_with(j, key, '[');
}

void json_array_end(struct json *j)
{
	close_with(j, ']');
}

void json_text(struct json *j, const char *key, struct slice text)
{
	if (before(j, key))
		j->failed = !json_quote(j->out, text);
}

void json_word(struct json *j, const char *key, const char *word)
{
	json_text(j, key, slice_str(word));
}

void json_number(struct json *j, const char *key, uint64_t number)
{
	if (before(j, key))
		j->failed = !buf_printf(j->out, "%" PRIu64, number);
}

void json_bool(struct json *j, const char *key, bool value)
{
	if (before(j, key))
		j->failed = !buf_printf(j->out, value ? "true" : "false");
}

void json_seconds(struct json *j, const char *key, uint64_t us)
{
	if (before(j, key))
		j->failed = !buf_printf(j->out, "%" PRIu64 ".%06" PRIu64,
					us / MILLION, us % MILLION);
}

void json_null(struct json *j, const char *key)
{
	if (before(j, key))
		j->failed = !buf_printf(j->out, "null");
}
