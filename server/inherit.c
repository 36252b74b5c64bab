#include "server/inherit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/log.h"
#include "shared/slice.h"

/* Where the manager's sockets begin: sd_listen_fds(3). */
#define FIRST_FD 3

static bool number_of(const char *name, uint64_t max, uint64_t *number_out)
{
	const char *text = getenv(name);

	return text && slice_to_u64(slice_str(text), max, number_out);
}

/* The shared file is set non-blocking, as listen.h wants it. */
static bool prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	int listens = 0;
	socklen_t len = sizeof(listens);

	return flags >= 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 &&
	       listens && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

bool inherit_add(struct inherit *h, const struct inherited *one)
{
	if (h->count == INHERIT_MAX || !prepare(one->fd))
		return false;
	h->at[h->count++] = *one;
	return true;
}

void inherit_begin(struct inherit *h)
{
	uint64_t pid, n;

	h->go_on = false;
	h->count = 0;
	if (number_of("LISTEN_PID", INT32_MAX, &pid) &&
	    pid == (uint64_t)getpid() &&
	    number_of("LISTEN_FDS", INHERIT_MAX, &n))
		for (uint64_t i = 0; i < n; i++) {
			struct inherited one = { .fd = FIRST_FD + (int)i,
						 .foreign = true };

			if (!inherit_add(h, &one))
				log_warn("descriptor %d of the service manager is no listening socket",
					 one.fd);
		}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

static bool is_same(const union endpoint_addr *a, const union endpoint_addr *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	switch (a->any.sa_family) {
	case AF_UNIX:
		return strncmp(a->un.sun_path, b->un.sun_path,
			       sizeof(a->un.sun_path)) == 0;
	case AF_INET:
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_port == b->in6.sin6_port &&
		       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr,
			      sizeof(a->in6.sin6_addr)) == 0 &&
		       (!a->in6.sin6_scope_id || !b->in6.sin6_scope_id ||
			a->in6.sin6_scope_id == b->in6.sin6_scope_id);
	default:
		return false;
	}
}

static bool address_of(int fd, union endpoint_addr *addr_out)
{
	socklen_t len = sizeof(*addr_out);

	*addr_out = (union endpoint_addr){ 0 };
	return getsockname(fd, &addr_out->any, &len) == 0;
}

bool inherit_take(struct inherit *h, const union endpoint_addr *addr,
		  struct inherited *one_out)
{
	for (size_t i = 0; i < h->count; i++) {
		union endpoint_addr own;

		if (!address_of(h->at[i].fd, &own) || !is_same(&own, addr))
			continue;
		*one_out = h->at[i];
		h->at[i] = h->at[--h->count];
		return true;
	}
	return false;
}

static void describe(int fd, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";
	union endpoint_addr a;

	if (!address_of(fd, &a)) {
		snprintf(text, size, "descriptor %d", fd);
		return;
	}
	if (a.any.sa_family == AF_UNIX) {
		snprintf(text, size, "unix:%.*s", (int)sizeof(a.un.sun_path),
			 a.un.sun_path);
	} else if (a.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a.in6.sin6_addr, host, sizeof(host));
		snprintf(text, size, "inet6:%u@%s",
			 (unsigned)ntohs(a.in6.sin6_port), host);
	} else {
		inet_ntop(AF_INET, &a.in.sin_addr, host, sizeof(host));
		snprintf(text, size, "inet:%u@%s",
			 (unsigned)ntohs(a.in.sin_port), host);
	}
}

void inherit_end(struct inherit *h)
{
	char text[200];

	while (h->count > 0) {
		int fd = h->at[--h->count].fd;

		describe(fd, text, sizeof(text));
		log_warn("socket \"%s\" was handed to us, but the settings do not name it: closed",
			 text);
		close(fd);
	}
}
