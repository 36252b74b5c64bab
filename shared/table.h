/*
 * table - what conditions look things up in
 *
 *	inline: a, b		in the settings themselves
 *	list:/path		words, domains, addresses; one a line
 *	cidr:/path		networks; the longest match wins
 *	regexp:/path		regexes in Postfix's table syntax; the first wins
 *
 * Who owns what.  The supervisor opens every table before it forks.  What was
 * read is kept in a compiled form without pointers, one after the other, in a
 * memfd that all processes share: ten thousand workers read one copy.  When
 * a file has changed, the supervisor (table_changed(), table_reload()) reads
 * it aside.  If all is well it appends a new generation to the memfd and
 * gives the pages of old ones back later; if not, it reports every problem
 * with file and line, and the old generation stays in force.  A worker calls
 * table_in_worker() once and table_follow() between two messages: one word of
 * shared memory says whether there is a newer generation, which it maps then.
 * So it never sees a table change within a message, and reads no file.
 * Regexes are the exception: the source is shared, each process compiles it
 * for itself.
 *
 * A process without a supervisor (the tool that explains, a test) does the
 * same with itself: open, lookup, perhaps reload; the reloader follows at
 * once.
 *
 * A lookup does not allocate, but for the value of a regexp with $1 in it.
 * It fails by TABLE_UNKNOWN: a match limit, or a generation that is gone.
 */
#ifndef SHARED_TABLE_H
#define SHARED_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/cond_match.h"
#include "shared/network.h"
#include "shared/slice.h"

/* Bytes of one file, entries in it. */
#define TABLE_FILE_MAX	  ((size_t)64 << 20)
#define TABLE_ENTRIES_MAX 2000000u
#define TABLE_LINE_MAX	  4096
/* So long a generation is kept for workers still in a message, microseconds. */
#define TABLE_KEEP	  (UINT64_C(600) * 1000000)

enum table_kind { TABLE_INLINE, TABLE_LIST, TABLE_CIDR, TABLE_REGEXP };
enum table_answer { TABLE_NO, TABLE_YES, TABLE_UNKNOWN };

struct table;

/*
 * Is told each problem: the file, its line (0: the file as a whole; for an
 * inline table file is "" and line 0), and in words what is wrong.
 */
struct table_report {
	void (*problem)(void *context, const char *file, unsigned line,
			const char *text);
	void *context;
};

/*
 * What is looked for.  A word is compared as a whole.  A domain also with the
 * entries ".parent".  A mailbox also with its domain, the domain's parents
 * and "user@".  Always without regard to case.  Only an address is looked for
 * among networks, and in a list an address is its text.
 */
enum table_key_kind { KEY_WORD, KEY_DOMAIN, KEY_MAILBOX, KEY_IP };

struct table_key {
	enum table_key_kind kind;
	struct slice text;
	struct ip ip; /* KEY_IP; text is what it was parsed from */
};

/*
 * Opens and reads a table from its source as the settings give it; name and
 * path are copied into the arena, which must outlive the table.  NULL: at
 * least one problem was reported.
 */
struct table *table_open(struct arena *arena, struct slice name,
			 struct slice source,
			 const struct table_report *report)
	__attribute__((warn_unused_result));
/*
 * For `in { a, b }`: an inline table of these words, without a name.  In this
 * process and its children; never reloaded.  NULL: no memory.
 */
struct table *table_of_words(struct arena *arena, const struct slice *words,
			     size_t count) __attribute__((warn_unused_result));
/* Unmaps and closes; only a process that lives on after its settings must. */
void table_close(struct table **t);

struct slice table_name(const struct table *t);
/* "" for inline. */
const char *table_path(const struct table *t);
enum table_kind table_kind(const struct table *t);
/* May an address be looked for here (cidr, or inline with networks only)? */
bool table_has_networks(const struct table *t);
/* May text be looked for here (all but cidr)? */
bool table_has_text(const struct table *t);
size_t table_count(const struct table *t);
/* 1 when opened, one more at each successful reload. */
uint64_t table_generation(const struct table *t);

/*
 * Has the file another inode, size or time of change than what was last read,
 * broken or not?  One stat(); no more than once a second, please.  A file
 * that is not there has not changed: an editor may be between two steps.
 */
bool table_changed(const struct table *t);
/*
 * For the process that opened it: reads the file again.  False: problems were
 * reported and what was in force stays in force; table_changed() is false
 * until the file changes once more.
 */
bool table_reload(struct table *t, const struct table_report *report)
	__attribute__((warn_unused_result));
/*
 * For a worker, between two messages: takes up the newest generation.  True
 * when there was one.  Without memory the old one is kept and tried again.
 */
bool table_follow(struct table *t);
/*
 * In a worker, after fork(): from now on it can only read what is shared.
 * False: it could not be done; the worker should leave.
 */
bool table_in_worker(struct table *t) __attribute__((warn_unused_result));

/*
 * What a worker must not close before table_in_worker(): so many are written
 * to fds_out, at most 2.
 */
size_t table_descriptors(const struct table *t, int fds_out[2]);

/* One question; the caller fills the upper part. */
struct table_ask {
	struct table_key key;
	struct cond_matcher *matcher; /* for regexp tables only */
	struct arena *scratch;	      /* the same; NULL: $1 is left out */
	/* No further regex is tried after this time; 0: no limit. */
	uint64_t until;

	/*
	 * What stands behind the entry, "" when nothing does; points into
	 * the table or scratch, good until table_follow(), table_reload() or
	 * the arena's reset.
	 */
	struct slice value;
	unsigned steps; /* comparisons made, added up; for tests */
};

enum table_answer table_lookup(const struct table *t, struct table_ask *ask);

#endif
