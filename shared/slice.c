#include "shared/slice.h"

#include <strings.h>

struct slice slice_of(const void *data, size_t len)
{
	return (struct slice){ data, len };
}

struct slice slice_str(const char *s)
{
	return s ? slice_of(s, strlen(s)) : SLICE_EMPTY;
}

bool slice_equal(struct slice a, struct slice b)
{
	/* An empty slice may point nowhere, which memcmp() does not take. */
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool slice_equal_case(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	return true;
}

bool slice_is(struct slice a, const char *s)
{
	return slice_equal(a, slice_str(s));
}

bool slice_is_case(struct slice a, const char *s)
{
	return slice_equal_case(a, slice_str(s));
}

bool slice_starts(struct slice a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.len >= n && (n == 0 || memcmp(a.data, prefix, n) == 0);
}

ptrdiff_t slice_find(struct slice a, char c)
{
	const char *p = a.len ? memchr(a.data, c, a.len) : NULL;

	return p ? p - a.data : -1;
}

struct slice slice_from(struct slice a, size_t from)
{
	if (from >= a.len)
		return slice_of(a.data + a.len, 0);
	return slice_of(a.data + from, a.len - from);
}

struct slice slice_head(struct slice a, size_t n)
{
	return slice_of(a.data, n < a.len ? n : a.len);
}

struct slice slice_trim(struct slice a)
{
	while (a.len && is_space(a.data[0]))
		a = slice_from(a, 1);
	while (a.len && is_space(a.data[a.len - 1]))
		a.len--;
	return a;
}

bool slice_split(struct slice *rest, char c, struct slice *part_out)
{
	ptrdiff_t at;

	if (!rest->data)
		return false;
	at = slice_find(*rest, c);
	if (at < 0) {
		*part_out = *rest;
		*rest = (struct slice){ NULL, 0 };
		return true;
	}
	*part_out = slice_head(*rest, (size_t)at);
	*rest = slice_from(*rest, (size_t)at + 1);
	return true;
}

uint32_t slice_hash(uint32_t hash, struct slice a)
{
	for (size_t i = 0; i < a.len; i++)
		hash = (hash ^ (unsigned char)a.data[i]) * 16777619u;
	return hash;
}

bool slice_to_u64(struct slice a, uint64_t max, uint64_t *number_out)
{
	uint64_t n = 0;

	if (a.len == 0)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		unsigned digit = (unsigned)(unsigned char)a.data[i] - '0';

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n > max)
		return false;
	*number_out = n;
	return true;
}
