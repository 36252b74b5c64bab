#include "worker/edit.h"

#include "worker/dialect.h"

void edits_begin(struct edits *e, const struct conf *conf)
{
	*e = (struct edits){ 0 };
	body_init(&e->body, NULL, conf);
}

void edits_end(struct edits *e)
{
	if (e->body.conf)
		body_deinit(&e->body);
	*e = (struct edits){ 0 };
}

/* ---- checks ---- */

static bool name_ok(struct slice name)
{
	if (name.len == 0 || name.len > EDIT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if (c < 0x21 || c > 0x7e || c == ':')
			return false;
	}
	return true;
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f)
			return true;
	return false;
}

/*
 * CR goes, LF without white space behind it becomes a fold (Postfix repairs
 * it so, Sendmail would not), and the leading space is made the MTA's way.
 */
static bool clean_value(struct arena *arena, struct slice value,
			const struct edit_rights *rights, bool is_delete,
			struct slice *out)
{
	bool add = rights->mta_leadspc && !rights->child_leadspc && !is_delete;
	size_t folds = 0, n = 0;
	char *p;

	for (size_t i = 0; i < value.len; i++)
		folds += value.data[i] == '\n';
	p = arena_take(arena, value.len + folds + 2);
	if (!p)
		return false;
	if (add)
		p[n++] = ' ';
	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];
		char next = '\0';

		if (c == '\r')
			continue;
		p[n++] = c;
		if (c != '\n')
			continue;
		for (size_t k = i + 1; k < value.len && !next; k++)
			if (value.data[k] != '\r')
				next = value.data[k];
		if (next != ' ' && next != '\t')
			p[n++] = '\t';
	}
	*out = slice_of(p, n);
	return true;
}

static enum edit_result take_header(struct edit *e, struct arena *arena,
				    const struct answer *a,
				    const struct edit_rights *rights,
				    const char **why_out)
{
	static const char too_long[] =
		"a header value of more than 64,000 bytes";
	bool is_delete = a->kind == ANSWER_CHGHEADER && !a->header.value.len;

	if (!name_ok(a->header.name)) {
		*why_out = "a header name that is empty, too long or not ASCII";
		return EDIT_BREACH;
	}
	if (a->header.value.len > EDIT_VALUE_MAX) {
		*why_out = too_long;
		return EDIT_BREACH;
	}
	e->index = e->mta_index = a->header.index;
	if (!arena_copy(arena, a->header.name, &e->name) ||
	    !clean_value(arena, a->header.value, rights, is_delete, &e->value))
		return EDIT_NO_SPACE;
	/* Folds have made it longer; the leading space may. */
	if (e->value.len > EDIT_VALUE_MAX + 1) {
		*why_out = too_long;
		return EDIT_BREACH;
	}
	return EDIT_OK;
}

static enum edit_result take_address(struct edit *e, struct arena *arena,
				     const struct answer *a,
				     const char **why_out)
{
	if (a->address.address.len > EDIT_ADDR_MAX ||
	    a->address.args.len > EDIT_ADDR_MAX) {
		*why_out = "an address of more than 1,000 bytes";
		return EDIT_BREACH;
	}
	if (has_control(a->address.address) || has_control(a->address.args)) {
		*why_out = "an address with control bytes";
		return EDIT_BREACH;
	}
	e->has_args = a->address.has_args;
	if (!arena_copy(arena, a->address.address, &e->name) ||
	    !arena_copy(arena, a->address.args, &e->value))
		return EDIT_NO_SPACE;
	return EDIT_OK;
}

static enum edit_result take_body(struct edits *e, const struct answer *a,
				  const char **why_out)
{
	e->has_body = true;
	switch (body_add(&e->body, a->body)) {
	case BODY_OK:
		return EDIT_OK;
	case BODY_TOO_LARGE:
		*why_out = "a new body larger than message_max";
		return EDIT_BREACH;
	case BODY_NO_SPACE:
		break;
	}
	return EDIT_NO_SPACE;
}

static enum edit_result take_quarantine(struct edits *e, struct arena *arena,
					const struct answer *a)
{
	char *reason = arena_str(arena, slice_head(a->text, EDIT_REASON_MAX));

	if (!reason)
		return EDIT_NO_SPACE;
	e->has_quarantine = true;
	e->quarantine = slice_str(reason);
	for (char *p = reason; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return EDIT_OK;
}

static bool is_allowed(const struct edits *e, const struct answer *request,
		       const struct edit_rights *rights, const char **why_out)
{
	if (!(rights->actions & answer_action(request->kind))) {
		*why_out = "a change it had not asked for when negotiating";
		return false;
	}
	/* A body comes in as many chunks as it needs. */
	if (request->kind != ANSWER_REPLBODY && e->count >= EDIT_COUNT_MAX) {
		*why_out = "more than 1,000 changes";
		return false;
	}
	return true;
}

enum edit_result edits_add(struct edits *e, struct arena *arena,
			   const struct answer *request,
			   const struct edit_rights *rights,
			   const char **why_out)
{
	struct edit *one;
	enum edit_result r;

	if (!is_allowed(e, request, rights, why_out))
		return EDIT_BREACH;
	if (request->kind == ANSWER_REPLBODY) {
		e->count += !e->has_body;
		return take_body(e, request, why_out);
	}
	e->count++;
	if (request->kind == ANSWER_QUARANTINE)
		return take_quarantine(e, arena, request);
	one = arena_take(arena, sizeof(*one));
	if (!one)
		return EDIT_NO_SPACE;
	one->kind = request->kind;
	r = edit_is_header(one) ?
		    take_header(one, arena, request, rights, why_out) :
		    take_address(one, arena, request, why_out);
	if (r != EDIT_OK)
		return r;
	e->has_headers = e->has_headers || edit_is_header(one);
	if (e->last)
		e->last->next = one;
	else
		e->first = one;
	e->last = one;
	return EDIT_OK;
}

/* ---- carrying out ---- */

bool edit_is_header(const struct edit *e)
{
	return e->kind == ANSWER_ADDHEADER || e->kind == ANSWER_INSHEADER ||
	       e->kind == ANSWER_CHGHEADER;
}

/* One header edit of the filter whose turn it is. */
static struct header *carry_out(struct edit *e, struct header_list *l)
{
	struct header *h;

	if (e->kind == ANSWER_ADDHEADER)
		return header_list_add(l, e->name, e->value);
	if (e->kind == ANSWER_INSHEADER)
		return header_list_insert(l, e->index, e->name, e->value);
	h = header_list_find(l, e->index, e->name);
	e->mta_index = dialect_change_index(
		l->mta, e->index, header_list_mta_index(l, h, e->name));
	return header_list_change(l, h, e->name, e->value);
}

bool edits_apply(struct edits *e, struct arena *arena, const struct view *in,
		 const struct view **out)
{
	struct view *v;

	*out = in;
	if (!e->has_headers && !e->has_body)
		return true;
	v = arena_take(arena, sizeof(*v));
	if (!v || !header_list_copy(&v->headers, &in->headers, arena))
		return false;
	header_list_next_filter(&v->headers);
	for (struct edit *one = e->first; one; one = one->next)
		if (edit_is_header(one))
			carry_out(one, &v->headers);
	v->body = e->has_body ? &e->body : in->body;
	v->headers_done = v->complete = true;
	*out = v;
	return !arena_failed(arena);
}

/* ---- free children: the same edits on somebody else's list ---- */

/* Which entry of the result a free child's own entry is: id to id. */
struct twins {
	uint32_t own[EDIT_COUNT_MAX];
	uint32_t result[EDIT_COUNT_MAX];
	unsigned count;
};

/* A header only the MTA itself has so far: Sendmail's place for a default. */
static struct header *hidden_twin(struct header_list *result,
				  const struct header *own)
{
	for (size_t i = 0; i < result->count; i++)
		if (result->entries[i].is_hidden &&
		    slice_equal_case(result->entries[i].name, own->name))
			return &result->entries[i];
	return NULL;
}

static struct header *twin_of(const struct twins *t, struct header_list *result,
			      const struct header_list *original,
			      const struct header *own)
{
	if (!own->id)
		return hidden_twin(result, own);
	if (own->id < original->next_id)
		return header_list_by_id(result, own->id);
	for (unsigned i = 0; i < t->count; i++)
		if (t->own[i] == own->id)
			return header_list_by_id(result, t->result[i]);
	return NULL;
}

static void remember_twin(struct twins *t, const struct header *own,
			  const struct header *result)
{
	if (!own || !result || t->count == EDIT_COUNT_MAX)
		return;
	t->own[t->count] = own->id;
	t->result[t->count++] = result->id;
}

static bool counts(const struct header_list *l, const struct header *h)
{
	return l->mta == MTA_SENDMAIL || !h->deleted_by;
}

/* The position of an entry as INSHEADER counts it. */
static uint32_t position_of(const struct header_list *l, const struct header *h)
{
	uint32_t n = 0;

	for (size_t i = 0; i < l->count && &l->entries[i] != h; i++)
		n += counts(l, &l->entries[i]);
	return n;
}

/*
 * INSHEADER means a place among the entries the child saw: the top (0 and 1,
 * above and below the MTA's own Received) stays the top, any other place is
 * in front of the entry that stood there.
 */
static uint32_t place_in_result(const struct twins *t,
				struct header_list *result,
				const struct header_list *original,
				const struct header_list *own, uint32_t index)
{
	uint32_t n = 0;

	if (index <= 1)
		return index;
	for (size_t i = 0; i < own->count; i++) {
		struct header *twin;

		if (!counts(own, &own->entries[i]) || n++ < index)
			continue;
		twin = twin_of(t, result, original, &own->entries[i]);
		if (twin && !twin->deleted_by)
			return position_of(result, twin);
	}
	return (uint32_t)result->count;
}

static void merge_change(struct edit *e, struct twins *t,
			 struct header_list *own, struct header_list *result,
			 const struct header_list *original)
{
	struct header *mine = header_list_find(own, e->index, e->name);
	/* Touched or added by this very child: then its twin is changed too. */
	bool was_own = mine && (mine->is_changed || mine->deleted_by ||
				mine->id >= original->next_id);
	struct header *twin = NULL;
	bool is_new = !mine || mine->is_hidden;

	if (mine) {
		twin = twin_of(t, result, original, mine);
		if (!twin ||
		    (!was_own && (twin->deleted_by || twin->is_changed)))
			e->dropped = true;
	}
	mine = header_list_change(own, mine, e->name, e->value);
	if (e->dropped)
		return;
	e->mta_index = header_list_mta_index(result, twin, e->name);
	twin = header_list_change(result, twin, e->name, e->value);
	if (is_new)
		remember_twin(t, mine, twin);
}

static void merge_one(struct edit *e, struct twins *t, struct header_list *own,
		      struct header_list *result,
		      const struct header_list *original)
{
	struct header *mine;

	if (e->kind == ANSWER_CHGHEADER) {
		merge_change(e, t, own, result, original);
		return;
	}
	if (e->kind == ANSWER_ADDHEADER) {
		mine = header_list_add(own, e->name, e->value);
		remember_twin(t, mine,
			      header_list_add(result, e->name, e->value));
		return;
	}
	e->mta_index = place_in_result(t, result, original, own, e->index);
	mine = header_list_insert(own, e->index, e->name, e->value);
	remember_twin(
		t, mine,
		header_list_insert(result, e->mta_index, e->name, e->value));
}

bool edits_merge_free(struct edits *e, struct arena *arena,
		      const struct view *original, struct header_list *result,
		      unsigned *dropped_out)
{
	struct header_list own;
	struct twins *t;

	*dropped_out = 0;
	if (!e->has_headers)
		return true;
	t = arena_take(arena, sizeof(*t));
	if (!t || !header_list_copy(&own, &original->headers, arena))
		return false;
	header_list_next_filter(&own);
	header_list_next_filter(result);
	for (struct edit *one = e->first; one; one = one->next) {
		if (!edit_is_header(one))
			continue;
		merge_one(one, t, &own, result, &original->headers);
		*dropped_out += one->dropped;
	}
	return !arena_failed(arena);
}

struct answer edit_answer(const struct edit *e)
{
	struct answer a = { .kind = e->kind };

	if (edit_is_header(e))
		a.header = (struct answer_header){ e->mta_index, e->name,
						   e->value };
	else
		a.address = (struct answer_address){ e->name, e->value,
						     e->has_args };
	return a;
}
