/*
 * fuzz_table - any bytes as the file of a table of each kind
 *
 * The first line is what is looked for, the rest is the file.  A table is
 * there or problems were told; every key has an answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/log.h"
#include "shared/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_problem(void *context, const char *file, unsigned line,
			  const char *text)
{
	(void)file;
	(void)line;
	BUG_IF(!text[0]);
	++*(unsigned *)context;
}

static void ask_all(const struct table *t, struct arena *scratch,
		    struct cond_matcher *m, struct slice text)
{
	for (int kind = KEY_WORD; kind <= KEY_IP; kind++) {
		struct table_ask a = {
			.key = { .kind = (enum table_key_kind)kind,
				 .text = text },
			.matcher = m,
			.scratch = scratch,
		};

		if (kind == KEY_IP && !ip_parse(text, &a.key.ip))
			continue;
		BUG_IF(table_lookup(t, &a) == TABLE_NO && a.value.len);
		BUG_IF(table_kind(t) != TABLE_REGEXP && a.steps > 100000);
	}
}

static void try_source(const char *source, struct slice key)
{
	struct arena arena;
	unsigned problems = 0;
	struct table_report report = { count_problem, &problems };
	struct cond_matcher *m = cond_matcher_new();
	struct table *t;

	arena_init(&arena, (size_t)64 << 20);
	t = table_open(&arena, SLICE_LIT("t"), slice_str(source), &report);
	BUG_IF((t == NULL) != (problems > 0));
	if (t) {
		ask_all(t, &arena, m, key);
		BUG_IF(!table_reload(t, &report) || problems);
		ask_all(t, &arena, m, key);
	}
	table_close(&t);
	cond_matcher_free(&m);
	arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const kinds[] = { "list", "cidr", "regexp" };
	struct slice rest = slice_of(data, size), key = SLICE_EMPTY;
	char path[] = "/tmp/fuzz_table.XXXXXX", source[4096];
	int fd;

	if (size > 65536 || !slice_split(&rest, '\n', &key))
		return 0;
	if (!rest.data)
		rest = SLICE_EMPTY;
	fd = mkstemp(path);
	BUG_IF(fd < 0 || write(fd, rest.data, rest.len) != (ssize_t)rest.len);
	close(fd);
	for (size_t i = 0; i < 3; i++) {
		snprintf(source, sizeof(source), "%s:%s", kinds[i], path);
		try_source(source, key);
	}
	unlink(path);
	if (rest.len < 2048) {
		snprintf(source, sizeof(source), "inline:%.*s", SLICE_ARG(rest));
		try_source(source, key);
	}
	return 0;
}
