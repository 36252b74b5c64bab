/*
 * mta_options - from sekisho-mta's command line to its settings
 */
#ifndef TOOL_MTA_OPTIONS_H
#define TOOL_MTA_OPTIONS_H

#include "shared/arena.h"
#include "tool/mta_settings.h"

/*
 * Reads files and resolves the socket too.  -1: play; else the exit status,
 * what is wrong was said on stderr.
 */
int mta_options_read(char **argv, struct arena *arena,
		     struct mta_settings *set_out);

#endif
