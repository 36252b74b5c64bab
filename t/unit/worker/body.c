#include "worker/body.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/io.h"
#include "shared/milter_frame.h"

static struct conf conf;
static struct body body;
static char directory[] = "/tmp/sekisho-body-XXXXXX";

static void begin(void)
{
	cr_assert_not_null(mkdtemp(directory));
	conf.spool_directory = directory;
	conf.message_memory = 100;
	conf.message_max = 1 << 20;
	body_init(&body, NULL, &conf);
}

static void end(void)
{
	body_deinit(&body);
	/* Nothing was ever in it that has a name. */
	cr_expect_eq(rmdir(directory), 0);
}

TestSuite(body, .init = begin, .fini = end, .timeout = 20);

/* The i-th byte of the body these tests write. */
static char byte_at(uint64_t i)
{
	return (char)('a' + i % 23);
}

/* Adds n bytes in pieces. */
static enum body_result grow(size_t n, size_t piece)
{
	char bytes[70000];
	enum body_result r = BODY_OK;

	cr_assert_leq(piece, sizeof(bytes));
	while (n && r == BODY_OK) {
		size_t now = n < piece ? n : piece;

		for (size_t i = 0; i < now; i++)
			bytes[i] = byte_at(body.len + i);
		r = body_add(&body, slice_of(bytes, now));
		n -= now;
	}
	return r;
}

/* Everything from offset on, read max bytes at a time, is what was added. */
static void expect_whole(uint64_t offset, size_t max)
{
	struct buf out;
	size_t n;

	buf_init(&out, 1 << 21);
	for (uint64_t at = offset;; at += n) {
		cr_assert(body_read(&body, at, max, &out, &n));
		cr_assert_leq(n, max);
		if (n == 0)
			break;
	}
	cr_assert_eq(buf_len(&out), body.len - offset);
	for (size_t i = 0; i < buf_len(&out); i++)
		cr_assert_eq(buf_slice(&out).data[i], byte_at(offset + i));
	buf_deinit(&out);
}

Test(body, empty)
{
	struct buf out;
	size_t n = 7;

	buf_init(&out, 100);
	cr_expect_eq(body.len, 0);
	cr_expect(body_read(&body, 0, 10, &out, &n));
	cr_expect_eq(n, 0);
	cr_expect(body_read(&body, 10, 10, &out, &n), "past the end");
	cr_expect_eq(n, 0);
	cr_expect_eq(body_add(&body, SLICE_EMPTY), BODY_OK);
	cr_expect_eq(body.len, 0);
	buf_deinit(&out);
}

Test(body, stays_in_memory_up_to_the_limit)
{
	cr_assert_eq(grow(100, 7), BODY_OK);
	cr_expect_not(body.own.has_file);
	cr_expect_eq(body.len, 100);
	for (uint64_t from = 0; from <= 100; from += 9)
		for (size_t max = 1; max < 40; max += 6)
			expect_whole(from, max);
}

Test(body, one_byte_more_goes_to_the_spool)
{
	struct stat st;

	cr_assert_eq(grow(101, 10), BODY_OK);
	cr_assert(body.own.has_file);
	cr_assert_eq(fstat(body.own.fd, &st), 0);
	cr_expect_eq(st.st_size, 100, "all that was in memory");
	cr_expect_eq(st.st_nlink, 0, "a file without a name");
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect(fcntl(body.own.fd, F_GETFD) & FD_CLOEXEC);
	expect_whole(0, 33);
	cr_assert_eq(grow(5000, 999), BODY_OK);
	expect_whole(0, 4096);
	expect_whole(100, 1);
}

Test(body, one_large_piece_goes_straight_to_the_spool)
{
	cr_assert_eq(grow(65535, 65535), BODY_OK);
	cr_expect(body.own.has_file);
	cr_expect_leq(body.own.held, 100);
	expect_whole(0, 65535);
	expect_whole(65534, 10);
}

/* Memory grows by doubling, up to the limit and not beyond. */
Test(body, memory_grows)
{
	conf.message_memory = 300000;
	cr_assert_eq(grow(20000, 9000), BODY_OK);
	cr_assert_eq(grow(300, 1), BODY_OK);
	cr_expect_lt(body.own.room, 100000);
	cr_assert_eq(grow(279700, 65535), BODY_OK);
	cr_expect_not(body.own.has_file);
	cr_expect_eq(body.own.room, 300000);
	expect_whole(0, 8192);
	expect_whole(8999, 3);
	cr_assert_eq(grow(65535, 65535), BODY_OK);
	cr_expect(body.own.has_file);
	cr_expect_eq(body.own.room, 300000);
	expect_whole(0, 65535);
}

/* A child may read while more arrives. */
Test(body, grows_while_it_is_read)
{
	struct buf out;
	uint64_t read = 0;
	size_t n;

	buf_init(&out, 1 << 16);
	for (int i = 0; i < 60; i++) {
		cr_assert_eq(grow(11, 11), BODY_OK);
		cr_assert(body_read(&body, read, 7, &out, &n));
		cr_assert_eq(n, 7);
		read += n;
	}
	cr_assert(body.own.has_file, "it has spilled meanwhile");
	for (size_t i = 0; i < read; i++)
		cr_assert_eq(buf_slice(&out).data[i], byte_at(i));
	buf_deinit(&out);
}

Test(body, too_large_sticks)
{
	conf.message_max = 150;
	cr_assert_eq(grow(150, 50), BODY_OK);
	cr_expect_eq(body_add(&body, SLICE_LIT("x")), BODY_TOO_LARGE);
	cr_expect_eq(body.len, 150);
	cr_expect_eq(body_add(&body, SLICE_EMPTY), BODY_TOO_LARGE);
	cr_expect_eq(body_add(&body, SLICE_LIT("x")), BODY_TOO_LARGE);
}

Test(body, too_large_at_once)
{
	conf.message_max = 10;
	cr_expect_eq(body_add(&body, SLICE_LIT("0123456789a")), BODY_TOO_LARGE);
	cr_expect_eq(body.len, 0);
}

Test(body, no_spool_directory)
{
	conf.spool_directory = "/tmp/sekisho-there-is-no-such-directory";
	cr_assert_eq(grow(100, 100), BODY_OK, "memory needs none");
	errno = 0;
	cr_expect_eq(body_add(&body, SLICE_LIT("x")), BODY_NO_SPACE);
	cr_expect_eq(errno, ENOENT);
	cr_expect_eq(body_add(&body, SLICE_LIT("x")), BODY_NO_SPACE, "sticks");
	cr_expect_eq(body.len, 100);
}

Test(body, no_memory)
{
	struct rlimit limit;

	conf.message_memory = (uint64_t)1 << 40;
	conf.message_max = (uint64_t)1 << 40;
	cr_assert_eq(grow(65536, 65536), BODY_OK);
	cr_assert_eq(getrlimit(RLIMIT_AS, &limit), 0);
	limit.rlim_cur = 4096;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	errno = 0;
	cr_expect_eq(grow(65536, 65536), BODY_NO_SPACE);
	cr_expect_eq(errno, ENOMEM);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	expect_whole(0, 65536);
}

Test(body, reader_without_room)
{
	struct buf out;
	size_t n;

	buf_init(&out, 5);
	cr_assert_eq(grow(50, 50), BODY_OK);
	errno = 0;
	cr_expect_not(body_read(&body, 0, 50, &out, &n), "from memory");
	cr_expect_eq(errno, ENOMEM);
	cr_assert_eq(grow(100, 50), BODY_OK);
	errno = 0;
	cr_expect_not(body_read(&body, 0, 50, &out, &n), "from the spool");
	cr_expect_eq(errno, ENOMEM);
	cr_expect_eq(buf_len(&out), 0);
	buf_deinit(&out);
}

Test(body, spool_cut_short_by_somebody)
{
	struct buf out;
	size_t n;

	buf_init(&out, 1000);
	cr_assert_eq(grow(250, 250), BODY_OK);
	cr_assert_eq(ftruncate(body.own.fd, 100), 0);
	cr_expect(body_read(&body, 80, 20, &out, &n));
	cr_expect_eq(n, 20);
	errno = 0;
	cr_expect_not(body_read(&body, 80, 50, &out, &n));
	cr_expect_eq(errno, EIO);
	errno = 0;
	cr_expect_not(body_read(&body, 100, 50, &out, &n));
	cr_expect_eq(errno, EIO);
	buf_deinit(&out);
}

Test(body, closed_once)
{
	int fd;

	cr_assert_eq(grow(200, 200), BODY_OK);
	fd = body.own.fd;
	body_deinit(&body);
	cr_expect_not(body.own.has_file);
	cr_expect_null(body.own.memory);
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
	body_deinit(&body);
}

/* ---- runs: straight to a child ---- */

/* Everything of the run, max bytes at a time, as a child would get it. */
static void take_run(struct body_run *r, size_t max, struct buf *out)
{
	while (body_run_left(r)) {
		struct body_pieces p;
		size_t left = max;

		p.count = 0;
		p.bytes = 0;
		cr_assert(body_run_pieces(r, &p));
		cr_assert_leq(p.count, BODY_RUN_PIECES);
		for (unsigned i = 0; i < p.count && left; i++) {
			struct slice s = slice_head(
				slice_of(p.iov[i].iov_base, p.iov[i].iov_len),
				left);

			cr_assert(buf_add(out, s));
			left -= s.len;
		}
		cr_assert_gt(p.bytes, 0);
		body_run_sent(r, p.bytes < max ? p.bytes : max);
	}
	cr_expect_eq(r->sent, 0);
}

/* The whole packets from one offset to another, sent in steps. */
static void expect_run(uint64_t from, uint64_t end, size_t step)
{
	struct body_run r = { .body = &body, .at = from, .end = end };
	struct slice packet;
	struct buf out;

	buf_init(&out, 1 << 23);
	take_run(&r, step, &out);
	while (from < end) {
		size_t len = end - from < 65535 ? (size_t)(end - from) : 65535;

		cr_assert_eq(frame_peek(&out, 65536, &packet), FRAME_OK);
		cr_assert_eq(packet.len, len + 1);
		cr_assert_eq(packet.data[0], 'B');
		for (size_t i = 0; i < len; i++)
			cr_assert_eq(packet.data[i + 1], byte_at(from + i));
		from += len;
		frame_skip(&out, packet);
	}
	cr_expect_eq(buf_len(&out), 0);
	buf_deinit(&out);
}

Test(body, no_run)
{
	struct body_run r = { 0 };

	cr_expect_not(body_run_left(&r));
}

static void expect_runs(void)
{
	static const size_t steps[] = { 1 << 20, 65540,	 65539,
					65541,	 200000, 4097 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		expect_run(0, body.len, steps[i]);
		expect_run(65535, 65535 * 3, steps[i]);
		expect_run(65535 * 4, body.len, steps[i]);
	}
	expect_run(65535 * 5, body.len, 1);
	expect_run(0, 10, 3);
}

Test(body, runs_from_memory)
{
	conf.message_memory = 1 << 20;
	cr_assert_eq(grow(65535 * 5 + 77, 65535), BODY_OK);
	cr_assert_not(body.own.has_file);
	expect_runs();
}

/* Packets lie in the file, in memory, and in both. */
Test(body, runs_from_file_and_memory)
{
	conf.message_memory = 100000;
	cr_assert_eq(grow(65535 * 5 + 77, 1000), BODY_OK);
	cr_assert(body.own.has_file);
	cr_assert_gt(body.own.held, 0);
	expect_runs();
}

/* More is written between two steps: the rest is found all the same. */
Test(body, run_while_the_body_grows)
{
	struct body_run r = { .body = &body, .end = 65535 * 2 };
	struct body_pieces p = { .count = 0 };

	conf.message_memory = 100000;
	conf.message_max = 1 << 26;
	cr_assert_eq(grow(65535 * 2, 65535), BODY_OK);
	cr_assert(body_run_pieces(&r, &p));
	body_run_sent(&r, 70000);
	cr_expect_eq(r.at, 65535);
	cr_expect_eq(r.sent, 70000 - 65540);
	cr_assert_eq(grow(17 << 20, 65535), BODY_OK,
		     "beyond the first mapping");
	expect_run(0, 65535 * 2, 1 << 20);
	expect_run(65535 * 200, body.len, 1 << 20);
}

/* What the disk cannot give is an error of the send, not our end. */
Test(body, run_of_a_file_cut_short)
{
	struct body_run r = { .body = &body, .end = 200000 };
	struct body_pieces p = { .count = 0 };
	size_t n;
	int fds[2];

	conf.message_memory = 16384;
	cr_assert_eq(grow(200000, 50000), BODY_OK);
	cr_assert_eq(ftruncate(body.own.fd, 0), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
		     0);
	cr_assert(body_run_pieces(&r, &p));
	errno = 0;
	cr_expect_eq(io_write_pieces(fds[0], p.iov, p.count, &n), IO_ERROR);
	cr_expect_eq(errno, EFAULT);
	cr_expect_eq(n, 0);
	close(fds[0]);
	close(fds[1]);
}
