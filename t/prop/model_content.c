/*
 * Content and its end: the message runs down the chain, child after child,
 * and the changes are kept until the verdict is known.
 */
#include "t/prop/model.h"

/* ------------------------------------------------- what one child is shown */

struct walk {
	enum said said; /* its final answer; NOTHING: it saw only a part */
	const struct event *event;
	bool ended; /* by its answer to end of message */
	uint64_t first_seq;
	uint64_t last_seq;
};

static struct slice header_payload(struct model *m, const struct kid *k,
				   const struct mail_header *h)
{
	struct slice value = h->value;

	/* A child without LEADSPC loses one leading space (design 4). */
	if (m->run->got_protocol & SMFIP_HDR_LEADSPC && !takes_leadspc(m, k) &&
	    value.len > 0 && value.data[0] == ' ')
		value = slice_from(value, 1);
	return text(m->run->arena, "%.*s%c%.*s%c", SLICE_ARG(h->name), 0,
		    SLICE_ARG(value), 0);
}

static bool is_content(const struct event *e)
{
	return e && strchr("LNBE", e->letter);
}

/* When the MTA begins with the content of the next message. */
static uint64_t next_content(const struct model *m)
{
	const struct run *run = m->run;
	unsigned i = m->now ? (unsigned)(m->now - run->exchanges) + 1 :
			      run->exchange_count;

	for (; i < run->exchange_count; i++)
		if (strchr("LNBE", run->exchanges[i].op->letter))
			return run->exchanges[i].seq;
	return UINT64_MAX;
}

/* A final answer in the middle: what was on its way may still arrive, but
 * then it is out of step and must be closed (design 3, "Step"). */
static void stop_walk(struct model *m, struct kid *k, struct walk *w,
		      const struct event *e, enum said said)
{
	bool more = false;

	w->said = said;
	w->event = e;
	w->last_seq = e->seq;
	k->in_message = false;
	while (is_content(next_event(k)) &&
	       next_event(k)->seq < next_content(m)) {
		k->at++;
		more = true;
	}
	if (more && next_event(k))
		wrong(m, k, "is out of step and should have been closed");
	if (!next_event(k))
		k->live = false;
}

/* What it heard next, if it is of this message. */
static const struct event *content_event(const struct model *m,
					 const struct kid *k)
{
	const struct event *e = next_event(k);

	return k->loose && e && e->seq > horizon(m) ? NULL : e;
}

/* One content event that is right; true: the walk goes on. */
static bool step(struct model *m, struct kid *k, struct walk *w,
		 bool *skipping)
{
	const struct event *e = next_event(k);
	enum said said;

	if (w->first_seq == 0)
		w->first_seq = e->seq;
	k->at++;
	k->walked = k->in_message = true;
	said = take_answer(m, k, e);
	if (said == SAID_SKIP)
		*skipping = true;
	if (said == SAID_CONTINUE || said == SAID_SKIP)
		return true;
	stop_walk(m, k, w, e, said);
	return false;
}

/* Nothing fits.  Loosely that is the end of what it saw. */
static bool misses(struct model *m, struct kid *k, struct walk *w, char letter,
		   const char *what)
{
	const struct event *e = content_event(m, k);

	w->said = SAID_NOTHING;
	if (!next_event(k) && k->conn->we_closed) { /* it had gone before */
		k->live = false;
		w->said = SAID_FAILED;
		return false;
	}
	if (k->loose && !is_content(e))
		return false;
	if (!e)
		wrong(m, k, "should have been told %c (%s)", letter, what);
	wrong(m, k, "should have been told %c (%s), was told %c \"%.*s\"",
	      letter, what, e->letter,
	      SLICE_ARG(slice_head(e->payload, 60)));
}

static bool walk_headers(struct model *m, struct kid *k, struct walk *w,
			 const struct mail_headers *l)
{
	bool skipping = false;

	if (withheld(k, SMFIC_HEADER))
		return true;
	for (int i = headers_next(l, -1); i >= 0; i = headers_next(l, i)) {
		struct slice due = header_payload(m, k, &l->h[i]);
		const struct event *e = content_event(m, k);
		bool fits = e && e->letter == SMFIC_HEADER &&
			    slice_equal(e->payload, due);

		if (!fits && skipping)
			return true;
		if (!fits)
			return misses(m, k, w, SMFIC_HEADER,
				      l->h[i].name.data);
		if (!step(m, k, w, &skipping))
			return false;
	}
	return true;
}

static bool walk_eoh(struct model *m, struct kid *k, struct walk *w)
{
	const struct event *e = content_event(m, k);
	bool skipping = false;

	if (withheld(k, SMFIC_EOH))
		return true;
	if (!m->eoh || !e || e->letter != SMFIC_EOH)
		return misses(m, k, w, SMFIC_EOH, "end of headers");
	check_event(m, k, e, m->eoh);
	return step(m, k, w, &skipping);
}

static bool walk_body(struct model *m, struct kid *k, struct walk *w,
		      struct slice body)
{
	bool skipping = false;
	size_t at = 0;

	if (withheld(k, SMFIC_BODY))
		return true;
	while (at < body.len) {
		const struct event *e = content_event(m, k);
		bool fits = e && e->letter == SMFIC_BODY &&
			    slice_equal(e->payload,
					slice_head(slice_from(body, at),
						   e->payload.len));

		if (!fits && skipping)
			return true;
		if (!fits)
			return misses(m, k, w, SMFIC_BODY, "the right bytes");
		at += e->payload.len;
		if (!step(m, k, w, &skipping))
			return false;
	}
	return true;
}

static void walk_end(struct model *m, struct kid *k, struct walk *w)
{
	const struct event *e = content_event(m, k);

	if (!m->eom || !e || e->letter != SMFIC_BODYEOB) {
		misses(m, k, w, SMFIC_BODYEOB, "end of message");
		return;
	}
	check_event(m, k, e, m->eom);
	if (w->first_seq == 0)
		w->first_seq = e->seq;
	k->at++;
	k->walked = true;
	k->in_message = false;
	w->ended = true;
	w->event = e;
	w->last_seq = e->seq;
	w->said = take_answer(m, k, e);
}

static struct walk walk(struct model *m, struct kid *k, struct content c)
{
	struct walk w = { .said = SAID_NOTHING };

	if (walk_headers(m, k, &w, c.headers) && walk_eoh(m, k, &w) &&
	    walk_body(m, k, &w, c.body))
		walk_end(m, k, &w);
	return w;
}

static struct content as_it_came(const struct model *m)
{
	return (struct content){ &m->original, buf_slice(&m->body) };
}

/*
 * Evaluate children are shown what their place would show them; how far they
 * get before the MTA goes on is luck.  Nothing else may be shown to them.
 */
static void watch(struct model *m, struct kid *k, struct content c)
{
	k->loose = true;
	for (unsigned i = 0; i < m->run->conn_count; i++) {
		k->conn = &m->run->conns[i];
		if (k->conn->kid != k->number || withheld(k, SMFIC_MAIL))
			continue;
		for (k->at = 0; k->at < k->conn->count; k->at++) {
			const struct event *e = next_event(k);
			struct walk w;

			if (e->letter != SMFIC_MAIL ||
			    !slice_equal(e->payload, m->mail->payload))
				continue;
			do {
				k->at++;
				e = next_event(k);
			} while (e && strchr("RTU", e->letter));
			if (!is_content(e))
				continue;
			w = walk(m, k, c);
			m->run->watched += w.ended;
		}
	}
	k->conn = NULL;
	k->live = false;
}

/* ------------------------------------------------------ requests for change */

/* An edit as the MTA is to get it. */
static struct edit for_mta(struct model *m, const struct kid *k,
			   const struct edit *e)
{
	struct edit out = *e;
	bool is_header = e->kind == SMFIR_ADDHEADER ||
			 e->kind == SMFIR_INSHEADER ||
			 e->kind == SMFIR_CHGHEADER;

	if (!is_header)
		return out;
	out.value = clean_value(m->run->arena, e->value);
	if (e->kind == SMFIR_CHGHEADER && e->value.len == 0)
		return out; /* an empty change stays a delete */
	if (m->run->got_protocol & SMFIP_HDR_LEADSPC && !takes_leadspc(m, k))
		out.value = text(m->run->arena, " %.*s", SLICE_ARG(out.value));
	return out;
}

static bool is_header_edit(char kind)
{
	return kind == SMFIR_ADDHEADER || kind == SMFIR_INSHEADER ||
	       kind == SMFIR_CHGHEADER;
}

/* The new body of a child; false: it asked for none, body_out stays. */
static bool new_body(struct model *m, const struct kid *k,
		     struct slice *body_out)
{
	size_t len = 0;
	bool any = false;
	char *p;

	for (unsigned i = 0; i < k->edit_count; i++)
		if (k->edits[i].kind == SMFIR_REPLBODY)
			len += k->edits[i].value.len;
	p = take(m->run->arena, len + 1, 1);
	len = 0;
	for (unsigned i = 0; i < k->edit_count; i++) {
		const struct edit *e = &k->edits[i];

		if (e->kind != SMFIR_REPLBODY)
			continue;
		any = true;
		memcpy(p + len, e->value.data, e->value.len);
		len += e->value.len;
	}
	if (any)
		*body_out = slice_of(p, len);
	return any;
}

/* Its changes become visible to those below (chain, strict). */
static void apply(struct model *m, const struct kid *k,
		  struct mail_headers *headers, struct slice *body)
{
	headers->filter = k->number + 1;
	for (unsigned i = 0; i < k->edit_count; i++) {
		struct edit e = for_mta(m, k, &k->edits[i]);

		if (is_header_edit(e.kind))
			headers_edit(headers, &e);
	}
	new_body(m, k, body);
}

/* Free children's header changes mean the entries they saw, and come last. */
static void apply_free(struct model *m, struct kid *k,
		       struct mail_headers *all)
{
	struct mail_headers *seen = take(m->run->arena, 1, sizeof(*seen));

	*seen = m->original;
	seen->filter = all->filter = k->number + 1;
	seen->next_id = 1000 * (k->number + 1);
	for (unsigned i = 0; i < k->edit_count; i++) {
		struct edit e = for_mta(m, k, &k->edits[i]);

		if (is_header_edit(e.kind))
			headers_edit_free(seen, all, &e);
	}
}

/* ---------------------------------------------- what the MTA gets of it all */

/* As if the MTA had executed the children's requests itself (design 3,
 * "Edits are a log"). */
static void check_headers(struct model *m, const struct mail_headers *due)
{
	struct mail_headers *got = take(m->run->arena, 1, sizeof(*got));

	*got = m->original;
	for (unsigned i = 0; i < m->now->edit_count; i++)
		if (is_header_edit(m->now->edits[i].kind))
			headers_edit(got, &m->now->edits[i]);
	if (headers_same(got, due))
		return;
	fprintf(stderr, "# headers as they should be:\n");
	headers_print(due, stderr);
	fprintf(stderr, "# headers as the MTA would have them:\n");
	headers_print(got, stderr);
	wrong(m, NULL, "the header edits come to something else");
}

static bool edits_equal(const struct edit *a, const struct edit *b)
{
	return a->kind == b->kind && slice_equal(a->name, b->name) &&
	       slice_equal(a->value, b->value);
}

/* The next edit of a class in the log, from *at on. */
static const struct edit *next_logged(const struct exchange *x, unsigned *at,
				      bool headers)
{
	while (*at < x->edit_count) {
		const struct edit *e = &x->edits[(*at)++];
		bool other = e->kind == SMFIR_REPLBODY ||
			     e->kind == SMFIR_QUARANTINE;

		if (!other && is_header_edit(e->kind) == headers)
			return e;
	}
	return NULL;
}

/* Chain order; header edits of free children behind all others'. */
static void check_sequence(struct model *m)
{
	unsigned header_at = 0;
	unsigned other_at = 0;

	for (unsigned i = 0; i < m->c->kid_count; i++) {
		const struct kid *k = &m->kids[i];

		for (unsigned j = 0; j < k->edit_count; j++) {
			struct edit e = for_mta(m, k, &k->edits[j]);
			bool header = is_header_edit(e.kind);
			const struct edit *got;

			if (e.kind == SMFIR_REPLBODY ||
			    e.kind == SMFIR_QUARANTINE ||
			    (header && k->plan->order == ORDER_FREE))
				continue;
			got = next_logged(m->now,
					  header ? &header_at : &other_at,
					  header);
			if (!got || !edits_equal(got, &e))
				wrong(m, k,
				      "edit %u (%c %u \"%.*s\" \"%.*s\") is "
				      "not where it should be in the log",
				      j + 1, e.kind, e.index,
				      SLICE_ARG(e.name), SLICE_ARG(e.value));
			if (header && m->c->mta == MTA_POSTFIX &&
			    got->index != e.index)
				wrong(m, k, "edit %u has another index",
				      j + 1);
		}
	}
	if (next_logged(m->now, &other_at, false))
		wrong(m, NULL, "more edits than the children asked for");
}

/* Bodies in one run, behind the other edits; then the quarantine. */
static void check_run(struct model *m)
{
	static const char classes[] = { SMFIR_REPLBODY, SMFIR_QUARANTINE, 0 };
	unsigned last = 0;

	for (unsigned i = 0; i < m->now->edit_count; i++) {
		const struct edit *e = &m->now->edits[i];
		const char *at = strchr(classes, e->kind);
		unsigned class = at ? (unsigned)(at - classes) + 1 : 0;

		if (class < last)
			wrong(m, NULL, "edit %c comes too late in the log",
			      e->kind);
		if (class == 2 && last == 2)
			wrong(m, NULL, "more than one quarantine");
		if (e->kind == SMFIR_REPLBODY && e->value.len > 65535)
			wrong(m, NULL, "a body chunk of %zu bytes",
			      e->value.len);
		last = class;
	}
}

static bool body_logged(struct model *m, struct slice body)
{
	size_t at = 0;
	unsigned chunks = 0;

	for (unsigned i = 0; i < m->now->edit_count; i++) {
		const struct edit *e = &m->now->edits[i];

		if (e->kind != SMFIR_REPLBODY)
			continue;
		chunks++;
		if (!slice_equal(slice_head(slice_from(body, at),
					    e->value.len),
				 e->value) ||
		    (e->value.len == 0 && body.len > 0))
			return false;
		at += e->value.len;
	}
	return chunks > 0 && at == body.len && (body.len > 0 || chunks == 1);
}

/* The last new body in chain order; a free child's only if there is none. */
static void check_body(struct model *m)
{
	struct slice body;
	bool by_chain = false;
	bool by_free = false;
	bool any = false;
	bool good = false;

	for (unsigned i = 0; i < m->c->kid_count; i++) {
		const struct kid *k = &m->kids[i];

		if (k->plan->order == ORDER_FREE || !new_body(m, k, &body))
			continue;
		by_chain = true;
		good = body_logged(m, body);
	}
	for (unsigned i = 0; i < m->c->kid_count && !by_chain; i++) {
		const struct kid *k = &m->kids[i];

		/* Of two free children either may win: it is not said. */
		if (k->plan->order != ORDER_FREE || !new_body(m, k, &body))
			continue;
		by_free = true;
		good |= body_logged(m, body);
	}
	for (unsigned i = 0; i < m->now->edit_count; i++)
		any |= m->now->edits[i].kind == SMFIR_REPLBODY;
	if (any != (by_chain || by_free) || (any && !good))
		wrong(m, NULL, "the new body is not the one it should be");
}

/* Reasons in chain order, joined; what a failure is called is free. */
static bool reason_fits(struct model *m, struct slice got)
{
	bool first = true;

	for (unsigned i = 0; i < m->c->kid_count; i++) {
		const struct kid *k = &m->kids[i];
		struct slice due = k->held_because;

		if (!k->held)
			continue;
		if (!first) {
			if (!slice_starts(got, "; "))
				return false;
			got = slice_from(got, 2);
		}
		first = false;
		if (k->held_by_policy) {
			const char *end = memmem(got.data, got.len, "; ", 2);

			if (got.len == 0)
				return false;
			got = end ? slice_from(got, (size_t)(end - got.data)) :
				    SLICE_EMPTY;
			continue;
		}
		if (!slice_equal(slice_head(got, due.len), due))
			return false;
		got = slice_from(got, due.len);
	}
	return got.len == 0;
}

static void check_quarantine(struct model *m)
{
	const struct edit *e = NULL;
	bool due = false;

	for (unsigned i = 0; i < m->now->edit_count; i++)
		if (m->now->edits[i].kind == SMFIR_QUARANTINE)
			e = &m->now->edits[i];
	for (unsigned i = 0; i < m->c->kid_count; i++)
		due |= m->kids[i].held;
	if (due != (e != NULL))
		wrong(m, NULL, due ? "should be held" : "should not be held");
	if (e && !reason_fits(m, e->value))
		wrong(m, NULL, "is held for another reason: \"%.*s\"",
		      SLICE_ARG(e->value));
}

static void check_log(struct model *m, struct mail_headers *headers)
{
	for (unsigned i = 0; i < m->c->kid_count; i++)
		if (m->kids[i].plan->order == ORDER_FREE)
			apply_free(m, &m->kids[i], headers);
	check_run(m);
	check_sequence(m);
	check_headers(m, headers);
	check_body(m);
	check_quarantine(m);
}

/* ------------------------------------------------------------ the long row */

static void accept_edits(struct kid *k, const struct walk *w)
{
	k->edits = w->event->edits;
	k->edit_count = w->event->edit_count;
	for (unsigned i = 0; i < k->edit_count; i++) {
		if (k->edits[i].kind != SMFIR_QUARANTINE)
			continue;
		k->held = true;
		k->held_because = k->edits[i].value;
	}
}

/*
 * A refusal of an earlier recipient becomes a verdict now.  The child may be
 * shown the message all the same; if it fails over it, its policy is all that
 * is left of it, and of two refusals either may be told.
 */
static struct verdict judge_late(struct model *m, struct kid *k,
				 struct content c)
{
	struct verdict late = late_verdict(k);
	struct verdict v;
	struct walk w;

	k->loose = true;
	w = walk(m, k, c);
	release(m, k);
	if (w.said == SAID_FAILED || w.said == SAID_GONE) {
		v = policy_of(k);
		return !v.kind || fits(&v, m->now) ? v : late;
	}
	if (w.said != SAID_NO && w.said != SAID_DISCARD)
		return late;
	v = verdict_from(w.event, FOR_MESSAGE);
	return fits(&v, m->now) ? v : late;
}

/* One child gets the message; a no, if it said one. */
static struct verdict judge(struct model *m, struct kid *k, struct content c,
			    struct walk *w)
{
	struct verdict none = { .kind = 0 };
	bool was_live = k->live;
	struct outcome o;

	*w = (struct walk){ .said = SAID_CONTINUE };
	k->loose = m->soft; /* who is above may still be asked, or not */
	o = bring(m, k, NULL);
	if (o.said == SAID_FAILED)
		return policy_of(k);
	if (o.said == SAID_NO || o.said == SAID_DISCARD) {
		release(m, k);
		return verdict_from(o.event, o.scope);
	}
	if (k->done_connection)
		finish(m, k);
	if (k->done_connection)
		return none;
	if (k->done)
		return k->late ? late_verdict(k) : none;
	if (k->late)
		return judge_late(m, k, c);
	*w = walk(m, k, c);
	if (w->said == SAID_GONE && was_live && !k->answered && joins_again(m, k, false))
		return judge(m, k, c, w);
	if (w->said == SAID_NO || w->said == SAID_DISCARD)
		return verdict_from(w->event, FOR_MESSAGE);
	if (w->said == SAID_FAILED || w->said == SAID_GONE)
		return policy_of(k);
	if (w->ended)
		accept_edits(k, w);
	if (m->soft)
		release(m, k);
	return none;
}

/* It may have been shown some of the message, or all of it. */
static void glance(struct model *m, struct kid *k, struct content c, bool any)
{
	bool was_live = k->live;
	struct outcome o = bring(m, k, NULL);
	struct walk w = { .said = SAID_NOTHING };

	if (o.said == SAID_NO && o.scope == FOR_CONNECTION)
		refused_too_late(m, k, &o);
	if (o.said == SAID_CONTINUE && k->live && !k->done && any)
		w = walk(m, k, c);
	if (w.said == SAID_GONE && was_live && !k->answered &&
	    joins_again(m, k, false))
		glance(m, k, c, any);
	else if (w.ended && (w.said == SAID_CONTINUE || w.said == SAID_ACCEPT))
		accept_edits(k, &w);
}

/* Behind a no: a chain child has seen nothing, unless the no came from a
 * free one beside the chain; a free child may have seen anything. */
static void overtaken(struct model *m, struct kid *k, struct content c,
		      bool chain_no)
{
	bool sees_none = chain_no && k->plan->order != ORDER_FREE;

	k->loose = true;
	glance(m, k, c, !sees_none);
	if (is_content(content_event(m, k)))
		wrong(m, k, "was shown content that another had refused");
	release(m, k);
}

static bool is_free(const struct kid *k)
{
	return k->plan->order == ORDER_FREE;
}

static void check_gate(struct model *m, const struct kid *k,
		       const struct walk *w)
{
	if (!is_free(k) && w->first_seq && w->first_seq < m->gate)
		wrong(m, k, "was shown content before those above had done");
}

void end_of_message(struct model *m)
{
	struct mail_headers *headers = take(m->run->arena, 1, sizeof(*headers));
	struct slice body = buf_slice(&m->body);
	struct verdict no = { .kind = 0 };
	bool chain_no = false;

	*headers = m->original;
	for (unsigned i = 0; i < m->c->kid_count; i++) {
		struct kid *k = &m->kids[i];
		struct content c = { headers, body };
		struct walk w;

		if (is_free(k))
			c = as_it_came(m);
		if (k->plan->mode == MODE_EVALUATE && !no.kind)
			watch(m, k, c);
		if (m->soft && i == m->soft_by && !no.kind)
			no = m->message; /* it fell at a recipient */
		if (k->plan->mode != MODE_ON || k->done_connection ||
		    (k->done && !k->late) || k->failed)
			continue;
		if (k->done && !no.kind)
			no = late_verdict(k);
		if (k->done)
			continue;
		if (no.kind) {
			overtaken(m, k, c, chain_no);
			if (!is_free(k)) /* those below may see them */
				apply(m, k, headers, &body);
			continue;
		}
		no = judge(m, k, c, &w);
		chain_no = no.kind && !is_free(k);
		check_gate(m, k, &w);
		if (!is_free(k) && w.last_seq > m->gate)
			m->gate = w.last_seq;
		if (!is_free(k) && !no.kind)
			apply(m, k, headers, &body);
	}
	m->message = no;
	if (no.kind && no.scope == FOR_CONNECTION)
		m->connection = no;
	expect_verdict(m, &no);
	if (!no.kind)
		check_log(m, headers);
}

void broken_off(struct model *m, struct kid *k)
{
	if (!k->done && !k->failed)
		glance(m, k, as_it_came(m), true);
}
