#include "shared/board_bytes.h"
#include "shared/clock.h"
#include "shared/log.h"

/* Two clients' messages within this time make a scanner suspicious. */
#define SUSPECT_TIME (5 * 60 * CLOCK_S)
/* A milter that hung may have been stopped for a moment; not time and again. */
#define DOUBT_TIME (60 * 60 * CLOCK_S)
#define DOUBTS_MAX 3

static struct board_breaker_cell *cell_of(struct board *b, unsigned milter)
{
	BUG_IF(milter >= BOARD_MILTERS);
	return &b->numbers->breakers[milter];
}

static const struct board_breaker_cell *look(const struct board *b,
					     unsigned milter)
{
	BUG_IF(milter >= BOARD_MILTERS);
	return &b->numbers->breakers[milter];
}

/* False: another process was faster; *word_in_out is what it wrote. */
static bool swap(struct board_breaker_cell *cell, uint64_t *word_in_out,
		 uint64_t next)
{
	return atomic_compare_exchange_weak_explicit(&cell->word, word_in_out,
						     next, memory_order_relaxed,
						     memory_order_relaxed);
}

bool board_may_ask(struct board *b, unsigned milter,
		   const struct breaker_limits *limits)
{
	struct board_breaker_cell *cell = cell_of(b, milter);
	uint64_t word = board_load(&cell->word), next;

	do {
		if (!breaker_may_ask(word, limits, clock_now(), &next))
			return false;
	} while (next != word && !swap(cell, &word, next));
	return true;
}

bool board_is_open(const struct board *b, unsigned milter,
		   const struct breaker_limits *limits)
{
	return limits->failures &&
	       breaker_of(board_load(&look(b, milter)->word)).state !=
		       BREAKER_CLOSED;
}

/* Is there a like failure of another client, not long ago? */
static bool is_shared(struct board_breaker_cell *cell, uint32_t suspect,
		      uint64_t now)
{
	uint64_t seconds = now / CLOCK_S;
	uint64_t last = atomic_exchange_explicit(
		&cell->suspect, (uint64_t)suspect << 32 | (uint32_t)seconds,
		memory_order_relaxed);
	uint32_t who = (uint32_t)(last >> 32), when = (uint32_t)last;

	return who != 0 && who != suspect &&
	       (uint32_t)seconds - when <= SUSPECT_TIME / CLOCK_S;
}

bool board_failed(struct board *b, unsigned slot, unsigned milter,
		  const struct breaker_limits *limits,
		  enum board_milter_counter kind, uint32_t suspect)
{
	struct board_breaker_cell *cell = cell_of(b, milter);
	uint64_t now = clock_now(), word = board_load(&cell->word), next;
	bool opens;

	if (suspect && !is_shared(cell, suspect, now))
		return false;
	board_store(&cell->failed, (uint64_t)kind | now / CLOCK_MS << 8);
	do {
		next = breaker_after_failure(word, limits, now);
	} while (next != word && !swap(cell, &word, next));
	opens = breaker_of(word).state == BREAKER_CLOSED &&
		breaker_of(next).state == BREAKER_OPEN;
	if (opens) {
		board_store(&cell->opened_at, now);
		board_count_milter(b, slot, milter, MILTER_OPENED, 1);
	}
	return opens;
}

bool board_succeeded(struct board *b, unsigned milter)
{
	struct board_breaker_cell *cell = cell_of(b, milter);
	uint64_t word = board_load(&cell->word), next;

	/* Most of the time, and then it costs nothing. */
	if (!word)
		return false;
	do {
		next = breaker_after_success(word, clock_now());
	} while (next != word && !swap(cell, &word, next));
	return breaker_of(word).state == BREAKER_TRIAL;
}

void board_learned_nothing(struct board *b, unsigned milter,
			   const struct breaker_limits *limits, uint64_t lease)
{
	struct board_breaker_cell *cell = cell_of(b, milter);
	uint64_t word = board_load(&cell->word), next;

	do {
		next = breaker_after_nothing(word, limits, lease, clock_now());
	} while (next != word && !swap(cell, &word, next));
}

void board_probed(struct board *b, unsigned milter,
		  const struct breaker_limits *limits, bool answered)
{
	struct board_breaker_cell *cell = cell_of(b, milter);
	uint64_t word = board_load(&cell->word), next;

	do {
		next = breaker_after_probe(word, limits, answered, clock_now());
	} while (next != word && !swap(cell, &word, next));
}

void board_clear_breaker(struct board *b, unsigned milter)
{
	struct board_breaker_cell *cell = cell_of(b, milter);

	board_store(&cell->word, 0);
	board_store(&cell->opened_at, 0);
	board_store(&cell->failed, 0);
	board_store(&cell->suspect, 0);
	board_store(&cell->reuse, REUSE_UNKNOWN);
	for (unsigned i = 0; i < CONF_SOCKETS_MAX; i++)
		board_socket_down(b, milter, i, 0);
}

/* The word: 8 bits enum board_reuse, 8 bits doubts, the second of the last. */
enum board_reuse board_reuse(const struct board *b, unsigned milter)
{
	uint64_t reuse = board_load(&look(b, milter)->reuse) & 0xff;

	return reuse < REUSE_FAILS ? (enum board_reuse)reuse : REUSE_FAILS;
}

static uint64_t one_more_doubt(uint64_t word)
{
	uint64_t now = clock_now() / CLOCK_S;
	uint64_t doubts = now - (word >> 16) < DOUBT_TIME / CLOCK_S ?
				  (word >> 8 & 0xff) + 1 :
				  1;

	return (doubts < DOUBTS_MAX ? REUSE_UNKNOWN : REUSE_FAILS) |
	       doubts << 8 | now << 16;
}

bool board_note_reuse(struct board *b, unsigned milter, enum board_reuse seen)
{
	_Atomic uint64_t *word = &cell_of(b, milter)->reuse;
	uint64_t was = board_load(word);
	enum board_reuse before = board_reuse(b, milter);

	if (before == REUSE_FAILS || before == seen)
		return false;
	board_store(word, seen == REUSE_UNKNOWN ?
				  one_more_doubt(was) :
				  (was & ~UINT64_C(0xff)) | seen);
	return board_reuse(b, milter) != before;
}

void board_read_breaker(const struct board *b, unsigned milter,
			struct board_breaker_copy *copy_out)
{
	const struct board_breaker_cell *cell = look(b, milter);
	uint64_t failed = board_load(&cell->failed);

	*copy_out = (struct board_breaker_copy){
		.breaker = breaker_of(board_load(&cell->word)),
		.opened_at = board_load(&cell->opened_at),
		.failed_at = (failed >> 8) * CLOCK_MS,
		.cause = (enum board_milter_counter)(failed & 0xff),
	};
	/* A worker may write anything; readers use it as an index. */
	if (copy_out->cause >= BOARD_MILTER_COUNTERS)
		copy_out->cause = MILTER_FAILED_PROTOCOL;
}

void board_socket_down(struct board *b, unsigned milter, unsigned socket,
		       uint64_t until)
{
	BUG_IF(socket >= CONF_SOCKETS_MAX);
	board_store(&cell_of(b, milter)->down_until[socket], until);
}

bool board_socket_is_down(const struct board *b, unsigned milter,
			  unsigned socket, uint64_t now)
{
	BUG_IF(socket >= CONF_SOCKETS_MAX);
	return board_load(&look(b, milter)->down_until[socket]) > now;
}
