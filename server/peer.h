/*
 * peer - who is at the other end of a control connection, and what he may
 *
 * What the kernel says of the process that connected; names are looked up
 * when they are needed, so that a change of groups counts for the next
 * request.  Fails by knowing nobody: uid is -1 then, who may change nothing.
 */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "shared/conf.h"

#define PEER_NAME 33
#define PEER_TEXT (PEER_NAME + 48)

struct peer {
	uid_t uid; /* -1: not known, as over inet */
	gid_t gid;
	pid_t pid;
};

struct peer peer_of(int fd);
/* The name of a user; "?" when he has none. */
void peer_name(uid_t uid, char name_out[PEER_NAME]);
/* "uid 0 (root), pid 77" */
void peer_print(const struct peer *p, char text_out[PEER_TEXT]);
/* root, the user we run as, or a member of the group ("" : nobody's). */
bool peer_may_change(const struct peer *p, const char *control_group);

#endif
