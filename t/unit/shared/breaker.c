#include "shared/breaker.h"

#include <criterion/criterion.h>

#include "shared/clock.h"

#define NOW   (1000 * CLOCK_S)
#define PAUSE (10 * CLOCK_S)

static const struct breaker_limits limits = { 5, PAUSE };
static const struct breaker_limits none = { 0, PAUSE };

#define CLOSED(n)     { BREAKER_CLOSED, n, NOW }
#define OPEN(n, at)   { BREAKER_OPEN, n, at }
#define TRIAL(n, at)  { BREAKER_TRIAL, n, at }

enum step { FAIL, SUCCEED, ANSWERED, SILENT, NOTHING };

/* When the lease of NOTHING began. */
#define LEASE (NOW - 1000)

/* State x event: the whole table. */
static const struct {
	const char *name;
	struct breaker before;
	enum step step;
	struct breaker after;
} steps[] = {
	{ "first failure", CLOSED(0), FAIL, CLOSED(4) },
	{ "fourth", CLOSED(12), FAIL, CLOSED(16) },
	{ "fifth opens", CLOSED(16), FAIL, OPEN(20, NOW) },
	{ "one less is not enough", CLOSED(15), FAIL, CLOSED(19) },
	{ "score at its end", CLOSED(65535), FAIL, OPEN(65535, NOW) },
	{ "success at zero", CLOSED(0), SUCCEED, CLOSED(0) },
	{ "success takes one", CLOSED(4), SUCCEED, CLOSED(3) },
	{ "probe of a closed one", CLOSED(4), ANSWERED, CLOSED(4) },
	{ "... that is silent", CLOSED(4), SILENT, CLOSED(4) },
	{ "open: a late failure is no news", OPEN(20, NOW - PAUSE / 2), FAIL,
	  OPEN(20, NOW - PAUSE / 2) },
	{ "open: nor a late success", OPEN(20, NOW - PAUSE / 2), SUCCEED,
	  OPEN(20, NOW - PAUSE / 2) },
	{ "open: the probe answered", OPEN(20, NOW - 1000), ANSWERED,
	  OPEN(20, NOW - PAUSE) },
	{ "open: it did not", OPEN(20, NOW - PAUSE), SILENT, OPEN(20, NOW) },
	{ "trial failed", TRIAL(20, NOW - 1000), FAIL, OPEN(20, NOW) },
	{ "trial went well", TRIAL(20, NOW - 1000), SUCCEED, CLOSED(0) },
	{ "trial: the probe is late", TRIAL(20, NOW - 1000), ANSWERED,
	  TRIAL(20, NOW - 1000) },
	{ "... and silent", TRIAL(20, NOW - 1000), SILENT,
	  TRIAL(20, NOW - 1000) },
	{ "trial without a word", TRIAL(20, LEASE), NOTHING,
	  OPEN(20, NOW - PAUSE) },
	{ "... of another by now", TRIAL(20, NOW), NOTHING, TRIAL(20, NOW) },
	{ "... open by now", OPEN(20, LEASE), NOTHING, OPEN(20, LEASE) },
	{ "... closed by now", CLOSED(0), NOTHING, CLOSED(0) },
};

static uint64_t take_step(uint64_t word, enum step step)
{
	switch (step) {
	case FAIL:
		return breaker_after_failure(word, &limits, NOW);
	case SUCCEED:
		return breaker_after_success(word, NOW);
	case ANSWERED:
	case SILENT:
		return breaker_after_probe(word, &limits, step == ANSWERED,
					   NOW);
	case NOTHING:
		return breaker_after_nothing(word, &limits, LEASE, NOW);
	}
	return 0;
}

Test(breaker, every_state_and_event)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct breaker have = breaker_of(take_step(
			breaker_word(steps[i].before), steps[i].step));
		struct breaker want = steps[i].after;

		cr_expect_eq(have.state, want.state, "%s: %s", steps[i].name,
			     breaker_state_name(have.state));
		cr_expect_eq(have.score, want.score, "%s: score %u",
			     steps[i].name, have.score);
		cr_expect_eq(have.since, want.since, "%s: since %llu",
			     steps[i].name, (unsigned long long)have.since);
	}
}

static const struct {
	const char *name;
	struct breaker before;
	const struct breaker_limits *limits;
	bool may;
	bool takes_lease;
} askers[] = {
	{ "closed", CLOSED(16), &limits, true, false },
	{ "open", OPEN(20, NOW), &limits, false, false },
	{ "almost over", OPEN(20, NOW - PAUSE + 1000), &limits, false, false },
	{ "pause over", OPEN(20, NOW - PAUSE), &limits, true, true },
	{ "trial of another", TRIAL(20, NOW - 1000), &limits, false, false },
	{ "its lease is over", TRIAL(20, NOW - PAUSE), &limits, true, true },
	{ "switched off, open", OPEN(20, NOW), &none, true, false },
	{ "switched off, trial", TRIAL(20, NOW), &none, true, false },
};

Test(breaker, who_may_ask)
{
	for (size_t i = 0; i < sizeof(askers) / sizeof(askers[0]); i++) {
		uint64_t word = breaker_word(askers[i].before), next;
		bool may = breaker_may_ask(word, askers[i].limits, NOW, &next);

		cr_expect_eq(may, askers[i].may, "%s", askers[i].name);
		cr_expect_eq(next != word, askers[i].takes_lease, "%s",
			     askers[i].name);
		if (askers[i].takes_lease) {
			cr_expect_eq(breaker_of(next).state, BREAKER_TRIAL);
			cr_expect_eq(breaker_of(next).since, NOW);
		}
	}
}

Test(breaker, one_failure_in_five_is_too_many)
{
	uint64_t word = 0;
	unsigned n;

	/* Four successes take back what a failure brings; three do not. */
	for (n = 0; n < 1000; n++)
		word = n % 5 ? breaker_after_success(word, NOW) :
			       breaker_after_failure(word, &limits, NOW);
	cr_expect_eq(breaker_of(word).state, BREAKER_CLOSED);
	for (n = 0; n < 1000 && breaker_of(word).state == BREAKER_CLOSED; n++)
		word = n % 4 ? breaker_after_success(word, NOW) :
			       breaker_after_failure(word, &limits, NOW);
	cr_expect_eq(breaker_of(word).state, BREAKER_OPEN);
}

Test(breaker, without_limits_a_failure_forgets_all)
{
	struct breaker open = OPEN(20, NOW);

	cr_expect_eq(breaker_after_failure(breaker_word(open), &none, NOW), 0);
}

Test(breaker, a_pause_longer_than_the_clock)
{
	const struct breaker_limits long_pause = { 5, 2 * NOW };
	struct breaker open = OPEN(20, NOW - 1000);
	struct breaker b = breaker_of(breaker_after_probe(
		breaker_word(open), &long_pause, true, NOW));

	cr_expect_eq(b.state, BREAKER_OPEN);
	cr_expect_leq(b.since, NOW);
}

Test(breaker, any_word_is_something)
{
	cr_expect_eq(breaker_of(0).state, BREAKER_CLOSED);
	cr_expect_eq(breaker_of(0).score, 0);
	/* A fourth state nobody writes. */
	cr_expect_eq(breaker_of(3).state, BREAKER_CLOSED);
	cr_expect_eq(breaker_of(UINT64_MAX).score, 65535);
	cr_expect_str_eq(breaker_state_name(BREAKER_CLOSED), "closed");
	cr_expect_str_eq(breaker_state_name(BREAKER_OPEN), "open");
	cr_expect_str_eq(breaker_state_name(BREAKER_TRIAL), "trial");
}
