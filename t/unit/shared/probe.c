#include "shared/probe.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "shared/milter.h"

#define TIMEOUT (10 * CLOCK_S)

static char directory[64];
static struct endpoint at;
static int listener;

static void begin(void)
{
	char text[100];
	const char *why;

	snprintf(directory, sizeof(directory), "/tmp/sekisho-probe.XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	snprintf(text, sizeof(text), "unix:%s/s", directory);
	cr_assert(endpoint_parse(slice_str(text), &at, &why));
	cr_assert(endpoint_resolve(&at, false, &why));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, &at.addr[0].any, at.addr_len[0]), 0);
}

static void end(void)
{
	close(listener);
	unlink(at.path);
	rmdir(directory);
}

TestSuite(probe, .init = begin, .fini = end, .timeout = 60);

/*
 * A milter in a process of its own: it answers with these bytes, and ends
 * well if it is told QUIT then.
 */
static pid_t milter_says(const char *bytes, size_t n)
{
	pid_t pid;

	cr_assert_eq(listen(listener, 5), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		int fd = accept(listener, NULL, NULL);
		char heard[64];
		ssize_t got = read(fd, heard, 17);

		if (got != 17 || heard[4] != SMFIC_OPTNEG ||
		    write(fd, bytes, n) != (ssize_t)n)
			_exit(2);
		got = read(fd, heard, sizeof(heard));
		_exit(got == 5 && heard[4] == SMFIC_QUIT ? 0 : 1);
	}
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define SAYS(text) milter_says(text, sizeof(text) - 1)

Test(probe, a_milter_negotiates_and_is_told_quit)
{
	pid_t pid = SAYS("\0\0\0\rO\0\0\0\6\0\0\0\1\0\0\0\2");
	struct probe_result r;

	cr_expect(probe_milter(&at, PROBE_ALL, TIMEOUT, &r));
	cr_expect(r.connected);
	cr_expect(r.negotiated);
	cr_expect_eq(r.version, 6);
	cr_expect_eq(r.actions, 1);
	cr_expect_eq(r.protocol, 2);
	cr_expect_str_empty(r.why);
	cr_expect_eq(status_of(pid), 0);
}

Test(probe, something_else_answers)
{
	pid_t pid = SAYS("\0\0\0\1c");
	struct probe_result r;

	cr_expect_not(probe_milter(&at, 0, TIMEOUT, &r));
	cr_expect(r.connected);
	cr_expect_not(r.negotiated);
	cr_expect_not_null(strstr(r.why, "another answer than OPTNEG"), "%s",
			   r.why);
	cr_expect_eq(status_of(pid), 1);
}

Test(probe, no_milter_at_all)
{
	pid_t pid = SAYS("220 mx.example.org ESMTP\r\n");
	struct probe_result r;

	cr_expect_not(probe_milter(&at, 0, TIMEOUT, &r));
	cr_expect_not_null(strstr(r.why, "SMTP"), "%s", r.why);
	cr_expect_eq(status_of(pid), 1);
}

Test(probe, a_newer_version_than_offered)
{
	pid_t pid = SAYS("\0\0\0\rO\0\0\0\7\0\0\0\1\0\0\0\2");
	struct probe_result r;

	cr_expect_not(probe_milter(&at, 0, TIMEOUT, &r));
	cr_expect_not_null(strstr(r.why, "version"), "%s", r.why);
	(void)status_of(pid);
}

Test(probe, nobody_listens)
{
	struct probe_result r;

	cr_expect_not(probe_milter(&at, PROBE_ALL, TIMEOUT, &r));
	cr_expect_not(r.connected);
	cr_expect_not_null(strstr(r.why, "could not connect: "), "%s", r.why);
}

Test(probe, it_hangs)
{
	uint64_t began = clock_now();
	struct probe_result r;

	cr_assert_eq(listen(listener, 5), 0);
	cr_expect_not(probe_milter(&at, 0, 50 * CLOCK_MS, &r));
	cr_expect_geq(clock_now() - began, 50 * CLOCK_MS);
	cr_expect(r.connected);
	cr_expect_str_eq(r.why, "no answer to the negotiation");
}

Test(probe, no_such_address)
{
	struct probe_result r;

	cr_expect_not(probe_milter(&at, 3, TIMEOUT, &r));
	cr_expect_str_eq(r.why, "no address");
}
