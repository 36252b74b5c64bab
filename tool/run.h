/*
 * run - a program's output, waited for no longer than a deadline
 *
 * Runs it without a shell and with nothing on its standard input; what it
 * complains about is thrown away.  Past the deadline it is killed.  False: it
 * is not there, did not end well or in time, or said too much.
 */
#ifndef TOOL_RUN_H
#define TOOL_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"

bool run(char *const *argv, uint64_t timeout, struct buf *out)
	__attribute__((warn_unused_result));

#endif
