#include "server/aside.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"

#define TAG	 7
#define MAY_TAKE (60 * CLOCK_S)

static struct aside a;
static int epoll_fd;

static void begin(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	cr_assert_geq(epoll_fd, 0);
	aside_init(&a);
}

static void end(void)
{
	aside_deinit(&a);
	close(epoll_fd);
}

TestSuite(aside, .init = begin, .fini = end, .timeout = 20);

/* In the child: says "word", and then what the test wants. */
static void start(void (*then)(void))
{
	switch (aside_begin(&a, "aside-test", epoll_fd, TAG, MAY_TAKE)) {
	case ASIDE_CHILD:
		(void)aside_write(SLICE_LIT("word"));
		then();
		aside_leave(0);
	case ASIDE_FAILED:
		cr_assert_fail("could not begin");
	case ASIDE_PARENT:
		break;
	}
}

static void hear_all(void)
{
	struct epoll_event e;

	do {
		cr_assert_eq(epoll_wait(epoll_fd, &e, 1, 10000), 1);
		cr_assert_eq(e.data.u64, TAG);
	} while (!aside_hear(&a));
	cr_expect(slice_is(buf_slice(&a.heard), "word"));
	cr_expect_not(aside_hear(&a), "it is told once");
}

static void leave(void)
{
}

static void hang_silently(void)
{
	close(ASIDE_FD);
	for (;;)
		pause();
}

/* Its child holds the pipe for a while. */
static void die_with_an_heir(void)
{
	if (fork() == 0) {
		alarm(5);
		pause();
	}
}

Test(aside, ends_twice)
{
	pid_t pid;

	cr_expect_not(aside_is_there(&a));
	start(leave);
	pid = a.pid;
	hear_all();
	cr_expect(aside_is_there(&a), "not reaped yet");
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_not(aside_reaped(&a, pid + 1));
	cr_expect(aside_reaped(&a, pid));
	cr_expect_not(aside_is_there(&a));
	cr_expect_not(aside_reaped(&a, 0), "nobody is not ours");
}

Test(aside, may_not_go_on_with_its_output_closed)
{
	pid_t pid;
	int status;

	start(hang_silently);
	pid = a.pid;
	hear_all();
	cr_expect(aside_is_there(&a), "its deadline holds");
	aside_end(&a);
	cr_expect_not(aside_is_there(&a));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status));
	cr_expect_eq(WTERMSIG(status), SIGKILL);
}

Test(aside, who_was_reaped_is_not_killed)
{
	pid_t pid;

	start(die_with_an_heir);
	pid = a.pid;
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect(aside_reaped(&a, pid));
	cr_expect(aside_is_there(&a), "somebody holds the pipe");
	cr_expect_eq(a.pid, 0, "its number may be another's");
	aside_end(&a);
	cr_expect_not(aside_is_there(&a));
}
