#include "server/peer.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/priv.h"

#define LOOKUP_ROOM 16384

struct peer peer_of(int fd)
{
	struct peer nobody = { .uid = (uid_t)-1, .gid = (gid_t)-1, .pid = 0 };
	struct ucred c;
	socklen_t len = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) != 0 ||
	    len != sizeof(c))
		return nobody;
	return (struct peer){ .uid = c.uid, .gid = c.gid, .pid = c.pid };
}

static bool look_up(uid_t uid, struct passwd *pw, char *room, size_t size)
{
	struct passwd *found = NULL;

	return uid != (uid_t)-1 &&
	       getpwuid_r(uid, pw, room, size, &found) == 0 && found;
}

void peer_name(uid_t uid, char name_out[PEER_NAME])
{
	char room[LOOKUP_ROOM];
	struct passwd pw;

	if (look_up(uid, &pw, room, sizeof(room)))
		snprintf(name_out, PEER_NAME, "%s", pw.pw_name);
	else
		snprintf(name_out, PEER_NAME, "?");
	/* It goes into a line of words. */
	for (char *c = name_out; *c; c++)
		if (*c <= ' ' || *c > '~')
			*c = '?';
}

void peer_print(const struct peer *p, char text_out[PEER_TEXT])
{
	char name[PEER_NAME];

	if (p->uid == (uid_t)-1) {
		snprintf(text_out, PEER_TEXT, "somebody unknown");
		return;
	}
	peer_name(p->uid, name);
	snprintf(text_out, PEER_TEXT, "uid %u (%s), pid %d", (unsigned)p->uid,
		 name, (int)p->pid);
}

static bool is_member(const struct peer *p, gid_t group)
{
	char room[LOOKUP_ROOM];
	gid_t groups[PRIV_GROUPS_MAX];
	int n = PRIV_GROUPS_MAX;
	struct passwd pw;

	if (p->gid == group)
		return true;
	if (!look_up(p->uid, &pw, room, sizeof(room)) ||
	    getgrouplist(pw.pw_name, pw.pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool peer_may_change(const struct peer *p, const char *control_group)
{
	gid_t group;

	if (p->uid == (uid_t)-1)
		return false;
	if (p->uid == 0 || p->uid == geteuid())
		return true;
	return *control_group && priv_gid_of(control_group, &group) &&
	       group != (gid_t)-1 && is_member(p, group);
}
