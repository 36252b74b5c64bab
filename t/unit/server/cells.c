#include "server/cells.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct conf conf;
static char names[CONF_MILTERS_MAX][16];

static const struct conf *named(const char *const *list, size_t n)
{
	memset(&conf, 0, sizeof(conf));
	for (size_t i = 0; i < n; i++)
		conf.milters[i].name = list[i];
	conf.milter_count = n;
	return &conf;
}

#define NAMED(...) \
	named((const char *const[]){ __VA_ARGS__ }, \
	      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static const struct conf *numbered(const char *prefix, size_t n)
{
	const char *list[CONF_MILTERS_MAX];

	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "%s%zu", prefix, i);
		list[i] = names[i];
	}
	return named(list, n);
}

Test(cells, a_name_keeps_its_cell)
{
	struct cells c;

	cells_init(&c);
	cr_assert(cells_assign(&c, NAMED("a", "b"), 1, 1));
	cr_expect_eq(c.map[0], 0);
	cr_expect_eq(c.map[1], 1);
	cr_assert(cells_assign(&c, NAMED("new", "B", "a"), 2, 1));
	cr_expect_eq(c.map[0], 2);
	cr_expect_eq(c.map[1], 1, "whatever its letters");
	cr_expect_eq(c.map[2], 0);
}

Test(cells, a_name_that_comes_back_finds_its_cell)
{
	struct cells c;

	cells_init(&c);
	cr_assert(cells_assign(&c, NAMED("a", "b"), 1, 1));
	cr_assert(cells_assign(&c, NAMED("b"), 2, 2));
	cr_assert(cells_assign(&c, NAMED("b", "new"), 3, 3));
	cr_expect_eq(c.map[1], 2, "unused cells go first");
	cr_assert(cells_assign(&c, NAMED("b", "a"), 4, 4));
	cr_expect_eq(c.map[1], 0);
	cr_expect_not(c.at[0].is_free);
}

Test(cells, a_freed_cell_waits_for_older_workers)
{
	struct cells c, before;

	cells_init(&c);
	cr_assert(cells_assign(&c, numbered("a", 64), 1, 1));
	cr_assert(cells_assign(&c, numbered("a", 62), 2, 1));
	cr_assert(cells_assign(&c, numbered("a", 63), 3, 1), "a62 is back");
	before = c;
	names[62][0] = 'b';
	cr_expect_not(cells_assign(&c, &conf, 4, 1), "63 is free since 2");
	cr_expect_eq(memcmp(&c, &before, sizeof(c)), 0, "refused is unchanged");
	cr_assert(cells_assign(&c, &conf, 4, 2));
	cr_expect_eq(c.map[62], 63);
	cr_expect_str_eq(c.at[63].name, "b62");
	cr_expect(c.at[62].is_free);
	cr_expect_eq(c.at[62].since, 4);
}

Test(cells, the_longest_free_goes_first)
{
	struct cells c;

	cells_init(&c);
	cr_assert(cells_assign(&c, numbered("a", 64), 1, 1));
	cr_assert(cells_assign(&c, numbered("a", 63), 2, 2));
	cr_assert(cells_assign(&c, numbered("a", 62), 3, 3));
	cr_assert(cells_assign(&c, numbered("b", 1), 4, 3));
	cr_expect_eq(c.map[0], 63);
}

Test(cells, the_board_is_told)
{
	struct board *b = board_new(1, 10);
	struct cells c;

	cr_assert_not_null(b);
	cells_init(&c);
	cr_assert(cells_assign(&c, numbered("a", 64), 1, 1));
	cells_write(&c, b);
	cr_expect_eq(c.fresh, 0);
	cr_expect_str_eq(board_milter_name(b, 63), "a63");
	board_count_milter(b, 0, 63, MILTER_APPLIED, 5);
	cr_assert(cells_assign(&c, numbered("a", 63), 2, 2));
	cells_write(&c, b);
	cr_expect_eq(board_sum_milter(b, 63, MILTER_APPLIED), 5);
	names[62][0] = 'b';
	cr_assert(cells_assign(&c, &conf, 3, 3));
	cells_write(&c, b);
	cr_expect_str_eq(board_milter_name(b, 63), "b62");
	cr_expect_eq(board_sum_milter(b, 63, MILTER_APPLIED), 0);
	board_free(&b);
}

Test(cells, another_program_recalls_them)
{
	struct board *b = board_new(1, 10);
	struct cells c;

	cr_assert_not_null(b);
	board_name_milter(b, 0, "gone");
	board_name_milter(b, 5, "a");
	cells_recall(&c, b, 7);
	cr_assert(cells_assign(&c, NAMED("new", "a"), 7, 6));
	cr_expect_eq(c.map[0], 1);
	cr_expect_eq(c.map[1], 5);
	cr_expect_eq(c.fresh, 2);
	cr_expect(c.at[0].is_free);
	board_free(&b);
}
