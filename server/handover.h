/*
 * handover - what one supervisor tells the program that takes its place
 *
 * The same process goes on with another binary (see upgrade.h); this text, in
 * a memfd that the environment names, says which descriptors and children it
 * has.  One fact a line; a line that is not known is passed over, so that a
 * newer binary may say more.  Other modules put what they want to keep under
 * a name.  Reading refuses what another process wrote, or nobody.
 */
#ifndef SERVER_HANDOVER_H
#define SERVER_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/inherit.h"
#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/slice.h"

#define HANDOVER_ENV	 "SEKISHO_HANDOVER"
#define HANDOVER_CEILING (64u * 1024 * 1024)

struct handover_worker {
	unsigned slot;
	pid_t pid;
	int fd; /* our end of its pair */
	uint64_t generation;
	unsigned settings;
};

struct handover {
	pid_t pid; /* of who wrote and shall read it */
	unsigned settings;
	int control_fd; /* of the board */
	int numbers_fd;
	int pid_fd; /* of the pid file; -1: none */
	struct inherit sockets;
	struct handover_worker *workers;
	unsigned worker_count;
	/* Read: the whole text, in the arena.  Written: what was put. */
	struct slice text;
};

/* A module's own text, found again by name (a word). */
bool handover_put(struct buf *texts, const char *name, struct slice text);
/* False: nothing was put under that name. */
bool handover_get(const struct handover *h, const char *name,
		  struct slice *text_out);

bool handover_print(const struct handover *h, struct buf *out);
/* False: it is no such text, or not for this process. */
bool handover_parse(struct arena *arena, struct slice text,
		    struct handover *h_out);
/*
 * Reads what the environment names and takes it out of there.  False: nothing
 * was handed over to this process.
 */
bool handover_begin(struct arena *arena, struct handover *h_out);

#endif
