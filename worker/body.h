/*
 * body - the body of one message, or a new one that a child sent
 *
 * Bytes are only ever added at the end and read at any offset, also while
 * more is still arriving; where they lie is the spool's affair.
 * Fails with BODY_TOO_LARGE (message_max: the sender's fault) or
 * BODY_NO_SPACE (memory, disk or descriptors: ours).  A failure sticks.
 */
#ifndef WORKER_BODY_H
#define WORKER_BODY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shared/buf.h"
#include "shared/conf.h"
#include "worker/spool.h"

enum body_result { BODY_OK = 0, BODY_TOO_LARGE, BODY_NO_SPACE };

struct body {
	const struct conf *conf;
	struct spool *kept; /* somebody else's that outlives us, or NULL: own */
	struct spool own;
	uint64_t len;
	enum body_result failed;
};

/*
 * kept: a spool that is empty and stays the caller's, so that the pages of one
 * message serve the next; NULL: the body has one of its own.
 */
void body_init(struct body *b, struct spool *kept, const struct conf *conf);
/* No byte of it may be used any more. */
void body_deinit(struct body *b);
enum body_result body_add(struct body *b, struct slice bytes);
/*
 * Appends max bytes from offset on to out, less only at the end; *added_out
 * says how many.  False: the spool file could not be read, or out has no room
 * (errno tells); some bytes may have been appended.
 */
bool body_read(const struct body *b, uint64_t offset, size_t max,
	       struct buf *out, size_t *added_out);

/*
 * A run of body packets on its way to a child, straight from where the body
 * lies: none of it is copied.  All zero: there is none.  Each packet is as
 * large as it may be, but for the last.
 */
struct body_run {
	struct body *body;
	uint64_t at;  /* offset in the body of the packet at hand */
	uint64_t end; /* offset in the body at which the run ends */
	size_t sent;  /* bytes of the packet at hand that have gone */
};

/* More than a socket takes at once. */
#define BODY_RUN_PACKETS 4
/* Length and letter, and a packet may lie in two places. */
#define BODY_RUN_PIECES (BODY_RUN_PACKETS * 3)

struct body_pieces {
	struct iovec iov[BODY_RUN_PIECES + 1]; /* one is left to the caller */
	unsigned count;
	size_t bytes;
	char heads[BODY_RUN_PACKETS][5];
};

bool body_run_left(const struct body_run *r);
/*
 * Adds to p what goes next, as much as there is place for; the bytes are for
 * the kernel alone.  False: the spool file could not be mapped; errno tells.
 */
bool body_run_pieces(const struct body_run *r, struct body_pieces *p);
/* So many bytes of that have gone. */
void body_run_sent(struct body_run *r, size_t bytes);

#endif
