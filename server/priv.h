/*
 * priv - who we are: user, groups, giving up rights, the spool's owner
 *
 * Started as root, the supervisor becomes `user` for good before the first
 * worker is forked: nothing after the start needs root.  Not started as root,
 * `user` is ignored.  Functions that fail log why, in words.
 */
#ifndef SERVER_PRIV_H
#define SERVER_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shared/conf.h"

#define PRIV_GROUPS_MAX 256

struct priv {
	bool change; /* we are root and have a user to become */
	uid_t uid;   /* who serves in the end, changed or not */
	gid_t gid;
	const char *user; /* from the settings; "" when none */
	gid_t groups[PRIV_GROUPS_MAX]; /* the user's, only with change */
	int group_count;
};

/* Looks up user and group of the settings.  False: unknown; logged. */
bool priv_find(const struct conf *conf, struct priv *priv_out);
/*
 * Groups, group, user, no_new_privs, and a check that there is no way back
 * (design: order of giving up rights).  False: logged; do not go on.
 */
bool priv_give_up(const struct priv *priv, bool core_dumps);
/* What an administrator should know: staying root, `user` ignored. */
void priv_tell(const struct priv *priv);
/*
 * The spool must be there, be a directory, belong to nobody else's pen:
 * writable by us, not by group or others.  Called after priv_give_up(); with
 * as_user false (settings check) whether we may write is left out.  False:
 * logged.
 */
bool priv_check_spool(const char *path, bool as_user);
/* "owner" and "group" by name or number; "" leaves -1.  False: unknown. */
bool priv_uid_of(const char *name, uid_t *uid_out);
bool priv_gid_of(const char *name, gid_t *gid_out);

#endif
