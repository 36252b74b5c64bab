#include "tool/script.h"

#include <criterion/criterion.h>

#include "shared/clock.h"
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

TestSuite(script, .init = begin, .fini = end);

/* Words with | between them, statements with / between them. */
static const char *shape(const struct script *s)
{
	struct buf b;
	const char *text;

	buf_init(&b, 65536);
	for (size_t i = 0; i < s->count; i++) {
		for (size_t k = 0; k < s->statements[i].count; k++) {
			struct slice w = s->statements[i].words[k].text;

			cr_assert(buf_add(&b, w));
			cr_assert(buf_add_byte(&b, '|'));
		}
		cr_assert(buf_add_byte(&b, '/'));
	}
	text = arena_str(&arena, buf_slice(&b));
	buf_deinit(&b);
	return text;
}

Test(script, statements_and_words)
{
	static const struct {
		const char *text;
		const char *shape;
	} cases[] = {
		{ "", "" },
		{ " \n;; \n", "" },
		{ "a", "a|/" },
		{ "a b;c", "a|b|/c|/" },
		{ "a b\nc\r\nd", "a|b|/c|/d|/" },
		{ "a \\\n b", "a|b|/" },
		{ "a # b ; c\nd", "a|/d|/" },
		{ "# all of it", "" },
		{ "a#b", "a#b|/" },
		{ "at eom do addheader \"X\" \"a b\"; accept",
		  "at|eom|do|addheader|X|a b|/accept|/" },
		{ "\"\"", "|/" },
		{ "\"a;b\" \"#\"", "a;b|#|/" },
		{ "a\"b\"c", "a|b|c|/" },
		{ "\"\\r\\n\\t\\\"\\\\\\x41\"", "\r\n\t\"\\A|/" },
		{ "\"two\nlines\"", "two\nlines|/" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct script_error error;
		struct script s;

		cr_assert(script_parse(&arena, slice_str(cases[i].text), &s,
				       &error),
			  "case %zu: %s", i, error.text);
		cr_expect_str_eq(shape(&s), cases[i].shape, "case %zu", i);
	}
}

Test(script, errors_name_the_place)
{
	static const struct {
		const char *text;
		unsigned line, column;
	} cases[] = {
		{ "\"abc", 1, 1 },
		{ "a\nb \"c\\q\"", 2, 3 },
		{ "a \"\\x4\"", 1, 3 },
		{ "a; b;\n\n  \"\\", 3, 3 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct script_error error = { 0 };
		struct script s;

		cr_assert_not(script_parse(&arena, slice_str(cases[i].text), &s,
					   &error),
			      "case %zu", i);
		cr_expect_eq(error.line, cases[i].line, "case %zu: line %u", i,
			     error.line);
		cr_expect_eq(error.column, cases[i].column,
			     "case %zu: column %u", i, error.column);
		cr_expect_gt(strlen(error.text), 0);
	}
}

Test(script, words_know_where_they_stand)
{
	struct script_error error;
	struct script s;

	cr_assert(
		script_parse(&arena, SLICE_LIT("a bb\n  c \"d\""), &s, &error));
	cr_expect_eq(s.statements[0].words[1].column, 3);
	cr_expect_eq(s.statements[1].words[0].line, 2);
	cr_expect_eq(s.statements[1].words[0].column, 3);
	cr_expect(s.statements[1].words[1].is_quoted);
	cr_expect_not(script_is(&s.statements[1].words[1], "d"));
	cr_expect(script_is(&s.statements[1].words[0], "c"));
}

Test(script, a_script_larger_than_its_arena_fails)
{
	static char text[200000];
	struct script_error error = { 0 };
	struct arena small;
	struct script s;

	memset(text, 'a', sizeof(text));
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = ' ';
	arena_init(&small, 65536);
	cr_expect_not(
		script_parse(&small, slice_of(text, sizeof(text)), &s, &error));
	cr_expect_str_eq(error.text, "script too long");
	arena_deinit(&small);
}

Test(script, cut_at_every_byte_never_reads_past_the_end)
{
	static const char text[] =
		"at rcpt when rcpt ~ \"a\\x41\\n\" do reply \"550 no\" # x\n"
		"at eom \\\n do \"\\\\\\\"\";;x";
	struct page_end page;
	size_t whole = 0;

	page_end_open(&page, sizeof(text));
	for (size_t n = 0; n < sizeof(text); n++) {
		struct script_error error;
		struct script s;

		if (script_parse(&arena, page_end_put(&page, slice_of(text, n)),
				 &s, &error))
			whole++;
	}
	page_end_close(&page);
	/* Not within quotes, and not behind the final NUL. */
	cr_expect(whole > 20 && whole < sizeof(text), "%zu", whole);
}

Test(script, times)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t time;
	} cases[] = {
		{ "200ms", true, 200 * CLOCK_MS },
		{ "3s", true, 3 * CLOCK_S },
		{ "3", true, 3 * CLOCK_S },
		{ "2m", true, 120 * CLOCK_S },
		{ "7us", true, 7 },
		{ "0", true, 0 },
		{ "", false, 0 },
		{ "ms", false, 0 },
		{ "3h", false, 0 },
		{ "-1s", false, 0 },
		{ "1.5s", false, 0 },
		{ "99999999999s", false, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t time = 0;

		cr_expect_eq(script_time(slice_str(cases[i].text), &time),
			     cases[i].ok, "%s", cases[i].text);
		cr_expect_eq(time, cases[i].time, "%s", cases[i].text);
	}
}

Test(script, bytes)
{
	struct script_word bare = { .text = SLICE_LIT("00fFa1") };
	struct script_word odd = { .text = SLICE_LIT("00f") };
	struct script_word bad = { .text = SLICE_LIT("0g") };
	struct script_word text = { .text = SLICE_LIT("00"),
				    .is_quoted = true };
	struct slice bytes;

	cr_assert(script_bytes(&arena, &bare, &bytes));
	cr_expect(slice_equal(bytes, SLICE_LIT("\0\xff\xa1")));
	cr_expect_not(script_bytes(&arena, &odd, &bytes));
	cr_expect_not(script_bytes(&arena, &bad, &bytes));
	cr_assert(script_bytes(&arena, &text, &bytes));
	cr_expect(slice_is(bytes, "00"));
}

Test(script, patterns)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{ "reject@", "<reject@example.org>", true },
		{ "REJECT@", "<reject@example.org>", true },
		{ "reject@", "<inject@example.org>", false },
		{ "", "", true },
		{ "", "x", true },
		{ "x", "", false },
		{ "*", "", true },
		{ "550*", "550 5.1.1 no", true },
		{ "550*", " 550", false },
		{ "a?c", "abc", true },
		{ "a?c", "abbc", false },
		{ "*b*d", "abcd", true },
		{ "*b*d", "abcde", false },
		{ "a*a*a*b", "aaaaaaaaaaaaaaaaaaaaac", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(script_match(slice_str(cases[i].pattern),
					  slice_str(cases[i].text)),
			     cases[i].matches, "%s in %s", cases[i].pattern,
			     cases[i].text);
}

Test(script, what_is_quoted_reads_back)
{
	char all[256];
	struct script_error error;
	struct script s;
	struct buf b;

	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (char)i;
	buf_init(&b, 4096);
	cr_assert(script_quote(&b, slice_of(all, sizeof(all))));
	cr_assert(script_parse(&arena, buf_slice(&b), &s, &error), "%s",
		  error.text);
	cr_assert_eq(s.count, 1);
	cr_assert_eq(s.statements[0].count, 1);
	cr_expect(slice_equal(s.statements[0].words[0].text,
			      slice_of(all, sizeof(all))));
	buf_deinit(&b);
}

Test(script, plain_words_are_printed_bare)
{
	static const struct {
		const char *text, *printed;
	} cases[] = {
		{ "<a@b>", "<a@b>" },	  { "", "\"\"" },
		{ "a b", "\"a b\"" },	  { "a;b", "\"a;b\"" },
		{ "#a", "\"#a\"" },	  { "a#", "a#" },
		{ "a\"b", "\"a\\\"b\"" }, { "\xc3", "\"\\xc3\"" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b;

		buf_init(&b, 4096);
		cr_assert(script_print(&b, slice_str(cases[i].text)));
		cr_expect(slice_is(buf_slice(&b), cases[i].printed), "%s",
			  cases[i].text);
		buf_deinit(&b);
	}
}

Test(script, the_hash_is_fnv_1a)
{
	cr_expect_eq(script_hash(SCRIPT_HASH, SLICE_EMPTY), SCRIPT_HASH);
	cr_expect_eq(script_hash(SCRIPT_HASH, SLICE_LIT("foobar")),
		     UINT64_C(0x85944171f73967e8));
	cr_expect_eq(script_hash(script_hash(SCRIPT_HASH, SLICE_LIT("foo")),
				 SLICE_LIT("bar")),
		     UINT64_C(0x85944171f73967e8));
}
