#include "shared/arena.h"

#include <criterion/criterion.h>
#include <stdalign.h>
#include <stdint.h>

#define KIB ((size_t)1024)

Test(arena, memory_is_zeroed_aligned_and_apart)
{
	struct arena a;
	unsigned char *last = NULL;

	arena_init(&a, 1024 * KIB);
	for (size_t size = 0; size < 300; size++) {
		unsigned char *p = arena_take(&a, size);

		cr_assert_not_null(p);
		cr_assert_eq((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			cr_assert_eq(p[i], 0);
		memset(p, 0xee, size);
		if (last && size > 1)
			cr_assert_neq(p, last);
		last = p;
	}
	arena_deinit(&a);
	cr_assert_eq(a.used, 0);
}

Test(arena, reset_gives_zeroed_memory_again)
{
	struct arena a;

	arena_init(&a, 1024 * KIB);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 12; i++) {
			unsigned char *p = arena_take(&a, 10000);

			cr_assert_not_null(p);
			for (size_t at = 0; at < 10000; at++)
				cr_assert_eq(p[at], 0, "round %d", round);
			memset(p, 0xee, 10000);
		}
		cr_assert_gt(a.used, 64 * KIB);
		arena_reset(&a);
		cr_assert_leq(a.used, 64 * KIB, "one small chunk is kept");
	}
	arena_deinit(&a);
}

Test(arena, reset_gives_large_chunks_back)
{
	struct arena a;

	arena_init(&a, 4096 * KIB);
	cr_assert_not_null(arena_take(&a, 1024 * KIB));
	arena_reset(&a);
	cr_assert_eq(a.used, 0);
	cr_assert_not_null(arena_take(&a, 1));
	arena_deinit(&a);
}

Test(arena, the_ceiling_holds_and_is_remembered)
{
	struct arena a;
	size_t taken = 0;

	arena_init(&a, 256 * KIB);
	cr_assert_not(arena_failed(&a));
	while (arena_take(&a, 1000))
		taken += 1000;
	cr_assert(arena_failed(&a));
	cr_assert_lt(taken, 256 * KIB);
	cr_assert_gt(taken, 240 * KIB);
	cr_assert_leq(a.used, 256 * KIB);
	arena_reset(&a);
	cr_assert_not(arena_failed(&a));
	cr_assert_not_null(arena_take(&a, 1000));
	cr_assert_null(arena_take(&a, 256 * KIB));
	arena_deinit(&a);
}

Test(arena, sizes_that_cannot_be)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 64,
					SIZE_MAX / 2 };
	/* Out of the compiler's sight, which would warn of them. */
	volatile size_t n = SIZE_MAX / 2;
	struct arena a;

	arena_init(&a, SIZE_MAX);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		volatile size_t size = sizes[i];

		cr_expect_null(arena_take(&a, size), "%zu", sizes[i]);
		cr_expect(arena_failed(&a));
	}
	cr_expect_null(arena_take_n(&a, n, 3));
	arena_reset(&a);
	cr_expect_not_null(arena_take_n(&a, 0, 100));
	cr_expect_not_null(arena_take_n(&a, 10, 100));
	arena_deinit(&a);
}

Test(arena, copies_end_in_a_nul)
{
	struct arena a;
	struct slice copy;
	char text[] = "text";
	char *s;

	arena_init(&a, 64 * KIB);
	cr_assert(arena_copy(&a, slice_of(text, 4), &copy));
	s = arena_str(&a, slice_of(text, 3));
	text[0] = 'n';
	cr_assert(slice_is(copy, "text"));
	cr_assert_eq(copy.data[4], '\0');
	cr_assert_str_eq(s, "tex");
	cr_assert(arena_copy(&a, SLICE_EMPTY, &copy));
	cr_assert_eq(copy.len, 0);
	while (arena_take(&a, 1000))
		continue;
	while (arena_take(&a, 1))
		continue;
	cr_assert_not(arena_copy(&a, slice_of(text, 4), &copy));
	cr_assert_eq(copy.len, 0);
	cr_assert_null(arena_str(&a, SLICE_LIT("x")));
	arena_deinit(&a);
}
