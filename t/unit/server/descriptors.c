#include "server/descriptors.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAR 900

/* How many descriptors the table of this process has room for. */
static unsigned table_size(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	unsigned n = 0;

	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f) &&
	       sscanf(line, "FDSize: %u", &n) != 1)
		continue;
	fclose(f);
	return n;
}

/* What a worker does; the exit code says where it stands in the way. */
static int become_small(int own)
{
	int keep[] = { own };

	if (table_size() <= FAR)
		return 1;
	descriptors_close_all_but(keep, 1);
	own = descriptors_lower(own);
	if (own != 3 || fcntl(FAR, F_GETFD) >= 0)
		return 2;
	if (!(fcntl(own, F_GETFD) & FD_CLOEXEC) || write(own, "x", 1) != 1)
		return 3;
	descriptors_shrink_table();
	if (table_size() > 256)
		return 4;
	return write(own, "y", 1) == 1 ? 0 : 5;
}

Test(descriptors, the_table_of_a_child_becomes_as_small_as_it_needs)
{
	char got[3] = "";
	int ends[2], status;
	pid_t pid;

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(dup2(ends[1], FAR), FAR);
	pid = fork();
	if (pid == 0)
		_exit(become_small(FAR));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "%d", WEXITSTATUS(status));
	cr_assert_eq(read(ends[0], got, 2), 2);
	cr_assert_str_eq(got, "xy");
	close(FAR);
}

Test(descriptors, the_lowest_number_stays)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	cr_assert_eq(descriptors_lower(fd), fd);
	close(fd);
}
