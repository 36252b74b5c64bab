#include "server/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http.h"
#include "server/request.h"
#include "shared/clock.h"

#define IN_CEILING  (HTTP_HEAD_MAX + 1024)
/* The longest answer there may be; see also HIGH. */
#define OUT_CEILING ((size_t)16 * 1024 * 1024)
/* With more than this unread, no further request is taken. */
#define HIGH	    ((size_t)64 * 1024)
#define IDLE_MAX    (30 * CLOCK_S)
#define STUCK_MAX   (10 * CLOCK_S)

void client_open(struct client *c, int fd, bool is_control, uint64_t now)
{
	*c = (struct client){ .fd = fd,
			      .is_control = is_control,
			      .readable = true,
			      .writable = true,
			      .peer = peer_of(fd),
			      .heard = now };
	buf_init(&c->in, IN_CEILING);
	buf_init(&c->out, OUT_CEILING);
}

/* Closed over unread bytes, TCP would take the last answer back. */
static void drop_unread(int fd)
{
	char bytes[4096];

	for (int i = 0; i < 16; i++)
		if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
			return;
}

void client_close(struct client *c)
{
	if (c->is_last)
		drop_unread(c->fd);
	close(c->fd);
	buf_deinit(&c->in);
	buf_deinit(&c->out);
	*c = (struct client){ .fd = -1 };
}

static bool has_room(const struct client *c)
{
	return buf_len(&c->in) < IN_CEILING;
}

static bool may_read(const struct client *c)
{
	return c->readable && !c->is_eof && !c->is_last && has_room(c);
}

void client_read(struct client *c)
{
	while (may_read(c) && !c->is_over) {
		size_t room = IN_CEILING - buf_len(&c->in);
		char *to = buf_room(&c->in, room);
		ssize_t n;

		if (!to) {
			c->is_over = true;
			return;
		}
		n = recv(c->fd, to, room, MSG_DONTWAIT);
		if (n > 0)
			buf_added(&c->in, (size_t)n);
		else if (n == 0)
			c->is_eof = true;
		else if (errno == EAGAIN)
			c->readable = false;
		else if (errno != EINTR)
			c->is_over = true;
	}
}

static void write_once(struct client *c, uint64_t now)
{
	struct slice s = buf_slice(&c->out);
	ssize_t n = send(c->fd, s.data, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0) {
		buf_skip(&c->out, (size_t)n);
		c->stuck = c->heard = now;
	} else if (errno == EAGAIN) {
		c->writable = false;
	} else if (errno != EINTR) {
		c->is_over = true;
	}
}

/* The other side has said its last word, and had all answers. */
static bool is_finished(const struct client *c)
{
	struct slice text;

	return c->is_eof && !c->waits &&
	       client_next(c, &text) == CLIENT_NOTHING;
}

void client_write(struct client *c, uint64_t now)
{
	if (buf_len(&c->out) && !c->stuck)
		c->stuck = now;
	while (buf_len(&c->out) && c->writable && !c->is_over)
		write_once(c, now);
	if (buf_len(&c->out))
		return;
	c->stuck = 0;
	buf_clear(&c->out);
	if (c->is_last || is_finished(c))
		c->is_over = true;
}

static bool is_its_turn(const struct client *c)
{
	return !c->is_over && !c->is_last && !c->waits &&
	       buf_len(&c->out) < HIGH;
}

/* A line whose end is missing: too long already? */
static enum client_input judge_start(struct slice text)
{
	if (text.len <= REQUEST_LINE_MAX + 1)
		return CLIENT_NOTHING;
	if (slice_starts(text, "GET ") || slice_starts(text, "HEAD "))
		return CLIENT_HTTP_TOO_LONG;
	return CLIENT_TOO_LONG;
}

enum client_input client_next(const struct client *c, struct slice *text_out)
{
	struct slice text = buf_slice(&c->in);
	ptrdiff_t end;
	size_t len;

	*text_out = text;
	if (!is_its_turn(c) || !text.len)
		return CLIENT_NOTHING;
	end = slice_find(text, '\n');
	if (end < 0)
		return judge_start(text);
	*text_out = slice_head(text, (size_t)end);
	if (!http_is_request(*text_out))
		return CLIENT_LINE;
	len = http_head_len(text);
	*text_out = len ? slice_head(text, len) : text;
	if (len > HTTP_HEAD_MAX || (!len && text.len > HTTP_HEAD_MAX))
		return CLIENT_HTTP_TOO_LONG;
	return len ? CLIENT_HTTP : CLIENT_NOTHING;
}

void client_done(struct client *c, enum client_input kind, struct slice text,
		 uint64_t now)
{
	c->heard = now;
	/* Behind a line stands its LF; behind anything else nothing counts. */
	if (kind == CLIENT_LINE)
		buf_skip(&c->in, text.len + 1);
	else
		buf_clear(&c->in);
}

bool client_has_work(const struct client *c)
{
	struct slice text;

	if (c->is_over || may_read(c) || (c->writable && buf_len(&c->out)))
		return true;
	return client_next(c, &text) != CLIENT_NOTHING;
}

uint64_t client_until(const struct client *c)
{
	if (c->stuck)
		return c->stuck + STUCK_MAX;
	if (c->waits)
		return CLOCK_NEVER;
	return c->heard + IDLE_MAX;
}

void client_answer(struct client *c, bool ok, struct slice text)
{
	if (!buf_printf(&c->out, "%s %zu\n", ok ? "ok" : "error", text.len) ||
	    !buf_add(&c->out, text))
		c->is_over = true;
}

void client_answer_last(struct client *c, struct slice bytes)
{
	if (!buf_add(&c->out, bytes))
		c->is_over = true;
	c->is_last = true;
}
