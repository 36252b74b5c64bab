#include "shared/board.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const state_names[] = {
	[SLOT_FREE] = "free",	    [SLOT_STARTING] = "starting",
	[SLOT_IDLE] = "idle",	    [SLOT_BUSY] = "busy",
	[SLOT_LEAVING] = "leaving", [SLOT_RESERVE] = "reserve",
};
static const char *const outcome_names[] = {
	[OUTCOME_ACCEPT] = "accept",	 [OUTCOME_REJECT] = "reject",
	[OUTCOME_TEMPFAIL] = "tempfail", [OUTCOME_DISCARD] = "discard",
	[OUTCOME_QUARANTINE] = "quarantine",
	[OUTCOME_ABORT] = "abort",	 [OUTCOME_LOST] = "lost",
};
static const char *const cause_names[] = {
	[CAUSE_NONE] = "none", [CAUSE_MILTER] = "milter",
	[CAUSE_POLICY] = "policy", [CAUSE_RULE] = "rule",
	[CAUSE_OWN] = "own",
};
static const char *const answer_names[] = {
	[ANSWERED_CONTINUE] = "continue", [ANSWERED_ACCEPT] = "accept",
	[ANSWERED_REJECT] = "reject",	  [ANSWERED_TEMPFAIL] = "tempfail",
	[ANSWERED_DISCARD] = "discard",	  [ANSWERED_SKIP] = "skip",
};
_Static_assert(COUNT(state_names) == SLOT_STATES, "a state has no name");
_Static_assert(COUNT(outcome_names) == OUTCOMES, "an outcome has no name");
_Static_assert(COUNT(cause_names) == CAUSES, "a cause has no name");
_Static_assert(COUNT(answer_names) == BOARD_ANSWERS, "an answer has no name");

/* What stands in shared memory may be anything. */
static const char *name_of(const char *const *names, size_t n, unsigned value)
{
	return value < n ? names[value] : "?";
}

const char *board_state_name(unsigned state)
{
	return name_of(state_names, COUNT(state_names), state);
}

const char *board_outcome_name(unsigned outcome)
{
	return name_of(outcome_names, COUNT(outcome_names), outcome);
}

const char *board_cause_name(unsigned cause)
{
	return name_of(cause_names, COUNT(cause_names), cause);
}

const char *board_answer_name(unsigned answer)
{
	return name_of(answer_names, COUNT(answer_names), answer);
}
