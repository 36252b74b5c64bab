#include "shared/header_list.h"

#include "shared/log.h"

/* Enough for most mail; 64 of them were a page more of each held session. */
#define FIRST_ROOM ((size_t)32)

/*
 * Sendmail's list before the first header of the message: what its m4 files
 * define with H lines, in their order.  Each entry but the own Received (a
 * trace field) is a default: a place that a change or an addition of that
 * name may take over.  All of them stay when the message brings headers of
 * these names itself; those stand behind, in the order of the message.
 * (All lines of header-index-experiments.txt and the order of headers in
 * recorded sessions agree with this.)
 */
static const char *const sendmail_hidden[] = {
	"Return-Path", "Received",	    "Resent-Date",
	"Date",	       "Resent-From",	    "From",
	"Full-Name",   "Resent-Message-Id", "Message-Id",
};

/* Postfix has written its own Received in front, and nothing else. */
static const char *const postfix_hidden[] = { "Received" };

/*
 * Fields that may stand many times; Sendmail never takes one of its own or a
 * deleted one for a default to be replaced.
 */
static bool is_trace(struct slice name)
{
	static const char *const names[] = { "Received", "X400-Received", "Via",
					     "Mail-From" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_is_case(name, names[i]))
			return true;
	return false;
}

static bool has_room(struct header_list *l)
{
	size_t room = l->room ? 2 * l->room : FIRST_ROOM;
	struct header *entries;

	if (l->count < l->room)
		return true;
	entries = arena_take_n(l->arena, room, sizeof(*entries));
	if (!entries)
		return false;
	if (l->count)
		memcpy(entries, l->entries, l->count * sizeof(*entries));
	l->entries = entries;
	l->room = room;
	return true;
}

/* A fresh entry before the one that is at `at` now. */
static struct header *put(struct header_list *l, size_t at, struct slice name,
			  struct slice value)
{
	struct header *h;

	BUG_IF(at > l->count);
	if (!has_room(l))
		return NULL;
	h = &l->entries[at];
	memmove(h + 1, h, (l->count - at) * sizeof(*h));
	l->count++;
	*h = (struct header){ .name = name,
			      .value = value,
			      .id = l->next_id++ };
	return h;
}

static bool put_hidden(struct header_list *l, const char *name)
{
	struct header *h = put(l, l->count, slice_str(name), SLICE_EMPTY);

	if (!h)
		return false;
	h->is_hidden = true;
	h->id = 0;
	l->next_id--;
	return true;
}

bool header_list_init(struct header_list *l, struct arena *arena, enum mta mta)
{
	const char *const *names = postfix_hidden;
	size_t count = sizeof(postfix_hidden) / sizeof(names[0]);

	*l = (struct header_list){
		.arena = arena, .mta = mta, .filter = 1, .next_id = 1
	};
	if (mta == MTA_SENDMAIL) {
		names = sendmail_hidden;
		count = sizeof(sendmail_hidden) / sizeof(names[0]);
	}
	for (size_t i = 0; i < count; i++)
		if (!put_hidden(l, names[i]))
			return false;
	return true;
}

struct header *header_list_append(struct header_list *l, struct slice name,
				  struct slice value)
{
	return put(l, l->count, name, value);
}

bool header_list_copy(struct header_list *copy_out,
		      const struct header_list *from, struct arena *arena)
{
	struct header_list copy = *from;

	copy.arena = arena;
	copy.room = from->count;
	copy.entries = arena_take_n(arena, from->count, sizeof(*copy.entries));
	if (!copy.entries)
		return false;
	if (from->count)
		memcpy(copy.entries, from->entries,
		       from->count * sizeof(*copy.entries));
	*copy_out = copy;
	return true;
}

void header_list_next_filter(struct header_list *l)
{
	l->filter++;
}

static bool is_visible(const struct header *h)
{
	return !h->is_hidden && !h->deleted_by;
}

const struct header *header_list_next(const struct header_list *l,
				      const struct header *previous)
{
	size_t i = previous ? (size_t)(previous - l->entries) + 1 : 0;

	for (; i < l->count; i++)
		if (is_visible(&l->entries[i]))
			return &l->entries[i];
	return NULL;
}

struct header *header_list_by_id(struct header_list *l, uint32_t id)
{
	for (size_t i = 0; id && i < l->count; i++)
		if (l->entries[i].id == id)
			return &l->entries[i];
	return NULL;
}

/* A change or addition under Sendmail lands on an entry that was there. */
static struct header *take_over(struct header_list *l, struct header *h,
				struct slice value)
{
	h->value = value;
	h->is_changed = true;
	h->deleted_by = 0;
	if (h->is_hidden) {
		h->is_hidden = false;
		h->id = l->next_id++;
	}
	return h;
}

/* Before the first entry of that name, deleted or hidden ones included. */
static struct header *sendmail_put(struct header_list *l, struct slice name,
				   struct slice value)
{
	size_t at = 0;

	while (at < l->count && !slice_equal_case(l->entries[at].name, name))
		at++;
	return put(l, at, name, value);
}

static struct header *sendmail_add(struct header_list *l, struct slice name,
				   struct slice value)
{
	if (name.len == 0)
		return NULL;
	for (size_t i = 0; i < l->count; i++) {
		struct header *h = &l->entries[i];

		if (h->is_hidden && slice_equal_case(h->name, name) &&
		    !is_trace(name))
			return take_over(l, h, value);
	}
	return sendmail_put(l, name, value);
}

struct header *header_list_add(struct header_list *l, struct slice name,
			       struct slice value)
{
	if (l->mta == MTA_SENDMAIL)
		return sendmail_add(l, name, value);
	return put(l, l->count, name, value);
}

/* Before the index-th one that is not deleted, 0 being the own Received. */
static size_t postfix_place(const struct header_list *l, uint32_t index)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (!l->entries[i].deleted_by && index-- == 0)
			break;
	return i;
}

/* Sendmail counts as an int: from the sign bit on, the index is negative. */
static bool is_negative(uint32_t index)
{
	return index > INT32_MAX;
}

/* Behind the index-th entry of all, 0 being the hidden Return-Path. */
static size_t sendmail_place(const struct header_list *l, uint32_t index)
{
	if (is_negative(index))
		index = 0;
	return index < l->count ? (size_t)index + 1 : l->count;
}

struct header *header_list_insert(struct header_list *l, uint32_t index,
				  struct slice name, struct slice value)
{
	if (l->mta == MTA_POSTFIX)
		return put(l, postfix_place(l, index), name, value);
	if (name.len == 0)
		return NULL;
	return put(l, sendmail_place(l, index), name, value);
}

static struct header *postfix_find(struct header_list *l, uint32_t index,
				   struct slice name)
{
	for (size_t i = 0; i < l->count; i++) {
		struct header *h = &l->entries[i];

		if (is_visible(h) && slice_equal_case(h->name, name) &&
		    index-- <= 1)
			return h;
	}
	return NULL;
}

/*
 * Counted are those shown to this filter or made by it, deleted by it or not.
 * When there are not so many, a default of that name is meant: a hidden one,
 * or one that an earlier filter deleted, the last of them.
 */
static struct header *sendmail_find(struct header_list *l, uint32_t index,
				    struct slice name)
{
	struct header *fallback = NULL;

	if (is_negative(index))
		index = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct header *h = &l->entries[i];

		if (!slice_equal_case(h->name, name))
			continue;
		if (h->is_hidden ||
		    (h->deleted_by && h->deleted_by < l->filter)) {
			if (!is_trace(name))
				fallback = h;
		} else if (index <= 1) {
			return h;
		} else {
			index--;
		}
	}
	return fallback;
}

struct header *header_list_find(struct header_list *l, uint32_t index,
				struct slice name)
{
	return l->mta == MTA_POSTFIX ? postfix_find(l, index, name) :
				       sendmail_find(l, index, name);
}

struct header *header_list_change(struct header_list *l, struct header *entry,
				  struct slice name, struct slice value)
{
	if (!entry) {
		if (value.len == 0)
			return NULL;
		return l->mta == MTA_SENDMAIL ? sendmail_put(l, name, value) :
						put(l, l->count, name, value);
	}
	if (value.len == 0) {
		/* Deleted twice, it stays the first filter's. */
		if (!entry->deleted_by)
			entry->deleted_by = l->filter;
		return entry;
	}
	if (l->mta == MTA_POSTFIX)
		entry->name = name;
	return take_over(l, entry, value);
}

uint32_t header_list_mta_index(const struct header_list *l,
			       const struct header *entry, struct slice name)
{
	uint32_t index = 1;

	if (entry)
		name = entry->name;
	for (size_t i = 0; i < l->count; i++) {
		const struct header *h = &l->entries[i];

		if (h == entry && !h->is_hidden)
			break;
		if (h->is_hidden || !slice_equal_case(h->name, name))
			continue;
		if (l->mta == MTA_SENDMAIL || !h->deleted_by)
			index++;
	}
	return index;
}
