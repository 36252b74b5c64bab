#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "server/answer.h"
#include "shared/clock.h"

void answer_count_workers(const struct status_view *v,
			  unsigned by_state_out[SLOT_STATES])
{
	for (unsigned i = 0; i < SLOT_STATES; i++)
		by_state_out[i] = 0;
	for (unsigned i = 0; i < v->spawn->slots; i++) {
		uint32_t state;

		if (!v->spawn->rows[i].pid)
			continue;
		state = board_state(v->board, i);
		if (state < SLOT_STATES)
			by_state_out[state]++;
	}
}

unsigned answer_messages_in_work(const struct status_view *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < v->spawn->slots; i++)
		n += v->spawn->rows[i].pid &&
		     atomic_load_explicit(&board_slot(v->board, i)->message,
					  memory_order_relaxed) ==
			     MESSAGE_OPEN;
	return n;
}

static uint64_t outcome_of(const struct status_view *v, unsigned outcome)
{
	return board_sum_outcome(v->board, (enum board_outcome)outcome);
}

static void print_messages(const struct status_view *v, struct buf *out)
{
	buf_printf(out, "messages    %" PRIu64 ", in work %u",
		   board_sum(v->board, COUNT_MESSAGES),
		   answer_messages_in_work(v));
	for (unsigned o = 0; o < OUTCOMES; o++)
		buf_printf(out, ", %s %" PRIu64, board_outcome_name(o),
			   outcome_of(v, o));
	buf_printf(out, "\nsessions    %" PRIu64 ", refused %" PRIu64
			", lost %" PRIu64 "\n",
		   board_sum(v->board, COUNT_SESSIONS),
		   board_sum(v->board, COUNT_SESSIONS_REFUSED),
		   board_sum(v->board, COUNT_SESSIONS_LOST));
}

static void print_troubles(const struct status_view *v, struct buf *out)
{
	buf_printf(out,
		   "processes   started %" PRIu64 ", died %" PRIu64 "\n"
		   "overload    sessions %" PRIu64 ", messages %" PRIu64 "\n",
		   board_sum(v->board, COUNT_WORKER_STARTS),
		   board_sum(v->board, COUNT_WORKER_DEATHS),
		   board_sum(v->board, COUNT_OVERLOADED_SESSIONS),
		   board_sum(v->board, COUNT_OVERLOADED_MESSAGES));
}

/* ---- what somebody should know ---- */

/* Called for each; text: without an end of line. */
typedef void take_warning(void *context, const char *text);

static void warn_of_milters(const struct status_view *v, take_warning *take,
			    void *context)
{
	char text[200];

	for (size_t i = 0; i < v->conf->milter_count; i++) {
		const struct conf_milter *m = &v->conf->milters[i];
		struct board_breaker_copy b;

		board_read_breaker(v->board, answer_cell(v, i), &b);
		if (b.breaker.state == BREAKER_CLOSED)
			continue;
		snprintf(text, sizeof(text),
			 "milter %s is left alone (breaker %s): on_failure = %s holds",
			 m->name, breaker_state_name(b.breaker.state),
			 conf_policy_name(m->on_failure));
		take(context, text);
	}
}

static void find_warnings(const struct status_view *v, const unsigned *n,
			  take_warning *take, void *context)
{
	uint64_t lost = board_sum(v->board, COUNT_LOG_LINES_LOST);
	char text[200];

	if (v->limits->max < v->workers_wanted) {
		snprintf(text, sizeof(text),
			 "%s %u workers, the settings ask for %u%s",
			 v->workers_kept ? "the upgrade kept" :
					   "the machine allows",
			 v->limits->max, v->workers_wanted,
			 v->workers_kept ? " at a restart" : "");
		take(context, text);
	}
	if (n[SLOT_BUSY] >= v->limits->max) {
		snprintf(text, sizeof(text),
			 "all %u workers are busy: see workers_max",
			 v->limits->max);
		take(context, text);
	}
	if (*v->switches->unsaved) {
		snprintf(text, sizeof(text),
			 "state_file could not be written: %s; a restart forgets the switches",
			 v->switches->unsaved);
		take(context, text);
	}
	if (lost) {
		snprintf(text, sizeof(text),
			 "%" PRIu64 " lines of the log could not be written",
			 lost);
		take(context, text);
	}
	if (n[SLOT_RESERVE])
		take(context, "the reserve answers what no worker has time for");
	warn_of_milters(v, take, context);
}

static void print_warning(void *context, const char *text)
{
	struct buf *out = context;

	buf_printf(out, "warning     %s\n", text);
}

static void add_warning(void *context, const char *text)
{
	struct json *j = context;

	json_word(j, NULL, text);
}

/* ---- the answers ---- */

enum told answer_status(const struct ask *a)
{
	const struct status_view *v = a->view;
	char up[ANSWER_TIME], at[MOMENT_TEXT];
	struct moment m = moment_now();
	unsigned n[SLOT_STATES];

	answer_count_workers(v, n);
	moment_print(moment_wall(&m, v->read_at), at);
	buf_printf(a->out, "version     %s, pid %d, up %s, phase %s\n",
		   v->version, (int)getpid(),
		   answer_span(m.now - v->started, up), v->phase);
	buf_printf(a->out, "settings    %s, generation %u, read %s\n",
		   v->conf_path, v->settings, at);
	buf_printf(a->out,
		   "workers     busy %u, idle %u, starting %u, leaving %u, reserve %u; %u to %u\n",
		   n[SLOT_BUSY], n[SLOT_IDLE], n[SLOT_STARTING],
		   n[SLOT_LEAVING], n[SLOT_RESERVE], v->limits->min,
		   v->limits->max);
	print_messages(v, a->out);
	print_troubles(v, a->out);
	find_warnings(v, n, print_warning, a->out);
	return TOLD_OK;
}

static void add_counters(const struct status_view *v, struct json *j)
{
	json_object(j, "counters");
	for (unsigned i = 0; i < BOARD_COUNTERS; i++)
		json_number(j, board_counter_name(i),
			    board_sum(v->board, (enum board_counter)i));
	json_object_end(j);
	json_object(j, "verdicts");
	for (unsigned i = 0; i < OUTCOMES; i++)
		json_number(j, board_outcome_name(i), outcome_of(v, i));
	json_object_end(j);
}

static void add_workers(const struct status_view *v, const unsigned *n,
			struct json *j)
{
	json_object(j, "workers");
	for (unsigned i = SLOT_STARTING; i < SLOT_STATES; i++)
		json_number(j, board_state_name(i), n[i]);
	json_number(j, "min", v->limits->min);
	json_number(j, "max", v->limits->max);
	json_number(j, "max_settings", v->workers_wanted);
	json_object_end(j);
}

enum told answer_status_json(const struct ask *a, struct json *j)
{
	const struct status_view *v = a->view;
	struct moment m = moment_now();
	char at[MOMENT_TEXT];
	unsigned n[SLOT_STATES];

	answer_count_workers(v, n);
	json_object(j, "status");
	json_word(j, "version", v->version);
	json_number(j, "pid", (uint64_t)getpid());
	json_word(j, "phase", v->phase);
	json_seconds(j, "time", m.wall);
	json_seconds(j, "uptime", m.now - v->started);
	json_word(j, "settings", v->conf_path);
	json_number(j, "generation", v->settings);
	moment_print(moment_wall(&m, v->read_at), at);
	json_word(j, "settings_read", at);
	add_workers(v, n, j);
	json_number(j, "messages_in_work", answer_messages_in_work(v));
	add_counters(v, j);
	json_array(j, "warnings");
	find_warnings(v, n, add_warning, j);
	json_array_end(j);
	json_object_end(j);
	return TOLD_OK;
}
