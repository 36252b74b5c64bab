#include "tool/eml.h"

#include <criterion/criterion.h>

#include "t/unit/support/page_end.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct arena arena;

static void begin(void)
{
	arena_init(&arena, (size_t)1024 * 1024);
}

static void end(void)
{
	arena_deinit(&arena);
}

TestSuite(eml, .init = begin, .fini = end);

Test(eml, headers_and_body)
{
	static const struct {
		const char *text;
		const char *headers; /* name=value, each with | behind it */
		const char *body;
	} cases[] = {
		{ "", "", "" },
		{ "\n", "", "" },
		{ "A: 1\n", "A= 1|", "" },
		{ "A: 1\nB:2\n\nbody\n", "A= 1|B=2|", "body\r\n" },
		{ "A: 1\r\nB:2\r\n\r\nbody\r\n", "A= 1|B=2|", "body\r\n" },
		{ "A: 1\n  more\n\tmore\nB: 2\n\n",
		  "A= 1\n  more\n\tmore|B= 2|", "" },
		{ "A : 1\n\n", "A= 1|", "" },
		{ "A:\n\n", "A=|", "" },
		{ "From x Mon\nA: 1\n\nb", "A= 1|", "b\r\n" },
		{ "no header\nA: 1\n", "", "no header\r\nA: 1\r\n" },
		{ "A: 1\nno header\n\nx", "A= 1|", "no header\r\n\r\nx\r\n" },
		{ " folded\nA: 1\n", "", " folded\r\nA: 1\r\n" },
		{ "A B: 1\n", "", "A B: 1\r\n" },
		{ "A: 1\n\na\rb\n.\n", "A= 1|", "a\rb\r\n.\r\n" },
	};

	struct page_end page;

	page_end_open(&page, 4096);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct eml e;
		struct buf b;

		buf_init(&b, 65536);
		cr_assert(eml_parse(
			&arena, page_end_put(&page, slice_str(cases[i].text)),
			&e));
		for (size_t k = 0; k < e.count; k++)
			cr_assert(buf_add(&b, e.headers[k].name) &&
				  buf_add_byte(&b, '=') &&
				  buf_add(&b, e.headers[k].raw) &&
				  buf_add_byte(&b, '|'));
		cr_expect(slice_is(buf_slice(&b), cases[i].headers),
			  "case %zu: %.*s", i, SLICE_ARG(buf_slice(&b)));
		cr_expect(slice_is(e.body, cases[i].body), "case %zu: %.*s", i,
			  SLICE_ARG(e.body));
		buf_deinit(&b);
	}
	page_end_close(&page);
}

Test(eml, one_blank_is_eaten)
{
	cr_expect(slice_is(eml_unspaced(SLICE_LIT(" x")), "x"));
	cr_expect(slice_is(eml_unspaced(SLICE_LIT("  x")), " x"));
	cr_expect(slice_is(eml_unspaced(SLICE_LIT("\tx")), "\tx"));
	cr_expect(slice_is(eml_unspaced(SLICE_LIT("x")), "x"));
	cr_expect(slice_is(eml_unspaced(SLICE_EMPTY), ""));
}

Test(eml, printed_headers)
{
	struct buf b;

	buf_init(&b, 4096);
	cr_assert(eml_print_header(&b, SLICE_LIT("A"), SLICE_LIT("x\n y"),
				   false));
	cr_assert(eml_print_header(&b, SLICE_LIT("B"), SLICE_LIT("\tx"), true));
	cr_assert(eml_print_header(&b, SLICE_LIT("C"), SLICE_EMPTY, true));
	cr_expect(slice_is(buf_slice(&b), "A: x\r\n y\r\nB:\tx\r\nC:\r\n"),
		  "%.*s", SLICE_ARG(buf_slice(&b)));
	buf_deinit(&b);
}

Test(eml, many_headers)
{
	struct eml e;
	struct buf b;

	buf_init(&b, 1024 * 1024);
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&b, "X-%u: %u\n", i, i);
	cr_assert(eml_parse(&arena, buf_slice(&b), &e));
	cr_assert_eq(e.count, 1000);
	cr_expect(slice_is(e.headers[999].name, "X-999"));
	cr_expect(slice_is(e.headers[999].raw, " 999"));
	buf_deinit(&b);
}
