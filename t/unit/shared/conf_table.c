#include "shared/conf.h"

#include <criterion/criterion.h>

#include "shared/conf_table.h"
#include "shared/conf_value.h"
#include "t/unit/support/reading.h"

Test(conf_table, has_rows_in_order_and_without_holes)
{
	for (int s = 0; s < CONF_SECTIONS; s++) {
		size_t n;
		const struct conf_row *rows =
			conf_rows((enum conf_section)s, &n);

		cr_expect_gt(n, s <= CONF_MILTER ? 5 : 0);
		for (size_t i = 0; i < n; i++) {
			const struct conf_row *row = &rows[i];
			bool word = row->type == CONF_WORD ||
				    row->type == CONF_EITHER ||
				    row->type == CONF_SWITCH;

			cr_assert_not_null(row->key);
			cr_expect_eq((int)row->section, s, "%s", row->key);
			cr_expect_lt(strlen(row->key), 32, "%s", row->key);
			cr_expect(row->sentence && row->sentence[0]);
			/* The sample file needs one of the two. */
			cr_expect(row->standard || row->sample ||
				  s > CONF_MILTER);
			cr_expect_eq(word, row->words != NULL, "%s", row->key);
			cr_expect_eq(row->max > 0, row->unit != NULL, "%s",
				     row->key);
			cr_expect(i == 0 ||
					  strcmp(rows[i - 1].key, row->key) < 0,
				  "%s is not in order", row->key);
			cr_expect_eq(conf_row_find((enum conf_section)s,
						   slice_str(row->key)),
				     row);
		}
	}
}

Test(conf_table, finds_the_nearest_name)
{
	static const struct {
		const char *wrong, *near;
	} cases[] = {
		{ "sokcet", "socket" },	    { "sockt", "socket" },
		{ "soket", "socket" },	    { "ordr", "order" },
		{ "on_fail", "on_failure" }, { "timeout", NULL },
		{ "timeout_com", "timeout_eom" }, { "", NULL },
		{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *near = conf_row_nearest(CONF_MILTER,
						    slice_str(cases[i].wrong));

		if (cases[i].near)
			cr_expect_str_eq(near ? near : "nothing",
					 cases[i].near);
		else
			cr_expect_null(near, "\"%s\": %s", cases[i].wrong,
				       near);
	}
}

Test(conf_table, names_orders_modes_and_policies)
{
	cr_expect_str_eq(conf_order_name(ORDER_FREE), "free");
	cr_expect_str_eq(conf_mode_name(MODE_EVALUATE), "evaluate");
	cr_expect_str_eq(conf_policy_name(POLICY_QUARANTINE), "quarantine");
	cr_expect_str_eq(conf_policy_name((enum conf_policy)99), "?");
}

Test(conf_table, knows_where_text_is_literal)
{
	static const struct {
		const char *text;
		size_t at;
		ptrdiff_t length;
	} cases[] = {
		{ "\"ab\" c", 0, 4 },	 { "'ab'", 0, 4 },
		{ "'a\"b'", 0, 5 },	 { "\"\"", 0, 2 },
		{ "a \"b\"", 2, 3 },	 { "a,'b'", 2, 3 },
		{ "a='b'", 2, 3 },	 { "it's 'x'", 2, 0 },
		{ "\"ab", 0, -1 },	 { "'", 0, -1 },
		{ "ab", 0, 0 },		 { "/a/", 0, 0 },
		{ "~ /a/", 2, 3 },	 { "~/a;#/i", 1, 5 },
		{ "~ /a\\/b/", 2, 6 },	 { "~ /a\\\\/b", 2, 5 },
		{ "~ /a", 2, -1 },	 { "~ /a\\", 2, -1 },
		{ "x ~ y /a/", 6, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(conf_literal(slice_str(cases[i].text),
					  cases[i].at),
			     cases[i].length, "%s", cases[i].text);
	cr_expect(slice_is(conf_unquote(SLICE_LIT("\"a b\"")), "a b"));
	cr_expect(slice_is(conf_unquote(SLICE_LIT("\"a\" b")), "\"a\" b"));
	cr_expect(slice_is(conf_unquote(SLICE_LIT("\"a\",\"b\"")),
			   "\"a\",\"b\""));
	cr_expect(slice_is(conf_unquote(SLICE_LIT("\"")), "\""));
	cr_expect_eq(conf_unquote(SLICE_LIT("''")).len, 0);
}

Test(conf_table, prints_numbers_with_their_largest_unit)
{
	static const struct {
		enum conf_type type;
		uint64_t number;
		const char *text;
	} cases[] = {
		{ CONF_UNSIGNED, 86400, "86400" },
		{ CONF_SIZE, 0, "0" },
		{ CONF_SIZE, 1023, "1023" },
		{ CONF_SIZE, 1024, "1k" },
		{ CONF_SIZE, 1536, "1536" },
		{ CONF_SIZE, UINT64_C(3) << 20, "3M" },
		{ CONF_SIZE, UINT64_C(16) << 30, "16G" },
		{ CONF_DURATION, 0, "0" },
		{ CONF_DURATION, 1000, "1ms" },
		{ CONF_DURATION, 1500000, "1500ms" },
		{ CONF_DURATION, 90000000, "90s" },
		{ CONF_DURATION, 120000000, "2m" },
		{ CONF_DURATION, UINT64_C(172800000000), "2d" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 64);
		cr_assert(conf_number_print(cases[i].type, cases[i].number,
					    &b));
		cr_expect(slice_is(buf_slice(&b), cases[i].text), "%s",
			  cases[i].text);
		buf_deinit(&b);
	}
}
