#include "shared/macro.h"

#include <criterion/criterion.h>

#include "t/unit/support/page_end.h"

#define PAIRS SLICE_LIT("j\0mx\0{mail_addr}\0a@b\0i\0Q1\0_\0\0long\0x\0")

Test(macro, whole_pairs_only)
{
	static const struct {
		struct slice payload;
		size_t want;
	} cases[] = {
		{ SLICE_LIT(""), 0 },
		{ SLICE_LIT("j\0"), 0 },    /* a name without value */
		{ SLICE_LIT("j\0val"), 0 }, /* no end */
		{ SLICE_LIT("j"), 0 },
		{ SLICE_LIT("j\0val\0"), 6 },
		{ SLICE_LIT("j\0\0"), 3 },
		{ SLICE_LIT("\0\0"), 2 },
		{ SLICE_LIT("j\0val\0i\0"), 6 },
		{ SLICE_LIT("j\0val\0i\0q"), 6 },
		{ SLICE_LIT("j\0val\0i\0q\0"), 10 },
	};
	struct page_end page;

	page_end_open(&page, 100);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(
			macro_whole_pairs(page_end_put(&page, cases[i].payload))
				.len,
			cases[i].want, "case %zu", i);
	page_end_close(&page);
}

Test(macro, pairs_one_by_one)
{
	struct slice pairs = PAIRS, name, value;

	cr_assert(macro_next(&pairs, &name, &value));
	cr_assert(slice_is(name, "j") && slice_is(value, "mx"));
	cr_assert(macro_next(&pairs, &name, &value));
	cr_assert(slice_is(name, "{mail_addr}"), "braces stay");
	for (int i = 0; i < 3; i++)
		cr_assert(macro_next(&pairs, &name, &value));
	cr_assert_not(macro_next(&pairs, &name, &value));
	cr_assert_eq(pairs.len, 0);
}

Test(macro, names_compare_without_braces)
{
	static const struct {
		const char *name;
		const char *want; /* NULL: not there */
	} cases[] = {
		{ "j", "mx" },
		{ "{j}", "mx" },
		{ "{mail_addr}", "a@b" },
		{ "mail_addr", "a@b" },
		{ "_", "" },
		{ "{_}", "" },
		{ "{long}", "x" },
		{ "k", NULL },
		{ "", NULL },
		{ "{}", NULL },
		{ "J", NULL },
		{ "{j", NULL },
		{ "{{j}}", NULL },
		{ "mail", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice value = SLICE_LIT("untouched");
		bool found =
			macro_find(PAIRS, slice_str(cases[i].name), &value);

		cr_expect_eq(found, cases[i].want != NULL, "%s", cases[i].name);
		cr_expect(slice_is(value, cases[i].want ? cases[i].want :
							  "untouched"));
	}
}

Test(macro, the_first_value_counts)
{
	struct slice value;

	cr_assert(macro_find(SLICE_LIT("i\0one\0{i}\0two\0"), SLICE_LIT("{i}"),
			     &value));
	cr_assert(slice_is(value, "one"));
}

Test(macro, lists)
{
	static const struct {
		const char *list;
		const char *name;
		bool want;
	} cases[] = {
		{ "j {x} i", "j", true },
		{ "j {x} i", "x", true },
		{ "j {x} i", "{i}", true },
		{ "j {x} i", "k", false },
		{ "j,{x},i", "x", true },
		{ "j,  {x} ,i", "i", true },
		{ "", "j", false },
		{ "  ", "", false },
		{ "j", "", false },
		{ "jj", "j", false },
		{ "{mail_addr}", "mail_addr", true },
		{ "{mail_addr}", "mail", false },
		{ "a b c", "c", true },
		{ "a\tb\r\nc", "b", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(macro_list_has(slice_str(cases[i].list),
					    slice_str(cases[i].name)),
			     cases[i].want, "\"%s\" has \"%s\"", cases[i].list,
			     cases[i].name);
}

Test(macro, filter_by_list)
{
	unsigned dropped = 7;
	struct buf b;

	buf_init(&b, 1000);
	cr_assert(buf_add(&b, SLICE_LIT(">")));
	cr_assert(macro_filter(PAIRS, true, SLICE_LIT("i,mail_addr {none}"),
			       1000, &b, &dropped));
	cr_assert(slice_equal(buf_slice(&b),
			      SLICE_LIT(">{mail_addr}\0a@b\0i\0Q1\0")));
	cr_assert_eq(dropped, 0);
	buf_cut(&b, 1);
	cr_assert(macro_filter(PAIRS, true, SLICE_EMPTY, 1000, &b, &dropped));
	cr_assert(slice_is(buf_slice(&b), ">"), "an empty list: none");
	cr_assert(macro_filter(PAIRS, false, SLICE_EMPTY, 1000, &b, &dropped));
	cr_assert(slice_equal(slice_from(buf_slice(&b), 1), PAIRS));
	buf_deinit(&b);
}

Test(macro, filter_leaves_the_largest_values_out)
{
	static const struct {
		size_t max;
		struct slice want;
		unsigned dropped;
	} cases[] = {
		{ 26,
		  SLICE_LIT("a\0"
			    "111\0b\0\0c\0"
			    "88888888\0d\0"
			    "222\0"),
		  0 },
		{ 25,
		  SLICE_LIT("a\0"
			    "111\0b\0\0d\0"
			    "222\0"),
		  1 },
		{ 15,
		  SLICE_LIT("a\0"
			    "111\0b\0\0d\0"
			    "222\0"),
		  1 },
		/* Of those alike, the first ones stay. */
		{ 14,
		  SLICE_LIT("a\0"
			    "111\0b\0\0"),
		  2 },
		{ 9,
		  SLICE_LIT("a\0"
			    "111\0b\0\0"),
		  2 },
		{ 8, SLICE_LIT("b\0\0"), 3 },
		{ 3, SLICE_LIT("b\0\0"), 3 },
		{ 2, SLICE_LIT(""), 4 },
		{ 0, SLICE_LIT(""), 4 },
	};
	static const char pairs[] = "a\0"
				    "111\0b\0\0c\0"
				    "88888888\0d\0"
				    "222";
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned dropped;

		buf_clear(&b);
		cr_assert(macro_filter(slice_of(pairs, sizeof(pairs)), false,
				       SLICE_EMPTY, cases[i].max, &b,
				       &dropped));
		cr_expect(slice_equal(buf_slice(&b), cases[i].want), "case %zu",
			  i);
		cr_expect_eq(dropped, cases[i].dropped, "case %zu: %u", i,
			     dropped);
	}
	buf_deinit(&b);
}

/* Time must not grow with the square: any number of macros may come. */
Test(macro, filter_of_very_many)
{
	struct buf pairs, b;
	unsigned dropped;

	buf_init(&pairs, 1 << 20);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 100000; i++)
		cr_assert(buf_add(&pairs, SLICE_LIT("i\0xy\0")));
	cr_assert(macro_filter(buf_slice(&pairs), false, SLICE_EMPTY, 65534, &b,
			       &dropped));
	cr_assert_eq(buf_len(&b), 65534 / 5 * 5);
	cr_assert_eq(dropped, 100000 - 65534 / 5);
	buf_deinit(&pairs);
	buf_deinit(&b);
}

Test(macro, filter_needs_room)
{
	unsigned dropped;
	struct buf b;

	buf_init(&b, 12);
	cr_assert(buf_add(&b, SLICE_LIT("before")));
	cr_assert_not(
		macro_filter(PAIRS, false, SLICE_EMPTY, 1000, &b, &dropped));
	cr_assert(slice_is(buf_slice(&b), "before"));
	buf_deinit(&b);
}
