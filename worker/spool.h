/*
 * spool - where the bytes of a body lie
 *
 * Bytes are only ever added at the end.  Up to message_memory they lie in
 * one piece of memory; when that is full it is written out as a whole to a
 * file without a name in the spool directory (O_TMPFILE), which the kernel
 * removes with the last descriptor, whatever happens to us, and is filled
 * anew.  So there is never more in memory than message_memory, and the file
 * is written in large, even steps.  Nothing of it is on the heap.
 *
 * Fresh pages cost more than all copying.  A spool of the worker's own is
 * therefore emptied between two messages and not given back: the next one
 * finds the same pages, in memory and in the file.  The file is kept only for
 * a short while and only where the disk has plenty of room (KEEP_*).
 *
 * What is written is never overwritten before spool_empty(), and the file is
 * read by the kernel alone: through a mapping by send(), which answers EFAULT
 * for what a broken disk cannot give, where a look of our own would be SIGBUS.
 * Fails by false with errno.
 */
#ifndef WORKER_SPOOL_H
#define WORKER_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/conf.h"

/* All zero: empty, nothing is held. */
struct spool {
	char *memory;
	size_t room;	  /* bytes of it, at most message_memory */
	size_t held;	  /* bytes in it: the end of the body */
	uint64_t written; /* bytes before them, in the file */
	bool has_file;	  /* fd is valid */
	bool broken;	  /* the file could not be written: never kept */
	int fd;
	uint64_t file_size; /* longer than written when an earlier one was */
	uint64_t opened_at;
	char *map; /* of the file, for the kernel to read from */
	size_t mapped;
};

bool spool_add(struct spool *s, const struct conf *conf, struct slice bytes);
/*
 * Appends up to max bytes from offset on to out; *added_out says how many, at
 * least one.  There must be bytes at offset.
 */
bool spool_read(const struct spool *s, uint64_t offset, size_t max,
		struct buf *out, size_t *added_out);
/*
 * Where bytes from offset on lie, up to max and at least one; only for the
 * kernel to read, and good until bytes are added.
 */
bool spool_place(struct spool *s, uint64_t offset, size_t max,
		 struct slice *place_out);
/* The message is over; what the next one may use is kept. */
void spool_empty(struct spool *s);
/* All memory and the file are given back. */
void spool_release(struct spool *s);

#endif
