#include "server/descriptors.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Also where the kernel, or a container's filter, does not know the call. */
static void close_between(int first, int last)
{
	if (last < first || close_range((unsigned)first, (unsigned)last, 0) == 0)
		return;
	for (int fd = first; fd <= last; fd++)
		close(fd);
}

static int compare_fds(const void *a, const void *b)
{
	int x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

void descriptors_close_all_but(int *keep, size_t n)
{
	int next = 3;

	qsort(keep, n, sizeof(*keep), compare_fds);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < next)
			continue;
		close_between(next, keep[i] - 1);
		next = keep[i] + 1;
	}
	closefrom(next);
}
