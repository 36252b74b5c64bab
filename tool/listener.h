/*
 * listener - the one socket a playing child listens on
 *
 * A unix socket left behind by a dead process is taken away first, a live one
 * is not.  Fails by -1 and *why_out, static text or strerror's.
 */
#ifndef TOOL_LISTENER_H
#define TOOL_LISTENER_H

#include <sys/types.h>

#include "shared/endpoint.h"

/* Non-blocking; mode is that of a unix socket, 0 for the umask's. */
int listener_open(const struct endpoint *e, mode_t mode, const char **why_out);
/* Takes the path of a unix socket away again. */
void listener_close(int *fd, const struct endpoint *e);

#endif
