#include <stdlib.h>

#include "shared/table_parts.h"

/* A key that is longer is in no list. */
#define KEY_MAX 1024

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int compare(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int r = n ? memcmp(a.data, b.data, n) : 0;

	return r ? r : (a.len > b.len) - (a.len < b.len);
}

/* ---- making ---- */

/* Entries while they are sorted. */
struct item {
	struct slice key;
	struct slice value;
	size_t order; /* the first of equal ones stays */
};

static int by_key(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int r = compare(x->key, y->key);

	return r ? r : (x->order > y->order) - (x->order < y->order);
}

/* Says what is wrong with an entry; true: nothing. */
static bool check(struct table_build *b, unsigned line, struct slice word)
{
	struct network network;

	if (word.len > KEY_MAX) {
		table_problem(b, line, "an entry is longer than %d bytes",
			      KEY_MAX);
	} else if (slice_starts(word, "*.")) {
		table_problem(b, line,
			      "write \"%.*s\" for a domain with all below "
			      "it, without the star",
			      SLICE_ARG(slice_head(slice_from(word, 1), 64)));
	} else if (word.len > 1 && word.data[0] == '@') {
		table_problem(b, line,
			      "write \"%.*s\" for all addresses of a "
			      "domain, without the @",
			      SLICE_ARG(slice_head(slice_from(word, 1), 64)));
	} else if (slice_find(word, '/') >= 0 &&
		   network_parse(word, &network) != NETWORK_BAD) {
		table_problem(b, line,
			      "\"%.*s\" is a network; networks belong in "
			      "a file of their own, cidr:/path",
			      SLICE_ARG(slice_head(word, 64)));
	} else {
		return true;
	}
	return false;
}

static struct slice folded(struct table_build *b, struct slice word)
{
	char *p = arena_take(b->work, word.len);

	if (!p) {
		table_problem(b, 0, "no memory for it");
		return SLICE_EMPTY;
	}
	for (size_t i = 0; i < word.len; i++)
		p[i] = lower(word.data[i]);
	return slice_of(p, word.len);
}

/* Sorts, leaves out what is there twice, and puts it into the result. */
static void finish(struct table_build *b, struct item *items, size_t count)
{
	if (count)
		qsort(items, count, sizeof(*items), by_key);
	for (size_t i = 0; i < count; i++) {
		struct table_entry e;

		if (i > 0 && slice_equal(items[i].key, items[i - 1].key))
			continue;
		if (!table_add_text(b, items[i].key, &e.key) ||
		    !table_add_text(b, items[i].value, &e.value))
			return;
		if (!buf_add(&b->parts, slice_of(&e, sizeof(e)))) {
			table_problem(b, 0, "no memory for it");
			return;
		}
		b->head.entry_count++;
	}
	b->head.count = b->head.entry_count;
}

static size_t count_lines(struct slice text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.data[i] == '\n';
	return n;
}

static struct item *take_items(struct table_build *b, size_t room)
{
	struct item *items = arena_take_n(b->work, room, sizeof(*items));

	if (!items)
		table_problem(b, 0, "no memory for it");
	return items;
}

void table_list_build(struct table_build *b, struct slice text)
{
	struct table_lines lines = table_lines_of(text, false);
	struct item *items = take_items(b, count_lines(text));
	struct slice line, word;
	size_t n = 0;

	while (items && table_next_line(b, &lines, &line)) {
		table_cut_line(line, &word, &items[n].value);
		if (!check(b, lines.line, word))
			continue;
		items[n].key = folded(b, word);
		items[n].order = n;
		n++;
	}
	if (items)
		finish(b, items, n);
}

void table_list_build_words(struct table_build *b, const struct slice *words,
			    size_t count)
{
	struct item *items = take_items(b, count);

	for (size_t i = 0; items && i < count; i++)
		items[i] = (struct item){ folded(b, words[i]), SLICE_EMPTY, i };
	if (items)
		finish(b, items, count);
}

/* ---- looking up ---- */

static bool find(const struct table_head *h, struct table_ask *ask,
		 struct slice key)
{
	const struct table_entry *entries =
		(const void *)((const char *)h + h->entries_at);
	size_t low = 0, high = h->entry_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = compare(key, table_text(h, entries[middle].key));

		ask->steps++;
		if (r == 0) {
			ask->value = table_text(h, entries[middle].value);
			return true;
		}
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* The domain, and ".domain", ".parent" and so on. */
static bool find_domain(const struct table_head *h, struct table_ask *ask,
			char *dotted, size_t len)
{
	/* dotted has a byte to spare in front. */
	if (len && dotted[len] == '.')
		len--;
	if (find(h, ask, slice_of(dotted + 1, len)))
		return true;
	dotted[0] = '.';
	for (size_t i = 0; i < len; i++)
		if (dotted[i] == '.' &&
		    find(h, ask, slice_of(dotted + i, len + 1 - i)))
			return true;
	return false;
}

static bool find_mailbox(const struct table_head *h, struct table_ask *ask,
			 char *key, size_t len)
{
	size_t at = len;

	if (len == 0)
		return find(h, ask, SLICE_LIT("<>"));
	if (find(h, ask, slice_of(key, len)))
		return true;
	while (at > 0 && key[at - 1] != '@')
		at--;
	if (at == 0)
		return false;
	if (find_domain(h, ask, key + at - 1, len - at))
		return true;
	key[at - 1] = '@';
	return find(h, ask, slice_of(key, at));
}

enum table_answer table_list_lookup(const struct table_head *h,
				    struct table_ask *ask)
{
	char room[KEY_MAX + 1];
	char *key = room + 1;
	size_t len = ask->key.text.len;
	bool found = false;

	if (len > KEY_MAX)
		return TABLE_NO;
	for (size_t i = 0; i < len; i++)
		key[i] = lower(ask->key.text.data[i]);
	switch (ask->key.kind) {
	case KEY_WORD:
	case KEY_IP:
		found = find(h, ask, slice_of(key, len));
		break;
	case KEY_DOMAIN:
		found = len && find_domain(h, ask, room, len);
		break;
	case KEY_MAILBOX:
		found = find_mailbox(h, ask, key, len);
		break;
	}
	return found ? TABLE_YES : TABLE_NO;
}
