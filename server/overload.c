#include "server/overload.h"

#include "shared/log.h"

struct overload_plan overload_plan(struct overload *o,
				   const struct overload_seen *seen,
				   uint64_t now)
{
	struct overload_plan plan = { .next_look = CLOCK_NEVER };
	bool waits = seen->full && seen->waiting;

	if (!waits)
		o->waits_since = 0;
	else if (!o->waits_since)
		o->waits_since = now;
	if (o->began && !waits && !seen->reserve) {
		plan.ends = true;
		return plan;
	}
	if (seen->full)
		plan.next_look = now + OVERLOAD_LOOK;
	if (!waits || seen->reserve >= OVERLOAD_RESERVE ||
	    now - o->waits_since < (o->began ? OVERLOAD_LOOK : OVERLOAD_WAIT))
		return plan;
	plan.begins = !o->began;
	plan.fork = true;
	o->waits_since = now; /* the new one has its time, too */
	return plan;
}

static uint64_t sum(const struct spawn *spawn, enum board_counter counter)
{
	return board_sum(spawn->board, counter);
}

static const char *policy_of(const struct spawn *spawn)
{
	return spawn->conf->on_overload == OVERLOAD_ACCEPT ? "accept" :
							     "tempfail";
}

static void begin(struct overload *o, const struct spawn *spawn,
		  unsigned workers_max, uint64_t now)
{
	o->began = now;
	o->sessions = sum(spawn, COUNT_OVERLOADED_SESSIONS);
	o->messages = sum(spawn, COUNT_OVERLOADED_MESSAGES);
	log_warn("overload: all %u workers are busy and connections have waited for %.0f s; new ones get on_overload = %s and no milter is asked; if this comes often, raise workers_max",
		 workers_max, (double)OVERLOAD_WAIT / (double)CLOCK_S,
		 policy_of(spawn));
}

void overload_end(struct overload *o, const struct spawn *spawn)
{
	if (!o->began)
		return;
	log_warn("overload is over after %.0f s: %llu connections were taken by reserve workers, %llu messages got on_overload = %s",
		 (double)(clock_now() - o->began) / (double)CLOCK_S,
		 (unsigned long long)(sum(spawn, COUNT_OVERLOADED_SESSIONS) -
				      o->sessions),
		 (unsigned long long)(sum(spawn, COUNT_OVERLOADED_MESSAGES) -
				      o->messages),
		 policy_of(spawn));
	*o = (struct overload){ 0 };
}

uint64_t overload_look(struct overload *o, struct spawn *spawn,
		       unsigned workers_max)
{
	uint64_t now = clock_now();
	struct overload_seen seen = { .reserve = spawn_reserves(spawn) };
	struct overload_plan plan;
	struct pool_seen pool;

	spawn_count(spawn, &pool);
	seen.full = pool.alive >= workers_max && !pool.idle && !pool.starting;
	seen.waiting = seen.full && listen_has_waiting(spawn->listen);
	plan = overload_plan(o, &seen, now);
	if (plan.begins)
		begin(o, spawn, workers_max, now);
	if (plan.fork && !spawn_paused_until(spawn, now))
		(void)spawn_reserve(spawn);
	if (plan.ends)
		overload_end(o, spawn);
	return plan.next_look;
}
