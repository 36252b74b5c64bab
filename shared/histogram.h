/*
 * histogram - how long things took, in buckets that cost one addition
 *
 * Four buckets to a power of two, from 1 microsecond to 268 s: each is at most
 * 25 % wide, and the first eight are exact.  Pure arithmetic on plain copies;
 * the shared words behind them are the board's.  Never fails.
 */
#ifndef SHARED_HISTOGRAM_H
#define SHARED_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 108

/* A plain copy, as readers have it. */
struct histogram {
	uint64_t sum; /* microseconds */
	uint64_t count; /* of all buckets together */
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* The bucket of a time in microseconds; what is longer is in the last one. */
unsigned histogram_bucket(uint64_t us);
/* The first time that does not belong into this bucket any more. */
uint64_t histogram_end(unsigned bucket);
/*
 * The time below which this share (0.5, 0.99) of all lie: the end of its
 * bucket, so at most 25 % too much.  0 when there are none.
 */
uint64_t histogram_quantile(const struct histogram *h, double share);
/* to += from; to -= from (never below zero). */
void histogram_add(struct histogram *to, const struct histogram *from);
void histogram_subtract(struct histogram *to, const struct histogram *from);

#endif
