/*
 * reload - new settings without an end of service
 *
 * A process of its own reads and checks the settings, for that may wait for a
 * resolver; it hands back every problem, or the addresses it looked up.  With
 * those the supervisor reads the settings itself, waiting for nobody, and
 * offers them to its hook.  Who asked is told how it ended, and so is the
 * log; whatever fails, what was in force stays in force.
 * Asked while one is under way: another one follows it, once, for the files
 * may have changed behind its back.
 */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "server/aside.h"
#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/conf.h"

/* So many may wait for an answer. */
#define RELOAD_WISHES 16

/*
 * Who wants to hear how it ended: done() is called once, perhaps at once.
 * words: lines, each ended by a newline.
 */
struct reload_wish {
	void (*done)(void *context, uint64_t ticket, bool ok,
		     struct slice words);
	void *context;
	uint64_t ticket; /* which of the wishes of this context */
};

struct reload_wishes {
	struct reload_wish at[RELOAD_WISHES];
	unsigned count;
};

struct reload {
	/* Set by the caller. */
	const char *path;
	int epoll_fd;
	uint64_t tag; /* of our pipe in it */
	/*
	 * Takes the settings and their arena, and says what changed; false:
	 * says why not.
	 */
	bool (*apply)(void *owner, struct arena *arena,
		      const struct conf *conf, struct buf *words);
	void *owner;

	/* Ours. */
	struct aside aside;
	bool wanted; /* one shall begin */
	struct reload_wishes now;
	struct reload_wishes next;
};

/* The caller has set the upper part. */
void reload_init(struct reload *r);
void reload_deinit(struct reload *r);
/* Asks for one; NULL: nobody waits for the answer. */
void reload_begin(struct reload *r, const struct reload_wish *wish);
/* Who waited is gone: done() will not be called with this context. */
void reload_forget(struct reload *r, const void *context);
/* There is something to read; or the loop went round.  may_begin: are we in
 * a phase in which settings may change? */
void reload_event(struct reload *r);
/* A process was reaped.  False: it is none of ours. */
bool reload_reaped(struct reload *r, pid_t pid);
void reload_turn(struct reload *r, bool may_begin);
bool reload_is_under_way(const struct reload *r);
/* When it wants its turn at the latest. */
uint64_t reload_until(const struct reload *r);
/* None will come any more: ends the one under way, answers everybody. */
void reload_refuse(struct reload *r, const char *why);

#endif
