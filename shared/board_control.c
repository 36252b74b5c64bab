#include "shared/board_bytes.h"
#include "shared/log.h"

void board_remember(struct board *b, unsigned milter,
		    const struct board_wanted *wanted)
{
	struct board_wish *w;
	uint32_t odd;

	BUG_IF(milter >= BOARD_MILTERS);
	w = &b->control->milters[milter].wish;
	odd = change_begin(&w->changes);
	__atomic_store_n(&w->actions, wanted->actions, __ATOMIC_RELAXED);
	__atomic_store_n(&w->protocol, wanted->protocol, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		struct slice list = wanted->list[i];
		bool has = wanted->has_list[i] && list.len <= BOARD_LIST_MAX;
		uint16_t len = has ? (uint16_t)list.len : 0;

		__atomic_store_n(&w->has_list[i], has, __ATOMIC_RELAXED);
		__atomic_store_n(&w->list_len[i], len, __ATOMIC_RELAXED);
		put_bytes(w->list[i], list.data, len);
	}
	change_end(&w->changes, odd);
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
	for (int i = 0; i < BOARD_TRIES; i++) {
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

/* ---- switches ---- */

void board_name_milter(struct board *b, unsigned milter, const char *name)
{
	struct board_milter_cell *cell;

	BUG_IF(milter >= BOARD_MILTERS);
	cell = &b->control->milters[milter];
	put_text(cell->name, sizeof(cell->name), slice_str(name));
}

const char *board_milter_name(const struct board *b, unsigned milter)
{
	BUG_IF(milter >= BOARD_MILTERS);
	return b->control->milters[milter].name;
}

void board_switch(struct board *b, unsigned milter,
		  const struct conf_switch *to)
{
	BUG_IF(milter >= BOARD_MILTERS);
	board_set(&b->control->milters[milter].switched,
	    to ? ((uint32_t)to->mode + 1) | (uint32_t)to->percent << 8 : 0);
}

void board_reopen_logs(struct board *b)
{
	atomic_fetch_add_explicit(&b->control->log_generation, 1,
				  memory_order_relaxed);
}

const _Atomic uint32_t *board_log_generation(const struct board *b)
{
	return &b->control->log_generation;
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

/* ---- a milter goes, another comes ---- */

static void zero(_Atomic uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		atomic_store_explicit(&words[i], 0, memory_order_relaxed);
}

void board_clear_milter(struct board *b, unsigned milter)
{
	BUG_IF(milter >= BOARD_MILTERS);
	for (unsigned i = 0; i < BOARD_SHARDS; i++) {
		struct board_shard *s = &b->numbers->shards[i];

		zero(s->milters[milter], BOARD_MILTER_COUNTERS);
		zero(s->answers[milter][0],
		     (size_t)STAGE_COUNT * BOARD_ANSWERS);
		for (unsigned k = 0; k < STAGE_COUNT; k++) {
			zero(&s->latencies[milter][k].sum, 1);
			zero(s->latencies[milter][k].buckets,
			     HISTOGRAM_BUCKETS);
		}
	}
	board_clear_breaker(b, milter);
	board_set(&b->control->milters[milter].wish.changes, 0);
	board_switch(b, milter, NULL);
	board_name_milter(b, milter, "");
}
