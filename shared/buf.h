/*
 * buf - bytes on their way: filled at the end, used up at the front
 *
 * One owner each: a connection has one for what it will write and one for
 * what it has read.  On the heap and not in an arena, because a connection
 * outlives the message and must be able to give its memory back between two.
 * Never grows past its ceiling.  Fails by false or NULL and changes nothing
 * then; pointers and slices into it are good until the next call that adds.
 */
#ifndef SHARED_BUF_H
#define SHARED_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/slice.h"

struct buf {
	char *data;
	size_t start; /* first byte not used up yet */
	size_t end;   /* one behind the last byte */
	size_t size;  /* bytes allocated */
	size_t ceiling;
};

void buf_init(struct buf *b, size_t ceiling);
void buf_deinit(struct buf *b);
/* Empty; memory above 64 KiB is given back. */
void buf_clear(struct buf *b);
/* Empty, and all memory is given back. */
void buf_release(struct buf *b);
/* Gives the memory back when nothing is in it. */
void buf_trim(struct buf *b);

size_t buf_len(const struct buf *b);
struct slice buf_slice(const struct buf *b);
/* Uses up n bytes at the front; n may not be more than there are. */
void buf_skip(struct buf *b, size_t n);
/* Takes away bytes at the end until len are left. */
void buf_cut(struct buf *b, size_t len);

/* Room for at least n more bytes behind the end; written by the caller. */
char *buf_room(struct buf *b, size_t n) __attribute__((warn_unused_result));
/* The caller wrote n bytes into that room. */
void buf_added(struct buf *b, size_t n);

bool buf_add(struct buf *b, struct slice s) __attribute__((warn_unused_result));
bool buf_add_byte(struct buf *b, char c) __attribute__((warn_unused_result));
/* Big endian, as the milter protocol has it. */
bool buf_add_u16(struct buf *b, uint16_t n) __attribute__((warn_unused_result));
bool buf_add_u32(struct buf *b, uint32_t n) __attribute__((warn_unused_result));
/* The bytes and a NUL. */
bool buf_add_str(struct buf *b, struct slice s)
	__attribute__((warn_unused_result));
bool buf_printf(struct buf *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * reader - takes values off the front of a slice and never passes its end
 *
 * The first failure sticks: every later call fails too, so a decoder may
 * read all its fields and check once.
 */
struct reader {
	struct slice rest;
	bool failed;
};

struct reader reader_of(struct slice s);
bool reader_byte(struct reader *r, char *byte_out);
bool reader_u16(struct reader *r, uint16_t *number_out);
bool reader_u32(struct reader *r, uint32_t *number_out);
/* Bytes up to a NUL, which is used up but not part of the slice. */
bool reader_str(struct reader *r, struct slice *str_out);
bool reader_at_end(const struct reader *r);

#endif
