#include "shared/rule.h"

#include "shared/rule_text.h"

struct rules {
	struct rule *list;
	size_t count;
	size_t memos;
	uint64_t milters;
	unsigned kinds; /* bit by enum rule_action_kind */
	bool score_grows;
};

/* ---- what is known about them ---- */

static void look_at_action(struct rules *rules, const struct rule_action *a)
{
	rules->kinds |= 1u << a->kind;
	if (a->kind == RULE_SCORE && a->score < 0)
		rules->score_grows = false;
}

static void note_rcpt_macro(void *context, struct slice name, enum stage stage)
{
	bool *is_there = context;

	(void)name;
	*is_there |= stage == STAGE_RCPT;
}

static void look_at(struct rules *rules, struct rule *r)
{
	r->per_recipient = cond_uses(r->when, FACT_RECIPIENT);
	cond_each_macro(r->when, note_rcpt_macro, &r->per_recipient);
	r->waits = cond_milters(r->when) ||
		   cond_uses(r->when, FACT_HEADER_NOW) ||
		   cond_uses(r->when, FACT_SCORE);
	r->memo = rules->memos;
	rules->memos += cond_memos(r->when);
	rules->milters |= cond_milters(r->when);
	for (size_t i = 0; i < r->action_count; i++)
		look_at_action(rules, &r->actions[i]);
	if (r->on_unknown)
		look_at_action(rules, r->on_unknown);
}

const struct rules *rules_new(struct arena *arena, struct rule *list,
			      size_t count)
{
	struct rules *rules = arena_take(arena, sizeof(*rules));

	if (!rules)
		return NULL;
	*rules = (struct rules){ .list = list,
				 .count = count,
				 .score_grows = true };
	for (size_t i = 0; i < count; i++)
		look_at(rules, &list[i]);
	return rules;
}

size_t rules_count(const struct rules *rules)
{
	return rules->count;
}

const struct rule *rules_at(const struct rules *rules, size_t index)
{
	return &rules->list[index];
}

bool rules_score_grows(const struct rules *rules)
{
	return rules->score_grows;
}

uint64_t rules_milters(const struct rules *rules)
{
	return rules->milters;
}

static bool text_uses(const struct rule_action *a, enum fact fact)
{
	for (size_t i = 0; i < a->part_count; i++)
		if (a->parts[i].fact == fact)
			return true;
	return false;
}

bool rules_use(const struct rules *rules, enum fact fact)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *r = &rules->list[i];

		if (cond_uses(r->when, fact) ||
		    (r->on_unknown && text_uses(r->on_unknown, fact)))
			return true;
		for (size_t j = 0; j < r->action_count; j++)
			if (text_uses(&r->actions[j], fact))
				return true;
	}
	return false;
}

bool rules_do(const struct rules *rules, enum rule_action_kind kind)
{
	return rules->kinds & 1u << kind;
}

static void each_macro_of(const struct rule_action *a,
			  void (*fn)(void *context, struct slice name,
				     enum stage stage),
			  void *context)
{
	for (size_t i = 0; i < a->part_count; i++)
		if (a->parts[i].fact == FACT_MACRO)
			fn(context, a->parts[i].name, a->parts[i].stage);
}

void rules_each_macro(const struct rules *rules,
		      void (*fn)(void *context, struct slice name,
				 enum stage stage),
		      void *context)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *r = &rules->list[i];

		cond_each_macro(r->when, fn, context);
		for (size_t j = 0; j < r->action_count; j++)
			each_macro_of(&r->actions[j], fn, context);
		if (r->on_unknown)
			each_macro_of(r->on_unknown, fn, context);
	}
}

/* ---- the state of a session ---- */

bool rule_state_init(struct rule_state *s, const struct rules *rules,
		     struct arena *session)
{
	*s = (struct rule_state){ .memo_count = rules->memos };
	s->fired = arena_take(session, rules->count);
	s->unknown = arena_take(session, rules->count);
	s->memos = arena_take_n(session, rules->memos, sizeof(*s->memos));
	return s->fired && s->unknown && s->memos;
}

static void forget(struct rule_state *s, const struct rules *rules,
		   enum stage from, enum stage to)
{
	for (size_t i = 0; i < rules->count; i++) {
		if (s->fired[i] < from + 1u || s->fired[i] > to + 1u)
			continue;
		s->fired[i] = 0;
		s->unknown[i] = 0;
	}
}

void rule_state_begin_helo(struct rule_state *s, const struct rules *rules)
{
	forget(s, rules, STAGE_HELO, STAGE_HELO);
}

void rule_state_begin_message(struct rule_state *s, const struct rules *rules)
{
	forget(s, rules, STAGE_MAIL, STAGE_EOM);
	if (s->memo_count)
		memset(s->memos, 0, s->memo_count * sizeof(*s->memos));
}

/* ---- carrying out ---- */

struct walk {
	const struct rules *rules;
	struct facts *facts;
	struct rule_state *state;
	const struct rule_run *run;
	struct rule_effects *effects;
};

/* About a message: at connect and helo there is none yet. */
static bool needs_message(enum rule_action_kind kind)
{
	return kind == RULE_DISCARD || kind == RULE_QUARANTINE ||
	       kind == RULE_HEADER;
}

static bool add_note(struct arena *arena, struct rule_note **list,
		     const struct rule *rule, struct slice text)
{
	struct rule_note *note = arena_take(arena, sizeof(*note));

	if (!note)
		return false;
	*note = (struct rule_note){ .rule = rule, .text = text };
	while (*list)
		list = &(*list)->next;
	*list = note;
	return true;
}

static bool add_header(struct walk *w, const struct rule *rule,
		       const struct rule_action *a, struct slice value)
{
	struct rule_header **at = &w->effects->headers;
	struct rule_header *h = arena_take(w->run->arena, sizeof(*h));

	if (!h)
		return false;
	*h = (struct rule_header){ .rule = rule,
				   .name = a->name,
				   .value = value };
	while (*at)
		at = &(*at)->next;
	*at = h;
	return true;
}

static bool add_macro(struct walk *w, const struct rule *rule,
		      const struct rule_action *a, struct slice value)
{
	struct rule_macro **at = &w->effects->macros;
	struct rule_macro *m;
	struct slice theirs;

	if (a->if_missing &&
	    (value.len == 0 ||
	     facts_macro(w->facts, a->name, w->run->stage, &theirs)))
		return true;
	m = arena_take(w->run->arena, sizeof(*m));
	if (!m)
		return false;
	*m = (struct rule_macro){ .rule = rule,
				  .name = a->name,
				  .value = value,
				  .if_missing = a->if_missing };
	while (*at)
		at = &(*at)->next;
	*at = m;
	return true;
}

static bool set_verdict(struct walk *w, const struct rule *rule,
			const struct rule_action *a)
{
	struct rule_effects *e = w->effects;

	e->has_verdict = true;
	e->verdict = a->kind;
	e->by = rule;
	if (a->kind != RULE_REJECT && a->kind != RULE_TEMPFAIL)
		return true;
	return rule_reply(w->run->arena, a, w->facts, w->run->cond->recipient,
			  &e->reply);
}

static bool do_action(struct walk *w, const struct rule *rule,
		      const struct rule_action *a)
{
	struct rule_effects *e = w->effects;
	struct slice text = SLICE_EMPTY;

	if (a->part_count && !rule_is_verdict(a->kind) &&
	    !rule_text(w->run->arena, a, w->facts, w->run->cond->recipient,
		       &text))
		return false;
	switch (a->kind) {
	case RULE_ACCEPT:
	case RULE_REJECT:
	case RULE_TEMPFAIL:
	case RULE_DISCARD:
		return set_verdict(w, rule, a);
	case RULE_QUARANTINE:
		return add_note(w->run->arena, &e->quarantine, rule, text);
	case RULE_SKIP:
		e->skip |= a->milters;
		return true;
	case RULE_MACRO:
		return add_macro(w, rule, a, text);
	case RULE_HEADER:
		return add_header(w, rule, a, text);
	case RULE_SCORE:
		e->score += a->score;
		facts_add_score(w->facts, a->score);
		return true;
	case RULE_LOG:
		return add_note(w->run->arena, &e->logs, rule, text);
	case RULE_ACTION_COUNT:
		break;
	}
	return true;
}

/* Those of a rule that are due now; late: only what had to wait for MAIL. */
static bool do_actions(struct walk *w, const struct rule *rule,
		       const struct rule_action *list, size_t count, bool late)
{
	bool has_message = w->run->stage >= STAGE_MAIL;

	for (size_t i = 0; i < count; i++) {
		bool waits = needs_message(list[i].kind);

		if (late ? !waits : waits && !has_message)
			continue;
		if (!do_action(w, rule, &list[i]))
			return false;
	}
	return true;
}

static bool do_rule(struct walk *w, size_t index, bool late)
{
	const struct rule *rule = &w->rules->list[index];

	if (!w->state->unknown[index])
		return do_actions(w, rule, rule->actions, rule->action_count,
				  late);
	return !rule->on_unknown ||
	       do_actions(w, rule, rule->on_unknown, 1, late);
}

static bool fire(struct walk *w, size_t index)
{
	const struct rule *rule = &w->rules->list[index];

	w->state->fired[index] = (uint8_t)(w->run->stage + 1);
	return add_note(w->run->arena,
			w->state->unknown[index] ? &w->effects->unknown :
						   &w->effects->fired,
			rule, SLICE_EMPTY) &&
	       do_rule(w, index, false);
}

/* Has each milter that the condition asks had its final word? */
static bool have_spoken(const struct facts *facts, uint64_t milters)
{
	for (size_t i = 0; i < FACTS_MILTERS_MAX; i++)
		if (milters & UINT64_C(1) << i &&
		    facts->milters[i].word == FACT_MILTER_OPEN)
			return false;
	return true;
}

/* Is all there that the condition waits for, so that unknown is the end? */
static bool is_settled(const struct walk *w, const struct rule *rule)
{
	const struct rule_run *run = w->run;

	if (!rule->waits)
		return run->stage >= cond_known_from(rule->when);
	return run->stage == STAGE_EOM && run->behind_milters &&
	       have_spoken(w->facts, cond_milters(rule->when)) &&
	       (run->cond->headers_now ||
		!cond_uses(rule->when, FACT_HEADER_NOW));
}

static bool fires_again(const struct walk *w, const struct rule *rule,
			unsigned fired)
{
	return rule->per_recipient && w->run->stage == STAGE_RCPT &&
	       fired == STAGE_RCPT + 1u && !w->run->behind_milters;
}

static bool run_rule(struct walk *w, size_t index)
{
	const struct rule *rule = &w->rules->list[index];
	unsigned fired = w->state->fired[index];

	if (fired && fired <= STAGE_HELO + 1u && w->run->stage == STAGE_MAIL &&
	    !w->run->behind_milters)
		return do_rule(w, index, true);
	if (fired && !fires_again(w, rule, fired))
		return true;
	if (w->run->behind_milters && !rule->waits)
		return true;
	w->run->cond->memos = w->state->memos + rule->memo;
	switch (cond_eval(rule->when, w->facts, w->run->cond)) {
	case TRI_TRUE:
		return fire(w, index);
	case TRI_FALSE:
		return true;
	case TRI_UNKNOWN:
		break;
	}
	if (!is_settled(w, rule))
		return true;
	w->state->unknown[index] = true;
	return fire(w, index);
}

bool rules_run(const struct rules *rules, struct facts *facts,
	       struct rule_state *state, const struct rule_run *run,
	       struct rule_effects *effects_out)
{
	struct walk w = { rules, facts, state, run, effects_out };

	*effects_out = (struct rule_effects){ .verdict = RULE_ACTION_COUNT };
	if (run->stage >= STAGE_UNKNOWN)
		return true;
	for (size_t i = 0; i < rules->count && !effects_out->has_verdict; i++)
		if (!run_rule(&w, i))
			return false;
	return true;
}
