/*
 * cpu_time - CPU time so far of other processes, exact
 *
 *	cpu_time PID...
 *
 * Prints the sum in nanoseconds, threads that have ended included: libmilter
 * starts and ends threads all the time, so a sum over those in /proc loses
 * work, and the ticks of /proc/PID/stat are 10 ms each.  Fails when one of
 * the processes is not there.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
	uint64_t sum = 0;

	for (int i = 1; i < argc; i++) {
		struct timespec t;
		clockid_t clock;

		if (clock_getcpuclockid((pid_t)strtol(argv[i], NULL, 10),
					&clock) != 0 ||
		    clock_gettime(clock, &t) != 0) {
			fprintf(stderr, "cpu_time: %s is gone\n", argv[i]);
			return 1;
		}
		sum += (uint64_t)t.tv_sec * UINT64_C(1000000000) +
		       (uint64_t)t.tv_nsec;
	}
	printf("%lu\n", (unsigned long)sum);
	return 0;
}
