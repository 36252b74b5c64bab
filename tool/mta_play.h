/*
 * mta_play - plays messages, one session after the other
 *
 * What an SMTP server does around a milter: which commands in which order,
 * what an answer means for recipient, message and connection, when to abort.
 * Tells as it goes (mta_output.h); counts into the caller's totals.
 */
#ifndef TOOL_MTA_PLAY_H
#define TOOL_MTA_PLAY_H

#include "tool/mta_report.h"
#include "tool/mta_settings.h"

struct mta_totals {
	unsigned sessions;
	unsigned messages;
	unsigned verdicts[VERDICT_COUNT];
	/* A session that failed after or outside of its messages. */
	unsigned failed_sessions;
};

/* Plays all files once over in one session; number counts from 1. */
void mta_play_session(const struct mta_settings *set, unsigned number,
		      struct mta_totals *totals);

#endif
