/*
 * Random edits by several filters, three ways: what header_list shows, what
 * the MTA alone would show with these filters behind one another ("direct"),
 * and what the MTA has that sees us as its one filter and gets indexes from
 * header_list_mta_index() ("front").  All three must agree after every edit.
 * The MTAs here are plain models, written from the table in the description of
 * the protocol, not from header_list.c.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "shared/arena.h"
#include "shared/header_list.h"

#define ENTRIES_MAX 64
#define CASES	    20000

struct entry {
	const char *name;
	unsigned value; /* 0: deleted, or a default not made yet */
	bool is_user;	/* shown to filters, counted */
	bool is_trace;
};

struct model {
	enum mta mta;
	struct entry e[ENTRIES_MAX];
	int count;
};

static const char *const names[] = { "X-A",  "x-a",  "X-B",	   "Date",
				     "From", "Date", "Message-Id", "Received" };
#define NAMES ((unsigned)(sizeof(names) / sizeof(names[0])))

static bool is_trace(const char *name)
{
	return strcasecmp(name, "received") == 0;
}

static void model_put(struct model *m, int at, const char *name, unsigned value,
		      bool is_user)
{
	cr_assert_lt(m->count, ENTRIES_MAX);
	memmove(&m->e[at + 1], &m->e[at],
		(size_t)(m->count - at) * sizeof(m->e[0]));
	m->e[at] = (struct entry){ name, value, is_user, is_trace(name) };
	m->count++;
}

static void model_init(struct model *m, enum mta mta)
{
	static const char *const own[] = {
		"Return-Path", "Received",	    "Resent-Date",
		"Date",	       "Resent-From",	    "From",
		"Full-Name",   "Resent-Message-Id", "Message-Id",
	};

	m->mta = mta;
	m->count = 0;
	if (mta == MTA_POSTFIX) {
		model_put(m, 0, "Received", 1, false);
		return;
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		model_put(m, m->count, own[i], 0, false);
}

/* Postfix keeps nothing of what is deleted, Sendmail everything. */
static void model_delete(struct model *m, int at)
{
	m->e[at].value = 0;
	if (m->mta == MTA_SENDMAIL)
		return;
	m->count--;
	memmove(&m->e[at], &m->e[at + 1],
		(size_t)(m->count - at) * sizeof(m->e[0]));
}

static void model_put_before_first(struct model *m, const char *name,
				   unsigned value)
{
	int at = 0;

	while (at < m->count && strcasecmp(m->e[at].name, name) != 0)
		at++;
	model_put(m, at, name, value, true);
}

static int model_default(const struct model *m, const char *name, bool is_last)
{
	int found = -1;

	for (int i = 0; i < m->count; i++) {
		const struct entry *e = &m->e[i];

		if (strcasecmp(e->name, name) != 0 || e->is_user || e->is_trace)
			continue;
		if (found < 0 || is_last)
			found = i;
	}
	return found;
}

static void model_add(struct model *m, const char *name, unsigned value)
{
	int at;

	if (m->mta == MTA_POSTFIX) {
		model_put(m, m->count, name, value, true);
		return;
	}
	at = model_default(m, name, false);
	if (at < 0) {
		model_put_before_first(m, name, value);
		return;
	}
	m->e[at].value = value;
	m->e[at].is_user = true;
}

static void model_insert(struct model *m, unsigned index, const char *name,
			 unsigned value)
{
	int at = (int)index + (m->mta == MTA_SENDMAIL);

	model_put(m, at < m->count ? at : m->count, name, value, true);
}

static void model_change(struct model *m, unsigned index, const char *name,
			 unsigned value)
{
	int left = (int)index, at = -1;

	for (int i = 0; i < m->count && at < 0; i++)
		if (m->e[i].is_user && strcasecmp(m->e[i].name, name) == 0 &&
		    --left <= 0)
			at = i;
	if (at < 0 && m->mta == MTA_SENDMAIL)
		at = model_default(m, name, true);
	if (at >= 0 && value == 0) {
		model_delete(m, at);
	} else if (at >= 0) {
		m->e[at].value = value;
		m->e[at].is_user = true;
		if (m->mta == MTA_POSTFIX)
			m->e[at].name = name;
	} else if (value && m->mta == MTA_SENDMAIL) {
		model_put_before_first(m, name, value);
	} else if (value) {
		model_put(m, m->count, name, value, true);
	}
}

/* Sendmail, about to show the message to its next filter. */
static void model_next_filter(struct model *m)
{
	for (int i = 0; i < m->count; i++)
		if (m->e[i].value == 0)
			m->e[i].is_user = false;
}

static size_t model_show(const struct model *m, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (int i = 0; i < m->count && len < size; i++)
		if (m->e[i].is_user && m->e[i].value)
			len += (size_t)snprintf(text + len, size - len,
						"%s: %u\n", m->e[i].name,
						m->e[i].value);
	return len;
}

static void list_show(const struct header_list *l, char *text, size_t size)
{
	const struct header *h = NULL;
	size_t len = 0;

	text[0] = '\0';
	while ((h = header_list_next(l, h)) && len < size)
		len += (size_t)snprintf(text + len, size - len, "%.*s: %.*s\n",
					SLICE_ARG(h->name),
					SLICE_ARG(h->value));
}

struct run {
	struct arena arena;
	struct header_list list;
	struct model direct;
	struct model front;
	unsigned seed;
	unsigned values; /* so far given out */
	char story[8192];
	size_t story_len;
};

static unsigned pick(struct run *r, unsigned n)
{
	return (unsigned)rand_r(&r->seed) / 7 % n;
}

static struct slice number(struct run *r, unsigned value)
{
	char text[16];

	if (value == 0)
		return SLICE_EMPTY;
	snprintf(text, sizeof(text), "%u", value);
	return slice_str(arena_str(&r->arena, slice_str(text)));
}

static void tell(struct run *r, const char *verb, unsigned index,
		 const char *name, unsigned value)
{
	size_t room = sizeof(r->story) - r->story_len;
	int n = snprintf(r->story + r->story_len, room, "%s %u %s %u\n", verb,
			 index, name, value);

	if (n > 0 && (size_t)n < room)
		r->story_len += (size_t)n;
}

static void change(struct run *r, unsigned index, const char *name,
		   unsigned value)
{
	struct slice n = slice_str(name);
	struct header *h = header_list_find(&r->list, index, n);
	uint32_t front = header_list_mta_index(&r->list, h, n);

	tell(r, "chg", index, name, value);
	model_change(&r->direct, index, name, value);
	model_change(&r->front, front, name, value);
	header_list_change(&r->list, h, n, number(r, value));
}

/*
 * The one known difference (header_list.h): an addition where an earlier
 * filter deleted.  Sendmail alone would put it into the deleted one's place.
 */
static bool is_known_to_differ(const struct run *r, const char *name)
{
	for (size_t i = 0; i < r->list.count; i++) {
		const struct header *h = &r->list.entries[i];

		if (!h->is_hidden && h->deleted_by &&
		    h->deleted_by < r->list.filter &&
		    slice_is_case(h->name, name))
			return true;
	}
	return false;
}

static void edit(struct run *r)
{
	const char *name = names[pick(r, NAMES)];
	unsigned index = pick(r, 5), value = ++r->values;

	switch (pick(r, 6)) {
	case 0:
		if (r->list.mta == MTA_SENDMAIL && is_known_to_differ(r, name))
			return;
		tell(r, "add", 0, name, value);
		model_add(&r->direct, name, value);
		model_add(&r->front, name, value);
		header_list_add(&r->list, slice_str(name), number(r, value));
		break;
	case 1:
		index = pick(r, 20);
		tell(r, "ins", index, name, value);
		model_insert(&r->direct, index, name, value);
		model_insert(&r->front, index, name, value);
		header_list_insert(&r->list, index, slice_str(name),
				   number(r, value));
		break;
	case 2:
	case 3:
		change(r, index, name, 0);
		break;
	default:
		change(r, index, name, value);
	}
}

static void compare(struct run *r, unsigned seed)
{
	char list[4096], direct[4096], front[4096];

	list_show(&r->list, list, sizeof(list));
	model_show(&r->direct, direct, sizeof(direct));
	model_show(&r->front, front, sizeof(front));
	cr_assert_str_eq(list, direct, "seed %u: after\n%slist:\n%sdirect:\n%s",
			 seed, r->story, list, direct);
	cr_assert_str_eq(list, front, "seed %u: after\n%slist:\n%sfront:\n%s",
			 seed, r->story, list, front);
}

static void run_case(struct run *r, enum mta mta, unsigned seed)
{
	unsigned headers, filters, edits;

	arena_reset(&r->arena);
	r->seed = seed;
	r->values = 100;
	r->story_len = 0;
	r->story[0] = '\0';
	cr_assert(header_list_init(&r->list, &r->arena, mta));
	model_init(&r->direct, mta);
	headers = pick(r, 8);
	for (unsigned i = 0; i < headers; i++) {
		const char *name = names[pick(r, NAMES)];

		tell(r, "has", 0, name, ++r->values);
		model_put(&r->direct, r->direct.count, name, r->values, true);
		cr_assert_not_null(header_list_append(&r->list, slice_str(name),
						      number(r, r->values)));
	}
	r->front = r->direct;
	filters = 1 + pick(r, 4);
	for (unsigned i = 0; i < filters; i++) {
		for (edits = pick(r, 7); edits > 0; edits--) {
			edit(r);
			compare(r, seed);
		}
		tell(r, "next", 0, "filter", 0);
		model_next_filter(&r->direct);
		header_list_next_filter(&r->list);
	}
}

static void run_all(enum mta mta)
{
	static struct run r;

	arena_init(&r.arena, 1 << 20);
	for (unsigned seed = 1; seed <= CASES; seed++)
		run_case(&r, mta, seed);
	arena_deinit(&r.arena);
}

/*
 * No .timeout here or in other unit tests: Criterion leaks it now and then,
 * and a leak fails the program.  The runner bounds the whole program.
 */
Test(header_list_model, postfix)
{
	run_all(MTA_POSTFIX);
}

Test(header_list_model, sendmail)
{
	run_all(MTA_SENDMAIL);
}
