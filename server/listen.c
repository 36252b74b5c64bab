#include "server/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/priv.h"
#include "shared/log.h"

#define ENDPOINT_TEXT 400

static bool fail(const struct endpoint *e, const char *what)
{
	char text[ENDPOINT_TEXT];
	int reason = errno;

	endpoint_print(e, text, sizeof(text));
	log_error("could not listen on \"%s\": %s: %s", text, what,
		  strerror(reason));
	return false;
}

static bool refuse(const struct endpoint *e, const char *why)
{
	char text[ENDPOINT_TEXT];

	endpoint_print(e, text, sizeof(text));
	log_error("could not listen on \"%s\": %s", text, why);
	return false;
}

static void directory_of(const char *path, char *dir, size_t size)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(dir, size, ".");
	else if (slash == path)
		snprintf(dir, size, "/");
	else
		snprintf(dir, size, "%.*s", (int)(slash - path), path);
}

bool listen_check_directory(const char *path)
{
	char dir[sizeof(((struct endpoint *)0)->path) + 1];
	struct stat st;

	directory_of(path, dir, sizeof(dir));
	if (stat(dir, &st) != 0) {
		log_error("directory \"%s\" of socket \"%s\": %s", dir, path,
			  strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_error("\"%s\" of socket \"%s\" is not a directory", dir,
			  path);
		return false;
	}
	if (!(st.st_mode & (S_IWGRP | S_IWOTH)))
		return true;
	if ((st.st_mode & S_ISVTX) &&
	    (st.st_uid == 0 || st.st_uid == geteuid()))
		return true;
	log_error("directory \"%s\" of socket \"%s\" can be written by %s (mode %04o): whoever may write there could replace the socket; use mode 0755 or stricter",
		  dir, path, st.st_mode & S_IWOTH ? "others" : "its group",
		  st.st_mode & 07777u);
	return false;
}

/* Takes away a socket that a dead process left, and nothing else. */
static bool clear_path(const struct endpoint *e)
{
	struct stat st;
	int fd, r, reason;

	if (lstat(e->path, &st) != 0)
		return errno == ENOENT || fail(e, "lstat");
	if (!S_ISSOCK(st.st_mode))
		return refuse(e, "something that is not a socket is there");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(e, "socket");
	r = connect(fd, &e->addr[0].any, e->addr_len[0]);
	reason = errno;
	close(fd);
	errno = reason;
	/* EAGAIN: its queue is full, so somebody is there. */
	if (r == 0 || reason == EAGAIN || reason == EINPROGRESS)
		return refuse(e, "another process listens there; is sekishod running already?");
	if (reason != ECONNREFUSED)
		return fail(e, "a socket is there that could not be asked");
	if (unlink(e->path) != 0 && errno != ENOENT)
		return fail(e, "could not remove the old socket");
	log_info("removed socket \"%s\" that nobody listened on", e->path);
	return true;
}

static bool give_to_owner(const struct conf_listen *c)
{
	uid_t uid;
	gid_t gid;

	if (!priv_uid_of(c->owner, &uid))
		return refuse(&c->endpoint, "its owner is not a known user");
	if (!priv_gid_of(c->group, &gid))
		return refuse(&c->endpoint, "its group is not a known group");
	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return true;
	if (fchownat(AT_FDCWD, c->endpoint.path, uid, gid,
		     AT_SYMLINK_NOFOLLOW) != 0)
		return fail(&c->endpoint, "could not change owner or group");
	return true;
}

/*
 * The mode comes from the umask at bind: no moment with another one, no
 * chmod that would follow a link.  Nobody can connect before listen().
 */
static bool bind_unix(int fd, const struct conf_listen *c)
{
	const struct endpoint *e = &c->endpoint;
	mode_t mode = c->mode ? c->mode & 0777u : 0600u;
	mode_t before = umask(0777u & ~mode);
	int r = bind(fd, &e->addr[0].any, e->addr_len[0]);
	int reason = errno;

	umask(before);
	errno = reason;
	if (r != 0)
		return fail(e, "bind");
	if (give_to_owner(c))
		return true;
	(void)unlink(e->path);
	return false;
}

static bool bind_inet(int fd, const struct endpoint *e, unsigned i)
{
	static const int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
		return fail(e, "SO_REUSEADDR");
	if (e->addr[i].any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0)
		return fail(e, "IPV6_V6ONLY");
	if (bind(fd, &e->addr[i].any, e->addr_len[i]) == 0)
		return true;
	if (errno == EADDRINUSE)
		return refuse(e, "another process listens there; is sekishod running already?");
	return fail(e, "bind");
}

static bool bind_and_listen(int fd, const struct conf_listen *c, unsigned i)
{
	bool is_unix = c->endpoint.kind == ENDPOINT_UNIX;

	if (is_unix ? !bind_unix(fd, c) : !bind_inet(fd, &c->endpoint, i))
		return false;
	/* The kernel cuts this to somaxconn; more queue is never worse. */
	return listen(fd, SOMAXCONN) == 0 || fail(&c->endpoint, "listen");
}

/* What lies at its path now belongs to the socket just bound. */
static void remember_path(const struct endpoint *e, struct inherited *one)
{
	struct stat st;

	if (e->kind != ENDPOINT_UNIX || lstat(e->path, &st) != 0)
		return;
	one->dev = st.st_dev;
	one->ino = st.st_ino;
}

static void add(struct listen *l, size_t entry, const struct inherited *one)
{
	l->fds[l->count] = one->fd;
	l->entry[l->count] = entry;
	l->foreign[l->count] = one->foreign;
	l->dev[l->count] = one->dev;
	l->ino[l->count] = one->ino;
	l->count++;
}

static bool open_one(const struct conf_listen *c, unsigned i,
		     struct inherited *one_out)
{
	int fd;

	fd = socket(c->endpoint.addr[i].any.sa_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(&c->endpoint, "socket");
	if (!bind_and_listen(fd, c, i)) {
		close(fd);
		return false;
	}
	*one_out = (struct inherited){ .fd = fd };
	remember_path(&c->endpoint, one_out);
	return true;
}

static bool open_entry(struct listen *l, const struct conf_listeners *list,
		       size_t entry, struct inherit *from)
{
	const struct endpoint *e = &list->at[entry].endpoint;
	bool is_clear = e->kind != ENDPOINT_UNIX;

	if (!e->addr_count)
		return refuse(e, "it has no address");
	for (unsigned i = 0; i < e->addr_count; i++) {
		struct inherited one;

		if (!from || !inherit_take(from, &e->addr[i], &one)) {
			is_clear = is_clear ||
				   (listen_check_directory(e->path) &&
				    clear_path(e));
			if (!is_clear || !open_one(&list->at[entry], i, &one))
				return false;
		}
		add(l, entry, &one);
	}
	return true;
}

bool listen_open(struct listen *l, const struct conf_listeners *list,
		 struct inherit *from)
{
	bool ok = true;

	*l = (struct listen){ 0 };
	/* All of them are tried, so that all problems are told at once. */
	for (size_t i = 0; i < list->count; i++)
		ok = open_entry(l, list, i, from) && ok;
	if (!ok && from && from->go_on && l->count)
		return true;
	if (!ok)
		listen_close(l, list);
	return ok;
}

void listen_hand_over(const struct listen *l, struct inherit *to)
{
	for (size_t i = 0; i < l->count && to->count < INHERIT_MAX; i++)
		to->at[to->count++] = (struct inherited){
			.fd = l->fds[i],
			.foreign = l->foreign[i],
			.dev = l->dev[i],
			.ino = l->ino[i],
		};
}

bool listen_has_waiting(const struct listen *l)
{
	struct pollfd p[LISTEN_FDS_MAX];

	for (size_t i = 0; i < l->count; i++)
		p[i] = (struct pollfd){ .fd = l->fds[i], .events = POLLIN };
	if (poll(p, l->count, 0) <= 0)
		return false;
	for (size_t i = 0; i < l->count; i++)
		if (p[i].revents & POLLIN)
			return true;
	return false;
}

static void remove_path(const struct listen *l, size_t i, const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode) ||
	    st.st_dev != l->dev[i] || st.st_ino != l->ino[i])
		return;
	/* Without rights in the directory the next start clears it. */
	if (unlink(path) != 0)
		log_debug("socket \"%s\" stays: %s", path, strerror(errno));
}

void listen_close(struct listen *l, const struct conf_listeners *list)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct endpoint *e = &list->at[l->entry[i]].endpoint;

		if (e->kind == ENDPOINT_UNIX && !l->foreign[i])
			remove_path(l, i, e->path);
		/* Busy workers hold it open too: close alone ends nothing. */
		if (!l->foreign[i])
			(void)shutdown(l->fds[i], SHUT_RDWR);
		close(l->fds[i]);
	}
	l->count = 0;
}
