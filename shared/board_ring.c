#include <string.h>
#include <time.h>

#include "shared/board_bytes.h"
#include "shared/clock.h"

static uint64_t wall_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * CLOCK_S + (uint64_t)t.tv_nsec / 1000;
}

uint32_t board_entry_hash(const struct board_entry *e)
{
	uint32_t hash = SLICE_HASH;

	hash = slice_hash(hash, slice_of(&e->number, sizeof(e->number)));
	hash = slice_hash(hash, slice_of(&e->at, sizeof(e->at)));
	hash = slice_hash(hash, slice_of(e->queue_id, sizeof(e->queue_id)));
	return slice_hash(hash, slice_of(e->line, e->len));
}

void board_remember_line(struct board *b, struct slice queue_id,
			 struct slice line)
{
	struct board_entry e = { .at = wall_clock() };
	struct board_ring_cell *cell;
	uint32_t odd;

	e.number = atomic_fetch_add_explicit(&b->numbers->newest, 1,
					     memory_order_relaxed) + 1;
	cell = &b->ring[(e.number - 1) % b->history];
	put_text(e.queue_id, sizeof(e.queue_id), queue_id);
	e.len = (uint16_t)(line.len < sizeof(e.line) ? line.len :
						       sizeof(e.line));
	memcpy(e.line, line.data, e.len);
	odd = change_begin(&cell->changes);
	__atomic_store_n(&cell->hash, board_entry_hash(&e), __ATOMIC_RELAXED);
	__atomic_store_n(&cell->number, e.number, __ATOMIC_RELAXED);
	__atomic_store_n(&cell->at, e.at, __ATOMIC_RELAXED);
	__atomic_store_n(&cell->len, e.len, __ATOMIC_RELAXED);
	put_bytes(cell->queue_id, e.queue_id, sizeof(e.queue_id));
	put_bytes(cell->line, e.line, e.len);
	change_end(&cell->changes, odd);
}

uint64_t board_newest(const struct board *b)
{
	return board_load(&b->numbers->newest);
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

	if (queue_id.len >= sizeof(cell->queue_id))
		return false;
	/* From its end: ids of one day begin alike. */
	for (size_t i = queue_id.len + 1; i-- > 0;)
		if (__atomic_load_n(&cell->queue_id[i], __ATOMIC_RELAXED) !=
		    (i < queue_id.len ? queue_id.data[i] : '\0'))
			return false;
	return true;
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
