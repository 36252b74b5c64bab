#include <inttypes.h>
#include <stdio.h>

#include "server/answer.h"
#include "server/milter_seen.h"
#include "shared/clock.h"

#define ENDPOINT_TEXT 400

void answer_print_switch(const struct status_view *v, const char *name,
			 struct buf *out)
{
	size_t i = answer_find_milter(v, slice_str(name));
	const struct switch_layer *l =
		switch_in_force(switches_find(v->switches, name));
	char mode[CONF_SWITCH_TEXT], settings[CONF_SWITCH_TEXT] = "?",
	     at[MOMENT_TEXT];
	struct moment m = moment_now();

	if (i < v->conf->milter_count)
		conf_switch_print(&v->conf->milters[i].mode, settings,
				  sizeof(settings));
	if (!l) {
		buf_printf(out, "%s, as the settings say", settings);
		return;
	}
	conf_switch_print(&l->to, mode, sizeof(mode));
	moment_print(l->at, at);
	buf_printf(out, "%s by %s (uid %u) since %s", mode, l->user,
		   (unsigned)l->uid, at);
	if (l->until) {
		moment_print(moment_wall(&m, l->until), at);
		buf_printf(out, " until %s", at);
	}
	buf_printf(out, " (settings: %s)", settings);
}

static const char *cause_name(const struct board_breaker_copy *b)
{
	if (!b->failed_at || b->cause >= BOARD_MILTER_COUNTERS)
		return "none";
	return board_milter_counter_name(b->cause);
}

/* ---- text ---- */

static void print_breaker(const struct milter_seen *seen, struct buf *out)
{
	const struct board_breaker_copy *b = &seen->breaker;
	struct moment m = moment_now();
	char at[MOMENT_TEXT];

	buf_printf(out, "breaker      %s",
		   breaker_state_name(b->breaker.state));
	if (b->breaker.since) {
		moment_print(moment_wall(&m, b->breaker.since), at);
		buf_printf(out, " since %s", at);
	}
	buf_printf(out, ", score %u, opened %" PRIu64 " times",
		   b->breaker.score, seen->counters[MILTER_OPENED]);
	if (b->failed_at) {
		moment_print(moment_wall(&m, b->failed_at), at);
		buf_printf(out, "; last failure: %s at %s", cause_name(b), at);
	}
	buf_printf(out, "\n");
}

static void print_sockets(const struct status_view *v,
			  const struct milter_seen *seen, struct buf *out)
{
	const struct conf_sockets *c = &seen->conf->socket;
	uint64_t now = clock_now();
	char text[ENDPOINT_TEXT];

	for (unsigned i = 0; i < c->count && i < CONF_SOCKETS_MAX; i++) {
		endpoint_print(&c->at[i], text, sizeof(text));
		buf_printf(out, "socket %u     %s, %u connections%s\n", i, text,
			   seen->held[i],
			   board_socket_is_down(v->board, seen->cell, i, now) ?
				   ", left alone after a failure" :
				   "");
	}
}

static void print_counters(const struct milter_seen *seen, struct buf *out)
{
	for (unsigned i = 0; i < BOARD_MILTER_COUNTERS; i++)
		buf_printf(out, "%s%s %" PRIu64,
			   i == 0	? "counters     " :
			   i % 5 == 0 ? ",\n             " :
					  ", ",
			   board_milter_counter_name(i), seen->counters[i]);
	buf_printf(out, "\n");
}

static void print_stage(const struct status_view *v, unsigned cell,
			enum stage stage, struct buf *out)
{
	char p50[ANSWER_TIME], p95[ANSWER_TIME], p99[ANSWER_TIME],
		max[ANSWER_TIME];
	struct stage_seen seen;
	const struct histogram *h = &seen.times;

	if (!milter_seen_stage(v, cell, stage, &seen))
		return;
	buf_printf(out, "%-9s", milter_stage_name(stage));
	for (unsigned i = 0; i < BOARD_ANSWERS; i++)
		buf_printf(out, " %9" PRIu64, seen.answers[i]);
	buf_printf(out, " %8s %8s %8s %8s\n",
		   answer_us(histogram_quantile(h, .5), !h->count, p50),
		   answer_us(histogram_quantile(h, .95), !h->count, p95),
		   answer_us(histogram_quantile(h, .99), !h->count, p99),
		   answer_us(histogram_quantile(h, 1), !h->count, max));
}

static void print_stages(const struct status_view *v, unsigned cell,
			 struct buf *out)
{
	buf_printf(out, "%-9s", "STAGE");
	for (unsigned i = 0; i < BOARD_ANSWERS; i++)
		buf_printf(out, " %9s", board_answer_name(i));
	buf_printf(out, " %8s %8s %8s %8s\n", "P50", "P95", "P99", "MAX");
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		print_stage(v, cell, (enum stage)i, out);
}

/* A macro list is one that the milter asked for by itself. */
static void print_wanted(const struct status_view *v, unsigned cell,
			 struct buf *out)
{
	char room[LIST_COUNT * BOARD_LIST_MAX];
	struct board_wanted w;

	if (!board_recall(v->board, cell, room, &w)) {
		buf_printf(out, "negotiated   not yet\n");
		return;
	}
	buf_printf(out, "negotiated   actions 0x%x, protocol 0x%x\n", w.actions,
		   w.protocol);
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		char list[BOARD_LIST_MAX + 1];

		if (!w.has_list[i])
			continue;
		answer_clean(w.list[i], list, sizeof(list));
		buf_printf(out, "macros       %s: %s\n",
			   answer_list_name(i), list);
	}
}

static enum told find(const struct ask *a, size_t *milter_out)
{
	struct slice name = request_word(&a->request, 1);

	if (!name.len)
		return answer_refuse(a, "which one? milter NAME");
	*milter_out = answer_find_milter(a->view, name);
	if (*milter_out == a->view->conf->milter_count)
		return answer_refuse(a, "no milter \"%.*s\" in the settings",
				     SLICE_ARG(slice_head(name, 80)));
	return TOLD_OK;
}

enum told answer_milter(const struct ask *a)
{
	const struct status_view *v = a->view;
	struct milter_seen seen;
	size_t i;

	if (find(a, &i) != TOLD_OK)
		return TOLD_ERROR;
	milter_seen_look(v, i, &seen);
	buf_printf(a->out, "milter       %s\nmode         ",
		   seen.conf->name);
	answer_print_switch(v, seen.conf->name, a->out);
	buf_printf(a->out, "\n");
	print_breaker(&seen, a->out);
	print_sockets(v, &seen, a->out);
	print_wanted(v, seen.cell, a->out);
	print_counters(&seen, a->out);
	print_stages(v, seen.cell, a->out);
	return TOLD_OK;
}

enum told answer_milter_json(const struct ask *a, struct json *j)
{
	size_t i;

	if (find(a, &i) != TOLD_OK)
		return TOLD_ERROR;
	json_array(j, "milters");
	milter_seen_add(a->view, i, j);
	json_array_end(j);
	return TOLD_OK;
}
