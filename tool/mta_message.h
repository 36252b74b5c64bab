/*
 * mta_message - carries out a milter's edits as Postfix or Sendmail would
 *
 * The edits come from the report and the result goes back into it: sender,
 * recipients, quarantine, body.  The edited message is text with CRLF, without
 * what the MTA itself would put on top.  Fails by false: no memory.
 */
#ifndef TOOL_MTA_MESSAGE_H
#define TOOL_MTA_MESSAGE_H

#include <stdbool.h>

#include "shared/buf.h"
#include "tool/eml.h"
#include "tool/mta_report.h"

/* has_leadspc: HDR_LEADSPC was granted, values bring their own blank. */
bool mta_message_edit(struct report *r, const struct eml *eml, enum mta mta,
		      bool has_leadspc, struct buf *out);

#endif
