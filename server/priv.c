#include "server/priv.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/log.h"
#include "shared/slice.h"

/* Numbers are taken too: a container may have no name for its user. */
static bool is_number(const char *name, uint32_t *number_out)
{
	uint64_t n;

	if (!slice_to_u64(slice_str(name), UINT32_MAX - 1, &n))
		return false;
	*number_out = (uint32_t)n;
	return true;
}

bool priv_uid_of(const char *name, uid_t *uid_out)
{
	const struct passwd *pw;

	*uid_out = (uid_t)-1;
	if (!*name || is_number(name, uid_out))
		return true;
	pw = getpwnam(name);
	if (!pw)
		return false;
	*uid_out = pw->pw_uid;
	return true;
}

bool priv_gid_of(const char *name, gid_t *gid_out)
{
	const struct group *gr;

	*gid_out = (gid_t)-1;
	if (!*name || is_number(name, gid_out))
		return true;
	gr = getgrnam(name);
	if (!gr)
		return false;
	*gid_out = gr->gr_gid;
	return true;
}

/* The user's own groups: children's sockets are often reached by group. */
static bool find_groups(struct priv *p, const char *name)
{
	p->group_count = PRIV_GROUPS_MAX;
	if (getgrouplist(name, p->gid, p->groups, &p->group_count) >= 0)
		return true;
	log_error("user \"%s\" is in more than %d groups", name,
		  PRIV_GROUPS_MAX);
	return false;
}

static bool find_user(const struct conf *conf, struct priv *p)
{
	const struct passwd *pw = getpwnam(conf->user);

	if (!pw) {
		log_error("user \"%s\" is not known on this machine: create it, or change user in the settings",
			  conf->user);
		return false;
	}
	p->change = true;
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	if (*conf->group && !priv_gid_of(conf->group, &p->gid)) {
		log_error("group \"%s\" is not known on this machine",
			  conf->group);
		return false;
	}
	return find_groups(p, conf->user);
}

bool priv_find(const struct conf *conf, struct priv *priv_out)
{
	*priv_out = (struct priv){ .uid = geteuid(),
				   .gid = getegid(),
				   .user = conf->user };
	if (geteuid() != 0 || !*conf->user)
		return true;
	return find_user(conf, priv_out);
}

static bool refuse(const char *what, const char *user)
{
	log_error("could not become user \"%s\": %s: %s", user, what,
		  strerror(errno));
	return false;
}

/* As far as the hard limit goes, or never again. */
static void limit_core_dumps(bool core_dumps)
{
	struct rlimit core = { 0, 0 };

	if (core_dumps && getrlimit(RLIMIT_CORE, &core) == 0)
		core.rlim_cur = core.rlim_max;
	(void)setrlimit(RLIMIT_CORE, &core);
}

bool priv_give_up(const struct priv *p, bool core_dumps)
{
	limit_core_dumps(core_dumps);
	if (p->change) {
		if (setgroups((size_t)p->group_count, p->groups) != 0)
			return refuse("setgroups", p->user);
		if (setgid(p->gid) != 0)
			return refuse("setgid", p->user);
		if (setuid(p->uid) != 0)
			return refuse("setuid", p->user);
		if (p->uid != 0 && (setuid(0) == 0 || geteuid() != p->uid)) {
			errno = EPERM;
			return refuse("root could be had back", p->user);
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		log_warn("could not set no_new_privs: %s", strerror(errno));
	/* Changing the user forbade dumps; who asks for them gets them. */
	if (core_dumps)
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return true;
}

void priv_tell(const struct priv *p)
{
	const struct passwd *pw;

	if (p->change && p->uid != 0)
		return;
	if (p->uid == 0) {
		log_warn("workers run as root: set user in [server]");
		return;
	}
	pw = *p->user ? getpwnam(p->user) : NULL;
	if (*p->user && (!pw || pw->pw_uid != p->uid))
		log_warn("user \"%s\" is ignored: not started as root", p->user);
}

bool priv_check_spool(const char *path, bool as_user)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		log_error("spool_directory \"%s\": %s; create it with mode 0700 for the user of sekisho",
			  path, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_error("spool_directory \"%s\" is not a directory", path);
		return false;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		log_error("spool_directory \"%s\" can be written by group or others (mode %04o): make it 0700",
			  path, st.st_mode & 07777u);
		return false;
	}
	if (as_user && access(path, W_OK | X_OK) != 0) {
		log_error("spool_directory \"%s\" cannot be written by user id %u: %s; its owner is %u",
			  path, (unsigned)geteuid(), strerror(errno),
			  (unsigned)st.st_uid);
		return false;
	}
	return true;
}
