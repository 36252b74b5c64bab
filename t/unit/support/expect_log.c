#include "t/unit/support/expect_log.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define EXPECT_MAX 64

static struct {
	struct {
		enum log_level level;
		const char *part;
	} wanted[EXPECT_MAX];
	unsigned announced;
	unsigned came;
	unsigned lines;
	char last[8192];
} state;

static void take(enum log_level level, const char *line)
{
	state.lines++;
	snprintf(state.last, sizeof(state.last), "%s", line);
	if (state.came < state.announced &&
	    state.wanted[state.came].level == level) {
		const char *part = state.wanted[state.came].part;

		cr_assert_not_null(strstr(line, part),
				   "line \"%s\" lacks \"%s\"", line, part);
		state.came++;
		return;
	}
	cr_assert(level < LOG_LEVEL_WARN, "not announced: \"%s\"", line);
}

void expect_log_begin(void)
{
	state.announced = state.came = state.lines = 0;
	state.last[0] = '\0';
	log_capture(take);
}

void expect_log(enum log_level level, const char *part)
{
	cr_assert_lt(state.announced, EXPECT_MAX);
	state.wanted[state.announced].level = level;
	state.wanted[state.announced++].part = part;
}

void expect_log_end(void)
{
	log_capture(NULL);
	cr_assert_eq(state.came, state.announced,
		     "announced but did not come: \"%s\"",
		     state.wanted[state.came].part);
}

const char *expect_log_last(void)
{
	return state.last;
}

unsigned expect_log_count(void)
{
	return state.lines;
}
