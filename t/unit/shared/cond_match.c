#include "shared/cond_match.h"

#include <time.h>
#include <criterion/criterion.h>

static const struct cond_regex *compile(struct arena *arena, const char *text,
					unsigned flags)
{
	struct cond_regex_problem problem;
	const struct cond_regex *r =
		cond_regex_compile(arena, slice_str(text), flags, &problem);

	cr_assert_not_null(r, "%s: %s", text, problem.text);
	return r;
}

Test(cond_match, flags)
{
	static const struct {
		const char *pattern;
		unsigned flags;
		struct slice subject;
		enum tri is;
	} cases[] = {
		{ "b", 0, SLICE_LIT("abc"), TRI_TRUE },
		{ "B", 0, SLICE_LIT("abc"), TRI_FALSE },
		{ "B", REGEX_CASELESS, SLICE_LIT("abc"), TRI_TRUE },
		{ "^b", REGEX_MULTILINE, SLICE_LIT("a\nb"), TRI_TRUE },
		{ "^b", 0, SLICE_LIT("a\nb"), TRI_FALSE },
		{ "a.b", 0, SLICE_LIT("a\nb"), TRI_FALSE },
		{ "a.b", REGEX_DOTALL, SLICE_LIT("a\nb"), TRI_TRUE },
		{ "a b # c", REGEX_EXTENDED, SLICE_LIT("ab"), TRI_TRUE },
		{ "b", REGEX_ANCHORED, SLICE_LIT("ab"), TRI_FALSE },
		{ "a$", 0, SLICE_LIT("a\n"), TRI_TRUE },
		{ "a$", REGEX_DOLLAR_END, SLICE_LIT("a\n"), TRI_FALSE },
		{ "^.$", REGEX_UTF, SLICE_LIT("\xc3\xbc"), TRI_TRUE },
		{ "^.$", 0, SLICE_LIT("\xc3\xbc"), TRI_FALSE },
		{ "\xc3\x9c", REGEX_UTF | REGEX_CASELESS,
		  SLICE_LIT("\xc3\xbc"), TRI_TRUE },
		/* Not UTF-8: that byte matches nothing, the rest does. */
		{ "b", REGEX_UTF, SLICE_LIT("\xff" "b"), TRI_TRUE },
		{ ".b", REGEX_UTF, SLICE_LIT("\xff" "b"), TRI_FALSE },
		{ "a.c", 0, SLICE_LIT("a\0c"), TRI_TRUE },
		{ "", 0, SLICE_LIT(""), TRI_TRUE },
		{ "^$", 0, { NULL, 0 }, TRI_TRUE },
	};
	struct cond_matcher *m = cond_matcher_new();
	struct arena arena;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(cond_match(compile(&arena, cases[i].pattern,
						cases[i].flags),
					m, cases[i].subject),
			     cases[i].is, "case %zu: %s", i, cases[i].pattern);
	cond_matcher_free(&m);
	cr_assert_null(m);
	arena_deinit(&arena);
}

Test(cond_match, groups)
{
	struct cond_matcher *m = cond_matcher_new();
	struct arena arena;

	arena_init(&arena, 1 << 20);
	cr_assert_eq(cond_match(compile(&arena, "(a)(x)?(b+)", 0), m,
				SLICE_LIT("--abb-")),
		     TRI_TRUE);
	cr_assert(slice_is(cond_matcher_group(m, 0), "abb"));
	cr_assert(slice_is(cond_matcher_group(m, 1), "a"));
	cr_assert(slice_is(cond_matcher_group(m, 2), ""));
	cr_assert(slice_is(cond_matcher_group(m, 3), "bb"));
	cr_assert(slice_is(cond_matcher_group(m, 4), ""));
	cr_assert_eq(cond_match(compile(&arena, "(a)", 0), m, SLICE_LIT("b")),
		     TRI_FALSE);
	cr_assert(slice_is(cond_matcher_group(m, 1), ""));
	cr_assert_eq(cond_match(compile(&arena, "(.)(.)(.)(.)(.)(.)(.)(.)(.)"
						"(.)(.)(.)",
					0),
				m, SLICE_LIT("abcdefghijklm")),
		     TRI_TRUE);
	cr_assert(slice_is(cond_matcher_group(m, 9), "i"));
	cr_assert(slice_is(cond_matcher_group(m, 10), ""));
	cond_matcher_free(&m);
	arena_deinit(&arena);
}

Test(cond_match, mistakes)
{
	static const struct {
		const char *pattern;
		size_t offset;
	} cases[] = {
		{ "a(", 2 }, { "[z-a]", 3 }, { "*", 0 }, { "\\C", 2 },
		{ "(*UTF)x", 6 },
	};
	struct cond_regex_problem problem;
	struct arena arena;
	char room[5000];

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_null(cond_regex_compile(&arena,
						  slice_str(cases[i].pattern),
						  0, &problem),
			       "%s", cases[i].pattern);
		cr_expect_eq(problem.offset, cases[i].offset, "%s: %zu %s",
			     cases[i].pattern, problem.offset, problem.text);
		cr_expect(problem.text[0]);
	}
	memset(room, '(', sizeof(room));
	cr_assert_null(cond_regex_compile(
		&arena, slice_of(room, COND_REGEX_MAX), 0, &problem));
	cr_assert_null(cond_regex_compile(
		&arena, slice_of(room, sizeof(room)), 0, &problem));
	arena_deinit(&arena);
}

static uint64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/*
 * A limit is hit, or not, but it ends: a thousand times slower than measured
 * still passes, and a match without limits would take years.
 */
Test(cond_match, hostile_patterns_and_values_end)
{
	static const char *const patterns[] = {
		"^(a+)+$", "^(a|aa)+$", "(a*)*b", "^(?:(a|b)|c)*$",
		"(?:.*){1,30}x", "^(([a-z])+.)+[A-Z]([a-z])+$",
		"(x+x+)+y", "^(a?){60}a{60}$", "(?R)?a+b", "(.+)+\\1x",
	};
	static char value[1 << 20];
	struct cond_matcher *m = cond_matcher_new();
	uint64_t began = cpu_now();
	struct arena arena;

	arena_init(&arena, 1 << 20);
	memset(value, 'a', sizeof(value));
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		const struct cond_regex *r = compile(&arena, patterns[i], 0);

		for (size_t len = 64; len <= sizeof(value); len *= 16)
			cond_match(r, m, slice_of(value, len));
	}
	cr_assert_eq(cond_match(compile(&arena, "^(a+)+$", 0), m,
				SLICE_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")),
		     TRI_UNKNOWN);
	cr_assert(slice_is(cond_matcher_group(m, 0), ""));
	cr_assert_lt(cpu_now() - began, 20u * 1000000u);
	/* And it goes on working. */
	cr_assert_eq(cond_match(compile(&arena, "b$", 0), m, SLICE_LIT("ab")),
		     TRI_TRUE);
	cond_matcher_free(&m);
	arena_deinit(&arena);
}
