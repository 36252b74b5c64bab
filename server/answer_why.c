#include <stdio.h>
#include <string.h>

#include "server/answer.h"
#include "server/slots.h"
#include "server/why.h"
#include "shared/clock.h"

#define LAST_MESSAGES 20
/* Of one queue id: a message has one line, a spammer's id may be reused. */
#define LINES_MAX     20

static struct slice line_of(struct board_entry *e)
{
	/* A worker's, so anything: one line of printable text from here on. */
	for (size_t i = 0; i < e->len; i++)
		if (e->line[i] < 0x20 || e->line[i] > 0x7e)
			e->line[i] = '?';
	return slice_of(e->line, e->len);
}

static struct slice wanted_id(const struct ask *a)
{
	return request_word(&a->request, 1);
}

/* ---- text ---- */

static void print_pair(struct buf *out, const char *name, struct slice value)
{
	if (value.len)
		buf_printf(out, "  %-15s %.*s\n", name, SLICE_ARG(value));
}

static void print_member(const struct why_member *m, struct buf *out)
{
	buf_printf(out, "  milter %-20.*s %-24.*s %.*s%s\n",
		   SLICE_ARG(m->name), SLICE_ARG(m->word), SLICE_ARG(m->time),
		   m->is_evaluated ? " (evaluated: does not count)" : "");
}

static void print_message(struct board_entry *e, struct buf *out)
{
	static const enum why_field first[] = { WHY_VERDICT, WHY_BY,
						WHY_STAGE,   WHY_RULE,
						WHY_REPLY,   WHY_QUARANTINE,
						WHY_PASSED_WITHOUT };
	static const enum why_field last[] = {
		WHY_FROM, WHY_CLIENT, WHY_NRCPT, WHY_SIZE, WHY_EDITS,
		WHY_TIME, WHY_CHILD,  WHY_SIGNAL, WHY_EXIT, WHY_PID
	};
	struct slice line = line_of(e);
	char at[MOMENT_TEXT];
	struct why w;

	moment_print(e->at, at);
	if (!why_parse(line, &w)) {
		buf_printf(out, "%s %.*s\n", at, SLICE_ARG(line));
		return;
	}
	buf_printf(out, "%.*s at %s\n", SLICE_ARG(w.id), at);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		print_pair(out, why_field_name(first[i]), w.fields[first[i]]);
	for (unsigned i = 0; i < w.member_count; i++)
		print_member(&w.members[i], out);
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
		print_pair(out, why_field_name(last[i]), w.fields[last[i]]);
}

static bool is_at_work(const struct slot_seen *s, struct slice id)
{
	return s->in_message && slice_is(id, s->queue_id);
}

static unsigned print_at_work(const struct ask *a)
{
	unsigned n = 0;
	struct slot_seen s;

	for (unsigned i = 0; i < a->view->spawn->slots; i++) {
		char since[ANSWER_TIME];

		if (!slots_look(a->view, i, &s) ||
		    !is_at_work(&s, wanted_id(a)))
			continue;
		answer_us(s.since, false, since);
		buf_printf(a->out,
			   "%s in work\n  %-15s %s, for %s\n  %-15s %s\n  %-15s %s\n  %-15s %s\n  %-15s %d\n",
			   s.queue_id, "stage", s.stage, since, "waits for",
			   s.child, "from", s.sender, "client", s.peer,
			   "worker", (int)s.pid);
		n++;
	}
	return n;
}

static enum told say_unknown(const struct ask *a)
{
	return answer_refuse(a,
			     "nothing is remembered of \"%.*s\": the last %u messages are (history)",
			     SLICE_ARG(slice_head(wanted_id(a), 60)),
			     board_history(a->view->board));
}

/* One line each, newest first: what somebody calls who has no id yet. */
static void print_last(const struct ask *a)
{
	uint64_t newest = board_newest(a->view->board);

	for (uint64_t i = 0; i < LAST_MESSAGES && i < newest; i++) {
		struct board_entry e;
		char at[MOMENT_TEXT];

		if (!board_read_entry(a->view->board, newest - i, &e))
			continue;
		moment_print(e.at, at);
		buf_printf(a->out, "%s %.*s\n", at, SLICE_ARG(line_of(&e)));
	}
}

enum told answer_why(const struct ask *a)
{
	struct board_entry e;
	uint64_t before = UINT64_MAX;
	unsigned n;

	if (!wanted_id(a).len) {
		print_last(a);
		return TOLD_OK;
	}
	n = print_at_work(a);
	for (unsigned i = 0; i < LINES_MAX &&
			     board_find_entry(a->view->board, wanted_id(a),
					      before, &e);
	     i++, n++) {
		before = e.number;
		print_message(&e, a->out);
	}
	return n ? TOLD_OK : say_unknown(a);
}

/* ---- JSON ---- */

static void add_unquoted(struct json *j, const char *key, struct slice text)
{
	struct buf plain;

	buf_init(&plain, BOARD_LINE_MAX);
	(void)!why_unquote(text, &plain);
	json_text(j, key, buf_slice(&plain));
	buf_deinit(&plain);
}

static void add_message(struct board_entry *e, struct json *j)
{
	struct slice line = line_of(e);
	char at[MOMENT_TEXT];
	struct why w;

	moment_print(e->at, at);
	json_object(j, NULL);
	json_number(j, "number", e->number);
	json_word(j, "at", at);
	json_text(j, "line", line);
	if (why_parse(line, &w)) {
		json_text(j, "queue_id", w.id);
		for (unsigned i = 0; i < WHY_FIELDS; i++)
			if (w.fields[i].len)
				add_unquoted(j,
					     why_field_name((enum why_field)i),
					     w.fields[i]);
		json_array(j, "milters");
		for (unsigned i = 0; i < w.member_count; i++) {
			json_object(j, NULL);
			json_text(j, "name", w.members[i].name);
			json_text(j, "word", w.members[i].word);
			json_text(j, "time", w.members[i].time);
			json_bool(j, "evaluated", w.members[i].is_evaluated);
			json_object_end(j);
		}
		json_array_end(j);
	}
	json_object_end(j);
}

static unsigned add_at_work(const struct ask *a, struct json *j)
{
	unsigned n = 0;
	struct slot_seen s;

	json_array(j, "in_work");
	for (unsigned i = 0; i < a->view->spawn->slots; i++) {
		if (!slots_look(a->view, i, &s) || !s.in_message ||
		    (wanted_id(a).len && !is_at_work(&s, wanted_id(a))))
			continue;
		json_object(j, NULL);
		json_word(j, "queue_id", s.queue_id);
		json_word(j, "stage", s.stage);
		json_seconds(j, "since", s.since);
		json_word(j, "waits_for", s.is_waiting ? s.child : "");
		json_word(j, "from", s.sender);
		json_word(j, "client", s.peer);
		json_number(j, "pid", (uint64_t)s.pid);
		json_object_end(j);
		n++;
	}
	json_array_end(j);
	return n;
}

static unsigned add_lines(const struct ask *a, struct json *j)
{
	uint64_t newest = board_newest(a->view->board), before = UINT64_MAX;
	struct board_entry e;
	unsigned n = 0;

	json_array(j, "messages");
	for (unsigned i = 0; !wanted_id(a).len && i < LAST_MESSAGES &&
			     i < newest;
	     i++)
		if (board_read_entry(a->view->board, newest - i, &e))
			add_message(&e, j);
	for (; wanted_id(a).len && n < LINES_MAX &&
	       board_find_entry(a->view->board, wanted_id(a), before, &e);
	     n++) {
		before = e.number;
		add_message(&e, j);
	}
	json_array_end(j);
	return n;
}

enum told answer_why_json(const struct ask *a, struct json *j)
{
	unsigned n = add_at_work(a, j);

	n += add_lines(a, j);
	return n || !wanted_id(a).len ? TOLD_OK : say_unknown(a);
}
