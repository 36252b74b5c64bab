#include "shared/mime_text.h"

#include <criterion/criterion.h>

#include "t/unit/support/page_end.h"

/* clang-format off */
static const struct {
	const char *value;
	const char *text;
} headers[] = {
	{ "plain",                                      "plain" },
	{ "  plain  ",                                  "plain" },
	{ "a\n b",                                      "a b" },
	{ "a\r\n\t  b",                                 "a b" },
	{ "a  b",                                       "a  b" },
	{ "=?utf-8?q?Gr=C3=BC=C3=9Fe?=",                "Gr\xc3\xbc\xc3\x9f" "e" },
	{ "=?UTF-8?B?R3LDvMOfZQ==?=",                   "Gr\xc3\xbc\xc3\x9f" "e" },
	{ "=?UTF-8?B?R3LDvMOfZQ?=",                     "Gr\xc3\xbc\xc3\x9f" "e" },
	{ "=?iso-8859-1?q?Gr=FC=DFe?=",                 "Gr\xc3\xbc\xc3\x9f" "e" },
	{ "=?iso-8859-1*de?Q?a_b?=",                    "a b" },
	{ "=?us-ascii?q?a?= =?us-ascii?q?b?=",          "ab" },
	{ "=?us-ascii?q?a?=\n\t=?us-ascii?q?b?=",       "ab" },
	{ "=?us-ascii?q?a?= b =?us-ascii?q?c?=",        "a b c" },
	{ "x =?us-ascii?q?a?= y",                       "x a y" },
	{ "\"=?us-ascii?q?a?=\"",                       "\"a\"" },
	{ "=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=",         "\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88" },
	{ "=?shift_jis?B?g2WDWINn?=",                   "\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88" },
	{ "=?euc-jp?B?pcal uQ==?=",                     "=?euc-jp?B?pcal uQ==?=" },
	{ "=?koi8-r?B?8NLJ18XU?=",                      "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
	/* What is no encoded word, or none we know, stays. */
	{ "=?utf-8?x?abc?=",                            "=?utf-8?x?abc?=" },
	{ "=?utf-8?q?abc",                              "=?utf-8?q?abc" },
	{ "=?utf-8?q?abc?",                             "=?utf-8?q?abc?" },
	{ "=?",                                         "=?" },
	{ "=?=?=?",                                     "=?=?=?" },
	{ "=?utf-8?q?" "?=",                              "" },
	{ "=?no-such-set?q?a=FFb?=",                    "a\xff" "b" },
	{ "=?iso-2022-cn-ext?q?abc?=",                  "abc" },
	{ "=?../../etc/x?q?abc?=",                      "abc" },
	{ "=?utf-16be?B?AGEAYg==?=",                    "ab" },
	{ "=?utf-8?q?a=?=",                             "a=" },
	{ "=?utf-8?q?a=4?=",                            "a=4" },
	{ "=?utf-8?q?=4x?=",                            "=4x" },
};
/* clang-format on */

Test(mime_text, headers)
{
	struct arena arena;
	struct page_end page;

	arena_init(&arena, 1 << 24);
	page_end_open(&page, 4096);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct slice text, value =
			page_end_put(&page, slice_str(headers[i].value));

		cr_assert(mime_header_text(&arena, value, 4096, &text));
		cr_expect(slice_is(text, headers[i].text), "%s: \"%.*s\"",
			  headers[i].value, SLICE_ARG(text));
		for (size_t n = 0; n < value.len; n++) {
			struct slice cut = page_end_put(
				&page, slice_head(slice_str(headers[i].value),
						  n));

			cr_expect(mime_header_text(&arena, cut, 4096, &text));
		}
	}
	page_end_close(&page);
	arena_deinit(&arena);
}

Test(mime_text, a_value_is_cut)
{
	static char value[1 << 20];
	struct arena arena;
	struct slice text;

	arena_init(&arena, 1 << 24);
	memset(value, 'a', sizeof(value));
	cr_assert(mime_header_text(&arena, slice_of(value, sizeof(value)), 100,
				   &text));
	cr_assert_eq(text.len, 100);
	memcpy(value, "=?utf-8?q?b?=\n ", 15);
	cr_assert(mime_header_text(&arena, slice_of(value, sizeof(value)), 100,
				   &text));
	cr_assert_eq(text.len, 100);
	cr_assert(slice_starts(text, "b aaa"));
	/* Nothing but encoded words, each in another charset. */
	for (size_t i = 0; i + 32 < sizeof(value); i += 32)
		memcpy(value + i,
		       i & 32 ? "=?koi8-r?q?=C1?=                " :
				"=?iso-8859-7?q?=C1?=            ",
		       32);
	cr_assert(mime_header_text(&arena, slice_of(value, sizeof(value)),
				   65536, &text));
	cr_assert_leq(text.len, 65536);
	arena_deinit(&arena);
}

#define PART "Content-Type: text/plain; charset=utf-8\r\n"

/* clang-format off */
static const struct {
	const char *type, *encoding, *body, *text;
} bodies[] = {
	{ "", "", "a\r\nb\r\n", "a\nb\n" },
	{ "text/plain", "7bit", "a\rb\r\n", "a\rb\n" },
	{ "text/plain", "base64", "YWJj\r\nZGVm\r\n", "abcdef" },
	{ "text/plain; charset=iso-8859-1", "quoted-printable",
	  "Gr=FC=\r\n=DFe=20x\r\n", "Gr\xc3\xbc\xc3\x9f" "e x\n" },
	{ "TEXT/HTML; charset=\"koi8-r\"", "BASE64", "8NLJ18XU",
	  "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
	{ "text/plain; charset=no-such", "8bit", "\xff", "\xff" },
	{ "image/png", "base64", "YWJj", "" },
	{ "multipart/mixed; boundary=b", "",
	  "preamble\r\n--b\r\n" PART "\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\nepilogue",
	  "one\ntwo\n" },
	{ "multipart/mixed;\r\n\tboundary=\"b b\"", "",
	  "--b b\r\nContent-Type: image/png\r\n\r\nno\r\n--b b\r\nContent-Type:\r\n text/html\r\n"
	  "Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n--b b--\r\n", "abc" },
	{ "multipart/alternative; boundary=o", "",
	  "--o\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nin\r\n--i--\r\n--o\r\n\r\nout\r\n--o--\r\n",
	  "in\nout\n" },
	{ "message/rfc822", "", "Subject: x\r\n" PART "\r\ninner\r\n", "inner\n" },
	/* Cut, or without an end. */
	{ "multipart/mixed; boundary=b", "", "--b\r\n\r\none", "one" },
	{ "multipart/mixed; boundary=b", "", "--b", "" },
	{ "multipart/mixed", "", "plain", "plain" },
	{ "multipart/mixed; boundary=\"\"", "", "plain", "plain" },
	{ "text/plain", "base64", "YWJ", "ab" },
	{ "text/plain", "quoted-printable", "a=", "a=" },
	{ "text/plain", "quoted-printable", "a=4", "a=4" },
};
/* clang-format on */

Test(mime_text, bodies)
{
	struct arena arena;
	struct page_end page;

	arena_init(&arena, (size_t)1 << 28);
	page_end_open(&page, 4096);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct slice whole = slice_str(bodies[i].body), text;

		for (size_t n = 0; n <= whole.len; n++) {
			struct slice body =
				page_end_put(&page, slice_head(whole, n));

			cr_assert(mime_body_text(
				&arena, slice_str(bodies[i].type),
				slice_str(bodies[i].encoding), body, 1000,
				&text));
		}
		cr_expect(slice_is(text, bodies[i].text), "case %zu: \"%.*s\"",
			  i, SLICE_ARG(text));
	}
	page_end_close(&page);
	arena_deinit(&arena);
}

/* Parts inside parts inside parts, without end. */
Test(mime_text, depth_and_parts_are_bounded)
{
	static char body[65536];
	static const char nest[] =
		"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
	static const char flat[] = "--b\r\n\r\nx\r\n";
	struct arena arena;
	struct slice text;
	size_t len = 0;

	arena_init(&arena, (size_t)1 << 26);
	for (; len + sizeof(nest) < sizeof(body); len += sizeof(nest) - 1)
		memcpy(body + len, nest, sizeof(nest) - 1);
	cr_assert(mime_body_text(&arena,
				 SLICE_LIT("multipart/mixed; boundary=b"),
				 SLICE_EMPTY, slice_of(body, len), 65536,
				 &text));
	for (len = 0; len + sizeof(flat) < sizeof(body); len += sizeof(flat) - 1)
		memcpy(body + len, flat, sizeof(flat) - 1);
	cr_assert(mime_body_text(&arena,
				 SLICE_LIT("multipart/mixed; boundary=b"),
				 SLICE_EMPTY, slice_of(body, len), 65536,
				 &text));
	/* The multipart itself is one. */
	cr_assert_eq(text.len, (size_t)(MIME_PARTS_MAX - 1) * 2);
	arena_deinit(&arena);
}

Test(mime_text, no_memory)
{
	struct arena arena;
	struct slice text;

	arena_init(&arena, 0);
	cr_assert(mime_header_text(&arena, SLICE_LIT("plain"), 100, &text));
	cr_assert_not(mime_header_text(&arena, SLICE_LIT("a\n b"), 100, &text));
	cr_assert_eq(text.len, 0);
	cr_assert_not(mime_body_text(&arena, SLICE_EMPTY, SLICE_EMPTY,
				     SLICE_LIT("a"), 100, &text));
	cr_assert_eq(text.len, 0);
}
