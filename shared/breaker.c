#include "shared/breaker.h"

#include "shared/clock.h"

/* Two bits of state, sixteen of score, and milliseconds in the rest. */
#define STATE_BITS 2
#define SCORE_BITS 16
#define SCORE_MAX  ((1u << SCORE_BITS) - 1)

struct breaker breaker_of(uint64_t word)
{
	unsigned state = (unsigned)(word & 3);

	return (struct breaker){
		/* A fourth state nobody writes is as good as closed. */
		.state = state > BREAKER_TRIAL ? BREAKER_CLOSED :
						 (enum breaker_state)state,
		.score = (unsigned)(word >> STATE_BITS) & SCORE_MAX,
		.since = (word >> (STATE_BITS + SCORE_BITS)) * CLOCK_MS,
	};
}

uint64_t breaker_word(struct breaker b)
{
	unsigned score = b.score > SCORE_MAX ? SCORE_MAX : b.score;

	return (uint64_t)b.state | (uint64_t)score << STATE_BITS |
	       b.since / CLOCK_MS << (STATE_BITS + SCORE_BITS);
}

static uint64_t open_at(unsigned score, uint64_t now)
{
	return breaker_word((struct breaker){ BREAKER_OPEN, score, now });
}

/* Since when it has been open, for the pause to be over now. */
static uint64_t pause_over(const struct breaker_limits *limits, uint64_t now)
{
	return now > limits->pause ? now - limits->pause : now;
}

bool breaker_may_ask(uint64_t word, const struct breaker_limits *limits,
		     uint64_t now, uint64_t *next_out)
{
	struct breaker b = breaker_of(word);

	*next_out = word;
	if (b.state == BREAKER_CLOSED || !limits->failures)
		return true;
	if (now < b.since + limits->pause)
		return false;
	b.state = BREAKER_TRIAL;
	b.since = now;
	*next_out = breaker_word(b);
	return true;
}

uint64_t breaker_after_failure(uint64_t word,
			       const struct breaker_limits *limits,
			       uint64_t now)
{
	struct breaker b = breaker_of(word);

	if (!limits->failures)
		return 0;
	switch (b.state) {
	case BREAKER_TRIAL:
		return open_at(b.score, now);
	case BREAKER_OPEN:
		return word; /* of a session from before: no news */
	case BREAKER_CLOSED:
		break;
	}
	b.score += BREAKER_FAILURE;
	if (b.score >= BREAKER_FAILURE * limits->failures)
		return open_at(b.score, now);
	return breaker_word(b);
}

uint64_t breaker_after_success(uint64_t word, uint64_t now)
{
	struct breaker b = breaker_of(word);

	switch (b.state) {
	case BREAKER_OPEN:
		return word; /* of a session from before it opened */
	case BREAKER_TRIAL:
		return breaker_word(
			(struct breaker){ BREAKER_CLOSED, 0, now });
	case BREAKER_CLOSED:
		break;
	}
	if (b.score)
		b.score -= BREAKER_SUCCESS;
	return breaker_word(b);
}

uint64_t breaker_after_nothing(uint64_t word,
			       const struct breaker_limits *limits,
			       uint64_t lease, uint64_t now)
{
	struct breaker b = breaker_of(word);

	if (b.state != BREAKER_TRIAL || b.since != lease)
		return word;
	return open_at(b.score, pause_over(limits, now));
}

uint64_t breaker_after_probe(uint64_t word, const struct breaker_limits *limits,
			     bool answered, uint64_t now)
{
	struct breaker b = breaker_of(word);

	if (b.state != BREAKER_OPEN)
		return word;
	b.since = answered ? pause_over(limits, now) : now;
	return breaker_word(b);
}

const char *breaker_state_name(enum breaker_state state)
{
	static const char *const names[] = {
		[BREAKER_CLOSED] = "closed",
		[BREAKER_OPEN] = "open",
		[BREAKER_TRIAL] = "trial",
	};

	return names[state];
}
