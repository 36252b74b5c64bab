#include "shared/macro.h"

struct slice macro_whole_pairs(struct slice payload)
{
	struct slice rest = payload, name, value;

	while (macro_next(&rest, &name, &value))
		continue;
	return slice_head(payload, payload.len - rest.len);
}

bool macro_next(struct slice *pairs, struct slice *name_out,
		struct slice *value_out)
{
	struct reader r = reader_of(*pairs);
	struct slice name, value;

	if (!reader_str(&r, &name) || !reader_str(&r, &value))
		return false;
	*name_out = name;
	*value_out = value;
	*pairs = r.rest;
	return true;
}

static struct slice without_braces(struct slice name)
{
	if (name.len >= 2 && name.data[0] == '{' &&
	    name.data[name.len - 1] == '}')
		return slice_of(name.data + 1, name.len - 2);
	return name;
}

bool macro_find(struct slice pairs, struct slice name, struct slice *value_out)
{
	struct slice n, value;

	name = without_braces(name);
	while (macro_next(&pairs, &n, &value)) {
		if (slice_equal(without_braces(n), name)) {
			*value_out = value;
			return true;
		}
	}
	return false;
}

static bool is_separator(char c)
{
	return c == ' ' || c == ',' || c == '\t' || c == '\r' || c == '\n';
}

bool macro_list_has(struct slice list, struct slice name)
{
	size_t from = 0;

	name = without_braces(name);
	for (size_t i = 0; i <= list.len; i++) {
		if (i < list.len && !is_separator(list.data[i]))
			continue;
		if (i > from &&
		    slice_equal(without_braces(
					slice_of(list.data + from, i - from)),
				name))
			return true;
		from = i + 1;
	}
	return false;
}

/* Bytes on the wire of the pairs whose values have at most this length. */
static size_t size_up_to(struct slice pairs, size_t value_len)
{
	struct slice name, value;
	size_t size = 0;

	while (macro_next(&pairs, &name, &value))
		if (value.len <= value_len)
			size += name.len + value.len + 2;
	return size;
}

/*
 * The smallest length of a value such that the pairs with values up to it
 * are more than max bytes: longer ones must all go, shorter ones all stay.
 * By halving, so that many small macros cost no more than a few passes.
 */
static size_t find_cut(struct slice pairs, size_t max)
{
	size_t low = 0, high = pairs.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (size_up_to(pairs, middle) > max)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Squeezes what was appended behind `before` to at most max bytes. */
static unsigned drop_largest(struct buf *out, size_t before, size_t max)
{
	struct slice pairs = slice_from(buf_slice(out), before), name, value;
	size_t cut = find_cut(pairs, max);
	size_t spare = max - (cut ? size_up_to(pairs, cut - 1) : 0);
	char *to = out->data + out->start + before;
	size_t kept = 0;
	unsigned dropped = 0;

	while (macro_next(&pairs, &name, &value)) {
		size_t size = name.len + value.len + 2;

		if (value.len > cut || (value.len == cut && size > spare)) {
			dropped++;
			continue;
		}
		if (value.len == cut)
			spare -= size;
		memmove(to + kept, name.data, size);
		kept += size;
	}
	buf_cut(out, before + kept);
	return dropped;
}

bool macro_filter(struct slice pairs, bool has_list, struct slice list,
		  size_t max, struct buf *out, unsigned *dropped_out)
{
	size_t before = buf_len(out);
	struct slice name, value;

	*dropped_out = 0;
	while (macro_next(&pairs, &name, &value)) {
		if (has_list && !macro_list_has(list, name))
			continue;
		if (!buf_add_str(out, name) || !buf_add_str(out, value)) {
			buf_cut(out, before);
			return false;
		}
	}
	if (buf_len(out) - before > max)
		*dropped_out = drop_largest(out, before, max);
	return true;
}
