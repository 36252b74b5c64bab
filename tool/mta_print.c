/*
 * mta_print - a report in words and as JSON; declared in mta_report.h
 */
#include <inttypes.h>

#include "tool/mta_report.h"
#include "tool/script.h"

#define PRINT_MAX ((size_t)256 * 1024 * 1024)

/* A buf that runs full gives a shorter text; nothing else can be done. */
static void flush_to(struct buf *b, FILE *to)
{
	struct slice s = buf_slice(b);

	fwrite(s.data, 1, s.len, to);
	buf_deinit(b);
}

static void add(struct buf *b, const char *text)
{
	(void)!buf_add(b, slice_str(text));
}

/* --- for people --- */

static void print_step(struct buf *b, const struct report_step *s)
{
	size_t before;

	buf_printf(b, "  %-8s ", s->stage);
	before = buf_len(b);
	if (s->what.len)
		(void)!script_print(b, s->what);
	while (buf_len(b) - before < 32)
		add(b, " ");
	if (s->how == REPORT_NOT_SENT)
		add(b, " (not sent)");
	else if (s->how == REPORT_NOT_OWED)
		add(b, " (no answer)");
	else
		buf_printf(b, " %s", script_answer_name(s->answer));
	if (s->text.len) {
		add(b, " ");
		(void)!script_quote(b, s->text);
	}
	if (s->how == REPORT_ANSWERED)
		buf_printf(b, "  %.1f ms", (double)s->time / 1000);
	add(b, "\n");
}

static void print_edit(struct buf *b, const struct answer *a)
{
	buf_printf(b, "  %-8s %s", "edit", script_answer_name(a->kind));
	if (a->kind == ANSWER_INSHEADER || a->kind == ANSWER_CHGHEADER)
		buf_printf(b, " %" PRIu32, a->header.index);
	if (a->kind == ANSWER_ADDHEADER || a->kind == ANSWER_INSHEADER ||
	    a->kind == ANSWER_CHGHEADER) {
		add(b, " ");
		(void)!script_print(b, a->header.name);
		add(b, " ");
		(void)!script_quote(b, a->header.value);
	} else if (a->kind == ANSWER_REPLBODY) {
		buf_printf(b, " %zu bytes", a->body.len);
	} else if (a->kind == ANSWER_QUARANTINE) {
		add(b, " ");
		(void)!script_quote(b, a->text);
	} else {
		add(b, " ");
		(void)!script_print(b, a->address.address);
		if (a->address.has_args) {
			add(b, " ");
			(void)!script_quote(b, a->address.args);
		}
	}
	add(b, "\n");
}

static void print_rcpts(struct buf *b, const struct report *r)
{
	for (const struct report_rcpt *p = r->rcpts; p; p = p->next) {
		add(b, "  to       ");
		(void)!script_print(b, p->address);
		buf_printf(b, " %s", report_fate_name(p->fate));
		if (p->text.len) {
			add(b, " ");
			(void)!script_quote(b, p->text);
		}
		add(b, "\n");
	}
}

static void print_end(struct buf *b, const struct report *r)
{
	for (const struct report_warning *w = r->warnings; w; w = w->next)
		buf_printf(b, "  warning  %.*s\n", SLICE_ARG(w->text));
	if (r->failure.len)
		buf_printf(b, "  failure  at %s: %.*s\n", r->stage,
			   SLICE_ARG(r->failure));
	buf_printf(b, "  verdict  %s", verdict_name(r->verdict));
	if (r->stage[0])
		buf_printf(b, " at %s", r->stage);
	if (r->reply.len) {
		add(b, " ");
		(void)!script_quote(b, r->reply);
	}
	if (r->verdict == VERDICT_QUARANTINE) {
		add(b, " ");
		(void)!script_quote(b, r->quarantine);
	}
	buf_printf(b, "  %.1f ms\n", (double)r->time / 1000);
}

void report_print(const struct report *r, FILE *to)
{
	struct buf b;

	buf_init(&b, PRINT_MAX);
	buf_printf(&b, "session %u message %u", r->session, r->message);
	if (r->file.len) {
		add(&b, " ");
		(void)!script_print(&b, r->file);
	}
	add(&b, "\n");
	for (const struct report_step *s = r->steps; s; s = s->next)
		print_step(&b, s);
	for (const struct report_edit *e = r->edits; e; e = e->next)
		print_edit(&b, &e->answer);
	print_rcpts(&b, r);
	print_end(&b, r);
	flush_to(&b, to);
}

/* --- JSON --- */

/* Bytes that are no ASCII stand as the characters of Latin-1. */
static void json_text(struct buf *b, struct slice s)
{
	add(b, "\"");
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			(void)!buf_add_byte(b, (char)c);
		else
			buf_printf(b, "\\u%04x", c);
	}
	add(b, "\"");
}

static void json_key(struct buf *b, const char *key)
{
	struct slice s = buf_slice(b);

	if (s.data[s.len - 1] != '{' && s.data[s.len - 1] != '[')
		add(b, ",");
	if (key)
		buf_printf(b, "\"%s\":", key);
}

static void json_str(struct buf *b, const char *key, struct slice value)
{
	json_key(b, key);
	json_text(b, value);
}

static void json_number(struct buf *b, const char *key, uint64_t value)
{
	json_key(b, key);
	buf_printf(b, "%" PRIu64, value);
}

static void json_ms(struct buf *b, uint64_t time)
{
	json_key(b, "ms");
	buf_printf(b, "%.3f", (double)time / 1000);
}

static void json_steps(struct buf *b, const struct report *r)
{
	json_key(b, "stages");
	add(b, "[");
	for (const struct report_step *s = r->steps; s; s = s->next) {
		const char *answer = script_answer_name(s->answer);

		if (s->how != REPORT_ANSWERED)
			answer =
				s->how == REPORT_NOT_SENT ? "not sent" : "none";
		json_key(b, NULL);
		add(b, "{");
		json_str(b, "stage", slice_str(s->stage));
		if (s->what.len)
			json_str(b, "what", s->what);
		json_str(b, "answer", slice_str(answer));
		if (s->text.len)
			json_str(b, "reply", s->text);
		json_ms(b, s->time);
		add(b, "}");
	}
	add(b, "]");
}

static void json_edit(struct buf *b, const struct answer *a)
{
	json_key(b, NULL);
	add(b, "{");
	json_str(b, "edit", slice_str(script_answer_name(a->kind)));
	if (a->kind == ANSWER_INSHEADER || a->kind == ANSWER_CHGHEADER)
		json_number(b, "index", a->header.index);
	if (a->kind == ANSWER_ADDHEADER || a->kind == ANSWER_INSHEADER ||
	    a->kind == ANSWER_CHGHEADER) {
		json_str(b, "name", a->header.name);
		json_str(b, "value", a->header.value);
	} else if (a->kind == ANSWER_REPLBODY) {
		json_number(b, "size", a->body.len);
	} else if (a->kind == ANSWER_QUARANTINE) {
		json_str(b, "reason", a->text);
	} else {
		json_str(b, "address", a->address.address);
		if (a->address.has_args)
			json_str(b, "args", a->address.args);
	}
	add(b, "}");
}

static void json_rcpts(struct buf *b, const struct report *r)
{
	json_key(b, "recipients");
	add(b, "[");
	for (const struct report_rcpt *p = r->rcpts; p; p = p->next) {
		json_key(b, NULL);
		add(b, "{");
		json_str(b, "address", p->address);
		json_str(b, "fate", slice_str(report_fate_name(p->fate)));
		if (p->text.len)
			json_str(b, "reply", p->text);
		add(b, "}");
	}
	add(b, "]");
}

static void json_lists(struct buf *b, const struct report *r)
{
	json_steps(b, r);
	json_key(b, "edits");
	add(b, "[");
	for (const struct report_edit *e = r->edits; e; e = e->next)
		json_edit(b, &e->answer);
	add(b, "]");
	json_rcpts(b, r);
	json_key(b, "warnings");
	add(b, "[");
	for (const struct report_warning *w = r->warnings; w; w = w->next)
		json_str(b, NULL, w->text);
	add(b, "]");
}

void report_print_json(const struct report *r, FILE *to)
{
	struct buf b;

	buf_init(&b, PRINT_MAX);
	add(&b, "{");
	json_number(&b, "session", r->session);
	json_number(&b, "message", r->message);
	json_str(&b, "file", r->file);
	json_str(&b, "queue_id", r->queue_id);
	json_str(&b, "verdict", slice_str(verdict_name(r->verdict)));
	json_str(&b, "stage", slice_str(r->stage));
	json_str(&b, "reply", r->reply);
	json_str(&b, "quarantine", r->quarantine);
	json_str(&b, "failure", r->failure);
	json_str(&b, "sender", r->sender);
	json_str(&b, "sender_args", r->sender_args);
	json_key(&b, "body_replaced");
	add(&b, r->is_body_replaced ? "true" : "false");
	json_number(&b, "body_size", r->body_size);
	json_key(&b, "body_hash");
	buf_printf(&b, "\"%016" PRIx64 "\"", r->body_hash);
	json_lists(&b, r);
	json_ms(&b, r->time);
	add(&b, "}\n");
	flush_to(&b, to);
}
