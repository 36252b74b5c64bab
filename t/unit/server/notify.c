#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "server/notify.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Whoever started us, listening as a service manager does. */
static int manager(char *path, size_t size)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	snprintf(path, size, "/tmp/sekisho-notify.%d", (int)getpid());
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void expect_word(int fd, const char *want)
{
	char word[128];
	ssize_t n = recv(fd, word, sizeof(word) - 1, 0);

#ifdef HAVE_LIBSYSTEMD
	cr_assert_gt(n, 0, "no \"%s\"", want);
	word[n] = '\0';
	cr_assert_str_eq(word, want);
#else
	cr_assert_lt(n, 0, "built without, yet it spoke instead of \"%s\"",
		     want);
#endif
}

Test(notify, speaks_until_it_forgets)
{
	char path[64], byte;
	int fd = manager(path, sizeof(path));

	notify_ready();
	expect_word(fd, "READY=1");
	notify_status("5 workers");
	expect_word(fd, "STATUS=5 workers");
	notify_stopping();
	expect_word(fd, "STOPPING=1");
	notify_forget();
	cr_assert_null(getenv("NOTIFY_SOCKET"));
	notify_ready();
	cr_assert_lt(recv(fd, &byte, 1, 0), 0);
	close(fd);
	unlink(path);
}
