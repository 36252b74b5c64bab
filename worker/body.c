#include "worker/body.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * An MTA sends pieces of up to 65,535 bytes; small ones are gathered, so that
 * a body sent byte by byte does not cost a header each.
 */
#define PIECE_MIN ((size_t)8192)

struct body_piece {
	struct body_piece *next;
	size_t len;
	size_t room;
	char data[];
};

void body_init(struct body *b, struct arena *arena, const struct conf *conf)
{
	*b = (struct body){ .arena = arena, .conf = conf, .fd = -1 };
}

void body_deinit(struct body *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

static bool write_file(int fd, const char *data, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return true;
}

/* Moves everything to a spool file. */
static bool spill(struct body *b)
{
	uint64_t offset = 0;

	b->fd = open(b->conf->spool_directory, O_TMPFILE | O_RDWR | O_CLOEXEC,
		     0600);
	if (b->fd < 0)
		return false;
	for (struct body_piece *p = b->first; p; p = p->next) {
		if (!write_file(b->fd, p->data, p->len, offset))
			return false;
		offset += p->len;
	}
	b->first = b->last = NULL;
	return true;
}

static bool add_piece(struct body *b, size_t len)
{
	size_t room = len < PIECE_MIN ? PIECE_MIN : len;
	struct body_piece *p = arena_take(b->arena, sizeof(*p) + room);

	if (!p) {
		errno = ENOMEM;
		return false;
	}
	p->room = room;
	if (b->last)
		b->last->next = p;
	else
		b->first = p;
	b->last = p;
	return true;
}

static bool add_to_memory(struct body *b, struct slice bytes)
{
	while (bytes.len) {
		size_t n = b->last ? b->last->room - b->last->len : 0;

		if (n == 0) {
			if (!add_piece(b, bytes.len))
				return false;
			continue;
		}
		if (n > bytes.len)
			n = bytes.len;
		memcpy(b->last->data + b->last->len, bytes.data, n);
		b->last->len += n;
		bytes = slice_from(bytes, n);
	}
	return true;
}

static bool add(struct body *b, struct slice bytes)
{
	if (b->fd < 0 && b->len + bytes.len > b->conf->message_memory &&
	    !spill(b))
		return false;
	if (b->fd >= 0)
		return write_file(b->fd, bytes.data, bytes.len, b->len);
	return add_to_memory(b, bytes);
}

enum body_result body_add(struct body *b, struct slice bytes)
{
	if (b->failed || !bytes.len)
		return b->failed;
	if (bytes.len > b->conf->message_max - b->len)
		b->failed = BODY_TOO_LARGE;
	else if (!add(b, bytes))
		b->failed = BODY_NO_SPACE;
	else
		b->len += bytes.len;
	return b->failed;
}

static bool read_file(const struct body *b, uint64_t offset, size_t max,
		      struct buf *out, size_t *added_out)
{
	char *room = buf_room(out, max);
	ssize_t n;

	if (!room) {
		errno = ENOMEM;
		return false;
	}
	do
		n = pread(b->fd, room, max, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n == 0)
			errno = EIO; /* shorter than what we wrote */
		return false;
	}
	buf_added(out, (size_t)n);
	*added_out = (size_t)n;
	return true;
}

bool body_read(const struct body *b, uint64_t offset, size_t max,
	       struct buf *out, size_t *added_out)
{
	const struct body_piece *p = b->first;
	struct slice s;

	*added_out = 0;
	if (offset >= b->len)
		return true;
	if (max > b->len - offset)
		max = (size_t)(b->len - offset);
	if (b->fd >= 0)
		return read_file(b, offset, max, out, added_out);
	while (offset >= p->len) {
		offset -= p->len;
		p = p->next;
	}
	s = slice_head(slice_from(slice_of(p->data, p->len), (size_t)offset),
		       max);
	*added_out = s.len;
	if (buf_add(out, s))
		return true;
	errno = ENOMEM;
	return false;
}
