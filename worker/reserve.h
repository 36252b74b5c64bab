/*
 * reserve - a worker that holds many connections and asks no child
 *
 * Started by the supervisor when all ordinary workers are busy and
 * connections wait.  Takes what nobody else has time for, up to a thousand
 * connections at once, because it never waits for anybody: each MAIL gets
 * on_overload (see reserve_talk.h).  Takes nothing while an ordinary worker
 * is idle.  What an MTA does wrong, or does not read, costs that connection
 * only.
 */
#ifndef WORKER_RESERVE_H
#define WORKER_RESERVE_H

#include "worker/worker.h"

/*
 * Returns how to leave: when told to, or the supervisor is gone, and the last
 * connection has ended; or when there is nothing to do any more.
 */
enum worker_exit reserve_run(const struct worker_env *env);

#endif
