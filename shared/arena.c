#include "shared/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <sys/mman.h>

#define CHUNK_SIZE ((size_t)64 * 1024)
#define ALIGN	   alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk *older;
	size_t size; /* mapped, this header included */
	size_t used; /* this header included */
};

#define HEADER ((sizeof(struct arena_chunk) + ALIGN - 1) & ~(ALIGN - 1))

void arena_init(struct arena *a, size_t ceiling)
{
	*a = (struct arena){ .ceiling = ceiling };
}

static void free_down_to(struct arena *a, struct arena_chunk *keep)
{
	while (a->chunks != keep) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->older;
		a->used -= c->size;
		munmap(c, c->size);
	}
}

void arena_deinit(struct arena *a)
{
	free_down_to(a, NULL);
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *first = a->chunks;

	while (first && first->older)
		first = first->older;
	a->failed = false;
	if (!first)
		return;
	free_down_to(a, first->size == CHUNK_SIZE ? first : NULL);
	if (!a->chunks)
		return;
	memset((char *)first + HEADER, 0, first->used - HEADER);
	first->used = HEADER;
}

void arena_trim(struct arena *a)
{
	if (a->chunks && !a->chunks->older && a->chunks->used == HEADER)
		free_down_to(a, NULL);
}

bool arena_failed(const struct arena *a)
{
	return a->failed;
}

static bool add_chunk(struct arena *a, size_t need)
{
	struct arena_chunk *c;
	size_t size = CHUNK_SIZE;

	if (need > SIZE_MAX - HEADER - CHUNK_SIZE)
		return false;
	if (need + HEADER > size)
		size = (need + HEADER + 4095) & ~(size_t)4095;
	if (size > a->ceiling - a->used)
		return false;
	c = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return false;
	madvise(c, size, MADV_DONTDUMP);
	*c = (struct arena_chunk){ a->chunks, size, HEADER };
	a->chunks = c;
	a->used += size;
	return true;
}

void *arena_take(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->chunks;
	char *p;

	if (size > SIZE_MAX - ALIGN) {
		a->failed = true;
		return NULL;
	}
	size = (size + ALIGN - 1) & ~(ALIGN - 1);
	if (!c || c->size - c->used < size) {
		if (!add_chunk(a, size)) {
			a->failed = true;
			errno = ENOMEM; /* also where it is the ceiling */
			return NULL;
		}
		c = a->chunks;
	}
	p = (char *)c + c->used;
	c->used += size;
	return p;
}

void *arena_take_n(struct arena *a, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		a->failed = true;
		return NULL;
	}
	return arena_take(a, all);
}

char *arena_str(struct arena *a, struct slice from)
{
	char *p = arena_take(a, from.len + 1);

	if (p && from.len)
		memcpy(p, from.data, from.len);
	return p;
}

bool arena_copy(struct arena *a, struct slice from, struct slice *copy_out)
{
	char *p = arena_str(a, from);

	*copy_out = p ? slice_of(p, from.len) : SLICE_EMPTY;
	return p != NULL;
}
