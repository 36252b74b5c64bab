/*
 * inherit - listening sockets that somebody opened for us
 *
 * Either the service manager (socket activation: LISTEN_FDS and LISTEN_PID
 * in the environment) or the program whose place we took (see upgrade.h).
 * They are known by their addresses, whatever they are called: listen_open()
 * takes those that the settings name.  Nothing here fails: what is no
 * listening socket is closed with a warning.
 */
#ifndef SERVER_INHERIT_H
#define SERVER_INHERIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shared/conf.h"

/* Of `listen`, `status` and `control` together. */
#define INHERIT_MAX (3 * CONF_LISTEN_MAX * ENDPOINT_ADDRS)

struct inherited {
	int fd;
	bool foreign; /* the manager's: never unlinked nor shut down */
	dev_t dev;    /* of the path, when it was opened by a sekishod */
	ino_t ino;
};

struct inherit {
	/* What is missing and cannot be opened is left out: we serve already,
	 * and to end would be worse. */
	bool go_on;
	size_t count;
	struct inherited at[INHERIT_MAX];
};

/*
 * What the service manager opened; takes its words out of the environment.
 * Before anything else opens or closes a descriptor.
 */
void inherit_begin(struct inherit *h);
/* One more.  False: it does not listen, or too many; not taken. */
bool inherit_add(struct inherit *h, const struct inherited *one);
/* Takes out the one that listens on the address.  False: there is none. */
bool inherit_take(struct inherit *h, const union endpoint_addr *addr,
		  struct inherited *one_out);
/* Nobody wants them: closed, with a warning for each. */
void inherit_end(struct inherit *h);

#endif
