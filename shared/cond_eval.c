#include "shared/clock.h"
#include "shared/cond_tree.h"
#include "shared/mime_text.h"

/* What a test walks along with. */
struct walk {
	const struct cond_test *test;
	const struct facts *facts;
	struct cond_run *run;
};

/* ---- numbers ---- */

static bool number_fits(const struct cond_test *t, int64_t n)
{
	/* clang-format off */
	switch (t->op) {
	case COND_LT: return n < t->number;
	case COND_LE: return n <= t->number;
	case COND_GT: return n > t->number;
	case COND_GE: return n >= t->number;
	case COND_IS: return true;
	case COND_RANGES:
		for (size_t i = 0; i < t->range_count; i++)
			if (n >= t->ranges[i].low && n <= t->ranges[i].high)
				return true;
		return false;
	case COND_EQ: case COND_MATCH: case COND_NETWORK: case COND_TABLE:
		break;
	}
	/* clang-format on */
	return false;
}

/* Can n or anything larger still fit? */
static bool may_fit_later(const struct cond_test *t, int64_t n)
{
	if (t->op == COND_LT)
		return n < t->number;
	if (t->op == COND_LE)
		return n <= t->number;
	if (t->op != COND_RANGES)
		return true;
	for (size_t i = 0; i < t->range_count; i++)
		if (n <= t->ranges[i].high)
			return true;
	return false;
}

/*
 * The number is not the last one but can only become larger: more than a
 * limit is more for good.
 */
static enum tri growing_fits(const struct cond_test *t, int64_t n)
{
	if ((t->op == COND_GT || t->op == COND_GE) && number_fits(t, n))
		return TRI_TRUE;
	return may_fit_later(t, n) ? TRI_UNKNOWN : TRI_FALSE;
}

static bool grows(const struct facts *f, enum fact fact)
{
	return fact == FACT_SIZE || fact == FACT_RECIPIENT_COUNT ||
	       (fact == FACT_SCORE && f->score_grows);
}

static enum tri test_number(const struct walk *w)
{
	const struct cond_test *t = w->test;
	const struct fact_value *v = &w->facts->values[t->fact];

	if (!facts_known(w->facts, t->fact)) {
		if (!v->is_set || !grows(w->facts, t->fact))
			return TRI_UNKNOWN;
		return growing_fits(t, v->number);
	}
	return tri_of(v->is_set && number_fits(t, v->number));
}

/* ---- texts ---- */

static enum tri count_limit(struct cond_run *run)
{
	run->limit_hits++;
	return TRI_UNKNOWN;
}

static enum tri count_failure(struct cond_run *run)
{
	run->failed_lookups++;
	return TRI_UNKNOWN;
}

static bool regexes_used_up(const struct cond_run *run)
{
	return run->limit_hits >= COND_LIMIT_HITS_MAX ||
	       run->regex_time >= COND_REGEX_TIME_MAX;
}

static enum tri match(const struct walk *w, struct slice text)
{
	struct cond_run *run = w->run;
	uint64_t began;
	enum tri r;

	if (!run->matcher)
		return count_failure(run);
	if (regexes_used_up(run))
		return count_limit(run);
	began = clock_now();
	r = cond_match(w->test->regex, run->matcher, text);
	run->regex_time += clock_now() - began;
	return r == TRI_UNKNOWN ? count_limit(run) : r;
}

static enum table_answer ask(const struct walk *w, const struct table *table,
			     struct table_ask *a)
{
	struct cond_run *run = w->run;
	enum table_answer answer;
	uint64_t began;

	a->matcher = run->matcher;
	a->scratch = run->scratch;
	if (table_kind(table) != TABLE_REGEXP)
		return table_lookup(table, a);
	if (!run->matcher || regexes_used_up(run))
		return TABLE_UNKNOWN;
	began = clock_now();
	a->until = began + COND_REGEX_TIME_MAX - run->regex_time;
	answer = table_lookup(table, a);
	run->regex_time += clock_now() - began;
	return answer;
}

/*
 * Looks a value up in a table, as what its type says it is; *value becomes
 * what was found.
 */
static enum tri find(const struct walk *w, const struct table *table,
		     enum fact_type type, struct slice *value)
{
	struct table_ask a = { .key = { .kind = KEY_WORD, .text = *value } };

	if (type == FACT_IS_DOMAIN)
		a.key.kind = KEY_DOMAIN;
	else if (type == FACT_IS_MAILBOX)
		a.key.kind = KEY_MAILBOX;
	else if (type == FACT_IS_ADDRESS && w->facts->has_ip) {
		a.key.kind = KEY_IP;
		a.key.ip = w->facts->ip;
	}
	switch (ask(w, table, &a)) {
	case TABLE_YES:
		*value = a.value;
		return TRI_TRUE;
	case TABLE_NO:
		return TRI_FALSE;
	case TABLE_UNKNOWN:
		break;
	}
	if (table_kind(table) == TABLE_REGEXP && w->run->matcher)
		return count_limit(w->run);
	return count_failure(w->run);
}

/* Local parts are the receiving host's own affair, domains are not. */
static bool mailbox_equal(struct slice a, struct slice b)
{
	size_t at = a.len;

	if (a.len != b.len)
		return false;
	while (at > 0 && a.data[at - 1] != '@')
		at--;
	return slice_equal(slice_head(a, at), slice_head(b, at)) &&
	       slice_equal_case(slice_from(a, at), slice_from(b, at));
}

static bool text_equal(enum fact_type type, struct slice a, struct slice b)
{
	if (type == FACT_IS_MAILBOX)
		return mailbox_equal(a, b);
	if (type == FACT_IS_TEXT)
		return slice_equal(a, b);
	return slice_equal_case(a, b);
}

static bool text_number_fits(const struct cond_test *t, struct slice text)
{
	int64_t n;

	return cond_value_leading(text, &n) && number_fits(t, n);
}

/* Does this one value pass the test? */
static enum tri test_text(const struct walk *w, struct slice text)
{
	const struct cond_test *t = w->test;

	if (t->lookup) {
		enum tri found =
			find(w, t->lookup, facts_row(t->fact)->type, &text);

		if (found != TRI_TRUE || t->op == COND_IS)
			return found;
	}
	if (t->as_number)
		return tri_of(text_number_fits(t, text));
	switch (t->op) {
	case COND_IS:
		return tri_of(facts_row(t->fact)->is_list || text.len > 0);
	case COND_EQ:
		return tri_of(text_equal(t->type, text, t->word));
	case COND_MATCH:
		return match(w, text);
	case COND_TABLE:
		return find(w, t->table, t->type, &text);
	case COND_LT:
	case COND_LE:
	case COND_GT:
	case COND_GE:
	case COND_RANGES:
	case COND_NETWORK:
		break;
	}
	return TRI_FALSE;
}

static enum tri test_client(const struct walk *w)
{
	const struct facts *f = w->facts;
	const struct cond_test *t = w->test;

	if (t->lookup || t->op == COND_MATCH || t->op == COND_TABLE)
		return test_text(w, f->values[FACT_CLIENT_ADDR].text);
	if (!f->has_ip)
		return TRI_FALSE;
	return t->op == COND_NETWORK ?
		       tri_of(network_has(&t->network, &f->ip)) :
		       TRI_TRUE;
}

/* ---- lists ---- */

/* The end of a list: any of it, or none of it, or none that could be told. */
static enum tri list_end(const struct cond_memo *m, bool complete)
{
	if (!complete || m->doubtful)
		return TRI_UNKNOWN;
	return TRI_FALSE;
}

/* True ends the walk; what cannot be told does not. */
static bool list_item(const struct walk *w, struct cond_memo *m,
		      struct slice text)
{
	enum tri r = test_text(w, text);

	if (r == TRI_UNKNOWN)
		m->doubtful = true;
	return r == TRI_TRUE;
}

static bool header_item(const struct walk *w, struct cond_memo *m,
			struct slice name, struct slice value)
{
	struct slice text;

	if (!slice_equal_case(name, w->test->name))
		return false;
	if (!mime_header_text(w->run->scratch, value, COND_VALUE_MAX, &text)) {
		count_failure(w->run);
		m->doubtful = true;
		return false;
	}
	return list_item(w, m, text);
}

static enum tri test_headers(const struct walk *w, struct cond_memo *m,
			     const struct header_list *l, bool complete)
{
	size_t i = m->seen;

	for (; l && i < l->count; i++) {
		const struct header *h = &l->entries[i];

		if (!h->is_hidden && !h->deleted_by &&
		    header_item(w, m, h->name, h->value))
			return TRI_TRUE;
	}
	m->seen = (uint32_t)i;
	return list_end(m, complete);
}

static enum tri test_added_headers(const struct walk *w, struct cond_memo *m)
{
	const struct fact_word *word = &w->facts->milters[w->test->milter];

	if (word->word == FACT_MILTER_OPEN)
		return TRI_UNKNOWN;
	for (const struct fact_header *h = word->headers; h; h = h->next)
		if (header_item(w, m, h->name, h->value))
			return TRI_TRUE;
	return list_end(m, true);
}

static enum tri test_items(const struct walk *w, struct cond_memo *m,
			   const struct slice *items, size_t count,
			   bool complete)
{
	size_t i = m->seen;

	for (; i < count; i++)
		if (list_item(w, m, items[i]))
			return TRI_TRUE;
	m->seen = (uint32_t)i;
	return list_end(m, complete);
}

static enum tri test_recipients(const struct walk *w, struct cond_memo *m)
{
	const struct fact_recipients *r = &w->facts->recipients;

	if (w->run->recipient)
		return test_items(w, m, w->run->recipient, 1, true);
	return test_items(w, m, r->items, r->count,
			  facts_known(w->facts, FACT_RECIPIENT));
}

static enum tri test_list(const struct walk *w, struct cond_memo *m)
{
	const struct facts *f = w->facts;

	switch ((int)w->test->fact) {
	case FACT_HEADER:
		return test_headers(w, m, f->headers,
				    facts_known(f, FACT_HEADER));
	case FACT_HEADER_NOW:
		if (!w->run->headers_now)
			return TRI_UNKNOWN;
		return test_headers(w, m, w->run->headers_now, true);
	case FACT_MILTER_HEADER:
		return test_added_headers(w, m);
	case FACT_RECIPIENT:
		return test_recipients(w, m);
	default: /* sender_args */
		if (!facts_known(f, FACT_SENDER_ARGS))
			return TRI_UNKNOWN;
		return test_items(w, m, f->sender_args, f->sender_arg_count,
				  true);
	}
}

/* ---- one test ---- */

static enum tri test_macro(const struct walk *w)
{
	const struct cond_test *t = w->test;
	struct slice value;

	/* In a rule at RCPT its macros are those of the one at hand. */
	if (!facts_reached(w->facts, t->from) &&
	    !(t->stage == STAGE_RCPT && w->run->recipient))
		return TRI_UNKNOWN;
	if (!facts_macro(w->facts, t->name, t->stage, &value))
		return t->op == COND_EQ && !t->lookup && t->word.len == 0 ?
			       TRI_TRUE :
			       TRI_FALSE;
	return test_text(w, value);
}

static enum tri test_milter(const struct walk *w)
{
	enum fact_milter word = w->facts->milters[w->test->milter].word;

	if (word == FACT_MILTER_OPEN)
		return TRI_UNKNOWN;
	return tri_of(number_fits(w->test, (int64_t)word));
}

static enum tri test_single(const struct walk *w)
{
	const struct fact_value *v = &w->facts->values[w->test->fact];
	const struct fact_row *row = facts_row(w->test->fact);

	if (w->test->fact == FACT_MACRO)
		return test_macro(w);
	if (w->test->fact == FACT_MILTER)
		return test_milter(w);
	switch (row->type) {
	case FACT_IS_NUMBER:
	case FACT_IS_SIZE:
	case FACT_IS_DURATION:
	case FACT_IS_TIME:
	case FACT_IS_WEEKDAY:
		return test_number(w);
	case FACT_IS_BOOL:
	case FACT_IS_TEXT:
	case FACT_IS_WORD:
	case FACT_IS_DOMAIN:
	case FACT_IS_MAILBOX:
	case FACT_IS_ADDRESS:
	case FACT_IS_VERDICT:
	case FACT_TYPE_COUNT:
		break;
	}
	if (!facts_known(w->facts, w->test->fact))
		return TRI_UNKNOWN;
	if (row->type == FACT_IS_BOOL)
		return tri_of(v->number != 0);
	if (row->type == FACT_IS_ADDRESS)
		return test_client(w);
	return test_text(w, v->text);
}

/*
 * May the answer be kept for the message?  What is at hand in a rule is
 * another one the next time, and rules go on giving points.
 */
static bool may_keep(const struct walk *w)
{
	const struct cond_test *t = w->test;

	if (t->fact == FACT_SCORE)
		return false;
	return !w->run->recipient ||
	       !(t->fact == FACT_RECIPIENT ||
		 (t->fact == FACT_MACRO && t->stage == STAGE_RCPT));
}

/* Is unknown the last word, because what could be tried was tried? */
static bool has_failed(const struct walk *w, unsigned limits, unsigned failures)
{
	return !facts_row(w->test->fact)->is_list &&
	       (w->run->limit_hits > limits ||
		w->run->failed_lookups > failures);
}

static enum tri eval_test(const struct cond_test *t, const struct facts *facts,
			  struct cond_run *run)
{
	struct walk w = { t, facts, run };
	struct cond_memo none = { .answer = 0 };
	struct cond_memo *m =
		run->memos && may_keep(&w) ? &run->memos[t->memo] : &none;
	unsigned limits = run->limit_hits, failures = run->failed_lookups;
	enum tri r;

	if (m->answer)
		return (enum tri)(m->answer - 1);
	r = facts_row(t->fact)->is_list ? test_list(&w, m) : test_single(&w);
	if (t->negated)
		r = tri_not(r);
	if (r != TRI_UNKNOWN || has_failed(&w, limits, failures))
		m->answer = (uint8_t)(r + 1);
	return r;
}

/* ---- the tree ---- */

static enum tri eval_parts(const struct cond_node *n, const struct facts *facts,
			   struct cond_run *run)
{
	bool is_and = n->kind == COND_AND;
	enum tri r = is_and ? TRI_TRUE : TRI_FALSE;
	enum tri decided = is_and ? TRI_FALSE : TRI_TRUE;

	for (const struct cond_node *i = n->parts; i; i = i->next) {
		enum tri part = cond_eval_node(i, facts, run);

		r = is_and ? tri_and(r, part) : tri_or(r, part);
		if (r == decided)
			break;
	}
	return r;
}

enum tri cond_eval_node(const struct cond_node *n, const struct facts *facts,
			struct cond_run *run)
{
	switch (n->kind) {
	case COND_CONST:
		return tri_of(n->value);
	case COND_AND:
	case COND_OR:
		return eval_parts(n, facts, run);
	case COND_NOT:
		return tri_not(cond_eval_node(n->parts, facts, run));
	case COND_NAMED:
		return cond_eval_node(n->parts, facts, run);
	case COND_TEST:
		break;
	}
	return eval_test(&n->test, facts, run);
}

enum tri cond_eval(const struct cond *c, const struct facts *facts,
		   struct cond_run *run)
{
	return cond_eval_node(c->root, facts, run);
}
