#include "worker/feed.h"

#include "worker/choose.h"
#include "worker/keeper.h"

#include "shared/board.h"

#include "shared/log.h"
#include "shared/milter_frame.h"

/* As much is queued before it is written; a short body goes on top. */
#define WRITE_SIZE ((size_t)64 * 1024)
/* What is not longer costs less copied than in a write of its own. */
#define SHORT_BODY ((uint64_t)8 * 1024)

/* What became of an attempt to tell something. */
enum fed {
	FED_TOLD,   /* go on with the next */
	FED_WAIT,   /* nothing more may be told now */
	FED_FAILED, /* the member has failed and was dealt with */
};

/* ---- may it hear this yet? ---- */

static bool all_above_pass(const struct chain *c, const struct member *m,
			   enum stage event)
{
	struct verdict ignored;

	for (unsigned i = 0; i < m->index; i++)
		if (standing_of(c, &c->members[i], event, &ignored) !=
		    STANDING_PASS)
			return false;
	return true;
}

/* The command at hand waits for those above; what is past does not. */
static bool may_hear(const struct chain *c, const struct member *m,
		     enum stage stage)
{
	bool in_turn = m->conf->order == ORDER_STRICT ||
		       (stage == STAGE_RCPT && m->conf->rcpt_serial);

	if (!in_turn || c->event != stage)
		return true;
	return all_above_pass(c, m, stage);
}

/* ---- the envelope ---- */

static enum fed failed(struct chain *c, struct member *m, enum child_result r)
{
	standing_fail(c, m, r);
	return FED_FAILED;
}

static enum fed left_alone(struct chain *c, struct member *m)
{
	m->child.why = "left alone after failures";
	return failed(c, m, CHILD_BREAKER);
}

static enum fed say(struct chain *c, struct member *m, enum stage stage,
		    const struct journal_macros *macros,
		    const struct command *command)
{
	unsigned dropped = 0;
	struct journal_macros all = rulebook_macros(&c->book, stage, macros);
	enum child_result r =
		child_tell_macros(&m->child, stage, &all, &dropped);

	if (dropped) {
		log_warn("child \"%s\": %u macros too large for one packet "
			 "left out",
			 m->conf->name, dropped);
		board_count(c->env->board, c->env->slot, COUNT_CUT_PACKETS, 1);
	}
	if (r == CHILD_OK && child_wants(&m->child, stage))
		r = child_tell(&m->child, stage, command);
	return r == CHILD_OK ? FED_TOLD : failed(c, m, r);
}

static enum fed tell_connect(struct chain *c, struct member *m)
{
	struct command cmd = { .kind = CMD_CONNECT,
			       .connect = c->journal->connect };

	if (!may_hear(c, m, STAGE_CONNECT))
		return FED_WAIT;
	m->mark.connect = true;
	return say(c, m, STAGE_CONNECT, &c->journal->connect_macros, &cmd);
}

static enum fed tell_helo(struct chain *c, struct member *m)
{
	struct journal_macros macros = journal_helo_macros(c->journal);
	struct command cmd = { .kind = CMD_HELO,
			       .text = journal_helo_name(c->journal) };

	if (!may_hear(c, m, STAGE_HELO))
		return FED_WAIT;
	m->mark.helo = c->journal->helo_count;
	return say(c, m, STAGE_HELO, &macros, &cmd);
}

static enum fed tell_unknown(struct chain *c, struct member *m)
{
	struct command cmd = { .kind = CMD_UNKNOWN, .text = c->unknown };

	if (!may_hear(c, m, STAGE_UNKNOWN))
		return FED_WAIT;
	m->unknown_waiting = false;
	if (!child_wants(&m->child, STAGE_UNKNOWN))
		return FED_TOLD;
	return say(c, m, STAGE_UNKNOWN, &c->unknown_macros, &cmd);
}

static enum fed tell_mail(struct chain *c, struct member *m)
{
	struct command cmd = { .kind = CMD_MAIL, .envelope = c->journal->mail };

	if (!may_hear(c, m, STAGE_MAIL))
		return FED_WAIT;
	/* A connection of an earlier message may lead to one that hangs now. */
	if (!m->asked && !keeper_may_ask(m))
		return left_alone(c, m);
	if (!m->asked)
		board_count_milter(c->env->board, c->env->slot, m->cell,
				   MILTER_APPLIED, 1);
	if (!m->asked && !member_is_enforced(m))
		board_count_milter(c->env->board, c->env->slot, m->cell,
				   MILTER_EVALUATED, 1);
	m->mark.mail = true;
	m->asked = true;
	m->in_message = true;
	return say(c, m, STAGE_MAIL, &c->journal->mail_macros, &cmd);
}

/*
 * recipients = own: only those its condition is true for; what cannot be told
 * at the end of the message counts as true.
 */
static bool is_shown(struct chain *c, struct member *m, size_t at)
{
	enum tri shown = choose_recipient(c, m, at);

	m->own_unknown = shown == TRI_UNKNOWN && c->event != STAGE_EOM;
	if (shown == TRI_FALSE)
		m->mark.rcpts++;
	return shown != TRI_FALSE && !m->own_unknown;
}

static enum fed tell_rcpt(struct chain *c, struct member *m)
{
	const struct journal_rcpt *r = &c->journal->rcpts[m->mark.rcpts];
	struct command cmd = { .kind = CMD_RCPT, .envelope = r->envelope };

	if (r->state == RCPT_REFUSED) {
		m->mark.rcpts++;
		return FED_TOLD;
	}
	if (!is_shown(c, m, m->mark.rcpts))
		return m->own_unknown ? FED_WAIT : FED_TOLD;
	if (r->state == RCPT_AT_HAND && !may_hear(c, m, STAGE_RCPT))
		return FED_WAIT;
	m->told_rcpt = m->mark.rcpts++;
	return say(c, m, STAGE_RCPT, &r->macros, &cmd);
}

/*
 * It believes in a recipient that somebody above refused: it is told ABORT
 * and hears MAIL and the accepted recipients again.
 */
static enum fed retell(struct chain *c, struct member *m)
{
	enum child_result r = m->in_message ? child_abort(&m->child) : CHILD_OK;

	if (r != CHILD_OK)
		return failed(c, m, r);
	m->retell = m->retell_now = false;
	m->in_message = false;
	m->mark.mail = false;
	m->mark.rcpts = 0;
	return FED_TOLD;
}

static enum fed tell_data(struct chain *c, struct member *m)
{
	struct command cmd = { .kind = CMD_DATA };

	if (!may_hear(c, m, STAGE_DATA))
		return FED_WAIT;
	m->mark.data = true;
	return say(c, m, STAGE_DATA, &c->journal->data_macros, &cmd);
}

static enum fed tell_envelope(struct chain *c, struct member *m)
{
	const struct journal *j = c->journal;
	bool past_rcpts = j->has_data || c->content;

	if (!m->mark.connect)
		return tell_connect(c, m);
	if (j->helo_count != m->mark.helo && !m->in_message)
		return tell_helo(c, m);
	if (j->has_mail && !m->mark.mail)
		return tell_mail(c, m);
	if (m->retell && (past_rcpts || m->retell_now))
		return retell(c, m);
	if (m->mark.rcpts < j->rcpt_count)
		return tell_rcpt(c, m);
	if (m->unknown_waiting)
		return tell_unknown(c, m);
	if (j->has_data && !m->mark.data)
		return tell_data(c, m);
	return FED_WAIT;
}

/* Has it heard all of the envelope that there is? */
static bool knows_envelope(const struct chain *c, const struct member *m)
{
	const struct journal *j = c->journal;

	return m->mark.connect && m->mark.mail && !m->retell &&
	       m->mark.rcpts == j->rcpt_count &&
	       (m->mark.data || !j->has_data) && !m->unknown_waiting;
}

/* ---- content ---- */

static bool withheld(const struct member *m, enum stage stage)
{
	if (stage == STAGE_HEADER && m->skip_headers)
		return true;
	if (stage == STAGE_BODY && m->skip_body)
		return true;
	return !child_wants(&m->child, stage);
}

/* The value as this child wants it, and short enough for one packet. */
static struct slice value_for(const struct chain *c, const struct member *m,
			      const struct header *h)
{
	bool leadspc = m->child.got.protocol & SMFIP_HDR_LEADSPC;
	size_t max = MILTER_PAYLOAD_MAX - 2 - h->name.len;
	struct slice v = h->value;

	if (c->mta_leadspc && !leadspc && slice_starts(v, " "))
		v = slice_from(v, 1);
	if (v.len <= max)
		return v;
	log_warn("child \"%s\": header too large for one packet cut",
		 m->conf->name);
	board_count(c->env->board, c->env->slot, COUNT_CUT_PACKETS, 1);
	return slice_head(v, max);
}

static enum fed tell_header(struct chain *c, struct member *m)
{
	const struct header *h = view_next_header(m->view, &m->mark.header);
	struct command cmd = { .kind = CMD_HEADER };
	enum child_result r;

	if (!h)
		return FED_WAIT;
	if (withheld(m, STAGE_HEADER))
		return FED_TOLD;
	cmd.header = (struct command_header){ h->name, value_for(c, m, h) };
	r = child_tell(&m->child, STAGE_HEADER, &cmd);
	return r == CHILD_OK ? FED_TOLD : failed(c, m, r);
}

static enum fed tell_eoh(struct chain *c, struct member *m)
{
	struct command cmd = { .kind = CMD_EOH };

	m->mark.eoh = true;
	if (withheld(m, STAGE_EOH))
		return FED_TOLD;
	return say(c, m, STAGE_EOH, &c->journal->eoh_macros, &cmd);
}

/*
 * A child that may answer SKIP hears the next chunk after its answer to the
 * last: what lies behind a SKIP not every milter answers.
 */
static bool waits_for_skip(const struct member *m)
{
	uint32_t p = m->child.got.protocol;

	return (p & SMFIP_SKIP) && !(p & SMFIP_NR_BODY);
}

/*
 * As far as it may be told now: whole packets, and what is behind the last of
 * them when nothing more is to come.  So packets are the same for each child,
 * however the body arrives.
 */
static uint64_t body_end(const struct member *m)
{
	uint64_t left = m->view->body->len - m->mark.body;

	if (waits_for_skip(m) && left > MILTER_PAYLOAD_MAX)
		left = MILTER_PAYLOAD_MAX;
	else if (!m->view->complete)
		left -= left % MILTER_PAYLOAD_MAX;
	return m->mark.body + left;
}

/* A short one goes with what is before and behind it. */
static enum fed tell_short_body(struct chain *c, struct member *m)
{
	struct child *child = &m->child;
	size_t mark, n;

	if (!frame_begin(&child->out, SMFIC_BODY, &mark))
		return failed(c, m, CHILD_NO_SPACE);
	if (!body_read(m->view->body, m->mark.body, MILTER_PAYLOAD_MAX,
		       &child->out, &n)) {
		frame_undo(&child->out, mark);
		return failed(c, m, CHILD_NO_SPACE);
	}
	frame_end(&child->out, mark);
	m->mark.body += n;
	child_told(child, STAGE_BODY);
	return FED_TOLD;
}

static enum fed tell_body(struct chain *c, struct member *m)
{
	uint64_t end;

	if (withheld(m, STAGE_BODY)) {
		m->mark.body = m->view->body->len;
		return FED_TOLD;
	}
	if (waits_for_skip(m) && child_owes(&m->child))
		return FED_WAIT;
	end = body_end(m);
	if (end == m->mark.body)
		return FED_WAIT;
	if (end - m->mark.body <= SHORT_BODY)
		return tell_short_body(c, m);
	child_tell_body(&m->child, m->view->body, m->mark.body, end);
	m->mark.body = end;
	return FED_TOLD;
}

static enum fed tell_eom(struct chain *c, struct member *m)
{
	struct command cmd = { .kind = CMD_EOM };
	uint32_t p = m->child.got.protocol;

	/*
	 * With NR_* the end of message goes in a write of its own: rspamd and
	 * libmilter children read it apart from what needs no reply.  And
	 * only to one that is silent: an answer it should not have given
	 * would be taken for the one to E.
	 */
	if ((p & (SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY)) &&
	    (child_is_writing(&m->child) || !child_is_quiet(&m->child)))
		return FED_WAIT;
	m->mark.eom = true;
	return say(c, m, STAGE_EOM, &c->journal->eom_macros, &cmd);
}

static enum fed tell_content(struct chain *c, struct member *m)
{
	const struct view *v;
	enum fed fed;

	if (child_has_run(&m->child))
		return FED_WAIT;
	if (!m->view) {
		if (child_owes(&m->child) || !standing_may_have_content(c, m))
			return FED_WAIT;
		m->view = standing_view(c, m);
		edits_begin(&m->edits, c->env->conf);
	}
	v = m->view;
	if (!m->mark.eoh) {
		fed = tell_header(c, m);
		if (fed != FED_WAIT || !v->headers_done)
			return fed;
		return tell_eoh(c, m);
	}
	if (m->mark.body < v->body->len)
		return tell_body(c, m);
	if (v->complete && !m->mark.eom)
		return tell_eom(c, m);
	return FED_WAIT;
}

/* ---- */

static bool has_reason_to_open(const struct chain *c, const struct member *m)
{
	bool in_connection =
		c->event == STAGE_CONNECT || c->event == STAGE_HELO;

	/* Between messages a lost child is not missed before the next MAIL. */
	if (!c->journal->has_mail && (!in_connection || m->unsettled))
		return false;
	if (c->event == STAGE_UNKNOWN)
		return false;
	/* A strict child costs no connection before those above passed. */
	return may_hear(c, m, c->event);
}

static enum fed tell_next(struct chain *c, struct member *m)
{
	struct child *child = &m->child;

	if (child->link != LINK_OPEN)
		return FED_WAIT;
	if (c->content && knows_envelope(c, m))
		return tell_content(c, m);
	return child_owes(child) ? FED_WAIT : tell_envelope(c, m);
}

/* Opens the connection when there is a reason to; false: not now. */
static bool open_child(struct chain *c, struct member *m)
{
	enum child_result r;

	if (m->child.link != LINK_NONE && m->child.link != LINK_PARKED)
		return true;
	if (!has_reason_to_open(c, m))
		return false;
	if (!keeper_may_ask(m)) {
		(void)left_alone(c, m);
		return false;
	}
	r = child_open(&m->child, &c->offer);
	if (!m->child.reused)
		board_count_milter(c->env->board, c->env->slot, m->cell,
				   MILTER_CONNECTS, 1);
	if (r != CHILD_OK)
		standing_fail(c, m, r);
	return r == CHILD_OK;
}

/* Tells until it has to wait, or has failed. */
static enum fed tell_all(struct chain *c, struct member *m)
{
	struct child *child = &m->child;
	enum child_result r;
	enum fed fed;

	do {
		fed = FED_WAIT;
		while (buf_len(&child->out) < WRITE_SIZE &&
		       (fed = tell_next(c, m)) == FED_TOLD)
			continue;
		if (fed == FED_FAILED || !child_is_writing(child))
			return fed;
		r = child_flush(child);
		if (r != CHILD_OK)
			return failed(c, m, r);
	} while (!child_is_writing(child));
	return FED_WAIT;
}

void feed_member(struct chain *c, struct member *m)
{
	/* A child that was merely restarted is opened again at once. */
	while (member_is_going(m) && open_child(c, m) &&
	       tell_all(c, m) == FED_FAILED)
		continue;
}

void feed_aside(struct chain *c, struct member *m,
		const struct command_envelope *rcpt,
		const struct journal_macros *macros)
{
	struct command cmd = { .kind = CMD_RCPT, .envelope = *rcpt };
	enum child_result r;

	/* Lets it pass what was refused, too. */
	feed_member(c, m);
	if (!member_is_going(m) || m->child.link != LINK_OPEN ||
	    !m->mark.mail || m->mark.rcpts != c->journal->rcpt_count ||
	    (child_owes(&m->child) && !m->aside_owed) ||
	    !(m->child.got.protocol & SMFIP_RCPT_REJ) ||
	    !child_wants(&m->child, STAGE_RCPT))
		return;
	if (say(c, m, STAGE_RCPT, macros, &cmd) != FED_TOLD)
		return;
	if (child_owes(&m->child))
		m->aside_owed++;
	m->told_rcpt = MEMBER_NONE;
	r = child_flush(&m->child);
	if (r != CHILD_OK)
		standing_fail(c, m, r);
}
