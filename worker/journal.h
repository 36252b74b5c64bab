/*
 * journal - what the MTA has said and a child may still have to hear
 *
 * Connect and helo live as long as the session, the envelope as long as the
 * message; each command is kept with the macros that came with it, so that
 * a child that joins late hears it just as it was said then.  Content is not
 * here but in message.h.  A command the MTA sends is entered first and
 * then told to the children from here: live and replayed are one way.
 * Fails by false: no memory; nothing was entered.
 */
#ifndef WORKER_JOURNAL_H
#define WORKER_JOURNAL_H

#include <stdbool.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/milter_command.h"

enum journal_rcpt_state {
	RCPT_AT_HAND, /* the MTA waits for the answer */
	RCPT_ACCEPTED,
	RCPT_REFUSED, /* never told to anybody again */
};

/* The macros that came with a command; !came: the MTA sent no packet. */
struct journal_macros {
	bool came;
	struct slice pairs;
};

struct journal_rcpt {
	struct command_envelope envelope;
	struct journal_macros macros;
	enum journal_rcpt_state state;
	int refused_by; /* index of the child; -1: sekisho itself */
};

struct journal {
	struct arena *session;
	struct arena *message;
	uint64_t macros_max;
	/* Macros waiting for their command, by stage; copied into bytes. */
	struct buf waiting[STAGE_COUNT];
	bool is_waiting[STAGE_COUNT];

	bool has_connect;
	struct command_connect connect;
	struct journal_macros connect_macros;

	unsigned helo_count; /* 0: none yet; else which one is in force */
	struct buf helo_bytes;
	size_t helo_len; /* name in front, macros behind it */
	bool helo_has_macros;

	bool has_mail;
	struct command_envelope mail;
	struct journal_macros mail_macros;
	struct journal_rcpt *rcpts;
	size_t rcpt_count;
	size_t rcpt_room;
	size_t rcpt_accepted;
	bool has_data;
	struct journal_macros data_macros;
	struct journal_macros eoh_macros;
	struct journal_macros eom_macros;
};

void journal_init(struct journal *j, struct arena *session,
		  struct arena *message, uint64_t macros_max);
void journal_deinit(struct journal *j);
/* A new SMTP session begins (also after QUIT_NC); arenas are the caller's. */
void journal_reset(struct journal *j);
/* The message is over: what belongs to it is forgotten. */
void journal_end_message(struct journal *j);

/* A MACRO packet; it replaces what waits for the same command. */
bool journal_macro(struct journal *j, const struct command_macro *macro);
/* What waits for a command, until that command is entered. */
struct slice journal_waiting(const struct journal *j, enum stage stage);
/* Macros whose command is not entered (UNKNOWN, a refused RCPT) are done. */
void journal_forget_waiting(struct journal *j, enum stage stage);

bool journal_connect(struct journal *j, const struct command_connect *c);
bool journal_helo(struct journal *j, struct slice name);
bool journal_mail(struct journal *j, const struct command_envelope *mail);
bool journal_rcpt(struct journal *j, const struct command_envelope *rcpt);
bool journal_data(struct journal *j);
bool journal_eoh(struct journal *j);
bool journal_eom(struct journal *j);
/* Was this recipient (any index) refused? */
bool journal_is_refused(const struct journal *j, size_t at);
/* The MTA has its answer to the last recipient; by: who refused it. */
void journal_rcpt_answered(struct journal *j, bool accepted, int by);

struct slice journal_helo_name(const struct journal *j);
struct journal_macros journal_helo_macros(const struct journal *j);

#endif
