#include "server/background.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t/unit/support/expect_log.h"

static char dir[64], path[128];

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/sekisho-pid.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pid", dir);
	expect_log_begin();
}

static void end(void)
{
	expect_log_end();
	unlink(path);
	rmdir(dir);
}

static int pid_in_file(void)
{
	FILE *f = fopen(path, "r");
	int pid = -1;

	if (f) {
		if (fscanf(f, "%d", &pid) != 1)
			pid = -1;
		fclose(f);
	}
	return pid;
}

Test(pid_file, is_written_and_removed, .init = begin, .fini = end)
{
	struct stat st;
	int fd = pid_file_open(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0644);
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	pid_file_close(path, fd);
	cr_assert_eq(access(path, F_OK), -1);
	pid_file_close(path, -1);
}

Test(pid_file, an_old_one_is_written_over, .init = begin, .fini = end)
{
	FILE *f = fopen(path, "w");
	int fd;

	fputs("12345678 and more\n", f);
	fclose(f);
	fd = pid_file_open(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pid_in_file(), getpid());
	pid_file_close(path, fd);
}

/* Its locks are of the kind that forks do not share: so ask from a fork. */
static bool can_child_open(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		log_capture(NULL);
		dup2(open("/dev/null", O_WRONLY), 2);
		_exit(pid_file_open(path) >= 0 ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status) == 0;
}

Test(pid_file, a_live_owner_keeps_it, .init = begin, .fini = end)
{
	int fd = pid_file_open(path);

	cr_assert_geq(fd, 0);
	cr_assert_not(can_child_open());
	cr_assert_eq(pid_in_file(), getpid());
	pid_file_close(path, fd);
	cr_assert(can_child_open());
}

Test(pid_file, takes_nothing_but_a_plain_file, .init = begin, .fini = end)
{
	char other[128];

	snprintf(other, sizeof(other), "%s/other", dir);
	cr_assert_eq(symlink(other, path), 0);
	expect_log(LOG_LEVEL_ERROR, "Too many levels of symbolic links");
	cr_assert_eq(pid_file_open(path), -1);
	cr_assert_eq(access(other, F_OK), -1);
	unlink(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	expect_log(LOG_LEVEL_ERROR, "is not a plain file");
	cr_assert_eq(pid_file_open(path), -1);
	unlink(path);
	/* A second name could be a file of somebody else's. */
	close(open(other, O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(link(other, path), 0);
	expect_log(LOG_LEVEL_ERROR, "is not a plain file");
	cr_assert_eq(pid_file_open(path), -1);
	unlink(other);
	unlink(path);
	expect_log(LOG_LEVEL_ERROR, "No such file or directory");
	cr_assert_eq(pid_file_open("/tmp/nowhere/at/all/pid"), -1);
}
