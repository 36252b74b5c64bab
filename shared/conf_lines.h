/*
 * conf_lines - the first pass: settings files to a list of settings
 *
 * Takes lines, comments, continuations, quotes, section headers and includes,
 * and knows no parameter.  Everything is taken from the arena of the problems;
 * what is wrong is added there, and reading goes on behind it.
 *
 * A comment begins with ; or # at the front of a line or behind white space.
 * An indented line continues the one before (comments and empty lines between
 * them do not matter).  Text in quotes is literal.  CRLF and a UTF-8 BOM are
 * taken; NUL and other control bytes are refused.
 */
#ifndef SHARED_CONF_LINES_H
#define SHARED_CONF_LINES_H

#include "shared/conf_table.h"

#define CONF_LINE_MAX	  4096	/* bytes of one line */
#define CONF_VALUE_MAX	  16384 /* bytes of a value with its continuations */
#define CONF_FILE_MAX	  (1024 * 1024)
#define CONF_FILES_MAX	  256
#define CONF_DEPTH_MAX	  8	/* files including files */
#define CONF_SETTINGS_MAX 10000 /* in all files together */
#define CONF_NAME_MAX	  64	/* bytes of the name of a section */

/* A value stands on several lines: from this byte of it on, on that one. */
struct conf_part {
	size_t offset;
	unsigned line;
	unsigned column; /* from 1, in bytes of the line */
};

struct conf_line {
	struct conf_place place;
	enum conf_section section;
	unsigned block;	    /* counts section headers: which one it is under */
	bool bad;	    /* said already; its value means nothing */
	struct slice name;  /* of a [milter NAME] and the like, as written */
	struct slice key;   /* lower case; empty: the section begins here */
	struct slice value; /* trimmed, quotes still around */
	const struct conf_part *parts;
	size_t part_count;
	struct conf_line *next;
};

struct conf_lines {
	struct conf_line *first;
	struct conf_line **tail;
	size_t count;
};

/* Where byte `offset` of the value stands. */
struct conf_part conf_line_place(const struct conf_line *line, size_t offset);

void conf_lines_file(const char *path, struct conf_lines *lines_out,
		     struct conf_problems *problems);
/* The same from memory; `include` is refused. */
void conf_lines_text(const char *name, struct slice text,
		     struct conf_lines *lines_out,
		     struct conf_problems *problems);

#endif
