#include "shared/tri.h"

#include <criterion/criterion.h>

#define F TRI_FALSE
#define T TRI_TRUE
#define U TRI_UNKNOWN

Test(tri, full_tables)
{
	static const struct {
		enum tri a, b, and, or;
	} rows[] = {
		{ F, F, F, F }, { F, T, F, T }, { F, U, F, U },
		{ T, F, F, T }, { T, T, T, T }, { T, U, U, T },
		{ U, F, F, U }, { U, T, U, T }, { U, U, U, U },
	};

	cr_assert_eq(sizeof(rows) / sizeof(rows[0]), TRI_COUNT * TRI_COUNT);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(tri_and(rows[i].a, rows[i].b), rows[i].and,
			     "%d and %d", rows[i].a, rows[i].b);
		cr_expect_eq(tri_or(rows[i].a, rows[i].b), rows[i].or,
			     "%d or %d", rows[i].a, rows[i].b);
	}
	cr_assert_eq(tri_not(F), T);
	cr_assert_eq(tri_not(T), F);
	cr_assert_eq(tri_not(U), U);
	cr_assert_eq(tri_of(true), T);
	cr_assert_eq(tri_of(false), F);
}

/* What is known never depends on what an unknown one turns out to be. */
Test(tri, answers_hold_whatever_the_unknown_becomes)
{
	for (int a = 0; a < TRI_COUNT; a++)
		for (int later = 0; later < 2; later++) {
			enum tri x = (enum tri)a, y = (enum tri)later;
			enum tri and = tri_and(x, U), or = tri_or(x, U);

			cr_expect(and == U || and == tri_and(x, y));
			cr_expect(or == U || or == tri_or(x, y));
			/* De Morgan */
			cr_expect_eq(tri_not(tri_and(x, y)),
				     tri_or(tri_not(x), tri_not(y)));
		}
}
