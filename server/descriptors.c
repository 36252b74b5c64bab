#include "server/descriptors.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)64 * 1024)

/* Also where the kernel, or a container's filter, does not know the call. */
static void close_between(int first, int last)
{
	if (last < first ||
	    close_range((unsigned)first, (unsigned)last, 0) == 0)
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

int descriptors_lower(int fd)
{
	int low = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (low < 0)
		return fd;
	if (low > fd) {
		close(low);
		return fd;
	}
	close(fd);
	return low;
}

static void *share_until(void *told)
{
	pthread_mutex_lock(told);
	pthread_mutex_unlock(told);
	return NULL;
}

/*
 * The kernel copies a table, as small as will do, only for who leaves one that
 * is shared.  So a thread shares ours for that moment, on a stack of our own
 * that does not stay behind.
 */
static void leave_shared_table(void *stack)
{
	pthread_mutex_t told = PTHREAD_MUTEX_INITIALIZER;
	pthread_attr_t attr;
	pthread_t thread;

	if (pthread_attr_init(&attr) != 0)
		return;
	pthread_mutex_lock(&told);
	if (pthread_attr_setstack(&attr, stack, STACK_SIZE) == 0 &&
	    pthread_create(&thread, &attr, share_until, &told) == 0) {
		(void)close_range(~0U, ~0U, CLOSE_RANGE_UNSHARE);
		pthread_mutex_unlock(&told);
		(void)pthread_join(thread, NULL);
	}
	pthread_attr_destroy(&attr);
}

void descriptors_shrink_table(void)
{
	void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		return;
	leave_shared_table(stack);
	munmap(stack, STACK_SIZE);
}
