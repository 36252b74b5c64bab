#include "shared/buf.h"

#include <criterion/criterion.h>

#include "t/unit/support/page_end.h"

Test(buf, filled_at_the_end_used_up_at_the_front)
{
	struct buf b;

	buf_init(&b, 100);
	cr_assert_eq(buf_len(&b), 0);
	cr_assert_eq(buf_slice(&b).len, 0);
	cr_assert(buf_add(&b, SLICE_LIT("hello ")));
	cr_assert(buf_add(&b, SLICE_EMPTY));
	cr_assert(buf_add_byte(&b, 'w'));
	cr_assert(buf_add_str(&b, SLICE_LIT("orld")));
	cr_assert_eq(buf_len(&b), 12);
	cr_assert(slice_equal(buf_slice(&b), SLICE_LIT("hello world\0")));
	buf_skip(&b, 6);
	cr_assert(slice_equal(buf_slice(&b), SLICE_LIT("world\0")));
	buf_cut(&b, 3);
	cr_assert(slice_is(buf_slice(&b), "wor"));
	buf_cut(&b, 4);
	cr_assert_eq(buf_len(&b), 3, "cutting never adds");
	buf_skip(&b, 3);
	cr_assert_eq(buf_len(&b), 0);
	cr_assert_eq(b.start, 0, "empty, it begins again at the front");
	buf_deinit(&b);
}

Test(buf, numbers_are_big_endian)
{
	struct buf b;

	buf_init(&b, 100);
	cr_assert(buf_add_u16(&b, 0x0102));
	cr_assert(buf_add_u32(&b, 0xfffefdfc));
	cr_assert(slice_equal(buf_slice(&b),
			      SLICE_LIT("\x01\x02\xff\xfe\xfd\xfc")));
	buf_deinit(&b);
}

Test(buf, nothing_changes_when_the_ceiling_is_reached)
{
	struct buf b;

	buf_init(&b, 10);
	cr_assert(buf_add(&b, SLICE_LIT("12345678")));
	cr_assert_not(buf_add(&b, SLICE_LIT("abc")));
	cr_assert_not(buf_add_u32(&b, 1));
	cr_assert_not(buf_add_str(&b, SLICE_LIT("ab")));
	cr_assert_not(buf_printf(&b, "%d", 100));
	cr_assert_null(buf_room(&b, SIZE_MAX));
	cr_assert(slice_is(buf_slice(&b), "12345678"));
	cr_assert(buf_add(&b, SLICE_LIT("ab")));
	cr_assert_not(buf_add_byte(&b, 'c'));
	/* Room in front is room too. */
	buf_skip(&b, 4);
	cr_assert(buf_add(&b, SLICE_LIT("cdef")));
	cr_assert(slice_is(buf_slice(&b), "5678abcdef"));
	buf_deinit(&b);
}

Test(buf, grows_and_gives_back)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (uint32_t i = 0; i < 50000; i++)
		cr_assert(buf_add_u32(&b, i));
	cr_assert_geq(b.size, 200000);
	for (uint32_t i = 0; i < 50000; i++) {
		struct reader r = reader_of(buf_slice(&b));
		uint32_t n;

		cr_assert(reader_u32(&r, &n));
		cr_assert_eq(n, i);
		buf_skip(&b, 4);
	}
	buf_clear(&b);
	cr_assert_null(b.data, "large memory is given back");
	cr_assert(buf_add_byte(&b, 'x'));
	buf_clear(&b);
	cr_assert_not_null(b.data, "small memory is kept");
	cr_assert_eq(buf_len(&b), 0);
	buf_release(&b);
	cr_assert_null(b.data);
	cr_assert_eq(b.ceiling, 1 << 20);
	cr_assert(buf_add_byte(&b, 'x'));
	buf_deinit(&b);
}

Test(buf, room_is_written_by_the_caller)
{
	struct buf b;
	char *room;

	buf_init(&b, 100);
	room = buf_room(&b, 0);
	cr_assert_not_null(room);
	room = buf_room(&b, 5);
	cr_assert_not_null(room);
	memcpy(room, "abcde", 5);
	cr_assert_eq(buf_len(&b), 0);
	buf_added(&b, 3);
	cr_assert(slice_is(buf_slice(&b), "abc"));
	buf_deinit(&b);
}

Test(buf, prints)
{
	struct buf b;

	buf_init(&b, 100);
	cr_assert(buf_printf(&b, "%s=%d", "x", 12));
	cr_assert(buf_printf(&b, "%s", ""));
	cr_assert(buf_printf(&b, ";"));
	cr_assert(slice_is(buf_slice(&b), "x=12;"));
	buf_deinit(&b);
}

Test(buf, reader_takes_values_off_the_front)
{
	struct reader r = reader_of(SLICE_LIT("a\x01\x02\xff\xfe\xfd\xfc"
					      "text\0\0rest"));
	struct slice s;
	uint32_t n32;
	uint16_t n16;
	char c;

	cr_assert(reader_byte(&r, &c));
	cr_assert_eq(c, 'a');
	cr_assert(reader_u16(&r, &n16));
	cr_assert_eq(n16, 0x0102);
	cr_assert(reader_u32(&r, &n32));
	cr_assert_eq(n32, 0xfffefdfc);
	cr_assert(reader_str(&r, &s));
	cr_assert(slice_is(s, "text"));
	cr_assert(reader_str(&r, &s));
	cr_assert_eq(s.len, 0);
	cr_assert_not(reader_at_end(&r));
	cr_assert_not(reader_str(&r, &s), "no NUL to be found");
	cr_assert(r.failed);
}

Test(buf, reader_fails_for_good_and_never_passes_the_end)
{
	struct page_end page;
	struct slice s = SLICE_EMPTY;
	uint32_t n32 = 1;
	uint16_t n16 = 1;
	char c = 'x';

	page_end_open(&page, 16);
	for (size_t len = 0; len < 4; len++) {
		struct reader r = reader_of(page_end_put(
			&page, slice_head(SLICE_LIT("abcd"), len)));

		cr_assert_not(reader_u32(&r, &n32), "%zu bytes", len);
		cr_assert_not(reader_byte(&r, &c));
		cr_assert_not(reader_u16(&r, &n16));
		cr_assert_not(reader_str(&r, &s));
	}
	cr_assert(n32 == 1 && n16 == 1 && c == 'x' && s.len == 0,
		  "nothing is set by a failure");
	page_end_close(&page);
}
