#include "shared/clock.h"

#include <criterion/criterion.h>
#include <limits.h>

static void let_it_run(void)
{
	clock_set(0);
}

TestSuite(clock, .fini = let_it_run);

Test(clock, runs_forward)
{
	uint64_t before = clock_now();

	cr_assert_gt(before, 0);
	cr_assert_geq(clock_now(), before);
}

Test(clock, stands_still_for_tests)
{
	clock_set(5 * CLOCK_S);
	cr_assert_eq(clock_now(), 5 * CLOCK_S);
	cr_assert_eq(clock_now(), 5 * CLOCK_S);
	clock_set(0);
	cr_assert_neq(clock_now(), 5 * CLOCK_S);
}

Test(clock, earlier)
{
	cr_assert_eq(clock_earlier(1, 2), 1);
	cr_assert_eq(clock_earlier(2, 1), 1);
	cr_assert_eq(clock_earlier(CLOCK_NEVER, 7), 7);
	cr_assert_eq(clock_earlier(CLOCK_NEVER, CLOCK_NEVER), CLOCK_NEVER);
}

/* Rounded up: a poll that ends a little early would be repeated for nothing. */
Test(clock, poll_milliseconds)
{
	static const struct {
		uint64_t when;
		int want;
	} cases[] = {
		{ 0, 0 },
		{ 10 * CLOCK_S, 0 },
		{ 10 * CLOCK_S + 1, 1 },
		{ 10 * CLOCK_S + CLOCK_MS, 1 },
		{ 10 * CLOCK_S + CLOCK_MS + 1, 2 },
		{ 11 * CLOCK_S, 1000 },
		{ CLOCK_NEVER - 1, INT_MAX },
		{ CLOCK_NEVER, -1 },
	};

	clock_set(10 * CLOCK_S);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(clock_poll_ms(cases[i].when), cases[i].want,
			     "case %zu", i);
}
