#include "shared/milter_frame.h"

#include <criterion/criterion.h>

#include "shared/milter.h"
#include "t/unit/support/vectors.h"

static struct buf filled(const char *hex)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	vector_bytes(slice_str(hex), &b);
	return b;
}

Test(milter_frame, says_bad_length_as_soon_as_four_bytes_are_in)
{
	static const struct {
		const char *hex;
		uint32_t max;
		enum frame_result want;
	} cases[] = {
		{ "", 10, FRAME_MORE },
		{ "00", 10, FRAME_MORE },
		{ "ffffff", 10, FRAME_MORE },
		{ "00000000", 10, FRAME_BAD_LENGTH },
		{ "0000000b", 10, FRAME_BAD_LENGTH },
		{ "0000000a", 10, FRAME_MORE },
		{ "80000000", 0x7fffffff, FRAME_BAD_LENGTH },
		{ "ffffffff41", MILTER_MTA_LENGTH_MAX, FRAME_BAD_LENGTH },
		{ "00010000", MILTER_MTA_LENGTH_MAX, FRAME_MORE },
		{ "00010001", MILTER_MTA_LENGTH_MAX, FRAME_BAD_LENGTH },
		{ "00100001", MILTER_CHILD_LENGTH_MAX, FRAME_MORE },
		{ "00100002", MILTER_CHILD_LENGTH_MAX, FRAME_BAD_LENGTH },
		{ "0000000141", 10, FRAME_OK },
		{ "00000003414243", 3, FRAME_OK },
		{ "000000034142", 3, FRAME_MORE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = filled(cases[i].hex);
		struct slice packet;

		cr_expect_eq(frame_peek(&b, cases[i].max, &packet),
			     cases[i].want, "case %zu", i);
		buf_deinit(&b);
	}
}

Test(milter_frame, takes_packets_one_after_the_other)
{
	struct buf b = filled("0000000141 00000003424344 00000002");
	struct slice packet;

	cr_assert_eq(frame_peek(&b, 10, &packet), FRAME_OK);
	cr_assert(slice_is(packet, "A"));
	/* Looking does not use up. */
	cr_assert_eq(frame_peek(&b, 10, &packet), FRAME_OK);
	frame_skip(&b, packet);
	cr_assert_eq(frame_peek(&b, 10, &packet), FRAME_OK);
	cr_assert(slice_is(packet, "BCD"));
	frame_skip(&b, packet);
	cr_assert_eq(frame_peek(&b, 10, &packet), FRAME_MORE);
	cr_assert_eq(buf_len(&b), 4);
	buf_deinit(&b);
}

Test(milter_frame, writes_length_when_the_packet_ends)
{
	struct buf b, want = filled("0000000141 000000064268656c6c6f");
	size_t mark;

	buf_init(&b, 1000);
	cr_assert(frame_put(&b, 'A'));
	cr_assert(frame_begin(&b, 'B', &mark));
	cr_assert_eq(mark, 5);
	cr_assert(buf_add(&b, SLICE_LIT("hello")));
	frame_end(&b, mark);
	cr_assert(slice_equal(buf_slice(&b), buf_slice(&want)));
	buf_deinit(&b);
	buf_deinit(&want);
}

/* The mark counts from the front, wherever that is in the memory by then. */
Test(milter_frame, survives_a_buffer_that_moves)
{
	struct buf b;
	struct slice packet;
	size_t mark;

	buf_init(&b, 1 << 20);
	cr_assert(frame_put(&b, 'X') && frame_put(&b, 'Y'));
	buf_skip(&b, 5);
	cr_assert(frame_begin(&b, 'B', &mark));
	for (int i = 0; i < 5000; i++)
		cr_assert(buf_add_u32(&b, 0x61616161));
	frame_end(&b, mark);
	cr_assert_eq(frame_peek(&b, 1, &packet), FRAME_OK);
	frame_skip(&b, packet);
	cr_assert_eq(frame_peek(&b, 20001, &packet), FRAME_OK);
	cr_assert_eq(packet.len, 20001);
	cr_assert_eq(packet.data[20000], 'a');
	buf_deinit(&b);
}

Test(milter_frame, changes_nothing_when_there_is_no_room)
{
	struct buf b;
	size_t mark;

	buf_init(&b, 9);
	cr_assert(frame_put(&b, 'A'));
	cr_assert_not(frame_put(&b, 'A'), "the length fits, the letter not");
	cr_assert_eq(buf_len(&b), 5);
	buf_skip(&b, 5);
	cr_assert(frame_begin(&b, 'B', &mark));
	cr_assert(buf_add(&b, SLICE_LIT("abcd")));
	cr_assert_not(frame_end_within(&b, mark, 3));
	cr_assert(frame_end_within(&b, mark, 4));
	frame_undo(&b, mark);
	cr_assert_eq(buf_len(&b), 0);
	buf_deinit(&b);
}

Test(milter_frame, knows_strangers)
{
	static const struct {
		struct slice bytes;
		const char *who;
	} cases[] = {
		{ SLICE_LIT("GET / HTTP/1.1\r\n"), "an HTTP client" },
		{ SLICE_LIT("HTTP/1.1 400"), "an HTTP server" },
		{ SLICE_LIT("220 mx.example ESMTP"), "an SMTP server" },
		{ SLICE_LIT("220-mx.example ESMTP"), "an SMTP server" },
		{ SLICE_LIT("EHLO me"), "an SMTP client" },
		{ SLICE_LIT("\x16\x03\x01\x00"), "TLS" },
		{ SLICE_LIT("-ERR unknown command"), "Redis" },
		{ SLICE_LIT("PROXY TCP4 "), "a proxy (PROXY protocol)" },
		{ SLICE_LIT("SSH-2.0-"), "an SSH server" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *who = frame_guess_peer(cases[i].bytes);

		cr_assert_not_null(who, "case %zu", i);
		cr_expect_str_eq(who, cases[i].who);
	}
	cr_assert_null(frame_guess_peer(SLICE_EMPTY));
	cr_assert_null(frame_guess_peer(SLICE_LIT("GE")));
	cr_assert_null(frame_guess_peer(SLICE_LIT("\0\0\0\x0dO")));
	cr_assert_null(frame_guess_peer(SLICE_LIT("\0\0\0\x01"
						  "c")));
}
