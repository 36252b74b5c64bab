#include "bench/load_tally.h"

#include <stdio.h>
#include <sys/mman.h>

#include "shared/clock.h"

#define EXACT 64 /* below, each microsecond has a bucket of its own */

static const char *const step_names[LOAD_STEPS] = {
	[LOAD_CONNECT] = "connect", [LOAD_HELO] = "helo",
	[LOAD_MAIL] = "mail",	    [LOAD_RCPT] = "rcpt",
	[LOAD_DATA] = "data",	    [LOAD_CONTENT] = "content",
	[LOAD_MESSAGE] = "message", [LOAD_SESSION] = "session",
};

struct load_tally *load_tally_new(void)
{
	void *p = mmap(NULL, sizeof(struct load_tally), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static unsigned bucket_of(uint64_t us)
{
	unsigned shift;

	if (us < EXACT)
		return (unsigned)us;
	shift = 57 - (unsigned)__builtin_clzll(us); /* us >> shift: 64..127 */
	if (shift * EXACT + (us >> shift) >= LOAD_BUCKETS)
		return LOAD_BUCKETS - 1;
	return shift * EXACT + (unsigned)(us >> shift);
}

/* The middle of a bucket. */
static double bucket_middle(unsigned bucket)
{
	unsigned shift = bucket < 2 * EXACT ? 0 : bucket / EXACT - 1;
	uint64_t width = UINT64_C(1) << shift;

	return (double)((uint64_t)(bucket - shift * EXACT) << shift) +
	       (double)(width - 1) / 2;
}

void load_raise(_Atomic uint64_t *word, uint64_t n)
{
	uint64_t seen = atomic_load(word);

	while (seen < n && !atomic_compare_exchange_weak(word, &seen, n))
		continue;
}

void load_note(struct load_tally *t, enum load_step step, uint64_t begin)
{
	struct load_times *times = &t->steps[step];
	const uint64_t us = clock_now() - begin;

	atomic_fetch_add(&times->count, 1);
	atomic_fetch_add(&times->buckets[bucket_of(us)], 1);
	load_raise(&times->max, us);
}

static double percentile(const struct load_times *times, unsigned percent)
{
	const uint64_t rank = (times->count - 1) * percent / 100;
	uint64_t seen = 0;

	for (unsigned i = 0; i < LOAD_BUCKETS; i++) {
		seen += times->buckets[i];
		if (seen > rank)
			return bucket_middle(i);
	}
	return (double)times->max;
}

static void print_step(const struct load_times *times, const char *name)
{
	if (!times->count)
		return;
	printf(" %s_p50=%.1f %s_p95=%.1f %s_p99=%.1f %s_max=%lu", name,
	       percentile(times, 50), name, percentile(times, 95), name,
	       percentile(times, 99), name, (unsigned long)times->max);
}

void load_tally_print(const struct load_tally *t, double seconds)
{
	printf("messages=%lu refused=%lu failed=%lu held=%lu seconds=%.4f "
	       "rate=%.1f cpu_ns=%lu",
	       (unsigned long)t->passed, (unsigned long)t->refused,
	       (unsigned long)t->failed, (unsigned long)t->held, seconds,
	       seconds > 0 ? (double)t->passed / seconds : 0.0,
	       (unsigned long)t->cpu);
	for (unsigned i = 0; i < LOAD_STEPS; i++)
		print_step(&t->steps[i], step_names[i]);
	putchar('\n');
	fflush(stdout);
}
