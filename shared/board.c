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
		board_slot_reset(b, i, 0);
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
static bool map_for_reading(int fd, void *at, size_t size)
{
	char path[40];
	void *map;
	int read_fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_fd = open(path, O_RDONLY | O_CLOEXEC);
	map = mmap(at, size, PROT_READ, MAP_SHARED | MAP_FIXED,
		   read_fd >= 0 ? read_fd : fd, 0);
	if (read_fd >= 0)
		close(read_fd);
	return map != MAP_FAILED;
}

/* Nothing is noted in *b: its page would become this worker's own. */
bool board_become_reader(const struct board *b)
{
	if (!map_for_reading(b->control_fd, b->control, sizeof(*b->control)))
		return false;
	close(b->control_fd);
	close(b->numbers_fd);
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
