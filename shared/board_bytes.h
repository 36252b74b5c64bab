/*
 * board_bytes - texts in shared memory: written and read while others look
 *
 * For the board_*.c files only.  The two steps around a change, and copies
 * byte by byte.  Nothing waits: see doc/board.md.
 */
#ifndef SHARED_BOARD_BYTES_H
#define SHARED_BOARD_BYTES_H

#include "shared/board_layout.h"

/* A steady copy that three looks did not give is not waited for. */
#define BOARD_TRIES 3

static inline uint64_t board_load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void board_store(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static inline void board_set(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/*
 * The two steps around a change.  Between them `changes` is odd; a writer
 * that dies there leaves it odd, and the next writer begins from any value.
 */
static inline uint32_t change_begin(_Atomic uint32_t *changes)
{
	uint32_t odd =
		(atomic_load_explicit(changes, memory_order_relaxed) + 1) | 1;

	atomic_store_explicit(changes, odd, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return odd;
}

static inline void change_end(_Atomic uint32_t *changes, uint32_t odd)
{
	uint32_t even = odd + 1;

	/* 0 means "never written", also after four thousand million times. */
	if (even == 0)
		even = 2;
	atomic_store_explicit(changes, even, memory_order_release);
}

/* Byte by byte, because a reader may look at any moment. */
static inline void put_bytes(char *shared, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		__atomic_store_n(&shared[i], from[i], __ATOMIC_RELAXED);
}

/* As much as fits, and NUL up to the end. */
static inline void put_text(char *shared, size_t size, struct slice text)
{
	size_t n = text.len < size ? text.len : size - 1;

	put_bytes(shared, text.data, n);
	for (; n < size; n++)
		__atomic_store_n(&shared[n], '\0', __ATOMIC_RELAXED);
}

static inline void get_bytes(const char *shared, char *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = __atomic_load_n(&shared[i], __ATOMIC_RELAXED);
}

/* The bytes are a worker's and may lack their NUL. */
static inline void get_text(const char *shared, char *to, size_t size)
{
	get_bytes(shared, to, size);
	to[size - 1] = '\0';
}

/* Did nothing change since `changes` was read as this (even) value? */
static inline bool still(const _Atomic uint32_t *changes, uint32_t then)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(changes, memory_order_relaxed) == then;
}

#endif
