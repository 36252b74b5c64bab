/*
 * clock - now, and how long until then
 *
 * All times inside the program are microseconds of the monotonic clock in a
 * uint64_t; they mean the same in every process of the machine.  Tests may
 * set the clock; it then stands still until set again.  Never fails.
 */
#ifndef SHARED_CLOCK_H
#define SHARED_CLOCK_H

#include <stdint.h>

#define CLOCK_MS    UINT64_C(1000)
#define CLOCK_S	    UINT64_C(1000000)
#define CLOCK_NEVER UINT64_MAX

uint64_t clock_now(void);
/* The earlier of two times; CLOCK_NEVER is later than everything. */
uint64_t clock_earlier(uint64_t a, uint64_t b);
/*
 * From now until `when` as poll() wants it: milliseconds, rounded up, 0 when
 * it has passed, -1 for CLOCK_NEVER.
 */
int clock_poll_ms(uint64_t when);
/* For tests: stand still at this time; 0 lets the clock run again. */
void clock_set(uint64_t now);

#endif
