#include "tool/milter_session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "shared/milter_frame.h"
#include "tool/milter_facts.h"
#include "tool/milter_record.h"

#define READ_SIZE ((size_t)64 * 1024)
#define IN_MAX	  ((size_t)1024 * 1024)
/* A script may answer any number of edits; the body is the largest of them. */
#define OUT_MAX ((size_t)512 * 1024 * 1024)
/* With this much unread by the MTA nothing more is read from it. */
#define OUT_FULL ((size_t)4 * 1024 * 1024)

struct milter_session {
	const struct player *player;
	int fd;
	struct buf in;
	struct buf out;
	struct facts facts;
	uint32_t protocol; /* what was agreed upon */
	/* The rule being carried out; NULL between two commands. */
	const struct rule *rule;
	size_t next_action;
	uint64_t resume; /* in a delay until then, else 0 */
	enum command_kind event;
	struct option offer; /* of the event optneg */
	bool is_answered;
	bool is_anyway;
	bool is_quit;
	bool is_over;
};

struct milter_session *milter_session_new(const struct player *player, int fd,
					  uint64_t number)
{
	struct milter_session *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return NULL;
	}
	s->player = player;
	s->fd = fd;
	buf_init(&s->in, IN_MAX);
	buf_init(&s->out, OUT_MAX);
	facts_init(&s->facts, number, player->save || player->rules.wants_body);
	record_note(player->log, &s->facts, "open", SLICE_EMPTY);
	return s;
}

void milter_session_free(struct milter_session **s)
{
	if (!*s)
		return;
	close((*s)->fd);
	buf_deinit(&(*s)->in);
	buf_deinit(&(*s)->out);
	facts_deinit(&(*s)->facts);
	free(*s);
	*s = NULL;
}

int milter_session_fd(const struct milter_session *s)
{
	return s->fd;
}

short milter_session_events(const struct milter_session *s)
{
	short events = 0;

	if (buf_len(&s->out))
		events |= POLLOUT;
	if (!s->resume && buf_len(&s->out) < OUT_FULL)
		events |= POLLIN;
	return events;
}

uint64_t milter_session_when(const struct milter_session *s)
{
	return s->resume ? s->resume : CLOCK_NEVER;
}

static void end(struct milter_session *s, const char *word, struct slice why)
{
	if (!s->is_over)
		record_note(s->player->log, &s->facts, word, why);
	s->is_over = true;
}

/* --- answering --- */

/* May an answer be given to this command at all? */
static bool is_answer_owed(const struct milter_session *s)
{
	enum stage stage = command_stage(s->event);

	if (s->event == CMD_OPTNEG)
		return true;
	return stage != STAGE_COUNT &&
	       !(milter_stage_nr_bit(stage) & s->protocol);
}

static void put_answer(struct milter_session *s, const struct answer *a)
{
	if (!answer_encode(&s->out, a)) {
		end(s, "error", SLICE_LIT("no room for an answer"));
		return;
	}
	record_answer(s->player->log, &s->facts, a);
}

/* What is answered to the offer, as libmilter would cut it. */
static void put_option(struct milter_session *s)
{
	const struct rules *r = &s->player->rules;
	struct answer a = { .kind = ANSWER_OPTNEG };
	struct option offer = s->offer;
	const char *why;

	a.option = r->option;
	if (!r->is_forced && option_read_offer(&s->offer, &offer, &why)) {
		if (a.option.version > offer.version)
			a.option.version = offer.version;
		a.option.actions &= offer.actions;
		a.option.protocol &= offer.protocol;
	}
	s->protocol = a.option.protocol;
	s->facts.has_leadspc = s->protocol & SMFIP_HDR_LEADSPC;
	put_answer(s, &a);
}

/* One answer of a rule: suppressed like libmilter where promised away. */
static void act_answer(struct milter_session *s, const struct answer *a)
{
	bool is_verdict =
		!answer_is_edit(a->kind) && a->kind != ANSWER_PROGRESS;
	enum stage stage = command_stage(s->event);

	if (s->event == CMD_OPTNEG && a->kind == ANSWER_CONTINUE) {
		put_option(s);
		s->is_answered = true;
		return;
	}
	if (is_verdict) {
		s->is_answered = true;
		/* Where no answer is known at all, the rule means it. */
		if (stage != STAGE_COUNT && !is_answer_owed(s) && !s->is_anyway)
			return;
	}
	put_answer(s, a);
}

static void act_garbage(struct milter_session *s, const struct action *a)
{
	s->is_answered = true;
	record_note(s->player->log, &s->facts, "> garbage", a->bytes);
	if (!buf_add(&s->out, a->bytes))
		end(s, "error", SLICE_LIT("no room for garbage"));
}

/* What was answered before the end is still given to the kernel. */
static void act_end(struct milter_session *s, const struct action *a)
{
	(void)!io_write(s->fd, &s->out);
	if (a->kind == ACTION_CLOSE) {
		end(s, "close", SLICE_LIT("rule"));
		return;
	}
	record_note(s->player->log, &s->facts,
		    a->kind == ACTION_KILL ? "kill" : "exit", SLICE_EMPTY);
	if (a->kind == ACTION_KILL)
		raise(SIGKILL);
	_exit(a->status);
}

static void act(struct milter_session *s, const struct action *a)
{
	switch (a->kind) {
	case ACTION_ANSWER:
		act_answer(s, &a->answer);
		break;
	case ACTION_GARBAGE:
		act_garbage(s, a);
		break;
	case ACTION_SILENCE:
		s->is_answered = true;
		break;
	case ACTION_DELAY:
		s->resume = clock_now() + a->time;
		break;
	case ACTION_ANYWAY:
		s->is_anyway = true;
		break;
	case ACTION_CLOSE:
	case ACTION_EXIT:
	case ACTION_KILL:
		act_end(s, a);
		break;
	}
}

/* What nobody wrote a rule for goes on, and edits are followed by that. */
static void act_default(struct milter_session *s)
{
	static const struct answer go_on = { .kind = ANSWER_CONTINUE };

	s->rule = NULL;
	if (!s->is_answered &&
	    (is_answer_owed(s) || (s->is_anyway && s->event != CMD_ABORT)))
		act_answer(s, &go_on);
}

/* Goes on with the rule until it is done or waits. */
static void carry_out(struct milter_session *s)
{
	const struct rule *rule = s->rule;

	while (rule && s->next_action < rule->action_count && !s->is_over) {
		act(s, &rule->actions[s->next_action++]);
		if (s->resume)
			return;
	}
	if (!s->is_over)
		act_default(s);
}

/* --- hearing --- */

static void hear(struct milter_session *s, const struct command *c)
{
	if (!facts_note(&s->facts, c)) {
		end(s, "error", SLICE_LIT("no memory"));
		return;
	}
	record_command(s->player->log, &s->facts, c);
	if (c->kind == CMD_MACRO)
		return;
	if (c->kind == CMD_EOM && s->player->save &&
	    !record_save(s->player->save, &s->facts))
		end(s, "error", slice_str(strerror(errno)));
	s->event = c->kind;
	if (c->kind == CMD_OPTNEG)
		s->offer = c->option;
	s->is_answered = s->is_anyway = false;
	s->next_action = 0;
	s->rule = facts_rule(&s->facts, &s->player->rules, c);
	carry_out(s);
	if (c->kind == CMD_QUIT)
		s->is_quit = true;
	if (c->kind == CMD_QUIT_NC)
		facts_forget(&s->facts);
}

/* One packet, if it is there whole. */
static bool hear_packet(struct milter_session *s)
{
	struct slice packet;
	struct command command;
	const char *why = "";
	enum frame_result r =
		frame_peek(&s->in, MILTER_MTA_LENGTH_MAX, &packet);

	if (r == FRAME_MORE)
		return false;
	if (r == FRAME_BAD_LENGTH) {
		end(s, "error", SLICE_LIT("bad packet length"));
		return false;
	}
	if (!command_decode(packet, &command, &why)) {
		end(s, "error", slice_str(why));
		return false;
	}
	hear(s, &command);
	frame_skip(&s->in, packet);
	return true;
}

static void hear_all(struct milter_session *s)
{
	while (!s->is_over && !s->is_quit && !s->resume &&
	       buf_len(&s->out) < OUT_FULL && hear_packet(s))
		;
	if (s->is_quit && !s->resume)
		end(s, "close", SLICE_LIT("quit"));
}

static void read_more(struct milter_session *s)
{
	enum io_result r = io_read(s->fd, &s->in, READ_SIZE);

	if (r == IO_EOF)
		end(s, "close", SLICE_LIT("eof"));
	else if (r != IO_OK && r != IO_AGAIN)
		end(s, "close", slice_str(strerror(errno)));
}

bool milter_session_go(struct milter_session *s, short revents)
{
	enum io_result r;

	if (s->resume && clock_now() >= s->resume) {
		s->resume = 0;
		carry_out(s);
	}
	if (!s->resume && !s->is_over &&
	    (revents & (POLLIN | POLLHUP | POLLERR)))
		read_more(s);
	if (!s->is_over)
		hear_all(s);
	r = io_write(s->fd, &s->out);
	if (r == IO_OK && !s->is_over)
		hear_all(s);
	if (r == IO_ERROR)
		end(s, "close", slice_str(strerror(errno)));
	return !s->is_over;
}
