/*
 * aside - a short-lived process for what the supervisor must not wait for
 *
 * Forked, alone with one pipe up to the supervisor, killed when it takes too
 * long or when the supervisor dies.  The supervisor hears it through its own
 * loop and reaps it with all others.  Two ends, in any order: it has said all,
 * and it was reaped.  What was reaped is never killed, for its number may be
 * another's by then.
 */
#ifndef SERVER_ASIDE_H
#define SERVER_ASIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/buf.h"

/* In the process: where to write to the supervisor. */
#define ASIDE_FD      3
#define ASIDE_CEILING (4u * 1024 * 1024)

enum aside_side { ASIDE_PARENT, ASIDE_CHILD, ASIDE_FAILED };

struct aside {
	pid_t pid; /* 0: there is none, or it was reaped */
	int fd;	   /* -1: it has said all */
	uint64_t deadline;
	struct buf heard; /* all it said, until the next one begins */
};

void aside_init(struct aside *a);
void aside_deinit(struct aside *a);
/*
 * Forks; the pipe is in the epoll by this tag.  Returns in both processes; in
 * the child everything but 0 to 2 and ASIDE_FD is closed.  FAILED: errno.
 */
enum aside_side aside_begin(struct aside *a, const char *name, int epoll_fd,
			    uint64_t tag, uint64_t may_take)
	__attribute__((warn_unused_result));
/* Takes what there is.  True, once: it has said all it will ever say. */
bool aside_hear(struct aside *a);
/* A process was reaped.  False: it is none of ours. */
bool aside_reaped(struct aside *a, pid_t pid);
/* One of the two ends is still to come. */
bool aside_is_there(const struct aside *a);
/* Lets go of it; it may not go on, even if it has said all. */
void aside_end(struct aside *a);
/* In the process: what the supervisor shall hear, and the end of it. */
bool aside_write(struct slice bytes);
_Noreturn void aside_leave(int code);

#endif
