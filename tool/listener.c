#include "tool/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/io.h"

/* Is somebody there?  A refused connection says that nobody is. */
static bool is_alive(const struct endpoint *e)
{
	int fd;
	enum io_result r = io_connect(&e->addr[0].any, e->addr_len[0], &fd);

	if (fd >= 0)
		close(fd);
	return r != IO_ERROR || (errno != ECONNREFUSED && errno != ENOENT);
}

static int fail(int fd, const char **why_out)
{
	*why_out = strerror(errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool is_socket(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

int listener_open(const struct endpoint *e, mode_t mode, const char **why_out)
{
	static const int one = 1;
	int fd = socket(e->addr[0].any.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail(fd, why_out);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (e->kind == ENDPOINT_UNIX && is_socket(e->path) && !is_alive(e))
		unlink(e->path);
	if (bind(fd, &e->addr[0].any, e->addr_len[0]) != 0)
		return fail(fd, why_out);
	if (e->kind == ENDPOINT_UNIX && mode && chmod(e->path, mode) != 0)
		return fail(fd, why_out);
	if (listen(fd, SOMAXCONN) != 0)
		return fail(fd, why_out);
	return fd;
}

void listener_close(int *fd, const struct endpoint *e)
{
	close(*fd);
	*fd = -1;
	if (e->kind == ENDPOINT_UNIX)
		unlink(e->path);
}
