#include "shared/clock.h"

#include <limits.h>
#include <time.h>

static uint64_t standing_still_at;

uint64_t clock_now(void)
{
	struct timespec t;

	if (standing_still_at)
		return standing_still_at;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * CLOCK_S + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int clock_poll_ms(uint64_t when)
{
	uint64_t now, ms;

	if (when == CLOCK_NEVER)
		return -1;
	now = clock_now();
	if (when <= now)
		return 0;
	ms = (when - now + CLOCK_MS - 1) / CLOCK_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

void clock_set(uint64_t now)
{
	standing_still_at = now;
}
