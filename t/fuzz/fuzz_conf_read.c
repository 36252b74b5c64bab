/*
 * fuzz_conf_read - settings from memory
 *
 * Any text is settings or is refused with at least one problem; what was
 * taken is printed, and what was printed is taken again and prints the same.
 */
#include "shared/conf.h"
#include "shared/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CEILING ((size_t)16 << 20)

static const struct conf *read_text(struct arena *arena, struct slice text)
{
	struct conf_problems problems;
	const struct conf *conf =
		conf_read_text(arena, "fuzz.conf", text, &problems);
	struct buf words;

	buf_init(&words, CEILING);
	conf_problems_print(&problems, &words);
	BUG_IF((conf == NULL) != (buf_len(&words) > 0));
	buf_deinit(&words);
	return conf;
}

static void print_and_read(const struct conf *conf, bool all)
{
	struct arena arena;
	const struct conf *again;
	struct buf one, two;

	arena_init(&arena, CEILING);
	buf_init(&one, CEILING);
	buf_init(&two, CEILING);
	BUG_IF(!conf_print(conf, all, &one));
	again = read_text(&arena, buf_slice(&one));
	/* A value continued over many lines may be too long for one. */
	BUG_IF(!again && buf_len(&one) < 4096);
	BUG_IF(again && (!conf_print(again, all, &two) ||
			 !slice_equal(buf_slice(&one), buf_slice(&two))));
	buf_deinit(&one);
	buf_deinit(&two);
	arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	const struct conf *conf;

	if (size > 65536)
		return 0;
	arena_init(&arena, CEILING);
	conf = read_text(&arena, slice_of(data, size));
	if (conf) {
		print_and_read(conf, true);
		print_and_read(conf, false);
	}
	arena_deinit(&arena);
	return 0;
}
