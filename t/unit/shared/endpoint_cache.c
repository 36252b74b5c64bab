#include "shared/endpoint_cache.h"

#include <criterion/criterion.h>

static struct endpoint parsed(const char *text)
{
	struct endpoint e;
	const char *why;

	cr_assert(endpoint_parse(slice_str(text), &e, &why), "%s", text);
	return e;
}

Test(endpoint_cache, knows_what_was_looked_up_and_nothing_else)
{
	struct endpoint_known known[] = {
		{ parsed("inet:9@a.example"), false },
		{ parsed("inet:9@a.example"), true },
	};
	struct endpoint_cache cache = { known, 2 };
	static const struct {
		const char *text;
		bool passive, ok;
		unsigned addr_count;
	} cases[] = {
		{ "inet:9@a.example", false, true, 1 },
		{ "inet:9@a.example", true, true, 2 },
		{ "inet:8@a.example", false, false, 0 },
		{ "inet6:9@a.example", false, false, 0 },
		{ "inet:9@b.example", false, false, 0 },
		{ "unix:/s", false, true, 1 },
	};

	known[0].endpoint.addr_count = 1;
	known[1].endpoint.addr_count = 2;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct endpoint e = parsed(cases[i].text);
		const char *why = NULL;

		cr_expect_eq(endpoint_recall(&cache, &e, cases[i].passive,
					     &why),
			     cases[i].ok, "%zu", i);
		cr_expect_eq(e.addr_count, cases[i].addr_count, "%zu", i);
		cr_expect_eq(why == NULL, cases[i].ok, "%zu", i);
	}
}
