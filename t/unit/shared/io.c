#include "shared/io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/clock.h"

/* Two ends of one line, non-blocking, with small buffers. */
static int fds[2];
static struct buf in, out;

static void begin(void)
{
	static const int small = 4096;

	cr_assert_eq(socketpair(AF_UNIX,
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
				fds),
		     0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	buf_init(&in, 1 << 22);
	buf_init(&out, 1 << 22);
}

static void end(void)
{
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	buf_deinit(&in);
	buf_deinit(&out);
}

TestSuite(io, .init = begin, .fini = end);

Test(io, bytes_come_through)
{
	cr_assert_eq(io_read(fds[1], &in, 100), IO_AGAIN);
	cr_assert_eq(io_peek(fds[1]), IO_AGAIN);
	cr_assert(buf_add(&out, SLICE_LIT("hello")));
	cr_assert_eq(io_write(fds[0], &out), IO_OK);
	cr_assert_eq(buf_len(&out), 0);
	cr_assert_eq(io_peek(fds[1]), IO_OK);
	cr_assert_eq(io_peek(fds[1]), IO_OK, "looking takes nothing");
	cr_assert_eq(io_read(fds[1], &in, 3), IO_OK);
	cr_assert(slice_is(buf_slice(&in), "hel"));
	cr_assert_eq(io_read(fds[1], &in, 100), IO_OK);
	cr_assert(slice_is(buf_slice(&in), "hello"));
}

Test(io, end_of_file_is_a_word_of_its_own)
{
	cr_assert(buf_add(&out, SLICE_LIT("last")));
	cr_assert_eq(io_write(fds[0], &out), IO_OK);
	shutdown(fds[0], SHUT_WR);
	cr_assert_eq(io_peek(fds[1]), IO_OK);
	cr_assert_eq(io_read(fds[1], &in, 100), IO_OK);
	cr_assert_eq(io_peek(fds[1]), IO_EOF);
	cr_assert_eq(io_read(fds[1], &in, 100), IO_EOF);
	cr_assert(slice_is(buf_slice(&in), "last"));
}

Test(io, pieces_in_one_go)
{
	static char large[100000];
	struct iovec pieces[] = { { large, 3 }, { large, sizeof(large) } };
	size_t n;

	cr_assert_eq(io_write_pieces(fds[0], pieces, 1, &n), IO_OK);
	cr_expect_eq(n, 3);
	cr_assert_eq(io_write_pieces(fds[0], pieces, 2, &n), IO_AGAIN);
	cr_expect(n > 0 && n < sizeof(large));
	cr_assert_eq(io_write_pieces(fds[0], pieces, 2, &n), IO_AGAIN);
	cr_expect_eq(n, 0);
	close(fds[1]);
	fds[1] = -1;
	cr_assert_eq(io_write_pieces(fds[0], pieces, 2, &n), IO_ERROR);
	cr_expect_eq(n, 0);
}

/* No SIGPIPE: it would end the process and this test with it. */
Test(io, writing_to_the_gone)
{
	close(fds[1]);
	fds[1] = -1;
	cr_assert(buf_add(&out, SLICE_LIT("hello")));
	cr_assert_eq(io_write(fds[0], &out), IO_ERROR);
	cr_assert_eq(errno, EPIPE);
	cr_assert_eq(buf_len(&out), 5, "what was not written is still there");
}

Test(io, reading_needs_room)
{
	struct buf small;

	buf_init(&small, 4);
	cr_assert_eq(io_read(fds[1], &small, 5), IO_ERROR);
	cr_assert_eq(errno, ENOMEM);
	buf_deinit(&small);
}

static void fill(size_t n)
{
	char *room = buf_room(&out, n);

	cr_assert_not_null(room);
	memset(room, 'x', n);
	buf_added(&out, n);
}

Test(io, a_full_line_says_again_and_keeps_the_rest)
{
	size_t written, got;

	fill(1 << 21);
	cr_assert_eq(io_write(fds[0], &out), IO_AGAIN);
	written = ((size_t)1 << 21) - buf_len(&out);
	cr_assert_gt(written, 0);
	while (io_read(fds[1], &in, 65536) == IO_OK)
		continue;
	got = buf_len(&in);
	cr_assert_eq(got, written);
}

Test(io, deadlines)
{
	uint64_t before = clock_now();

	cr_assert_eq(io_wait(fds[1], POLLIN, before + 20 * CLOCK_MS),
		     IO_TIMEOUT);
	cr_assert_geq(clock_now() - before, 20 * CLOCK_MS);
	cr_assert_eq(io_wait(fds[1], POLLOUT, 1), IO_OK,
		     "ready is ready, however late");
	cr_assert_eq(io_wait(fds[1], POLLIN, 1), IO_TIMEOUT);
	fill(1 << 21);
	cr_assert_eq(io_write_all(fds[0], &out, clock_now() + 20 * CLOCK_MS),
		     IO_TIMEOUT);
	cr_assert_gt(buf_len(&out), 0);
}

static struct sockaddr_un address(socklen_t *len_out)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	/* Abstract: no file to be left behind. */
	int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1,
			 "sekisho-test-io-%d", (int)getpid());

	*len_out = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			       (size_t)n);
	return a;
}

Test(io, connects_without_blocking)
{
	socklen_t len;
	struct sockaddr_un a = address(&len);
	const struct sockaddr *addr = (const struct sockaddr *)&a;
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd, more;

	cr_assert_eq(io_connect(addr, len, &fd), IO_ERROR);
	cr_assert_eq(errno, ECONNREFUSED);
	cr_assert_eq(fd, -1);
	cr_assert_eq(bind(listener, addr, len), 0);
	cr_assert_eq(listen(listener, 0), 0);
	cr_assert_eq(io_connect(addr, len, &fd), IO_OK);
	cr_assert_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_assert_eq(io_connected(fd), IO_OK);
	/* The queue holds one; the next would block. */
	cr_assert_eq(io_connect(addr, len, &more), IO_ERROR);
	cr_assert_eq(errno, EAGAIN);
	close(fd);
	close(listener);
}

Test(io, a_refused_port_is_told_by_connected)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	enum io_result r;
	int fd;

	/* Bound but not listening: nobody else gets this port meanwhile. */
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(holder, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(getsockname(holder, (struct sockaddr *)&a, &len), 0);
	r = io_connect((struct sockaddr *)&a, sizeof(a), &fd);
	if (r == IO_AGAIN) {
		cr_assert_eq(io_wait(fd, POLLOUT, clock_now() + 5 * CLOCK_S),
			     IO_OK);
		r = io_connected(fd);
		close(fd);
	}
	cr_assert_eq(r, IO_ERROR);
	cr_assert_eq(errno, ECONNREFUSED);
	close(holder);
}
