#include <stdlib.h>

#include "shared/table_parts.h"

/* Networks while they are sorted. */
struct item {
	struct network network;
	struct slice value;
	bool is_exception;
	unsigned line;
};

/* By family, address, and the larger network first. */
static int by_network(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	const struct network *m = &x->network, *n = &y->network;
	int r;

	if (m->ip.is_v6 != n->ip.is_v6)
		return m->ip.is_v6 ? 1 : -1;
	r = memcmp(m->ip.bytes, n->ip.bytes, sizeof(m->ip.bytes));
	if (r == 0)
		r = (m->prefix > n->prefix) - (m->prefix < n->prefix);
	return r ? r : (x->line > y->line) - (x->line < y->line);
}

static bool same(const struct item *a, const struct item *b)
{
	return a->network.prefix == b->network.prefix &&
	       ip_equal(&a->network.ip, &b->network.ip);
}

/*
 * The address behind the last one of a network, in *next_out; false: there is
 * none.  Addresses of IPv4 are the first four bytes.
 */
static bool address_behind(const struct network *n, uint8_t next_out[16])
{
	memcpy(next_out, n->ip.bytes, 16);
	for (unsigned bit = n->prefix; bit > 0; bit--) {
		uint8_t *byte = &next_out[(bit - 1) / 8];
		uint8_t mask = (uint8_t)(0x80u >> ((bit - 1) % 8));

		*byte ^= mask;
		if (*byte & mask)
			return true;
	}
	return false;
}

/*
 * The sweep: from low to high addresses, with the networks that hold the
 * present address on a stack, the smallest on top.  Each change of the top is
 * the begin of a range, so that a lookup is one binary search.
 */
struct sweep {
	struct table_build *b;
	const struct item *stack[130]; /* prefixes on it differ: 0-128 */
	unsigned depth;
	bool has_last;
	struct table_range last; /* not written yet: it may be replaced */
	unsigned family;
	bool failed;
};

static void write_last(struct sweep *s)
{
	struct slice bytes = slice_of(&s->last, sizeof(s->last));

	if (!s->has_last || s->failed)
		return;
	if (!buf_add(&s->b->parts, bytes)) {
		table_problem(s->b, 0, "no memory for it");
		s->failed = true;
		return;
	}
	s->b->head.range_count[s->family]++;
}

/* From this address on the top of the stack counts. */
static void begin_range(struct sweep *s, const uint8_t first[16])
{
	const struct item *top = s->depth ? s->stack[s->depth - 1] : NULL;

	if (s->has_last && memcmp(s->last.first, first, 16) != 0)
		write_last(s);
	memset(&s->last, 0, sizeof(s->last));
	memcpy(s->last.first, first, 16);
	s->has_last = true;
	if (!top || top->is_exception)
		return;
	s->last.found = 1;
	if (top->value.len && !table_add_text(s->b, top->value, &s->last.value))
		s->failed = true;
}

static void leave_top(struct sweep *s)
{
	uint8_t next[16];
	const struct item *top = s->stack[--s->depth];

	if (address_behind(&top->network, next))
		begin_range(s, next);
}

static void sweep(struct table_build *b, const struct item *items, size_t count,
		  unsigned family)
{
	struct sweep s = { .b = b, .family = family };

	for (size_t i = 0; i < count && !s.failed; i++) {
		const struct item *n = &items[i];

		while (s.depth && !network_has(&s.stack[s.depth - 1]->network,
					       &n->network.ip))
			leave_top(&s);
		s.stack[s.depth++] = n;
		begin_range(&s, n->network.ip.bytes);
	}
	while (s.depth && !s.failed)
		leave_top(&s);
	write_last(&s);
}

/* Of a network given twice the first counts; a contradiction is a mistake. */
static size_t without_doubles(struct table_build *b, struct item *items,
			      size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (n == 0 || !same(&items[n - 1], &items[i])) {
			items[n++] = items[i];
			continue;
		}
		if (items[n - 1].is_exception != items[i].is_exception)
			table_problem(b, items[i].line,
				      "the same network stands in line %u, "
				      "once with \"!\" and once without",
				      items[n - 1].line);
	}
	return n;
}

static void finish(struct table_build *b, struct item *items, size_t count)
{
	size_t v4 = 0;

	if (count)
		qsort(items, count, sizeof(*items), by_network);
	count = without_doubles(b, items, count);
	while (v4 < count && !items[v4].network.ip.is_v6)
		v4++;
	sweep(b, items, v4, 0);
	sweep(b, items + v4, count - v4, 1);
	b->head.count = (uint32_t)count;
	b->head.has_networks = 1;
}

static bool parse(struct table_build *b, unsigned line, struct slice word,
		  struct item *item)
{
	char right[64];

	item->line = line;
	item->is_exception = slice_starts(word, "!");
	if (item->is_exception)
		word = slice_from(word, 1);
	switch (network_parse(word, &item->network)) {
	case NETWORK_OK:
		return true;
	case NETWORK_HOST_BITS:
		network_print(&item->network, right, sizeof(right));
		table_problem(b, line,
			      "\"%.*s\" has bits behind the prefix; is %s "
			      "meant?",
			      SLICE_ARG(slice_head(word, 64)), right);
		return false;
	case NETWORK_BAD:
		break;
	}
	table_problem(b, line, "\"%.*s\" is no address or network",
		      SLICE_ARG(slice_head(word, 64)));
	return false;
}

static struct item *take_items(struct table_build *b, size_t room)
{
	struct item *items = arena_take_n(b->work, room, sizeof(*items));

	if (!items)
		table_problem(b, 0, "no memory for it");
	return items;
}

void table_cidr_build(struct table_build *b, struct slice text)
{
	struct table_lines lines = table_lines_of(text, false);
	struct slice line, word;
	struct item *items;
	size_t n = 0, room = 1;

	for (size_t i = 0; i < text.len; i++)
		room += text.data[i] == '\n';
	items = take_items(b, room);
	while (items && table_next_line(b, &lines, &line)) {
		table_cut_line(line, &word, &items[n].value);
		if (parse(b, lines.line, word, &items[n]))
			n++;
	}
	if (items)
		finish(b, items, n);
}

void table_cidr_build_words(struct table_build *b, const struct slice *words,
			    size_t count)
{
	struct item *items = take_items(b, count);
	struct table_report nobody = { NULL, NULL };
	const struct table_report *report = b->report;
	unsigned problems = b->problems;
	bool all = items && count > 0;

	/* Words that are no networks are no mistake here. */
	b->report = &nobody;
	for (size_t i = 0; all && i < count; i++)
		all = parse(b, 0, words[i], &items[i]);
	b->report = report;
	b->problems = problems;
	if (all)
		finish(b, items, count);
}

enum table_answer table_cidr_lookup(const struct table_head *h,
				    struct table_ask *ask)
{
	unsigned family = ask->key.ip.is_v6 ? 1 : 0;
	const struct table_range *ranges =
		(const void *)((const char *)h + h->ranges_at[family]);
	size_t low = 0, high = h->range_count[family];

	if (ask->key.kind != KEY_IP)
		return TABLE_NO;
	/* The last range that begins at or before the address. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		ask->steps++;
		if (memcmp(ranges[middle].first, ask->key.ip.bytes, 16) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || !ranges[low - 1].found)
		return TABLE_NO;
	ask->value = table_text(h, ranges[low - 1].value);
	return TABLE_YES;
}
