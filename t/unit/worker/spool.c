#include "worker/spool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shared/clock.h"

/* What lies in it: body.c's tests.  Here: what stays between two messages. */
static struct spool spool;
static struct conf conf;
static char directory[] = "/tmp/sekisho-spool-XXXXXX";
static char bytes[1 << 20];

static void begin(void)
{
	cr_assert_not_null(mkdtemp(directory));
	conf.spool_directory = directory;
	conf.message_memory = 256 * 1024;
	clock_set(1000 * CLOCK_S);
}

static void end(void)
{
	spool_release(&spool);
	cr_expect_null(spool.memory);
	cr_expect_null(spool.map);
	cr_expect_not(spool.has_file);
	cr_expect_eq(rmdir(directory), 0);
}

TestSuite(spool, .init = begin, .fini = end, .timeout = 20);

/* One message of n bytes, all of them c. */
static void message(char c, size_t n)
{
	memset(bytes, c, sizeof(bytes));
	while (n) {
		size_t now = n < sizeof(bytes) ? n : sizeof(bytes);

		cr_assert(spool_add(&spool, &conf, slice_of(bytes, now)));
		n -= now;
	}
}

static void expect_all(char c, size_t n)
{
	struct buf out;
	size_t at = 0, added;

	buf_init(&out, 1 << 22);
	cr_assert_eq(spool.written + spool.held, n);
	for (; at < n; at += added)
		cr_assert(spool_read(&spool, at, 70000, &out, &added));
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(buf_slice(&out).data[i], c);
	buf_deinit(&out);
}

static bool disk_has_plenty(void)
{
	struct statvfs disk;

	cr_assert_eq(statvfs(directory, &disk), 0);
	return (uint64_t)disk.f_bavail * disk.f_frsize >= (uint64_t)1 << 30;
}

Test(spool, nothing_is_held_at_first)
{
	spool_empty(&spool);
	cr_expect_null(spool.memory);
}

Test(spool, memory_serves_the_next_message)
{
	char *memory;

	message('a', 4000);
	memory = spool.memory;
	spool_empty(&spool);
	message('b', 5000);
	cr_expect_eq(spool.memory, memory);
	expect_all('b', 5000);
}

Test(spool, a_small_message_gives_back_what_a_large_one_had)
{
	message('a', 200000);
	cr_expect_eq(spool.room, 256 * 1024);
	spool_empty(&spool);
	cr_expect_eq(spool.room, 256 * 1024, "the next may be as large");
	message('b', 1000);
	expect_all('b', 1000);
	spool_empty(&spool);
	cr_expect_null(spool.memory);
	message('c', 1000);
	expect_all('c', 1000);
	cr_expect_eq(spool.room, 64 * 1024);
}

Test(spool, the_file_serves_the_next_message)
{
	struct slice place;
	struct stat st;
	int fd;

	message('a', 3 << 20);
	cr_assert(spool.has_file);
	cr_assert(spool_place(&spool, 0, 100, &place));
	cr_expect_eq(place.data[0], 'a');
	fd = spool.fd;
	spool_empty(&spool);
	if (!disk_has_plenty())
		cr_skip_test("no room to keep a file");
	cr_assert(spool.has_file);
	message('b', 2 << 20);
	cr_expect_eq(spool.fd, fd);
	expect_all('b', 2 << 20);
	cr_assert(spool_place(&spool, 0, 100, &place));
	cr_expect_eq(place.data[0], 'b');
	cr_assert_eq(fstat(spool.fd, &st), 0);
	cr_expect_gt(st.st_size, 2 << 20, "the longer one's");
	/* And the one after a message that did not need it finds none. */
	spool_empty(&spool);
	message('c', 100);
	spool_empty(&spool);
	cr_expect_not(spool.has_file);
	cr_expect_null(spool.map);
	message('d', 1 << 20);
	expect_all('d', 1 << 20);
}

/* Else the kernel would write to the disk what is gone in a second. */
Test(spool, an_old_file_is_not_kept)
{
	message('a', 1 << 20);
	clock_set(1016 * CLOCK_S);
	spool_empty(&spool);
	cr_expect_not(spool.has_file);
}

Test(spool, a_very_large_file_is_not_kept)
{
	message('a', 17 << 20);
	spool_empty(&spool);
	cr_expect_not(spool.has_file);
}

/* It has used up the room on its disk that others are waiting for. */
Test(spool, a_broken_file_is_not_kept)
{
	message('a', 1 << 20);
	close(spool.fd);
	spool.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	cr_assert_geq(spool.fd, 0);
	memset(bytes, 'a', sizeof(bytes));
	cr_expect_not(spool_add(&spool, &conf, slice_of(bytes, sizeof(bytes))));
	spool_empty(&spool);
	cr_expect_not(spool.has_file);
	message('b', 1 << 20);
	expect_all('b', 1 << 20);
}

Test(spool, released_while_in_use)
{
	message('a', 1 << 20);
	spool_release(&spool);
	message('b', 300);
	expect_all('b', 300);
}
