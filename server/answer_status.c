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
		struct board_slot *s = board_slot(v->board, i);
		uint32_t state;

		if (!v->spawn->rows[i].pid)
			continue;
		state = atomic_load_explicit(&s->state, memory_order_relaxed);
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
	buf_printf(out, "messages    %" PRIu64,
		   board_sum(v->board, COUNT_MESSAGES));
	for (unsigned o = 0; o < OUTCOMES; o++)
		buf_printf(out, ", %s %" PRIu64, board_outcome_name(o),
			   outcome_of(v, o));
	buf_printf(out, "\nsessions    %" PRIu64 ", refused %" PRIu64
			", lost %" PRIu64 "\n",
		   board_sum(v->board, COUNT_SESSIONS),
		   board_sum(v->board, COUNT_SESSIONS_REFUSED),
		   board_sum(v->board, COUNT_SESSIONS_LOST));
}

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
	return TOLD_OK;
}
