/*
 * The headers of a message inside the MTA, and what requests for changes do
 * to them: milter-protocol 4.5, written down once more in the plainest way.
 * Deleted entries stay in the array with the number of the filter that
 * deleted them: Sendmail goes on counting them.
 */
#include "t/prop/prop.h"

/*
 * Sendmail's list before the message is read, hidden from filters.  All but
 * Received are defaults, places that a change of that name may take over;
 * what the message brings itself stands behind them.
 */
static const char *const sendmail_own[] = {
	"Return-Path", "Received",  "Resent-Date",	 "Date",       "Resent-From",
	"From",	       "Full-Name", "Resent-Message-Id", "Message-Id",
};

static struct mail_header *make_room(struct mail_headers *l, unsigned at)
{
	if (l->count == HEADERS_MAX)
		die("a message with too many headers");
	memmove(&l->h[at + 1], &l->h[at], (l->count - at) * sizeof(l->h[0]));
	l->count++;
	l->h[at] = (struct mail_header){ .hidden = false };
	return &l->h[at];
}

static struct mail_header *make(struct mail_headers *l, unsigned at,
				struct slice name, struct slice value)
{
	struct mail_header *h = make_room(l, at);

	h->name = name;
	h->value = value;
	h->id = l->next_id++;
	return h;
}

void headers_begin(struct mail_headers *l, enum mta mta)
{
	*l = (struct mail_headers){ .mta = mta, .next_id = 1, .filter = 1 };
	if (mta == MTA_POSTFIX)
		make(l, 0, SLICE_LIT("Received"), SLICE_EMPTY)->hidden = true;
	for (unsigned i = 0; mta == MTA_SENDMAIL && i < 9; i++)
		make(l, i, slice_str(sendmail_own[i]), SLICE_EMPTY)->hidden =
			true;
}

/* Names that Sendmail never takes for a default. */
static bool is_trace(struct slice name)
{
	return slice_is_case(name, "Received");
}

void headers_append(struct mail_headers *l, struct slice name,
		    struct slice value)
{
	make(l, l->count, name, value);
}

int headers_next(const struct mail_headers *l, int from)
{
	for (unsigned i = (unsigned)(from + 1); i < l->count; i++)
		if (!l->h[i].hidden && !l->h[i].deleted_by)
			return (int)i;
	return -1;
}

/* A new header without a place of its own: ADDHEADER, or CHGHEADER past
 * the last one. */
static int add(struct mail_headers *l, struct slice name, struct slice value)
{
	unsigned at = l->count;

	if (l->mta == MTA_SENDMAIL) {
		for (at = 0; at < l->count; at++)
			if (slice_equal_case(l->h[at].name, name))
				break;
	}
	make(l, at, name, value)->changed_by = l->filter;
	return (int)at;
}

static int insert(struct mail_headers *l, uint32_t index, struct slice name,
		  struct slice value)
{
	unsigned at;

	if (l->mta == MTA_SENDMAIL) {
		/* Behind index + 1 entries; the index is signed. */
		at = index > 0x7fffffff ? 1u : 0u;
		if (!at)
			at = index < l->count ? index + 1 : l->count;
	} else {
		for (at = 0; at < l->count; at++) {
			if (l->h[at].deleted_by)
				continue;
			if (index-- == 0)
				break;
		}
	}
	make(l, at, name, value)->changed_by = l->filter;
	return (int)at;
}

/*
 * Which entry (name, index) means for this filter; -1: none.  Under Sendmail
 * that may be a default in the end, or what an earlier filter deleted.
 */
static int find(const struct mail_headers *l, uint32_t index, struct slice name)
{
	int otherwise = -1;

	if (index == 0 || (l->mta == MTA_SENDMAIL && index > 0x7fffffff))
		index = 1;
	for (unsigned i = 0; i < l->count; i++) {
		const struct mail_header *h = &l->h[i];
		bool counts = !h->hidden &&
			      (!h->deleted_by || (l->mta == MTA_SENDMAIL &&
						  h->deleted_by == l->filter));

		if (!slice_equal_case(h->name, name))
			continue;
		if (!counts && l->mta == MTA_SENDMAIL && !is_trace(name))
			otherwise = (int)i;
		if (counts && --index == 0)
			return (int)i;
	}
	return otherwise;
}

static void change(struct mail_headers *l, int at, const struct edit *e)
{
	struct mail_header *h = &l->h[at];

	if (e->value.len == 0) {
		if (!h->hidden && !h->deleted_by) {
			h->changed_by = l->filter;
			h->deleted_by = l->filter;
		}
		return;
	}
	h->changed_by = l->filter;
	h->deleted_by = 0;
	h->hidden = false;
	h->value = e->value;
	if (l->mta == MTA_POSTFIX)
		h->name = e->name;
}

/* Where the edit took place, or -1 when it did nothing. */
static int carry_out(struct mail_headers *l, const struct edit *e)
{
	int at;

	if (e->kind == SMFIR_ADDHEADER)
		return add(l, e->name, e->value);
	if (e->kind == SMFIR_INSHEADER)
		return insert(l, e->index, e->name, e->value);
	at = find(l, e->index, e->name);
	if (at >= 0)
		change(l, at, e);
	else if (e->value.len > 0)
		at = add(l, e->name, e->value);
	return at;
}

void headers_edit(struct mail_headers *l, const struct edit *e)
{
	carry_out(l, e);
}

void headers_edit_free(struct mail_headers *seen, struct mail_headers *all,
		       const struct edit *e)
{
	bool is_change = e->kind == SMFIR_CHGHEADER &&
			 find(seen, e->index, e->name) >= 0;
	int at = carry_out(seen, e);
	int place;

	if (at < 0)
		return;
	if (!is_change) {
		place = e->kind == SMFIR_INSHEADER ?
				insert(all, e->index, e->name, e->value) :
				add(all, e->name, e->value);
		all->h[place].id = seen->h[at].id;
		return;
	}
	for (unsigned i = 0; i < all->count; i++) {
		unsigned by = all->h[i].changed_by;

		if (all->h[i].id != seen->h[at].id)
			continue;
		if (by == 0 || by == all->filter)
			change(all, (int)i, e);
		return;
	}
}

bool headers_same(const struct mail_headers *a, const struct mail_headers *b)
{
	unsigned i = 0;
	unsigned j = 0;

	for (;;) {
		while (i < a->count && a->h[i].deleted_by)
			i++;
		while (j < b->count && b->h[j].deleted_by)
			j++;
		if (i == a->count || j == b->count)
			return i == a->count && j == b->count;
		if (a->h[i].hidden != b->h[j].hidden ||
		    !slice_equal(a->h[i].name, b->h[j].name) ||
		    !slice_equal(a->h[i].value, b->h[j].value))
			return false;
		i++;
		j++;
	}
}

void headers_print(const struct mail_headers *l, FILE *out)
{
	for (unsigned i = 0; i < l->count; i++) {
		const struct mail_header *h = &l->h[i];

		if (!h->deleted_by)
			fprintf(out, "    %s%.*s:%.*s\n", h->hidden ? "own " : "",
				SLICE_ARG(h->name), SLICE_ARG(h->value));
	}
}

struct slice clean_value(struct arena *a, struct slice value)
{
	char *to = take(a, value.len * 2 + 1, 1);
	size_t n = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] == '\r')
			continue;
		to[n++] = value.data[i];
		if (value.data[i] == '\n' && i + 1 < value.len &&
		    value.data[i + 1] != ' ' && value.data[i + 1] != '\t')
			to[n++] = '\t';
	}
	return slice_of(to, n);
}
