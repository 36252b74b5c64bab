#include <string.h>

#include "shared/board_layout.h"
#include "shared/log.h"

/* A steady copy that three looks did not give is not waited for. */
#define TRIES 3

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* The same word of each shard, added up. */
#define SUM_SHARDS(sum, b, word)                               \
	do {                                                   \
		for (unsigned i_ = 0; i_ < BOARD_SHARDS; i_++) \
			(sum) += load(&(b)->numbers->shards[i_].word); \
	} while (0)

uint64_t board_sum(const struct board *b, enum board_counter counter)
{
	uint64_t sum = 0;

	BUG_IF(counter >= BOARD_COUNTERS);
	SUM_SHARDS(sum, b, counters[counter]);
	return sum;
}

uint64_t board_sum_milter(const struct board *b, unsigned milter,
			  enum board_milter_counter counter)
{
	uint64_t sum = 0;

	BUG_IF(milter >= BOARD_MILTERS || counter >= BOARD_MILTER_COUNTERS);
	SUM_SHARDS(sum, b, milters[milter][counter]);
	return sum;
}

uint64_t board_sum_answer(const struct board *b, unsigned milter,
			  enum stage stage, enum board_answer answer)
{
	uint64_t sum = 0;

	BUG_IF(milter >= BOARD_MILTERS || stage >= STAGE_COUNT ||
	       answer >= BOARD_ANSWERS);
	SUM_SHARDS(sum, b, answers[milter][stage][answer]);
	return sum;
}

uint64_t board_sum_verdict(const struct board *b, enum stage stage,
			   enum board_outcome outcome, enum board_cause cause)
{
	uint64_t sum = 0;

	BUG_IF(stage >= STAGE_COUNT || outcome >= OUTCOMES || cause >= CAUSES);
	SUM_SHARDS(sum, b, verdicts[stage][outcome][cause]);
	return sum;
}

uint64_t board_sum_outcome(const struct board *b, enum board_outcome outcome)
{
	uint64_t sum = 0;

	for (unsigned stage = 0; stage < STAGE_COUNT; stage++)
		for (unsigned cause = 0; cause < CAUSES; cause++)
			sum += board_sum_verdict(b, (enum stage)stage, outcome,
						 (enum board_cause)cause);
	return sum;
}

static void add_times(struct histogram *to, const struct board_times *from)
{
	to->sum += load(&from->sum);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = load(&from->buckets[i]);

		to->buckets[i] += n;
		to->count += n;
	}
}

void board_sum_latency(const struct board *b, unsigned milter,
		       enum stage stage, struct histogram *sum_out)
{
	BUG_IF(milter >= BOARD_MILTERS || stage >= STAGE_COUNT);
	*sum_out = (struct histogram){ 0 };
	for (unsigned i = 0; i < BOARD_SHARDS; i++)
		add_times(sum_out,
			  &b->numbers->shards[i].latencies[milter][stage]);
}

void board_sum_wait(const struct board *b, enum stage stage,
		    struct histogram *sum_out)
{
	BUG_IF(stage > STAGE_COUNT);
	*sum_out = (struct histogram){ 0 };
	for (unsigned i = 0; i < BOARD_SHARDS; i++)
		add_times(sum_out, &b->numbers->shards[i].waits[stage]);
}

unsigned board_held(const struct board *b, unsigned milter,
		    unsigned by_socket_out[CONF_SOCKETS_MAX])
{
	unsigned all = 0;

	BUG_IF(milter >= BOARD_MILTERS);
	memset(by_socket_out, 0, CONF_SOCKETS_MAX * sizeof(*by_socket_out));
	for (unsigned i = 0; i < b->slots; i++) {
		const struct board_slot *s = &b->numbers->slots[i].slot;
		unsigned held = atomic_load_explicit(&s->held[milter],
						     memory_order_relaxed);

		if (held == 0 || held > CONF_SOCKETS_MAX)
			continue;
		by_socket_out[held - 1]++;
		all++;
	}
	return all;
}

struct conf_switch board_switched(const struct board *b, unsigned milter,
				  const struct conf_switch *settings)
{
	uint32_t word;

	BUG_IF(milter >= BOARD_MILTERS);
	word = atomic_load_explicit(&b->control->milters[milter].switched,
				    memory_order_relaxed);
	if (!word)
		return *settings;
	return (struct conf_switch){ .mode = (enum conf_mode)((word & 0xff) - 1),
				     .percent = word >> 8 };
}

bool board_is_switched(const struct board *b, unsigned milter)
{
	BUG_IF(milter >= BOARD_MILTERS);
	return atomic_load_explicit(&b->control->milters[milter].switched,
				    memory_order_relaxed) != 0;
}

static void get_bytes(const char *shared, char *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = __atomic_load_n(&shared[i], __ATOMIC_RELAXED);
}

/* The bytes are a worker's and may lack their NUL. */
static void get_text(const char *shared, char *to, size_t size)
{
	get_bytes(shared, to, size);
	to[size - 1] = '\0';
}

/* Did nothing change since `changes` was read as this (even) value? */
static bool still(const _Atomic uint32_t *changes, uint32_t then)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(changes, memory_order_relaxed) == then;
}

bool board_read_text(const struct board_slot *s, struct board_text *copy_out)
{
	const struct board_text *t = &s->text;

	for (int i = 0; i < TRIES; i++) {
		uint32_t c = atomic_load_explicit(&t->changes,
						  memory_order_acquire);

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

static void copy_wish(const struct board_wish *w, char *room,
		      struct board_wanted *out)
{
	*out = (struct board_wanted){
		.actions = __atomic_load_n(&w->actions, __ATOMIC_RELAXED),
		.protocol = __atomic_load_n(&w->protocol, __ATOMIC_RELAXED),
	};
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		size_t len = __atomic_load_n(&w->list_len[i], __ATOMIC_RELAXED);

		/* Torn reads are thrown away later, but must stay inside. */
		if (len > BOARD_LIST_MAX)
			len = BOARD_LIST_MAX;
		out->has_list[i] =
			__atomic_load_n(&w->has_list[i], __ATOMIC_RELAXED) != 0;
		get_bytes(w->list[i], room, len);
		out->list[i] = slice_of(room, len);
		room += BOARD_LIST_MAX;
	}
}

bool board_recall(const struct board *b, unsigned milter, char *room,
		  struct board_wanted *wanted_out)
{
	const struct board_wish *w;

	BUG_IF(milter >= BOARD_MILTERS);
	w = &b->control->milters[milter].wish;
	for (int i = 0; i < TRIES; i++) {
		uint32_t c = atomic_load_explicit(&w->changes,
						  memory_order_acquire);

		if (c == 0)
			break;
		if (c & 1)
			continue;
		copy_wish(w, room, wanted_out);
		if (still(&w->changes, c))
			return true;
	}
	*wanted_out = (struct board_wanted){ 0 };
	return false;
}

/* ---- the ring ---- */

uint64_t board_newest(const struct board *b)
{
	return load(&b->numbers->newest);
}

static bool is_remembered(const struct board *b, uint64_t number)
{
	uint64_t newest = board_newest(b);

	return number > 0 && number <= newest && newest - number < b->history;
}

static void copy_entry(const struct board_ring_cell *cell,
		       struct board_entry *out)
{
	*out = (struct board_entry){
		.number = __atomic_load_n(&cell->number, __ATOMIC_RELAXED),
		.at = __atomic_load_n(&cell->at, __ATOMIC_RELAXED),
		.len = __atomic_load_n(&cell->len, __ATOMIC_RELAXED),
	};
	if (out->len > sizeof(out->line))
		out->len = sizeof(out->line);
	get_bytes(cell->queue_id, out->queue_id, sizeof(out->queue_id));
	get_bytes(cell->line, out->line, out->len);
}

bool board_read_entry(const struct board *b, uint64_t number,
		      struct board_entry *copy_out)
{
	const struct board_ring_cell *cell;
	uint32_t c, hash;

	if (!is_remembered(b, number))
		return false;
	cell = &b->ring[(number - 1) % b->history];
	c = atomic_load_explicit(&cell->changes, memory_order_acquire);
	hash = __atomic_load_n(&cell->hash, __ATOMIC_RELAXED);
	copy_entry(cell, copy_out);
	return !(c & 1) && still(&cell->changes, c) &&
	       copy_out->number == number && hash == board_entry_hash(copy_out);
}

static bool has_queue_id(const struct board *b, uint64_t number,
			 struct slice queue_id)
{
	const struct board_ring_cell *cell =
		&b->ring[(number - 1) % b->history];
	char id[sizeof(cell->queue_id)];

	get_text(cell->queue_id, id, sizeof(id));
	return slice_is(queue_id, id);
}

bool board_find_entry(const struct board *b, struct slice queue_id,
		      uint64_t before, struct board_entry *copy_out)
{
	uint64_t number = board_newest(b);

	if (before <= number)
		number = before - 1;
	for (; is_remembered(b, number); number--)
		if (has_queue_id(b, number, queue_id) &&
		    board_read_entry(b, number, copy_out))
			return true;
	return false;
}
