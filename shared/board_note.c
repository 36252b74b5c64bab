#include "shared/board_bytes.h"
#include "shared/clock.h"
#include "shared/log.h"

static void add(_Atomic uint64_t *word, uint64_t n)
{
	atomic_fetch_add_explicit(word, n, memory_order_relaxed);
}

void board_count(struct board *b, unsigned slot, enum board_counter counter,
		 uint64_t n)
{
	BUG_IF(counter >= BOARD_COUNTERS);
	add(&b->numbers->shards[slot % BOARD_SHARDS].counters[counter], n);
}

void board_count_milter(struct board *b, unsigned slot, unsigned milter,
			enum board_milter_counter counter, uint64_t n)
{
	BUG_IF(milter >= BOARD_MILTERS || counter >= BOARD_MILTER_COUNTERS);
	add(&b->numbers->shards[slot % BOARD_SHARDS].milters[milter][counter],
	    n);
}

static struct board_shard *shard_of(struct board *b, unsigned slot)
{
	return &b->numbers->shards[slot % BOARD_SHARDS];
}

_Atomic uint64_t *board_lost_lines(struct board *b, unsigned slot)
{
	return &shard_of(b, slot)->counters[COUNT_LOG_LINES_LOST];
}

static void add_time(struct board_times *t, uint64_t us)
{
	add(&t->sum, us);
	add(&t->buckets[histogram_bucket(us)], 1);
}

void board_count_answer(struct board *b, unsigned slot, unsigned milter,
			enum stage stage, enum board_answer answer, uint64_t us)
{
	struct board_shard *s = shard_of(b, slot);

	BUG_IF(milter >= BOARD_MILTERS || stage >= STAGE_COUNT ||
	       answer >= BOARD_ANSWERS);
	add(&s->answers[milter][stage][answer], 1);
	add_time(&s->latencies[milter][stage], us);
}

void board_count_wait(struct board *b, unsigned slot, enum stage stage,
		      uint64_t us)
{
	BUG_IF(stage > STAGE_COUNT);
	add_time(&shard_of(b, slot)->waits[stage], us);
}

void board_message_begin(struct board *b, unsigned slot)
{
	board_count(b, slot, COUNT_MESSAGES, 1);
	board_set(&board_slot(b, slot)->message, MESSAGE_OPEN);
}

void board_message_settle(struct board *b, unsigned slot, enum stage stage,
			  enum board_outcome outcome, enum board_cause cause)
{
	BUG_IF(outcome >= OUTCOMES || cause >= CAUSES);
	if (stage >= STAGE_COUNT)
		stage = STAGE_EOM;
	add(&shard_of(b, slot)->verdicts[stage][outcome][cause], 1);
	board_set(&board_slot(b, slot)->message, MESSAGE_SETTLED + outcome);
}

void board_message_end(struct board *b, unsigned slot)
{
	board_set(&board_slot(b, slot)->message, MESSAGE_NONE);
}

static void set_since(struct board_slot *s)
{
	atomic_store_explicit(&s->since, clock_now(), memory_order_relaxed);
}

void board_note_state(struct board *b, unsigned slot, enum board_state state)
{
	struct board_slot *s = board_slot(b, slot);

	board_set(&b->numbers->states[slot], state);
	set_since(s);
}

uint32_t board_state(const struct board *b, unsigned slot)
{
	BUG_IF(slot >= b->slots);
	return atomic_load_explicit(&b->numbers->states[slot],
				    memory_order_relaxed);
}

unsigned board_count_state(const struct board *b, enum board_state state,
			   unsigned enough)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->slots && n < enough; i++)
		n += board_state(b, i) == (uint32_t)state;
	return n;
}

static bool is_set(const _Atomic uint32_t *word, uint32_t value)
{
	return atomic_load_explicit(word, memory_order_relaxed) == value;
}

/* Told at every wake-up; the time is that of the first. */
void board_note_stage(struct board_slot *s, enum stage stage, unsigned child)
{
	if (is_set(&s->stage, stage) && is_set(&s->child, child))
		return;
	board_set(&s->stage, stage);
	board_set(&s->child, child);
	set_since(s);
}

void board_note_held(struct board_slot *s, unsigned milter, unsigned socket)
{
	BUG_IF(milter >= BOARD_MILTERS || socket >= CONF_SOCKETS_MAX);
	atomic_store_explicit(&s->held[milter], (uint8_t)(socket + 1),
			      memory_order_relaxed);
}

void board_note_released(struct board_slot *s, unsigned milter)
{
	BUG_IF(milter >= BOARD_MILTERS);
	atomic_store_explicit(&s->held[milter], 0, memory_order_relaxed);
}

void board_note_guests(struct board_slot *s, unsigned guests)
{
	board_set(&s->guests, guests);
}

void board_note_text(struct board_slot *s, struct slice peer,
		     struct slice queue_id, struct slice sender)
{
	struct board_text *t = &s->text;
	uint32_t odd = change_begin(&t->changes);

	put_text(t->peer, sizeof(t->peer), peer);
	put_text(t->queue_id, sizeof(t->queue_id), queue_id);
	put_text(t->sender, sizeof(t->sender), sender);
	change_end(&t->changes, odd);
}

bool board_read_text(const struct board_slot *s, struct board_text *copy_out)
{
	const struct board_text *t = &s->text;

	for (int i = 0; i < BOARD_TRIES; i++) {
		uint32_t c =
			atomic_load_explicit(&t->changes, memory_order_acquire);

		if (c & 1)
			continue;
		get_text(t->peer, copy_out->peer, sizeof(t->peer));
		get_text(t->queue_id, copy_out->queue_id, sizeof(t->queue_id));
		get_text(t->sender, copy_out->sender, sizeof(t->sender));
		if (!still(&t->changes, c))
			continue;
		copy_out->changes = c;
		return true;
	}
	*copy_out = (struct board_text){ .peer = "?",
					 .queue_id = "?",
					 .sender = "?" };
	return false;
}

void board_slot_reset(struct board *b, unsigned slot, uint64_t generation)
{
	struct board_slot *s = board_slot(b, slot);

	board_note_text(s, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY);
	board_note_stage(s, STAGE_COUNT, BOARD_NO_CHILD);
	board_set(&s->sessions, 0);
	board_set(&s->message, MESSAGE_NONE);
	board_set(&s->settings, 0);
	board_set(&s->listener, 0);
	board_note_guests(s, 0);
	for (unsigned i = 0; i < BOARD_MILTERS; i++)
		board_note_released(s, i);
	atomic_store_explicit(&s->generation, generation, memory_order_relaxed);
	board_set(&b->numbers->states[slot], SLOT_FREE);
}
