/*
 * light_milter - a child that lets everything pass and costs next to nothing
 *
 *	light_milter PROCESSES SOCKET-PATH...
 *
 * Without libmilter, whose threads look at every open connection for each
 * command: tens of thousands of connections at once are for this one.  The
 * processes share the listeners; a connection costs a descriptor and eight
 * bytes.  It understands packets cut anywhere and answers "continue" to all
 * that is to be answered.  Says "ready" and runs until a signal ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENERS_MAX 64
#define EVENTS_MAX    64
#define READ_MAX      65536

/* Where in a packet a connection stands. */
struct place {
	uint32_t length; /* of which so much is still to come */
	uint8_t have;	 /* bytes of the length word, 4: all */
};

static int listeners[LISTENERS_MAX];
static unsigned listener_count;
static struct place *places; /* by descriptor */
static uint64_t places_max;

static void die(const char *what)
{
	fprintf(stderr, "light_milter: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Version 6, no actions, all events, each with an answer. */
static bool answer(int fd, uint8_t letter)
{
	static const char options[] = { 0, 0, 0, 13, 'O', 0, 0, 0, 6,
					0, 0, 0, 0,  0,	  0, 0, 0 };
	static const char go_on[] = { 0, 0, 0, 1, 'c' };

	if (letter == 'O')
		return send(fd, options, sizeof(options), MSG_NOSIGNAL) > 0;
	if (letter == 'D' || letter == 'A' || letter == 'K')
		return true;
	return letter != 'Q' &&
	       send(fd, go_on, sizeof(go_on), MSG_NOSIGNAL) > 0;
}

/* False: the connection is over. */
static bool take(int fd, const uint8_t *data, size_t len)
{
	struct place *p = &places[fd];

	for (size_t i = 0; i < len;) {
		if (p->have < 4) {
			p->length = p->length << 8 | data[i++];
			p->have++;
		} else if (p->have == 4) {
			if (!p->length || !answer(fd, data[i]))
				return false;
			p->have = 5;
		} else {
			const size_t n =
				len - i < p->length ? len - i : p->length;

			i += n;
			p->length -= (uint32_t)n;
			if (!p->length)
				p->have = 0;
		}
	}
	return true;
}

static void take_new(int epoll_fd, int listener)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if ((uint64_t)fd >= places_max) {
		close(fd);
		return;
	}
	places[fd] = (struct place){ 0, 0 };
	e.data.fd = fd;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll_ctl");
}

static bool is_listener(int fd)
{
	for (unsigned i = 0; i < listener_count; i++)
		if (listeners[i] == fd)
			return true;
	return false;
}

static void serve(void)
{
	static uint8_t data[READ_MAX];
	struct epoll_event events[EVENTS_MAX];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	places = calloc(places_max, sizeof(places[0]));
	if (epoll_fd < 0 || !places)
		die("start");
	for (unsigned i = 0; i < listener_count; i++) {
		struct epoll_event e = { EPOLLIN | EPOLLEXCLUSIVE,
					 { .fd = listeners[i] } };

		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listeners[i], &e) != 0)
			die("epoll_ctl");
	}
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			const int fd = events[i].data.fd;
			ssize_t len;

			if (is_listener(fd)) {
				take_new(epoll_fd, fd);
				continue;
			}
			len = read(fd, data, sizeof(data));
			if (len <= 0 || !take(fd, data, (size_t)len))
				close(fd);
		}
	}
}

static void listen_on(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	memcpy(addr.sun_path, path, strlen(path));
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(fd, SOMAXCONN) != 0)
		die(path);
	listeners[listener_count++] = fd;
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	long processes = argc > 2 ? strtol(argv[1], NULL, 10) : 0;

	if (processes < 1 || argc - 2 > LISTENERS_MAX) {
		fprintf(stderr, "usage: light_milter PROCESSES SOCKET...\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	places_max = limit.rlim_cur < 1000000 ? limit.rlim_cur : 1000000;
	for (int i = 2; i < argc; i++)
		listen_on(argv[i]);
	for (long i = 0; i < processes; i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve();
		}
	puts("ready");
	fflush(stdout);
	while (wait(NULL) > 0)
		continue;
	return 1; /* none of them ends of itself */
}
