#include "server/milter_seen.h"

#include "server/answer.h"
#include "shared/clock.h"

#define ENDPOINT_TEXT 400

bool milter_seen_stage(const struct status_view *v, unsigned cell,
		       enum stage stage, struct stage_seen *seen_out)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < BOARD_ANSWERS; i++) {
		seen_out->answers[i] = board_sum_answer(v->board, cell, stage,
							(enum board_answer)i);
		all += seen_out->answers[i];
	}
	board_sum_latency(v->board, cell, stage, &seen_out->times);
	return all || seen_out->times.count;
}

static void add_moment(struct json *j, const char *key, uint64_t wall)
{
	char at[MOMENT_TEXT];

	moment_print(wall, at);
	json_word(j, key, at);
}

static void add_layer(const struct switch_layer *l, const struct moment *m,
		      const char *key, struct json *j)
{
	char mode[CONF_SWITCH_TEXT];

	if (!l->is_set) {
		json_null(j, key);
		return;
	}
	conf_switch_print(&l->to, mode, sizeof(mode));
	json_object(j, key);
	json_word(j, "mode", mode);
	json_number(j, "uid", l->uid);
	json_word(j, "user", l->user);
	add_moment(j, "since", l->at);
	if (l->until)
		add_moment(j, "until", moment_wall(m, l->until));
	json_object_end(j);
}

static void add_mode(const struct status_view *v,
		     const struct milter_seen *seen, struct json *j)
{
	const struct switch_row *row =
		switches_find(v->switches, seen->conf->name);
	static const struct switch_layer none;
	struct moment m = moment_now();
	char mode[CONF_SWITCH_TEXT];

	conf_switch_print(&seen->mode, mode, sizeof(mode));
	json_word(j, "mode", mode);
	conf_switch_print(&seen->conf->mode, mode, sizeof(mode));
	json_word(j, "mode_settings", mode);
	json_bool(j, "switched", seen->is_switched);
	add_layer(row ? &row->standing : &none, &m, "switch", j);
	add_layer(row ? &row->timed : &none, &m, "switch_timed", j);
}

static void add_breaker(const struct milter_seen *seen, struct json *j)
{
	const struct board_breaker_copy *b = &seen->breaker;
	struct moment m = moment_now();

	json_object(j, "breaker");
	json_word(j, "state", breaker_state_name(b->breaker.state));
	json_number(j, "score", b->breaker.score);
	if (b->breaker.since)
		add_moment(j, "since", moment_wall(&m, b->breaker.since));
	if (b->opened_at)
		add_moment(j, "opened", moment_wall(&m, b->opened_at));
	if (b->failed_at) {
		add_moment(j, "failed", moment_wall(&m, b->failed_at));
		json_word(j, "cause",
			  b->cause < BOARD_MILTER_COUNTERS ?
				  board_milter_counter_name(b->cause) :
				  "?");
	}
	json_object_end(j);
}

static void add_sockets(const struct status_view *v,
			const struct milter_seen *seen, struct json *j)
{
	const struct conf_sockets *c = &seen->conf->socket;
	uint64_t now = clock_now();
	char text[ENDPOINT_TEXT];

	json_array(j, "sockets");
	for (unsigned i = 0; i < c->count && i < CONF_SOCKETS_MAX; i++) {
		endpoint_print(&c->at[i], text, sizeof(text));
		json_object(j, NULL);
		json_word(j, "socket", text);
		json_number(j, "connections", seen->held[i]);
		json_bool(j, "down",
			  board_socket_is_down(v->board, seen->cell, i, now));
		json_object_end(j);
	}
	json_array_end(j);
}

static void add_times(const struct histogram *h, struct json *j)
{
	json_number(j, "count", h->count);
	json_seconds(j, "sum", h->sum);
	json_seconds(j, "p50", histogram_quantile(h, .5));
	json_seconds(j, "p95", histogram_quantile(h, .95));
	json_seconds(j, "p99", histogram_quantile(h, .99));
	json_seconds(j, "max", histogram_quantile(h, 1));
}

static void add_stage(const struct status_view *v, unsigned cell,
		      enum stage stage, struct json *j)
{
	struct stage_seen seen;

	if (!milter_seen_stage(v, cell, stage, &seen))
		return;
	json_object(j, milter_stage_name(stage));
	json_object(j, "answers");
	for (unsigned i = 0; i < BOARD_ANSWERS; i++)
		json_number(j, board_answer_name(i), seen.answers[i]);
	json_object_end(j);
	add_times(&seen.times, j);
	json_object_end(j);
}

static void add_wanted(const struct status_view *v, unsigned cell,
		       struct json *j)
{
	char room[LIST_COUNT * BOARD_LIST_MAX];
	struct board_wanted w;

	if (!board_recall(v->board, cell, room, &w)) {
		json_null(j, "negotiated");
		return;
	}
	json_object(j, "negotiated");
	json_number(j, "actions", w.actions);
	json_number(j, "protocol", w.protocol);
	json_object(j, "macros");
	for (unsigned i = 0; i < LIST_COUNT; i++)
		if (w.has_list[i])
			json_text(j, answer_list_name(i), w.list[i]);
	json_object_end(j);
	json_object_end(j);
}

void milter_seen_add(const struct status_view *v, size_t milter,
		     struct json *j)
{
	struct milter_seen seen;

	milter_seen_look(v, milter, &seen);
	json_object(j, NULL);
	json_word(j, "name", seen.conf->name);
	add_mode(v, &seen, j);
	add_breaker(&seen, j);
	add_sockets(v, &seen, j);
	json_number(j, "connections", seen.held_all);
	json_number(j, "skipped", milter_seen_skipped(&seen));
	json_number(j, "noes", seen.noes);
	json_number(j, "failures", seen.failures);
	json_object(j, "counters");
	for (unsigned i = 0; i < BOARD_MILTER_COUNTERS; i++)
		json_number(j, board_milter_counter_name(i),
			    seen.counters[i]);
	json_object_end(j);
	json_object(j, "stages");
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		add_stage(v, seen.cell, (enum stage)i, j);
	json_object_end(j);
	add_wanted(v, seen.cell, j);
	json_object_end(j);
}
