#include "server/past.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "shared/clock.h"

#define MINUTE (60 * CLOCK_S)
#define LEVELS 3
#define PLACES (60 + 48 + 30)

/* How far one level reaches back: so many, each so long behind the other. */
struct level_row {
	uint64_t every;
	unsigned first; /* its first place */
	unsigned count;
};

static const struct level_row level_rows[LEVELS] = {
	{ MINUTE, 0, 60 },
	{ 60 * MINUTE, 60, 48 },
	{ 24 * 60 * MINUTE, 60 + 48, 30 },
};

struct place {
	uint64_t at; /* clock_now() + 1; 0: nothing is here */
	uint32_t len;
	char text[PAST_TEXT_MAX];
};

struct past {
	unsigned next[LEVELS]; /* place within the level */
	uint64_t due[LEVELS];
	struct place places[PLACES];
};

struct past *past_new(void)
{
	void *p = mmap(NULL, sizeof(struct past), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, sizeof(struct past), MADV_DONTFORK);
	return p;
}

void past_free(struct past **p)
{
	if (*p)
		munmap(*p, sizeof(struct past));
	*p = NULL;
}

uint64_t past_until(const struct past *p)
{
	/* Longer levels are filled together with the shortest. */
	return p->due[0];
}

static void put(struct past *p, unsigned level, struct slice text,
		uint64_t now)
{
	const struct level_row *row = &level_rows[level];
	struct place *place = &p->places[row->first + p->next[level]];

	p->next[level] = (p->next[level] + 1) % row->count;
	place->at = now + 1;
	place->len = (uint32_t)text.len;
	memcpy(place->text, text.data, text.len);
}

bool past_keep(struct past *p, struct slice text, uint64_t now)
{
	for (unsigned level = 0; level < LEVELS; level++) {
		if (now < p->due[level])
			continue;
		/* A machine that slept does not make up for it. */
		p->due[level] = now + level_rows[level].every;
		if (text.len <= PAST_TEXT_MAX)
			put(p, level, text, now);
	}
	return text.len <= PAST_TEXT_MAX;
}

bool past_find(const struct past *p, uint64_t age, uint64_t now,
	       struct slice *text_out)
{
	const struct place *best = NULL;

	for (unsigned i = 0; i < PLACES; i++) {
		const struct place *place = &p->places[i];

		if (!place->at || place->at - 1 > now ||
		    now - (place->at - 1) < age)
			continue;
		if (!best || place->at > best->at)
			best = place;
	}
	if (best)
		*text_out = slice_of(best->text, best->len);
	return best != NULL;
}
