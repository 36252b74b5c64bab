/*
 * upgrade - another binary goes on in our place, in the same process
 *
 * The binary that lies where ours lay at the start, perhaps a newer one, is
 * first asked to check the settings (-t), aside; only if its last line is
 * "ok", and its exit code 0, does this process become it.  Sockets, the board, the pid file and the
 * workers are kept: see handover.h for how it learns of them.  Whatever
 * fails up to the exec itself, we go on as before.
 */
#ifndef SERVER_UPGRADE_H
#define SERVER_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/aside.h"
#include "server/handover.h"
#include "server/reload.h"

struct upgrade {
	/* Set by the caller. */
	const char *conf_path;
	bool foreground;
	int epoll_fd;
	uint64_t tag; /* of our pipe in it */
	/*
	 * Says what there is to keep; sockets and workers may point to memory
	 * that lives until the next call.  False: no memory.
	 */
	bool (*collect)(void *owner, struct handover *h, struct buf *texts);
	void *owner;

	/* Ours. */
	char binary[4096];
	struct aside aside;
	bool silent;  /* it has said all */
	bool reaped;
	int status;   /* of the check */
	bool wanted;
	struct reload_wish wish; /* done is NULL: nobody waits */
};

/* The caller has set the upper part.  Remembers where our binary lies. */
void upgrade_init(struct upgrade *u);
void upgrade_deinit(struct upgrade *u);
/* Asks for it; NULL: nobody waits.  An answer of yes comes before the exec. */
void upgrade_begin(struct upgrade *u, const struct reload_wish *wish);
void upgrade_forget(struct upgrade *u, const void *context);
void upgrade_event(struct upgrade *u);
/* A process was reaped.  False: it is none of ours. */
bool upgrade_reaped(struct upgrade *u, pid_t pid, int status);
/* May not return: we have become another program then. */
void upgrade_turn(struct upgrade *u, bool may_begin);
bool upgrade_is_under_way(const struct upgrade *u);
uint64_t upgrade_until(const struct upgrade *u);
void upgrade_refuse(struct upgrade *u, const char *why);

#endif
