#include "server/pool.h"

#include <criterion/criterion.h>

#define NOW (100 * CLOCK_S)

/* min 4, max 20, spare 3 to 6, as in all cases below. */
static const struct pool_limits limits = { 4, 20, 3, 6 };

Test(pool, one_look)
{
	static const struct {
		const char *name;
		struct pool_seen seen; /* alive leaving starting idle waiting */
		unsigned step;
		unsigned add;
		bool again;
		unsigned next_step;
	} cases[] = {
		/* clang-format off */
		{ "nobody yet",                    { 0, 0, 0, 0, false },   0, 1, true,  2 },
		{ "nobody yet, third look",        { 3, 0, 3, 0, false },   4, 1, false, 8 },
		{ "all is well",                   { 8, 0, 0, 4, false },   1, 0, false, 0 },
		{ "well after growing",            { 8, 0, 0, 4, false },  16, 0, false, 0 },
		{ "exactly spare_min",             { 8, 0, 0, 3, false },   1, 0, false, 0 },
		{ "one spare missing",             { 8, 0, 0, 2, false },   0, 1, false, 2 },
		{ "two missing, first look",       { 8, 0, 0, 1, false },   0, 1, true,  2 },
		{ "two missing, second look",      { 8, 0, 0, 1, false },   2, 2, false, 4 },
		{ "starting ones count",           { 8, 0, 2, 1, false },   4, 0, false, 0 },
		{ "leaving ones do not stay",      { 8, 5, 0, 3, false },   1, 1, false, 2 },
		{ "all leave",                     { 8, 8, 0, 0, false },   4, 4, false, 8 },
		{ "room for one",                  { 19, 0, 0, 0, false },  8, 1, false, 16 },
		{ "no room",                       { 20, 0, 0, 0, false },  8, 0, false, 16 },
		{ "no room, connections wait",     { 20, 0, 0, 0, true },   8, 0, false, 16 },
		{ "leaving ones take room",        { 20, 9, 0, 2, false },  8, 0, false, 16 },
		{ "connections wait, first look",  { 8, 0, 0, 0, true },    0, 1, true,  2 },
		{ "connections wait, fourth look", { 8, 0, 0, 0, true },    8, 8, true,  16 },
		{ "connections wait, all room",    { 8, 0, 0, 0, true },   16, 12, false, 32 },
		{ "waiting, but one is idle",      { 8, 0, 0, 1, true },    8, 2, false, 16 },
		{ "waiting, but one is starting",  { 8, 0, 1, 0, true },    8, 2, false, 16 },
		{ "the step has an end",           { 8, 0, 0, 0, true },   64, 12, false, 64 },
		{ "more leaving than alive",       { 2, 9, 0, 0, false },   8, 4, false, 16 },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pool_memory m = { .step = cases[i].step };
		struct pool_plan p = pool_look(&limits, &cases[i].seen, &m,
					       NOW);

		cr_expect_eq(p.add, cases[i].add, "%s: add %u", cases[i].name,
			     p.add);
		cr_expect_eq(p.again, cases[i].again, "%s: again",
			     cases[i].name);
		cr_expect_eq(m.step, cases[i].next_step, "%s: step %u",
			     cases[i].name, m.step);
		cr_expect_eq(p.retire, 0, "%s: retire", cases[i].name);
	}
}

Test(pool, surplus_goes_after_a_while)
{
	static const struct {
		const char *name;
		struct pool_seen seen;
		unsigned retire;
	} cases[] = {
		{ "spare_max exactly", { 10, 0, 0, 6, false }, 0 },
		{ "one above", { 10, 0, 0, 7, false }, 1 },
		{ "many above", { 20, 0, 0, 20, false }, 14 },
		{ "not below min", { 8, 3, 0, 8, false }, 1 },
		{ "min is all there is", { 4, 0, 0, 4, false }, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pool_memory m = { 0 };
		struct pool_plan p;

		p = pool_look(&limits, &cases[i].seen, &m, NOW);
		cr_expect_eq(p.retire, 0, "%s: at once", cases[i].name);
		p = pool_look(&limits, &cases[i].seen, &m,
			      NOW + POOL_RICH_TIME - 1);
		cr_expect_eq(p.retire, 0, "%s: too early", cases[i].name);
		p = pool_look(&limits, &cases[i].seen, &m,
			      NOW + POOL_RICH_TIME);
		cr_expect_eq(p.retire, cases[i].retire, "%s: retire %u",
			     cases[i].name, p.retire);
		cr_expect_eq(p.add, 0);
	}
}

Test(pool, patience_begins_anew_after_a_need)
{
	static const struct pool_seen rich = { 10, 0, 0, 9, false };
	static const struct pool_seen well = { 10, 0, 0, 5, false };
	static const struct pool_seen poor = { 10, 0, 0, 0, false };
	const struct pool_seen *between[] = { &well, &poor };

	for (size_t i = 0; i < 2; i++) {
		struct pool_memory m = { 0 };

		pool_look(&limits, &rich, &m, NOW);
		pool_look(&limits, between[i], &m, NOW + 1);
		cr_expect_eq(pool_look(&limits, &rich, &m,
				       NOW + POOL_RICH_TIME)
				     .retire,
			     0);
		cr_expect_eq(pool_look(&limits, &rich, &m,
				       NOW + 2 * POOL_RICH_TIME)
				     .retire,
			     3);
	}
}

/* Whatever is seen, a plan never leaves the limits. */
Test(pool, stays_within_limits_always)
{
	for (unsigned alive = 0; alive <= 20; alive++)
		for (unsigned leaving = 0; leaving <= alive; leaving++)
			for (unsigned idle = 0; idle + leaving <= alive; idle++)
				for (unsigned step = 0; step <= 64;
				     step += 16) {
					struct pool_seen s = { alive, leaving,
							       0, idle,
							       step & 16 };
					struct pool_memory m = { step, 1 };
					struct pool_plan p = pool_look(
						&limits, &s, &m, NOW);

					cr_assert_leq(alive + p.add, 20);
					cr_assert_leq(p.retire, idle);
					cr_assert(!p.add || !p.retire);
					cr_assert(!p.retire ||
						  alive - leaving - p.retire >=
							  4);
				}
}

Test(pool, a_burst_is_met_within_few_looks)
{
	static const struct pool_limits big = { 1, 500, 4, 32 };
	struct pool_memory m = { 0 };
	struct pool_seen s = { .alive = 5, .waiting = true };
	unsigned looks = 0;

	/* Each worker takes one of the waiting and nobody is free. */
	while (s.alive < 500 && looks < 100) {
		s.alive += pool_look(&big, &s, &m, NOW).add;
		looks++;
	}
	cr_assert_eq(s.alive, 500);
	cr_assert_leq(looks, 14, "%u looks", looks);
}

Test(pace, doubles_and_ends)
{
	struct pace p = { 0 };
	uint64_t now = NOW, want = PACE_FIRST;

	cr_assert_not(pace_is_paused(&p, now));
	for (int i = 0; i < 12; i++) {
		cr_assert(pace_trouble(&p, now));
		cr_assert_eq(p.pause, want, "%d", i);
		cr_assert(pace_is_paused(&p, now));
		cr_assert(pace_is_paused(&p, now + want - 1));
		cr_assert_not(pace_is_paused(&p, now + want));
		now += want;
		want = want * 2 < PACE_LONGEST ? want * 2 : PACE_LONGEST;
	}
}

Test(pace, trouble_during_a_pause_changes_nothing)
{
	struct pace p = { 0 };

	cr_assert(pace_trouble(&p, NOW));
	for (unsigned i = 0; i < 500; i++)
		cr_assert_not(pace_trouble(&p, NOW + i));
	cr_assert_eq(p.not_before, NOW + PACE_FIRST);
}

Test(pace, forgets)
{
	struct pace p = { 0 };

	pace_trouble(&p, NOW);
	pace_trouble(&p, NOW + PACE_FIRST);
	cr_assert_eq(p.pause, 2 * PACE_FIRST);
	pace_trouble(&p, p.not_before + PACE_FORGET + 1);
	cr_assert_eq(p.pause, PACE_FIRST);
	cr_assert(pace_well(&p));
	cr_assert_not(pace_is_paused(&p, NOW));
	cr_assert_not(pace_well(&p));
}

Test(pace, few_deaths_are_no_trouble)
{
	struct pace p = { 0 };

	for (int second = 0; second < 5; second++)
		for (int i = 0; i < PACE_DEATHS; i++)
			cr_assert_not(pace_death(
				&p,
				NOW + (uint64_t)second * (PACE_WINDOW + 1),
				false));
}

Test(pace, many_deaths_are)
{
	struct pace p = { 0 };

	for (int i = 0; i < PACE_DEATHS; i++)
		cr_assert_not(pace_death(&p, NOW, false));
	cr_assert(pace_death(&p, NOW, false));
	cr_assert_not(pace_death(&p, NOW, false));
}

Test(pace, an_early_death_is_at_once)
{
	struct pace p = { 0 };

	cr_assert(pace_death(&p, NOW, true));
	cr_assert_eq(p.pause, PACE_FIRST);
}
