#include "shared/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE	  ((uintptr_t)4096)
#define KEEP_SIZE ((size_t)64 * 1024)

void buf_init(struct buf *b, size_t ceiling)
{
	*b = (struct buf){ .ceiling = ceiling };
}

void buf_deinit(struct buf *b)
{
	buf_release(b);
}

void buf_release(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .ceiling = b->ceiling };
}

void buf_trim(struct buf *b)
{
	if (!buf_len(b))
		buf_release(b);
}

void buf_clear(struct buf *b)
{
	if (b->size > KEEP_SIZE)
		buf_release(b);
	b->start = b->end = 0;
}

size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

struct slice buf_slice(const struct buf *b)
{
	return b->data ? slice_of(b->data + b->start, buf_len(b)) : SLICE_EMPTY;
}

void buf_skip(struct buf *b, size_t n)
{
	b->start += n;
	if (b->start >= b->end)
		b->start = b->end = 0;
}

void buf_cut(struct buf *b, size_t len)
{
	if (len < buf_len(b))
		b->end = b->start + len;
}

/* Mail stays out of core dumps; whole pages, as it can be had. */
static void keep_out_of_core(char *data, size_t size)
{
	uintptr_t first = ((uintptr_t)data + PAGE - 1) & ~(PAGE - 1);
	uintptr_t end = ((uintptr_t)data + size) & ~(PAGE - 1);

	if (end > first)
		(void)madvise(data + (first - (uintptr_t)data), end - first,
			      MADV_DONTDUMP);
}

static bool grow(struct buf *b, size_t need)
{
	size_t size = b->size ? b->size : 256;
	char *data;

	while (size < need)
		size *= 2;
	if (size > b->ceiling)
		size = b->ceiling;
	data = realloc(b->data, size);
	if (!data)
		return false;
	b->data = data;
	b->size = size;
	keep_out_of_core(data, size);
	return true;
}

char *buf_room(struct buf *b, size_t n)
{
	size_t len = buf_len(b);

	if (n > b->ceiling || len > b->ceiling - n) {
		errno = ENOMEM;
		return NULL;
	}
	if (b->size - b->end >= n && b->data)
		return b->data + b->end;
	if (b->start) {
		memmove(b->data, b->data + b->start, len);
		b->start = 0;
		b->end = len;
	}
	if ((!b->data || b->size - b->end < n) && !grow(b, len + n))
		return NULL;
	return b->data + b->end;
}

void buf_added(struct buf *b, size_t n)
{
	b->end += n;
}

bool buf_add(struct buf *b, struct slice s)
{
	char *room = buf_room(b, s.len);

	if (!room)
		return false;
	if (s.len)
		memcpy(room, s.data, s.len);
	buf_added(b, s.len);
	return true;
}

bool buf_add_byte(struct buf *b, char c)
{
	return buf_add(b, slice_of(&c, 1));
}

bool buf_add_u16(struct buf *b, uint16_t n)
{
	unsigned char bytes[2] = { (unsigned char)(n >> 8), (unsigned char)n };

	return buf_add(b, slice_of(bytes, sizeof(bytes)));
}

bool buf_add_u32(struct buf *b, uint32_t n)
{
	unsigned char bytes[4] = { (unsigned char)(n >> 24),
				   (unsigned char)(n >> 16),
				   (unsigned char)(n >> 8), (unsigned char)n };

	return buf_add(b, slice_of(bytes, sizeof(bytes)));
}

bool buf_add_str(struct buf *b, struct slice s)
{
	char *room = buf_room(b, s.len + 1);

	if (!room)
		return false;
	if (s.len)
		memcpy(room, s.data, s.len);
	room[s.len] = '\0';
	buf_added(b, s.len + 1);
	return true;
}

bool buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	int len;
	char *room;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		return false;
	room = buf_room(b, (size_t)len + 1);
	if (!room)
		return false;
	va_start(args, format);
	vsnprintf(room, (size_t)len + 1, format, args);
	va_end(args);
	buf_added(b, (size_t)len);
	return true;
}

struct reader reader_of(struct slice s)
{
	return (struct reader){ s, false };
}

static bool take(struct reader *r, size_t n, const unsigned char **bytes_out)
{
	if (r->failed || r->rest.len < n) {
		r->failed = true;
		return false;
	}
	*bytes_out = (const unsigned char *)r->rest.data;
	r->rest = slice_from(r->rest, n);
	return true;
}

bool reader_byte(struct reader *r, char *byte_out)
{
	const unsigned char *p;

	if (!take(r, 1, &p))
		return false;
	*byte_out = (char)p[0];
	return true;
}

bool reader_u16(struct reader *r, uint16_t *number_out)
{
	const unsigned char *p;

	if (!take(r, 2, &p))
		return false;
	*number_out = (uint16_t)(p[0] << 8 | p[1]);
	return true;
}

bool reader_u32(struct reader *r, uint32_t *number_out)
{
	const unsigned char *p;

	if (!take(r, 4, &p))
		return false;
	*number_out = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
		      (uint32_t)p[2] << 8 | p[3];
	return true;
}

bool reader_str(struct reader *r, struct slice *str_out)
{
	ptrdiff_t at = r->failed ? -1 : slice_find(r->rest, '\0');

	if (at < 0) {
		r->failed = true;
		return false;
	}
	*str_out = slice_head(r->rest, (size_t)at);
	r->rest = slice_from(r->rest, (size_t)at + 1);
	return true;
}

bool reader_at_end(const struct reader *r)
{
	return r->rest.len == 0;
}
