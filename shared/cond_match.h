/*
 * cond_match - regular expressions that cannot stop a worker
 *
 * The one door to libpcre2.  A regex is compiled when the settings or a table
 * are read and is const from then on; any number of processes may share it.
 * A matcher holds what one match needs to write; a process has one and uses
 * it for all.  Matching is the interpreter's: no just-in-time compiler, since
 * a host name takes a microsecond and units may forbid writable code.
 *
 * A match fails by TRI_UNKNOWN: one of the limits below was hit, or the
 * memory was not there.  It costs two milliseconds at most.
 */
#ifndef SHARED_COND_MATCH_H
#define SHARED_COND_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/arena.h"
#include "shared/slice.h"
#include "shared/tri.h"

/* Steps and nested steps of one match (measured: 1.6 ms). */
#define COND_MATCH_LIMIT 100000u
/* Memory of one match, KiB.  What is kept between two is 64 KiB. */
#define COND_MATCH_HEAP	 8192u
/* A longer pattern is a mistake. */
#define COND_REGEX_MAX	 4096

enum cond_regex_flag {
	REGEX_CASELESS = 0x01,	/* i */
	REGEX_MULTILINE = 0x02, /* m */
	REGEX_DOTALL = 0x04,	/* s */
	REGEX_EXTENDED = 0x08,	/* x */
	REGEX_UTF = 0x10,	/* u: the subject is UTF-8 */
	REGEX_ANCHORED = 0x20,	/* A */
	REGEX_DOLLAR_END = 0x40, /* E: $ is the very end only */
	REGEX_UNGREEDY = 0x80,	/* U */
};

struct cond_regex;
struct cond_matcher;

struct cond_regex_problem {
	size_t offset; /* into the pattern, bytes */
	char text[128];
};

/*
 * Compiles into the arena; nothing is to be freed, the arena's end is its
 * end.  NULL: the pattern is wrong (or no memory), *problem_out says how.
 */
const struct cond_regex *
cond_regex_compile(struct arena *arena, struct slice pattern, unsigned flags,
		   struct cond_regex_problem *problem_out)
	__attribute__((warn_unused_result));

/* NULL: no memory. */
struct cond_matcher *cond_matcher_new(void);
void cond_matcher_free(struct cond_matcher **m);

/*
 * Does the regex match anywhere in the subject?  The subject is not copied.
 * With REGEX_UTF, bytes that are not UTF-8 match nothing and end a match.
 */
enum tri cond_match(const struct cond_regex *regex, struct cond_matcher *m,
		    struct slice subject);
/* Bytes of the n-th group of the last match; empty when it took no part. */
struct slice cond_matcher_group(const struct cond_matcher *m, unsigned n);

#endif
