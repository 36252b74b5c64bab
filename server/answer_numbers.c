#include <inttypes.h>

#include "server/answer.h"
#include "shared/clock.h"

static void add_workers(const struct status_view *v, struct buf *out)
{
	unsigned n[SLOT_STATES];

	answer_count_workers(v, n);
	for (unsigned i = SLOT_STARTING; i < SLOT_STATES; i++)
		buf_printf(out, "workers %s %u\n", board_state_name(i), n[i]);
}

static void add_verdicts(const struct status_view *v, struct buf *out)
{
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		for (unsigned o = 0; o < OUTCOMES; o++)
			for (unsigned c = 0; c < CAUSES; c++) {
				uint64_t n = board_sum_verdict(
					v->board, (enum stage)s,
					(enum board_outcome)o,
					(enum board_cause)c);

				if (!n)
					continue;
				buf_printf(out, "verdict %s %s %s %" PRIu64 "\n",
					   milter_stage_name((enum stage)s),
					   board_outcome_name(o),
					   board_cause_name(c), n);
			}
}

/* Sum, count and the buckets that are not empty, to the line's end. */
static void add_times(const struct histogram *h, struct buf *out)
{
	buf_printf(out, " %" PRIu64 " %" PRIu64, h->sum, h->count);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (h->buckets[i])
			buf_printf(out, " %u:%" PRIu64, i, h->buckets[i]);
	buf_printf(out, "\n");
}

static void add_waits(const struct status_view *v, struct buf *out)
{
	for (unsigned s = 0; s <= STAGE_COUNT; s++) {
		struct histogram h;

		board_sum_wait(v->board, (enum stage)s, &h);
		if (!h.count)
			continue;
		buf_printf(out, "wait %s",
			   s == STAGE_COUNT ?
				   "message" :
				   milter_stage_name((enum stage)s));
		add_times(&h, out);
	}
}

static void add_stage(const struct status_view *v, const char *name,
		      unsigned cell, enum stage stage, struct buf *out)
{
	const char *at = milter_stage_name(stage);
	struct histogram h;

	for (unsigned i = 0; i < BOARD_ANSWERS; i++) {
		uint64_t n = board_sum_answer(v->board, cell, stage,
					      (enum board_answer)i);

		if (n)
			buf_printf(out, "answer %s %s %s %" PRIu64 "\n", name,
				   at, board_answer_name(i), n);
	}
	board_sum_latency(v->board, cell, stage, &h);
	if (!h.count)
		return;
	buf_printf(out, "latency %s %s", name, at);
	add_times(&h, out);
}

static void add_milter(const struct status_view *v, size_t i, struct buf *out)
{
	const struct conf_milter *m = &v->conf->milters[i];
	unsigned cell = answer_cell(v, i), held[CONF_SOCKETS_MAX];
	struct conf_switch mode = board_switched(v->board, cell, &m->mode);
	struct board_breaker_copy breaker;
	char text[CONF_SWITCH_TEXT];

	for (unsigned c = 0; c < BOARD_MILTER_COUNTERS; c++)
		buf_printf(out, "milter %s %s %" PRIu64 "\n", m->name,
			   board_milter_counter_name(c),
			   board_sum_milter(v->board, cell,
					    (enum board_milter_counter)c));
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		add_stage(v, m->name, cell, (enum stage)s, out);
	conf_switch_print(&mode, text, sizeof(text));
	buf_printf(out, "mode %s %s\n", m->name, text);
	board_read_breaker(v->board, cell, &breaker);
	buf_printf(out, "breaker %s %s\n", m->name,
		   breaker_state_name(breaker.breaker.state));
	(void)board_held(v->board, cell, held);
	for (unsigned s = 0; s < m->socket.count && s < CONF_SOCKETS_MAX; s++)
		buf_printf(out, "connections %s %u %u\n", m->name, s, held[s]);
}

void answer_print_numbers(const struct status_view *v, struct buf *out)
{
	struct moment m = moment_now();

	buf_printf(out, "numbers 1\ntime %" PRIu64 "\nuptime %" PRIu64
			"\nversion %s\n",
		   m.wall, (m.now - v->started) / CLOCK_S, v->version);
	add_workers(v, out);
	for (unsigned i = 0; i < BOARD_COUNTERS; i++)
		buf_printf(out, "counter %s %" PRIu64 "\n",
			   board_counter_name(i),
			   board_sum(v->board, (enum board_counter)i));
	add_verdicts(v, out);
	add_waits(v, out);
	for (size_t i = 0; i < v->conf->milter_count; i++)
		add_milter(v, i, out);
}

enum told answer_numbers(const struct ask *a)
{
	struct slice kept;
	uint64_t age;

	if (a->request.count == 1) {
		answer_print_numbers(a->view, a->out);
		return TOLD_OK;
	}
	if (!request_duration(&a->request, 1, "since", &age))
		return answer_refuse(a, "not understood: numbers [since DURATION], for example numbers since 10m");
	if (!past_find(a->view->past, age, clock_now(), &kept))
		return answer_refuse(a, "no numbers are kept that are so old");
	if (!buf_add(a->out, kept))
		return answer_refuse(a, "the answer is too long");
	return TOLD_OK;
}
