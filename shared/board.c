#include "shared/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/board_layout.h"
#include "shared/clock.h"
#include "shared/log.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* A memfd of that size, mapped writable; NULL with errno on failure. */
static void *new_memfd(const char *name, size_t size, int *fd_out)
{
	void *map;
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, (off_t)size) == 0) {
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
		if (map != MAP_FAILED) {
			*fd_out = fd;
			/* Slots hold senders: not for core files. */
			madvise(map, size, MADV_DONTDUMP);
			return map;
		}
	}
	error = errno;
	close(fd);
	errno = error;
	return NULL;
}

static bool seal(const struct board *b)
{
	return fcntl(b->numbers_fd, F_ADD_SEALS, SEALS) == 0 &&
	       fcntl(b->control_fd, F_ADD_SEALS, SEALS) == 0;
}

static struct board_header control_header(void)
{
	return (struct board_header){
		.magic = BOARD_MAGIC,
		.version = BOARD_VERSION,
		.size = sizeof(struct board_control),
		.milters = BOARD_MILTERS,
	};
}

static size_t size_of_numbers(unsigned slots, unsigned history)
{
	return sizeof(struct board_numbers) +
	       slots * sizeof(struct board_slot_cell) +
	       history * sizeof(struct board_ring_cell);
}

static struct board_header numbers_header(unsigned slots, unsigned history)
{
	return (struct board_header){
		.magic = BOARD_MAGIC,
		.version = BOARD_VERSION,
		.size = size_of_numbers(slots, history),
		.slots = slots,
		.slot_size = sizeof(struct board_slot_cell),
		.milters = BOARD_MILTERS,
		.shards = BOARD_SHARDS,
		.counters = BOARD_COUNTERS,
		.milter_counters = BOARD_MILTER_COUNTERS,
		.history = history,
		.cell_size = sizeof(struct board_ring_cell),
	};
}

static void find_ring(struct board *b)
{
	b->ring = (void *)&b->numbers->slots[b->slots];
}

static struct board *new_board(unsigned slots, unsigned history)
{
	struct board *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->control_fd = b->numbers_fd = -1;
	b->slots = slots;
	b->history = history;
	b->numbers_size = size_of_numbers(slots, history);
	return b;
}

static struct board *give_up(struct board *b)
{
	int error = errno;

	board_free(&b);
	errno = error;
	return NULL;
}

struct board *board_new(unsigned slots, unsigned history)
{
	struct board *b;

	if (slots == 0 || slots > BOARD_SLOTS_MAX || history == 0 ||
	    history > BOARD_HISTORY_MAX) {
		errno = EINVAL;
		return NULL;
	}
	b = new_board(slots, history);
	if (!b)
		return NULL;
	b->control = new_memfd("sekisho-control", sizeof(*b->control),
			       &b->control_fd);
	if (b->control)
		b->numbers = new_memfd("sekisho-numbers", b->numbers_size,
				       &b->numbers_fd);
	if (!b->numbers || !seal(b))
		return give_up(b);
	find_ring(b);
	b->control->header = control_header();
	b->numbers->header = numbers_header(slots, history);
	for (unsigned i = 0; i < slots; i++)
		board_slot_reset(board_slot(b, i), 0);
	return b;
}

/* Is what the descriptor has just what we would write there? */
static bool is_ours(int fd, const struct board_header *want)
{
	struct board_header have;
	struct stat st;

	return pread(fd, &have, sizeof(have), 0) == sizeof(have) &&
	       memcmp(&have, want, sizeof(have)) == 0 &&
	       fstat(fd, &st) == 0 && (uint64_t)st.st_size == want->size;
}

/* How many slots and cells it says it has; checked by is_ours(). */
static bool read_sizes(int fd, unsigned *slots_out, unsigned *history_out)
{
	struct board_header h;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || !h.slots ||
	    h.slots > BOARD_SLOTS_MAX || !h.history ||
	    h.history > BOARD_HISTORY_MAX)
		return false;
	*slots_out = h.slots;
	*history_out = h.history;
	return true;
}

static void *map_shared(int fd, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return NULL;
	madvise(map, size, MADV_DONTDUMP);
	return map;
}

struct board *board_adopt(int control_fd, int numbers_fd)
{
	const struct board_header control = control_header();
	struct board_header numbers;
	unsigned slots = 0, history = 0;
	struct board *b;

	if (read_sizes(numbers_fd, &slots, &history))
		numbers = numbers_header(slots, history);
	if (!slots || !is_ours(control_fd, &control) ||
	    !is_ours(numbers_fd, &numbers)) {
		close(control_fd);
		close(numbers_fd);
		errno = 0;
		return NULL;
	}
	b = new_board(slots, history);
	if (!b)
		return NULL;
	b->control_fd = control_fd;
	b->numbers_fd = numbers_fd;
	b->control = map_shared(control_fd, sizeof(*b->control));
	b->numbers = map_shared(numbers_fd, b->numbers_size);
	if (!b->control || !b->numbers)
		return give_up(b);
	find_ring(b);
	return b;
}

int board_control_fd(const struct board *b)
{
	return b->control_fd;
}

int board_numbers_fd(const struct board *b)
{
	return b->numbers_fd;
}

static void close_fds(struct board *b)
{
	if (b->control_fd >= 0)
		close(b->control_fd);
	if (b->numbers_fd >= 0)
		close(b->numbers_fd);
	b->control_fd = b->numbers_fd = -1;
}

/*
 * A map of a descriptor that is open for reading only cannot be made writable
 * again; where there is no /proc it could, by code that runs in this worker.
 */
static void *map_for_reading(int fd, size_t size)
{
	char path[40];
	void *map;
	int read_fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_fd = open(path, O_RDONLY | O_CLOEXEC);
	map = mmap(NULL, size, PROT_READ, MAP_SHARED,
		   read_fd >= 0 ? read_fd : fd, 0);
	if (read_fd >= 0)
		close(read_fd);
	return map;
}

bool board_become_reader(struct board *b)
{
	void *map = map_for_reading(b->control_fd, sizeof(*b->control));

	if (map == MAP_FAILED)
		return false;
	munmap(b->control, sizeof(*b->control));
	b->control = map;
	close_fds(b);
	return true;
}

void board_free(struct board **board)
{
	struct board *b = *board;

	if (!b)
		return;
	if (b->control)
		munmap(b->control, sizeof(*b->control));
	if (b->numbers)
		munmap(b->numbers, b->numbers_size);
	close_fds(b);
	free(b);
	*board = NULL;
}

unsigned board_slots(const struct board *b)
{
	return b->slots;
}

unsigned board_history(const struct board *b)
{
	return b->history;
}

struct board_slot *board_slot(struct board *b, unsigned index)
{
	BUG_IF(index >= b->slots);
	return &b->numbers->slots[index].slot;
}

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

static void add_time(struct board_times *t, uint64_t us)
{
	add(&t->sum, us);
	add(&t->buckets[histogram_bucket(us)], 1);
}

void board_count_answer(struct board *b, unsigned slot, unsigned milter,
			enum stage stage, enum board_answer answer,
			uint64_t us)
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

static void set(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

void board_message_begin(struct board *b, unsigned slot)
{
	board_count(b, slot, COUNT_MESSAGES, 1);
	set(&board_slot(b, slot)->message, MESSAGE_OPEN);
}

void board_message_settle(struct board *b, unsigned slot, enum stage stage,
			  enum board_outcome outcome, enum board_cause cause)
{
	BUG_IF(outcome >= OUTCOMES || cause >= CAUSES);
	if (stage >= STAGE_COUNT)
		stage = STAGE_EOM;
	add(&shard_of(b, slot)->verdicts[stage][outcome][cause], 1);
	set(&board_slot(b, slot)->message, MESSAGE_SETTLED + outcome);
}

void board_message_end(struct board *b, unsigned slot)
{
	set(&board_slot(b, slot)->message, MESSAGE_NONE);
}

static void set_since(struct board_slot *s)
{
	atomic_store_explicit(&s->since, clock_now(), memory_order_relaxed);
}

void board_note_state(struct board_slot *s, enum board_state state)
{
	set(&s->state, state);
	set_since(s);
}

void board_note_stage(struct board_slot *s, enum stage stage, unsigned child)
{
	set(&s->stage, stage);
	set(&s->child, child);
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

/*
 * The two steps around a change.  Between them `changes` is odd; a writer
 * that dies there leaves it odd, and the next writer begins from any value.
 */
static uint32_t change_begin(_Atomic uint32_t *changes)
{
	uint32_t odd =
		(atomic_load_explicit(changes, memory_order_relaxed) + 1) | 1;

	set(changes, odd);
	atomic_thread_fence(memory_order_release);
	return odd;
}

static void change_end(_Atomic uint32_t *changes, uint32_t odd)
{
	uint32_t even = odd + 1;

	/* 0 means "never written", also after four thousand million times. */
	if (even == 0)
		even = 2;
	atomic_store_explicit(changes, even, memory_order_release);
}

/* Byte by byte, because a reader may look at any moment. */
static void put_bytes(char *shared, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		__atomic_store_n(&shared[i], from[i], __ATOMIC_RELAXED);
}

/* As much as fits, and NUL up to the end. */
static void put_text(char *shared, size_t size, struct slice text)
{
	size_t n = text.len < size ? text.len : size - 1;

	put_bytes(shared, text.data, n);
	for (; n < size; n++)
		__atomic_store_n(&shared[n], '\0', __ATOMIC_RELAXED);
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

void board_slot_reset(struct board_slot *s, uint64_t generation)
{
	board_note_text(s, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY);
	board_note_stage(s, STAGE_COUNT, BOARD_NO_CHILD);
	set(&s->sessions, 0);
	set(&s->message, MESSAGE_NONE);
	set(&s->settings, 0);
	set(&s->listener, 0);
	for (unsigned i = 0; i < BOARD_MILTERS; i++)
		board_note_released(s, i);
	atomic_store_explicit(&s->generation, generation,
			      memory_order_relaxed);
	set(&s->state, SLOT_FREE);
}

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
	set(&b->control->milters[milter].switched,
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

/* ---- a milter goes, another comes ---- */

static void zero(_Atomic uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		atomic_store_explicit(&words[i], 0, memory_order_relaxed);
}

void board_clear_milter(struct board *b, unsigned milter)
{
	struct board_breaker_cell *breaker;

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
	breaker = &b->numbers->breakers[milter];
	zero(&breaker->word, 1);
	zero(&breaker->opened_at, 1);
	zero(&breaker->failed, 1);
	zero(&breaker->suspect, 1);
	zero(breaker->down_until, CONF_SOCKETS_MAX);
	set(&b->control->milters[milter].wish.changes, 0);
	board_switch(b, milter, NULL);
	board_name_milter(b, milter, "");
}

/* ---- the ring ---- */

static uint32_t add_hash(uint32_t hash, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 16777619u;
	return hash;
}

static uint64_t wall_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * CLOCK_S + (uint64_t)t.tv_nsec / 1000;
}

uint32_t board_entry_hash(const struct board_entry *e)
{
	uint32_t hash = add_hash(2166136261u, &e->number, sizeof(e->number));

	hash = add_hash(hash, &e->at, sizeof(e->at));
	hash = add_hash(hash, e->queue_id, sizeof(e->queue_id));
	return add_hash(hash, e->line, e->len);
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
