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

static const char *const counter_names[] = {
	[COUNT_SESSIONS] = "sessions",
	[COUNT_SESSIONS_REFUSED] = "sessions_refused",
	[COUNT_SESSIONS_LOST] = "sessions_lost",
	[COUNT_MESSAGES] = "messages",
	[COUNT_RECIPIENTS] = "recipients",
	[COUNT_RECIPIENTS_REFUSED] = "recipients_refused",
	[COUNT_BYTES] = "bytes",
	[COUNT_PROTOCOL_ERRORS] = "protocol_errors",
	[COUNT_RESOURCE_FAILURES] = "resource_failures",
	[COUNT_EDITS_DROPPED] = "edits_dropped",
	[COUNT_CUT_PACKETS] = "cut_packets",
	[COUNT_LIMIT_HITS] = "limit_hits",
	[COUNT_FAILED_LOOKUPS] = "failed_lookups",
	[COUNT_OVERLOADED_SESSIONS] = "overloaded_sessions",
	[COUNT_OVERLOADED_MESSAGES] = "overloaded_messages",
	[COUNT_WORKER_STARTS] = "worker_starts",
	[COUNT_WORKER_DEATHS] = "worker_deaths",
	[COUNT_RELOADS] = "reloads",
	[COUNT_LOG_LINES_LOST] = "log_lines_lost",
};
static const char *const milter_names[] = {
	[MILTER_APPLIED] = "applied",
	[MILTER_EVALUATED] = "evaluated",
	[MILTER_DECIDED] = "decided",
	[MILTER_SKIPPED_CONDITION] = "skipped_condition",
	[MILTER_SKIPPED_RULE] = "skipped_rule",
	[MILTER_SKIPPED_SWITCH] = "skipped_switch",
	[MILTER_SKIPPED_BREAKER] = "skipped_breaker",
	[MILTER_SKIPPED_OTHER] = "skipped_other",
	[MILTER_CONNECTS] = "connects",
	[MILTER_WAITS] = "waits",
	[MILTER_QUARANTINED] = "quarantined",
	[MILTER_EDITS] = "edits",
	[MILTER_FAILED_CONNECT] = "failed_connect",
	[MILTER_FAILED_TIMEOUT] = "failed_timeout",
	[MILTER_FAILED_EOF] = "failed_eof",
	[MILTER_FAILED_PROTOCOL] = "failed_protocol",
	[MILTER_LATE] = "late",
	[MILTER_PASSED_WITHOUT] = "passed_without",
	[MILTER_REJOINED] = "rejoined",
	[MILTER_OPENED] = "opened",
};
_Static_assert(COUNT(counter_names) == BOARD_COUNTERS, "one has no name");
_Static_assert(COUNT(milter_names) == BOARD_MILTER_COUNTERS, "one has no name");

const char *board_counter_name(unsigned counter)
{
	return name_of(counter_names, COUNT(counter_names), counter);
}

const char *board_milter_counter_name(unsigned counter)
{
	return name_of(milter_names, COUNT(milter_names), counter);
}
