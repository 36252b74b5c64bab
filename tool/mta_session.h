/*
 * mta_session - the playing MTA's half of one milter session
 *
 * Sends commands with their macros, honours what was negotiated, and judges
 * every answer as the strictest MTA would.  A breach of the protocol or a lost
 * connection is noted in the report once; afterwards nothing is sent and
 * every step says ANSWER_COUNT.  Owns the connection.
 */
#ifndef TOOL_MTA_SESSION_H
#define TOOL_MTA_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/milter_command.h"
#include "tool/mta_macro.h"
#include "tool/mta_peer.h"
#include "tool/mta_report.h"
#include "tool/mta_settings.h"

struct mta_session {
	const struct mta_settings *set;
	struct report *report; /* of the message at hand */
	struct mta_peer peer;
	struct arena arena;
	struct buf macros; /* room to put sets together */
	struct option agreed;
	struct mta_known known;
	uint32_t skipped; /* 1 << stage: the milter wants no more of these */
	bool is_broken;	  /* failed: nothing more can be said */
	bool is_quit;
	bool is_in_edits; /* REPLBODY ran, then something else came */
	bool has_body_edit;
	/* What was answered to the last step; good until the next. */
	struct slice reply;
};

/* Connects and negotiates; false: noted in the report. */
bool mta_session_open(struct mta_session *s, const struct mta_settings *set,
		      struct report *report);
/* After QUIT, said here or before, nothing more may come from the milter. */
void mta_session_close(struct mta_session *s, bool says_quit);

/*
 * One command with its macros, and its answer when one is owed: CONTINUE when
 * none is or the milter does not want the command, ANSWER_COUNT after a
 * failure.  `what` is for the report.
 */
enum answer_kind mta_session_step(struct mta_session *s,
				  const struct command *command,
				  struct slice what);
/* The same in two halves, for commands sent before the answers are read. */
bool mta_session_send(struct mta_session *s, const struct command *command,
		      struct slice what, bool *is_owed_out);
enum answer_kind mta_session_receive(struct mta_session *s, enum stage stage,
				     struct slice what, uint64_t since);
/* ABORT, QUIT: nothing is answered. */
void mta_session_tell(struct mta_session *s, enum command_kind kind);

#endif
