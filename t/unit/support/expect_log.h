/*
 * expect_log - a test announces the warnings and errors it provokes
 *
 * Between begin and end every line goes here instead of a sink.  A warning
 * or an error must be the one announced next, else the test fails; so does
 * one announced that never came.  Lower lines are let pass unannounced.
 */
#ifndef T_UNIT_SUPPORT_EXPECT_LOG_H
#define T_UNIT_SUPPORT_EXPECT_LOG_H

#include "shared/log.h"

void expect_log_begin(void);
/* The next line of this level must contain the part (kept as a pointer). */
void expect_log(enum log_level level, const char *part);
void expect_log_end(void);
/* The last line of any level since begin, "" for none. */
const char *expect_log_last(void);
/* Lines of any level since begin. */
unsigned expect_log_count(void);

#endif
