#include "tool/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"

#define READ_SIZE ((size_t)4096)

/* In the child: never returns. */
static void become(char *const *argv, int out_fd)
{
	int null = open("/dev/null", O_RDWR);

	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	    dup2(null, STDERR_FILENO) >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0)
		execvp(argv[0], argv);
	_exit(127);
}

static bool read_all(int fd, uint64_t deadline, struct buf *out)
{
	enum io_result r;

	do {
		r = io_wait(fd, POLLIN, deadline);
		if (r == IO_OK)
			r = io_read(fd, out, READ_SIZE);
	} while (r == IO_OK || r == IO_AGAIN);
	return r == IO_EOF;
}

bool run(char *const *argv, uint64_t timeout, struct buf *out)
{
	int pipe_fd[2], status = 1;
	bool is_read;
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC) != 0)
		return false;
	pid = fork();
	if (pid == 0)
		become(argv, pipe_fd[1]);
	close(pipe_fd[1]);
	is_read = pid > 0 && read_all(pipe_fd[0], clock_now() + timeout, out);
	close(pipe_fd[0]);
	if (pid < 0)
		return false;
	/* It may have closed its output and live on. */
	if (!is_read)
		kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid && is_read && status == 0;
}
