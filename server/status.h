/*
 * status - the status and the control sockets, and who is on them
 *
 * Owns their listeners and clients.  Everything is done in turns of the
 * supervisor's loop: an event only notes that a descriptor is ready, a turn
 * takes a bounded number of requests, and never waits for anybody.  A client
 * that does not read, or says nothing for long, is dropped; when all places
 * are taken, the one that was quiet longest goes.
 * Fails by dropping a client; only opening the sockets can stop a start.
 */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/inherit.h"
#include "server/past.h"
#include "server/pool.h"
#include "server/spawn.h"
#include "server/switches.h"
#include "shared/board.h"
#include "shared/conf.h"

/* Tags of our descriptors in the supervisor's epoll are from here on. */
#define STATUS_TAG (UINT64_C(2) << 32)

/* What became of a wish that another part of the supervisor carries out. */
enum wish {
	WISH_DONE,
	WISH_REFUSED,
	WISH_BEGUN, /* status_wish_done() tells the end of it, or has */
};

/* ticket: whom status_wish_done() is to tell. */
typedef enum wish status_hook(void *context, uint64_t ticket,
			      struct buf *words);

/*
 * What clients may ask for; each writes words for them.  NULL: this
 * supervisor cannot do it.
 */
struct status_hooks {
	void *context;
	status_hook *reload;
	status_hook *drain;
	status_hook *upgrade;
	status_hook *reopen_logs;
};

/*
 * What answers are made from.  The supervisor owns it and changes it as the
 * world changes; everything it points to outlives the sockets.
 */
struct status_view {
	struct board *board;
	const struct conf *conf;
	const uint8_t *cells; /* by place in conf; NULL: the same number */
	const struct spawn *spawn;
	const struct pool_limits *limits;
	struct switches *switches;
	struct past *past;
	const char *version;
	const char *conf_path;
	const char *phase;
	uint64_t started;  /* clock_now() */
	uint64_t read_at;  /* when the settings were; clock_now() */
	unsigned settings; /* their generation */
	unsigned workers_wanted; /* workers_max before anything cut it */
	bool workers_kept; /* cut by what an upgrade kept, not the machine */
	struct status_hooks hooks;
};

struct status; /* opaque */

/*
 * Opens the sockets of the settings, or takes them from those inherited, as
 * root if we are.  NULL: logged.
 */
struct status *status_open(const struct conf_listeners *status,
			   const struct conf_listeners *control,
			   struct inherit *from);
/* Puts them into the loop; from now on they answer.  False: logged. */
bool status_watch(struct status *s, struct status_view *view, int epoll_fd);
/* The sockets, for the program that takes our place. */
void status_hand_over(const struct status *s, struct inherit *to);
/* New settings; the addresses are those the sockets have. */
void status_follow(struct status *s, const struct conf *conf);
void status_event(struct status *s, uint64_t tag, uint32_t events);
/* Once in every round of the loop, after the events. */
void status_turn(struct status *s);
/* When the next turn is due by itself; CLOCK_NEVER: none is. */
uint64_t status_until(const struct status *s);
/*
 * The end of a wish that was only begun: the client that got this ticket is
 * told, if it is still there.
 */
void status_wish_done(struct status *s, uint64_t ticket, bool ok,
		      struct slice words);
/* Clients are dropped, what listens is closed and its path removed. */
void status_close(struct status **s);

#endif
