#include "worker/choose.h"

#include "shared/network.h"

bool choose_is_by_recipient(const struct member *m)
{
	return m->conf->recipients != RECIPIENTS_ANY && m->conf->when &&
	       cond_uses(m->conf->when, FACT_RECIPIENT);
}

bool choose_is_for_connection(const struct member *m)
{
	if (m->conf->when)
		return cond_known_from(m->conf->when) <= STAGE_HELO &&
		       m->conf->join <= STAGE_HELO;
	return m->conf->join <= STAGE_HELO;
}

/*
 * By milter and client network (/24 or /64), so that a retry, which often
 * comes from a neighbour, meets the same.
 */
static unsigned percentile(const struct chain *c, const struct member *m)
{
	uint32_t hash = slice_hash(SLICE_HASH, slice_str(m->conf->name));
	struct ip ip;

	if (ip_parse(c->journal->connect.address, &ip))
		hash = slice_hash(hash,
				  slice_of(ip.bytes, ip.is_v6 ? 8 : 3));
	/* The low bits of so short a hash are not mixed well. */
	return (hash ^ hash >> 15) % 100;
}

enum conf_mode choose_mode(const struct chain *c, const struct member *m)
{
	struct conf_switch s =
		board_switched(c->env->board, m->cell, &m->conf->mode);

	if (s.mode != MODE_PERCENT)
		return s.mode;
	return percentile(c, m) < s.percent ? MODE_ON : MODE_EVALUATE;
}

/* The headers as those above left them; NULL while they are at it. */
static const struct header_list *headers_now(const struct chain *c,
					     const struct member *m)
{
	const struct view *v;

	if (!c->content || !standing_may_have_content(c, m))
		return NULL;
	v = standing_view(c, m);
	return v->headers_done ? &v->headers : NULL;
}

static enum tri evaluate(struct chain *c, const struct member *m,
			 const struct slice *recipient)
{
	struct cond_run run = {
		.scratch = &c->scratch,
		.matcher = c->matcher,
		.memos = recipient ? NULL : m->memos,
		.recipient = recipient,
		.headers_now = headers_now(c, m),
		.limit_hits = c->limit_hits,
		.failed_lookups = c->failed_lookups,
		.regex_time = c->regex_time,
	};
	enum tri answer = cond_eval(m->conf->when, &c->facts, &run);

	arena_reset(&c->scratch);
	c->limit_hits = run.limit_hits;
	c->failed_lookups = run.failed_lookups;
	c->regex_time = run.regex_time;
	return answer;
}

static enum tri for_recipient(struct chain *c, const struct member *m,
			      size_t at)
{
	struct slice address =
		facts_address(c->journal->rcpts[at].envelope.address);

	return evaluate(c, m, &address);
}

enum tri choose_recipient(struct chain *c, const struct member *m, size_t at)
{
	if (m->conf->recipients != RECIPIENTS_OWN || !choose_is_by_recipient(m))
		return TRI_TRUE;
	return for_recipient(c, m, at);
}

/* All recipients, or any of them, each by itself. */
static enum tri over_recipients(struct chain *c, const struct member *m)
{
	const struct journal *j = c->journal;
	bool all = m->conf->recipients == RECIPIENTS_ALL;
	bool complete = facts_reached(&c->facts, STAGE_DATA);
	enum tri sum = all ? TRI_TRUE : TRI_FALSE;

	for (size_t i = 0; i < j->rcpt_count; i++) {
		enum tri one;

		if (j->rcpts[i].state == RCPT_REFUSED ||
		    (all && j->rcpts[i].state == RCPT_AT_HAND))
			continue;
		one = for_recipient(c, m, i);
		sum = all ? tri_and(sum, one) : tri_or(sum, one);
	}
	/* More may come: only what they cannot change is certain. */
	if (!complete && sum == (all ? TRI_TRUE : TRI_FALSE))
		return TRI_UNKNOWN;
	return sum;
}

/* Can nothing more become known for this child? */
static bool is_the_end(const struct chain *c, const struct member *m)
{
	struct verdict ignored;

	if (c->event != STAGE_EOM)
		return false;
	for (unsigned i = 0; i < m->index; i++)
		if (standing_of(c, &c->members[i], STAGE_EOM, &ignored) ==
		    STANDING_WAIT)
			return false;
	return true;
}

enum choice choose(struct chain *c, struct member *m)
{
	enum tri answer;

	if (m->mode == MODE_OFF || m->connection != CONNECTION_OPEN)
		return CHOICE_NO;
	if (c->event == STAGE_UNKNOWN || c->event == STAGE_COUNT ||
	    c->event < m->conf->join)
		return CHOICE_LATER;
	if (!m->conf->when)
		return CHOICE_YES;
	answer = c->journal->has_mail && choose_is_by_recipient(m) ?
			 over_recipients(c, m) :
			 evaluate(c, m, NULL);
	if (answer != TRI_UNKNOWN)
		return answer == TRI_TRUE ? CHOICE_YES : CHOICE_NO;
	return is_the_end(c, m) ? CHOICE_YES : CHOICE_LATER;
}

/* The first recipient that was accepted, by journal index. */
static bool first_accepted(const struct journal *j, size_t *at_out)
{
	for (size_t i = 0; i < j->rcpt_count; i++) {
		*at_out = i;
		if (j->rcpts[i].state == RCPT_ACCEPTED)
			return true;
	}
	return false;
}

bool choose_is_mixed(struct chain *c)
{
	size_t first, at = c->journal->rcpt_count - 1;

	if (!first_accepted(c->journal, &first))
		return false;
	for (unsigned i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];

		if (m->mode != MODE_ON || m->conf->mixed != MIXED_DEFER ||
		    !m->conf->when || !cond_uses(m->conf->when, FACT_RECIPIENT))
			continue;
		if (for_recipient(c, m, first) != for_recipient(c, m, at))
			return true;
	}
	return false;
}
