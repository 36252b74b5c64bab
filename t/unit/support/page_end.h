/*
 * page_end - memory whose last byte stands against an unmapped page
 *
 * A decoder that reads one byte past its input dies of it, sanitizer or not.
 * One owner.  Fails by ending the process with a word on stderr.
 */
#ifndef T_UNIT_SUPPORT_PAGE_END_H
#define T_UNIT_SUPPORT_PAGE_END_H

#include <stddef.h>

#include "shared/slice.h"

struct page_end {
	char *map;
	size_t size; /* of the mapping, the guard page included */
	size_t max;  /* largest input */
};

/* For inputs of up to max bytes. */
void page_end_open(struct page_end *p, size_t max);
void page_end_close(struct page_end *p);
/* A copy right before the guard page, good until the next put. */
struct slice page_end_put(struct page_end *p, struct slice bytes);

#endif
