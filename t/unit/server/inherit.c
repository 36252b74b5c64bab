#include "server/inherit.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/listen.h"
#include "t/unit/support/expect_log.h"

static struct conf_listeners list;
static struct inherit from;
static char path[64];

/* The settings name this path and this port of the loopback. */
static void begin(void)
{
	struct endpoint *u = &list.at[0].endpoint, *i = &list.at[1].endpoint;

	snprintf(path, sizeof(path), "/tmp/sekisho-inherit.%d", (int)getpid());
	unlink(path);
	list.at[0].owner = list.at[0].group = "";
	list.at[1].owner = list.at[1].group = "";
	u->kind = ENDPOINT_UNIX;
	snprintf(u->path, sizeof(u->path), "%s", path);
	u->addr[0].un.sun_family = AF_UNIX;
	memcpy(u->addr[0].un.sun_path, u->path, sizeof(u->path));
	u->addr_len[0] = sizeof(u->addr[0].un);
	i->kind = ENDPOINT_INET;
	i->addr[0].in.sin_family = AF_INET;
	i->addr[0].in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	i->addr_len[0] = sizeof(i->addr[0].in);
	u->addr_count = i->addr_count = 1;
	list.count = 2;
	from.count = 0;
	from.go_on = false;
	expect_log_begin();
}

static void end(void)
{
	expect_log_end();
	unlink(path);
}

static int open_at(struct endpoint *e)
{
	int fd = socket(e->addr[0].any.sa_family, SOCK_STREAM, 0);
	socklen_t len = e->addr_len[0];

	cr_assert_eq(bind(fd, &e->addr[0].any, len), 0);
	cr_assert_eq(listen(fd, 1), 0);
	/* The kernel has chosen the port. */
	if (e->kind == ENDPOINT_INET)
		cr_assert_eq(getsockname(fd, &e->addr[0].any, &len), 0);
	return fd;
}

Test(inherit, known_by_address_whatever_the_order, .init = begin, .fini = end)
{
	int inet = open_at(&list.at[1].endpoint);
	int un = open_at(&list.at[0].endpoint);
	struct listen l;

	cr_assert(inherit_add(&from, &(struct inherited){ .fd = inet }));
	cr_assert(inherit_add(&from, &(struct inherited){ .fd = un,
							  .foreign = true }));
	cr_expect(fcntl(un, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(un, F_GETFD) & FD_CLOEXEC);
	cr_assert(listen_open(&l, &list, &from));
	cr_assert_eq(l.count, 2);
	cr_expect_eq(l.fds[0], un);
	cr_expect_eq(l.fds[1], inet);
	cr_expect(l.foreign[0]);
	cr_expect_not(l.foreign[1]);
	cr_expect_eq(from.count, 0);
	/* The manager's lives on, path and all. */
	un = dup(un);
	listen_close(&l, &list);
	cr_expect_eq(access(path, F_OK), 0);
	inet = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_expect_eq(connect(inet, &list.at[0].endpoint.addr[0].any,
			     list.at[0].endpoint.addr_len[0]),
		     0);
	close(inet);
	close(un);
}

Test(inherit, what_nobody_names_is_closed, .init = begin, .fini = end)
{
	int fd = open_at(&list.at[1].endpoint);

	cr_assert(inherit_add(&from, &(struct inherited){ .fd = fd }));
	expect_log(LOG_LEVEL_WARN, "the settings do not name it");
	inherit_end(&from);
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
}

Test(inherit, what_does_not_listen_is_not_taken, .init = begin, .fini = end)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_expect_not(inherit_add(&from, &(struct inherited){ .fd = fd }));
	cr_expect_not(inherit_add(&from, &(struct inherited){ .fd = 0 }));
	cr_expect_not(inherit_add(&from, &(struct inherited){ .fd = 9999 }));
	close(fd);
}

Test(inherit, the_manager_speaks_to_one_process, .init = begin, .fini = end)
{
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", "1", 1);
	inherit_begin(&from);
	cr_expect_eq(from.count, 0);
	cr_expect_null(getenv("LISTEN_FDS"));
	cr_expect_null(getenv("LISTEN_PID"));
}

Test(inherit, who_serves_already_goes_on_without_the_rest, .init = begin,
     .fini = end)
{
	int fd = open_at(&list.at[1].endpoint);
	struct listen l;

	cr_assert(inherit_add(&from, &(struct inherited){ .fd = fd }));
	list.at[0].owner = "no such user";
	from.go_on = true;
	expect_log(LOG_LEVEL_ERROR, "its owner is not a known user");
	cr_assert(listen_open(&l, &list, &from));
	cr_assert_eq(l.count, 1);
	cr_expect_eq(l.entry[0], 1);
	listen_close(&l, &list);
}
