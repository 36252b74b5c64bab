/*
 * eml - a message file cut up as an MTA does before it asks a milter
 *
 * Line ends become CRLF in the body and LF inside folded headers; an mbox
 * "From " line at the top is left out.  The headers end at the first line
 * that is empty or no header; in the second case that line begins the body.
 * Memory is the arena's.  Fails by false: no memory.
 */
#ifndef TOOL_EML_H
#define TOOL_EML_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/slice.h"

struct eml_header {
	struct slice name;
	struct slice raw; /* all behind the colon, leading blank included */
};

struct eml {
	struct eml_header *headers;
	size_t count;
	struct slice body;
};

bool eml_parse(struct arena *arena, struct slice text, struct eml *eml_out);
/* The whole file, "-" being stdin, into b.  False with errno. */
bool eml_read(const char *path, struct buf *b);
/* What a header's value is on the wire without HDR_LEADSPC. */
struct slice eml_unspaced(struct slice raw);
/*
 * Appends "name:value" CRLF with the fold's line ends as CRLF; is_raw: the
 * value brings its own blank.
 */
bool eml_print_header(struct buf *out, struct slice name, struct slice value,
		      bool is_raw);

#endif
