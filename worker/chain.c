#include "worker/chain.h"

#include "shared/log.h"
#include "worker/choose.h"
#include "worker/feed.h"
#include "worker/hear.h"
#include "worker/keeper.h"

/* Decoded values of one evaluation: a few headers and a body's beginning. */
#define SCRATCH_MAX ((size_t)16 * 1024 * 1024)
/* A connection that no session has wanted for so long is closed. */
#define PARKED_MAX (1 * CLOCK_S)

static bool uses(const struct conf *conf, enum fact fact)
{
	bool uses = rules_use(conf->rules, fact);

	for (size_t i = 0; i < conf->milter_count; i++)
		uses |= conf->milters[i].when &&
			cond_uses(conf->milters[i].when, fact);
	return uses;
}

bool chain_init(struct chain *c, const struct worker_env *env,
		struct arena *lasting, struct arena *session_arena,
		struct arena *message_arena, struct journal *journal,
		struct message *message)
{
	*c = (struct chain){ .env = env,
			     .session_arena = session_arena,
			     .message_arena = message_arena,
			     .journal = journal,
			     .message = message,
			     .event = STAGE_COUNT,
			     .count = (unsigned)env->conf->milter_count };
	c->members = arena_take_n(lasting, c->count, sizeof(*c->members));
	if (!c->members)
		return false;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		m->conf = &env->conf->milters[i];
		m->index = i;
		m->cell = env->cells ? env->cells[i] : i;
		child_init(&m->child, m->conf);
		keeper_attach(m, env);
		if (m->conf->when) {
			m->memos = arena_take_n(lasting,
						cond_memos(m->conf->when) + 1,
						sizeof(*m->memos));
			if (!m->memos)
				return false;
		}
	}
	arena_init(&c->scratch, SCRATCH_MAX);
	rulebook_init(&c->book, env->conf->rules);
	c->uses_body = uses(env->conf, FACT_BODY);
	c->uses_clock =
		uses(env->conf, FACT_TIME) || uses(env->conf, FACT_WEEKDAY);
	c->matcher = cond_matcher_new();
	return c->matcher != NULL;
}

void chain_deinit(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		child_deinit(&c->members[i].child);
	cond_matcher_free(&c->matcher);
	arena_deinit(&c->scratch);
	buf_deinit(&c->book.pairs);
}

void chain_trim(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		child_unpark(&c->members[i].child, 0);
		child_trim(&c->members[i].child);
	}
	arena_trim(&c->scratch);
}

/* Lists may have changed since; never within a message. */
static void follow_tables(const struct chain *c)
{
	for (size_t i = 0; i < c->env->conf->table_count; i++)
		table_follow(c->env->conf->tables[i].table);
}

/*
 * The switches as they are now.  Read when the client is known, and at each
 * MAIL: a message keeps what it began with.
 */
static void read_switches(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		c->members[i].mode = choose_mode(c, &c->members[i]);
}

void chain_begin_session(struct chain *c, const struct option *offer)
{
	follow_tables(c);
	c->offer = *offer;
	c->mta_leadspc = offer->protocol & SMFIP_HDR_LEADSPC;
	c->mta = MTA_SENDMAIL;
	facts_init(&c->facts, rules_score_grows(c->book.rules));
	if (!rulebook_begin_session(&c->book, c->session_arena))
		c->no_space = ENOMEM;
	c->event = STAGE_COUNT;
	c->content = false;
	c->no_space = 0;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		child_unpark(&m->child, PARKED_MAX);
		member_forget(m);
		member_reset_message(m);
		m->joined = false;
		m->connection = CONNECTION_OPEN;
		m->unsettled = false;
		m->unknown_waiting = false;
		m->lease = 0;
	}
	read_switches(c);
}

void chain_end_session(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		keeper_let_go(m);
		if (!child_park(&m->child))
			child_quit(&m->child, m->in_message);
		member_forget(m);
		edits_end(&m->edits);
		m->joined = false;
	}
	c->event = STAGE_COUNT;
}

/* ---- events ---- */

/* Is its time come, or is it certain that it will not in this message? */
static void join_if_due(struct chain *c, struct member *m)
{
	if (m->joined || m->passed_over)
		return;
	switch (choose(c, m)) {
	case CHOICE_LATER:
		break;
	case CHOICE_YES:
		m->joined = true;
		break;
	case CHOICE_NO:
		m->passed_over = true;
		if (c->journal->has_mail)
			facts_set_milter(&c->facts, m->index,
					 FACT_MILTER_SKIPPED);
		break;
	}
}

/* Down to the first that says no to the event: those below never see it. */
static void feed_all(struct chain *c)
{
	struct verdict ignored;

	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		join_if_due(c, m);
		feed_member(c, m);
		if (standing_of(c, m, c->event, &ignored) == STANDING_NO)
			break;
	}
}

void chain_event(struct chain *c, enum stage event)
{
	c->event = event;
	c->impatient = false;
	if (event == STAGE_CONNECT)
		read_switches(c);
	if (event >= STAGE_HEADER && event <= STAGE_EOM)
		c->content = true;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		m->rcpt_refused = false;
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
	c->impatient = false;
	c->unknown = text;
	c->unknown_macros = *macros;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		m->unknown_refused = false;
		m->unknown_waiting =
			member_is_going(m) && m->child.link == LINK_OPEN;
	}
	feed_all(c);
}

void chain_unknown_answered(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		c->members[i].unknown_waiting = false;
	c->unknown = SLICE_EMPTY;
	c->unknown_macros = (struct journal_macros){ 0 };
}

void chain_rejected_rcpt(struct chain *c, const struct command_envelope *rcpt,
			 const struct journal_macros *macros)
{
	for (unsigned i = 0; i < c->count; i++)
		feed_aside(c, &c->members[i], rcpt, macros);
}

/* ---- what it comes to ---- */

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
		switch (standing_of(c, &c->members[i], event, verdict_out)) {
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

/* The place of the first child waited for, or BOARD_NO_CHILD. */
static unsigned first_waited_for(const struct chain *c)
{
	struct verdict ignored;
	unsigned waiting;

	decided(c, c->event, &ignored, &waiting);
	return waiting;
}

unsigned chain_waits_for(const struct chain *c)
{
	unsigned waiting = first_waited_for(c);

	return waiting == BOARD_NO_CHILD ? waiting : c->members[waiting].cell;
}

void chain_late(struct chain *c)
{
	struct verdict v;

	/* No further than to the first whose policy decides the event. */
	for (unsigned i = 0; i < c->count && !chain_decided(c, &v); i++) {
		struct member *m = &c->members[i];

		if (member_is_enforced(m) && member_is_going(m) &&
		    standing_of(c, m, c->event, &v) == STANDING_WAIT)
			standing_late(c, m);
	}
}

/* ---- recipients and the end of the message ---- */

bool chain_is_of_connection(const struct chain *c, const struct verdict *v)
{
	return v->kind != VERDICT_CONTINUE && v->by >= 0 &&
	       c->members[v->by].connection == CONNECTION_REFUSED;
}

/* A no that every later answer of the message will be, too. */
static bool is_lasting(const struct chain *c, const struct verdict *v)
{
	const struct member *m;

	if (v->by < 0)
		return false;
	m = &c->members[v->by];
	return m->connection == CONNECTION_REFUSED || m->state == MEMBER_NO ||
	       m->state == MEMBER_FAILED;
}

/*
 * recipients = own: whoever joined for the recipient that is refused now, and
 * has no other, has no part in the message (any more, or yet).
 */
static void leave_without_recipients(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		if (!m->joined || m->state != MEMBER_GOING ||
		    !choose_is_by_recipient(m) || choose(c, m) == CHOICE_YES)
			continue;
		member_release(m);
		member_forget_message(m);
		m->joined = false;
	}
}

void chain_rcpt_answered(struct chain *c, const struct verdict *verdict)
{
	struct journal *j = c->journal;
	size_t at = j->rcpt_count - 1;
	bool accepted = verdict->kind == VERDICT_CONTINUE;

	journal_rcpt_answered(j, accepted, verdict->by);
	if (accepted)
		return;
	leave_without_recipients(c);
	if (is_lasting(c, verdict)) {
		/* Nothing that those below could say matters any more. */
		chain_release(c, (unsigned)verdict->by + 1);
		return;
	}
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		/* Still owing: hear.c marks it when its answer comes. */
		if (m->joined && m->mark.rcpts > at && !m->rcpt_refused &&
		    !child_owes(&m->child))
			hear_believes(c, m, at);
		else if (m->state == MEMBER_FAILED)
			standing_forgive(c, m, at);
	}
}

void chain_begin_message(struct chain *c)
{
	c->content = false;
	c->no_space = 0;
	follow_tables(c);
	c->limit_hits = c->failed_lookups = 0;
	c->regex_time = 0;
	facts_begin_message(&c->facts, c->message_arena);
	rulebook_begin_message(&c->book);
	read_switches(c);
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		member_reset_message(m);
		if (m->connection == CONNECTION_ACCEPTED)
			facts_set_milter(&c->facts, i, FACT_MILTER_ACCEPT);
		else if (c->book.skip_connection & UINT64_C(1) << i)
			m->passed_over = m->skipped_by_rule = true;
		if (m->mode == MODE_OFF || m->passed_over)
			facts_set_milter(&c->facts, i, FACT_MILTER_SKIPPED);
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

void chain_overrule(struct chain *c, const struct verdict *v)
{
	if (v->kind == VERDICT_CONTINUE || v->by < 0)
		return;
	for (unsigned i = (unsigned)v->by + 1; i < c->count; i++) {
		struct member *m = &c->members[i];

		if (!m->said_late || m->connection == CONNECTION_OPEN)
			continue;
		child_quit(&m->child, false);
		member_forget(m);
		m->connection = CONNECTION_OPEN;
	}
}

bool chain_evaluates(const struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->members[i].mode == MODE_EVALUATE &&
		    member_is_going(&c->members[i]))
			return true;
	return false;
}

bool chain_wants_content(const struct chain *c)
{
	if (rules_use(c->book.rules, FACT_BODY) ||
	    rules_use(c->book.rules, FACT_HEADER) ||
	    rules_use(c->book.rules, FACT_HEADER_NOW))
		return true;
	for (unsigned i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];

		if (m->mode != MODE_OFF && m->state == MEMBER_GOING &&
		    m->connection == CONNECTION_OPEN && !m->passed_over)
			return true;
	}
	return false;
}

const struct header_list *chain_headers_now(const struct chain *c)
{
	struct verdict ignored;
	const struct view *v = &c->message->original;

	if (!c->content)
		return NULL;
	for (unsigned i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];

		if (standing_of(c, m, STAGE_EOM, &ignored) == STANDING_WAIT)
			return NULL;
		if (m->left && m->conf->order != ORDER_FREE &&
		    member_is_enforced(m))
			v = m->left;
	}
	return v->headers_done ? &v->headers : NULL;
}

/* Why it was not asked about the message that ends. */
static enum board_milter_counter skipped_by(const struct member *m)
{
	if (m->mode == MODE_OFF)
		return MILTER_SKIPPED_SWITCH;
	if (m->skipped_by_rule)
		return MILTER_SKIPPED_RULE;
	if (m->state == MEMBER_FAILED && m->failure == CHILD_BREAKER)
		return MILTER_SKIPPED_BREAKER;
	return m->passed_over ? MILTER_SKIPPED_CONDITION :
				MILTER_SKIPPED_OTHER;
}

static void count_skipped(const struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];

		if (!m->asked)
			board_count_milter(c->env->board, c->env->slot,
					   m->cell, skipped_by(m), 1);
	}
}

/* Others may be waiting for one of the few connections. */
static void let_others_in(struct member *m)
{
	if (!m->conf->connections_max || m->child.link == LINK_NONE)
		return;
	child_quit(&m->child, m->in_message);
	member_forget(m);
}

void chain_end_message(struct chain *c)
{
	chain_release(c, 0);
	count_skipped(c);
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		let_others_in(m);
		member_reset_message(m);
		/* Whoever joins by the message joins each one anew. */
		if (!choose_is_for_connection(m))
			m->joined = false;
	}
	facts_end_message(&c->facts);
	rulebook_end_message(&c->book);
	c->content = false;
	c->event = STAGE_COUNT;
}

/* ---- around poll ---- */

void chain_watch(struct chain *c, struct watch *w)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];
		struct child *child = &m->child;

		watch_until(w, child_deadline(child));
		watch_until(w, keeper_looks_at(m));
		m->place = watch_add(
			w, child->link == LINK_PARKED ? -1 : child->fd,
			child_events(child));
	}
}

bool chain_is_at_rest(const struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		if (!child_is_settled(&c->members[i].child) ||
		    !child_in_step(&c->members[i].child))
			return false;
	return true;
}

/*
 * Each answer in its turn costs one call, where poll would need another one
 * and tell of each single answer.  Only for a moment: an answer that is
 * later must not keep us from the others, or from the MTA.
 */
bool chain_await(struct chain *c)
{
	unsigned at = first_waited_for(c);
	enum child_result r;
	struct member *m;
	size_t debt;

	for (unsigned i = 0; i < c->count; i++)
		if (!child_is_settled(&c->members[i].child))
			return false;
	if (at == BOARD_NO_CHILD || c->impatient)
		return false;
	m = &c->members[at];
	debt = child_debt(&m->child);
	r = child_await(&m->child);
	if (r == CHILD_NOTHING) {
		c->impatient = true;
		return false;
	}
	hear_member(c, m);
	/* It talks, but to no end: PROGRESS must not take all our time. */
	c->impatient = r == CHILD_OK && m->child.link == LINK_OPEN &&
		       child_debt(&m->child) == debt;
	if (r != CHILD_OK && m->child.link != LINK_NONE)
		standing_fail(c, m, r);
	feed_all(c);
	return true;
}

/* Many failed at it meanwhile: this one need not wait for its own timeout. */
static enum child_result left_alone(struct member *m)
{
	m->child.why = "left alone after failures";
	return CHILD_BREAKER;
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
	if (r == CHILD_OK && keeper_gives_up(m))
		r = left_alone(m);
	if (r != CHILD_OK)
		standing_fail(c, m, r);
}

void chain_serve(struct chain *c, const struct watch *w)
{
	for (unsigned i = 0; i < c->count; i++)
		serve_member(c, &c->members[i],
			     w->fds[c->members[i].place].revents);
	/* One child's word may be what another has waited for. */
	feed_all(c);
}
