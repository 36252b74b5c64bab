#include <stdio.h>

#include "shared/json.h"
#include "tool/explain.h"

/* ---- for people ---- */

static const char *tri_word(enum tri t)
{
	return t == TRI_TRUE ? "true" : t == TRI_FALSE ? "false" : "unknown";
}

static const char *stage_of(enum stage stage)
{
	return milter_stage_name(stage);
}

static bool print_reasons(const struct explain_item *i, struct buf *out)
{
	for (size_t n = 0; n < i->reason_count && n < EXPLAIN_REASONS_MAX;
	     n++) {
		const struct cond_reason *r = &i->reasons[n];

		if (!buf_printf(out, "    %.*s: %s", SLICE_ARG(r->text),
				tri_word(r->answer)))
			return false;
		if (r->condition.len &&
		    !buf_printf(out, " (in condition %.*s)",
				SLICE_ARG(r->condition)))
			return false;
		if (!buf_add_byte(out, '\n'))
			return false;
	}
	return i->reason_count <= EXPLAIN_REASONS_MAX ||
	       buf_printf(out, "    and %zu more\n",
			  i->reason_count - EXPLAIN_REASONS_MAX);
}

static bool print_recipients(const struct explain_item *i, struct buf *out)
{
	bool ok = true;

	/* `any` is shown all of them, `all` has all of them. */
	if (i->answer != TRI_TRUE || i->recipient_count == 0 ||
	    (i->milter && i->milter->recipients != RECIPIENTS_OWN))
		return true;
	ok = buf_printf(out, "    for");
	for (size_t n = 0; ok && n < i->recipient_count; n++)
		ok = buf_printf(out, "%s %.*s", n ? "," : "",
				SLICE_ARG(i->recipients[n]));
	return ok && buf_add_byte(out, '\n');
}

static bool print_answer(const struct explain *e, const struct explain_item *i,
			 struct buf *out)
{
	const char *at = stage_of(i->stage);

	if (!i->when)
		return buf_printf(out, "always applies\n");
	if (i->answer == TRI_TRUE)
		return buf_printf(out, i->milter ? "applies, from %s on\n" :
						   "fires at %s\n", at);
	if (i->answer == TRI_FALSE)
		return buf_printf(out, "does not %s, known at %s\n",
				  i->milter ? "apply" : "fire", at);
	if (i->has_failed)
		return buf_printf(out, "could not be decided, so it %s\n",
				  i->milter ? "applies" : "does not fire");
	return buf_printf(out, "not known at %s, the last stage played\n",
			  stage_of(e->reached));
}

static bool print_item(const struct explain *e, const struct explain_item *i,
		       struct buf *out)
{
	if (!buf_printf(out, "%s %s: ", i->milter ? "milter" : "rule",
			i->name) ||
	    !print_answer(e, i, out) || !print_reasons(i, out) ||
	    !print_recipients(i, out))
		return false;
	if (i->skipped_by &&
	    !buf_printf(out, "    skipped by rule %.*s at %s\n",
			SLICE_ARG(i->skipped_by->name),
			stage_of(i->skipped_at)))
		return false;
	if (i->milter && i->milter->mode.mode != MODE_ON) {
		char mode[CONF_SWITCH_TEXT];

		conf_switch_print(&i->milter->mode, mode, sizeof(mode));
		return buf_printf(out, "    mode = %s\n", mode);
	}
	return true;
}

static bool is_about(const struct explain_event *e,
		     const struct explain_item *i)
{
	return !i->milter &&
	       slice_equal_case(e->rule->name, slice_str(i->name));
}

static bool print_events(const struct explain *e, const struct explain_item *of,
			 struct buf *out)
{
	for (const struct explain_event *i = e->events; i; i = i->next) {
		if (of && !is_about(i, of))
			continue;
		if (!buf_printf(out, "at %s%s%.*s, rule %.*s: %.*s\n",
				stage_of(i->stage),
				i->recipient.len ? " of " : "",
				SLICE_ARG(i->recipient),
				SLICE_ARG(i->rule->name), SLICE_ARG(i->text)))
			return false;
	}
	return true;
}

static bool print_verdict(const struct explain *e, struct buf *out)
{
	if (e->verdict == RULE_ACTION_COUNT)
		return buf_printf(out, "rules: %s\n",
				  e->is_quarantined ? "the message is held" :
						      "nothing against it");
	if (!e->by)
		return buf_printf(out, "rules: no recipient is left\n");
	return buf_printf(out, "rules: %s at %s by rule %.*s\n",
			  rule_action_name(e->verdict),
			  stage_of(e->verdict_stage), SLICE_ARG(e->by->name));
}

static bool print_made_up(const struct explain *e, struct buf *out)
{
	if (e->set->made_up_from &&
	    !buf_printf(out, "made up: --from '%.*s'\n",
			SLICE_ARG(e->set->from)))
		return false;
	return !e->set->made_up_rcpt ||
	       buf_printf(out, "made up: --rcpt '%.*s'\n",
			  SLICE_ARG(e->set->rcpt[0]));
}

bool explain_print(const struct explain *e, const struct explain_item *of,
		   struct buf *out)
{
	if (!print_made_up(e, out))
		return false;
	for (size_t i = 0; i < e->milter_count + e->rule_count; i++)
		if ((!of || of == &e->items[i]) &&
		    !print_item(e, &e->items[i], out))
			return false;
	return print_events(e, of, out) && (of || print_verdict(e, out));
}

/* ---- for programs ---- */

static void json_reasons(const struct explain_item *i, struct json *j)
{
	json_array(j, "reasons");
	for (size_t n = 0; n < i->reason_count && n < EXPLAIN_REASONS_MAX;
	     n++) {
		const struct cond_reason *r = &i->reasons[n];

		json_object(j, NULL);
		json_text(j, "text", r->text);
		json_text(j, "condition", r->condition);
		json_number(j, "column", r->column);
		json_word(j, "answer", tri_word(r->answer));
		json_object_end(j);
	}
	json_array_end(j);
}

static void json_recipients(const struct explain_item *i, struct json *j)
{
	if (i->answer != TRI_TRUE || i->recipient_count == 0)
		return;
	json_array(j, "recipients");
	for (size_t n = 0; n < i->recipient_count; n++)
		json_text(j, NULL, i->recipients[n]);
	json_array_end(j);
}

static void json_milter(const struct conf_milter *m, struct json *j)
{
	char mode[CONF_SWITCH_TEXT];

	conf_switch_print(&m->mode, mode, sizeof(mode));
	json_word(j, "mode", mode);
	json_word(j, "recipients_mode", conf_recipients_name(m->recipients));
}

static void json_item(const struct explain_item *i, struct json *j)
{
	json_object(j, NULL);
	json_word(j, "name", i->name);
	json_word(j, "answer", tri_word(i->answer));
	if (i->is_final)
		json_word(j, "stage", i->when ? stage_of(i->stage) : "connect");
	if (i->has_failed)
		json_bool(j, "failed", true);
	if (i->milter)
		json_milter(i->milter, j);
	if (i->skipped_by)
		json_text(j, "skipped_by", i->skipped_by->name);
	json_reasons(i, j);
	json_recipients(i, j);
	json_object_end(j);
}

static void json_items(const char *key, const struct explain_item *list,
		       size_t count, const struct explain_item *of,
		       struct json *j)
{
	json_array(j, key);
	for (size_t i = 0; i < count; i++)
		if (!of || of == &list[i])
			json_item(&list[i], j);
	json_array_end(j);
}

static void json_events(const struct explain *e, const struct explain_item *of,
			struct json *j)
{
	json_array(j, "events");
	for (const struct explain_event *i = e->events; i; i = i->next) {
		if (of && !is_about(i, of))
			continue;
		json_object(j, NULL);
		json_word(j, "stage", stage_of(i->stage));
		json_text(j, "rule", i->rule->name);
		if (i->recipient.len)
			json_text(j, "recipient", i->recipient);
		json_text(j, "text", i->text);
		json_object_end(j);
	}
	json_array_end(j);
}

static void json_verdict(const struct explain *e, struct json *j)
{
	bool is_none = e->verdict == RULE_ACTION_COUNT;

	json_object(j, "verdict");
	json_word(j, "kind",
		  !is_none	    ? rule_action_name(e->verdict) :
		  e->is_quarantined ? "quarantine" :
				      "none");
	if (!is_none) {
		json_word(j, "stage", stage_of(e->verdict_stage));
		if (e->by)
			json_text(j, "rule", e->by->name);
		json_text(j, "reply", e->reply);
	}
	json_object_end(j);
}

bool explain_print_json(const struct explain *e, const struct explain_item *of,
			struct buf *out)
{
	struct json j = json_begin(out);

	json_object(&j, NULL);
	json_number(&j, "schema", 1);
	json_word(&j, "reached", stage_of(e->reached));
	json_items("milters", e->items, e->milter_count, of, &j);
	json_items("rules", e->items + e->milter_count, e->rule_count, of, &j);
	json_events(e, of, &j);
	json_verdict(e, &j);
	json_object_end(&j);
	return json_end(&j) && buf_add_byte(out, '\n');
}
