/*
 * body - the body of one message, or a new one that a child sent
 *
 * Bytes are only ever added at the end and read at any offset, also while
 * more is still arriving.  Up to message_memory they stay in the message's
 * arena, in pieces as they came; then all of them go to a file without a
 * name in the spool directory (O_TMPFILE), which the kernel removes with the
 * last descriptor, whatever happens to us.
 * Fails with BODY_TOO_LARGE (message_max: the sender's fault) or
 * BODY_NO_SPACE (memory, disk or descriptors: ours).  A failure sticks.
 */
#ifndef WORKER_BODY_H
#define WORKER_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/conf.h"

enum body_result { BODY_OK = 0, BODY_TOO_LARGE, BODY_NO_SPACE };

struct body_piece;

struct body {
	struct arena *arena;
	const struct conf *conf;
	struct body_piece *first;
	struct body_piece *last;
	uint64_t len;
	int fd; /* -1: still in memory */
	enum body_result failed;
};

void body_init(struct body *b, struct arena *arena, const struct conf *conf);
/* Closes the spool file; memory goes with the arena. */
void body_deinit(struct body *b);
enum body_result body_add(struct body *b, struct slice bytes);
/*
 * Appends up to max bytes from offset on to out; *added_out says how many (0
 * only at the end).  False: the spool file could not be read, or out has no
 * room; errno tells.
 */
bool body_read(const struct body *b, uint64_t offset, size_t max,
	       struct buf *out, size_t *added_out);

#endif
