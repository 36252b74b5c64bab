/*
 * supervisor_parts - what the three files of the supervisor share; nobody
 * else's
 *
 *	supervisor.c         the phases, the signals, the loop
 *	supervisor_start.c   all that is opened, in the order of the design
 *	supervisor_change.c  what is changed while it runs: settings, binary,
 *			     logs; and the wishes of the control socket
 */
#ifndef SERVER_SUPERVISOR_PARTS_H
#define SERVER_SUPERVISOR_PARTS_H

#include "server/listen.h"
#include "server/overload.h"
#include "server/pool.h"
#include "server/probe.h"
#include "server/reload.h"
#include "server/settings.h"
#include "server/spawn.h"
#include "server/status.h"
#include "server/supervisor.h"
#include "server/switches.h"
#include "server/upgrade.h"

/* Tags in the epoll, above all slots. */
#define TAG_SIGNAL (UINT64_C(1) << 32)
#define TAG_HUNGRY (TAG_SIGNAL + 1)
#define TAG_RELOAD (TAG_SIGNAL + 2)
#define TAG_UPGRADE (TAG_SIGNAL + 3)

/*
 * start: forking the first workers, until one of them waits.
 * run:   as many workers as are needed.
 * drain: idle ones leave, then the sockets close; busy ones may end what
 *	  they do, until drain_timeout.
 * stop:  all are killed.
 * over:  nobody is left.
 */
enum phase { PHASE_START, PHASE_RUN, PHASE_DRAIN, PHASE_STOP, PHASE_OVER };

struct supervisor {
	const struct supervisor_how *how;
	struct settings settings;
	const struct conf *conf; /* those of settings */
	enum phase phase;
	struct listen listen;
	struct status *status;
	struct status_view view;
	struct switches switches;
	struct spawn spawn;
	struct reload reload;
	struct upgrade upgrade;
	struct handover_worker *handed; /* of the last upgrade that failed */
	struct probes probes;
	struct pool_limits limits;
	unsigned possible; /* workers, as far as machine and settings go */
	bool numbers_kept; /* the shared memory is that of before */
	struct pool_memory memory;
	struct overload overload;
	int epoll_fd;
	int signal_fd;
	int hungry_fd;
	int pid_fd;
	int tell_ready; /* see supervisor_how; ours now */
	uint64_t next_tick;
	uint64_t feed_every; /* the watchdog; 0: there is none */
	uint64_t next_feed;
	uint64_t next_look; /* CLOCK_NEVER: only when something happens */
	uint64_t deadline;  /* of the present phase */
	unsigned told_alive; /* what the service manager was told last */
	unsigned told_busy;
	bool failed;
};

/* ---- supervisor.c ---- */

/* Into another phase; what it has to do first is done at once. */
void supervisor_enter(struct supervisor *s, enum phase phase);
const char *supervisor_phase_name(enum phase phase);
/* A process ended that was no worker. */
void supervisor_take_stranger(void *supervisor, pid_t pid, int status);

/* ---- supervisor_start.c ---- */

/*
 * Sockets, limits, shared memory, then the rights are given up, then the
 * rest.  False: it was said why.
 */
bool supervisor_open(struct supervisor *s);

/* ---- supervisor_change.c ---- */

/* Before anything can fail: what is begun here is ended in any case. */
void supervisor_begin_changes(struct supervisor *s);
void supervisor_end_changes(struct supervisor *s);
/* A signal asks for it. */
void supervisor_reload(struct supervisor *s);
void supervisor_upgrade(struct supervisor *s);
/* False: the old file stays in use; errno. */
bool supervisor_reopen_logs(struct supervisor *s);
/* Nothing of that kind begins or goes on any more. */
void supervisor_refuse_changes(struct supervisor *s);
/* Once in each turn of the loop. */
void supervisor_look_at_changes(struct supervisor *s);
/* The pool and the log as the settings have them; false: no log file. */
void supervisor_set_pool(struct supervisor *s);
bool supervisor_set_log(const struct conf *c);
/* From now on the status and control sockets answer. */
bool supervisor_open_status(struct supervisor *s);

#endif
