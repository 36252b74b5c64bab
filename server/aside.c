#include "server/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "server/notify.h"
#include "shared/clock.h"
#include "shared/log.h"

#define READ_AT_ONCE 65536

void aside_init(struct aside *a)
{
	*a = (struct aside){ .fd = -1 };
	buf_init(&a->heard, ASIDE_CEILING);
}

void aside_deinit(struct aside *a)
{
	aside_end(a);
	buf_deinit(&a->heard);
}

/* It is nobody's worker and holds nobody's sockets. */
static void be_alone(const char *name, int fd, pid_t supervisor)
{
	static const int ignored[] = { SIGHUP, SIGUSR1, SIGUSR2 };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != supervisor)
		_exit(1);
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	(void)log_open(LOG_SINK_STDERR, "sekishod", 0, NULL);
	if (fd != ASIDE_FD)
		(void)dup2(fd, ASIDE_FD);
	closefrom(ASIDE_FD + 1);
	notify_forget();
}

static bool make_pipe(int epoll_fd, uint64_t tag, int ends_out[2])
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = tag };
	int reason;

	if (pipe2(ends_out, O_CLOEXEC) != 0)
		return false;
	if (fcntl(ends_out[0], F_SETFL, O_NONBLOCK) == 0 &&
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ends_out[0], &e) == 0)
		return true;
	reason = errno;
	close(ends_out[0]);
	close(ends_out[1]);
	errno = reason;
	return false;
}

enum aside_side aside_begin(struct aside *a, const char *name, int epoll_fd,
			    uint64_t tag, uint64_t may_take)
{
	pid_t supervisor = getpid(), pid;
	int ends[2];

	if (!make_pipe(epoll_fd, tag, ends))
		return ASIDE_FAILED;
	buf_clear(&a->heard);
	pid = fork();
	if (pid == 0) {
		be_alone(name, ends[1], supervisor);
		return ASIDE_CHILD;
	}
	close(ends[1]);
	if (pid < 0) {
		int reason = errno;

		close(ends[0]);
		errno = reason;
		return ASIDE_FAILED;
	}
	a->pid = pid;
	a->fd = ends[0];
	a->deadline = clock_now() + may_take;
	return ASIDE_PARENT;
}

static void close_pipe(struct aside *a)
{
	if (a->fd >= 0)
		close(a->fd); /* leaves the epoll by itself */
	a->fd = -1;
}

bool aside_hear(struct aside *a)
{
	char bytes[READ_AT_ONCE];
	ssize_t n;

	if (a->fd < 0)
		return false;
	n = read(a->fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0 && buf_add(&a->heard, slice_of(bytes, (size_t)n)))
		return false;
	close_pipe(a); /* who says too much is done, too */
	return true;
}

bool aside_reaped(struct aside *a, pid_t pid)
{
	if (!a->pid || pid != a->pid)
		return false;
	a->pid = 0;
	return true;
}

bool aside_is_there(const struct aside *a)
{
	return a->pid || a->fd >= 0;
}

void aside_end(struct aside *a)
{
	if (a->pid)
		(void)kill(a->pid, SIGKILL);
	a->pid = 0;
	close_pipe(a);
}

bool aside_write(struct slice bytes)
{
	while (bytes.len) {
		ssize_t n = write(ASIDE_FD, bytes.data, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = slice_from(bytes, (size_t)n);
	}
	return true;
}

_Noreturn void aside_leave(int code)
{
	_exit(code);
}
