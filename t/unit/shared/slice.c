#include "shared/slice.h"

#include <criterion/criterion.h>

#include "t/unit/support/page_end.h"

Test(slice, c_strings)
{
	cr_assert_eq(slice_str(NULL).len, 0);
	cr_assert_not_null(slice_str(NULL).data);
	cr_assert_eq(slice_str("").len, 0);
	cr_assert_eq(slice_str("abc").len, 3);
	cr_assert_eq(SLICE_LIT("a\0b").len, 3);
	cr_assert_eq(SLICE_EMPTY.len, 0);
}

Test(slice, comparisons)
{
	static const struct {
		struct slice a, b;
		bool equal, equal_case;
	} cases[] = {
		{ SLICE_LIT(""), SLICE_LIT(""), true, true },
		{ SLICE_LIT("a"), SLICE_LIT("a"), true, true },
		{ SLICE_LIT("a"), SLICE_LIT("A"), false, true },
		{ SLICE_LIT("X-D"), SLICE_LIT("x-d"), false, true },
		{ SLICE_LIT("a"), SLICE_LIT("ab"), false, false },
		{ SLICE_LIT("ab"), SLICE_LIT("a"), false, false },
		{ SLICE_LIT("a\0b"), SLICE_LIT("a\0c"), false, false },
		{ SLICE_LIT("a\0b"), SLICE_LIT("a\0b"), true, true },
		/* Only letters: '[' is '{' but for the bit of case. */
		{ SLICE_LIT("["), SLICE_LIT("{"), false, false },
		{ SLICE_LIT("@"), SLICE_LIT("`"), false, false },
		{ SLICE_LIT("\xc4"), SLICE_LIT("\xe4"), false, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(slice_equal(cases[i].a, cases[i].b),
			     cases[i].equal, "case %zu", i);
		cr_expect_eq(slice_equal_case(cases[i].a, cases[i].b),
			     cases[i].equal_case, "case %zu", i);
	}
	cr_assert(slice_is(SLICE_LIT("abc"), "abc"));
	cr_assert_not(slice_is(SLICE_LIT("abc"), "ab"));
	cr_assert(slice_is_case(SLICE_LIT("AbC"), "aBc"));
}

/* The values published for FNV-1a. */
Test(slice, hash)
{
	cr_expect_eq(slice_hash(SLICE_HASH, SLICE_EMPTY), 0x811c9dc5u);
	cr_expect_eq(slice_hash(SLICE_HASH, SLICE_LIT("a")), 0xe40c292cu);
	cr_expect_eq(slice_hash(SLICE_HASH, SLICE_LIT("foobar")), 0xbf9cf968u);
	cr_expect_eq(slice_hash(slice_hash(SLICE_HASH, SLICE_LIT("foo")),
				SLICE_LIT("bar")),
		     0xbf9cf968u);
}

Test(slice, beginnings_never_read_past_the_end)
{
	struct page_end page;

	page_end_open(&page, 100);
	cr_assert(slice_starts(page_end_put(&page, SLICE_LIT("abc")), "abc"));
	cr_assert(slice_starts(page_end_put(&page, SLICE_LIT("abc")), ""));
	cr_assert_not(
		slice_starts(page_end_put(&page, SLICE_LIT("abc")), "abcd"));
	cr_assert_not(slice_starts(page_end_put(&page, SLICE_EMPTY), "a"));
	cr_assert_eq(slice_find(page_end_put(&page, SLICE_LIT("abc")), 'd'),
		     -1);
	cr_assert_eq(slice_find(page_end_put(&page, SLICE_LIT("abc")), 'c'), 2);
	cr_assert_eq(slice_find(page_end_put(&page, SLICE_EMPTY), 'c'), -1);
	page_end_close(&page);
}

Test(slice, parts)
{
	struct slice s = SLICE_LIT("hello");

	cr_assert(slice_is(slice_from(s, 0), "hello"));
	cr_assert(slice_is(slice_from(s, 2), "llo"));
	cr_assert_eq(slice_from(s, 5).len, 0);
	cr_assert_eq(slice_from(s, SIZE_MAX).len, 0);
	cr_assert_eq(slice_from(s, 99).data, s.data + 5);
	cr_assert(slice_is(slice_head(s, 2), "he"));
	cr_assert(slice_is(slice_head(s, 99), "hello"));
	cr_assert_eq(slice_head(s, 0).len, 0);
}

Test(slice, trimming)
{
	cr_assert(slice_is(slice_trim(SLICE_LIT(" \t\r\na b\r\n ")), "a b"));
	cr_assert(slice_is(slice_trim(SLICE_LIT("a")), "a"));
	cr_assert_eq(slice_trim(SLICE_LIT(" \t ")).len, 0);
	cr_assert_eq(slice_trim(SLICE_EMPTY).len, 0);
}

Test(slice, splitting_gives_an_empty_last_part_once)
{
	static const struct {
		const char *text;
		const char *parts[5];
		unsigned count;
	} cases[] = {
		{ "", { "" }, 1 },
		{ "a", { "a" }, 1 },
		{ "a,", { "a", "" }, 2 },
		{ ",", { "", "" }, 2 },
		{ "a,,b", { "a", "", "b" }, 3 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice rest = slice_str(cases[i].text), part;
		unsigned n = 0;

		while (slice_split(&rest, ',', &part)) {
			cr_assert_lt(n, cases[i].count);
			cr_expect(slice_is(part, cases[i].parts[n]));
			n++;
		}
		cr_expect_eq(n, cases[i].count, "\"%s\"", cases[i].text);
		cr_expect_not(slice_split(&rest, ',', &part));
	}
}

Test(slice, numbers)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t want;
	} cases[] = {
		{ "0", 0, true, 0 },
		{ "007", 10, true, 7 },
		{ "10", 10, true, 10 },
		{ "11", 10, false, 0 },
		{ "", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "1a", 100, false, 0 },
		{ "/", 100, false, 0 },
		{ ":", 100, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999", UINT64_MAX, false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t n = 12345;

		cr_expect_eq(slice_to_u64(slice_str(cases[i].text),
					  cases[i].max, &n),
			     cases[i].ok, "\"%s\"", cases[i].text);
		cr_expect_eq(n, cases[i].ok ? cases[i].want : 12345);
	}
}
