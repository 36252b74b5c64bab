#include "tool/mta_peer.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "shared/milter_frame.h"

#define READ_SIZE ((size_t)64 * 1024)
/* Edits without end are a mistake of the milter, not a reason to swap. */
#define IN_MAX	((size_t)64 * 1024 * 1024)
#define OUT_MAX ((size_t)64 * 1024 * 1024)
/* More than this much is sent before more is queued. */
#define OUT_FULL ((size_t)256 * 1024)

static bool fail(struct mta_peer *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool fail(struct mta_peer *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->why, sizeof(p->why), format, args);
	va_end(args);
	return false;
}

static bool fail_io(struct mta_peer *p, const char *what, enum io_result r)
{
	switch (r) {
	case IO_EOF:
		return fail(p, "%s: the milter closed the connection", what);
	case IO_TIMEOUT:
		return fail(p, "%s: timeout", what);
	case IO_OK:
	case IO_AGAIN:
	case IO_ERROR:
		break;
	}
	return fail(p, "%s: %s", what, strerror(errno));
}

bool mta_peer_open(struct mta_peer *p, const struct endpoint *endpoint,
		   uint64_t timeout)
{
	enum io_result r;

	*p = (struct mta_peer){ .fd = -1, .timeout = timeout };
	buf_init(&p->in, IN_MAX);
	buf_init(&p->out, OUT_MAX);
	r = io_connect(&endpoint->addr[0].any, endpoint->addr_len[0], &p->fd);
	if (r == IO_AGAIN) {
		r = io_wait(p->fd, POLLOUT, clock_now() + timeout);
		if (r == IO_OK)
			r = io_connected(p->fd);
	}
	return r == IO_OK || fail_io(p, "could not connect", r);
}

void mta_peer_close(struct mta_peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_deinit(&p->in);
	buf_deinit(&p->out);
}

static bool read_once(struct mta_peer *p)
{
	enum io_result r = io_read(p->fd, &p->in, READ_SIZE);

	if (r == IO_EOF)
		p->is_eof = true;
	return r == IO_OK || r == IO_AGAIN || fail_io(p, "read", r);
}

/* Writes what goes and reads what comes meanwhile. */
bool mta_peer_flush(struct mta_peer *p)
{
	uint64_t deadline = clock_now() + p->timeout;

	for (;;) {
		struct pollfd poll_it = { p->fd, POLLIN | POLLOUT, 0 };
		enum io_result r = io_write(p->fd, &p->out);
		int n;

		if (r == IO_OK)
			return true;
		if (r != IO_AGAIN)
			return fail_io(p, "write", r);
		n = poll(&poll_it, 1, clock_poll_ms(deadline));
		if (n == 0)
			return fail_io(p, "write", IO_TIMEOUT);
		if (n > 0 && (poll_it.revents & POLLIN) && !read_once(p))
			return false;
	}
}

static void drop_packet(struct mta_peer *p)
{
	if (p->packet.len)
		frame_skip(&p->in, p->packet);
	p->packet = SLICE_EMPTY;
}

bool mta_peer_put(struct mta_peer *p, const struct command *command)
{
	drop_packet(p);
	if (!command_encode(&p->out, command))
		return fail(p, "could not encode %s: too long",
			    command_name(command->kind));
	return buf_len(&p->out) < OUT_FULL || mta_peer_flush(p);
}

bool mta_peer_put_bytes(struct mta_peer *p, struct slice bytes)
{
	drop_packet(p);
	return buf_add(&p->out, bytes) || fail(p, "too many bytes at once");
}

bool mta_peer_answer(struct mta_peer *p, struct answer *answer_out)
{
	uint64_t deadline = clock_now() + p->timeout;
	enum frame_result f;
	const char *why = "";

	drop_packet(p);
	if (!mta_peer_flush(p))
		return false;
	while ((f = frame_peek(&p->in, MILTER_CHILD_LENGTH_MAX, &p->packet)) ==
	       FRAME_MORE) {
		enum io_result r;

		p->packet = SLICE_EMPTY;
		r = io_wait(p->fd, POLLIN, deadline);
		if (r != IO_OK)
			return fail_io(p, "no answer", r);
		if (!read_once(p))
			return false;
	}
	if (f != FRAME_OK) {
		p->packet = SLICE_EMPTY;
		return fail(p, "answer of a bad length");
	}
	if (!answer_decode(p->packet, answer_out, &why))
		return fail(p, "malformed answer '%c': %s",
			    p->packet.data[0] >= 0x20 &&
					    p->packet.data[0] < 0x7f ?
				    p->packet.data[0] :
				    '?',
			    why);
	return true;
}

bool mta_peer_is_quiet(struct mta_peer *p)
{
	drop_packet(p);
	return buf_len(&p->in) == 0 && io_peek(p->fd) != IO_OK;
}

bool mta_peer_drain(struct mta_peer *p, uint64_t limit)
{
	uint64_t deadline = clock_now() + limit;

	drop_packet(p);
	while (buf_len(&p->in) == 0) {
		if (io_wait(p->fd, POLLIN, deadline) != IO_OK || !read_once(p))
			return true;
	}
	return false;
}
