#include "worker/session_parts.h"

#include <stdio.h>

#include "shared/macro.h"
#include "worker/choose.h"
#include "worker/dialect.h"
#include "worker/observe.h"

/*
 * Waits until the command at hand is decided; what is late at the deadline
 * is late.  False: the MTA is gone.
 */
static bool decide(struct session *s, struct verdict *v)
{
	uint64_t deadline =
		clock_now() + dialect_step_deadline(s->env->conf, s->chain.mta);

	while (!chain_decided(&s->chain, v)) {
		board_note_stage(s->slot, s->chain.event,
				 chain_waits_for(&s->chain));
		session_wait_for_children(s, deadline);
		if (s->mta.lost)
			return false;
		if (clock_now() >= deadline) {
			chain_late(&s->chain);
			return session_decided_late(s, v);
		}
	}
	return true;
}

static bool decide_step(struct session *s, struct verdict *v)
{
	bool there = decide(s, v);

	/* The next one begins to wait anew, be it for the same child. */
	board_note_stage(s->slot, s->chain.event, BOARD_NO_CHILD);
	return there;
}

/*
 * The event goes to the rules, then to the children, then to the rules that
 * the children's words made true (design section 5).  False: the MTA is gone.
 */
static bool ask_all(struct session *s, enum stage stage, struct verdict *v)
{
	if (rulebook_run(&s->chain, stage, false, v) == RULES_NO)
		return true;
	chain_event(&s->chain, stage);
	if (!decide_step(s, v))
		return false;
	if (v->kind == VERDICT_CONTINUE)
		(void)rulebook_run(&s->chain, stage, true, v);
	return true;
}

static bool put_to_all(struct session *s, enum stage stage, struct verdict *v)
{
	uint64_t began = clock_now();

	if (!ask_all(s, stage, v))
		return false;
	session_count_wait(s, stage, began);
	return true;
}

static void note_client(struct session *s)
{
	const struct command_connect *c = &s->journal.connect;

	snprintf(s->summary.client, sizeof(s->summary.client), "%.*s[%.*s]",
		 (int)(c->host.len < 200 ? c->host.len : 200), c->host.data,
		 (int)(c->address.len < 80 ? c->address.len : 80),
		 c->address.data);
}

/* The connection has got its no: every later command gets it too. */
static void refuse_connection(struct session *s, const struct verdict *v)
{
	s->refused = *v;
	session_count(s, COUNT_SESSIONS_REFUSED, 1);
	chain_end_session(&s->chain);
}

static void connection_event(struct session *s, enum stage stage)
{
	struct verdict v;

	if (!put_to_all(s, stage, &v))
		return;
	session_note_no_space(s);
	if (v.kind != VERDICT_CONTINUE)
		refuse_connection(s, &v);
	session_answer(s, &v);
	s->chain.event = STAGE_COUNT;
	board_note_stage(s->slot, STAGE_COUNT, BOARD_NO_CHILD);
}

void session_on_connect(struct session *s, const struct command *cmd)
{
	struct slice v;

	if (s->listen->has_mta)
		s->chain.mta = s->listen->mta;
	else if (macro_find(journal_waiting(&s->journal, STAGE_CONNECT),
			    SLICE_LIT("v"), &v))
		s->chain.mta = dialect_of(v);
	if (!journal_connect(&s->journal, &cmd->connect)) {
		session_no_memory(s);
		s->exhausted = true;
	}
	s->place = PLACE_IDLE;
	observe_connect(&s->chain.facts, &s->journal);
	note_client(s);
	board_note_text(s->slot, slice_str(s->summary.client), SLICE_EMPTY,
			SLICE_EMPTY);
	connection_event(s, STAGE_CONNECT);
}

void session_on_helo(struct session *s, const struct command *cmd)
{
	session_abort_message(s);
	if (!journal_helo(&s->journal, cmd->text))
		session_no_memory(s);
	observe_helo(&s->chain.facts, &s->journal);
	rulebook_begin_helo(&s->chain.book);
	connection_event(s, STAGE_HELO);
}

static void message_event(struct session *s, enum stage stage)
{
	struct verdict v;

	if (!put_to_all(s, stage, &v))
		return;
	if (v.kind == VERDICT_CONTINUE)
		session_answer(s, &v);
	else
		session_refuse_message(s, &v);
}

void session_on_mail(struct session *s, const struct command *cmd)
{
	session_abort_message(s);
	chain_begin_message(&s->chain);
	message_begin(&s->message, &s->message_arena, s->env->conf,
		      s->chain.mta);
	s->place = PLACE_ENVELOPE;
	s->by_rules = (struct verdict){ .kind = VERDICT_CONTINUE, .by = -1 };
	s->summary.began = clock_now();
	board_message_begin(s->env->board, s->env->slot);
	session_note_queue_id(s, journal_waiting(&s->journal, STAGE_MAIL));
	if (s->chain.uses_clock)
		observe_clock(&s->chain.facts, s->env);
	if (!journal_mail(&s->journal, &cmd->envelope) ||
	    !observe_mail(&s->chain.facts, &s->journal, &s->message, s->env))
		session_no_memory(s);
	board_note_text(s->slot, slice_str(s->summary.client),
			slice_str(s->summary.queue_id),
			summary_address(cmd->envelope.address));
	message_event(s, STAGE_MAIL);
}

/* Refused by the MTA itself; it only tells because some milter may ask. */
static bool is_rejected_by_mta(const struct session *s,
			       struct journal_macros *macros_out)
{
	struct slice mailer;

	macros_out->came = s->journal.is_waiting[STAGE_RCPT];
	macros_out->pairs = journal_waiting(&s->journal, STAGE_RCPT);
	return macro_find(macros_out->pairs, SLICE_LIT("rcpt_mailer"),
			  &mailer) &&
	       slice_is(mailer, "error");
}

/* A refusal at RCPT is one recipient's, unless it is about the message. */
static bool is_about_message(const struct session *s, const struct verdict *v)
{
	return v->kind == VERDICT_DISCARD || s->chain.no_space ||
	       chain_is_of_connection(&s->chain, v);
}

void session_on_rcpt(struct session *s, const struct command *cmd)
{
	const struct verdict full = {
		.kind = VERDICT_TEMPFAIL,
		.by = -1,
		.stage = STAGE_RCPT,
		.reply = SLICE_LIT("452 4.5.3 Too many recipients"),
	};
	/* Its sender tries it again in a message of its own (design 5). */
	const struct verdict mixed = {
		.kind = VERDICT_TEMPFAIL,
		.by = -1,
		.stage = STAGE_RCPT,
		.reply = SLICE_LIT("452 4.5.3 This recipient in a message of "
				   "its own, please"),
	};
	struct journal_macros macros;
	struct verdict v;

	if (is_rejected_by_mta(s, &macros)) {
		chain_rejected_rcpt(&s->chain, &cmd->envelope, &macros);
		journal_forget_waiting(&s->journal, STAGE_RCPT);
		session_answer_kind(s, VERDICT_CONTINUE);
		return;
	}
	if (s->journal.rcpt_count >= s->env->conf->recipients_max) {
		journal_forget_waiting(&s->journal, STAGE_RCPT);
		session_count(s, COUNT_RECIPIENTS_REFUSED, 1);
		session_answer(s, &full);
		return;
	}
	if (!journal_rcpt(&s->journal, &cmd->envelope)) {
		session_no_memory(s);
		v = (struct verdict){ .kind = VERDICT_TEMPFAIL,
				      .by = -1,
				      .stage = STAGE_RCPT };
		session_refuse_message(s, &v);
		return;
	}
	observe_rcpt(&s->chain.facts, &s->journal);
	if (choose_is_mixed(&s->chain)) {
		observe_refused(&s->chain.facts, &s->journal);
		journal_rcpt_answered(&s->journal, false, -1);
		session_count(s, COUNT_RECIPIENTS_REFUSED, 1);
		session_answer(s, &mixed);
		return;
	}
	if (!put_to_all(s, STAGE_RCPT, &v))
		return;
	chain_rcpt_answered(&s->chain, &v);
	if (v.kind != VERDICT_CONTINUE)
		observe_refused(&s->chain.facts, &s->journal);
	else if (!observe_accepted(&s->chain.facts, &s->journal))
		session_no_memory(s);
	session_count(s,
		      v.kind == VERDICT_CONTINUE ? COUNT_RECIPIENTS :
						   COUNT_RECIPIENTS_REFUSED,
		      1);
	if (is_about_message(s, &v)) {
		session_refuse_message(s, &v);
		return;
	}
	if (v.rule.len)
		summary_refused_rcpt(&s->summary, &cmd->envelope, &v);
	session_answer(s, &v);
}

void session_on_data(struct session *s, const struct command *cmd)
{
	(void)cmd;
	session_look(s);
	if (!journal_data(&s->journal))
		session_no_memory(s);
	observe_data(&s->chain.facts, &s->journal);
	message_event(s, STAGE_DATA);
}

void session_on_unknown(struct session *s, const struct command *cmd)
{
	struct journal_macros macros = { s->journal.is_waiting[STAGE_UNKNOWN],
					 journal_waiting(&s->journal,
							 STAGE_UNKNOWN) };
	struct slice text;
	struct verdict v;

	/* The packet may be overwritten while we wait. */
	if (!arena_copy(&s->message_arena, cmd->text, &text))
		session_no_memory(s);
	chain_unknown(&s->chain, text, &macros);
	if (decide_step(s, &v))
		session_answer(s, &v);
	chain_unknown_answered(&s->chain);
	journal_forget_waiting(&s->journal, STAGE_UNKNOWN);
	session_note_no_space(s);
	/* Outside a message nobody else gives its reply's memory back. */
	if (s->place < PLACE_ENVELOPE || s->place == PLACE_OVER) {
		arena_reset(&s->message_arena);
		s->chain.no_space = 0;
	}
}
