#include "server/past.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/clock.h"

#define MINUTE (60 * CLOCK_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* One text for each minute of so many: its number. */
static void keep_minutes(struct past *p, unsigned from, unsigned end)
{
	for (unsigned i = from; i < end; i++) {
		char text[16];

		cr_assert_eq(past_until(p), i ? i * MINUTE : 0);
		snprintf(text, sizeof(text), "%u", i);
		cr_assert(past_keep(p, slice_str(text), i * MINUTE));
	}
}

static int found(const struct past *p, uint64_t age, uint64_t now)
{
	struct slice text;
	uint64_t n;

	if (!past_find(p, age, now, &text) ||
	    !slice_to_u64(text, 1000000, &n))
		return -1;
	return (int)n;
}

Test(past, the_youngest_that_is_old_enough)
{
	struct past *p = past_new();

	cr_assert(p);
	cr_expect_eq(found(p, 0, 0), -1);
	keep_minutes(p, 0, 11);
	cr_expect_eq(found(p, 1, 10 * MINUTE + 1), 10);
	cr_expect_eq(found(p, 5 * MINUTE, 10 * MINUTE), 5);
	cr_expect_eq(found(p, 5 * MINUTE + 1, 10 * MINUTE), 4);
	cr_expect_eq(found(p, 10 * MINUTE, 10 * MINUTE), 0);
	cr_expect_eq(found(p, 10 * MINUTE + 1, 10 * MINUTE), -1);
	past_free(&p);
	cr_expect_null(p);
}

Test(past, minutes_then_hours_then_days)
{
	struct past *p = past_new();
	unsigned end = 40 * 24 * 60;
	uint64_t now = (uint64_t)(end - 1) * MINUTE;

	cr_assert(p);
	keep_minutes(p, 0, end);
	cr_expect_eq(found(p, 59 * MINUTE, now), (int)end - 60);
	/* Older than the minutes reach: at most an hour too old, ... */
	for (uint64_t age = HOUR; age < 46 * HOUR; age += 7 * MINUTE) {
		int at = found(p, age, now);

		cr_assert_geq(at, 0);
		cr_expect_geq(now - (uint64_t)at * MINUTE, age);
		cr_expect_leq(now - (uint64_t)at * MINUTE, age + HOUR);
	}
	/* ... and then at most a day. */
	for (uint64_t age = 48 * HOUR; age < 28 * DAY; age += HOUR) {
		int at = found(p, age, now);

		cr_assert_geq(at, 0);
		cr_expect_geq(now - (uint64_t)at * MINUTE, age);
		cr_expect_leq(now - (uint64_t)at * MINUTE, age + DAY);
	}
	cr_expect_eq(found(p, 31 * DAY, now), -1);
	past_free(&p);
}

Test(past, too_long_a_text_is_not_kept)
{
	struct past *p = past_new();
	char *text = calloc(1, PAST_TEXT_MAX + 1);
	struct slice got;

	cr_assert(p && text);
	cr_expect_not(past_keep(p, slice_of(text, PAST_TEXT_MAX + 1), 0));
	cr_expect_not(past_find(p, 0, MINUTE, &got));
	cr_expect(past_keep(p, slice_of(text, PAST_TEXT_MAX), MINUTE));
	cr_expect(past_find(p, 0, MINUTE, &got));
	cr_expect_eq(got.len, PAST_TEXT_MAX);
	free(text);
	past_free(&p);
}
