#include "shared/board_layout.h"
#include "shared/log.h"

/* A steady copy that three looks did not give is not waited for. */
#define TRIES 3

uint64_t board_sum(const struct board *b, enum board_counter counter)
{
	uint64_t sum = 0;

	BUG_IF(counter >= BOARD_COUNTERS);
	for (unsigned i = 0; i < BOARD_SHARDS; i++)
		sum += atomic_load_explicit(
			&b->numbers->shards[i].counters[counter],
			memory_order_relaxed);
	return sum;
}

uint64_t board_sum_milter(const struct board *b, unsigned milter,
			  enum board_milter_counter counter)
{
	uint64_t sum = 0;

	BUG_IF(milter >= BOARD_MILTERS || counter >= BOARD_MILTER_COUNTERS);
	for (unsigned i = 0; i < BOARD_SHARDS; i++)
		sum += atomic_load_explicit(
			&b->numbers->shards[i].milters[milter][counter],
			memory_order_relaxed);
	return sum;
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
	w = &b->control->wishes[milter].wish;
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
