#include "server/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/log.h"

/* The first process: one byte means ready, an end without one means not. */
_Noreturn static void wait_for_daemon(int from_daemon, pid_t child, int failed)
{
	char byte;
	ssize_t n;

	do {
		n = read(from_daemon, &byte, 1);
	} while (n < 0 && errno == EINTR);
	(void)waitpid(child, NULL, 0);
	if (n == 1)
		_exit(0);
	log_error("did not start: the reason stands above, or in the log");
	_exit(failed);
}

bool background_begin(int failed, int *tell_out)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		log_error("could not make a pipe: %s", strerror(errno));
		return false;
	}
	child = fork();
	if (child < 0) {
		log_error("could not fork: %s", strerror(errno));
		return false;
	}
	if (child > 0) {
		close(ends[1]);
		wait_for_daemon(ends[0], child, failed);
	}
	close(ends[0]);
	(void)setsid();
	/* Not a session leader any more: no terminal can become ours. */
	child = fork();
	if (child < 0)
		log_error("could not fork: %s", strerror(errno));
	if (child != 0)
		_exit(failed);
	if (chdir("/") != 0)
		log_warn("could not change to /: %s", strerror(errno));
	*tell_out = ends[1];
	return true;
}

void background_ready(int tell)
{
	if (tell < 0)
		return;
	(void)!write(tell, "r", 1);
	close(tell);
}

void background_detach(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i <= 2; i++)
		(void)dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static bool is_locked_by_other(int fd, const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/* A lock of this kind dies with the process; forks do not have it. */
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return false;
	if (errno != EAGAIN && errno != EACCES) {
		log_error("pid_file \"%s\": could not lock: %s", path,
			  strerror(errno));
		return true;
	}
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		log_error("pid_file \"%s\": sekishod is running already, as process %d",
			  path, (int)lock.l_pid);
	else
		log_error("pid_file \"%s\": another process holds it", path);
	return true;
}

static bool write_pid(int fd, const char *path)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (len > 0 && ftruncate(fd, 0) == 0 &&
	    pwrite(fd, text, (size_t)len, 0) == len)
		return true;
	log_error("pid_file \"%s\": could not write: %s", path,
		  strerror(errno));
	return false;
}

/* -1: refused.  0: its owner removed it while we waited, try again. */
static int take_pid_file(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink > 1) {
		log_error("pid_file \"%s\" is not a plain file", path);
		return -1;
	}
	if (is_locked_by_other(fd, path))
		return -1;
	if (fstat(fd, &st) == 0 && st.st_nlink == 0)
		return 0;
	/* Whatever the umask: others read it to send us signals. */
	return fchmod(fd, 0644) == 0 && write_pid(fd, path) ? 1 : -1;
}

int pid_file_open(const char *path)
{
	int fd, taken;

	do {
		fd = open(path,
			  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
				  O_NONBLOCK,
			  0644);
		if (fd < 0) {
			log_error("pid_file \"%s\": %s", path,
				  strerror(errno));
			return -1;
		}
		taken = take_pid_file(fd, path);
		if (taken <= 0)
			close(fd);
	} while (taken == 0);
	return taken > 0 ? fd : -1;
}

void pid_file_close(const char *path, int fd)
{
	if (fd < 0)
		return;
	if (unlink(path) != 0)
		(void)!ftruncate(fd, 0);
	close(fd);
}
