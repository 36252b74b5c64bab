/*
 * vectors - tables of test cases from t/data
 *
 * One case a line, columns separated by tabs, `#` begins a comment line.
 * Files are in the directory of the environment variable T_DATA, else where
 * the build said.  Fails the running test.
 */
#ifndef T_UNIT_SUPPORT_VECTORS_H
#define T_UNIT_SUPPORT_VECTORS_H

#include <stddef.h>

#include "shared/buf.h"
#include "shared/slice.h"

#define VECTOR_COLUMNS 8

struct vector {
	struct slice column[VECTOR_COLUMNS]; /* missing ones are empty */
	unsigned line;
};

struct vectors {
	char *text;
	struct vector *rows;
	size_t count;
};

/* name: below t/data, for example "commands.txt". */
void vectors_load(struct vectors *v, const char *name);
void vectors_free(struct vectors *v);

/*
 * Appends the bytes written as hex: two digits each, blanks are ignored, and
 * "78*5" is the byte 0x78 five times.
 */
void vector_bytes(struct slice hex, struct buf *out);

#endif
