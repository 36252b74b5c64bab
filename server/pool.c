#include "server/pool.h"

#include <limits.h>

static unsigned missing(unsigned wanted, unsigned there)
{
	return wanted > there ? wanted - there : 0;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned find_need(const struct pool_limits *l,
			  const struct pool_seen *seen)
{
	unsigned available = seen->idle + seen->starting;
	unsigned spare = missing(l->spare_min, available);
	unsigned least = missing(l->min, missing(seen->alive, seen->leaving));

	/* How many wait is not known, only that nobody will take them. */
	if (seen->waiting && !available)
		return UINT_MAX;
	return spare > least ? spare : least;
}

static unsigned find_surplus(const struct pool_limits *l,
			     const struct pool_seen *seen,
			     struct pool_memory *memory, uint64_t now)
{
	unsigned staying = missing(seen->alive, seen->leaving);
	unsigned surplus = smaller(missing(seen->idle, l->spare_max),
				   missing(staying, l->min));

	if (!surplus) {
		memory->rich_since = 0;
		return 0;
	}
	if (!memory->rich_since)
		memory->rich_since = now;
	if (now - memory->rich_since < POOL_RICH_TIME)
		return 0;
	memory->rich_since = 0;
	return surplus;
}

struct pool_plan pool_look(const struct pool_limits *limits,
			   const struct pool_seen *seen,
			   struct pool_memory *memory, uint64_t now)
{
	struct pool_plan plan = { 0, 0, false };
	unsigned need = find_need(limits, seen);
	unsigned room = missing(limits->max, seen->alive);

	if (!need) {
		memory->step = 0;
		plan.retire = find_surplus(limits, seen, memory, now);
		return plan;
	}
	memory->rich_since = 0;
	if (!memory->step)
		memory->step = 1;
	plan.add = smaller(smaller(need, memory->step), room);
	plan.again = plan.add < smaller(need, room);
	memory->step = smaller(memory->step * 2, POOL_STEP_MAX);
	return plan;
}

bool pace_is_paused(const struct pace *p, uint64_t now)
{
	return now < p->not_before;
}

bool pace_trouble(struct pace *p, uint64_t now)
{
	if (pace_is_paused(p, now))
		return false;
	if (!p->pause || now - p->not_before > PACE_FORGET)
		p->pause = PACE_FIRST;
	else
		p->pause = p->pause * 2 < PACE_LONGEST ? p->pause * 2 :
							 PACE_LONGEST;
	p->not_before = now + p->pause;
	return true;
}

bool pace_death(struct pace *p, uint64_t now, bool early)
{
	if (!p->deaths || now - p->window > PACE_WINDOW) {
		p->window = now;
		p->deaths = 0;
	}
	p->deaths++;
	if (!early && p->deaths <= PACE_DEATHS)
		return false;
	return pace_trouble(p, now);
}

bool pace_well(struct pace *p)
{
	bool had_trouble = p->pause != 0;

	p->not_before = 0;
	p->pause = 0;
	return had_trouble;
}
