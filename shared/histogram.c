#include "shared/histogram.h"

/* Up to here a bucket is one microsecond wide. */
#define EXACT 8

unsigned histogram_bucket(uint64_t us)
{
	unsigned log, bucket;

	if (us < EXACT)
		return (unsigned)us;
	log = 63u - (unsigned)__builtin_clzll(us);
	bucket = (log - 1) * 4 + (unsigned)(us >> (log - 2) & 3);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_end(unsigned bucket)
{
	unsigned log = bucket / 4 + 1;

	if (bucket < EXACT)
		return bucket + 1;
	return (UINT64_C(5) + bucket % 4) << (log - 2);
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
	double wanted = share * (double)h->count;
	uint64_t seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen && (double)seen >= wanted)
			return histogram_end(i);
	}
	return 0;
}

void histogram_add(struct histogram *to, const struct histogram *from)
{
	to->sum += from->sum;
	to->count += from->count;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void histogram_subtract(struct histogram *to, const struct histogram *from)
{
	to->sum = less(to->sum, from->sum);
	to->count = less(to->count, from->count);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->buckets[i] = less(to->buckets[i], from->buckets[i]);
}
