/* Random numbers, memory and text for the property test. */
#include "t/prop/prop.h"

#include <stdarg.h>
#include <stdlib.h>

/* splitmix64: every start value is a good one. */
uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

unsigned rng_below(struct rng *r, unsigned n)
{
	return (unsigned)(rng_next(r) >> 32) % n;
}

bool rng_once_in(struct rng *r, unsigned n)
{
	return rng_below(r, n) == 0;
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("# chain_prop: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(99);
}

void *take(struct arena *a, size_t n, size_t size)
{
	void *p = arena_take_n(a, n, size);

	if (!p)
		die("out of memory");
	return p;
}

struct slice keep(struct arena *a, struct slice s)
{
	struct slice copy;

	if (!arena_copy(a, s, &copy))
		die("out of memory");
	return copy;
}

struct slice text(struct arena *a, const char *format, ...)
{
	char room[4096];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(room, sizeof(room), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(room))
		die("a text that is too long");
	return keep(a, slice_of(room, (size_t)n));
}

void put(struct buf *b, struct slice s)
{
	if (!buf_add(b, s))
		die("no room in a buffer");
}
