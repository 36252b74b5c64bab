/*
 * arena - memory with one end of life
 *
 * Take as often as you like, give everything back at once.  The program has
 * three lifetimes and so three arenas: settings, session, message.  A pointer
 * may point to memory of equal or longer life, never shorter.
 * Memory comes zeroed, aligned for any type, from mmap and is kept out of
 * core dumps (it holds mail).
 * Fails by NULL: no memory, or the ceiling (bytes in all chunks) is reached.
 * Once it failed, arena_failed() stays true until the next reset, so that
 * a caller may check at the end of a longer piece of work.
 */
#ifndef SHARED_ARENA_H
#define SHARED_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/slice.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t used;		    /* bytes mapped in all chunks */
	size_t ceiling;
	bool failed;
};

void arena_init(struct arena *a, size_t ceiling);
void arena_deinit(struct arena *a);
/*
 * Everything taken is gone.  One small chunk is kept for what comes next:
 * handing it back costs more than wiping it.
 */
void arena_reset(struct arena *a);
/*
 * The owner will be idle: what an empty arena keeps is handed back to the
 * kernel.  One in use is left as it is.
 */
void arena_trim(struct arena *a);
bool arena_failed(const struct arena *a);

/* size bytes, zeroed; size 0 gives a valid pointer to nothing. */
void *arena_take(struct arena *a, size_t size)
	__attribute__((malloc, alloc_size(2), warn_unused_result));
/* n objects of size bytes, zeroed; the product may not overflow. */
void *arena_take_n(struct arena *a, size_t n, size_t size)
	__attribute__((malloc, alloc_size(2, 3), warn_unused_result));
/* A copy with a NUL behind it (not counted).  False: *copy_out is empty. */
bool arena_copy(struct arena *a, struct slice from, struct slice *copy_out);
/* The same as a C string, NULL on failure. */
char *arena_str(struct arena *a, struct slice from);

#endif
