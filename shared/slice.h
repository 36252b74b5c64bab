/*
 * slice - a view of bytes that somebody else owns
 *
 * Passed by value everywhere inside the program.  A slice never owns memory
 * and lives no longer than what it looks at.  The bytes may hold anything,
 * NUL included; text becomes a C string only at the border (paths, log).
 * Nothing here fails: an empty slice is the answer to "nothing there".
 */
#ifndef SHARED_SLICE_H
#define SHARED_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *data;
	size_t len;
};

#define SLICE_EMPTY  ((struct slice){ "", 0 })
#define SLICE_LIT(s) ((struct slice){ "" s, sizeof(s) - 1 })
/* For printf's "%.*s"; the length is cut to what an int holds. */
#define SLICE_ARG(s) ((int)((s).len & 0x7fffffff)), ((s).data)

struct slice slice_of(const void *data, size_t len);
/* Looks at a C string; NULL gives the empty slice. */
struct slice slice_str(const char *s);

bool slice_equal(struct slice a, struct slice b);
/* ASCII letters compare without case (header names, keywords). */
bool slice_equal_case(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *s);
bool slice_is_case(struct slice a, const char *s);
bool slice_starts(struct slice a, const char *prefix);

/* Index of the first byte c, or -1. */
ptrdiff_t slice_find(struct slice a, char c);
/* From byte `from` on; past the end gives the empty slice. */
struct slice slice_from(struct slice a, size_t from);
/* The first n bytes, or all when there are fewer. */
struct slice slice_head(struct slice a, size_t n);
/* Within a line. */
static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Between words that may stand on several lines. */
static inline bool is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

/* Without blanks, tabs, CR and LF at both ends. */
struct slice slice_trim(struct slice a);
/*
 * Takes the part before the first c off the front of *rest; *rest then
 * begins behind that c.  Without a c the whole of *rest is taken.
 * Returns false when *rest was used up before the call: an empty last part
 * is still given once.
 */
bool slice_split(struct slice *rest, char c, struct slice *part_out);
/*
 * FNV-1a of 32 bits, on from `hash`, which begins with SLICE_HASH.  The same
 * on every machine and in every version: percentages depend on it.
 */
#define SLICE_HASH 2166136261u
uint32_t slice_hash(uint32_t hash, struct slice a);
/* Digits only, whole slice, no overflow past max; false otherwise. */
bool slice_to_u64(struct slice a, uint64_t max, uint64_t *number_out);

#endif
