#include "worker/session_parts.h"

#include <errno.h>

#include "shared/log.h"
#include "worker/deliver.h"
#include "worker/observe.h"

/* ---- the end of a message ---- */

static enum board_cause cause_of(const struct session *s,
				 const struct verdict *v)
{
	const struct member *m;

	if (v->kind == VERDICT_CONTINUE)
		return CAUSE_NONE;
	if (v->rule.len)
		return CAUSE_RULE;
	if (v->by < 0)
		return CAUSE_OWN;
	m = &s->chain.members[v->by];
	return m->state == MEMBER_FAILED ? CAUSE_POLICY : CAUSE_MILTER;
}

/* The MTA has its answer: what became of the message is certain. */
static void settle(struct session *s, const struct verdict *v,
		   enum board_outcome outcome)
{
	const struct worker_env *env = s->env;

	board_message_settle(env->board, env->slot, v->stage, outcome,
			     outcome == OUTCOME_ABORT ? CAUSE_NONE :
							cause_of(s, v));
	session_count_wait(s, STAGE_COUNT, s->summary.began);
	if (v->by >= 0 && v->kind != VERDICT_CONTINUE)
		board_count_milter(env->board, env->slot,
				   s->chain.members[v->by].cell, MILTER_DECIDED,
				   1);
}

static enum board_outcome outcome_of(const struct verdict *v)
{
	static const enum board_outcome outcomes[] = {
		[VERDICT_CONTINUE] = OUTCOME_ACCEPT,
		[VERDICT_ACCEPT] = OUTCOME_ACCEPT,
		[VERDICT_REJECT] = OUTCOME_REJECT,
		[VERDICT_TEMPFAIL] = OUTCOME_TEMPFAIL,
		[VERDICT_DISCARD] = OUTCOME_DISCARD,
	};

	return outcomes[v->kind];
}

/* Children in evaluate mode have until the MTA's next command that counts. */
static void give_grace(struct session *s)
{
	uint64_t until = clock_now() + s->env->conf->evaluate_grace;
	bool hear_mta = true;

	while (chain_evaluates(&s->chain) && clock_now() < until) {
		struct slice packet;
		char next = hear_mta ? mta_peek(&s->mta) : 0;

		if (next == SMFIC_ABORT) {
			/* Postfix says so after every message: ignored. */
			mta_next(&s->mta, &packet);
			continue;
		}
		if (next == SMFIC_QUIT || s->mta.lost)
			hear_mta = false;
		else if (next)
			break;
		session_wait(s, until, hear_mta);
	}
}

static void wipe_message(struct session *s)
{
	/* First: killed from here on, we have lost nothing any more. */
	board_message_end(s->env->board, s->env->slot);
	board_note_text(s->slot, slice_str(s->summary.client), SLICE_EMPTY,
			SLICE_EMPTY);
	board_note_stage(s->slot, STAGE_COUNT, BOARD_NO_CHILD);
	chain_end_message(&s->chain);
	journal_end_message(&s->journal);
	message_end(&s->message);
	arena_reset(&s->message_arena);
	s->summary.queue_id[0] = '\0';
	s->summary.quarantine = SLICE_EMPTY;
	s->summary.edits = 0;
	s->summary.size = 0;
}

/* The one line, the count, and nothing left of it. */
static void close_message(struct session *s, const struct verdict *v,
			  const char *word)
{
	session_note_no_space(s);
	session_count(s, COUNT_LIMIT_HITS, s->chain.limit_hits);
	session_count(s, COUNT_FAILED_LOOKUPS, s->chain.failed_lookups);
	s->summary.messages++;
	log_context(""); /* the line begins with the id itself */
	summary_message(&s->summary, &s->chain, v, word);
	chain_overrule(&s->chain, v);
	wipe_message(s);
	/* A late joiner's no to connect or helo holds from now on. */
	if (chain_is_of_connection(&s->chain, v)) {
		s->refused = *v;
		chain_end_session(&s->chain);
	}
}

/* A verdict before the end of the message: told, logged, done. */
void session_refuse_message(struct session *s, const struct verdict *v)
{
	session_answer(s, v);
	settle(s, v, outcome_of(v));
	chain_release(&s->chain, 0);
	/* The reply is repeated to whatever the MTA still says of it. */
	s->verdict = *v;
	buf_clear(&s->reply);
	s->verdict.reply = buf_add(&s->reply, v->reply) ? buf_slice(&s->reply) :
							  SLICE_EMPTY;
	close_message(s, v, verdict_name(v->kind));
	s->place = PLACE_OVER;
}

/* How far the message at hand has come. */
static enum stage stage_reached(const struct session *s)
{
	if (s->place == PLACE_BODY)
		return STAGE_BODY;
	if (s->place == PLACE_HEADERS)
		return STAGE_HEADER;
	return s->chain.event < STAGE_HEADER ? s->chain.event : STAGE_MAIL;
}

/* The MTA took the message back, or went away. */
void session_abort_message(struct session *s)
{
	const struct verdict none = { .kind = VERDICT_CONTINUE,
				      .by = -1,
				      .stage = stage_reached(s) };

	if (s->place < PLACE_ENVELOPE)
		return;
	if (s->place != PLACE_OVER) {
		chain_release(&s->chain, 0);
		settle(s, &none, OUTCOME_ABORT);
		close_message(s, &none, SUMMARY_ABORT);
	}
	s->place = PLACE_IDLE;
}

/* ---- content ---- */

/*
 * The MTA never waits for content: where it wanted an answer it gets its
 * continue at once; a verdict is given at the end of the message.
 */
static void after_content(struct session *s, enum stage stage)
{
	struct verdict v;

	if (!(s->promised.protocol & milter_stage_nr_bit(stage)))
		session_answer_kind(s, VERDICT_CONTINUE);
	if (chain_refused(&s->chain, &v))
		chain_release(&s->chain, (unsigned)(v.by + 1));
}

/*
 * An old MTA sends no DATA: then no more recipients come all the same, and the
 * children are looked at here.
 */
static void begin_content(struct session *s)
{
	if (facts_reached(&s->chain.facts, STAGE_DATA))
		return;
	session_look(s);
	observe_data(&s->chain.facts, &s->journal);
}

static void take_size(struct session *s, size_t bytes)
{
	s->summary.size += bytes;
	facts_add_size(&s->chain.facts, bytes);
}

void session_on_header(struct session *s, const struct command *cmd)
{
	begin_content(s);
	s->place = PLACE_HEADERS;
	take_size(s, cmd->header.name.len + cmd->header.value.len);
	if (chain_wants_content(&s->chain))
		message_add_header(&s->message, cmd->header.name,
				   cmd->header.value);
	chain_event(&s->chain, STAGE_HEADER);
	after_content(s, STAGE_HEADER);
}

static void end_headers(struct session *s)
{
	begin_content(s);
	s->place = PLACE_BODY;
	if (!journal_eoh(&s->journal))
		session_no_memory(s);
	message_end_headers(&s->message);
	observe_end_of_headers(&s->chain.facts, &s->journal);
}

void session_on_eoh(struct session *s, const struct command *cmd)
{
	(void)cmd;
	end_headers(s);
	/* Given at the end of the message, as every no to content. */
	if (rulebook_run(&s->chain, STAGE_EOH, false, &s->by_rules) == RULES_NO)
		chain_release(&s->chain, 0);
	chain_event(&s->chain, STAGE_EOH);
	after_content(s, STAGE_EOH);
}

/* Its beginning becomes a fact, if somebody asks for it. */
static void take_body(struct session *s, bool complete)
{
	if (s->chain.uses_body &&
	    !observe_body(&s->chain.facts, &s->message, &s->message_arena,
			  complete))
		session_no_memory(s);
}

static void add_body(struct session *s, struct slice bytes)
{
	take_size(s, bytes.len);
	session_count(s, COUNT_BYTES, bytes.len);
	if (chain_wants_content(&s->chain))
		message_add_body(&s->message, bytes);
	take_body(s, false);
}

void session_on_body(struct session *s, const struct command *cmd)
{
	add_body(s, cmd->body);
	chain_event(&s->chain, STAGE_BODY);
	after_content(s, STAGE_BODY);
}

/* Waits for the end of all children's work, keeping the MTA patient. */
static bool decide_message(struct session *s, struct verdict *v)
{
	static const struct answer progress = { .kind = ANSWER_PROGRESS };
	const struct conf *conf = s->env->conf;
	uint64_t end = clock_now() + conf->message_deadline;
	uint64_t tick = clock_now() + conf->progress_interval;

	while (!chain_decided(&s->chain, v)) {
		board_note_stage(s->slot, STAGE_EOM,
				 chain_waits_for(&s->chain));
		session_wait_for_children(s, clock_earlier(end, tick));
		if (s->mta.lost || mta_peek(&s->mta) == SMFIC_ABORT)
			return false;
		if (clock_now() >= end) {
			chain_late(&s->chain);
			return session_decided_late(s, v);
		} else if (clock_now() >= tick) {
			tick = clock_now() + conf->progress_interval;
			if (!mta_put(&s->mta, &progress) || !mta_flush(&s->mta))
				return false;
		}
	}
	return true;
}

/* The verdict of our own limits on the message, CONTINUE when it is fine. */
static struct verdict own_verdict(const struct session *s)
{
	struct verdict v = { .kind = VERDICT_CONTINUE,
			     .by = -1,
			     .stage = STAGE_EOM };

	if (s->message.trouble == MESSAGE_TOO_LARGE) {
		log_info("message is over %s", s->message.limit);
		v.kind = VERDICT_REJECT;
		v.reply = SLICE_LIT("552 5.3.4 Message too large");
	} else if (s->message.trouble == MESSAGE_NO_SPACE) {
		v.kind = VERDICT_TEMPFAIL;
		v.reply = SLICE_LIT("452 4.3.1 Insufficient system storage");
	}
	return v;
}

/*
 * Accepted by all: makes everything ready, then sends it.  False with a
 * verdict: it cannot be expressed or we have no room; nothing was sent.
 */
static bool deliver(struct session *s, struct verdict *v)
{
	if (!deliver_quarantine(&s->chain, &s->summary.quarantine) ||
	    !deliver_prepare(&s->chain)) {
		session_no_memory(s);
		v->kind = VERDICT_TEMPFAIL;
		return false;
	}
	if (s->summary.quarantine.len &&
	    !(s->offer.actions & SMFIF_QUARANTINE)) {
		log_warn("quarantine asked for, but the MTA has none");
		v->kind = VERDICT_TEMPFAIL;
		return false;
	}
	deliver_send(&s->chain, &s->mta, s->summary.quarantine,
		     &s->summary.edits);
	return true;
}

static void finish_message(struct session *s, struct verdict *v)
{
	const char *word = "accept";

	if (v->kind == VERDICT_CONTINUE && deliver(s, v)) {
		if (s->mta.lost) {
			word = SUMMARY_ABORT;
			settle(s, v, OUTCOME_ABORT);
		} else if (s->summary.quarantine.len) {
			word = SUMMARY_QUARANTINE;
			settle(s, v, OUTCOME_QUARANTINE);
		} else
			settle(s, v, OUTCOME_ACCEPT);
	} else {
		s->summary.quarantine = SLICE_EMPTY;
		chain_release(&s->chain, (unsigned)(v->by + 1));
		session_answer(s, v);
		settle(s, v, outcome_of(v));
		word = verdict_name(v->kind);
	}
	give_grace(s);
	close_message(s, v, word);
	s->place = PLACE_IDLE;
}

/* Rules, children, and rules once more; false: the MTA has gone. */
static bool ask_all(struct session *s, struct verdict *v)
{
	if (rulebook_run(&s->chain, STAGE_EOM, false, v) == RULES_NO)
		return true;
	chain_event(&s->chain, STAGE_EOM);
	if (!decide_message(s, v))
		return false;
	if (v->kind == VERDICT_CONTINUE)
		(void)rulebook_run(&s->chain, STAGE_EOM, true, v);
	return true;
}

static bool put_to_all(struct session *s, struct verdict *v)
{
	uint64_t began = clock_now();

	if (!ask_all(s, v))
		return false;
	session_count_wait(s, STAGE_EOM, began);
	return true;
}

void session_on_eom(struct session *s, const struct command *cmd)
{
	struct verdict v;

	if (cmd->body.len)
		add_body(s, cmd->body);
	if (s->place != PLACE_BODY)
		end_headers(s);
	if (!journal_eom(&s->journal))
		session_no_memory(s);
	take_body(s, true);
	observe_end(&s->chain.facts, &s->journal);
	v = own_verdict(s);
	if (v.kind == VERDICT_CONTINUE)
		v = s->by_rules;
	if (v.kind == VERDICT_CONTINUE) {
		message_complete(&s->message);
		if (!put_to_all(s, &v)) {
			/* Every E gets its one answer, as libmilter has it. */
			session_abort_message(s);
			session_answer_kind(s, VERDICT_TEMPFAIL);
			return;
		}
	} else if (s->message.trouble == MESSAGE_NO_SPACE)
		s->chain.no_space = s->message.no_space;
	finish_message(s, &v);
}
