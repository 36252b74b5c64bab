#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tool/ctl_online.h"

#define GROUPS_MAX 256

/* Whose rights are looked at. */
struct person {
	const char *name;
	uid_t uid;
	gid_t groups[GROUPS_MAX];
	int group_count;
};

static bool find_person(const char *name, struct person *p)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw)
		return false;
	*p = (struct person){ .name = name,
			      .uid = pw->pw_uid,
			      .group_count = GROUPS_MAX };
	if (getgrouplist(name, pw->pw_gid, p->groups, &p->group_count) < 0)
		p->group_count = GROUPS_MAX;
	return true;
}

/* By mode, owner and group; lists of access rights are not looked at. */
static bool may(const struct person *p, const struct stat *st, mode_t bit)
{
	if (p->uid == 0)
		return true;
	if (p->uid == st->st_uid)
		return st->st_mode & bit << 6;
	for (int i = 0; i < p->group_count; i++)
		if (p->groups[i] == st->st_gid)
			return st->st_mode & bit << 3;
	return st->st_mode & bit;
}

static void owner_of(const struct stat *st, char *text, size_t size)
{
	const struct passwd *pw = getpwuid(st->st_uid);
	char user[40], group[40];
	const struct group *gr;

	snprintf(user, sizeof(user), "%u", (unsigned)st->st_uid);
	if (pw)
		snprintf(user, sizeof(user), "%.39s", pw->pw_name);
	gr = getgrgid(st->st_gid);
	snprintf(group, sizeof(group), "%u", (unsigned)st->st_gid);
	if (gr)
		snprintf(group, sizeof(group), "%.39s", gr->gr_name);
	snprintf(text, size, "mode %04o, %s:%s", (unsigned)st->st_mode & 07777u,
		 user, group);
}

/* The folder that p may not pass, into `at`; its stat into st. */
static bool passes(const struct person *p, const char *path, char *at,
		   size_t size, struct stat *st)
{
	const char *slash = path;

	while ((slash = strchr(slash, '/'))) {
		size_t len = slash == path ? 1 : (size_t)(slash - path);

		snprintf(at, size, "%.*s", (int)len, path);
		if (stat(at, st) != 0)
			return false;
		errno = EACCES;
		if (!may(p, st, 1))
			return false;
		slash++;
	}
	return true;
}

/* What the server will make of it, when it is not there yet. */
static bool will_be(const struct conf_listen *l, struct stat *st_out)
{
	const struct passwd *pw = getpwnam(l->owner);
	const struct group *gr = getgrnam(l->group);

	*st_out = (struct stat){ .st_mode = l->mode ? l->mode : 0600 };
	if (pw)
		st_out->st_uid = pw->pw_uid;
	if (gr)
		st_out->st_gid = gr->gr_gid;
	return (pw || !l->owner[0]) && (gr || !l->group[0]);
}

static void check_socket(struct ctl_online *o, const struct person *p,
			 const struct conf_listen *l)
{
	const char *path = l->endpoint.path, *hint = "";
	struct stat st;
	char text[120];
	bool is_there = stat(path, &st) == 0;

	if (is_there && !S_ISSOCK(st.st_mode)) {
		ctl_found(o, FOUND_BAD, "listen unix:%s: this is no socket",
			  path);
		return;
	}
	if (!is_there && !will_be(l, &st)) {
		ctl_found(o, FOUND_BAD,
			  "listen unix:%s: no user \"%s\" or no group \"%s\"",
			  path, l->owner, l->group);
		return;
	}
	if (!is_there)
		hint = ", as it will be when the server makes it";
	owner_of(&st, text, sizeof(text));
	if (may(p, &st, 2))
		ctl_found(o, FOUND_OK,
			  "listen unix:%s: user %s may connect (%s%s)", path,
			  p->name, text, hint);
	else
		ctl_found(o, FOUND_BAD,
			  "listen unix:%s: user %s may not connect (%s%s): "
			  "add \"group=%s mode=0660\" behind the address",
			  path, p->name, text, hint, p->name);
}

static void check_listener(struct ctl_online *o, const struct person *p,
			   const struct conf_listen *l)
{
	char at[PATH_MAX], text[120];
	struct stat st;

	if (passes(p, l->endpoint.path, at, sizeof(at), &st)) {
		check_socket(o, p, l);
		return;
	}
	if (errno != EACCES) {
		ctl_found(o, FOUND_BAD, "listen unix:%s: folder %s: %s",
			  l->endpoint.path, at, strerror(errno));
		return;
	}
	owner_of(&st, text, sizeof(text));
	ctl_found(o, FOUND_BAD,
		  "listen unix:%s: user %s may not pass folder %s (%s)",
		  l->endpoint.path, p->name, at, text);
}

void ctl_online_rights(struct ctl_online *o)
{
	const struct conf_listeners *list = &o->conf->listen;
	struct person p;
	bool is_known = find_person("postfix", &p);

	for (size_t i = 0; i < list->count; i++) {
		if (list->at[i].endpoint.kind != ENDPOINT_UNIX)
			continue;
		if (is_known)
			check_listener(o, &p, &list->at[i]);
		else
			ctl_found(o, FOUND_NOTE,
				  "listen unix:%s: there is no user postfix "
				  "here whose rights could be looked at",
				  list->at[i].endpoint.path);
	}
}
