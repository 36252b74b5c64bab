#include "shared/json.h"

#include <criterion/criterion.h>

static void is(const struct buf *b, const char *wanted)
{
	cr_expect(slice_is(buf_slice(b), wanted), "got %.*s, wanted %s",
		  SLICE_ARG(buf_slice(b)), wanted);
}

Test(json, commas_stand_between_and_nowhere_else)
{
	struct json j;
	struct buf b;

	buf_init(&b, 4096);
	j = json_begin(&b);
	json_object(&j, NULL);
	json_number(&j, "a", UINT64_MAX);
	json_array(&j, "b");
	json_array_end(&j);
	json_array(&j, "c");
	json_object(&j, NULL);
	json_object_end(&j);
	json_bool(&j, NULL, true);
	json_null(&j, NULL);
	json_array_end(&j);
	json_seconds(&j, "d", 1000002);
	json_word(&j, "e", "f");
	json_object_end(&j);
	cr_assert(json_end(&j));
	is(&b, "{\"a\":18446744073709551615,\"b\":[],\"c\":[{},true,null],"
	       "\"d\":1.000002,\"e\":\"f\"}");
	buf_deinit(&b);
}

Test(json, any_bytes_become_text)
{
	static const struct {
		const char *name;
		struct slice text;
		const char *wanted;
	} cases[] = {
		/* clang-format off */
		{ "nothing",           SLICE_LIT(""),               "\"\"" },
		{ "plain",             SLICE_LIT("a/b"),            "\"a/b\"" },
		{ "quote, backslash",  SLICE_LIT("\"\\"),           "\"\\\"\\\\\"" },
		{ "control and NUL",   SLICE_LIT("a\n\0\x7f"),      "\"a\\u000a\\u0000\\u007f\"" },
		{ "two bytes",         SLICE_LIT("\xc3\xa9"),       "\"\xc3\xa9\"" },
		{ "four bytes",        SLICE_LIT("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"" },
		{ "cut character",     SLICE_LIT("x\xc3"),          "\"x\\u00c3\"" },
		{ "overlong",          SLICE_LIT("\xc0\xaf"),       "\"\\u00c0\\u00af\"" },
		{ "overlong of three", SLICE_LIT("\xe0\x80\xaf"),   "\"\\u00e0\\u0080\\u00af\"" },
		{ "surrogate",         SLICE_LIT("\xed\xa0\x80"),   "\"\\u00ed\\u00a0\\u0080\"" },
		{ "beyond the end",    SLICE_LIT("\xf4\x90\x80\x80"), "\"\\u00f4\\u0090\\u0080\\u0080\"" },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 4096);
		cr_assert(json_quote(&b, cases[i].text));
		cr_expect(slice_is(buf_slice(&b), cases[i].wanted), "%s: %.*s",
			  cases[i].name, SLICE_ARG(buf_slice(&b)));
		buf_deinit(&b);
	}
}

Test(json, a_full_buf_is_told_in_the_end)
{
	struct json j;
	struct buf b;

	buf_init(&b, 16);
	j = json_begin(&b);
	json_object(&j, NULL);
	json_word(&j, "a", "much more than there is room for");
	json_object_end(&j);
	cr_assert_not(json_end(&j));
	buf_deinit(&b);
}
