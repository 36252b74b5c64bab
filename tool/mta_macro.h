/*
 * mta_macro - which macros the playing MTA sends with a command
 *
 * The names are those of the milter's list when it gave one, else the
 * defaults of Postfix or Sendmail (milter-protocol 2.5); the values are made
 * up from the settings, and the user's own come first.
 */
#ifndef TOOL_MTA_MACRO_H
#define TOOL_MTA_MACRO_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/milter.h"
#include "tool/mta_settings.h"

/* What is known by now. */
struct mta_known {
	struct slice queue_id; /* empty: none yet */
	struct slice sender;
	struct slice rcpt;
	struct slice rcpt_refusal; /* of the MTA; empty: it took it */
	struct slice message_id;
};

struct mta_macro_list {
	bool is_given;
	struct slice names;
};

/* Appends name NUL value NUL for each that is defined.  False: no room. */
bool mta_macro_pairs(const struct mta_settings *set,
		     const struct mta_known *known, enum stage stage,
		     struct mta_macro_list list, struct buf *out);

#endif
