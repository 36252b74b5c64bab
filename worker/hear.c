#include "worker/hear.h"

#include <errno.h>

#include "shared/log.h"
#include "worker/keeper.h"
#include "worker/wish.h"

static void count(const struct chain *c, const struct member *m,
		  enum board_milter_counter counter)
{
	board_count_milter(c->env->board, c->env->slot, m->cell, counter, 1);
}

/*
 * A final word in the middle of what it was told: it may or may not answer
 * the rest.  It is closed and joins again by replay when next needed.
 */
static void check_step(struct member *m)
{
	if (child_in_step(&m->child))
		return;
	child_close(&m->child);
	member_forget(m);
}

/*
 * The verdict an answer stands for, its text kept in the arena.  A reply
 * text that an MTA might choke on is dropped; its class stays.
 */
static bool take_verdict(struct chain *c, struct member *m, struct arena *arena,
			 const struct answer *a, enum stage stage,
			 struct verdict *out)
{
	*out = (struct verdict){ .kind = verdict_class(a),
				 .by = (int)m->index,
				 .stage = stage };
	if (out->kind == VERDICT_CONTINUE) {
		standing_breach(c, m,
				"a reply code that is neither 4xx nor 5xx");
		return false;
	}
	if (a->kind != ANSWER_REPLYCODE)
		return true;
	if (!answer_reply_ok(a->text)) {
		log_warn("child \"%s\": malformed reply text left out",
			 m->conf->name);
		return true;
	}
	if (arena_copy(arena, a->text, &out->reply))
		return true;
	standing_fail(c, m, CHILD_NO_SPACE);
	return false;
}

static void done_connection(struct chain *c, struct member *m)
{
	m->connection = CONNECTION_ACCEPTED;
	m->said_late = c->journal->has_mail;
	keeper_succeeded(m);
	child_quit(&m->child, false);
	member_forget(m);
}

static void no_connection(struct chain *c, struct member *m,
			  const struct answer *a, enum stage stage)
{
	if (!take_verdict(c, m, c->session_arena, a, stage,
			  &m->connection_verdict))
		return;
	m->connection = CONNECTION_REFUSED;
	keeper_succeeded(m);
	m->said_late = c->journal->has_mail;
}

static enum fact_milter final_word(const struct member *m,
				   enum member_state state)
{
	if (state == MEMBER_ACCEPTED)
		return FACT_MILTER_ACCEPT;
	if (state != MEMBER_NO)
		return FACT_MILTER_CONTINUE;
	if (m->verdict.kind == VERDICT_DISCARD)
		return FACT_MILTER_DISCARD;
	return m->verdict.kind == VERDICT_REJECT ? FACT_MILTER_REJECT :
						   FACT_MILTER_TEMPFAIL;
}

/* The last word of a child about the message. */
static void end_part(struct chain *c, struct member *m, enum member_state state,
		     enum stage stage)
{
	facts_set_milter(&c->facts, m->index, final_word(m, state));
	keeper_succeeded(m);
	m->state = state;
	m->said_at = stage;
	m->in_message = false;
	/* It passes on what it was shown, or what those above it left. */
	m->left = m->view;
}

static void done_message(struct chain *c, struct member *m, enum stage stage)
{
	end_part(c, m, MEMBER_ACCEPTED, stage);
	check_step(m);
}

static void no_message(struct chain *c, struct member *m,
		       const struct answer *a, enum stage stage)
{
	bool still_in = stage == STAGE_RCPT && m->in_message;

	if (!take_verdict(c, m, c->message_arena, a, stage, &m->verdict))
		return;
	end_part(c, m, MEMBER_NO, stage);
	/* libmilter stays in the message after a discard at a recipient. */
	m->in_message = still_in;
	check_step(m);
}

/*
 * Whatever a chain child said to a recipient that somebody above it refuses
 * does not count: in a row it would never have been asked.  Else a sender
 * could switch it off, by its accept, with one recipient refused anyway.
 */
void hear_believes(struct chain *c, struct member *m, size_t at)
{
	const struct journal_rcpt *r = &c->journal->rcpts[at];

	if (m->conf->order != ORDER_CHAIN || (int)m->index <= r->refused_by ||
	    m->told_rcpt != at || m->child.link != LINK_OPEN ||
	    !child_wants(&m->child, STAGE_RCPT))
		return;
	if (m->state == MEMBER_GOING) {
		m->retell = true;
	} else if (m->said_at == STAGE_RCPT) {
		m->state = MEMBER_GOING;
		facts_set_milter(&c->facts, m->index, FACT_MILTER_OPEN);
		m->retell = m->retell_now = true;
	}
}

/* A no to a recipient: the one at hand, or one of the past. */
static void no_rcpt(struct chain *c, struct member *m, const struct answer *a)
{
	const struct journal_rcpt *r;
	struct verdict v;

	BUG_IF(m->told_rcpt >= c->journal->rcpt_count);
	r = &c->journal->rcpts[m->told_rcpt];
	if (!take_verdict(c, m, c->message_arena, a, STAGE_RCPT, &v))
		return;
	m->rcpts_refused++;
	if (r->state == RCPT_REFUSED)
		return;
	if (r->state == RCPT_AT_HAND) {
		m->rcpt_refused = true;
		m->rcpt_verdict = v;
		return;
	}
	log_info("child \"%s\": late refusal of a recipient%s", m->conf->name,
		 m->conf->late_refusal == LATE_KEEP ? ", kept" : "");
	m->late = m->has_late ? *verdict_of_late(&m->late, &v) : v;
	m->has_late = true;
}

/* It said yes of some kind; but was the recipient refused meanwhile? */
static void check_rcpt(struct chain *c, struct member *m, enum stage stage)
{
	if (stage == STAGE_RCPT && journal_is_refused(c->journal, m->told_rcpt))
		hear_believes(c, m, m->told_rcpt);
}

static void skip(struct member *m, enum stage stage)
{
	if (stage == STAGE_HEADER)
		m->skip_headers = true;
	else
		m->skip_body = true;
}

static void take_edit(struct chain *c, struct member *m, const struct answer *a)
{
	const struct edit_rights rights = {
		.actions = m->child.got.actions,
		.mta_leadspc = c->mta_leadspc,
		.child_leadspc = m->child.got.protocol & SMFIP_HDR_LEADSPC,
	};
	const char *why;

	switch (edits_add(&m->edits, c->message_arena, a, &rights, &why)) {
	case EDIT_OK:
		break;
	case EDIT_BREACH:
		standing_breach(c, m, why);
		break;
	case EDIT_NO_SPACE:
		m->child.why = "no memory or disk for its changes";
		standing_fail(c, m, CHILD_NO_SPACE);
		break;
	}
}

/* Conditions may ask for a header that it added. */
static void note_headers(struct chain *c, const struct member *m)
{
	for (const struct edit *e = m->edits.first; e; e = e->next)
		if ((e->kind == ANSWER_ADDHEADER ||
		     e->kind == ANSWER_INSHEADER) &&
		    !facts_add_milter_header(&c->facts, m->index, e->name,
					     e->value))
			c->no_space = ENOMEM;
}

/* The accepting final answer: now its edits count. */
static void finish(struct chain *c, struct member *m)
{
	note_headers(c, m);
	end_part(c, m, MEMBER_DONE, STAGE_EOM);
	board_count_milter(c->env->board, c->env->slot, m->cell, MILTER_EDITS,
			   m->edits.count);
	if (m->edits.has_quarantine)
		count(c, m, MILTER_QUARANTINED);
	/* free: merged at the end; evaluate: without effect. */
	if (m->conf->order == ORDER_FREE || !member_is_enforced(m))
		return;
	if (!edits_apply(&m->edits, c->message_arena, m->view, &m->left))
		c->no_space = ENOMEM;
}

static void no_command(struct chain *c, struct member *m,
		       const struct answer *a)
{
	m->unknown_refused = take_verdict(c, m, c->message_arena, a,
					  STAGE_UNKNOWN, &m->unknown_verdict);
}

/* The answer to a recipient that is not in the journal changes little. */
static bool heard_aside(struct chain *c, struct member *m, enum effect effect)
{
	if (!m->aside_owed || effect == EFFECT_PROGRESS ||
	    effect == EFFECT_BREACH)
		return false;
	m->aside_owed--;
	if (effect == EFFECT_DONE_MESSAGE)
		done_message(c, m, STAGE_RCPT);
	return true;
}

/* As it was said, whatever becomes of it; what is not legal is a failure. */
static void count_answer(const struct chain *c, const struct member *m,
			 enum stage stage, const struct answer *a)
{
	static const enum board_answer of_class[] = {
		[VERDICT_CONTINUE] = BOARD_ANSWERS, /* no legal code */
		[VERDICT_REJECT] = ANSWERED_REJECT,
		[VERDICT_TEMPFAIL] = ANSWERED_TEMPFAIL,
	};
	static const enum board_answer of_kind[ANSWER_COUNT] = {
		[ANSWER_ACCEPT] = ANSWERED_ACCEPT,
		[ANSWER_REJECT] = ANSWERED_REJECT,
		[ANSWER_TEMPFAIL] = ANSWERED_TEMPFAIL,
		[ANSWER_DISCARD] = ANSWERED_DISCARD,
		[ANSWER_SKIP] = ANSWERED_SKIP,
	};
	enum board_answer answer = a->kind == ANSWER_REPLYCODE ?
					   of_class[verdict_class(a)] :
					   of_kind[a->kind];

	if (answer != BOARD_ANSWERS)
		board_count_answer(c->env->board, c->env->slot, m->cell, stage,
				   answer, m->child.answered_in);
}

static void heard(struct chain *c, struct member *m, enum stage stage,
		  const struct answer *a)
{
	enum effect effect = verdict_effect(stage, a->kind);

	if (effect != EFFECT_EDIT && effect != EFFECT_PROGRESS &&
	    effect != EFFECT_BREACH)
		count_answer(c, m, stage, a);

	m->hearing = stage;
	if (stage != STAGE_CONNECT && stage != STAGE_HELO)
		m->silent = false;
	if (heard_aside(c, m, effect))
		return;
	switch (effect) {
	case EFFECT_NEXT:
		check_rcpt(c, m, stage);
		if (stage == STAGE_EOM)
			finish(c, m);
		break;
	case EFFECT_DONE_CONNECTION:
		done_connection(c, m);
		break;
	case EFFECT_DONE_MESSAGE:
		done_message(c, m, stage);
		check_rcpt(c, m, stage);
		break;
	case EFFECT_NO_CONNECTION:
		no_connection(c, m, a, stage);
		break;
	case EFFECT_NO_MESSAGE:
	case EFFECT_DISCARD:
		no_message(c, m, a, stage);
		check_rcpt(c, m, stage);
		break;
	case EFFECT_NO_RCPT:
		no_rcpt(c, m, a);
		break;
	case EFFECT_NO_COMMAND:
		no_command(c, m, a);
		break;
	case EFFECT_ODD:
		log_warn("child \"%s\": discard at %s has no meaning, taken as "
			 "continue",
			 m->conf->name, milter_stage_name(stage));
		break;
	case EFFECT_SKIP:
		skip(m, stage);
		break;
	case EFFECT_EDIT:
		take_edit(c, m, a);
		break;
	case EFFECT_PROGRESS:
		break;
	case EFFECT_BREACH:
		standing_breach(c, m, "an answer that is not legal here");
		break;
	}
}

void hear_member(struct chain *c, struct member *m)
{
	struct child *child = &m->child;
	enum child_result r = CHILD_OK;

	if (child->link != LINK_OPEN)
		return;
	if (!m->noted) {
		m->noted = true;
		wish_note(c->env, m);
	}
	while (child->link == LINK_OPEN) {
		struct answer a;
		enum stage stage;

		r = child_answer(child, &a, &stage);
		if (r != CHILD_OK)
			break;
		heard(c, m, stage, &a);
		m->hearing = STAGE_COUNT;
	}
	if (child->link == LINK_OPEN && r != CHILD_NOTHING)
		standing_fail(c, m, r);
}
