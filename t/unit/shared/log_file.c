#include "shared/log_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/clock.h"

static char directory[] = "/tmp/sekisho-log.XXXXXX";
static char path[100], other[100], text[20000];
static struct log_file file;

static void begin(void)
{
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
}

static void end(void)
{
	log_file_close(&file);
	unlink(path);
	unlink(other);
	rmdir(directory);
	clock_set(0);
}

TestSuite(log_file, .init = begin, .fini = end, .timeout = 20);

static const char *read_all(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n;

	cr_assert_geq(fd, 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	cr_assert_geq(n, 0);
	text[n] = '\0';
	return text;
}

static void write_lines(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		log_file_write(&file, "sekishod", "a line");
}

Test(log_file, a_line_has_time_and_process)
{
	char want[100];
	struct stat st;

	setenv("TZ", "EAST-5:30", 1);
	tzset();
	cr_assert(log_file_open(&file, path));
	write_lines(1);
	read_all(path);
	snprintf(want, sizeof(want), "+05:30 sekishod[%d]: a line\n",
		 (int)getpid());
	/* 2026-11-28T19:03:48.123456 */
	cr_assert_eq(strlen(text), 26 + strlen(want), "%s", text);
	cr_expect_str_eq(text + 26, want);
	cr_expect_eq(text[10], 'T');
	cr_expect_eq(text[19], '.');
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777u, 0640u);

	setenv("TZ", "WEST3:45", 1);
	tzset();
	write_lines(1);
	cr_expect_not_null(strstr(read_all(path), "-03:45 sekishod["));
}

Test(log_file, opened_anew_after_it_was_renamed)
{
	int before;

	cr_assert(log_file_open(&file, path));
	before = file.fd;
	write_lines(1);
	cr_assert_eq(rename(path, other), 0);
	write_lines(1); /* not told yet: still the old one */
	cr_assert(log_file_reopen(&file));
	cr_expect_eq(file.fd, before);
	write_lines(1);
	cr_expect_eq(strlen(read_all(other)), 2 * strlen(read_all(path)));
}

Test(log_file, no_link_is_followed)
{
	cr_assert_eq(symlink(other, path), 0);
	cr_assert_not(log_file_open(&file, path));
	cr_expect_eq(errno, ELOOP);
	cr_expect_neq(access(other, F_OK), 0);
}

Test(log_file, what_cannot_be_opened_is_tried_again)
{
	clock_set(100 * CLOCK_S);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_not(log_file_open(&file, path));
	cr_expect_eq(errno, EISDIR);
	write_lines(3);
	cr_assert_eq(rmdir(path), 0);
	write_lines(1); /* a second has not passed */
	cr_expect_eq(file.lost, 4);
	clock_set(102 * CLOCK_S);
	write_lines(1);
	cr_expect_eq(file.lost, 0);
	cr_expect_not_null(strstr(read_all(path),
				  "warning: 4 lines of this process were lost: Is a directory\n"));
	cr_expect_not_null(strstr(text, ": a line\n"));
}

/* The old one stays when the new one cannot be had. */
Test(log_file, opening_anew_may_fail)
{
	cr_assert(log_file_open(&file, path));
	cr_assert_eq(rename(path, other), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_not(log_file_reopen(&file));
	cr_expect_eq(errno, EISDIR);
	write_lines(1);
	cr_expect_not_null(strstr(read_all(other), ": a line\n"));
	rmdir(path);
}

Test(log_file, a_full_disk_costs_lines_that_are_counted)
{
	cr_assert(log_file_open(&file, "/dev/full"));
	write_lines(5);
	cr_expect_eq(file.lost, 5);
	cr_expect_eq(file.reason, ENOSPC);
	snprintf(file.path, sizeof(file.path), "%s", path);
	cr_assert(log_file_reopen(&file));
	write_lines(2);
	cr_expect_not_null(strstr(read_all(path),
				  "warning: 5 lines of this process were lost: No space left on device\n"));
	cr_expect_eq(file.lost, 0);
}

/* Space for half a line: what comes later begins a line of its own. */
Test(log_file, a_line_cut_in_the_middle_is_lost_alone)
{
	struct rlimit r;

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &r), 0);
	cr_assert(log_file_open(&file, path));
	r.rlim_cur = 30;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
	write_lines(2);
	cr_expect_eq(file.lost, 2);
	r.rlim_cur = r.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
	write_lines(1);
	read_all(path);
	cr_expect_eq(text[30], '\n');
	cr_expect_not_null(strstr(text, "2 lines of this process were lost"));
	cr_expect_not_null(strstr(text, ": a line\n"));
}

/* One process cuts its line, another finds room again. */
Test(log_file, a_line_cut_by_another_process_is_ended)
{
	struct rlimit r;
	pid_t pid;
	int status;

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert(log_file_open(&file, path));
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		getrlimit(RLIMIT_FSIZE, &r);
		r.rlim_cur = 30;
		setrlimit(RLIMIT_FSIZE, &r);
		write_lines(2);
		_exit(file.lost == 2 ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	write_lines(2);
	read_all(path);
	cr_expect_eq(text[30], '\n');
	cr_expect_neq(text[31], '\n');
	cr_expect_null(strstr(text, "\n\n"), "ended once");
}

Test(log_file, what_was_lost_is_told_in_the_next_file)
{
	cr_assert(log_file_open(&file, "/dev/full"));
	write_lines(3);
	log_file_close(&file);
	cr_assert(log_file_open(&file, path));
	write_lines(1);
	cr_expect_not_null(strstr(read_all(path),
				  "warning: 3 lines of this process were lost: No space left on device\n"));
}
