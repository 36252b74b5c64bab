/*
 * ctl_find - where the server may be asked: its sockets, out of the settings
 *
 * Reads only `listen`, `status` and `control` of [server].  What is wrong elsewhere in
 * the file does not matter; when the file can't be read at all, the sockets
 * are those of the sample.  Everything is taken from the arena.
 */
#ifndef TOOL_CTL_FIND_H
#define TOOL_CTL_FIND_H

#include "shared/conf.h"

struct ctl_find {
	struct conf_listeners listen;
	struct conf_listeners status;
	struct conf_listeners control;
	const char *unread; /* why the file could not be read; NULL: it was */
};

/* False: no memory. */
bool ctl_find(struct arena *arena, const char *path, struct ctl_find *found_out)
	__attribute__((warn_unused_result));

#endif
