/*
 * mta_output - where reports and edited messages go
 *
 * With several processes each report is written whole, by one at a time.
 */
#ifndef TOOL_MTA_OUTPUT_H
#define TOOL_MTA_OUTPUT_H

#include "tool/mta_report.h"
#include "tool/mta_settings.h"

/* On stdout, or stderr when edited messages go to stdout. */
void mta_output_report(const struct mta_settings *set, const struct report *r);
/*
 * To the file of --output; when there are several messages, session and
 * message are appended to its name: FILE.1.2.  Nothing without --output.
 * False with errno.
 */
bool mta_output_message(const struct mta_settings *set, const struct report *r,
			struct slice message);

#endif
