#include <stdio.h>

#include "server/answer.h"
#include "server/slots.h"

#define TOP_WORKERS 10

#define ROW "%7s %-8s %7s %-7s %-16s %8s %4s %-14s %-32s %s\n"

static void print_head(struct buf *out)
{
	buf_printf(out, ROW, "PID", "STATE", "SINCE", "STAGE", "WAITS FOR",
		   "SESSIONS", "GEN", "QUEUE ID", "CLIENT", "SENDER");
}

static void print_worker(const struct slot_seen *s, struct buf *out)
{
	char pid[16], since[ANSWER_TIME], sessions[16], settings[16];

	snprintf(pid, sizeof(pid), "%d", (int)s->pid);
	snprintf(sessions, sizeof(sessions), "%u", s->sessions);
	snprintf(settings, sizeof(settings), "%u", s->settings);
	buf_printf(out, ROW, pid, s->state, answer_us(s->since, false, since),
		   s->stage, s->child, sessions, settings, s->queue_id, s->peer,
		   s->sender);
}

enum told answer_workers(const struct ask *a)
{
	struct slot_seen seen;

	print_head(a->out);
	for (unsigned i = 0; i < a->view->spawn->slots; i++)
		if (slots_look(a->view, i, &seen))
			print_worker(&seen, a->out);
	return TOLD_OK;
}

static void add_worker(const struct slot_seen *s, struct json *j)
{
	json_object(j, NULL);
	json_number(j, "pid", (uint64_t)s->pid);
	json_number(j, "slot", s->slot);
	json_word(j, "state", s->state);
	json_seconds(j, "since", s->since);
	json_bool(j, "in_message", s->in_message);
	json_word(j, "stage", s->stage);
	json_word(j, "waits_for", s->is_waiting ? s->child : "");
	json_number(j, "sessions", s->sessions);
	json_number(j, "settings", s->settings);
	json_number(j, "listener", s->listener);
	json_word(j, "queue_id", s->queue_id);
	json_word(j, "client", s->peer);
	json_word(j, "sender", s->sender);
	json_object_end(j);
}

enum told answer_workers_json(const struct ask *a, struct json *j)
{
	struct slot_seen seen;

	json_array(j, "workers");
	for (unsigned i = 0; i < a->view->spawn->slots; i++)
		if (slots_look(a->view, i, &seen))
			add_worker(&seen, j);
	json_array_end(j);
	return TOLD_OK;
}

/* ---- top: everything that moves, on one screen ---- */

enum told answer_top(const struct ask *a)
{
	struct slot_seen longest[TOP_WORKERS];
	unsigned n = slots_find_longest(a->view, longest, TOP_WORKERS);

	(void)answer_status(a);
	buf_printf(a->out, "\n");
	(void)answer_milters(a);
	buf_printf(a->out, "\n");
	print_head(a->out);
	for (unsigned i = 0; i < n; i++)
		print_worker(&longest[i], a->out);
	return TOLD_OK;
}

enum told answer_top_json(const struct ask *a, struct json *j)
{
	struct slot_seen longest[TOP_WORKERS];
	unsigned n = slots_find_longest(a->view, longest, TOP_WORKERS);

	(void)answer_status_json(a, j);
	(void)answer_milters_json(a, j);
	json_array(j, "longest");
	for (unsigned i = 0; i < n; i++)
		add_worker(&longest[i], j);
	json_array_end(j);
	return TOLD_OK;
}
