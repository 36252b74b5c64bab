#include "shared/histogram.h"

#include <criterion/criterion.h>

Test(histogram, the_first_buckets_are_exact)
{
	for (unsigned us = 0; us < 8; us++) {
		cr_expect_eq(histogram_bucket(us), us);
		cr_expect_eq(histogram_end(us), us + 1);
	}
}

Test(histogram, buckets_follow_without_gaps)
{
	uint64_t begin = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t end = histogram_end(i);

		cr_assert_gt(end, begin);
		cr_expect_eq(histogram_bucket(begin), i);
		cr_expect_eq(histogram_bucket(end - 1), i);
		/* A quarter of a power of two: 25 % of where it begins. */
		if (i >= 8)
			cr_expect_leq((end - begin) * 4, begin);
		begin = end;
	}
	cr_expect_eq(begin, UINT64_C(1) << 28);
}

Test(histogram, what_is_longer_is_in_the_last)
{
	cr_expect_eq(histogram_bucket(UINT64_C(1) << 28),
		     HISTOGRAM_BUCKETS - 1);
	cr_expect_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void note(struct histogram *h, uint64_t us, unsigned times)
{
	h->buckets[histogram_bucket(us)] += times;
	h->count += times;
	h->sum += us * times;
}

Test(histogram, quantiles)
{
	struct histogram h = { 0 };

	cr_expect_eq(histogram_quantile(&h, 0.5), 0);
	note(&h, 3, 1);
	cr_expect_eq(histogram_quantile(&h, 0), 4);
	cr_expect_eq(histogram_quantile(&h, 0.5), 4);
	cr_expect_eq(histogram_quantile(&h, 1), 4);
	note(&h, 1000, 98);
	note(&h, 5000000, 1);
	cr_expect_eq(histogram_quantile(&h, 0.01), 4);
	cr_expect_eq(histogram_quantile(&h, 0.5), 1024);
	cr_expect_eq(histogram_quantile(&h, 0.99), 1024);
	cr_expect_geq(histogram_quantile(&h, 1), 5000000);
	cr_expect_leq(histogram_quantile(&h, 1), 6250000);
}

Test(histogram, sums_and_differences)
{
	struct histogram a = { 0 }, b = { 0 };

	note(&a, 7, 2);
	note(&b, 7, 3);
	note(&b, 90, 1);
	histogram_add(&a, &b);
	cr_expect_eq(a.count, 6);
	cr_expect_eq(a.sum, 5 * 7 + 90);
	cr_expect_eq(a.buckets[7], 5);
	histogram_subtract(&a, &b);
	cr_expect_eq(a.count, 2);
	cr_expect_eq(a.sum, 14);
	cr_expect_eq(a.buckets[7], 2);
	cr_expect_eq(a.buckets[histogram_bucket(90)], 0);
	/* Words are read one after the other: a later one may lag behind. */
	histogram_subtract(&a, &b);
	cr_expect_eq(a.count, 0);
	cr_expect_eq(a.sum, 0);
	cr_expect_eq(a.buckets[7], 0);
}
