#include "worker/chain.h"

#include <errno.h>

#include "shared/log.h"
#include "worker/choose.h"
#include "worker/feed.h"
#include "worker/hear.h"

/* A child that only ever closes is not opened again without end. */
#define QUIET_LOSSES 3

void chain_init(struct chain *c, const struct worker_env *env,
		struct arena *session_arena, struct arena *message_arena,
		struct journal *journal, struct message *message)
{
	*c = (struct chain){ .env = env,
			     .session_arena = session_arena,
			     .message_arena = message_arena,
			     .journal = journal,
			     .message = message,
			     .event = STAGE_COUNT,
			     .count = (unsigned)env->conf->milter_count };
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		m->conf = &env->conf->milters[i];
		m->index = i;
		child_init(&m->child, m->conf);
	}
}

void chain_begin_session(struct chain *c, const struct option *offer)
{
	c->offer = *offer;
	c->mta_leadspc = offer->protocol & SMFIP_HDR_LEADSPC;
	c->mta = MTA_SENDMAIL;
	c->event = STAGE_COUNT;
	c->content = false;
	c->no_space = 0;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		member_forget(m);
		member_reset_message(m);
		m->joined = false;
		m->connection = CONNECTION_OPEN;
		m->unsettled = false;
		m->unknown_waiting = false;
	}
}

void chain_end_session(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		child_quit(&m->child, m->in_message);
		member_forget(m);
		edits_end(&m->edits);
		m->joined = false;
	}
	c->event = STAGE_COUNT;
}

/* ---- events ---- */

static void feed_all(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		feed_member(c, &c->members[i]);
}

void chain_event(struct chain *c, enum stage event)
{
	c->event = event;
	if (event >= STAGE_HEADER && event <= STAGE_EOM)
		c->content = true;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		m->rcpt_refused = false;
		if (!m->joined)
			m->joined = choose_applies(m, event);
		if (event == STAGE_MAIL)
			m->unsettled = false;
	}
	if (event < STAGE_HEADER || event >= STAGE_EOM)
		feed_all(c);
}

void chain_go_on(struct chain *c)
{
	feed_all(c);
}

void chain_unknown(struct chain *c, struct slice text,
		   const struct journal_macros *macros)
{
	c->event = STAGE_UNKNOWN;
	c->unknown = text;
	c->unknown_macros = *macros;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		m->unknown_refused = false;
		m->unknown_waiting = member_is_going(m) &&
				     m->child.link == LINK_OPEN;
	}
	feed_all(c);
}

void chain_rejected_rcpt(struct chain *c, const struct command_envelope *rcpt,
			 const struct journal_macros *macros)
{
	struct command cmd = { .kind = CMD_RCPT, .envelope = *rcpt };

	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];
		struct child *child = &m->child;
		unsigned dropped;

		if (!member_is_going(m) || !m->mark.mail ||
		    !feed_has_heard(c, m, STAGE_RCPT) ||
		    !(child->got.protocol & SMFIP_RCPT_REJ))
			continue;
		if (child_tell_macros(child, STAGE_RCPT, macros, &dropped) !=
			    CHILD_OK ||
		    child_tell(child, STAGE_RCPT, &cmd) != CHILD_OK ||
		    child_flush(child) != CHILD_OK) {
			chain_fail(c, m, CHILD_EOF);
			continue;
		}
		m->aside_owed = child_owes(child);
	}
}

/* ---- where everybody stands ---- */

static enum standing no(const struct verdict *v, struct verdict *verdict_out)
{
	*verdict_out = *v;
	return STANDING_NO;
}

static enum standing standing_failed(const struct member *m,
				     struct verdict *verdict_out)
{
	struct verdict v = { .kind = verdict_of_policy(m->conf->on_failure),
			     .by = (int)m->index,
			     .stage = m->said_at };

	return v.kind == VERDICT_CONTINUE ? STANDING_PASS : no(&v, verdict_out);
}

static enum standing standing_heard(const struct chain *c,
				    const struct member *m, enum stage event,
				    struct verdict *verdict_out)
{
	if (event == STAGE_UNKNOWN && m->unknown_refused)
		return no(&m->unknown_verdict, verdict_out);
	if (event == STAGE_RCPT && m->rcpt_refused)
		return no(&m->rcpt_verdict, verdict_out);
	if (event == STAGE_UNKNOWN && m->child.link != LINK_OPEN)
		return STANDING_PASS;
	if (!feed_has_heard(c, m, event))
		return STANDING_WAIT;
	return STANDING_PASS;
}

/*
 * Its no to an earlier recipient is one about the message from the next
 * answer on that is about the message (design section 3, Joining).
 */
static bool has_late_no(const struct member *m, enum stage event,
			const struct chain *c)
{
	if (!m->has_late || m->conf->late_refusal != LATE_VERDICT ||
	    m->state == MEMBER_NO || m->state == MEMBER_FAILED)
		return false;
	if (event != STAGE_DATA && event != STAGE_EOM)
		return false;
	if (m->state != MEMBER_GOING)
		return true;
	/* Content begun: all recipients have been answered. */
	return event == STAGE_DATA ? feed_has_heard(c, m, event) :
				     m->view != NULL;
}

enum standing chain_standing(const struct chain *c, const struct member *m,
			     enum stage event, struct verdict *verdict_out)
{
	if (!member_is_enforced(m) || m->connection == CONNECTION_ACCEPTED)
		return STANDING_PASS;
	if (m->connection == CONNECTION_REFUSED)
		return no(&m->connection_verdict, verdict_out);
	/*
	 * Not joined yet: it says nothing about the envelope, but content may
	 * not pass by one whose time comes later.
	 */
	if (!m->joined)
		return event == STAGE_EOM ? STANDING_WAIT : STANDING_PASS;
	if (m->unsettled && !c->journal->has_mail)
		return STANDING_PASS;
	if (has_late_no(m, event, c))
		return no(&m->late, verdict_out);
	switch (m->state) {
	case MEMBER_ACCEPTED:
	case MEMBER_DONE:
	case MEMBER_RELEASED:
		return STANDING_PASS;
	case MEMBER_NO:
		return no(&m->verdict, verdict_out);
	case MEMBER_FAILED:
		return standing_failed(m, verdict_out);
	case MEMBER_GOING:
		break;
	}
	return standing_heard(c, m, event, verdict_out);
}

/* The first no counts when everybody above it has passed. */
static bool decided(const struct chain *c, enum stage event,
		    struct verdict *verdict_out, unsigned *waiting_out)
{
	*verdict_out = (struct verdict){ .kind = VERDICT_CONTINUE,
					 .by = -1,
					 .stage = event };
	*waiting_out = BOARD_NO_CHILD;
	if (c->no_space) {
		verdict_out->kind = VERDICT_TEMPFAIL;
		return true;
	}
	for (unsigned i = 0; i < c->count; i++) {
		switch (chain_standing(c, &c->members[i], event, verdict_out)) {
		case STANDING_WAIT:
			*waiting_out = i;
			return false;
		case STANDING_NO:
			return true;
		case STANDING_PASS:
			break;
		}
	}
	return true;
}

bool chain_decided(const struct chain *c, struct verdict *verdict_out)
{
	unsigned ignored;

	return decided(c, c->event, verdict_out, &ignored);
}

bool chain_refused(const struct chain *c, struct verdict *verdict_out)
{
	unsigned ignored;

	return decided(c, STAGE_EOM, verdict_out, &ignored) &&
	       verdict_out->kind != VERDICT_CONTINUE;
}

unsigned chain_waits_for(const struct chain *c)
{
	struct verdict ignored;
	unsigned waiting;

	decided(c, c->event, &ignored, &waiting);
	return waiting;
}

/* ---- failures ---- */

static void count_failure(const struct chain *c, const struct member *m,
			  enum child_result failure)
{
	static const enum board_milter_counter counters[] = {
		[CHILD_CONNECT] = MILTER_FAILED_CONNECT,
		[CHILD_TIMEOUT] = MILTER_FAILED_TIMEOUT,
		[CHILD_EOF] = MILTER_FAILED_EOF,
		[CHILD_PROTOCOL] = MILTER_FAILED_PROTOCOL,
		[CHILD_LATE] = MILTER_LATE,
	};

	board_count_milter(c->env->board, c->env->slot, m->index,
			   counters[failure], 1);
	log_warn("child \"%s\": %s at %s: %s", m->conf->name,
		 child_result_name(failure),
		 c->event == STAGE_COUNT ? "rest" : milter_stage_name(c->event),
		 m->child.why);
}

/*
 * The child went away between two messages, and we saw it only when the next
 * one was told: it was restarted, which is no failure.  It joins again, once.
 */
static bool may_rejoin(const struct member *m, enum child_result failure)
{
	return failure == CHILD_EOF && m->silent;
}

/* Closed while it owed nothing and was in no message: no failure, for once. */
static bool is_quiet_loss(struct member *m, enum child_result failure)
{
	return failure == CHILD_EOF && m->child.link == LINK_OPEN &&
	       !child_owes(&m->child) && !m->in_message &&
	       ++m->losses <= QUIET_LOSSES;
}

void chain_fail(struct chain *c, struct member *m, enum child_result failure)
{
	bool rejoin = may_rejoin(m, failure);
	bool idle = is_quiet_loss(m, failure);

	if (failure == CHILD_NO_SPACE)
		c->no_space = errno ? errno : ENOMEM;
	else if (!rejoin && !idle)
		count_failure(c, m, failure);
	child_close(&m->child);
	member_forget(m);
	if (idle)
		return;
	if (rejoin) {
		board_count_milter(c->env->board, c->env->slot, m->index,
				   MILTER_REJOINED, 1);
		feed_member(c, m);
		return;
	}
	if (!c->journal->has_mail) {
		m->unsettled = true;
		m->unknown_waiting = false;
		return;
	}
	if (m->state != MEMBER_GOING)
		return;
	m->state = MEMBER_FAILED;
	m->failure = failure;
	m->said_at = c->event;
	/* A failed child whose policy lets mail pass leaves it as it was. */
	m->left = m->view;
}

void chain_late(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];
		struct verdict ignored;

		if (!member_is_enforced(m) || !member_is_going(m) ||
		    chain_standing(c, m, c->event, &ignored) != STANDING_WAIT)
			continue;
		m->child.why = "our own deadline came first";
		chain_fail(c, m, CHILD_LATE);
	}
}

/* ---- recipients and the end of the message ---- */

void chain_rcpt_answered(struct chain *c, const struct verdict *verdict)
{
	struct journal *j = c->journal;
	size_t at = j->rcpt_count - 1;
	bool accepted = verdict->kind == VERDICT_CONTINUE;

	journal_rcpt_answered(j, accepted, verdict->by);
	if (accepted)
		return;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		/* Still owing: hear.c marks it when its answer comes. */
		if (member_is_going(m) && m->mark.rcpts > at &&
		    m->told_rcpt == at && !m->rcpt_refused &&
		    !child_owes(&m->child))
			hear_believes(c, m, at);
	}
}

void chain_begin_message(struct chain *c)
{
	c->content = false;
	c->no_space = 0;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		member_reset_message(m);
		if (m->conf->join > STAGE_HELO)
			m->joined = false;
	}
}

void chain_release(struct chain *c, unsigned first)
{
	for (unsigned i = first; i < c->count; i++) {
		struct member *m = &c->members[i];

		if (m->state == MEMBER_GOING)
			m->state = MEMBER_RELEASED;
		member_release(m);
	}
}

bool chain_evaluates(const struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->members[i].mode == MODE_EVALUATE &&
		    c->members[i].asked && member_is_going(&c->members[i]))
			return true;
	return false;
}

bool chain_wants_content(const struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];

		if (m->mode != MODE_OFF && m->state == MEMBER_GOING &&
		    m->connection == CONNECTION_OPEN)
			return true;
	}
	return false;
}

void chain_end_message(struct chain *c)
{
	chain_release(c, 0);
	for (unsigned i = 0; i < c->count; i++)
		member_reset_message(&c->members[i]);
	c->content = false;
	c->event = STAGE_COUNT;
}

/* ---- around poll ---- */

void chain_watch(struct chain *c, struct watch *w)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct child *child = &c->members[i].child;

		watch_until(w, child_deadline(child));
		/* A negative descriptor keeps its place and is ignored. */
		c->places[i] = watch_add(w, child->fd, child_events(child));
	}
}

static void serve_member(struct chain *c, struct member *m, short revents)
{
	struct child *child = &m->child;
	enum child_result r;

	if (child->link == LINK_NONE)
		return;
	r = child_serve(child, revents);
	/* What it said before it failed counts. */
	hear_member(c, m);
	if (child->link == LINK_NONE)
		return;
	if (r == CHILD_OK && clock_now() >= child_deadline(child))
		r = child_too_late(child);
	if (r != CHILD_OK)
		chain_fail(c, m, r);
}

void chain_serve(struct chain *c, const struct watch *w)
{
	for (unsigned i = 0; i < c->count; i++)
		serve_member(c, &c->members[i],
			     w->fds[c->places[i]].revents);
	/* One child's word may be what another has waited for. */
	feed_all(c);
}
