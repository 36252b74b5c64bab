/*
 * tri - true, false, not known yet
 *
 * The logic of conditions (Kleene's strong one): an answer is given as soon
 * as what is still unknown cannot change it.  Pure tables; nothing fails.
 */
#ifndef SHARED_TRI_H
#define SHARED_TRI_H

#include <stdbool.h>

enum tri { TRI_FALSE, TRI_TRUE, TRI_UNKNOWN };

#define TRI_COUNT 3

static inline enum tri tri_of(bool b)
{
	return b ? TRI_TRUE : TRI_FALSE;
}

/* clang-format off */
static inline enum tri tri_not(enum tri a)
{
	static const enum tri table[TRI_COUNT] = {
		[TRI_FALSE]   = TRI_TRUE,
		[TRI_TRUE]    = TRI_FALSE,
		[TRI_UNKNOWN] = TRI_UNKNOWN,
	};

	return table[a];
}

static inline enum tri tri_and(enum tri a, enum tri b)
{
	static const enum tri table[TRI_COUNT][TRI_COUNT] = {
		/*                 false      true         unknown */
		[TRI_FALSE]   = { TRI_FALSE, TRI_FALSE,   TRI_FALSE },
		[TRI_TRUE]    = { TRI_FALSE, TRI_TRUE,    TRI_UNKNOWN },
		[TRI_UNKNOWN] = { TRI_FALSE, TRI_UNKNOWN, TRI_UNKNOWN },
	};

	return table[a][b];
}

static inline enum tri tri_or(enum tri a, enum tri b)
{
	static const enum tri table[TRI_COUNT][TRI_COUNT] = {
		/*                 false        true      unknown */
		[TRI_FALSE]   = { TRI_FALSE,   TRI_TRUE, TRI_UNKNOWN },
		[TRI_TRUE]    = { TRI_TRUE,    TRI_TRUE, TRI_TRUE },
		[TRI_UNKNOWN] = { TRI_UNKNOWN, TRI_TRUE, TRI_UNKNOWN },
	};

	return table[a][b];
}
/* clang-format on */

#endif
