#include "worker/session.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/log.h"
#include "shared/macro.h"
#include "shared/milter_frame.h"
#include "worker/session_parts.h"
#include "worker/wish.h"

/* Edits and replies of one message; its headers extra, its body elsewhere. */
#define MESSAGE_ARENA_EXTRA ((size_t)128 * 1024 * 1024)
#define SESSION_ARENA_MAX   ((size_t)4 * 1024 * 1024)
/* After so much silence of the MTA a child may have gone away. */
#define LOOK_AROUND (1 * CLOCK_MS)

#define PAGE	      ((size_t)4096)
#define STACK_KEPT    ((size_t)1024)
#define STACK_TRIMMED ((size_t)128 * 1024)

/*
 * All that lasts as long as the worker lies side by side, on pages of its own,
 * and not in what is free between the supervisor's blocks: an idle worker has
 * three pages fewer, and five faults fewer before it waits.
 */
struct session *session_new(const struct worker_env *env)
{
	struct arena lasting;
	struct session *s;

	arena_init(&lasting, SESSION_ARENA_MAX);
	s = arena_take(&lasting, sizeof(*s));
	if (!s)
		return NULL;
	s->env = env;
	s->slot = board_slot(env->board, env->slot);
	mta_init(&s->mta);
	buf_init(&s->reply, MILTER_CHILD_LENGTH_MAX);
	arena_init(&s->session_arena, SESSION_ARENA_MAX);
	arena_init(&s->message_arena,
		   (size_t)env->conf->headers_size_max + MESSAGE_ARENA_EXTRA);
	journal_init(&s->journal, &s->session_arena, &s->message_arena,
		     env->conf->macros_max);
	if (chain_init(&s->chain, env, &lasting, &s->session_arena,
		       &s->message_arena, &s->journal, &s->message))
		return s;
	arena_deinit(&lasting);
	return NULL;
}

void session_count(const struct session *s, enum board_counter counter,
		   uint64_t n)
{
	board_count(s->env->board, s->env->slot, counter, n);
}

void session_count_wait(const struct session *s, enum stage stage,
			uint64_t since)
{
	board_count_wait(s->env->board, s->env->slot, stage,
			 clock_now() - since);
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
void session_wait(struct session *s, uint64_t until, bool watch_mta)
{
	struct watch w;
	unsigned mta, supervisor;

	watch_begin(&w, until);
	/* Not watched at all: a hang-up would wake us without end. */
	mta = watch_add(&w, watch_mta ? mta_wants(&s->mta) : -1, POLLIN);
	supervisor = watch_add(
		&w, *s->told_to_leave ? -1 : s->env->supervisor_fd, POLLIN);
	chain_watch(&s->chain, &w);
	if (!watch_wait(&w)) {
		log_error("could not wait: %s", strerror(errno));
		s->exhausted = s->mta.lost = true;
	}
	if (w.fds[supervisor].revents)
		read_supervisor(s);
	chain_serve(&s->chain, &w);
	if (watch_mta && w.fds[mta].revents)
		mta_read(&s->mta);
}

void session_look(struct session *s)
{
	session_wait(s, clock_now(), false);
}

void session_wait_for_children(struct session *s, uint64_t until)
{
	if (!chain_await(&s->chain))
		session_wait(s, until, true);
}

/* ---- answering ---- */

void session_answer(struct session *s, const struct verdict *v)
{
	struct answer a = verdict_answer(v);

	if (mta_put(&s->mta, &a))
		mta_flush(&s->mta);
}

void session_answer_kind(struct session *s, enum verdict_kind kind)
{
	const struct verdict v = { .kind = kind, .by = -1 };

	session_answer(s, &v);
}

bool session_decided_late(struct session *s, struct verdict *v)
{
	if (!chain_decided(&s->chain, v)) {
		log_error("undecided behind the deadline: put off");
		v->kind = VERDICT_TEMPFAIL;
		v->by = -1;
	}
	return true;
}

void session_note_no_space(struct session *s)
{
	int reason = s->chain.no_space;

	if (!reason)
		return;
	session_count(s, COUNT_RESOURCE_FAILURES, 1);
	if (reason == ENOMEM || reason == EMFILE || reason == ENFILE ||
	    reason == ENOBUFS) {
		s->exhausted = true;
		log_warn("mail put off: %s", strerror(reason));
	} else
		log_warn("mail put off: spool_directory \"%s\": %s",
			 s->env->conf->spool_directory, strerror(reason));
}

void session_no_memory(struct session *s)
{
	s->chain.no_space = ENOMEM;
}

/* ---- the rest ---- */

static bool breach(struct session *s, const char *why)
{
	log_warn("MTA: %s; connection closed", why);
	session_count(s, COUNT_PROTOCOL_ERRORS, 1);
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
	session_abort_message(s);
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
	session_abort_message(s);
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

void session_note_queue_id(struct session *s, struct slice macros)
{
	struct slice id;

	if (*s->summary.queue_id || !macro_find(macros, SLICE_LIT("i"), &id))
		return;
	for (size_t i = 0, n = 0;
	     i < id.len && n < sizeof(s->summary.queue_id) - 1; i++) {
		unsigned char c = (unsigned char)id.data[i];

		s->summary.queue_id[n++] = c > 0x20 && c < 0x7f ? (char)c : '?';
		s->summary.queue_id[n] = '\0';
	}
	log_context(s->summary.queue_id);
	board_note_text(s->slot, slice_str(s->summary.client),
			slice_str(s->summary.queue_id),
			s->journal.has_mail ?
				summary_address(s->journal.mail.address) :
				SLICE_EMPTY);
}

/*
 * The queue id comes with any command of its message, at the latest with the
 * content; that of a MAIL is taken when the MAIL itself has come, because the
 * message before it may not be over yet.
 */
static void on_macro(struct session *s, const struct command *cmd)
{
	if (!journal_macro(&s->journal, &cmd->macro)) {
		session_no_memory(s);
		s->exhausted = true;
	}
	if (s->place > PLACE_IDLE && s->place < PLACE_OVER &&
	    cmd->macro.letter != SMFIC_MAIL)
		session_note_queue_id(s, cmd->macro.pairs);
}

/* ---- one row per command ---- */

#define AT(place)  (1u << PLACE_##place)
#define IN_MESSAGE (AT(ENVELOPE) | AT(HEADERS) | AT(BODY) | AT(OVER))
#define CONNECTED  (AT(IDLE) | IN_MESSAGE)
#define ANYWHERE   (AT(START) | AT(OPTIONS) | CONNECTED)

struct command_row {
	unsigned places; /* where it may come */
	void (*handle)(struct session *s, const struct command *cmd);
};

/* Read downwards: it is the protocol as we take it (milter-protocol 4.1). */
/* clang-format off */
static const struct command_row rows[CMD_COUNT] = {
	[CMD_OPTNEG]   = { AT(START) | AT(OPTIONS),                            on_optneg },
	[CMD_MACRO]    = { ANYWHERE & ~AT(START),                              on_macro },
	[CMD_CONNECT]  = { AT(OPTIONS),                                        session_on_connect },
	[CMD_HELO]     = { CONNECTED,                                          session_on_helo },
	[CMD_MAIL]     = { CONNECTED,                                          session_on_mail },
	[CMD_RCPT]     = { AT(ENVELOPE) | AT(OVER),                            session_on_rcpt },
	[CMD_DATA]     = { AT(ENVELOPE) | AT(OVER),                            session_on_data },
	[CMD_HEADER]   = { AT(ENVELOPE) | AT(HEADERS) | AT(OVER),              session_on_header },
	[CMD_EOH]      = { AT(ENVELOPE) | AT(HEADERS) | AT(OVER),              session_on_eoh },
	[CMD_BODY]     = { AT(BODY) | AT(OVER),                                session_on_body },
	[CMD_EOM]      = { AT(ENVELOPE) | AT(HEADERS) | AT(BODY) | AT(OVER),   session_on_eom },
	[CMD_ABORT]    = { ANYWHERE & ~AT(START),                              on_abort },
	[CMD_QUIT]     = { ANYWHERE,                                           on_quit },
	[CMD_QUIT_NC]  = { ANYWHERE & ~AT(START),                              on_quit_nc },
	[CMD_UNKNOWN]  = { AT(OPTIONS) | AT(IDLE) | AT(ENVELOPE) | AT(OVER),   session_on_unknown },
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
	session_answer(s, &s->verdict);
	if (kind == CMD_EOM)
		s->place = PLACE_IDLE;
}

/*
 * After a verdict for the connection every later command gets it, and no
 * child is asked.  True: that was one.
 */
static bool answer_refused(struct session *s, enum command_kind kind)
{
	enum stage stage = command_stage(kind);

	if (s->refused.kind == VERDICT_CONTINUE || stage == STAGE_COUNT ||
	    stage == STAGE_CONNECT)
		return false;
	if (!(s->promised.protocol & milter_stage_nr_bit(stage)))
		session_answer(s, &s->refused);
	return true;
}

static bool handle(struct session *s, struct slice packet)
{
	const struct command_row *row;
	struct command cmd;
	const char *why;

	if (!command_decode(packet, &cmd, &why))
		return breach(s, why);
	row = &rows[cmd.kind];
	if (answer_refused(s, cmd.kind))
		return true;
	if (!(row->places & 1u << s->place) ||
	    (cmd.kind == CMD_OPTNEG && s->place == PLACE_OPTIONS &&
	     !s->wait_optneg))
		return breach(s, "a command out of order");
	if (is_about_over(s, cmd.kind))
		answer_over(s, cmd.kind);
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

/*
 * What deep calls have left behind on the stack: every page they had, since
 * all variables begin as zero.  Own frames end within STACK_KEPT; the kernel
 * keeps 1 MiB below a stack free, so nobody else's pages are meant.
 */
__attribute__((noinline)) static void trim_stack(void)
{
	char *end = __builtin_frame_address(0);

	end -= STACK_KEPT + ((uintptr_t)end - STACK_KEPT) % PAGE;
	(void)madvise(end - STACK_TRIMMED, STACK_TRIMMED, MADV_DONTNEED);
}

void session_trim(struct session *s)
{
	mta_trim(&s->mta);
	chain_trim(&s->chain);
	message_trim(&s->message);
	arena_trim(&s->session_arena);
	arena_trim(&s->message_arena);
	buf_trim(&s->reply);
	malloc_trim(0);
	trim_stack();
	s->trimmed = true;
}

/*
 * Nobody but the MTA has anything to say: one call that waits and reads, for
 * no longer than SESSION_IDLE.  Should a child go away or the supervisor call
 * meanwhile, that is seen behind it.  False: the MTA is silent.
 */
static bool wait_for_mta_alone(struct session *s)
{
	uint64_t began = clock_now();

	if (!mta_await(&s->mta))
		return false;
	if (clock_now() - began >= LOOK_AROUND)
		session_look(s);
	return true;
}

/*
 * Where an MTA may be silent for long: its client is.  Content comes from a
 * queue, or at the pace of a transfer.
 */
static bool may_trim(const struct session *s)
{
	return s->place == PLACE_IDLE || s->place == PLACE_ENVELOPE;
}

/*
 * A short silence is the usual pace of things; in a longer one the memory is
 * given back.
 */
static void wait_for_mta(struct session *s, uint64_t limit)
{
	uint64_t soon = clock_now() + SESSION_IDLE;

	if (s->trimmed || soon > limit) {
		session_wait(s, limit, true);
		return;
	}
	if (chain_is_at_rest(&s->chain) && wait_for_mta_alone(s))
		return;
	if (!may_trim(s)) {
		session_wait(s, limit, true);
		return;
	}
	session_wait(s, soon, true);
	if (clock_now() >= soon)
		session_trim(s);
}

/* Waits for the MTA's next packet; children go on meanwhile. */
static bool next_packet(struct session *s, struct slice *packet_out)
{
	uint64_t limit = silence_limit(s);

	while (!mta_next(&s->mta, packet_out)) {
		if (s->mta.garbage) {
			const char *guess = s->place == PLACE_START ?
						    frame_guess_peer(buf_slice(
							    &s->mta.in)) :
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
		wait_for_mta(s, limit);
		if (clock_now() >= limit)
			return breach(s, "silent for too long");
	}
	s->trimmed = false;
	return true;
}

static void begin(struct session *s, int fd, size_t listener,
		  bool *told_to_leave)
{
	s->listen = &s->env->conf->listen.at[listener];
	mta_open(&s->mta, fd, s->listen->endpoint.kind != ENDPOINT_UNIX);
	mta_be_patient(&s->mta, SESSION_IDLE);
	s->told_to_leave = told_to_leave;
	s->place = PLACE_START;
	s->quit = s->exhausted = s->wait_optneg = false;
	s->summary = (struct summary){ 0 };
	s->refused = (struct verdict){ .kind = VERDICT_CONTINUE, .by = -1 };
	s->began = clock_now();
	session_count(s, COUNT_SESSIONS, 1);
	board_note_stage(s->slot, STAGE_COUNT, BOARD_NO_CHILD);
}

static void end(struct session *s)
{
	session_abort_message(s);
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
