#include "worker/mta.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/milter_frame.h"

static struct mta_line mta;
static int other; /* the MTA's end */

static void begin(void)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX,
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
				fds),
		     0);
	mta_init(&mta);
	mta_open(&mta, fds[0], false);
	other = fds[1];
}

static void end(void)
{
	mta_close(&mta);
	if (other >= 0)
		close(other);
	clock_set(0);
}

TestSuite(mta, .init = begin, .fini = end, .timeout = 20);

static void sends(const char *data, size_t len)
{
	cr_assert_eq(write(other, data, len), (ssize_t)len);
}

#define SENDS(s) sends(s, sizeof(s) - 1)

static void expect_packet(struct slice want)
{
	struct slice packet;

	cr_assert(mta_next(&mta, &packet));
	cr_expect(slice_equal(packet, want), "%.*s", SLICE_ARG(packet));
}

Test(mta, packets_one_by_one)
{
	struct slice packet;

	SENDS("\0\0\0\3Hab\0\0\0\1A\0\0\0\2Xy");
	cr_expect_eq(mta_peek(&mta), 0);
	mta_read(&mta);
	cr_expect_eq(mta_peek(&mta), 'H');
	cr_expect_eq(mta_peek(&mta), 'H', "a look uses nothing up");
	expect_packet(SLICE_LIT("Hab"));
	cr_expect_eq(mta_peek(&mta), 'A', "the one behind it");
	expect_packet(SLICE_LIT("A"));
	expect_packet(SLICE_LIT("Xy"));
	cr_expect_eq(mta_peek(&mta), 0);
	cr_expect_not(mta_next(&mta, &packet));
	cr_expect_not(mta.lost || mta.garbage);
}

Test(mta, cut_at_every_byte)
{
	static const char bytes[] = "\0\0\0\6Mabcde\0\0\0\2Rf";
	const size_t len = sizeof(bytes) - 1;
	struct slice packet;

	for (size_t cut = 0; cut <= len; cut++) {
		unsigned whole = (cut >= 10) + (cut >= len), n = 0;

		sends(bytes, cut);
		mta_read(&mta);
		while (mta_next(&mta, &packet))
			cr_expect_eq(packet.data[0], n++ ? 'R' : 'M');
		cr_expect_eq(n, whole, "cut at %zu", cut);
		sends(bytes + cut, len - cut);
		mta_read(&mta);
		while (mta_next(&mta, &packet))
			cr_expect_eq(packet.data[0], n++ ? 'R' : 'M');
		cr_expect_eq(n, 2, "cut at %zu", cut);
		cr_expect_not(mta.lost || mta.garbage);
	}
}

Test(mta, byte_by_byte)
{
	static const char bytes[] = "\0\0\0\6Mabcde";
	struct slice packet;

	for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
		cr_expect_not(mta_next(&mta, &packet));
		sends(bytes + i, 1);
		mta_read(&mta);
	}
	expect_packet(SLICE_LIT("Mabcde"));
}

Test(mta, impossible_length)
{
	static const char *const starts[] = { "\0\0\0\0", "\377\377\377\377",
					      "GET ", "EHLO", "\1\0\0\0" };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct slice packet;

		mta.garbage = false;
		buf_clear(&mta.in);
		sends(starts[i], 4);
		mta_read(&mta);
		cr_expect_eq(mta_peek(&mta), 0);
		cr_expect_not(mta_next(&mta, &packet));
		cr_expect(mta.garbage, "case %zu", i);
		cr_expect_not(mta.lost);
	}
}

/* What came whole before the garbage is still shown. */
Test(mta, garbage_behind_a_packet)
{
	struct slice packet;

	SENDS("\0\0\0\1A\0\0\0\0");
	mta_read(&mta);
	expect_packet(SLICE_LIT("A"));
	cr_expect_not(mta.garbage);
	cr_expect_not(mta_next(&mta, &packet));
	cr_expect(mta.garbage);
}

Test(mta, closed_by_the_mta)
{
	struct slice packet;

	SENDS("\0\0\0\1A\0\0\0\5M");
	close(other);
	other = -1;
	mta_read(&mta);
	expect_packet(SLICE_LIT("A"));
	cr_expect_not(mta_next(&mta, &packet));
	cr_expect_not(mta.lost);
	mta_read(&mta);
	cr_expect(mta.lost);
	mta_read(&mta);
	cr_expect(mta.lost);
}

/* The largest packet, and no reading ahead without end. */
Test(mta, large_packets_and_room)
{
	static char bytes[65540];
	struct slice packet;
	size_t sent = 0;
	unsigned n = 0;

	bytes[1] = 1; /* 65,536 = letter and 65,535 bytes */
	bytes[4] = 'B';
	while (sent < (size_t)20 * sizeof(bytes)) {
		size_t at = sent % sizeof(bytes);
		ssize_t w = write(other, bytes + at, sizeof(bytes) - at);

		if (w > 0)
			sent += (size_t)w;
		while (mta_wants(&mta) >= 0) {
			size_t before = buf_len(&mta.in);

			mta_read(&mta);
			cr_assert_not(mta.lost);
			if (buf_len(&mta.in) == before)
				break;
		}
		if (mta_wants(&mta) < 0 || w <= 0)
			while (mta_next(&mta, &packet)) {
				cr_assert_eq(packet.len, 65536);
				n++;
			}
	}
	mta_read(&mta);
	while (mta_next(&mta, &packet))
		n++;
	cr_expect_eq(n, 20);
}

/* All that can be read at the other end. */
static size_t drain(struct buf *out)
{
	size_t before = buf_len(out);

	for (;;) {
		char *room = buf_room(out, 65536);
		ssize_t n = room ? read(other, room, 65536) : -1;

		if (n <= 0)
			return buf_len(out) - before;
		buf_added(out, (size_t)n);
	}
}

Test(mta, answers)
{
	const struct answer a = { .kind = ANSWER_CONTINUE };
	const struct answer b = { .kind = ANSWER_REPLYCODE,
				  .text = SLICE_LIT("550 no") };
	struct buf out;

	buf_init(&out, 1 << 20);
	cr_assert(mta_put(&mta, &a));
	cr_assert(mta_put(&mta, &b));
	cr_expect_eq(drain(&out), 0, "queued only");
	cr_assert(mta_flush(&mta));
	drain(&out);
	cr_expect(slice_equal(buf_slice(&out),
			      SLICE_LIT("\0\0\0\1c\0\0\0\10y550 no\0")));
	cr_assert(mta_flush(&mta), "nothing to do");
	buf_deinit(&out);
}

/* Large output is written on the way, so it needs no memory of its size. */
Test(mta, large_output_is_written_on_the_way)
{
	static char value[20000];
	struct answer a = { .kind = ANSWER_ADDHEADER };
	struct buf out;

	memset(value, 'v', sizeof(value));
	a.header = (struct answer_header){ 0, SLICE_LIT("X"),
					   slice_of(value, sizeof(value)) };
	buf_init(&out, 1 << 24);
	for (int i = 0; i < 200; i++) {
		cr_assert(mta_put(&mta, &a));
		cr_assert_lt(buf_len(&mta.out), 100000);
		drain(&out);
	}
	cr_assert(mta_flush(&mta));
	drain(&out);
	cr_expect_eq(buf_len(&out), 200 * (4 + 1 + 2 + sizeof(value) + 1));
	buf_deinit(&out);
}

/*
 * It reads nothing: given up after the write timeout.  The clock stands
 * beyond it as soon as the first wait begins.
 */
Test(mta, does_not_read)
{
	static char value[60000];
	struct answer a = { .kind = ANSWER_ADDHEADER };
	int size = 4096, n = 0;

	setsockopt(mta.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	a.header = (struct answer_header){ 0, SLICE_LIT("X"),
					   slice_of(value, 1) };
	memset(value, 'v', sizeof(value));
	/* The socket takes what it takes. */
	while (write(mta.fd, value, sizeof(value)) > 0)
		cr_assert_lt(n++, 1000);
	cr_assert(mta_put(&mta, &a));
	/* A clock about to wrap: every deadline has passed. */
	clock_set(UINT64_MAX - 1);
	cr_expect_not(mta_flush(&mta));
	cr_expect(mta.lost);
	cr_expect_not(mta_put(&mta, &a), "once lost, always lost");
	cr_expect_not(mta_make_room(&mta));
}

Test(mta, gone_while_we_write)
{
	const struct answer a = { .kind = ANSWER_CONTINUE };

	close(other);
	other = -1;
	cr_expect(mta_put(&mta, &a));
	cr_expect_not(mta_flush(&mta));
	cr_expect(mta.lost);
	cr_expect_not(mta_flush(&mta));
}

/* Half an answer is worse than none. */
Test(mta, an_answer_that_cannot_be_encoded)
{
	static char value[70000];
	struct answer a = { .kind = ANSWER_ADDHEADER };

	memset(value, 'v', sizeof(value));
	a.header = (struct answer_header){ 0, SLICE_LIT("X"),
					   slice_of(value, sizeof(value)) };
	cr_expect_not(mta_put(&mta, &a));
	cr_expect(mta.lost);
}

Test(mta, opened_again)
{
	int fds[2];

	SENDS("\0\0\0\5half");
	mta_read(&mta);
	mta_close(&mta);
	cr_expect_eq(mta.fd, -1);
	mta_close(&mta);
	close(other);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
		     0);
	mta_open(&mta, fds[0], false);
	other = fds[1];
	SENDS("\0\0\0\1A");
	mta_read(&mta);
	expect_packet(SLICE_LIT("A"));
	cr_expect_not(mta.is_tcp);
}

/* The last packet of a session was never used up: its memory goes all the same. */
Test(mta, closed_and_trimmed)
{
	struct slice packet;

	SENDS("\0\0\0\1Q");
	mta_read(&mta);
	cr_assert(mta_next(&mta, &packet));
	mta_trim(&mta);
	cr_expect_not_null(mta.in.data, "somebody looks at it");
	mta_close(&mta);
	mta_trim(&mta);
	cr_expect_null(mta.in.data);
}
