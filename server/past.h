/*
 * past - the numbers as they were: each minute for an hour, each hour for two
 * days, each day for 30 days
 *
 * Owns one mapping of a fixed size, of which only what is used takes memory;
 * workers do not get a copy of it.  A text that is longer than a place has
 * room for is not kept, which is told once.
 */
#ifndef SERVER_PAST_H
#define SERVER_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/slice.h"

#define PAST_TEXT_MAX ((uint32_t)256 * 1024)

struct past; /* opaque */

/* NULL with errno: no memory. */
struct past *past_new(void);
void past_free(struct past **p);

/* When the next text is due; at once at first. */
uint64_t past_until(const struct past *p);
/* The text as it is now; it is copied.  False: it is too long. */
bool past_keep(struct past *p, struct slice text, uint64_t now);
/*
 * The youngest text that is at least this old; good until past_keep().
 * False: none is.
 */
bool past_find(const struct past *p, uint64_t age, uint64_t now,
	       struct slice *text_out);

#endif
