#include "worker/standing.h"

#include <errno.h>

#include "shared/log.h"
#include "worker/keeper.h"

/* A child that only ever closes is not opened again without end. */
#define QUIET_LOSSES 3

bool standing_has_heard(const struct chain *c, const struct member *m,
			enum stage event)
{
	const struct mark *k = &m->mark;

	if (child_owes(&m->child) || m->child.link != LINK_OPEN)
		return false;
	switch (event) {
	case STAGE_CONNECT:
		return k->connect;
	case STAGE_HELO:
		return k->connect && k->helo == c->journal->helo_count;
	case STAGE_MAIL:
		return k->mail;
	case STAGE_RCPT:
		return k->mail &&
		       (k->rcpts == c->journal->rcpt_count || m->own_unknown);
	case STAGE_DATA:
		return k->data;
	case STAGE_UNKNOWN:
		return !m->unknown_waiting;
	case STAGE_HEADER:
	case STAGE_EOH:
	case STAGE_BODY:
	case STAGE_EOM:
	case STAGE_COUNT:
		break;
	}
	return false;
}

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
	if (!standing_has_heard(c, m, event))
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
	return event == STAGE_DATA ? standing_has_heard(c, m, event) :
				     m->view != NULL;
}

enum standing standing_of(const struct chain *c, const struct member *m,
			  enum stage event, struct verdict *verdict_out)
{
	if (!member_is_enforced(m) || m->connection == CONNECTION_ACCEPTED)
		return STANDING_PASS;
	if (m->connection == CONNECTION_REFUSED)
		return no(&m->connection_verdict, verdict_out);
	/*
	 * Not joined yet: it says nothing about the envelope, but content may
	 * not pass by one whose time may still come.
	 */
	if (!m->joined)
		return event == STAGE_EOM && !m->passed_over ? STANDING_WAIT :
							       STANDING_PASS;
	if (m->unsettled && !c->journal->has_mail)
		return STANDING_PASS;
	if (has_late_no(m, event, c))
		return no(&m->late, verdict_out);
	/* Not about the message: its verdicts and policies do not count. */
	if (event == STAGE_UNKNOWN && m->state != MEMBER_GOING)
		return STANDING_PASS;
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

/* ---- content ---- */

static bool is_past(const struct chain *c, const struct member *above)
{
	struct verdict ignored;

	return standing_of(c, above, STAGE_EOM, &ignored) == STANDING_PASS;
}

/*
 * Content waits while an undecided child stands above: for a chain child a
 * chain or strict one, for a strict child any.
 */
bool standing_may_have_content(const struct chain *c, const struct member *m)
{
	if (m->conf->order == ORDER_FREE)
		return true;
	for (unsigned i = 0; i < m->index; i++) {
		const struct member *above = &c->members[i];

		if (above->conf->order == ORDER_FREE &&
		    m->conf->order != ORDER_STRICT)
			continue;
		if (!is_past(c, above))
			return false;
	}
	return true;
}

/* What the chain and strict children above have left. */
const struct view *standing_view(const struct chain *c, const struct member *m)
{
	if (m->conf->order == ORDER_FREE)
		return &c->message->original;
	for (unsigned i = m->index; i-- > 0;)
		if (c->members[i].left &&
		    c->members[i].conf->order != ORDER_FREE &&
		    member_is_enforced(&c->members[i]))
			return c->members[i].left;
	return &c->message->original;
}

/* ---- failures ---- */

/* The command its failure is about, rather than where the MTA stands. */
static enum stage failed_at(const struct chain *c, const struct member *m)
{
	if (m->hearing != STAGE_COUNT)
		return m->hearing;
	return child_owes(&m->child) ? m->child.owed[0].stage : c->event;
}

/* One that was not asked has not failed. */
static void count_failure(const struct chain *c, struct member *m,
			  enum child_result failure)
{
	static const enum board_milter_counter counters[] = {
		[CHILD_CONNECT] = MILTER_FAILED_CONNECT,
		[CHILD_TIMEOUT] = MILTER_FAILED_TIMEOUT,
		[CHILD_EOF] = MILTER_FAILED_EOF,
		[CHILD_PROTOCOL] = MILTER_FAILED_PROTOCOL,
		[CHILD_LATE] = MILTER_LATE,
	};

	if (failure == CHILD_BREAKER)
		return;
	board_count_milter(c->env->board, c->env->slot, m->cell,
			   counters[failure], 1);
	log_warn("child \"%s\": %s at %s: %s", m->conf->name,
		 child_result_name(failure),
		 failed_at(c, m) == STAGE_COUNT ?
			 "rest" :
			 milter_stage_name(failed_at(c, m)),
		 m->child.why);
	if (failure != CHILD_LATE)
		keeper_failed(c, m, counters[failure]);
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

static void end_in_failure(struct chain *c, struct member *m,
			   enum child_result failure, enum stage at)
{
	facts_set_milter(&c->facts, m->index, FACT_MILTER_FAILED);
	m->state = MEMBER_FAILED;
	m->failure = failure;
	m->said_at = at;
	/* A failed child whose policy lets mail pass leaves it as it was. */
	m->left = m->view;
}

/*
 * A failure that counts has ended its trial by now.  One that was silent until
 * our own deadline may hang: its lease runs out by itself, lest the next
 * session wait at once as long.
 */
static void end_trial(struct member *m, enum child_result failure)
{
	if (failure == CHILD_LATE && !m->child.waits)
		m->lease = 0;
	keeper_let_go(m);
}

void standing_fail(struct chain *c, struct member *m, enum child_result failure)
{
	int reason = errno;
	bool rejoin =
		child_is_stale(&m->child, failure) || may_rejoin(m, failure);
	bool idle = is_quiet_loss(m, failure);
	enum stage at = failed_at(c, m);

	if (failure == CHILD_NO_SPACE)
		c->no_space = reason ? reason : ENOMEM;
	else if (!rejoin && !idle)
		count_failure(c, m, failure);
	end_trial(m, failure);
	child_close(&m->child);
	member_forget(m);
	if (idle)
		return;
	if (rejoin) {
		/* What it said of the content before is of no account. */
		edits_end(&m->edits);
		m->view = NULL;
		m->skip_headers = m->skip_body = false;
		board_count_milter(c->env->board, c->env->slot, m->cell,
				   MILTER_REJOINED, 1);
		return;
	}
	if (!c->journal->has_mail) {
		m->unsettled = true;
		m->unknown_waiting = false;
		return;
	}
	if (m->state != MEMBER_GOING)
		return;
	end_in_failure(c, m, failure, at);
	/* Late at another command is no failure at that recipient. */
	if (failure != CHILD_LATE && at == STAGE_RCPT &&
	    journal_is_refused(c->journal, m->told_rcpt))
		standing_forgive(c, m, m->told_rcpt);
}

void standing_late(struct chain *c, struct member *m)
{
	m->child.why = "our own deadline came first";
	if (child_owes(&m->child) || m->child.link != LINK_OPEN ||
	    !c->journal->has_mail) {
		standing_fail(c, m, CHILD_LATE);
		return;
	}
	count_failure(c, m, CHILD_LATE);
	member_release(m);
	end_in_failure(c, m, CHILD_LATE, c->event);
}

void standing_forgive(struct chain *c, struct member *m, size_t at)
{
	const struct journal_rcpt *r = &c->journal->rcpts[at];

	if (m->conf->order == ORDER_CHAIN && (int)m->index > r->refused_by &&
	    m->said_at == STAGE_RCPT && m->told_rcpt == at) {
		m->state = MEMBER_GOING;
		facts_set_milter(&c->facts, m->index, FACT_MILTER_OPEN);
		/* Once: what it fails at from now on is its own. */
		m->told_rcpt = MEMBER_NONE;
	}
}

void standing_breach(struct chain *c, struct member *m, const char *why)
{
	m->child.why = why;
	standing_fail(c, m, CHILD_PROTOCOL);
}
