/*
 * steer - carries switches over to the board, to the log and to state_file
 *
 * What `switches` decides takes effect here.  A file that cannot be written
 * is told, in the status too, and the switch is in force all the same; one
 * that cannot be read leaves the milters as the settings say, with a warning.
 * What stands at its path and is no file is left alone.
 */
#ifndef SERVER_STEER_H
#define SERVER_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/handover.h"
#include "server/status.h"
#include "shared/buf.h"

/*
 * An administrator's wish; `from` is logged.  Words for him, one line each:
 * what holds now, and what went wrong with the file.
 */
void steer_change(const struct status_view *v, const struct switch_wish *w,
		  const struct peer *from, struct buf *words);
/*
 * New settings or cells: drops what they make void, sets the board, writes
 * state_file, so that one that cannot be written is told at once.
 */
void steer_settle(const struct status_view *v);
/* At start, before the first worker: what state_file has kept. */
void steer_load(const struct status_view *v);
/* For an upgrade: all switches as text, and taken over from there. */
bool steer_hand_over(const struct status_view *v, struct buf *texts);
void steer_take_over(const struct status_view *v, const struct handover *h);
/* Switches that have come to their end. */
void steer_turn(const struct status_view *v, uint64_t now);

#endif
