/*
 * lost - what a worker that died took with it
 *
 * Counted on the board and told in the log, once, before its slot is reset.
 * What the slot says is a worker's and may be anything: it becomes words and
 * numbers, nothing else.  Never fails.
 */
#ifndef SERVER_LOST_H
#define SERVER_LOST_H

#include <stdbool.h>
#include <sys/types.h>

#include "shared/board.h"
#include "shared/buf.h"

/* The session of a busy worker, and its message; status: of waitpid(). */
void lost_session(struct board *b, unsigned slot, int status, pid_t pid);
/* All connections of a reserve worker. */
void lost_guests(struct board *b, unsigned slot, pid_t pid);

/* "signal SIGKILL" or "exit code 3"; size 48 is enough. */
void lost_explain(int status, char *words, size_t size);
/*
 * The line for a message that died with its worker (design: one line per
 * message), from what the slot says: verdict=lost, or the verdict the MTA has
 * had already when only the line was not written yet.
 */
bool lost_line(struct board *board, unsigned slot, int status, pid_t pid,
	       struct buf *line);

#endif
