#include "t/unit/support/reading.h"

#include <criterion/criterion.h>

void reading_slice(struct reading *r, struct slice text)
{
	arena_init(&r->arena, 64u << 20);
	buf_init(&r->words, 1u << 20);
	r->conf = conf_read_text(&r->arena, "t.conf", text, &r->problems);
	conf_problems_print(&r->problems, &r->words);
	cr_assert(buf_add_byte(&r->words, '\0'));
	cr_expect_eq(r->conf == NULL, r->problems.count > 0);
}

void reading_text(struct reading *r, const char *text)
{
	reading_slice(r, slice_str(text));
}

void reading_done(struct reading *r)
{
	buf_deinit(&r->words);
	arena_deinit(&r->arena);
}

const char *reading_words(const struct reading *r)
{
	return r->words.data + r->words.start;
}

void reading_good(struct reading *r, const char *text)
{
	reading_text(r, text);
	cr_assert_not_null(r->conf, "%s\n---\n%s", text, reading_words(r));
}

void reading_says(const char *text, const char *wanted)
{
	struct reading r;

	reading_text(&r, text);
	cr_expect_null(r.conf, "taken: %s", text);
	cr_expect_str_eq(reading_words(&r), wanted);
	reading_done(&r);
}
