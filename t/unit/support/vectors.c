#include "t/unit/support/vectors.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* The build says where; by hand, from the top of the tree. */
#ifndef T_DATA
#define T_DATA "t/data"
#endif

static char *read_all(const char *name, size_t *len_out)
{
	const char *dir = getenv("T_DATA");
	char path[1024];
	FILE *f;
	char *text;
	long len;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : T_DATA, name);
	f = fopen(path, "rb");
	cr_assert_not_null(f, "could not open %s", path);
	cr_assert(fseek(f, 0, SEEK_END) == 0 && (len = ftell(f)) > 0);
	rewind(f);
	text = malloc((size_t)len);
	cr_assert_not_null(text);
	*len_out = fread(text, 1, (size_t)len, f);
	cr_assert_eq(*len_out, (size_t)len, "%s: short read", path);
	fclose(f);
	return text;
}

static void add_row(struct vectors *v, struct slice line, unsigned number)
{
	struct vector *row = &v->rows[v->count++];

	*row = (struct vector){ .line = number };
	for (size_t i = 0; i < VECTOR_COLUMNS; i++)
		if (!slice_split(&line, '\t', &row->column[i]))
			row->column[i] = SLICE_EMPTY;
}

void vectors_load(struct vectors *v, const char *name)
{
	struct slice rest, line;
	size_t len, lines = 1;
	unsigned number = 0;

	*v = (struct vectors){ .text = read_all(name, &len) };
	for (size_t i = 0; i < len; i++)
		lines += v->text[i] == '\n';
	v->rows = calloc(lines, sizeof(*v->rows));
	cr_assert_not_null(v->rows);
	rest = slice_of(v->text, len);
	while (slice_split(&rest, '\n', &line)) {
		number++;
		if (line.len && line.data[0] != '#')
			add_row(v, line, number);
	}
	cr_assert_gt(v->count, 0, "%s holds no case", name);
}

void vectors_free(struct vectors *v)
{
	free(v->rows);
	free(v->text);
	*v = (struct vectors){ NULL, NULL, 0 };
}

static unsigned hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	cr_assert_not_null(at, "'%c' is no hex digit", c);
	return (unsigned)(at - digits);
}

void vector_bytes(struct slice hex, struct buf *out)
{
	struct slice word;

	while (slice_split(&hex, ' ', &word)) {
		ptrdiff_t star = slice_find(word, '*');
		uint64_t times = 1;

		if (star >= 0) {
			cr_assert(
				slice_to_u64(slice_from(word, (size_t)star + 1),
					     10000000, &times));
			word = slice_head(word, (size_t)star);
			cr_assert_eq(word.len, 2);
		}
		cr_assert_eq(word.len % 2, 0, "half a byte");
		for (; times > 0; times--)
			for (size_t i = 0; i < word.len; i += 2)
				cr_assert(buf_add_byte(
					out,
					(char)(hex_digit(word.data[i]) << 4 |
					       hex_digit(word.data[i + 1]))));
	}
}
