/*
 * listen - the sockets on which MTAs, and those who ask, reach us
 *
 * Opened once, as root if we are root, before rights are given up; workers
 * inherit those for MTAs and accept for themselves.  O_NONBLOCK is set once:
 * it belongs to the open file that all processes share.
 * Every function that fails says why in the log, in words.
 */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "server/inherit.h"
#include "shared/conf.h"

#define LISTEN_FDS_MAX (CONF_LISTEN_MAX * ENDPOINT_ADDRS)

struct listen {
	size_t count;
	/* Side by side, as a worker wants them. */
	int fds[LISTEN_FDS_MAX];
	size_t entry[LISTEN_FDS_MAX]; /* index into the list of the settings */
	bool foreign[LISTEN_FDS_MAX]; /* the service manager's; see inherit.h */
	/* What lies at a unix path is ours only while these fit. */
	dev_t dev[LISTEN_FDS_MAX];
	ino_t ino[LISTEN_FDS_MAX];
};

/*
 * Every address of every entry: taken from those inherited (NULL: none are),
 * else opened.  False: at least one could not be opened; all that could are
 * closed and removed again.
 */
bool listen_open(struct listen *l, const struct conf_listeners *list,
		 struct inherit *from);
/* Adds them to what another program shall inherit from us. */
void listen_hand_over(const struct listen *l, struct inherit *to);
/* Does a connection wait in one of the queues?  Never blocks. */
bool listen_has_waiting(const struct listen *l);
/*
 * Nobody connects any more, in whichever process the sockets are still open;
 * closes ours and removes the unix paths that are still ours.  The service
 * manager's are closed only: it goes on listening.
 */
void listen_close(struct listen *l, const struct conf_listeners *list);

/*
 * May a socket live in the directory of this path?  Not where somebody else
 * could replace it: writable by group or others without the sticky bit, or
 * with it but owned by neither root nor us.
 */
bool listen_check_directory(const char *path);

#endif
