/*
 * listen - the sockets on which MTAs reach us
 *
 * Opened once, as root if we are root, before rights are given up; workers
 * inherit them and accept for themselves.  O_NONBLOCK is set once, here: it
 * belongs to the open file that all processes share.
 * Every function that fails says why in the log, in words.
 */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shared/conf.h"

#define LISTEN_FDS_MAX (CONF_LISTEN_MAX * ENDPOINT_ADDRS)

struct listen {
	size_t count;
	/* Side by side, as a worker wants them. */
	int fds[LISTEN_FDS_MAX];
	size_t entry[LISTEN_FDS_MAX]; /* index into the list */
	/* What lies at a unix path is ours only while these fit. */
	dev_t dev[LISTEN_FDS_MAX];
	ino_t ino[LISTEN_FDS_MAX];
};

/*
 * Opens every address of every entry.  False: at least one could not be
 * opened; all that could are closed and removed again.
 */
bool listen_open(struct listen *l, const struct conf_listeners *list);
/* Does a connection wait in one of the queues?  Never blocks. */
bool listen_has_waiting(const struct listen *l);
/*
 * Nobody connects any more, in whichever process the sockets are still open;
 * closes ours and removes the unix paths that are still ours.
 */
void listen_close(struct listen *l, const struct conf_listeners *list);

/*
 * May a socket live in the directory of this path?  Not where somebody else
 * could replace it: writable by group or others without the sticky bit, or
 * with it but owned by neither root nor us.
 */
bool listen_check_directory(const char *path);

#endif
