#include "worker/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/log.h"
#include "shared/macro.h"
#include "shared/milter_frame.h"
#include "worker/chain.h"
#include "worker/deliver.h"
#include "worker/dialect.h"
#include "worker/mta.h"
#include "worker/summary.h"
#include "worker/wish.h"

/*
 * Where the MTA stands.  A session negotiates, is told the client, and then
 * has any number of messages, each an envelope, headers, and a body; OVER is
 * a message that got its verdict before its end, while the MTA may still
 * talk about it.
 */
enum place {
	PLACE_START,
	PLACE_OPTIONS, /* negotiated (or QUIT_NC): the client comes next */
	PLACE_IDLE,
	PLACE_ENVELOPE,
	PLACE_HEADERS,
	PLACE_BODY,
	PLACE_OVER,
	PLACE_COUNT
};

struct session {
	const struct worker_env *env;
	struct board_slot *slot;
	struct mta_line mta;
	struct arena session_arena;
	struct arena message_arena;
	struct journal journal;
	struct message message;
	struct chain chain;

	bool *told_to_leave;
	bool exhausted;
	bool quit;    /* nothing more is to be read */
	bool wait_optneg; /* after QUIT_NC an OPTNEG may come again */
	enum place place;
	struct option offer;
	struct option promised;
	const struct conf_listen *listen;
	uint64_t began;
	struct verdict refused; /* of the connection; CONTINUE: none */
	struct verdict verdict; /* of the message in PLACE_OVER */
	struct summary summary;
};

/* Content, edits and replies of one message; headers and body memory extra. */
#define MESSAGE_ARENA_EXTRA ((size_t)128 * 1024 * 1024)
#define SESSION_ARENA_MAX   ((size_t)4 * 1024 * 1024)

struct session *session_new(const struct worker_env *env)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->env = env;
	s->slot = board_slot(env->board, env->slot);
	mta_init(&s->mta);
	arena_init(&s->session_arena, SESSION_ARENA_MAX);
	arena_init(&s->message_arena,
		   (size_t)env->conf->message_memory +
			   (size_t)env->conf->headers_size_max +
			   MESSAGE_ARENA_EXTRA);
	journal_init(&s->journal, &s->session_arena, &s->message_arena,
		     env->conf->macros_max);
	chain_init(&s->chain, env, &s->session_arena, &s->message_arena,
		   &s->journal, &s->message);
	return s;
}

static void count(const struct session *s, enum board_counter counter,
		  uint64_t n)
{
	board_count(s->env->board, s->env->slot, counter, n);
}

/* ---- waiting ---- */

/* The supervisor said drain, or is gone: finish, then leave. */
static void read_supervisor(struct session *s)
{
	char byte;

	if (read(s->env->supervisor_fd, &byte, 1) >= 0 || errno != EAGAIN)
		*s->told_to_leave = true;
}

/* One poll over MTA, children and supervisor, and what comes of it. */
static void wait_once(struct session *s, uint64_t until, bool watch_mta)
{
	struct watch w;
	unsigned mta, supervisor;

	watch_begin(&w, until);
	mta = watch_add(&w, s->mta.fd, watch_mta ? mta_events(&s->mta) : 0);
	supervisor = watch_add(&w,
			       *s->told_to_leave ? -1 : s->env->supervisor_fd,
			       POLLIN);
	chain_watch(&s->chain, &w);
	watch_wait(&w);
	if (w.fds[supervisor].revents)
		read_supervisor(s);
	chain_serve(&s->chain, &w);
	if (watch_mta && w.fds[mta].revents)
		mta_read(&s->mta);
}

/*
 * Waits until the command at hand is decided; what is late at the deadline
 * is late.  False: the MTA is gone.
 */
static bool decide_step(struct session *s, struct verdict *v)
{
	uint64_t deadline =
		clock_now() +
		dialect_step_deadline(s->env->conf, s->chain.mta);

	while (!chain_decided(&s->chain, v)) {
		board_note_stage(s->slot, s->chain.event,
				 chain_waits_for(&s->chain));
		wait_once(s, deadline, true);
		if (s->mta.lost)
			return false;
		if (clock_now() >= deadline)
			chain_late(&s->chain);
	}
	return true;
}

/* ---- answering ---- */

static void answer(struct session *s, const struct verdict *v)
{
	struct answer a = verdict_answer(v);

	if (mta_put(&s->mta, &a))
		mta_flush(&s->mta);
}

static void answer_kind(struct session *s, enum verdict_kind kind)
{
	const struct verdict v = { .kind = kind, .by = -1 };

	answer(s, &v);
}

/* ---- the end of a message ---- */

static void count_outcome(struct session *s, const struct verdict *v)
{
	static const enum board_counter counters[] = {
		[VERDICT_CONTINUE] = COUNT_ACCEPTED,
		[VERDICT_ACCEPT] = COUNT_ACCEPTED,
		[VERDICT_REJECT] = COUNT_REJECTED,
		[VERDICT_TEMPFAIL] = COUNT_TEMPFAILED,
		[VERDICT_DISCARD] = COUNT_DISCARDED,
	};

	count(s, counters[v->kind], 1);
}

/* Children in evaluate mode have until the MTA's next command that counts. */
static void give_grace(struct session *s)
{
	uint64_t until = clock_now() + s->env->conf->evaluate_grace;
	bool hear_mta = true;

	while (chain_evaluates(&s->chain) && clock_now() < until) {
		struct slice packet;
		char next = hear_mta ? mta_peek(&s->mta) : 0;

		if (next == SMFIC_ABORT) {
			/* Postfix says so after every message: ignored. */
			mta_next(&s->mta, &packet);
			continue;
		}
		if (next == SMFIC_QUIT || s->mta.lost)
			hear_mta = false;
		else if (next)
			break;
		wait_once(s, until, hear_mta);
	}
}

static void wipe_message(struct session *s)
{
	chain_end_message(&s->chain);
	journal_end_message(&s->journal);
	message_end(&s->message);
	arena_reset(&s->message_arena);
	board_note_text(s->slot, slice_str(s->summary.client), SLICE_EMPTY,
			SLICE_EMPTY);
	board_note_stage(s->slot, STAGE_COUNT, BOARD_NO_CHILD);
	s->summary.queue_id[0] = '\0';
	s->summary.quarantine = SLICE_EMPTY;
	s->summary.edits = 0;
	s->summary.size = 0;
}

/* The one line, the count, and nothing left of it. */
static void close_message(struct session *s, const struct verdict *v,
			  const char *word)
{
	if (s->chain.no_space) {
		count(s, COUNT_RESOURCE_FAILURES, 1);
		log_warn("message put off: %s", strerror(s->chain.no_space));
		/* A full disk is no reason to leave; a new worker has it too. */
		s->exhausted = s->exhausted || s->chain.no_space != ENOSPC;
	}
	s->summary.messages++;
	summary_message(&s->summary, &s->chain, v, word);
	wipe_message(s);
}

/* A verdict before the end of the message: told, logged, done. */
static void refuse_message(struct session *s, const struct verdict *v)
{
	answer(s, v);
	count_outcome(s, v);
	chain_release(&s->chain, 0);
	/* The reply is repeated to whatever the MTA still says of it. */
	s->verdict = *v;
	s->verdict.reply = SLICE_EMPTY;
	arena_copy(&s->session_arena, v->reply, &s->verdict.reply);
	close_message(s, v, verdict_name(v->kind));
	s->place = PLACE_OVER;
}

/* The MTA took the message back, or went away. */
static void abort_message(struct session *s)
{
	const struct verdict none = { .kind = VERDICT_CONTINUE, .by = -1 };

	if (s->place < PLACE_ENVELOPE)
		return;
	if (s->place != PLACE_OVER) {
		chain_release(&s->chain, 0);
		count(s, COUNT_ABORTED, 1);
		close_message(s, &none, SUMMARY_ABORT);
	}
	s->place = PLACE_IDLE;
}

/* ---- the envelope ---- */

static void no_memory(struct session *s)
{
	s->chain.no_space = ENOMEM;
}

static void note_client(struct session *s)
{
	const struct command_connect *c = &s->journal.connect;

	snprintf(s->summary.client, sizeof(s->summary.client), "%.*s[%.*s]",
		 (int)(c->host.len < 200 ? c->host.len : 200), c->host.data,
		 (int)(c->address.len < 80 ? c->address.len : 80),
		 c->address.data);
}

/* The connection has got its no: every later command gets it too. */
static void refuse_connection(struct session *s, const struct verdict *v)
{
	s->refused = *v;
	chain_end_session(&s->chain);
}

static void after_connection_event(struct session *s)
{
	struct verdict v;

	if (!decide_step(s, &v))
		return;
	if (v.kind != VERDICT_CONTINUE)
		refuse_connection(s, &v);
	answer(s, &v);
	board_note_stage(s->slot, STAGE_COUNT, BOARD_NO_CHILD);
}

static void on_connect(struct session *s, const struct command *cmd)
{
	struct slice v;

	if (s->listen->has_mta)
		s->chain.mta = s->listen->mta;
	else if (macro_find(journal_waiting(&s->journal, STAGE_CONNECT),
			    SLICE_LIT("v"), &v))
		s->chain.mta = dialect_of(v);
	if (!journal_connect(&s->journal, &cmd->connect)) {
		no_memory(s);
		s->exhausted = true;
	}
	s->place = PLACE_IDLE;
	note_client(s);
	board_note_text(s->slot, slice_str(s->summary.client), SLICE_EMPTY,
			SLICE_EMPTY);
	chain_event(&s->chain, STAGE_CONNECT);
	after_connection_event(s);
}

static void on_helo(struct session *s, const struct command *cmd)
{
	abort_message(s);
	if (!journal_helo(&s->journal, cmd->text))
		no_memory(s);
	chain_event(&s->chain, STAGE_HELO);
	after_connection_event(s);
}

static void after_message_event(struct session *s)
{
	struct verdict v;

	if (!decide_step(s, &v))
		return;
	if (v.kind == VERDICT_CONTINUE)
		answer(s, &v);
	else if (v.stage <= STAGE_HELO && !s->chain.no_space) {
		/* A late joiner's no to the connection holds from now on. */
		refuse_message(s, &v);
		s->refused = s->verdict;
	} else
		refuse_message(s, &v);
}

static void on_mail(struct session *s, const struct command *cmd)
{
	abort_message(s);
	chain_begin_message(&s->chain);
	message_begin(&s->message, &s->message_arena, s->env->conf,
		      s->chain.mta);
	s->place = PLACE_ENVELOPE;
	s->summary.began = clock_now();
	count(s, COUNT_MESSAGES, 1);
	if (!journal_mail(&s->journal, &cmd->envelope))
		no_memory(s);
	board_note_text(s->slot, slice_str(s->summary.client),
			slice_str(s->summary.queue_id), cmd->envelope.address);
	chain_event(&s->chain, STAGE_MAIL);
	after_message_event(s);
}

/* Refused by the MTA itself; it only tells because some milter may ask. */
static bool is_rejected_by_mta(const struct session *s,
			       struct journal_macros *macros_out)
{
	struct slice mailer;

	macros_out->came = s->journal.is_waiting[STAGE_RCPT];
	macros_out->pairs = journal_waiting(&s->journal, STAGE_RCPT);
	return macro_find(macros_out->pairs, SLICE_LIT("rcpt_mailer"),
			  &mailer) &&
	       slice_is(mailer, "error");
}

/* A refusal at RCPT is one recipient's, unless it is about the message. */
static bool is_about_message(const struct session *s, const struct verdict *v)
{
	return v->kind == VERDICT_DISCARD || s->chain.no_space;
}

static void on_rcpt(struct session *s, const struct command *cmd)
{
	const struct verdict full = {
		.kind = VERDICT_TEMPFAIL,
		.by = -1,
		.stage = STAGE_RCPT,
		.reply = SLICE_LIT("452 4.5.3 Too many recipients"),
	};
	struct journal_macros macros;
	struct verdict v;

	if (is_rejected_by_mta(s, &macros)) {
		chain_rejected_rcpt(&s->chain, &cmd->envelope, &macros);
		journal_forget_waiting(&s->journal, STAGE_RCPT);
		answer_kind(s, VERDICT_CONTINUE);
		return;
	}
	if (s->journal.rcpt_count >= s->env->conf->recipients_max) {
		journal_forget_waiting(&s->journal, STAGE_RCPT);
		count(s, COUNT_RECIPIENTS_REFUSED, 1);
		answer(s, &full);
		return;
	}
	if (!journal_rcpt(&s->journal, &cmd->envelope)) {
		no_memory(s);
		v = (struct verdict){ VERDICT_TEMPFAIL, SLICE_EMPTY, -1,
				      STAGE_RCPT };
		refuse_message(s, &v);
		return;
	}
	chain_event(&s->chain, STAGE_RCPT);
	if (!decide_step(s, &v))
		return;
	chain_rcpt_answered(&s->chain, &v);
	count(s,
	      v.kind == VERDICT_CONTINUE ? COUNT_RECIPIENTS :
					   COUNT_RECIPIENTS_REFUSED,
	      1);
	if (is_about_message(s, &v))
		refuse_message(s, &v);
	else
		answer(s, &v);
}

static void on_data(struct session *s, const struct command *cmd)
{
	(void)cmd;
	if (!journal_data(&s->journal))
		no_memory(s);
	chain_event(&s->chain, STAGE_DATA);
	after_message_event(s);
}

static void on_unknown(struct session *s, const struct command *cmd)
{
	struct journal_macros macros = {
		s->journal.is_waiting[STAGE_UNKNOWN],
		journal_waiting(&s->journal, STAGE_UNKNOWN)
	};
	struct verdict v;

	chain_unknown(&s->chain, cmd->text, &macros);
	if (decide_step(s, &v))
		answer(s, &v);
	journal_forget_waiting(&s->journal, STAGE_UNKNOWN);
}

/* ---- content ---- */

/*
 * The MTA never waits for content: where it wanted an answer it gets its
 * continue at once; a verdict is given at the end of the message.
 */
static void after_content(struct session *s, enum stage stage)
{
	struct verdict v;

	if (!(s->promised.protocol & milter_stage_nr_bit(stage)))
		answer_kind(s, VERDICT_CONTINUE);
	if (chain_refused(&s->chain, &v))
		chain_release(&s->chain, (unsigned)(v.by + 1));
}

static void on_header(struct session *s, const struct command *cmd)
{
	s->place = PLACE_HEADERS;
	s->summary.size += cmd->header.name.len + cmd->header.value.len;
	if (chain_wants_content(&s->chain))
		message_add_header(&s->message, cmd->header.name,
				   cmd->header.value);
	chain_event(&s->chain, STAGE_HEADER);
	after_content(s, STAGE_HEADER);
}

static void end_headers(struct session *s)
{
	s->place = PLACE_BODY;
	if (!journal_eoh(&s->journal))
		no_memory(s);
	message_end_headers(&s->message);
}

static void on_eoh(struct session *s, const struct command *cmd)
{
	(void)cmd;
	end_headers(s);
	chain_event(&s->chain, STAGE_EOH);
	after_content(s, STAGE_EOH);
}

static void add_body(struct session *s, struct slice bytes)
{
	s->summary.size += bytes.len;
	count(s, COUNT_BYTES, bytes.len);
	if (chain_wants_content(&s->chain))
		message_add_body(&s->message, bytes);
}

static void on_body(struct session *s, const struct command *cmd)
{
	add_body(s, cmd->body);
	chain_event(&s->chain, STAGE_BODY);
	after_content(s, STAGE_BODY);
}

/* Waits for the end of all children's work, keeping the MTA patient. */
static bool decide_message(struct session *s, struct verdict *v)
{
	static const struct answer progress = { .kind = ANSWER_PROGRESS };
	const struct conf *conf = s->env->conf;
	uint64_t end = clock_now() + conf->message_deadline;
	uint64_t tick = clock_now() + conf->progress_interval;

	while (!chain_decided(&s->chain, v)) {
		board_note_stage(s->slot, STAGE_EOM,
				 chain_waits_for(&s->chain));
		wait_once(s, clock_earlier(end, tick), true);
		if (s->mta.lost || mta_peek(&s->mta) == SMFIC_ABORT)
			return false;
		if (clock_now() >= end)
			chain_late(&s->chain);
		else if (clock_now() >= tick) {
			tick = clock_now() + conf->progress_interval;
			if (!mta_put(&s->mta, &progress) || !mta_flush(&s->mta))
				return false;
		}
	}
	return true;
}

/* The verdict of our own limits on the message, CONTINUE when it is fine. */
static struct verdict own_verdict(const struct session *s)
{
	struct verdict v = { .kind = VERDICT_CONTINUE,
			     .by = -1,
			     .stage = STAGE_EOM };

	if (s->message.trouble == MESSAGE_TOO_LARGE) {
		v.kind = VERDICT_REJECT;
		v.reply = SLICE_LIT("552 5.3.4 Message too large");
	} else if (s->message.trouble == MESSAGE_NO_SPACE) {
		v.kind = VERDICT_TEMPFAIL;
		v.reply = SLICE_LIT("452 4.3.1 Insufficient system storage");
	}
	return v;
}

/*
 * Accepted by all: makes everything ready, then sends it.  False with a
 * verdict: it cannot be expressed or we have no room; nothing was sent.
 */
static bool deliver(struct session *s, struct verdict *v)
{
	if (!deliver_quarantine(&s->chain, &s->summary.quarantine) ||
	    !deliver_prepare(&s->chain)) {
		no_memory(s);
		v->kind = VERDICT_TEMPFAIL;
		return false;
	}
	if (s->summary.quarantine.len &&
	    !(s->offer.actions & SMFIF_QUARANTINE)) {
		log_warn("quarantine asked for, but the MTA has none");
		v->kind = VERDICT_TEMPFAIL;
		return false;
	}
	deliver_send(&s->chain, &s->mta, s->summary.quarantine,
		     &s->summary.edits);
	return true;
}

static void finish_message(struct session *s, struct verdict *v)
{
	const char *word = "accept";

	if (v->kind == VERDICT_CONTINUE && deliver(s, v)) {
		if (s->mta.lost) {
			word = SUMMARY_ABORT;
			count(s, COUNT_ABORTED, 1);
		} else if (s->summary.quarantine.len) {
			word = SUMMARY_QUARANTINE;
			count(s, COUNT_QUARANTINED, 1);
		} else
			count_outcome(s, v);
	} else {
		s->summary.quarantine = SLICE_EMPTY;
		chain_release(&s->chain, (unsigned)(v->by + 1));
		answer(s, v);
		count_outcome(s, v);
		word = verdict_name(v->kind);
	}
	give_grace(s);
	close_message(s, v, word);
	s->place = PLACE_IDLE;
}

static void on_eom(struct session *s, const struct command *cmd)
{
	struct verdict v;

	if (cmd->body.len)
		add_body(s, cmd->body);
	if (s->place != PLACE_BODY)
		end_headers(s);
	if (!journal_eom(&s->journal))
		no_memory(s);
	v = own_verdict(s);
	if (v.kind == VERDICT_CONTINUE) {
		message_complete(&s->message);
		chain_event(&s->chain, STAGE_EOM);
		if (!decide_message(s, &v)) {
			/* Every E gets its one answer, as libmilter has it. */
			abort_message(s);
			answer_kind(s, VERDICT_TEMPFAIL);
			return;
		}
	} else if (s->message.trouble == MESSAGE_NO_SPACE)
		s->chain.no_space = s->message.no_space;
	finish_message(s, &v);
}

/* ---- the rest ---- */

static bool breach(struct session *s, const char *why)
{
	log_warn("MTA: %s; connection closed", why);
	count(s, COUNT_PROTOCOL_ERRORS, 1);
	s->quit = true;
	return false;
}

static void on_optneg(struct session *s, const struct command *cmd)
{
	struct answer a = { .kind = ANSWER_OPTNEG };
	const char *why;

	if (!option_read_offer(&cmd->option, &s->offer, &why)) {
		breach(s, why);
		return;
	}
	s->promised = option_for_mta(&s->offer);
	a.option = s->promised;
	if (s->offer.actions & SMFIF_SETSYMLIST)
		wish_lists(s->env, &s->session_arena, &a.option);
	s->place = PLACE_OPTIONS;
	s->wait_optneg = false;
	chain_begin_session(&s->chain, &s->offer);
	if (mta_put(&s->mta, &a))
		mta_flush(&s->mta);
}

static void on_abort(struct session *s, const struct command *cmd)
{
	(void)cmd;
	abort_message(s);
}

static void on_quit(struct session *s, const struct command *cmd)
{
	(void)cmd;
	s->quit = true;
}

static void log_connection(struct session *s)
{
	if (s->journal.has_connect && !s->summary.messages)
		summary_connection(&s->summary, &s->chain, &s->refused,
				   s->began);
}

/* QUIT_NC: another SMTP session follows on the same socket, same options. */
static void on_quit_nc(struct session *s, const struct command *cmd)
{
	(void)cmd;
	abort_message(s);
	log_connection(s);
	chain_end_session(&s->chain);
	journal_reset(&s->journal);
	arena_reset(&s->session_arena);
	s->summary = (struct summary){ 0 };
	s->refused = (struct verdict){ .kind = VERDICT_CONTINUE, .by = -1 };
	s->began = clock_now();
	chain_begin_session(&s->chain, &s->offer);
	s->place = PLACE_OPTIONS;
	s->wait_optneg = true;
}

/* The queue id comes with any command, at the latest with the content. */
static void on_macro(struct session *s, const struct command *cmd)
{
	struct slice id;

	if (!journal_macro(&s->journal, &cmd->macro))
		s->exhausted = true;
	if (*s->summary.queue_id || cmd->macro.letter == SMFIC_CONNECT ||
	    !macro_find(cmd->macro.pairs, SLICE_LIT("i"), &id))
		return;
	for (size_t i = 0, n = 0;
	     i < id.len && n < sizeof(s->summary.queue_id) - 1; i++) {
		unsigned char c = (unsigned char)id.data[i];

		s->summary.queue_id[n++] = c > 0x20 && c < 0x7f ? (char)c : '?';
		s->summary.queue_id[n] = '\0';
	}
	board_note_text(s->slot, slice_str(s->summary.client),
			slice_str(s->summary.queue_id),
			s->journal.has_mail ? s->journal.mail.address :
					      SLICE_EMPTY);
}

/* ---- one row per command ---- */

#define AT(place) (1u << PLACE_##place)
#define IN_MESSAGE (AT(ENVELOPE) | AT(HEADERS) | AT(BODY) | AT(OVER))
#define CONNECTED  (AT(IDLE) | IN_MESSAGE)
#define ANYWHERE   (AT(START) | AT(OPTIONS) | CONNECTED)

enum replies { REPLY_NONE, REPLY_ONE };

struct command_row {
	unsigned places; /* where it may come */
	enum replies replies;
	void (*handle)(struct session *s, const struct command *cmd);
};

/* Read downwards: it is the protocol as we take it (milter-protocol 4.1). */
/* clang-format off */
static const struct command_row rows[CMD_COUNT] = {
	[CMD_OPTNEG]  = { AT(START) | AT(OPTIONS),                        REPLY_ONE,  on_optneg },
	[CMD_MACRO]   = { ANYWHERE & ~AT(START),                          REPLY_NONE, on_macro },
	[CMD_CONNECT] = { AT(OPTIONS),                                    REPLY_ONE,  on_connect },
	[CMD_HELO]    = { CONNECTED,                                      REPLY_ONE,  on_helo },
	[CMD_MAIL]    = { CONNECTED,                                      REPLY_ONE,  on_mail },
	[CMD_RCPT]    = { AT(ENVELOPE) | AT(OVER),                        REPLY_ONE,  on_rcpt },
	[CMD_DATA]    = { AT(ENVELOPE) | AT(OVER),                        REPLY_ONE,  on_data },
	[CMD_HEADER]  = { AT(ENVELOPE) | AT(HEADERS) | AT(OVER),          REPLY_ONE,  on_header },
	[CMD_EOH]     = { AT(ENVELOPE) | AT(HEADERS) | AT(OVER),          REPLY_ONE,  on_eoh },
	[CMD_BODY]    = { AT(BODY) | AT(OVER),                            REPLY_ONE,  on_body },
	[CMD_EOM]     = { AT(ENVELOPE) | AT(HEADERS) | AT(BODY) | AT(OVER), REPLY_ONE, on_eom },
	[CMD_ABORT]   = { ANYWHERE & ~AT(START),                          REPLY_NONE, on_abort },
	[CMD_QUIT]    = { ANYWHERE,                                       REPLY_NONE, on_quit },
	[CMD_QUIT_NC] = { ANYWHERE & ~AT(START),                          REPLY_NONE, on_quit_nc },
	[CMD_UNKNOWN] = { AT(OPTIONS) | AT(IDLE) | AT(ENVELOPE) | AT(OVER), REPLY_ONE, on_unknown },
};
/* clang-format on */

/* Is this a command about a message that has its verdict already? */
static bool is_about_over(const struct session *s, enum command_kind kind)
{
	return s->place == PLACE_OVER &&
	       (kind == CMD_RCPT || kind == CMD_DATA || kind == CMD_HEADER ||
		kind == CMD_EOH || kind == CMD_BODY || kind == CMD_EOM);
}

static void answer_over(struct session *s, enum command_kind kind)
{
	uint32_t nr = milter_stage_nr_bit(command_stage(kind));

	if (s->promised.protocol & nr)
		return;
	answer(s, &s->verdict);
	if (kind == CMD_EOM)
		s->place = PLACE_IDLE;
}

static bool handle(struct session *s, struct slice packet)
{
	const struct command_row *row;
	struct command cmd;
	const char *why;

	if (!command_decode(packet, &cmd, &why))
		return breach(s, why);
	row = &rows[cmd.kind];
	if (!(row->places & 1u << s->place) ||
	    (cmd.kind == CMD_OPTNEG && s->place == PLACE_OPTIONS &&
	     !s->wait_optneg))
		return breach(s, "a command out of order");
	if (is_about_over(s, cmd.kind))
		answer_over(s, cmd.kind);
	else if (s->refused.kind != VERDICT_CONTINUE &&
		 row->replies == REPLY_ONE && cmd.kind != CMD_OPTNEG &&
		 cmd.kind != CMD_CONNECT)
		answer(s, &s->refused);
	else
		row->handle(s, &cmd);
	return !s->quit;
}

/* ---- the whole of it ---- */

static uint64_t silence_limit(const struct session *s)
{
	const struct conf *conf = s->env->conf;
	bool inside = s->place >= PLACE_ENVELOPE && s->place < PLACE_OVER;

	return clock_now() +
	       (inside ? conf->mta_timeout : conf->mta_idle_timeout);
}

/* Waits for the MTA's next packet; children go on meanwhile. */
static bool next_packet(struct session *s, struct slice *packet_out)
{
	uint64_t limit = silence_limit(s);

	while (!mta_next(&s->mta, packet_out)) {
		if (s->mta.garbage) {
			const char *guess =
				s->place == PLACE_START ?
					frame_guess_peer(buf_slice(&s->mta.in)) :
					NULL;
			char why[120];

			snprintf(why, sizeof(why),
				 "a packet of impossible length%s%s",
				 guess ? "; it looks like " : "",
				 guess ? guess : "");
			return breach(s, why);
		}
		if (s->mta.lost)
			return false;
		chain_go_on(&s->chain);
		wait_once(s, limit, true);
		if (clock_now() >= limit)
			return breach(s, "silent for too long");
	}
	return true;
}

static void begin(struct session *s, int fd, size_t listener,
		  bool *told_to_leave)
{
	mta_open(&s->mta, fd);
	s->listen = &s->env->conf->listen[listener];
	s->told_to_leave = told_to_leave;
	s->place = PLACE_START;
	s->quit = s->exhausted = s->wait_optneg = false;
	s->summary = (struct summary){ 0 };
	s->refused = (struct verdict){ .kind = VERDICT_CONTINUE, .by = -1 };
	s->began = clock_now();
	count(s, COUNT_SESSIONS, 1);
	board_note_stage(s->slot, STAGE_COUNT, BOARD_NO_CHILD);
}

static void end(struct session *s)
{
	abort_message(s);
	log_connection(s);
	chain_end_session(&s->chain);
	mta_close(&s->mta);
	journal_reset(&s->journal);
	arena_reset(&s->message_arena);
	arena_reset(&s->session_arena);
	board_note_text(s->slot, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY);
}

enum session_end session_serve(struct session *s, int fd, size_t listener,
			       bool *told_to_leave)
{
	struct slice packet;

	begin(s, fd, listener, told_to_leave);
	while (next_packet(s, &packet) && handle(s, packet))
		continue;
	end(s);
	return s->exhausted ? SESSION_EXHAUSTED : SESSION_DONE;
}
