#include "server/request.h"

#include <criterion/criterion.h>

Test(request, words)
{
	static const struct {
		const char *line;
		bool ok, json;
		unsigned count;
		const char *last; /* word */
	} cases[] = {
		/* clang-format off */
		{ "status",                    true,  false, 1, "status" },
		{ "  off \t spam  for 15m \r", true,  false, 4, "15m" },
		{ "json",                      true,  true,  0, "" },
		{ "json milter a",             true,  true,  2, "a" },
		{ "milter json",               true,  false, 2, "json" },
		{ "json json",                 true,  true,  1, "json" },
		{ "1 2 3 4 5 6 7 8",           true,  false, 8, "8" },
		{ "1 2 3 4 5 6 7 8 9",         false, false, 0, "" },
		{ "",                          false, false, 0, "" },
		{ " \r",                       false, false, 0, "" },
		{ "a\rb",                      false, false, 0, "" },
		{ "stat\xc3\xa9",              false, false, 0, "" },
		{ "a\x1b[2J",                  false, false, 0, "" },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = NULL;
		struct request r;
		bool ok = request_parse(slice_str(cases[i].line), &r, &why);

		cr_expect_eq(ok, cases[i].ok, "%s", cases[i].line);
		cr_expect_eq(!ok, why != NULL, "%s", cases[i].line);
		if (!ok)
			continue;
		cr_expect_eq(r.json, cases[i].json, "%s", cases[i].line);
		cr_expect_eq(r.count, cases[i].count, "%s", cases[i].line);
		cr_expect(slice_is(r.count ? request_word(&r, r.count - 1) :
					     SLICE_EMPTY,
				   cases[i].last),
			  "%s", cases[i].line);
		cr_expect_eq(request_word(&r, r.count).len, 0);
	}
}

Test(request, a_long_line_is_refused)
{
	char line[REQUEST_LINE_MAX + 2];
	struct request r;
	const char *why;

	memset(line, 'x', sizeof(line));
	cr_expect(request_parse(slice_of(line, REQUEST_LINE_MAX), &r, &why));
	cr_expect_not(
		request_parse(slice_of(line, REQUEST_LINE_MAX + 1), &r, &why));
}

Test(request, durations)
{
	static const struct {
		const char *line;
		bool ok;
		uint64_t us;
	} cases[] = {
		/* clang-format off */
		{ "off a",           true,  0 },
		{ "off a for 15m",   true,  900000000 },
		{ "off a for 1500ms", true, 1500000 },
		{ "off a for 2",     true,  2000000 },
		{ "off a for 0s",    false, 0 },
		{ "off a for",       false, 0 },
		{ "off a since 15m", false, 0 },
		{ "off a for 15m x", false, 0 },
		{ "off a for -1s",   false, 0 },
		{ "off a for 99999999999999999999d", false, 0 },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request r;
		const char *why;
		uint64_t us;

		cr_assert(request_parse(slice_str(cases[i].line), &r, &why));
		cr_expect_eq(request_duration(&r, 2, "for", &us), cases[i].ok,
			     "%s", cases[i].line);
		if (cases[i].ok)
			cr_expect_eq(us, cases[i].us, "%s", cases[i].line);
	}
}
