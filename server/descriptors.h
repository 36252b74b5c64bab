/*
 * descriptors - closing what a process shall not have
 *
 * By naming what it may have: the order in which descriptors were opened says
 * nothing.  Never fails; what gives memory back may leave it as it was.
 */
#ifndef SERVER_DESCRIPTORS_H
#define SERVER_DESCRIPTORS_H

#include <stddef.h>

/* Everything from 3 on but these, in any order; keep is sorted. */
void descriptors_close_all_but(int *keep, size_t n);
/* The lowest free number for it; the old one is closed. */
int descriptors_lower(int fd);
/*
 * A child's table of descriptors is as large as its parent's: 8 bytes for each
 * up to the highest, in powers of two, 128 KiB for ten thousand.  It becomes as
 * small as what is open now allows.
 */
void descriptors_shrink_table(void);

#endif
