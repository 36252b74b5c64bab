/*
 * conf_change - from one generation of settings to the next
 *
 * What cannot change without a restart keeps its value, and what did change
 * is told in words.  Both go by the rows of conf_table.h.  Fails only for
 * want of memory.
 */
#ifndef SHARED_CONF_CHANGE_H
#define SHARED_CONF_CHANGE_H

#include "shared/conf.h"

/*
 * The wanted settings with the running values of all that changes only at a
 * restart, copied into the arena, which must be that of `wanted`.  Keys that
 * were to change go to restart_out, as "key, key".  NULL: no memory.
 */
const struct conf *conf_keep_start(struct arena *arena,
				   const struct conf *wanted,
				   const struct conf *running,
				   struct buf *restart_out);
/*
 * What is different, in one line: "server: spare_min; milter a: removed;
 * milter b: mode, socket"; nothing when nothing is.  False: no room.
 */
bool conf_difference(const struct conf *before, const struct conf *after,
		     struct buf *out);

#endif
