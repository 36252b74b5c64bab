/*
 * session - one MTA connection from negotiation to its end
 *
 * The MTA's side of the worker: takes commands, answers each exactly once,
 * keeps journal and message, asks the chain of children.  Everything it
 * allocates is gone or reset when session_serve() returns.
 */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include <stdbool.h>

#include "worker/worker.h"

enum session_end {
	SESSION_DONE = 0,
	SESSION_EXHAUSTED, /* memory or descriptors ran out: leave the process */
};

struct session; /* kept by the worker from one connection to the next */

/* NULL: no memory.  env lives as long as the worker. */
struct session *session_new(const struct worker_env *env);
/*
 * Idle for now, and so is its MTA, if any: memory that the next message will
 * take anew is given back.
 */
#define SESSION_IDLE CLOCK_S
void session_trim(struct session *s);
/*
 * Serves the connection fd (non-blocking, owned and closed by this call) that
 * came in on listener number `listener`.  *told_to_leave becomes true when the
 * supervisor is gone or said drain; it may be true already.  Bounded by the
 * MTA: returns when it quits, closes, breaks the protocol, or is silent for
 * mta_idle_timeout (mta_timeout inside a message).
 */
enum session_end session_serve(struct session *s, int fd, size_t listener,
			       bool *told_to_leave);

#endif
