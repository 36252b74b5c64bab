/*
 * table_parts - the compiled form of a table, and who makes and reads it
 *
 * Between table.c, table_build.c and the files of the three kinds; nobody
 * else's.
 *
 * A compiled table is one piece of memory without pointers: this head, then
 * entries and ranges sorted for binary search, then text.  Places are bytes
 * from the head.  Memory that was given back reads as zeros: then MAGIC is
 * wrong and no place leads anywhere else than to the head.
 */
#ifndef SHARED_TABLE_PARTS_H
#define SHARED_TABLE_PARTS_H

#include <sys/stat.h>

#include "shared/buf.h"
#include "shared/table.h"

#define TABLE_MAGIC 0x73656b69u

/* A piece of the text. */
struct table_text {
	uint32_t at;
	uint32_t len;
};

/* Sorted by key; keys are in lower case. */
struct table_entry {
	struct table_text key;
	struct table_text value;
};

/* From this address to that of the next range; sorted by address. */
struct table_range {
	uint8_t first[16];
	struct table_text value;
	uint32_t found; /* 0: a gap, or an exception */
};

struct table_head {
	uint32_t magic;
	uint32_t size; /* of everything */
	uint32_t count; /* of what the file has: entries, networks, regexes */
	uint32_t has_networks;
	uint32_t entries_at, entry_count;
	uint32_t ranges_at[2], range_count[2]; /* IPv4, IPv6 */
	struct table_text source;	       /* of regexes */
};

/* A table being made; problems are told as they are found. */
struct table_build {
	const char *path;
	const struct table_report *report;
	unsigned problems;
	struct arena *work;	/* for what is not in the result */
	struct table_head head; /* filled by the kinds */
	struct buf text;
	struct buf parts; /* entries and ranges, places relative to their own */
};

void table_problem(struct table_build *b, unsigned line, const char *format,
		   ...) __attribute__((format(printf, 3, 4)));
/* Appends to the text; false: no room, which was reported. */
bool table_add_text(struct table_build *b, struct slice s,
		    struct table_text *text_out);

/*
 * One table is made between begin and end: read and kind, or the words of the
 * kinds below, then finish.  `work` is made and freed here; path and report
 * stay the caller's.
 */
void table_build_begin(struct table_build *b, const char *path,
		       struct arena *work, const struct table_report *report);
void table_build_end(struct table_build *b);
/*
 * The whole file, in the work arena, and what stat said of it; if somebody is
 * just writing it, once more.  False: a problem, which was reported.
 */
bool table_build_read(struct table_build *b, struct stat *seen_out,
		      struct slice *text_out);
void table_build_kind(struct table_build *b, enum table_kind kind,
		      struct slice text);
/* In the arena given, all in one piece; NULL: there were problems. */
struct table_head *table_build_finish(struct table_build *b,
				      struct arena *arena);
/* Has nobody written the file between the two? */
bool table_same_file(const struct stat *a, const struct stat *b);

/* Lines of a file, without comment lines and empty ones. */
struct table_lines {
	struct slice rest;
	unsigned line;	/* of the one last given */
	unsigned next;	/* of the one at hand */
	bool joins;	/* a line that begins with a blank goes on */
};

struct table_lines table_lines_of(struct slice text, bool joins);
/* False at the end; a line that is too long is reported and left out. */
bool table_next_line(struct table_build *b, struct table_lines *lines,
		     struct slice *line_out);
/* First word, and the rest without a comment behind blanks. */
void table_cut_line(struct slice line, struct slice *word_out,
		    struct slice *value_out);

/* ---- one pair per kind: make, look up ---- */

void table_list_build(struct table_build *b, struct slice text);
void table_list_build_words(struct table_build *b, const struct slice *words,
			    size_t count);
enum table_answer table_list_lookup(const struct table_head *h,
				    struct table_ask *ask);

void table_cidr_build(struct table_build *b, struct slice text);
/* For inline: all words are networks, or nothing is built. */
void table_cidr_build_words(struct table_build *b, const struct slice *words,
			    size_t count);
enum table_answer table_cidr_lookup(const struct table_head *h,
				    struct table_ask *ask);

struct table_regexp;
void table_regexp_build(struct table_build *b, struct slice text);
/* Compiles what was built, in this process; NULL: no memory. */
const struct table_regexp *table_regexp_compile(struct arena *arena,
						const struct table_head *h);
enum table_answer table_regexp_lookup(const struct table_regexp *r,
				      struct table_ask *ask);

static inline struct slice table_text(const struct table_head *h,
				      struct table_text t)
{
	return slice_of((const char *)h + t.at, t.len);
}

#endif
