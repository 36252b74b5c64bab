/*
 * breaker - leaves a broken child milter alone: a pure step on one word
 *
 * CLOSED: it is asked.  Each failure adds 4 to a score and each success takes
 * 1, so that one failure in five is too many; at 4 x `failures` it opens.
 * OPEN: nobody asks it; its failure policy holds at once.  When `pause` has
 * passed since it opened (or since a probe failed), one session gets a lease:
 * TRIAL: that one asks it; success closes, failure opens again, and who has
 * learned nothing gives the lease back.  Nobody need come back: a lease ends
 * after `pause`, and the next session takes another.
 *
 * Only the steps from one word to the next stand here.  The word is shared by
 * all workers; the board swaps the new one in and tries again when another
 * was faster.  Times are clock_now(); the word keeps milliseconds.
 */
#ifndef SHARED_BREAKER_H
#define SHARED_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_TRIAL };

#define BREAKER_FAILURE 4
#define BREAKER_SUCCESS 1

struct breaker {
	enum breaker_state state;
	unsigned score; /* at most 65,535 */
	uint64_t since; /* of the state; microseconds, whole milliseconds */
};

/* The settings of one child. */
struct breaker_limits {
	unsigned failures; /* 0: it never opens */
	uint64_t pause;	   /* microseconds */
};

/* The word 0 is CLOSED with no failures. */
struct breaker breaker_of(uint64_t word);
uint64_t breaker_word(struct breaker b);

/*
 * May a session ask the child now?  True: *next_out is the word to swap in;
 * when it differs from `word`, this session takes the lease, and only if its
 * swap succeeds.  False: it is open; the policy holds.
 */
bool breaker_may_ask(uint64_t word, const struct breaker_limits *limits,
		     uint64_t now, uint64_t *next_out);
/* What a session has seen of the child; the word to swap in. */
uint64_t breaker_after_failure(uint64_t word,
			       const struct breaker_limits *limits,
			       uint64_t now);
uint64_t breaker_after_success(uint64_t word, uint64_t now);
/*
 * The session whose lease began at `lease` has learned nothing: the next one
 * may try at once.  The word as it is when the lease is another's by now.
 */
uint64_t breaker_after_nothing(uint64_t word,
			       const struct breaker_limits *limits,
			       uint64_t lease, uint64_t now);
/*
 * What the supervisor's probe has seen while it is open: the next session may
 * try at once, or not before another pause.  Otherwise the word as it is.
 */
uint64_t breaker_after_probe(uint64_t word, const struct breaker_limits *limits,
			     bool answered, uint64_t now);
/* "closed", "open", "trial". */
const char *breaker_state_name(enum breaker_state state);

#endif
