/*
 * switches - how an administrator has switched milters, by whom, until when
 *
 * A switch has two layers: one that stands until it is taken back, and one
 * for a time, which by itself gives way to what stood before: the other
 * layer, or the settings.  A switch that equals what it would cover is none.
 * Pure: nothing here touches the board, a file or a clock; the caller hands
 * in times and carries the result over.  Fails by words for the caller.
 */
#ifndef SERVER_SWITCHES_H
#define SERVER_SWITCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "server/peer.h"
#include "shared/board.h"
#include "shared/buf.h"
#include "shared/conf.h"

/* Wall clock, and the clock that runs evenly; both microseconds. */
struct moment {
	uint64_t wall; /* since 1970 */
	uint64_t now;  /* clock_now() */
};
struct moment moment_now(void);
/* What clock_now() was then, as wall clock. */
uint64_t moment_wall(const struct moment *m, uint64_t then);

struct switch_layer {
	bool is_set;
	struct conf_switch to;
	uid_t uid;
	char user[PEER_NAME];
	uint64_t at;	/* wall clock, microseconds, whole seconds */
	uint64_t until; /* clock_now(); 0: without end */
};

struct switch_row {
	char name[BOARD_NAME_MAX];
	struct switch_layer standing;
	struct switch_layer timed;
};

struct switches {
	struct switch_row rows[CONF_MILTERS_MAX];
	unsigned count;
	/* Why they would not outlive a restart, for people; "": they would. */
	char unsaved[96];
};

/* Letters of names compare without case.  NULL: it is not switched. */
const struct switch_row *switches_find(const struct switches *s,
				       const char *name);
/* Adds one in which nothing is set.  NULL: there is no room. */
struct switch_row *switches_row(struct switches *s, const char *name);
/* The layer in force; NULL: as the settings say. */
const struct switch_layer *switch_in_force(const struct switch_row *row);

struct switch_wish {
	const struct conf_milter *milter;
	const struct conf_switch *to; /* NULL: as the settings say */
	uint64_t time;		      /* how long; 0: without end */
	uid_t uid;
	const char *user;
};
/* False: nothing has changed by it. */
bool switches_set(struct switches *s, const struct switch_wish *w,
		  const struct moment *m);
/*
 * One that has come to its end is taken away, its name copied: ask again
 * until false.
 */
bool switches_return(struct switches *s, uint64_t now,
		     char name_out[BOARD_NAME_MAX]);
/* When the next one comes to its end; CLOCK_NEVER: none does. */
uint64_t switches_until(const struct switches *s);
/*
 * These settings hold now: drops what they do not know or what they say
 * themselves; a line for each into words.  False: nothing was dropped.
 */
bool switches_settle(struct switches *s, const struct conf *conf,
		     struct buf *words);

/* As text, one line a layer, times by the wall clock. */
bool switches_print(const struct switches *s, const struct moment *m,
		    struct buf *out);
/*
 * Adds what the text says; what has ended meanwhile is left out.  A line that
 * makes no sense is left out, and a line about it goes into words.
 */
void switches_parse(struct switches *s, struct slice text,
		    const struct moment *m, struct buf *words);

/* "2026-11-28T19:07:00Z"; size 24 is enough. */
#define MOMENT_TEXT 24
void moment_print(uint64_t wall, char text_out[MOMENT_TEXT]);

#endif
