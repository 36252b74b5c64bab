#include <stdio.h>

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

/* Quotes, backslashes and bytes that are not ASCII are escaped. */
static bool json_text(struct buf *out, struct slice s)
{
	bool ok = buf_add_byte(out, '"');

	for (size_t i = 0; ok && i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c == '"' || c == '\\')
			ok = buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			ok = buf_printf(out, "\\u%04x", (unsigned)c);
		else
			ok = buf_add_byte(out, (char)c);
	}
	return ok && buf_add_byte(out, '"');
}

/* `"key":"value"` behind a comma, unless it is the first. */
static bool json_pair(struct buf *out, const char *key, struct slice value)
{
	struct slice before = buf_slice(out);
	char last = before.len ? before.data[before.len - 1] : '{';

	return (last == '{' || buf_add_byte(out, ',')) &&
	       json_text(out, slice_str(key)) && buf_add_byte(out, ':') &&
	       json_text(out, value);
}

static bool json_word(struct buf *out, const char *key, const char *value)
{
	return json_pair(out, key, slice_str(value));
}

static bool json_reasons(const struct explain_item *i, struct buf *out)
{
	bool ok = buf_printf(out, ",\"reasons\":[");

	for (size_t n = 0;
	     ok && n < i->reason_count && n < EXPLAIN_REASONS_MAX; n++) {
		const struct cond_reason *r = &i->reasons[n];

		ok = buf_printf(out, "%s{", n ? "," : "") &&
		     json_pair(out, "text", r->text) &&
		     json_pair(out, "condition", r->condition) &&
		     buf_printf(out, ",\"column\":%zu", r->column) &&
		     json_word(out, "answer", tri_word(r->answer)) &&
		     buf_add_byte(out, '}');
	}
	return ok && buf_add_byte(out, ']');
}

static bool json_recipients(const struct explain_item *i, struct buf *out)
{
	bool ok;

	if (i->answer != TRI_TRUE || i->recipient_count == 0)
		return true;
	ok = buf_printf(out, ",\"recipients\":[");
	for (size_t n = 0; ok && n < i->recipient_count; n++)
		ok = (n == 0 || buf_add_byte(out, ',')) &&
		     json_text(out, i->recipients[n]);
	return ok && buf_add_byte(out, ']');
}

static bool json_item(const struct explain_item *i, struct buf *out)
{
	char mode[CONF_SWITCH_TEXT];
	bool ok = buf_add_byte(out, '{') && json_word(out, "name", i->name) &&
		  json_word(out, "answer", tri_word(i->answer));

	if (ok && i->is_final)
		ok = json_word(out, "stage",
			       i->when ? stage_of(i->stage) : "connect");
	if (ok && i->has_failed)
		ok = buf_printf(out, ",\"failed\":true");
	if (i->milter)
		conf_switch_print(&i->milter->mode, mode, sizeof(mode));
	if (ok && i->milter)
		ok = json_word(out, "mode", mode) &&
		     json_word(out, "recipients_mode",
			       conf_recipients_name(i->milter->recipients));
	if (ok && i->skipped_by)
		ok = json_pair(out, "skipped_by", i->skipped_by->name);
	return ok && json_reasons(i, out) && json_recipients(i, out) &&
	       buf_add_byte(out, '}');
}

static bool json_items(const struct explain_item *list, size_t count,
		       const struct explain_item *of, struct buf *out)
{
	bool first = true;

	for (size_t i = 0; i < count; i++) {
		if (of && of != &list[i])
			continue;
		if ((!first && !buf_add_byte(out, ',')) ||
		    !json_item(&list[i], out))
			return false;
		first = false;
	}
	return true;
}

static bool json_events(const struct explain *e, const struct explain_item *of,
			struct buf *out)
{
	bool first = true;

	for (const struct explain_event *i = e->events; i; i = i->next) {
		if (of && !is_about(i, of))
			continue;
		if (!buf_printf(out, "%s{", first ? "" : ",") ||
		    !json_word(out, "stage", stage_of(i->stage)) ||
		    !json_pair(out, "rule", i->rule->name) ||
		    (i->recipient.len &&
		     !json_pair(out, "recipient", i->recipient)) ||
		    !json_pair(out, "text", i->text) || !buf_add_byte(out, '}'))
			return false;
		first = false;
	}
	return true;
}

static bool json_verdict(const struct explain *e, struct buf *out)
{
	if (!buf_printf(out, "],\"verdict\":{") ||
	    !json_word(out, "kind",
		       e->verdict != RULE_ACTION_COUNT ?
			       rule_action_name(e->verdict) :
		       e->is_quarantined ? "quarantine" :
					   "none"))
		return false;
	if (e->verdict == RULE_ACTION_COUNT)
		return buf_add_byte(out, '}');
	return json_word(out, "stage", stage_of(e->verdict_stage)) &&
	       (!e->by || json_pair(out, "rule", e->by->name)) &&
	       json_pair(out, "reply", e->reply) && buf_add_byte(out, '}');
}

bool explain_print_json(const struct explain *e, const struct explain_item *of,
			struct buf *out)
{
	return buf_printf(out, "{\"schema\":1,\"reached\":\"%s\","
			  "\"milters\":[", stage_of(e->reached)) &&
	       json_items(e->items, e->milter_count, of, out) &&
	       buf_printf(out, "],\"rules\":[") &&
	       json_items(e->items + e->milter_count, e->rule_count, of, out) &&
	       buf_printf(out, "],\"events\":[") && json_events(e, of, out) &&
	       json_verdict(e, out) && buf_printf(out, "}\n");
}
