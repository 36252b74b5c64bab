#include "shared/rule_text.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/milter_answer.h"
#include "shared/mime_text.h"

/* "550 5.7.1 " in front. */
#define REPLY_MAX (RULE_TEXT_MAX + 32)

struct out {
	char *data;
	size_t len;
	size_t max;
	bool doubles; /* a '%' is written twice */
	struct arena *arena;
};

static void put_byte(struct out *o, char c)
{
	size_t n = o->doubles && c == '%' ? 2 : 1;

	/* Half of a pair would be taken for something else. */
	if (o->len + n > o->max) {
		o->max = o->len;
		return;
	}
	while (n--)
		o->data[o->len++] = c;
}

/* What an administrator wrote; the reader refuses control bytes. */
static void put_literal(struct out *o, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		put_byte(o, s.data[i] == '\t' ? ' ' : s.data[i]);
}

/* What somebody sent. */
static void put_value(struct out *o, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (c == '\t' || c == '\n' || c == '\r')
			c = ' ';
		put_byte(o, c < 0x20 || c > 0x7e ? '?' : c);
	}
}

__attribute__((format(printf, 2, 3))) static void
put_number(struct out *o, const char *format, ...)
{
	char text[64];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_literal(o, slice_str(text));
}

/* Thousandths, without places that say nothing. */
static void put_thousandths(struct out *o, int64_t n)
{
	uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	unsigned part = (unsigned)(size % 1000);
	int places = 3;

	put_number(o, "%s%llu", n < 0 ? "-" : "",
		   (unsigned long long)(size / 1000));
	if (part == 0)
		return;
	while (part % 10 == 0) {
		part /= 10;
		places--;
	}
	put_number(o, ".%0*u", places, part);
}

static void put_typed(struct out *o, enum fact_type type,
		      const struct fact_value *v)
{
	static const char days[7][4] = { "sun", "mon", "tue", "wed",
					 "thu", "fri", "sat" };
	int64_t n = v->number;

	switch (type) {
	case FACT_IS_BOOL:
		put_literal(o, n ? SLICE_LIT("yes") : SLICE_LIT("no"));
		return;
	case FACT_IS_NUMBER:
		put_thousandths(o, n);
		return;
	case FACT_IS_SIZE:
		put_number(o, "%lld", (long long)n);
		return;
	case FACT_IS_DURATION:
		put_number(o, "%llds", (long long)n);
		return;
	case FACT_IS_TIME:
		put_number(o, "%02d:%02d:%02d", (int)(n / 3600 % 24),
			   (int)(n / 60 % 60), (int)(n % 60));
		return;
	case FACT_IS_WEEKDAY:
		put_literal(o, slice_str(days[(uint64_t)n % 7]));
		return;
	case FACT_IS_TEXT:
	case FACT_IS_WORD:
	case FACT_IS_DOMAIN:
	case FACT_IS_MAILBOX:
	case FACT_IS_ADDRESS:
	case FACT_IS_VERDICT:
	case FACT_TYPE_COUNT:
		break;
	}
	put_value(o, v->text);
}

/* The first of that name, decoded, on one line. */
static void put_header(struct out *o, const struct facts *f, struct slice name)
{
	const struct header *h = NULL;
	struct slice text;

	while (f->headers && (h = header_list_next(f->headers, h))) {
		if (!slice_equal_case(h->name, name))
			continue;
		if (!mime_header_text(o->arena, h->value, RULE_TEXT_MAX, &text))
			text = slice_trim(h->value);
		put_value(o, text);
		return;
	}
}

static void put_fact(struct out *o, const struct rule_part *part,
		     const struct facts *f, const struct slice *recipient)
{
	struct slice value;

	switch ((int)part->fact) {
	case FACT_RECIPIENT:
		if (recipient)
			put_value(o, *recipient);
		else if (f->recipients.count)
			put_value(o, f->recipients.items[0]);
		return;
	case FACT_MACRO:
		if (facts_macro(f, part->name, part->stage, &value))
			put_value(o, value);
		return;
	case FACT_HEADER:
	case FACT_HEADER_NOW:
		put_header(o, f, part->name);
		return;
	case FACT_MILTER:
		put_literal(o, slice_str(facts_milter_word(
				       f->milters[part->milter].word)));
		return;
	case FACT_SENDER_ARGS:
		for (size_t i = 0; i < f->sender_arg_count; i++) {
			if (i)
				put_byte(o, ' ');
			put_value(o, f->sender_args[i]);
		}
		return;
	default:
		if (f->values[part->fact].is_set)
			put_typed(o, facts_row(part->fact)->type,
				  &f->values[part->fact]);
	}
}

/* facts NULL: they are all empty. */
static void put_parts(struct out *o, const struct rule_action *a,
		      const struct facts *facts, const struct slice *recipient)
{
	for (size_t i = 0; i < a->part_count; i++) {
		const struct rule_part *part = &a->parts[i];

		if (part->fact == FACT_COUNT)
			put_literal(o, part->literal);
		else if (facts)
			put_fact(o, part, facts, recipient);
	}
}

static struct slice trimmed(const struct out *o)
{
	struct slice s = slice_of(o->data, o->len);

	while (s.len && s.data[s.len - 1] == ' ')
		s.len--;
	return s;
}

bool rule_text(struct arena *arena, const struct rule_action *action,
	       const struct facts *facts, const struct slice *recipient,
	       struct slice *text_out)
{
	char text[RULE_TEXT_MAX];
	struct out o = { .data = text, .max = sizeof(text),
			 .arena = arena };

	put_parts(&o, action, facts, recipient);
	return arena_copy(arena, trimmed(&o), text_out);
}

static struct slice make_reply(struct arena *arena, const struct rule_action *a,
			       const struct facts *facts,
			       const struct slice *recipient,
			       char out[REPLY_MAX])
{
	struct out o = { .data = out, .max = REPLY_MAX, .doubles = true,
			 .arena = arena };

	put_number(&o, "%s %s ", a->code, a->enhanced);
	o.max = o.len + RULE_TEXT_MAX;
	put_parts(&o, a, facts, recipient);
	return trimmed(&o);
}

bool rule_reply(struct arena *arena, const struct rule_action *action,
		const struct facts *facts, const struct slice *recipient,
		struct slice *reply_out)
{
	char text[REPLY_MAX];
	struct slice reply = make_reply(arena, action, facts, recipient, text);
	size_t codes = strlen(action->code) + 1 + strlen(action->enhanced);

	/* Nothing but facts, and those are empty: only the codes are left. */
	if (reply.len <= codes || !answer_reply_ok(reply)) {
		snprintf(text, sizeof(text), "%s %s refused", action->code,
			 action->enhanced);
		reply = slice_str(text);
	}
	return arena_copy(arena, reply, reply_out);
}

bool rule_reply_ok(const struct rule_action *action)
{
	char text[REPLY_MAX];
	struct slice reply;
	size_t literal = 0;

	for (size_t i = 0; i < action->part_count; i++)
		literal += action->parts[i].literal.len;
	reply = make_reply(NULL, action, NULL, NULL, text);
	/* A text of facts alone is empty here. */
	return literal <= RULE_TEXT_MAX &&
	       (answer_reply_ok(reply) || literal == 0);
}
