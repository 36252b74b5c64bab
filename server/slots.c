#include "server/slots.h"

#include <stdio.h>
#include <string.h>

#include "shared/clock.h"

static uint32_t load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void copy_text(const char *text, size_t size, const char *none,
		      char *to, size_t room)
{
	answer_clean(slice_of(text, strnlen(text, size)), to, room);
	if (!*to)
		snprintf(to, room, "%s", none);
}

static void look_at_text(const struct board_slot *s, struct slot_seen *seen)
{
	struct board_text t;

	(void)board_read_text(s, &t);
	copy_text(t.peer, sizeof(t.peer), "-", seen->peer, sizeof(seen->peer));
	copy_text(t.queue_id, sizeof(t.queue_id), "-", seen->queue_id,
		  sizeof(seen->queue_id));
	copy_text(t.sender, sizeof(t.sender), "-", seen->sender,
		  sizeof(seen->sender));
}

bool slots_look(const struct status_view *v, unsigned slot,
		struct slot_seen *seen_out)
{
	const struct board_slot *s = board_slot(v->board, slot);
	uint64_t now = clock_now(), since;
	uint32_t state, stage, child;

	if (!v->spawn->rows[slot].pid)
		return false;
	state = board_state(v->board, slot);
	stage = load(&s->stage);
	child = load(&s->child);
	since = atomic_load_explicit(&s->since, memory_order_relaxed);
	*seen_out = (struct slot_seen){
		.slot = slot,
		.pid = v->spawn->rows[slot].pid,
		.state = board_state_name(state),
		.is_busy = state == SLOT_BUSY || state == SLOT_RESERVE,
		.in_message = load(&s->message) == MESSAGE_OPEN,
		.stage = stage < STAGE_COUNT ?
				 milter_stage_name((enum stage)stage) :
				 "-",
		.is_waiting = child < BOARD_MILTERS,
		.since = since && since < now ? now - since : 0,
		.sessions = load(&s->sessions),
		.settings = load(&s->settings),
		.listener = load(&s->listener),
	};
	snprintf(seen_out->child, sizeof(seen_out->child), "%s",
		 child < BOARD_MILTERS ? board_milter_name(v->board, child) :
					 "-");
	look_at_text(s, seen_out);
	return true;
}

static bool is_longer(const struct slot_seen *a, const struct slot_seen *b)
{
	if (a->is_waiting != b->is_waiting)
		return a->is_waiting;
	return a->since > b->since;
}

unsigned slots_find_longest(const struct status_view *v,
			    struct slot_seen *seen_out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < v->spawn->slots; i++) {
		struct slot_seen s;
		unsigned at;

		if (!slots_look(v, i, &s) || !s.is_busy)
			continue;
		for (at = n; at > 0 && is_longer(&s, &seen_out[at - 1]); at--)
			if (at < max)
				seen_out[at] = seen_out[at - 1];
		if (at >= max)
			continue;
		seen_out[at] = s;
		if (n < max)
			n++;
	}
	return n;
}
