#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/answer.h"
#include "server/milter_seen.h"
#include "shared/clock.h"

static uint64_t count_noes(const struct status_view *v, unsigned cell)
{
	static const enum board_answer noes[] = {
		ANSWERED_REJECT, ANSWERED_TEMPFAIL, ANSWERED_DISCARD
	};
	uint64_t n = 0;

	for (unsigned s = 0; s < STAGE_COUNT; s++)
		for (size_t i = 0; i < sizeof(noes) / sizeof(noes[0]); i++)
			n += board_sum_answer(v->board, cell, (enum stage)s,
					      noes[i]);
	return n;
}

/* The end of the message, or else the stage it spends most time in. */
static void find_busiest(const struct status_view *v, struct milter_seen *seen)
{
	board_sum_latency(v->board, seen->cell, STAGE_EOM, &seen->times);
	seen->busiest = STAGE_EOM;
	if (seen->times.count)
		return;
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		struct histogram h;

		board_sum_latency(v->board, seen->cell, (enum stage)s, &h);
		if (!h.count || h.sum <= seen->times.sum)
			continue;
		seen->times = h;
		seen->busiest = (enum stage)s;
	}
}

void milter_seen_look(const struct status_view *v, size_t i,
		      struct milter_seen *seen)
{
	unsigned cell = answer_cell(v, i);

	*seen = (struct milter_seen){ .conf = &v->conf->milters[i], .cell = cell };
	seen->mode = board_switched(v->board, cell, &seen->conf->mode);
	seen->is_switched = board_is_switched(v->board, cell);
	board_read_breaker(v->board, cell, &seen->breaker);
	for (unsigned c = 0; c < BOARD_MILTER_COUNTERS; c++)
		seen->counters[c] = board_sum_milter(
			v->board, cell, (enum board_milter_counter)c);
	seen->noes = count_noes(v, cell);
	for (unsigned c = MILTER_FAILED_CONNECT; c <= MILTER_FAILED_PROTOCOL;
	     c++)
		seen->failures += seen->counters[c];
	seen->held_all = board_held(v->board, cell, seen->held);
	find_busiest(v, seen);
}

uint64_t milter_seen_skipped(const struct milter_seen *seen)
{
	uint64_t n = 0;

	for (unsigned c = MILTER_SKIPPED_CONDITION; c <= MILTER_SKIPPED_OTHER;
	     c++)
		n += seen->counters[c];
	return n;
}

static const char *part(const struct histogram *h, double share,
			char text_out[ANSWER_TIME])
{
	return answer_us(histogram_quantile(h, share), !h->count, text_out);
}

static void print_row(const struct milter_seen *seen, int width, struct buf *out)
{
	char mode[CONF_SWITCH_TEXT + 2], p50[ANSWER_TIME], p95[ANSWER_TIME],
		p99[ANSWER_TIME];
	size_t len;

	conf_switch_print(&seen->mode, mode, CONF_SWITCH_TEXT);
	len = strlen(mode);
	if (seen->is_switched)
		snprintf(mode + len, sizeof(mode) - len, "*");
	buf_printf(out,
		   "%-*s %-12s %-7s %9" PRIu64 " %9" PRIu64 " %7" PRIu64
		   " %7" PRIu64 " %7" PRIu64 " %5u %-7s %7s %7s %7s\n",
		   width, seen->conf->name, mode,
		   breaker_state_name(seen->breaker.breaker.state),
		   seen->counters[MILTER_APPLIED], milter_seen_skipped(seen),
		   seen->noes, seen->failures,
		   seen->counters[MILTER_PASSED_WITHOUT], seen->held_all,
		   milter_stage_name(seen->busiest),
		   part(&seen->times, .5, p50), part(&seen->times, .95, p95),
		   part(&seen->times, .99, p99));
}

static int name_width(const struct status_view *v)
{
	size_t width = 6;

	for (size_t i = 0; i < v->conf->milter_count; i++)
		if (strlen(v->conf->milters[i].name) > width)
			width = strlen(v->conf->milters[i].name);
	return (int)width;
}

enum told answer_milters(const struct ask *a)
{
	const struct status_view *v = a->view;
	int width = name_width(v);

	buf_printf(a->out,
		   "%-*s %-12s %-7s %9s %9s %7s %7s %7s %5s %-7s %7s %7s %7s\n",
		   width, "MILTER", "MODE", "BREAKER", "APPLIED", "SKIPPED",
		   "NO", "FAILED", "WITHOUT", "CONN", "STAGE", "P50", "P95",
		   "P99");
	for (size_t i = 0; i < v->conf->milter_count; i++) {
		struct milter_seen seen;

		milter_seen_look(v, i, &seen);
		print_row(&seen, width, a->out);
	}
	return TOLD_OK;
}

/* ---- JSON ---- */

enum told answer_milters_json(const struct ask *a, struct json *j)
{
	json_array(j, "milters");
	for (size_t i = 0; i < a->view->conf->milter_count; i++)
		milter_seen_add(a->view, i, j);
	json_array_end(j);
	return TOLD_OK;
}
