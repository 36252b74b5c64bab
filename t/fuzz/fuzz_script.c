/*
 * fuzz_script - text as a script of either player
 *
 * What can be cut into words, quoted again and joined gives the same words.
 */
#include <stddef.h>
#include <stdint.h>

#include "shared/log.h"
#include "tool/milter_rule.h"
#include "tool/mta_script.h"

#define ARENA_MAX ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(struct buf *b, const struct script *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct script_statement *t = &s->statements[i];

		for (size_t k = 0; k < t->count; k++)
			BUG_IF(!script_quote(b, t->words[k].text) ||
			       !buf_add_byte(b, ' '));
		BUG_IF(!buf_add_byte(b, '\n'));
	}
}

static void compare(const struct script *a, const struct script *b)
{
	BUG_IF(a->count != b->count);
	for (size_t i = 0; i < a->count; i++) {
		BUG_IF(a->statements[i].count != b->statements[i].count);
		for (size_t k = 0; k < a->statements[i].count; k++)
			BUG_IF(!slice_equal(a->statements[i].words[k].text,
					    b->statements[i].words[k].text));
	}
}

static void try_words(struct arena *arena, struct slice text)
{
	struct script_error error;
	struct script first, second;
	struct buf b;

	if (!script_parse(arena, text, &first, &error)) {
		BUG_IF(!error.text[0]);
		return;
	}
	buf_init(&b, text.len * 8 + 16);
	print(&b, &first);
	BUG_IF(!script_parse(arena, buf_slice(&b), &second, &error));
	compare(&first, &second);
	buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct script_error error;
	struct mta_script script;
	struct rules rules;
	struct arena arena;

	/* A longer one would only be slow. */
	if (size > 65536)
		return 0;
	arena_init(&arena, ARENA_MAX);
	try_words(&arena, text);
	(void)rules_parse(&arena, text, &rules, &error);
	arena_reset(&arena);
	(void)mta_script_parse(&arena, text, &script, &error);
	arena_deinit(&arena);
	return 0;
}
