/*
 * macro - sets of macros as they travel: name NUL value NUL, again and again
 *
 * A set is a slice of such pairs; nothing is unpacked or copied.  Names
 * compare without braces ("i" is "{i}") and travel as they were spelled:
 * Postfix sends a name just as its list spells it (milter-protocol 2.5).
 */
#ifndef SHARED_MACRO_H
#define SHARED_MACRO_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/slice.h"

/*
 * The leading part of a MACRO payload (behind its letter) that consists of
 * whole pairs; an odd name or an unterminated tail is left off.
 */
struct slice macro_whole_pairs(struct slice payload);
/* Takes one pair off the front of *pairs; false at the end. */
bool macro_next(struct slice *pairs, struct slice *name_out,
		struct slice *value_out);
/* The first value of that name, or false. */
bool macro_find(struct slice pairs, struct slice name, struct slice *value_out);
/* Is the name in a list "a {b} c", separated by blanks or commas? */
bool macro_list_has(struct slice list, struct slice name);
/*
 * Appends the pairs whose names are in the list (has_list false: all pairs)
 * to out, at most max bytes: when they are more, the pairs with the largest
 * values are left out until it fits.  *dropped_out counts those.  False: out
 * has no room (for all of the wanted ones, at first), and is unchanged.  The
 * slices may not point into out.
 */
bool macro_filter(struct slice pairs, bool has_list, struct slice list,
		  size_t max, struct buf *out, unsigned *dropped_out);

#endif
