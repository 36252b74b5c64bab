#include "shared/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/board_layout.h"
#include "shared/clock.h"
#include "shared/log.h"

/* Linux 5.1; without it a worker could make its read-only map writable. */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
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
	if (fcntl(b->numbers_fd, F_ADD_SEALS, SEALS) != 0)
		return false;
	/* Our own map stays writable; every later one is read-only. */
	if (fcntl(b->control_fd, F_ADD_SEALS, SEALS | F_SEAL_FUTURE_WRITE) == 0)
		return true;
	return errno == EINVAL &&
	       fcntl(b->control_fd, F_ADD_SEALS, SEALS) == 0;
}

static void write_headers(struct board *b)
{
	b->control->header = (struct board_header){
		.magic = BOARD_MAGIC,
		.version = BOARD_VERSION,
		.size = sizeof(*b->control),
		.milters = BOARD_MILTERS,
	};
	b->numbers->header = (struct board_header){
		.magic = BOARD_MAGIC,
		.version = BOARD_VERSION,
		.size = b->numbers_size,
		.slots = b->slots,
		.slot_size = sizeof(struct board_slot_cell),
		.milters = BOARD_MILTERS,
		.shards = BOARD_SHARDS,
		.counters = BOARD_COUNTERS,
		.milter_counters = BOARD_MILTER_COUNTERS,
	};
}

struct board *board_new(unsigned slots)
{
	struct board *b;
	int error;

	if (slots == 0 || slots > BOARD_SLOTS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->control_fd = b->numbers_fd = -1;
	b->slots = slots;
	b->numbers_size = sizeof(struct board_numbers) +
			  slots * sizeof(struct board_slot_cell);
	b->control = new_memfd("sekisho-control", sizeof(*b->control),
			       &b->control_fd);
	if (b->control)
		b->numbers = new_memfd("sekisho-numbers", b->numbers_size,
				       &b->numbers_fd);
	if (!b->numbers || !seal(b)) {
		error = errno;
		board_free(&b);
		errno = error;
		return NULL;
	}
	write_headers(b);
	for (unsigned i = 0; i < slots; i++)
		board_slot_reset(board_slot(b, i), 0);
	return b;
}

static void close_fds(struct board *b)
{
	if (b->control_fd >= 0)
		close(b->control_fd);
	if (b->numbers_fd >= 0)
		close(b->numbers_fd);
	b->control_fd = b->numbers_fd = -1;
}

bool board_become_reader(struct board *b)
{
	void *map = mmap(NULL, sizeof(*b->control), PROT_READ, MAP_SHARED,
			 b->control_fd, 0);

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

static void set(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
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
	w = &b->control->wishes[milter].wish;
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
