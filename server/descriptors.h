/*
 * descriptors - closing what a process shall not have
 *
 * By naming what it may have: the order in which descriptors were opened says
 * nothing.  Never fails.
 */
#ifndef SERVER_DESCRIPTORS_H
#define SERVER_DESCRIPTORS_H

#include <stddef.h>

/* Everything from 3 on but these, in any order; keep is sorted. */
void descriptors_close_all_but(int *keep, size_t n);

#endif
