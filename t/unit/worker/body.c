#include "worker/body.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct conf conf;
static struct body body;
static char directory[] = "/tmp/sekisho-body-XXXXXX";

static void begin(void)
{
	cr_assert_not_null(mkdtemp(directory));
	conf.spool_directory = directory;
	conf.message_memory = 100;
	conf.message_max = 1 << 20;
	arena_init(&arena, 1 << 24);
	body_init(&body, &arena, &conf);
}

static void end(void)
{
	body_deinit(&body);
	arena_deinit(&arena);
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
	cr_expect_eq(body.fd, -1);
	cr_expect_eq(body.len, 100);
	for (uint64_t from = 0; from <= 100; from += 9)
		for (size_t max = 1; max < 40; max += 6)
			expect_whole(from, max);
}

Test(body, one_byte_more_goes_to_the_spool)
{
	struct stat st;

	cr_assert_eq(grow(101, 10), BODY_OK);
	cr_assert_geq(body.fd, 0);
	cr_assert_eq(fstat(body.fd, &st), 0);
	cr_expect_eq(st.st_size, 101);
	cr_expect_eq(st.st_nlink, 0, "a file without a name");
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect(fcntl(body.fd, F_GETFD) & FD_CLOEXEC);
	expect_whole(0, 33);
	cr_assert_eq(grow(5000, 999), BODY_OK);
	expect_whole(0, 4096);
	expect_whole(100, 1);
}

Test(body, one_large_piece_goes_straight_to_the_spool)
{
	cr_assert_eq(grow(65535, 65535), BODY_OK);
	cr_expect_geq(body.fd, 0);
	expect_whole(0, 65535);
	expect_whole(65534, 10);
}

Test(body, pieces_above_the_gathering_size)
{
	conf.message_memory = 1 << 20;
	cr_assert_eq(grow(20000, 9000), BODY_OK);
	cr_assert_eq(grow(300, 1), BODY_OK);
	cr_expect_eq(body.fd, -1);
	expect_whole(0, 8192);
	expect_whole(8999, 3);
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
	cr_assert_geq(body.fd, 0, "it has spilled meanwhile");
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
	conf.message_memory = 1 << 26;
	conf.message_max = 1 << 26;
	errno = 0;
	cr_expect_eq(grow(1 << 25, 65535), BODY_NO_SPACE);
	cr_expect_eq(errno, ENOMEM);
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
	cr_assert_eq(grow(200, 200), BODY_OK);
	cr_assert_eq(ftruncate(body.fd, 120), 0);
	cr_expect(body_read(&body, 100, 50, &out, &n));
	cr_expect_eq(n, 20);
	errno = 0;
	cr_expect_not(body_read(&body, 120, 50, &out, &n));
	cr_expect_eq(errno, EIO);
	buf_deinit(&out);
}

Test(body, closed_once)
{
	int fd;

	cr_assert_eq(grow(200, 200), BODY_OK);
	fd = body.fd;
	body_deinit(&body);
	cr_expect_eq(body.fd, -1);
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
	body_deinit(&body);
}
