#include "worker/rulebook.h"

#include <errno.h>

#include "shared/log.h"
#include "shared/macro.h"
#include "worker/chain.h"

void rulebook_init(struct rulebook *b, const struct rules *rules)
{
	*b = (struct rulebook){ .rules = rules };
	buf_init(&b->pairs, (size_t)4 * MILTER_PAYLOAD_MAX);
}

bool rulebook_begin_session(struct rulebook *b, struct arena *session)
{
	b->of_connection = b->of_message = NULL;
	b->headers = NULL;
	b->quarantine = NULL;
	b->skip_connection = 0;
	b->accepts_connection = b->accepts_message = false;
	return rule_state_init(&b->state, b->rules, session);
}

void rulebook_begin_helo(struct rulebook *b)
{
	rule_state_begin_helo(&b->state, b->rules);
}

void rulebook_begin_message(struct rulebook *b)
{
	rulebook_end_message(b);
	rule_state_begin_message(&b->state, b->rules);
}

void rulebook_end_message(struct rulebook *b)
{
	b->of_message = NULL;
	b->headers = NULL;
	b->quarantine = NULL;
	b->accepts_message = false;
}

/* ---- carrying out ---- */

static bool keep_macros(struct rulebook *b, struct arena *arena,
			enum stage stage, const struct rule_macro *macros)
{
	struct rulebook_macro **list =
		stage <= STAGE_HELO ? &b->of_connection : &b->of_message;

	for (; macros; macros = macros->next) {
		struct rulebook_macro *m = arena_take(arena, sizeof(*m));

		if (!m)
			return false;
		*m = (struct rulebook_macro){ *list, stage, macros->name,
					      macros->value,
					      macros->if_missing };
		*list = m;
	}
	return true;
}

/* As the MTA will have it: with its leading space where that is negotiated. */
static bool keep_headers(struct chain *c, struct rule_header *headers)
{
	struct rule_header **last = &c->book.headers;

	while (*last)
		last = &(*last)->next;
	*last = headers;
	for (; c->mta_leadspc && headers; headers = headers->next) {
		char *value =
			arena_take(c->message_arena, headers->value.len + 2);

		if (!value)
			return false;
		value[0] = ' ';
		memcpy(value + 1, headers->value.data, headers->value.len);
		headers->value = slice_of(value, headers->value.len + 1);
	}
	return true;
}

static void keep_quarantine(struct rulebook *b, const struct rule_effects *e)
{
	struct rule_note **note = &b->quarantine;

	while (*note)
		note = &(*note)->next;
	*note = e->quarantine;
}

static void skip_members(struct chain *c, enum stage stage, uint64_t skip)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		if (!(skip & UINT64_C(1) << i))
			continue;
		m->passed_over = m->skipped_by_rule = true;
		if (c->journal->has_mail)
			facts_set_milter(&c->facts, i, FACT_MILTER_SKIPPED);
		if (m->joined && m->state == MEMBER_GOING) {
			m->state = MEMBER_RELEASED;
			member_release(m);
		}
		m->joined = false;
	}
	if (stage <= STAGE_HELO)
		c->book.skip_connection |= skip;
}

/* A rule's accept: the children's words so far stand, no more are asked. */
static void accept_for_all(struct chain *c, enum stage stage)
{
	if (stage <= STAGE_HELO)
		c->book.accepts_connection = true;
	else
		c->book.accepts_message = true;
	for (unsigned i = 0; i < c->count; i++) {
		struct member *m = &c->members[i];

		if (m->connection == CONNECTION_OPEN && stage <= STAGE_HELO)
			m->connection = CONNECTION_ACCEPTED;
		if (m->state != MEMBER_GOING)
			continue;
		m->passed_over = m->skipped_by_rule = true;
		m->left = m->view;
		if (m->joined)
			m->state = MEMBER_RELEASED;
		member_release(m);
	}
}

static void tell_log(const struct rule_effects *e)
{
	for (const struct rule_note *n = e->logs; n; n = n->next)
		log_info("rule \"%.*s\": %.*s", SLICE_ARG(n->rule->name),
			 SLICE_ARG(n->text));
	for (const struct rule_note *n = e->unknown; n; n = n->next)
		log_warn("rule \"%.*s\": its condition could not be told",
			 SLICE_ARG(n->rule->name));
}

static enum verdict_kind kind_of(enum rule_action_kind verdict)
{
	if (verdict == RULE_REJECT)
		return VERDICT_REJECT;
	return verdict == RULE_TEMPFAIL ? VERDICT_TEMPFAIL : VERDICT_DISCARD;
}

static enum rulebook_said carry_out(struct chain *c, enum stage stage,
				    const struct rule_effects *e,
				    struct verdict *verdict_out)
{
	keep_quarantine(&c->book, e);
	tell_log(e);
	skip_members(c, stage, e->skip);
	if (!e->has_verdict)
		return RULES_SILENT;
	if (e->verdict == RULE_ACCEPT) {
		accept_for_all(c, stage);
		return RULES_ACCEPT;
	}
	*verdict_out = (struct verdict){ .kind = kind_of(e->verdict),
					 .reply = e->reply,
					 .by = -1,
					 .stage = stage,
					 .rule = e->by->name };
	return RULES_NO;
}

enum rulebook_said rulebook_run(struct chain *c, enum stage stage, bool behind,
				struct verdict *verdict_out)
{
	struct arena *arena =
		c->journal->has_mail ? c->message_arena : c->session_arena;
	struct slice recipient;
	struct cond_run cond = {
		.scratch = &c->scratch,
		.matcher = c->matcher,
		.headers_now = chain_headers_now(c),
		.limit_hits = c->limit_hits,
		.failed_lookups = c->failed_lookups,
		.regex_time = c->regex_time,
	};
	const struct rule_run run = { stage, behind, arena, &cond };
	struct rule_effects effects;
	bool ok;

	if (!rules_count(c->book.rules) || c->book.accepts_connection ||
	    c->book.accepts_message)
		return RULES_SILENT;
	if (stage == STAGE_RCPT) {
		recipient = facts_address(
			c->journal->rcpts[c->journal->rcpt_count - 1]
				.envelope.address);
		cond.recipient = &recipient;
	}
	ok = rules_run(c->book.rules, &c->facts, &c->book.state, &run,
		       &effects) &&
	     keep_macros(&c->book, arena, stage, effects.macros) &&
	     keep_headers(c, effects.headers);
	arena_reset(&c->scratch);
	c->limit_hits = cond.limit_hits;
	c->failed_lookups = cond.failed_lookups;
	c->regex_time = cond.regex_time;
	if (ok)
		return carry_out(c, stage, &effects, verdict_out);
	c->no_space = ENOMEM;
	*verdict_out = (struct verdict){ .kind = VERDICT_TEMPFAIL,
					 .by = -1,
					 .stage = stage };
	return RULES_NO;
}

/* ---- macros ---- */

static bool add_macros(struct buf *pairs, const struct rulebook_macro *m,
		       enum stage stage, struct slice mtas)
{
	bool ok = true;
	struct slice ignored;

	/* Newest first: a later rule's value stands before an earlier one's. */
	for (; m && ok; m = m->next)
		if (m->from <= stage &&
		    !(m->if_missing && macro_find(mtas, m->name, &ignored)))
			ok = buf_add_str(pairs, m->name) &&
			     buf_add_str(pairs, m->value);
	return ok;
}

struct journal_macros rulebook_macros(struct rulebook *b, enum stage stage,
				      const struct journal_macros *mtas)
{
	struct slice own = mtas->came ? mtas->pairs : SLICE_EMPTY;

	if (!b->of_connection && !b->of_message)
		return *mtas;
	buf_clear(&b->pairs);
	if (!add_macros(&b->pairs, b->of_message, stage, own) ||
	    !add_macros(&b->pairs, b->of_connection, stage, own) ||
	    !buf_len(&b->pairs) || !buf_add(&b->pairs, own))
		return *mtas;
	return (struct journal_macros){ true, buf_slice(&b->pairs) };
}
