/*
 * screen - a terminal taken for a while: pictures, keys, its size, signals
 *
 * Owns the alternate screen and the terminal's mode between open and close;
 * both are as before afterwards, whatever signal ends us.  Plain ANSI
 * sequences.  One at a time in a process, because signals are the process's.
 */
#ifndef TOOL_SCREEN_H
#define TOOL_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/slice.h"

enum screen_event {
	SCREEN_TIME,	/* the deadline has passed */
	SCREEN_RESIZED, /* or it is back in the foreground: draw again */
	SCREEN_KEY,
	SCREEN_SIGNAL, /* one that ends us: close, then screen_die() */
};

/* False: stdout is no terminal. */
bool screen_open(void);
void screen_close(void);
/* Ends the process by the signal that came. */
void screen_die(void);
/* Of the window now; 80 x 24 when it does not say. */
void screen_size(unsigned *columns_out, unsigned *lines_out);
/* From the upper left corner on; lines end in CR LF, the last in nothing. */
void screen_draw(struct slice picture);
enum screen_event screen_wait(uint64_t deadline, char *key_out);

#endif
