#include "tool/milter_rule.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* A libmilter child's largest body packet. */
#define CHUNK	   ((size_t)MILTER_PAYLOAD_MAX)
#define REPEAT_MAX 100000000

/* Words still to be read of one statement. */
struct cursor {
	const struct script_statement *statement;
	size_t at;
	struct arena *arena;
	struct script_error *error;
};

struct name_bits {
	const char *name;
	uint32_t bits;
};

static const struct name_bits action_names[] = {
	{ "addhdrs", SMFIF_ADDHDRS },
	{ "chgbody", SMFIF_CHGBODY },
	{ "addrcpt", SMFIF_ADDRCPT },
	{ "delrcpt", SMFIF_DELRCPT },
	{ "chghdrs", SMFIF_CHGHDRS },
	{ "quarantine", SMFIF_QUARANTINE },
	{ "chgfrom", SMFIF_CHGFROM },
	{ "addrcpt_par", SMFIF_ADDRCPT_PAR },
	{ "setsymlist", SMFIF_SETSYMLIST },
	{ "all", SMFIF_ALL },
	{ "none", 0 },
};

static const struct name_bits protocol_names[] = {
	{ "noconnect", SMFIP_NOCONNECT },
	{ "nohelo", SMFIP_NOHELO },
	{ "nomail", SMFIP_NOMAIL },
	{ "norcpt", SMFIP_NORCPT },
	{ "nobody", SMFIP_NOBODY },
	{ "nohdrs", SMFIP_NOHDRS },
	{ "noeoh", SMFIP_NOEOH },
	{ "nounknown", SMFIP_NOUNKNOWN },
	{ "nodata", SMFIP_NODATA },
	{ "nr_hdr", SMFIP_NR_HDR },
	{ "nr_conn", SMFIP_NR_CONN },
	{ "nr_helo", SMFIP_NR_HELO },
	{ "nr_mail", SMFIP_NR_MAIL },
	{ "nr_rcpt", SMFIP_NR_RCPT },
	{ "nr_data", SMFIP_NR_DATA },
	{ "nr_unkn", SMFIP_NR_UNKN },
	{ "nr_eoh", SMFIP_NR_EOH },
	{ "nr_body", SMFIP_NR_BODY },
	{ "nr_all", SMFIP_NR_ALL },
	{ "skip", SMFIP_SKIP },
	{ "rcpt_rej", SMFIP_RCPT_REJ },
	{ "leadspc", SMFIP_HDR_LEADSPC },
	{ "none", 0 },
};

static const struct {
	const char *name;
	enum command_kind event;
} event_names[] = {
	{ "optneg", CMD_OPTNEG },   { "connect", CMD_CONNECT },
	{ "helo", CMD_HELO },	    { "mail", CMD_MAIL },
	{ "rcpt", CMD_RCPT },	    { "data", CMD_DATA },
	{ "header", CMD_HEADER },   { "eoh", CMD_EOH },
	{ "body", CMD_BODY },	    { "eom", CMD_EOM },
	{ "abort", CMD_ABORT },	    { "quit", CMD_QUIT },
	{ "quit_nc", CMD_QUIT_NC }, { "unknown", CMD_UNKNOWN },
};

static const struct script_word *peek(const struct cursor *c)
{
	return c->at < c->statement->count ? &c->statement->words[c->at] : NULL;
}

static const struct script_word *last(const struct cursor *c)
{
	return &c->statement->words[c->statement->count - 1];
}

static bool next_is(struct cursor *c, const char *keyword)
{
	const struct script_word *w = peek(c);

	if (!w || !script_is(w, keyword))
		return false;
	c->at++;
	return true;
}

/* The next word, which must be there. */
static bool take(struct cursor *c, const char *what,
		 const struct script_word **word_out)
{
	*word_out = peek(c);
	if (!*word_out) {
		script_fail(c->error, last(c), "%s missing at the end", what);
		return false; /* said once more for the compiler */
	}
	c->at++;
	return true;
}

static bool take_text(struct cursor *c, const char *what,
		      struct slice *text_out)
{
	const struct script_word *w;

	if (!take(c, what, &w))
		return false;
	*text_out = w->text;
	return true;
}

static bool take_number(struct cursor *c, const char *what, uint64_t max,
			uint64_t *number_out)
{
	const struct script_word *w;

	if (!take(c, what, &w))
		return false;
	if (!slice_to_u64(w->text, max, number_out))
		return script_fail(c->error, w,
				   "%s must be a number up to %llu", what,
				   (unsigned long long)max);
	return true;
}

static bool take_time(struct cursor *c, uint64_t *time_out)
{
	const struct script_word *w;

	if (!take(c, "time", &w))
		return false;
	if (!script_time(w->text, time_out))
		return script_fail(c->error, w,
				   "not a time (200ms, 3s, 2m): %.*s",
				   SLICE_ARG(w->text));
	return true;
}

/* --- options --- */

static bool read_bits(struct cursor *c, const struct name_bits *names,
		      size_t count, uint32_t *bits_out)
{
	const struct script_word *w;

	*bits_out = 0;
	while ((w = peek(c))) {
		size_t i = 0;

		while (i < count && !script_is(w, names[i].name))
			i++;
		if (i == count)
			return script_fail(c->error, w, "unknown name: %.*s",
					   SLICE_ARG(w->text));
		*bits_out |= names[i].bits;
		c->at++;
	}
	return true;
}

static bool read_list(struct cursor *c, struct option *option)
{
	static const char *const names[LIST_COUNT] = {
		[LIST_CONNECT] = "connect", [LIST_HELO] = "helo",
		[LIST_MAIL] = "mail",	    [LIST_RCPT] = "rcpt",
		[LIST_DATA] = "data",	    [LIST_EOM] = "eom",
		[LIST_EOH] = "eoh",
	};
	const struct script_word *w;

	if (!take(c, "stage", &w))
		return false;
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		if (!script_is(w, names[i]))
			continue;
		option->has_list[i] = true;
		return take_text(c, "list of macros", &option->list[i]);
	}
	return script_fail(c->error, w, "no stage that has macros: %.*s",
			   SLICE_ARG(w->text));
}

struct given {
	bool actions;
	bool protocol;
};

static bool read_option(struct cursor *c, struct rules *r, struct given *given)
{
	const struct script_word *w;
	uint64_t n;

	if (!take(c, "name of the option", &w))
		return false;
	if (script_is(w, "version")) {
		if (!take_number(c, "version", UINT32_MAX, &n))
			return false;
		r->option.version = (uint32_t)n;
		return true;
	}
	if (script_is(w, "actions")) {
		given->actions = true;
		return read_bits(c, action_names, COUNT(action_names),
				 &r->option.actions);
	}
	if (script_is(w, "protocol")) {
		given->protocol = true;
		return read_bits(c, protocol_names, COUNT(protocol_names),
				 &r->option.protocol);
	}
	if (script_is(w, "macros"))
		return read_list(c, &r->option);
	if (script_is(w, "force")) {
		r->is_forced = true;
		return true;
	}
	return script_fail(c->error, w, "unknown option: %.*s",
			   SLICE_ARG(w->text));
}

/* --- conditions --- */

/* "= TEXT", "~ TEXT", "contains TEXT", "set"; may_be_set: or nothing. */
static bool read_test(struct cursor *c, struct condition *k)
{
	if (next_is(c, "~") || next_is(c, "contains")) {
		k->test = TEST_LIKE;
		return take_text(c, "text", &k->text);
	}
	if (next_is(c, "=")) {
		k->test = TEST_EQUAL;
		return take_text(c, "text", &k->text);
	}
	if (next_is(c, "unset"))
		k->is_negated = !k->is_negated;
	else
		next_is(c, "set");
	k->test = TEST_SET;
	return true;
}

static bool read_chance(struct cursor *c, struct condition *k)
{
	const struct script_word *w;

	if (!take(c, "chance", &w))
		return false;
	if (!slice_starts(w->text, "1/") ||
	    !slice_to_u64(slice_from(w->text, 2), UINT32_MAX, &k->number) ||
	    !k->number)
		return script_fail(c->error, w, "a chance is written 1/N");
	return true;
}

static bool read_condition(struct cursor *c, struct condition *k)
{
	static const struct {
		const char *name;
		enum condition_kind kind;
	} names[] = {
		{ "sender", CONDITION_SENDER },
		{ "rcpt", CONDITION_RCPT },
		{ "helo", CONDITION_HELO },
		{ "client", CONDITION_CLIENT },
		{ "header", CONDITION_HEADER },
		{ "body", CONDITION_BODY },
		{ "macro", CONDITION_MACRO },
		{ "session", CONDITION_SESSION },
		{ "message", CONDITION_MESSAGE },
		{ "chance", CONDITION_CHANCE },
	};
	const struct script_word *w;
	size_t i = 0;

	k->is_negated = next_is(c, "not");
	if (!take(c, "condition", &w))
		return false;
	while (i < COUNT(names) && !script_is(w, names[i].name))
		i++;
	if (i == COUNT(names))
		return script_fail(c->error, w, "unknown condition: %.*s",
				   SLICE_ARG(w->text));
	k->kind = names[i].kind;
	if (k->kind == CONDITION_CHANCE)
		return read_chance(c, k);
	if (k->kind == CONDITION_SESSION || k->kind == CONDITION_MESSAGE)
		return take_number(c, "number", UINT32_MAX, &k->number);
	if (k->kind == CONDITION_HEADER || k->kind == CONDITION_MACRO)
		if (!take_text(c, "name", &k->name))
			return false;
	return read_test(c, k);
}

/* Up to the word `do`; conditions are joined by `and` or by nothing. */
static bool read_conditions(struct cursor *c, struct rules *r,
			    struct rule *rule)
{
	/* Each condition takes one word at least. */
	rule->conditions = arena_take_n(c->arena, c->statement->count,
					sizeof(*rule->conditions));
	if (!rule->conditions)
		return script_fail(c->error, last(c), "script too long");
	while (!peek(c) || !script_is(peek(c), "do")) {
		struct condition *k = &rule->conditions[rule->condition_count];

		if (!read_condition(c, k))
			return false;
		rule->condition_count++;
		if (k->kind == CONDITION_BODY)
			r->wants_body = true;
		next_is(c, "and");
	}
	return true;
}

/* --- actions --- */

static bool add_action(struct cursor *c, struct rule *rule,
		       struct action action)
{
	size_t n = rule->action_count;

	/* Full at every power of two: the array doubles. */
	if (!(n & (n - 1))) {
		struct action *actions =
			arena_take_n(c->arena, n ? n * 2 : 1, sizeof(*actions));

		if (!actions)
			return script_fail(c->error, last(c),
					   "script too long");
		if (n)
			memcpy(actions, rule->actions, n * sizeof(*actions));
		rule->actions = actions;
	}
	rule->actions[rule->action_count++] = action;
	return true;
}

static bool read_header(struct cursor *c, struct answer *a)
{
	uint64_t index = 0;

	if (a->kind != ANSWER_ADDHEADER &&
	    !take_number(c, "index", UINT32_MAX, &index))
		return false;
	a->header.index = (uint32_t)index;
	return take_text(c, "name of the header", &a->header.name) &&
	       take_text(c, "value", &a->header.value);
}

static bool read_address(struct cursor *c, struct answer *a)
{
	if (!take_text(c, "address", &a->address.address))
		return false;
	if (!peek(c) || a->kind == ANSWER_DELRCPT)
		return true;
	if (a->kind == ANSWER_ADDRCPT)
		a->kind = ANSWER_ADDRCPT_PAR;
	a->address.has_args = true;
	return take_text(c, "arguments", &a->address.args);
}

/* replbody TEXT [TIMES]: cut into packets no larger than libmilter's. */
static bool read_body(struct cursor *c, struct rule *rule)
{
	struct action action = { .kind = ACTION_ANSWER,
				 .answer.kind = ANSWER_REPLBODY };
	struct slice text, whole;
	uint64_t times = 1;
	char *to;

	if (!take_text(c, "text", &text) ||
	    (peek(c) && !take_number(c, "number of times", REPEAT_MAX, &times)))
		return false;
	to = arena_take_n(c->arena, times ? times : 1, text.len ? text.len : 1);
	if (!to)
		return script_fail(c->error, last(c), "body too long");
	for (uint64_t i = 0; text.len && i < times; i++)
		memcpy(to + i * text.len, text.data, text.len);
	whole = slice_of(to, text.len * times);
	do {
		action.answer.body = slice_head(whole, CHUNK);
		if (!add_action(c, rule, action))
			return false;
		whole = slice_from(whole, CHUNK);
	} while (whole.len);
	return true;
}

static const struct {
	const char *name;
	enum answer_kind kind;
} answer_names[] = {
	{ "continue", ANSWER_CONTINUE },   { "accept", ANSWER_ACCEPT },
	{ "reject", ANSWER_REJECT },	   { "tempfail", ANSWER_TEMPFAIL },
	{ "reply", ANSWER_REPLYCODE },	   { "discard", ANSWER_DISCARD },
	{ "skip", ANSWER_SKIP },	   { "progress", ANSWER_PROGRESS },
	{ "shutdown", ANSWER_SHUTDOWN },   { "conn_fail", ANSWER_CONN_FAIL },
	{ "addheader", ANSWER_ADDHEADER }, { "insheader", ANSWER_INSHEADER },
	{ "chgheader", ANSWER_CHGHEADER }, { "replbody", ANSWER_REPLBODY },
	{ "addrcpt", ANSWER_ADDRCPT },	   { "delrcpt", ANSWER_DELRCPT },
	{ "chgfrom", ANSWER_CHGFROM },	   { "quarantine", ANSWER_QUARANTINE },
};

static bool read_answer(struct cursor *c, struct rule *rule,
			enum answer_kind kind)
{
	struct action action = { .kind = ACTION_ANSWER, .answer.kind = kind };
	bool ok = true;

	if (kind == ANSWER_REPLBODY)
		return read_body(c, rule);
	if (kind == ANSWER_REPLYCODE || kind == ANSWER_QUARANTINE)
		ok = take_text(c, "text", &action.answer.text);
	else if (kind == ANSWER_ADDHEADER || kind == ANSWER_INSHEADER ||
		 kind == ANSWER_CHGHEADER)
		ok = read_header(c, &action.answer);
	else if (kind == ANSWER_ADDRCPT || kind == ANSWER_DELRCPT ||
		 kind == ANSWER_CHGFROM)
		ok = read_address(c, &action.answer);
	return ok && add_action(c, rule, action);
}

static bool read_garbage(struct cursor *c, struct action *action)
{
	const struct script_word *w;

	action->kind = ACTION_GARBAGE;
	if (!take(c, "bytes", &w))
		return false;
	if (!script_bytes(c->arena, w, &action->bytes))
		return script_fail(c->error, w,
				   "neither hex digits nor a quoted text");
	return true;
}

/* Actions that are no answers. */
static bool read_conduct(struct cursor *c, const struct script_word *w,
			 struct action *action)
{
	uint64_t n = 0;

	if (script_is(w, "garbage"))
		return read_garbage(c, action);
	if (script_is(w, "delay")) {
		action->kind = ACTION_DELAY;
		return take_time(c, &action->time);
	}
	if (script_is(w, "silence"))
		action->kind = ACTION_SILENCE;
	else if (script_is(w, "answer-anyway"))
		action->kind = ACTION_ANYWAY;
	else if (script_is(w, "close"))
		action->kind = ACTION_CLOSE;
	else if (script_is(w, "kill"))
		action->kind = ACTION_KILL;
	else if (script_is(w, "exit"))
		action->kind = ACTION_EXIT;
	else
		return script_fail(c->error, w, "unknown action: %.*s",
				   SLICE_ARG(w->text));
	if (action->kind == ACTION_EXIT && peek(c) &&
	    !take_number(c, "exit status", 255, &n))
		return false;
	action->status = (int)n;
	return true;
}

static bool at_end(struct cursor *c)
{
	const struct script_word *w = peek(c);

	return !w || script_fail(c->error, w, "one word too many: %.*s",
				 SLICE_ARG(w->text));
}

static bool read_action(struct cursor *c, struct rule *rule)
{
	struct action action = { .kind = ACTION_SILENCE };
	const struct script_word *w;

	if (!take(c, "action", &w))
		return false;
	for (size_t i = 0; i < COUNT(answer_names); i++)
		if (script_is(w, answer_names[i].name))
			return read_answer(c, rule, answer_names[i].kind) &&
			       at_end(c);
	return read_conduct(c, w, &action) && at_end(c) &&
	       add_action(c, rule, action);
}

/* --- rules --- */

static bool read_event(struct cursor *c, struct rule *rule)
{
	const struct script_word *w;
	size_t i = 0;

	if (!take(c, "stage", &w))
		return false;
	while (i < COUNT(event_names) && !script_is(w, event_names[i].name))
		i++;
	if (i == COUNT(event_names))
		return script_fail(c->error, w, "unknown stage: %.*s",
				   SLICE_ARG(w->text));
	rule->event = event_names[i].event;
	w = peek(c);
	if (!w || script_is(w, "when") || script_is(w, "do"))
		return true;
	if (rule->event == CMD_HEADER && w->is_quoted) {
		rule->header = w->text;
		c->at++;
		return true;
	}
	return take_number(c, "which one", UINT32_MAX, &rule->nth);
}

static bool read_rule(struct cursor *c, struct rules *r)
{
	struct rule *rule = &r->rules[r->count++];

	if (!read_event(c, rule))
		return false;
	if (next_is(c, "when") && !read_conditions(c, r, rule))
		return false;
	if (!next_is(c, "do"))
		return script_fail(c->error, peek(c) ? peek(c) : last(c),
				   "\"do\" expected");
	return read_action(c, rule);
}

static void note_needs(struct rules *r, struct given given)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct rule *rule = &r->rules[i];

		for (size_t k = 0; k < rule->action_count; k++) {
			const struct action *a = &rule->actions[k];

			if (a->kind != ACTION_ANSWER)
				continue;
			if (!given.actions)
				r->option.actions |=
					answer_action(a->answer.kind);
			if (!given.protocol && a->answer.kind == ANSWER_SKIP)
				r->option.protocol |= SMFIP_SKIP;
		}
	}
	for (unsigned i = 0; i < LIST_COUNT; i++)
		if (r->option.has_list[i] && !given.actions)
			r->option.actions |= SMFIF_SETSYMLIST;
}

static bool read_statement(struct cursor *c, struct rules *r,
			   struct given *given)
{
	if (next_is(c, "option"))
		return read_option(c, r, given) && at_end(c);
	if (next_is(c, "at"))
		return read_rule(c, r);
	if (!r->count)
		return script_fail(c->error, peek(c),
				   "\"at\" or \"option\" expected");
	return read_action(c, &r->rules[r->count - 1]);
}

bool rules_parse(struct arena *arena, struct slice text,
		 struct rules *rules_out, struct script_error *error_out)
{
	struct given given = { 0 };
	struct script script;

	*rules_out = (struct rules){ .option.version = MILTER_VERSION };
	if (!script_parse(arena, text, &script, error_out))
		return false;
	rules_out->rules = arena_take_n(arena, script.count + 1,
					sizeof(*rules_out->rules));
	if (!rules_out->rules)
		return script_fail(error_out, NULL, "script too long");
	for (size_t i = 0; i < script.count; i++) {
		struct cursor c = { &script.statements[i], 0, arena,
				    error_out };

		if (!read_statement(&c, rules_out, &given))
			return false;
	}
	note_needs(rules_out, given);
	return true;
}
