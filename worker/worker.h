/*
 * worker - one process that serves MTA connections, one at a time
 *
 * The one entry point of this folder.  Runs in a process forked by the
 * supervisor, with settings read, sockets open and rights given up.
 * worker_main() never returns: it leaves by _exit with one of the codes below
 * when told to drain, when the supervisor is gone, after sessions_max
 * sessions, or when memory or descriptors are exhausted.  No signal of an
 * MTA or a child can end it.
 * A reserve worker is one that serves many at once, without children.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/board.h"
#include "shared/conf.h"

/* Exit codes the supervisor understands; any other death is unexpected. */
enum worker_exit {
	WORKER_DONE = 0,	/* told to leave, or sessions_max reached */
	WORKER_EXHAUSTED = 75,	/* no memory or descriptors: back off */
};

struct worker_env {
	const struct conf *conf;
	/*
	 * Non-blocking listening sockets.  A name with several addresses has
	 * several: listen_fds[i] belongs to conf->listen[listen_of_fd[i]].
	 */
	const int *listen_fds;
	const size_t *listen_of_fd;
	/* NULL, or which are a service manager's: never shut down. */
	const bool *listen_foreign;
	size_t listen_count; /* of all three */
	struct board *board;
	unsigned slot;
	/*
	 * The cell on the board of each milter of conf, in its order; NULL: the
	 * same as its place.
	 */
	const uint8_t *cells;
	unsigned settings; /* generation of conf, for the slot */
	/*
	 * Our end of a SOCK_SEQPACKET pair, non-blocking.  EOF: the supervisor
	 * is gone: finish the session and leave.  One byte 'd' from it: drain,
	 * the same.  We send struct worker_note_wish over it.
	 */
	int supervisor_fd;
	/* eventfd: written (1) when the number of idle workers may run low. */
	int hungry_fd;
	bool is_reserve; /* see worker/reserve.h */
};

_Noreturn void worker_main(const struct worker_env *env);

/*
 * What a worker tells the supervisor over supervisor_fd: the macro lists and
 * bits a child asked for, when they differ from what the board remembers.
 * One datagram; the supervisor checks it and calls board_remember().
 */
#define WORKER_NOTE_WISH 'w'
struct worker_note_wish {
	char kind; /* WORKER_NOTE_WISH */
	uint8_t milter; /* its cell on the board */
	uint8_t has_list[LIST_COUNT];
	uint16_t list_len[LIST_COUNT];
	uint32_t actions;
	uint32_t protocol;
	/* the lists follow, one after the other */
};

#endif
