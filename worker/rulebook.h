/*
 * rulebook - what the rules of the settings have said in this session
 *
 * Runs them at a stage, carries out what concerns children (skip, accept) and
 * log, and keeps what is for later: macros that ride with this and later
 * stages and with replays, headers and quarantines for the end of the message.
 * A verdict is handed to the session.  Texts live in the session's or the
 * message's arena, as long as what they are about.
 */
#ifndef WORKER_RULEBOOK_H
#define WORKER_RULEBOOK_H

#include <stdbool.h>

#include "shared/rule.h"
#include "worker/journal.h"
#include "worker/verdict.h"

struct chain;

/* A macro set by a rule, with the stage from which on it rides. */
struct rulebook_macro {
	struct rulebook_macro *next;
	enum stage from;
	struct slice name;
	struct slice value;
	bool if_missing;
};

struct rulebook {
	const struct rules *rules;
	struct rule_state state;
	struct rulebook_macro *of_connection;
	struct rulebook_macro *of_message;
	struct rule_header *headers;   /* in order */
	struct rule_note *quarantine;  /* in order */
	bool accepts_connection; /* an accept at connect or helo: no rule any more */
	bool accepts_message;
	uint64_t skip_connection;      /* bit i: milter i is left out */
	struct buf pairs; /* macros of one packet, while it is put together */
};

enum rulebook_said {
	RULES_SILENT,
	RULES_ACCEPT, /* carried out: no child is asked any more */
	RULES_NO,     /* *verdict_out is set */
};

void rulebook_init(struct rulebook *b, const struct rules *rules);
/* False: no memory. */
bool rulebook_begin_session(struct rulebook *b, struct arena *session);
void rulebook_begin_helo(struct rulebook *b);
void rulebook_begin_message(struct rulebook *b);
/* Before the message's arena is reset: nothing points into it any more. */
void rulebook_end_message(struct rulebook *b);

/*
 * Runs the rules of a stage, before its milters or behind them.  No memory
 * gives RULES_NO with a tempfail, and chain->no_space.
 */
enum rulebook_said rulebook_run(struct chain *c, enum stage stage, bool behind,
				struct verdict *verdict_out);
/*
 * The macros for a command of that stage: the MTA's own and those of rules,
 * these in front, for the first of a name wins.  Good until the next call;
 * without memory the MTA's own.
 */
struct journal_macros rulebook_macros(struct rulebook *b, enum stage stage,
				      const struct journal_macros *mtas);

#endif
