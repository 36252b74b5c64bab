#include "worker/reserve_talk.h"

#include "shared/milter_option.h"
#include "worker/verdict.h"

#define TOO_BUSY "451 4.3.2 Too busy, please come again"

static void answer_with(struct reserve_reply *reply, enum verdict_kind kind)
{
	const struct verdict v = { .kind = kind,
				   .by = -1,
				   .reply = SLICE_LIT(TOO_BUSY) };

	reply->has_answer = true;
	reply->answer = verdict_answer(&v);
}

static void end(struct reserve_reply *reply, const char *why)
{
	reply->ends = true;
	reply->why = why;
}

static void on_optneg(struct reserve_talk *t, const struct command *cmd,
		      struct reserve_reply *reply)
{
	struct option offer;
	const char *why;

	if (t->place == RESERVE_OPTIONS && !t->may_negotiate) {
		end(reply, "a command out of order");
		return;
	}
	if (!option_read_offer(&cmd->option, &offer, &why)) {
		end(reply, why);
		return;
	}
	/* No macro lists: nobody here looks into a macro. */
	reply->answer = (struct answer){ .kind = ANSWER_OPTNEG,
					 .option = option_for_mta(&offer) };
	reply->has_answer = true;
	t->protocol = reply->answer.option.protocol;
	t->place = RESERVE_OPTIONS;
	t->may_negotiate = false;
}

static void on_client(struct reserve_talk *t, const struct command *cmd,
		      struct reserve_reply *reply)
{
	(void)cmd;
	t->place = RESERVE_IDLE;
	answer_with(reply, VERDICT_CONTINUE);
}

static enum verdict_kind verdict_of(const struct reserve_talk *t)
{
	return t->on_overload == OVERLOAD_ACCEPT ? VERDICT_ACCEPT :
						   VERDICT_TEMPFAIL;
}

static void on_mail(struct reserve_talk *t, const struct command *cmd,
		    struct reserve_reply *reply)
{
	(void)cmd;
	t->place = RESERVE_OVER;
	reply->is_message = true;
	answer_with(reply, verdict_of(t));
}

/* About a message that has its verdict: the same again, where one is due. */
static void on_over(struct reserve_talk *t, const struct command *cmd,
		    struct reserve_reply *reply)
{
	if (t->protocol & milter_stage_nr_bit(command_stage(cmd->kind)))
		return;
	answer_with(reply, verdict_of(t));
	if (cmd->kind == CMD_EOM)
		t->place = RESERVE_IDLE;
}

static void on_unknown(struct reserve_talk *t, const struct command *cmd,
		       struct reserve_reply *reply)
{
	(void)t;
	(void)cmd;
	answer_with(reply, VERDICT_CONTINUE);
}

static void on_macro(struct reserve_talk *t, const struct command *cmd,
		     struct reserve_reply *reply)
{
	(void)t;
	(void)cmd;
	(void)reply;
}

static void on_abort(struct reserve_talk *t, const struct command *cmd,
		     struct reserve_reply *reply)
{
	(void)cmd;
	(void)reply;
	if (t->place == RESERVE_OVER)
		t->place = RESERVE_IDLE;
}

static void on_quit(struct reserve_talk *t, const struct command *cmd,
		    struct reserve_reply *reply)
{
	(void)t;
	(void)cmd;
	end(reply, NULL);
}

static void on_quit_nc(struct reserve_talk *t, const struct command *cmd,
		       struct reserve_reply *reply)
{
	(void)cmd;
	(void)reply;
	t->place = RESERVE_OPTIONS;
	t->may_negotiate = true;
}

#define AT(place) (1u << RESERVE_##place)
#define CONNECTED (AT(IDLE) | AT(OVER))
#define ANYWHERE  (AT(START) | AT(OPTIONS) | CONNECTED)

struct command_row {
	unsigned places; /* where it may come */
	void (*handle)(struct reserve_talk *t, const struct command *cmd,
		       struct reserve_reply *reply);
};

/* Read beside the rows of session.c: the same, without the messages. */
/* clang-format off */
static const struct command_row rows[CMD_COUNT] = {
	[CMD_OPTNEG]   = { AT(START) | AT(OPTIONS),  on_optneg },
	[CMD_MACRO]    = { ANYWHERE & ~AT(START),    on_macro },
	[CMD_CONNECT]  = { AT(OPTIONS),              on_client },
	[CMD_HELO]     = { CONNECTED,                on_client },
	[CMD_MAIL]     = { CONNECTED,                on_mail },
	[CMD_RCPT]     = { AT(OVER),                 on_over },
	[CMD_DATA]     = { AT(OVER),                 on_over },
	[CMD_HEADER]   = { AT(OVER),                 on_over },
	[CMD_EOH]      = { AT(OVER),                 on_over },
	[CMD_BODY]     = { AT(OVER),                 on_over },
	[CMD_EOM]      = { AT(OVER),                 on_over },
	[CMD_ABORT]    = { ANYWHERE & ~AT(START),    on_abort },
	[CMD_QUIT]     = { ANYWHERE,                 on_quit },
	[CMD_QUIT_NC]  = { ANYWHERE & ~AT(START),    on_quit_nc },
	[CMD_UNKNOWN]  = { ANYWHERE & ~AT(START),    on_unknown },
};
/* clang-format on */

void reserve_hear(struct reserve_talk *talk, const struct command *cmd,
		  struct reserve_reply *reply_out)
{
	const struct command_row *row = &rows[cmd->kind];

	*reply_out = (struct reserve_reply){ 0 };
	if (row->places & 1u << talk->place)
		row->handle(talk, cmd, reply_out);
	else
		end(reply_out, "a command out of order");
}
