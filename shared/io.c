#include "shared/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shared/clock.h"

void io_quick_ack(int fd)
{
	static const int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

bool io_no_delay(int fd)
{
	static const int one = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0;
}

enum io_result io_connect(const struct sockaddr *addr, socklen_t len,
			  int *fd_out)
{
	int fd = socket(addr->sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*fd_out = fd;
	if (fd < 0)
		return IO_ERROR;
	if (addr->sa_family != AF_UNIX)
		io_no_delay(fd);
	if (connect(fd, addr, len) == 0)
		return IO_OK;
	if (errno == EINPROGRESS)
		return IO_AGAIN;
	int reason = errno;
	close(fd);
	*fd_out = -1;
	errno = reason;
	return IO_ERROR;
}

enum io_result io_connected(int fd)
{
	int reason = 0;
	socklen_t len = sizeof(reason);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &len) != 0)
		return IO_ERROR;
	errno = reason;
	return reason ? IO_ERROR : IO_OK;
}

static bool is_temporary(int reason)
{
	return reason == EAGAIN || reason == EWOULDBLOCK || reason == EINTR;
}

enum io_result io_read(int fd, struct buf *b, size_t max)
{
	char *room = buf_room(b, max);
	ssize_t n;

	if (!room) {
		errno = ENOMEM;
		return IO_ERROR;
	}
	n = read(fd, room, max);
	if (n > 0) {
		buf_added(b, (size_t)n);
		return IO_OK;
	}
	if (n == 0)
		return IO_EOF;
	return is_temporary(errno) ? IO_AGAIN : IO_ERROR;
}

bool io_be_patient(int fd, uint64_t patience)
{
	const struct timeval t = { (time_t)(patience / CLOCK_S),
				   (suseconds_t)(patience % CLOCK_S) };
	int non_blocking = 0;

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) == 0 &&
	       ioctl(fd, FIONBIO, &non_blocking) == 0;
}

enum io_result io_await(int fd, struct buf *b, size_t max, size_t least)
{
	size_t size = least ? least : max;
	char *room = buf_room(b, size);
	ssize_t n;

	if (!room) {
		errno = ENOMEM;
		return IO_ERROR;
	}
	n = recv(fd, room, size, least ? MSG_WAITALL : 0);
	if (n > 0) {
		buf_added(b, (size_t)n);
		return IO_OK;
	}
	if (n == 0)
		return IO_EOF;
	return is_temporary(errno) ? IO_TIMEOUT : IO_ERROR;
}

enum io_result io_write_pieces(int fd, struct iovec *pieces, size_t count,
			       size_t *written_out)
{
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = count };
	size_t all = 0;
	ssize_t n;

	for (size_t i = 0; i < count; i++)
		all += pieces[i].iov_len;
	n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	*written_out = n > 0 ? (size_t)n : 0;
	if (n < 0)
		return is_temporary(errno) ? IO_AGAIN : IO_ERROR;
	return *written_out < all ? IO_AGAIN : IO_OK;
}

enum io_result io_write(int fd, struct buf *b)
{
	struct slice s = buf_slice(b);
	ssize_t n;

	if (!s.len)
		return IO_OK;
	n = send(fd, s.data, s.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return is_temporary(errno) ? IO_AGAIN : IO_ERROR;
	buf_skip(b, (size_t)n);
	return (size_t)n < s.len ? IO_AGAIN : IO_OK;
}

enum io_result io_wait(int fd, short events, uint64_t deadline)
{
	struct pollfd p = { fd, events, 0 };

	for (;;) {
		int n = poll(&p, 1, clock_poll_ms(deadline));

		if (n > 0)
			return IO_OK;
		if (n == 0)
			return IO_TIMEOUT;
		if (errno != EINTR)
			return IO_ERROR;
	}
}

enum io_result io_write_all(int fd, struct buf *b, uint64_t deadline)
{
	enum io_result r;

	while ((r = io_write(fd, b)) == IO_AGAIN) {
		r = io_wait(fd, POLLOUT, deadline);
		if (r != IO_OK)
			return r;
	}
	return r;
}

enum io_result io_peek(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return IO_OK;
	if (n == 0)
		return IO_EOF;
	return is_temporary(errno) ? IO_AGAIN : IO_ERROR;
}
