#include "server/overload.h"

#include <criterion/criterion.h>

#define NOW (100 * CLOCK_S)

Test(overload, one_look)
{
	static const struct {
		const char *name;
		struct overload_seen seen; /* full waiting reserve */
		uint64_t waits;		   /* for so long; 0: not yet */
		bool is_on;
		bool begins, ends, fork;
		bool again;
	} cases[] = {
		/* clang-format off */
		{ "all is well",                { false, false, 0 }, 0,                 false, false, false, false, false },
		{ "busy, nobody waits",         { true,  false, 0 }, 0,                 false, false, false, false, true },
		{ "somebody waits",             { true,  true,  0 }, 0,                 false, false, false, false, true },
		{ "still, but not long enough", { true,  true,  0 }, OVERLOAD_WAIT - 1, false, false, false, false, true },
		{ "long enough",                { true,  true,  0 }, OVERLOAD_WAIT,     false, true,  false, true,  true },
		{ "room for a worker",          { false, true,  0 }, OVERLOAD_WAIT,     false, false, false, false, false },
		{ "in it, one takes all",       { true,  false, 1 }, 0,                 true,  false, false, false, true },
		{ "in it, one is not enough",   { true,  true,  1 }, OVERLOAD_LOOK,     true,  false, false, true,  true },
		{ "... it has just begun",      { true,  true,  1 }, 1,                 true,  false, false, false, true },
		{ "two are all there are",      { true,  true,  2 }, OVERLOAD_WAIT,     true,  false, false, false, true },
		{ "one was killed",             { true,  true,  0 }, OVERLOAD_LOOK,     true,  false, false, true,  true },
		{ "idle ones, but one is left", { false, false, 1 }, 0,                 true,  false, false, false, false },
		{ "over",                       { false, false, 0 }, 0,                 true,  false, true,  false, false },
		{ "busy, but nobody waits",     { true,  false, 0 }, 0,                 true,  false, true,  false, false },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct overload o = {
			.waits_since = cases[i].waits ? NOW - cases[i].waits :
							0,
			.began = cases[i].is_on ? NOW - CLOCK_S : 0,
		};
		struct overload_plan p = overload_plan(&o, &cases[i].seen, NOW);

		cr_expect_eq(p.begins, cases[i].begins, "%s: begins",
			     cases[i].name);
		cr_expect_eq(p.ends, cases[i].ends, "%s: ends", cases[i].name);
		cr_expect_eq(p.fork, cases[i].fork, "%s: fork", cases[i].name);
		cr_expect_eq(p.next_look,
			     cases[i].again ? NOW + OVERLOAD_LOOK : CLOCK_NEVER,
			     "%s: again", cases[i].name);
	}
}

/* Looked at every half second; a break in the waiting begins it anew. */
Test(overload, waits_without_a_break)
{
	static const struct overload_seen waits = { true, true, 0 };
	static const struct overload_seen none = { true, false, 0 };
	struct overload o = { 0 };
	uint64_t now = NOW;

	for (unsigned i = 0; i < 4; i++, now += OVERLOAD_LOOK)
		cr_assert_not(overload_plan(&o, &waits, now).fork, "%u", i);
	cr_assert_not(overload_plan(&o, &none, now).fork);
	for (unsigned i = 0; i < 4; i++, now += OVERLOAD_LOOK)
		cr_assert_not(overload_plan(&o, &waits, now).fork, "%u", i);
	cr_assert(overload_plan(&o, &waits, now).fork);
	/* Just forked: it has its time before another is. */
	o.began = now;
	cr_assert_not(overload_plan(&o, &waits, now + 1).fork);
	cr_assert(overload_plan(&o, &waits, now + OVERLOAD_LOOK).fork);
}
