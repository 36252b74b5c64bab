#include "server/listen.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "t/unit/support/expect_log.h"

static char dir[64];
static struct conf conf;

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/sekisho-listen.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	memset(&conf, 0, sizeof(conf));
	expect_log_begin();
}

static void end(void)
{
	expect_log_end();
	for (size_t i = 0; i < CONF_LISTEN_MAX; i++)
		if (conf.listen.at[i].endpoint.path[0])
			unlink(conf.listen.at[i].endpoint.path);
	rmdir(dir);
}

static struct conf_listen *add_unix(const char *name)
{
	struct conf_listen *l = &conf.listen.at[conf.listen.count++];
	struct endpoint *e = &l->endpoint;

	l->owner = l->group = "";
	e->kind = ENDPOINT_UNIX;
	snprintf(e->path, sizeof(e->path), "%s/%s", dir, name);
	e->addr_count = 1;
	e->addr[0].un.sun_family = AF_UNIX;
	memcpy(e->addr[0].un.sun_path, e->path, sizeof(e->path));
	e->addr_len[0] = sizeof(e->addr[0].un);
	return l;
}

static struct conf_listen *add_inet(uint16_t port)
{
	struct conf_listen *l = &conf.listen.at[conf.listen.count++];
	struct endpoint *e = &l->endpoint;

	l->owner = l->group = "";
	e->kind = ENDPOINT_INET;
	e->port = port;
	snprintf(e->host, sizeof(e->host), "127.0.0.1");
	e->addr_count = 1;
	e->addr[0].in.sin_family = AF_INET;
	e->addr[0].in.sin_port = htons(port);
	e->addr[0].in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	e->addr_len[0] = sizeof(e->addr[0].in);
	return l;
}

static int connect_to(const struct conf_listen *l)
{
	int fd = socket(l->endpoint.addr[0].any.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK, 0);
	int r = connect(fd, &l->endpoint.addr[0].any,
			l->endpoint.addr_len[0]);

	if (r == 0)
		return fd;
	close(fd);
	return -1;
}

Test(listen, opens_non_blocking_with_the_mode_asked_for, .init = begin,
     .fini = end)
{
	static const struct {
		mode_t asked;
		mode_t got;
	} cases[] = { { 0, 0600 }, { 0600, 0600 }, { 0660, 0660 },
		      { 0666, 0666 } };
	struct listen l;
	struct stat st;
	int fd;

	for (size_t i = 0; i < 4; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%zu", i);
		add_unix(name)->mode = cases[i].asked;
	}
	cr_assert(listen_open(&l, &conf.listen, NULL));
	cr_assert_eq(l.count, 4);
	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(l.entry[i], i);
		cr_assert_eq(stat(conf.listen.at[i].endpoint.path, &st), 0);
		cr_assert(S_ISSOCK(st.st_mode));
		cr_expect_eq(st.st_mode & 0777, cases[i].got);
		cr_assert(fcntl(l.fds[i], F_GETFL) & O_NONBLOCK);
		cr_assert(fcntl(l.fds[i], F_GETFD) & FD_CLOEXEC);
	}
	cr_assert_not(listen_has_waiting(&l));
	fd = connect_to(&conf.listen.at[2]);
	cr_assert_geq(fd, 0);
	cr_assert(listen_has_waiting(&l));
	close(fd);
	listen_close(&l, &conf.listen);
	cr_assert_eq(l.count, 0);
	cr_assert_eq(access(conf.listen.at[0].endpoint.path, F_OK), -1);
}

Test(listen, several_addresses_of_one_entry, .init = begin, .fini = end)
{
	struct endpoint *e = &add_inet(0)->endpoint;
	struct listen l;

	add_unix("s");
	e->addr[1] = e->addr[0];
	e->addr[1].in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	e->addr_len[1] = e->addr_len[0];
	e->addr_count = 2;
	cr_assert(listen_open(&l, &conf.listen, NULL));
	cr_assert_eq(l.count, 3);
	cr_assert_eq(l.entry[0], 0);
	cr_assert_eq(l.entry[1], 0);
	cr_assert_eq(l.entry[2], 1);
	listen_close(&l, &conf.listen);
}

Test(listen, a_dead_socket_is_replaced_and_a_live_one_is_not, .init = begin,
     .fini = end)
{
	struct conf_listen *c = add_unix("s");
	struct listen first, second;
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_assert_eq(bind(dead, &c->endpoint.addr[0].any,
			  c->endpoint.addr_len[0]),
		     0);
	cr_assert_eq(listen(dead, 1), 0);
	close(dead);
	cr_assert(listen_open(&first, &conf.listen, NULL));
	expect_log(LOG_LEVEL_ERROR, "another process listens there");
	cr_assert_not(listen_open(&second, &conf.listen, NULL));
	cr_assert_eq(second.count, 0);
	dead = connect_to(c);
	cr_assert_geq(dead, 0, "the first was disturbed");
	close(dead);
	listen_close(&first, &conf.listen);
}

Test(listen, a_live_one_with_a_full_queue_is_alive, .init = begin, .fini = end)
{
	struct conf_listen *c = add_unix("s");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client[8];
	struct listen l;

	cr_assert_eq(bind(fd, &c->endpoint.addr[0].any,
			  c->endpoint.addr_len[0]),
		     0);
	cr_assert_eq(listen(fd, 0), 0);
	for (size_t i = 0; i < 8; i++)
		client[i] = connect_to(c);
	cr_assert_eq(client[7], -1);
	expect_log(LOG_LEVEL_ERROR, "another process listens there");
	cr_assert_not(listen_open(&l, &conf.listen, NULL));
	close(fd);
	for (size_t i = 0; i < 8; i++)
		if (client[i] >= 0)
			close(client[i]);
}

Test(listen, nothing_but_a_socket_is_removed, .init = begin, .fini = end)
{
	struct conf_listen *c = add_unix("s");
	struct listen l;
	int fd = open(c->endpoint.path, O_CREAT | O_WRONLY, 0600);

	cr_assert_geq(fd, 0);
	close(fd);
	expect_log(LOG_LEVEL_ERROR, "something that is not a socket is there");
	cr_assert_not(listen_open(&l, &conf.listen, NULL));
	cr_assert_eq(access(c->endpoint.path, F_OK), 0);
	unlink(c->endpoint.path);
	cr_assert_eq(symlink("/tmp/nowhere", c->endpoint.path), 0);
	expect_log(LOG_LEVEL_ERROR, "something that is not a socket is there");
	cr_assert_not(listen_open(&l, &conf.listen, NULL));
}

Test(listen, one_that_fails_takes_all_back, .init = begin, .fini = end)
{
	struct conf_listen *good = add_unix("good");
	struct listen l;

	add_unix("bad")->owner = "no such user";
	add_unix("worse")->group = "no such group";
	expect_log(LOG_LEVEL_ERROR, "its owner is not a known user");
	expect_log(LOG_LEVEL_ERROR, "its group is not a known group");
	cr_assert_not(listen_open(&l, &conf.listen, NULL));
	cr_assert_eq(access(good->endpoint.path, F_OK), -1);
	cr_assert_eq(access(conf.listen.at[1].endpoint.path, F_OK), -1);
}

Test(listen, a_path_that_is_not_ours_any_more_stays, .init = begin,
     .fini = end)
{
	struct conf_listen *c = add_unix("s");
	struct listen l;
	int other;

	cr_assert(listen_open(&l, &conf.listen, NULL));
	/* Moved, not removed: its inode must not be used again at once. */
	char moved[128];
	snprintf(moved, sizeof(moved), "%s/moved", dir);
	cr_assert_eq(rename(c->endpoint.path, moved), 0);
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(other, &c->endpoint.addr[0].any,
			  c->endpoint.addr_len[0]),
		     0);
	listen_close(&l, &conf.listen);
	cr_assert_eq(access(c->endpoint.path, F_OK), 0);
	close(other);
	unlink(moved);
}

Test(listen, who_may_write_the_directory, .init = begin, .fini = end)
{
	static const struct {
		mode_t mode;
		bool ok;
	} cases[] = {
		{ 0700, true },	 { 0755, true },   { 0775, false },
		{ 0707, false }, { 0777, false },  { 01777, true },
		{ 01770, true }, { 01755, true },  { 02755, true },
		{ 02775, false },
	};
	char path[128];

	snprintf(path, sizeof(path), "%s/s", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(chmod(dir, cases[i].mode), 0);
		if (!cases[i].ok)
			expect_log(LOG_LEVEL_ERROR, "can be written by");
		cr_expect_eq(listen_check_directory(path), cases[i].ok,
			     "mode %o", cases[i].mode);
	}
	chmod(dir, 0700);
	expect_log(LOG_LEVEL_ERROR, "No such file or directory");
	cr_expect_not(listen_check_directory("/tmp/nowhere/at/all/s"));
	cr_expect(listen_check_directory("/s"));
}

Test(listen, shut_down_in_every_process, .init = begin, .fini = end)
{
	struct conf_listen *c = add_unix("s");
	struct listen l;
	int copy;

	cr_assert(listen_open(&l, &conf.listen, NULL));
	copy = dup(l.fds[0]); /* as a worker that is still busy holds it */
	l.ino[0] = 0; /* leave the path, to try it */
	listen_close(&l, &conf.listen);
	cr_assert_eq(connect_to(c), -1);
	close(copy);
}
