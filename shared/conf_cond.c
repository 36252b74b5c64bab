#include "shared/conf_cond.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/builtin.h"
#include "shared/cond.h"
#include "shared/conf_lines.h"
#include "shared/rule.h"
#include "shared/table.h"

struct compiling {
	struct arena *arena;
	struct conf *conf;
	const struct conf_places *places;
	struct conf_problems *problems;
	bool from_memory;
	struct cond_names names;
	/* By condition: what is wrong with its own text, if anything is. */
	struct cond_problem *own;
	/* By condition: a problem in it was told as that of a condition. */
	bool *told;
	/* The table being opened, and where its source stands. */
	const struct conf_table *table;
};

/* ---- problems ---- */

__attribute__((format(printf, 4, 5))) static void
problem(const struct compiling *c, const struct conf_text *at, size_t column,
	const char *format, ...)
{
	struct conf_part part = { .line = 0 };
	const char *file = c->places->file.file;
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (at && at->line) {
		file = at->line->place.file;
		part = conf_line_place(at->line, column ? column - 1 : 0);
	}
	conf_problem_at(c->problems, file, part.line, part.column, "%s", text);
}

/* ---- what is built in ---- */

static bool fill_actions(struct arena *arena, const struct builtin *b,
			 struct conf_texts *list)
{
	list->items = arena_take_n(arena, BUILTIN_ACTIONS_MAX,
				   sizeof(*list->items));
	if (!list->items)
		return false;
	for (size_t i = 0; i < BUILTIN_ACTIONS_MAX && b->actions[i]; i++)
		list->items[list->count++].text = slice_str(b->actions[i]);
	return true;
}

bool conf_cond_fill(struct arena *arena, const struct conf_row *row,
		    const char *name, void *item)
{
	const struct builtin *b =
		builtin_find(row->section, slice_str(name));
	void *at = (char *)item + row->offset;
	struct conf_text *text = at;

	if (!b)
		return false;
	if (row->type == CONF_TEXTS)
		return fill_actions(arena, b, at);
	text->text = slice_str(b->text);
	return true;
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

/* Does the name stand there as a word?  In quotes it does no harm. */
static bool mentions(struct slice text, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i + len <= text.len; i++) {
		size_t end = i + len;

		if ((i && is_word_byte(text.data[i - 1])) ||
		    (end < text.len && is_word_byte(text.data[end])))
			continue;
		if (slice_is_case(slice_of(text.data + i, len), name))
			return true;
	}
	return false;
}

/* In any expression that is there by now. */
static bool is_mentioned(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->milter_count; i++)
		if (mentions(conf->milters[i].when_text.text, name))
			return true;
	for (size_t i = 0; i < conf->condition_count; i++)
		if (mentions(conf->conditions[i].is.text, name))
			return true;
	for (size_t i = 0; i < conf->rule_count; i++)
		if (mentions(conf->rule_texts[i].when.text, name))
			return true;
	return false;
}

static bool has_condition(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->condition_count; i++)
		if (slice_is_case(slice_str(conf->conditions[i].name), name))
			return true;
	return false;
}

static bool has_table(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->table_count; i++)
		if (slice_is_case(slice_str(conf->tables[i].name), name))
			return true;
	return false;
}

/* True: it was added, and may mention others. */
static bool add_builtin(struct conf *conf, const struct builtin *b)
{
	struct conf_text text = { .text = slice_str(b->text) };

	if (b->section == CONF_CONDITION && !has_condition(conf, b->name) &&
	    is_mentioned(conf, b->name)) {
		conf->conditions[conf->condition_count++] =
			(struct conf_condition){ .name = b->name,
						 .is_builtin = true,
						 .is = text };
		return true;
	}
	if (b->section == CONF_TABLE && !has_table(conf, b->name) &&
	    is_mentioned(conf, b->name)) {
		conf->tables[conf->table_count++] =
			(struct conf_table){ .name = b->name,
					     .is_builtin = true,
					     .source = text };
		return true;
	}
	return false;
}

static void add_builtins(struct conf *conf)
{
	size_t n;
	const struct builtin *all = builtin_all(&n);
	bool added;

	do {
		added = false;
		for (size_t i = 0; i < n; i++)
			added |= add_builtin(conf, &all[i]);
	} while (added);
}

/* ---- tables ---- */

static void table_problem(void *context, const char *file, unsigned line,
			  const char *text)
{
	const struct compiling *c = context;

	if (file[0] && line)
		conf_problem_add(c->problems, file, line, "table \"%s\": %s",
				 c->table->name, text);
	else if (file[0]) /* the file as a whole: tell who names it */
		problem(c, &c->table->source, 1, "table \"%s\": %s: %s",
			c->table->name, file, text);
	else
		problem(c, &c->table->source, 1, "table \"%s\": %s",
			c->table->name, text);
}

static void open_table(struct compiling *c, struct conf_table *t)
{
	struct table_report report = { table_problem, c };
	struct slice source = t->source.text;
	bool is_inline = slice_is_case(slice_head(source, 7), "inline:");

	if (source.len == 0)
		return;
	c->table = t;
	if (c->from_memory && !is_inline && slice_find(source, '/') >= 0) {
		table_problem(c, "", 0, "only settings in a file can have "
					"tables in files");
		return;
	}
	t->table = table_open(c->arena, slice_str(t->name), source, &report);
}

static bool open_tables(struct compiling *c)
{
	struct table **tables = arena_take_n(c->arena, c->conf->table_count,
					     sizeof(struct table *));

	if (!tables)
		return false;
	c->names.tables = tables;
	for (size_t i = 0; i < c->conf->table_count; i++) {
		struct conf_table *t = &c->conf->tables[i];

		open_table(c, t);
		if (t->table)
			tables[c->names.table_count++] = t->table;
	}
	return true;
}

/* Does it name a table that could not be opened?  Enough was said then. */
static bool lacks_table(const struct compiling *c, struct slice text)
{
	for (size_t i = 0; i < c->conf->table_count; i++)
		if (!c->conf->tables[i].table &&
		    mentions(text, c->conf->tables[i].name))
			return true;
	return false;
}

/* ---- expressions ---- */

static bool name_all(struct compiling *c)
{
	const struct conf *conf = c->conf;
	struct cond_named *conditions = arena_take_n(
		c->arena, conf->condition_count, sizeof(*conditions));
	struct slice *milters = arena_take_n(c->arena, conf->milter_count,
					     sizeof(*milters));

	c->own = arena_take_n(c->arena, conf->condition_count,
			      sizeof(*c->own));
	c->told = arena_take_n(c->arena, conf->condition_count,
			       sizeof(*c->told));
	if (!conditions || !milters || !c->own || !c->told)
		return false;
	for (size_t i = 0; i < conf->condition_count; i++)
		conditions[i] = (struct cond_named){
			slice_str(conf->conditions[i].name),
			conf->conditions[i].is.text
		};
	for (size_t i = 0; i < conf->milter_count; i++)
		milters[i] = slice_str(conf->milters[i].name);
	c->names.conditions = conditions;
	c->names.condition_count = conf->condition_count;
	c->names.milters = milters;
	c->names.milter_count = conf->milter_count;
	c->names.milters_above = conf->milter_count;
	c->names.until = STAGE_EOM;
	return true;
}

/* The number of a condition; condition_count: there is none. */
static size_t find_condition(const struct compiling *c, struct slice name)
{
	size_t i = 0;

	while (i < c->conf->condition_count &&
	       !slice_is_case(name, c->conf->conditions[i].name))
		i++;
	return i;
}

/* where: `"when" in [rule x]`. */
static void expression_problem(const struct compiling *c,
			       const struct conf_text *at, const char *where,
			       const struct cond_problem *p)
{
	size_t i = find_condition(c, p->condition);

	if (p->condition.len == 0 || i == c->conf->condition_count)
		problem(c, at, p->column, "%s: %s", where, p->text);
	else if (c->own[i].column || c->told[i])
		return; /* said where that one stands */
	else if (c->conf->conditions[i].is_builtin)
		problem(c, at, 1, "%s: in the built-in condition \"%s\": %s",
			where, c->conf->conditions[i].name, p->text);
	else
		problem(c, &c->conf->conditions[i].is, p->column,
			"\"is\" in [condition %s]%s%s: %s",
			c->conf->conditions[i].name,
			at == &c->conf->conditions[i].is ? "" : ", named by ",
			at == &c->conf->conditions[i].is ? "" : where, p->text);
}

static const struct cond *compile(struct compiling *c,
				  const struct conf_text *text,
				  const char *where)
{
	struct cond_problem p;
	const struct cond *cond;

	if (text->text.len == 0)
		return NULL;
	cond = cond_parse(c->arena, text->text, &c->names, &p);
	/* A broken table is told once, and not by all who look into it. */
	if (!cond && !lacks_table(c, text->text) &&
	    !lacks_table(c, slice_str(p.text)))
		expression_problem(c, text, where, &p);
	return cond;
}

/* A circle would be told again by all who use one of its conditions. */
static void mark_told(struct compiling *c, struct slice condition)
{
	size_t i = find_condition(c, condition);

	if (i < c->conf->condition_count)
		c->told[i] = true;
}

/*
 * Twice: first to know which ones are wrong by themselves, so that the others
 * need not repeat it.
 */
static void compile_conditions(struct compiling *c)
{
	struct conf *conf = c->conf;
	char where[200];
	struct cond_problem p;

	for (size_t i = 0; i < conf->condition_count; i++) {
		struct slice text = conf->conditions[i].is.text;

		/* Of what is built in, whoever names it is told. */
		if (conf->conditions[i].is_builtin)
			continue;
		if (text.len && !cond_parse(c->arena, text, &c->names, &p) &&
		    p.condition.len == 0)
			c->own[i] = p;
	}
	for (size_t i = 0; i < conf->condition_count; i++) {
		struct conf_condition *condition = &conf->conditions[i];

		if (condition->is.text.len == 0)
			continue; /* said already */
		snprintf(where, sizeof(where), "\"is\" in [condition %s]",
			 condition->name);
		if (cond_reserved(slice_str(condition->name)))
			problem(c, &condition->is, 1, "condition \"%s\": this is "
				"the name of a fact or a word of the language",
				condition->name);
		condition->cond = cond_parse(c->arena, condition->is.text,
					     &c->names, &p);
		if (condition->cond || condition->is_builtin ||
		    lacks_table(c, condition->is.text) ||
		    lacks_table(c, slice_str(p.text)))
			continue;
		expression_problem(c, &condition->is, where, &p);
		mark_told(c, p.condition);
	}
}

static bool looks_at_recipient(const struct cond *cond)
{
	return cond && cond_uses(cond, FACT_RECIPIENT);
}

static const struct conf_place *key_place(const struct compiling *c,
					  size_t milter, const char *key)
{
	size_t n;
	const struct conf_row *rows = conf_rows(CONF_MILTER, &n);

	return &c->places->keys[CONF_MILTER][milter]
			       [conf_row_find(CONF_MILTER, slice_str(key)) -
				rows];
}

/* Settings that would never do what they say. */
static void check_recipients(const struct compiling *c, size_t i)
{
	const struct conf_milter *m = &c->conf->milters[i];
	const struct conf_place *place = key_place(c, i, "recipients");

	if (m->recipients != RECIPIENTS_ANY && !looks_at_recipient(m->when) &&
	    (m->when || m->when_text.text.len == 0))
		conf_problem_add(c->problems, place->file, place->line,
				 "recipients = %s in [milter %s]: \"when\" does "
				 "not look at recipient",
				 conf_recipients_name(m->recipients), m->name);
	place = key_place(c, i, "mixed");
	if (m->mixed != MIXED_SHARE && m->recipients != RECIPIENTS_OWN)
		conf_problem_add(c->problems, place->file, place->line,
				 "mixed = %s in [milter %s]: needs "
				 "recipients = own",
				 conf_mixed_name(m->mixed), m->name);
}

static void compile_milters(struct compiling *c)
{
	char where[200];

	for (size_t i = 0; i < c->conf->milter_count; i++) {
		struct conf_milter *m = &c->conf->milters[i];

		snprintf(where, sizeof(where), "\"when\" in [milter %s]",
			 m->name);
		c->names.milters_above = i;
		m->when = compile(c, &m->when_text, where);
		check_recipients(c, i);
	}
	c->names.milters_above = c->conf->milter_count;
}

/* ---- rules ---- */

static bool compile_action(struct compiling *c, const struct conf_rule *from,
			   const struct conf_text *text, const char *key,
			   struct rule_action *action_out)
{
	struct rule_problem p;

	if (rule_action_parse(c->arena, text->text, slice_str(from->name),
			      &c->names, action_out, &p))
		return true;
	problem(c, text, p.column, "\"%s\" in [rule %s]: %s", key, from->name,
		p.text);
	return false;
}

static void check_verdicts(const struct compiling *c,
			   const struct conf_rule *from,
			   const struct rule_action *actions)
{
	const struct rule_action *verdict = NULL;

	for (size_t i = 0; i < from->action.count; i++) {
		if (!rule_is_verdict(actions[i].kind))
			continue;
		if (verdict)
			problem(c, &from->action.items[i], 1,
				"\"action\" in [rule %s]: %s after %s: a rule "
				"has one verdict", from->name,
				rule_action_name(actions[i].kind),
				rule_action_name(verdict->kind));
		verdict = &actions[i];
	}
}

static bool compile_actions(struct compiling *c, const struct conf_rule *from,
			    struct rule *to)
{
	struct rule_action *actions = arena_take_n(
		c->arena, from->action.count + 1, sizeof(*actions));
	bool ok = actions != NULL;

	if (!ok)
		return false;
	for (size_t i = 0; i < from->action.count; i++)
		ok &= compile_action(c, from, &from->action.items[i], "action",
				     &actions[i]);
	to->actions = actions;
	to->action_count = from->action.count;
	if (ok)
		check_verdicts(c, from, actions);
	if (from->on_unknown.text.len == 0)
		return ok;
	to->on_unknown = &actions[from->action.count];
	return ok & compile_action(c, from, &from->on_unknown, "on_unknown",
				   &actions[from->action.count]);
}

static bool compile_rule(struct compiling *c, const struct conf_rule *from,
			 struct rule *to)
{
	char where[200];

	snprintf(where, sizeof(where), "\"when\" in [rule %s]", from->name);
	to->name = slice_str(from->name);
	to->when = compile(c, &from->when, where);
	return compile_actions(c, from, to) && to->when;
}

static void compile_rules(struct compiling *c)
{
	struct conf *conf = c->conf;
	struct rule *list = arena_take_n(c->arena, conf->rule_count,
					 sizeof(*list));
	bool ok = list != NULL;

	for (size_t i = 0; list && i < conf->rule_count; i++)
		ok &= compile_rule(c, &conf->rule_texts[i], &list[i]);
	/* A rule without a tree is not for rules_new(); it was told. */
	if (ok)
		conf->rules = rules_new(c->arena, list, conf->rule_count);
}

void conf_cond_compile(struct arena *arena, struct conf *conf,
		       const struct conf_places *places, bool from_memory,
		       struct conf_problems *problems)
{
	struct compiling c = { .arena = arena,
			       .conf = conf,
			       .places = places,
			       .problems = problems,
			       .from_memory = from_memory };

	add_builtins(conf);
	if (!name_all(&c) || !open_tables(&c))
		return;
	compile_conditions(&c);
	compile_milters(&c);
	compile_rules(&c);
}

void conf_close(const struct conf *conf)
{
	for (size_t i = 0; i < conf->table_count; i++) {
		struct table *t = conf->tables[i].table;

		if (t)
			table_close(&t);
	}
}
