#include "tool/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/macro.h"
#include "tool/eml.h"

struct play {
	struct arena *arena;
	const struct conf *conf;
	const struct explain_settings *set;
	struct explain *out;
	struct facts facts;
	struct rule_state state;
	struct cond_run cond;
	struct header_list headers;
	struct buf macros; /* of the stage at hand */
	bool has_ended;
};

/* ---- what rules do ---- */

/* The place behind the last event. */
static struct explain_event *add_event(struct play *p, enum stage stage,
				       const struct rule *rule)
{
	struct explain_event **at = &p->out->events;
	struct explain_event *e = arena_take(p->arena, sizeof(*e));

	if (!e)
		return NULL;
	e->stage = stage;
	e->rule = rule;
	if (p->cond.recipient)
		e->recipient = *p->cond.recipient;
	while (*at)
		at = &(*at)->next;
	*at = e;
	return e;
}

__attribute__((format(printf, 4, 5))) static bool
say(struct play *p, enum stage stage, const struct rule *rule,
    const char *format, ...)
{
	struct explain_event *e = add_event(p, stage, rule);
	char text[1200];
	va_list args;

	if (!e)
		return false;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return arena_copy(p->arena, slice_str(text), &e->text);
}

static bool say_notes(struct play *p, enum stage stage, const char *what,
		      const struct rule_note *n)
{
	for (; n; n = n->next)
		if (!say(p, stage, n->rule, "%s%s%.*s", what,
			 n->text.len ? " " : "", SLICE_ARG(n->text)))
			return false;
	return true;
}

static bool say_effects(struct play *p, enum stage stage,
			const struct rule_effects *e)
{
	bool ok = say_notes(p, stage, "could not be decided", e->unknown) &&
		  say_notes(p, stage, "log", e->logs) &&
		  say_notes(p, stage, "quarantine", e->quarantine);

	for (const struct rule_macro *m = e->macros; ok && m; m = m->next)
		ok = say(p, stage, m->rule, "macro %.*s%s=%.*s",
			 SLICE_ARG(m->name), m->if_missing ? "?" : "",
			 SLICE_ARG(m->value));
	for (const struct rule_header *h = e->headers; ok && h; h = h->next)
		ok = say(p, stage, h->rule, "header %.*s: %.*s",
			 SLICE_ARG(h->name), SLICE_ARG(h->value));
	if (ok && e->has_verdict)
		ok = say(p, stage, e->by, "%s%s%.*s",
			 rule_action_name(e->verdict), e->reply.len ? " " : "",
			 SLICE_ARG(e->reply));
	return ok;
}

static void end_by(struct play *p, enum stage stage,
		   const struct rule_effects *e)
{
	p->has_ended = true;
	p->out->verdict = e->verdict;
	p->out->by = e->by;
	p->out->verdict_stage = stage;
	p->out->reply = e->reply;
}

/* ---- items ---- */

static bool decided(const struct explain_item *i)
{
	return i->is_final;
}

/* Waits for milters, of which nobody said what they answer? */
static bool waits(const struct play *p, const struct cond *c)
{
	uint64_t asked = cond_milters(c);

	for (size_t i = 0; i < FACTS_MILTERS_MAX; i++)
		if (asked & UINT64_C(1) << i &&
		    p->facts.milters[i].word == FACT_MILTER_OPEN)
			return true;
	return cond_uses(c, FACT_HEADER_NOW) && !p->cond.headers_now;
}

static enum tri ask(struct play *p, struct explain_item *item)
{
	return cond_explain(item->when, &p->facts, &p->cond, item->reasons,
			    EXPLAIN_REASONS_MAX, &item->reason_count);
}

/* A milter that a rule takes out: the first one is told. */
static bool skip(struct play *p, enum stage stage, const struct rule *rule,
		 uint64_t milters)
{
	for (size_t m = 0; m < p->out->milter_count; m++) {
		struct explain_item *item = &p->out->items[m];

		if (!(milters & UINT64_C(1) << m) || item->skipped_by)
			continue;
		item->skipped_by = rule;
		item->skipped_at = stage;
		if (!say(p, stage, rule, "skip %s", item->name))
			return false;
	}
	return true;
}

/* It fired, at rcpt perhaps for the one at hand only. */
static bool note_fired(struct play *p, enum stage stage,
		       const struct rule *rule)
{
	size_t index = (size_t)(rule - rules_at(p->conf->rules, 0));
	struct explain_item *item =
		&p->out->items[p->out->milter_count + index];
	const struct slice *at_hand = p->cond.recipient;

	if (!item->is_final || item->answer != TRI_TRUE) {
		item->answer = ask(p, item);
		item->is_final = true;
		item->stage = stage;
	}
	if (!at_hand || !rule->per_recipient)
		return true;
	if (!item->recipients)
		item->recipients = arena_take_n(p->arena, p->set->rcpt_count,
						sizeof(*item->recipients));
	if (!item->recipients)
		return false;
	item->recipients[item->recipient_count++] = *at_hand;
	return true;
}

/* Points and skipped milters, which are told as sums only. */
static bool say_fired(struct play *p, enum stage stage,
		      const struct rule_note *n)
{
	for (; n; n = n->next) {
		if (!note_fired(p, stage, n->rule))
			return false;
		for (size_t i = 0; i < n->rule->action_count; i++) {
			const struct rule_action *a = &n->rule->actions[i];

			if ((a->kind == RULE_SCORE &&
			     !say(p, stage, n->rule, "score %g",
				  (double)a->score / 1000)) ||
			    !skip(p, stage, n->rule, a->milters))
				return false;
		}
	}
	return true;
}

/*
 * The same for each recipient: all of them, or any, and which ones.  The
 * reasons are those of the first one that answered as the whole does.
 */
static enum tri ask_recipients(struct play *p, struct explain_item *item)
{
	bool all = item->milter->recipients == RECIPIENTS_ALL;
	const struct fact_recipients *r = &p->facts.recipients;
	enum tri sum = tri_of(all);
	size_t first[TRI_COUNT] = { r->count, r->count, r->count };

	item->recipients = arena_take_n(p->arena, r->count,
					sizeof(*item->recipients));
	item->recipient_count = 0;
	for (size_t i = 0; i < r->count && item->recipients; i++) {
		enum tri one;

		p->cond.recipient = &r->items[i];
		one = ask(p, item);
		if (one == TRI_TRUE)
			item->recipients[item->recipient_count++] =
				r->items[i];
		if (first[one] == r->count)
			first[one] = i;
		sum = all ? tri_and(sum, one) : tri_or(sum, one);
	}
	if (first[sum] < r->count) {
		p->cond.recipient = &r->items[first[sum]];
		ask(p, item);
	}
	p->cond.recipient = NULL;
	return sum;
}

static void ask_item(struct play *p, struct explain_item *item,
		     enum stage stage)
{
	bool by_recipient = item->milter &&
			    item->milter->recipients != RECIPIENTS_ANY &&
			    stage >= STAGE_DATA;

	if (decided(item))
		return;
	item->answer = by_recipient ? ask_recipients(p, item) : ask(p, item);
	item->stage = stage;
	item->is_final = item->answer != TRI_UNKNOWN;
	item->has_failed = item->answer == TRI_UNKNOWN &&
			   stage >= cond_known_from(item->when) &&
			   !waits(p, item->when);
}

/* Behind a verdict no milter is asked, and no rule below that one. */
static bool is_over(const struct play *p, const struct explain_item *item)
{
	return p->has_ended &&
	       (item->milter || !p->out->by ||
		item->index > (size_t)(p->out->by -
				       rules_at(p->conf->rules, 0)));
}

/* Each is asked until it is decided; a rule that fired is. */
static void ask_all(struct play *p, enum stage stage)
{
	for (size_t i = 0; i < p->out->milter_count + p->out->rule_count; i++) {
		struct explain_item *item = &p->out->items[i];

		arena_reset(p->cond.scratch);
		if (is_over(p, item))
			continue;
		/* all and own are about recipients that are all there. */
		if (item->milter && item->milter->recipients != RECIPIENTS_ANY &&
		    stage == STAGE_RCPT)
			continue;
		if (item->when)
			ask_item(p, item, stage);
	}
}

/* ---- the stages ---- */

static bool run_rules(struct play *p, enum stage stage, bool behind,
		      bool *refused_out)
{
	struct rule_run run = { .stage = stage,
				.behind_milters = behind,
				.arena = p->arena,
				.cond = &p->cond };
	struct rule_effects e;
	bool ok;

	*refused_out = false;
	if (p->has_ended)
		return true;
	arena_reset(p->cond.scratch);
	ok = rules_run(p->conf->rules, &p->facts, &p->state, &run, &e);
	p->cond.memos = NULL;
	if (!ok || !say_effects(p, stage, &e) || !say_fired(p, stage, e.fired))
		return false;
	p->out->is_quarantined |= e.quarantine != NULL;
	if (!e.has_verdict)
		return true;
	*refused_out = stage == STAGE_RCPT && (e.verdict == RULE_REJECT ||
					       e.verdict == RULE_TEMPFAIL);
	if (!*refused_out)
		end_by(p, stage, &e);
	else
		p->out->reply = e.reply;
	return true;
}

/* The milters of the command line, as far as they may have spoken by now. */
static void suppose(struct play *p)
{
	for (size_t i = 0; i < p->set->milter_count; i++) {
		const struct explain_pair *m = &p->set->milter[i];

		for (size_t j = 0; j < p->out->milter_count; j++)
			if (slice_is_case(m->name, p->out->items[j].name))
				facts_set_milter(&p->facts, j,
						 facts_milter_find(m->value));
	}
}

/* All of a stage, once its facts are set. */
static bool step(struct play *p, enum stage stage)
{
	bool refused;

	if (p->has_ended)
		return true;
	facts_reach(&p->facts, stage);
	p->out->reached = stage;
	if (!run_rules(p, stage, false, &refused))
		return false;
	ask_all(p, stage);
	if (stage == STAGE_EOM) {
		suppose(p);
		p->cond.headers_now = &p->headers;
		ask_all(p, stage);
	}
	return run_rules(p, stage, true, &refused);
}

static bool add_macro(struct play *p, const char *name, struct slice value)
{
	return value.len == 0 ||
	       (buf_add_str(&p->macros, slice_str(name)) &&
		buf_add_str(&p->macros, value));
}

/* Those of the command line that come with this stage, before our own. */
static bool given_macros(struct play *p, enum stage stage)
{
	buf_clear(&p->macros);
	for (size_t i = 0; i < p->set->macro_count; i++) {
		const struct explain_pair *m = &p->set->macro[i];

		if (facts_macro_stage(m->name) == stage &&
		    (!buf_add_str(&p->macros, m->name) ||
		     !buf_add_str(&p->macros, m->value)))
			return false;
	}
	return true;
}

static bool set_macros(struct play *p, enum stage stage)
{
	struct slice copy;

	if (!arena_copy(p->arena, buf_slice(&p->macros), &copy))
		return false;
	facts_set_macros(&p->facts, stage, copy);
	return true;
}

static bool play_connection(struct play *p)
{
	const struct explain_settings *s = p->set;
	struct facts *f = &p->facts;

	if (!given_macros(p, STAGE_CONNECT) ||
	    !add_macro(p, "{client_addr}", s->client) ||
	    !add_macro(p, "{client_name}", s->name) ||
	    !add_macro(p, "{daemon_name}", s->daemon) ||
	    !set_macros(p, STAGE_CONNECT))
		return false;
	facts_set_client(f, s->client);
	facts_set_text(f, FACT_CLIENT_NAME, s->name);
	facts_set_number(f, FACT_CLIENT_PORT, s->port);
	facts_set_text(f, FACT_DAEMON_NAME, s->daemon);
	if (!step(p, STAGE_CONNECT) || !given_macros(p, STAGE_HELO) ||
	    !add_macro(p, "{tls_version}", s->tls) ||
	    !set_macros(p, STAGE_HELO))
		return false;
	facts_set_text(f, FACT_HELO, s->helo);
	facts_set_text(f, FACT_TLS_VERSION, s->tls);
	return step(p, STAGE_HELO);
}

static bool set_mail(struct play *p)
{
	const struct explain_settings *s = p->set;
	struct slice args;

	buf_clear(&p->macros);
	for (size_t i = 0; i < s->arg_count; i++)
		if (!buf_add_str(&p->macros, s->arg[i]))
			return false;
	return arena_copy(p->arena, buf_slice(&p->macros), &args) &&
	       facts_set_mail(&p->facts, s->from, args);
}

static bool play_mail(struct play *p)
{
	const struct explain_settings *s = p->set;
	struct facts *f = &p->facts;

	facts_begin_message(f, p->arena);
	rule_state_begin_message(&p->state, p->conf->rules);
	if (!set_mail(p) || !given_macros(p, STAGE_MAIL) ||
	    !add_macro(p, "{auth_authen}", s->auth) ||
	    !add_macro(p, "{mail_addr}", facts_address(s->from)) ||
	    !set_macros(p, STAGE_MAIL))
		return false;
	facts_set_bool(f, FACT_AUTHENTICATED, s->auth.len > 0);
	facts_set_text(f, FACT_AUTH_USER, s->auth);
	facts_set_number(f, FACT_LOAD, s->load);
	facts_set_number(f, FACT_SESSIONS, s->sessions);
	facts_set_number(f, FACT_SESSION_AGE, s->age);
	facts_set_day(f, s->second, s->weekday);
	return step(p, STAGE_MAIL);
}

static bool play_recipient(struct play *p, struct slice address)
{
	struct slice at_hand = facts_address(address);
	bool refused = false;
	bool ok;

	if (!given_macros(p, STAGE_RCPT) ||
	    !add_macro(p, "{rcpt_addr}", at_hand) ||
	    !set_macros(p, STAGE_RCPT))
		return false;
	facts_reach(&p->facts, STAGE_RCPT);
	p->out->reached = STAGE_RCPT;
	p->cond.recipient = &at_hand;
	ok = run_rules(p, STAGE_RCPT, false, &refused) &&
	     (refused || run_rules(p, STAGE_RCPT, true, &refused));
	p->cond.recipient = NULL;
	if (!ok)
		return false;
	return refused || p->has_ended ||
	       facts_add_recipient(&p->facts, address);
}

static bool play_recipients(struct play *p)
{
	for (size_t i = 0; i < p->set->rcpt_count && !p->has_ended; i++) {
		if (!play_recipient(p, p->set->rcpt[i]))
			return false;
		if (!p->has_ended)
			ask_all(p, STAGE_RCPT);
	}
	if (p->has_ended || p->facts.recipients.count)
		return true;
	p->has_ended = true;
	p->out->verdict = RULE_REJECT;
	p->out->verdict_stage = STAGE_RCPT;
	return true;
}

static bool play_content(struct play *p, struct slice message)
{
	struct eml eml;

	if (!eml_parse(p->arena, message, &eml) ||
	    !header_list_init(&p->headers, p->arena, MTA_POSTFIX))
		return false;
	facts_set_headers(&p->facts, &p->headers);
	for (size_t i = 0; i < eml.count; i++) {
		const struct eml_header *h = &eml.headers[i];

		if (!header_list_append(&p->headers, h->name,
					eml_unspaced(h->raw)))
			return false;
		facts_add_size(&p->facts, h->name.len + h->raw.len + 3);
		if (!step(p, STAGE_HEADER))
			return false;
	}
	facts_add_size(&p->facts, 2);
	if (!given_macros(p, STAGE_EOH) || !set_macros(p, STAGE_EOH) ||
	    !step(p, STAGE_EOH))
		return false;
	facts_add_size(&p->facts, eml.body.len);
	if (!facts_set_body(&p->facts, eml.body) || !step(p, STAGE_BODY) ||
	    !given_macros(p, STAGE_EOM) || !set_macros(p, STAGE_EOM))
		return false;
	return step(p, STAGE_EOM);
}

static bool play_all(struct play *p, struct slice message)
{
	if (!play_connection(p))
		return false;
	if (p->has_ended || !p->set->has_from)
		return true;
	if (!play_mail(p))
		return false;
	if (p->has_ended || p->set->rcpt_count == 0)
		return true;
	if (!play_recipients(p))
		return false;
	if (p->has_ended)
		return true;
	facts_set_text(&p->facts, FACT_QUEUE_ID, p->set->queue_id);
	if (!given_macros(p, STAGE_DATA) ||
	    !add_macro(p, "i", p->set->queue_id) ||
	    !set_macros(p, STAGE_DATA) || !step(p, STAGE_DATA))
		return false;
	return p->has_ended || !p->set->file || play_content(p, message);
}

/* ---- before and after ---- */

static bool make_items(struct play *p)
{
	const struct conf *conf = p->conf;
	struct explain *e = p->out;
	size_t rules = rules_count(conf->rules);

	e->items = arena_take_n(p->arena, conf->milter_count + rules,
				sizeof(*e->items));
	if (!e->items)
		return false;
	e->milter_count = conf->milter_count;
	e->rule_count = rules;
	for (size_t i = 0; i < conf->milter_count; i++)
		e->items[i] = (struct explain_item){
			.name = conf->milters[i].name,
			.when = conf->milters[i].when,
			.milter = &conf->milters[i],
			.index = i,
			.answer = conf->milters[i].when ? TRI_UNKNOWN :
							  TRI_TRUE,
			.is_final = conf->milters[i].when == NULL,
		};
	for (size_t i = 0; i < rules; i++)
		e->items[conf->milter_count + i] = (struct explain_item){
			.name = conf->rule_texts[i].name,
			.when = rules_at(conf->rules, i)->when,
			.index = i,
			.answer = TRI_UNKNOWN,
		};
	return true;
}

bool explain_play(struct arena *arena, const struct conf *conf,
		  const struct explain_settings *set, struct slice message,
		  struct explain *out)
{
	struct play p = { .arena = arena, .conf = conf, .set = set,
			  .out = out };
	struct arena scratch;
	bool ok;

	*out = (struct explain){ .set = set, .verdict = RULE_ACTION_COUNT };
	arena_init(&scratch, (size_t)64 << 20);
	buf_init(&p.macros, (size_t)4 << 20);
	p.cond.scratch = &scratch;
	p.cond.matcher = cond_matcher_new();
	facts_init(&p.facts, rules_score_grows(conf->rules));
	ok = p.cond.matcher && make_items(&p) &&
	     rule_state_init(&p.state, conf->rules, arena) &&
	     play_all(&p, message);
	cond_matcher_free(&p.cond.matcher);
	buf_deinit(&p.macros);
	arena_deinit(&scratch);
	return ok;
}

const struct explain_item *explain_find(const struct explain *e,
					const char *name)
{
	for (size_t i = 0; i < e->milter_count + e->rule_count; i++)
		if (slice_is_case(slice_str(name), e->items[i].name))
			return &e->items[i];
	return NULL;
}

static enum explain_status status_of(const struct explain_item *of)
{
	if (of->skipped_by)
		return EXPLAIN_NO;
	if (of->answer == TRI_UNKNOWN && of->has_failed && of->milter)
		return EXPLAIN_YES;
	if (of->answer == TRI_UNKNOWN)
		return EXPLAIN_UNKNOWN;
	return of->answer == TRI_TRUE ? EXPLAIN_YES : EXPLAIN_NO;
}

enum explain_status explain_status(const struct explain *e,
				   const struct explain_item *of)
{
	if (of)
		return status_of(of);
	if (e->verdict == RULE_REJECT)
		return EXPLAIN_REJECT;
	if (e->verdict == RULE_TEMPFAIL)
		return EXPLAIN_TEMPFAIL;
	if (e->verdict == RULE_DISCARD)
		return EXPLAIN_DISCARD;
	return e->is_quarantined ? EXPLAIN_QUARANTINE : EXPLAIN_YES;
}
