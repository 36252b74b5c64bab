#include "worker/deliver.h"

#include "shared/log.h"
#include "shared/milter_frame.h"

/* Does this child's work count in the result? */
static bool has_part(const struct member *m)
{
	return member_is_enforced(m) && m->state == MEMBER_DONE;
}

static bool fails_to_quarantine(const struct member *m)
{
	return member_is_enforced(m) && m->state == MEMBER_FAILED &&
	       m->conf->on_failure == POLICY_QUARANTINE;
}

bool deliver_quarantine(const struct chain *c, struct slice *reasons_out)
{
	struct buf b;
	bool ok = true;

	buf_init(&b, MILTER_PAYLOAD_MAX - 1);
	for (const struct rule_note *n = c->book.quarantine; n; n = n->next)
		ok = ok && (!buf_len(&b) || buf_printf(&b, "; ")) &&
		     buf_add(&b, n->text);
	for (unsigned i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];
		bool fails = fails_to_quarantine(m);

		if (!fails && !(has_part(m) && m->edits.has_quarantine))
			continue;
		if (buf_len(&b))
			ok = ok && buf_printf(&b, "; ");
		if (fails)
			ok = ok && buf_printf(&b, "%s failed", m->conf->name);
		else
			ok = ok && buf_add(&b, m->edits.quarantine);
		/* An MTA takes an empty reason for none at all. */
		if (!buf_len(&b))
			ok = ok && buf_add(&b, slice_str(m->conf->name));
	}
	ok = arena_copy(c->message_arena, buf_slice(&b), reasons_out) && ok;
	buf_deinit(&b);
	return ok;
}

/* The message as the chain and strict children have left it. */
static const struct view *last_view(const struct chain *c)
{
	for (unsigned i = c->count; i-- > 0;)
		if (has_part(&c->members[i]) && c->members[i].left &&
		    c->members[i].conf->order != ORDER_FREE)
			return c->members[i].left;
	return &c->message->original;
}

static void count_dropped(const struct chain *c, const struct member *m,
			  unsigned dropped)
{
	if (!dropped)
		return;
	board_count(c->env->board, c->env->slot, COUNT_EDITS_DROPPED, dropped);
	log_info("child \"%s\": %u changes dropped, others had changed the "
		 "same",
		 m->conf->name, dropped);
}

/* A free child's new body counts only when nobody else has replaced it. */
static void settle_bodies(struct chain *c)
{
	bool replaced = last_view(c)->body != &c->message->body;

	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		if (!has_part(m) || m->conf->order != ORDER_FREE ||
		    !m->edits.has_body)
			continue;
		if (replaced) {
			m->edits.body_dropped = true;
			count_dropped(c, m, 1);
		}
		replaced = true;
	}
}

bool deliver_prepare(struct chain *c)
{
	struct header_list result;
	bool copied = false;

	settle_bodies(c);
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];
		unsigned dropped;

		if (!has_part(m) || m->conf->order != ORDER_FREE ||
		    !m->edits.has_headers)
			continue;
		if (!copied &&
		    !header_list_copy(&result, &last_view(c)->headers,
				      c->message_arena))
			return false;
		copied = true;
		if (!edits_merge_free(&m->edits, c->message_arena,
				      &c->message->original, &result, &dropped))
			return false;
		count_dropped(c, m, dropped);
	}
	return true;
}

static bool send_edits(const struct member *m, bool headers, bool others,
		       struct mta_line *mta, unsigned *count)
{
	for (const struct edit *e = m->edits.first; e; e = e->next) {
		struct answer a = edit_answer(e);

		if (e->dropped || !(edit_is_header(e) ? headers : others))
			continue;
		if (!mta_put(mta, &a))
			return false;
		++*count;
	}
	return true;
}

/* Headers of rules come last: no child has seen them. */
static bool send_rules(const struct chain *c, struct mta_line *mta,
		       unsigned *count)
{
	for (const struct rule_header *h = c->book.headers; h; h = h->next) {
		struct answer a = { .kind = ANSWER_ADDHEADER };

		if (!(c->offer.actions & SMFIF_ADDHDRS))
			break;
		a.header = (struct answer_header){ 0, h->name, h->value };
		if (!mta_put(mta, &a))
			return false;
		++*count;
	}
	return true;
}

/* In chain order; header edits of free children behind all others'. */
static bool send_log(const struct chain *c, struct mta_line *mta,
		     unsigned *count)
{
	for (unsigned i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];
		bool free = m->conf->order == ORDER_FREE;

		if (has_part(m) && !send_edits(m, !free, true, mta, count))
			return false;
	}
	for (unsigned i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];

		if (has_part(m) && m->conf->order == ORDER_FREE &&
		    !send_edits(m, true, false, mta, count))
			return false;
	}
	return send_rules(c, mta, count);
}

static const struct body *new_body(const struct chain *c)
{
	const struct body *body = last_view(c)->body;

	for (unsigned i = 0; i < c->count; i++)
		if (has_part(&c->members[i]) &&
		    c->members[i].conf->order == ORDER_FREE &&
		    c->members[i].edits.has_body &&
		    !c->members[i].edits.body_dropped)
			body = &c->members[i].edits.body;
	return body == &c->message->body ? NULL : body;
}

/* One run of chunks; a single empty one for an empty body. */
static bool send_body(const struct body *body, struct mta_line *mta)
{
	uint64_t at = 0;

	do {
		size_t mark, n;

		if (!mta_make_room(mta) ||
		    !frame_begin(&mta->out, SMFIR_REPLBODY, &mark))
			return false;
		if (!body_read(body, at, MILTER_PAYLOAD_MAX, &mta->out, &n)) {
			frame_undo(&mta->out, mark);
			log_error("could not read the new body back: %m");
			return false;
		}
		frame_end(&mta->out, mark);
		at += n;
	} while (at < body->len);
	return true;
}

bool deliver_send(struct chain *c, struct mta_line *mta,
		  struct slice quarantine, unsigned *edits_out)
{
	const struct body *body = new_body(c);
	const struct answer last = { .kind = ANSWER_CONTINUE };
	bool ok;

	*edits_out = 0;
	ok = send_log(c, mta, edits_out);
	if (ok && body) {
		ok = send_body(body, mta);
		++*edits_out;
	}
	if (ok && quarantine.len) {
		struct answer q = { .kind = ANSWER_QUARANTINE,
				    .text = quarantine };

		ok = mta_put(mta, &q);
		++*edits_out;
	}
	ok = ok && mta_put(mta, &last) && mta_flush(mta);
	if (!ok)
		mta->lost = true;
	return ok;
}
