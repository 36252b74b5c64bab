#include "t/unit/worker/stand.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_MAX 20000

void stand_init(struct stand *s, unsigned count)
{
	static const char *const names[] = { "one", "two", "three" };

	*s = (struct stand){ .count = count };
	clock_set(STAND_TIME);
	s->conf = (struct conf){
		.message_memory = 1 << 23,
		.message_max = 1 << 24,
		.spool_directory = "/tmp/sekisho-none",
		.headers_max = 5000,
		.headers_size_max = 1 << 20,
		.macros_max = 65536,
		.milter_count = count,
	};
	arena_init(&s->conf_arena, 1 << 20);
	s->conf.rules = rules_new(&s->conf_arena, NULL, 0);
	cr_assert_not_null(s->conf.rules);
	for (unsigned i = 0; i < count; i++) {
		struct conf_milter *m = &s->conf.milters[i];

		puppet_open(&s->puppets[i]);
		m->name = names[i];
		m->timeout_connect = 3 * CLOCK_S;
		m->timeout_command = 7 * CLOCK_S;
		m->timeout_eom = 120 * CLOCK_S;
		m->socket = (struct conf_sockets){ &s->sockets[i], 1 };
		puppet_address(&s->puppets[i], &s->sockets[i]);
	}
	s->offer = (struct option){ .version = 6,
				    .actions = SMFIF_ALL,
				    .protocol = SMFIP_NO_ALL | SMFIP_NR_ALL |
						SMFIP_SKIP | SMFIP_RCPT_REJ };
}

void stand_begin(struct stand *s, enum mta mta)
{
	cr_assert_eq(socketpair(AF_UNIX,
				SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
				0, s->supervisor),
		     0);
	s->env = (struct worker_env){ .conf = &s->conf,
				      .board = board_new(2, 10),
				      .supervisor_fd = s->supervisor[0],
				      .hungry_fd = -1 };
	cr_assert_not_null(s->env.board);
	arena_init(&s->session_arena, 1 << 22);
	arena_init(&s->message_arena, 1 << 26);
	journal_init(&s->journal, &s->session_arena, &s->message_arena,
		     s->conf.macros_max);
	arena_init(&s->lasting, 1 << 22);
	cr_assert(chain_init(&s->chain, &s->env, &s->lasting, &s->session_arena,
			     &s->message_arena, &s->journal, &s->message));
	chain_begin_session(&s->chain, &s->offer);
	s->chain.mta = mta;
}

void stand_end(struct stand *s)
{
	for (unsigned i = 0; i < s->count; i++)
		puppet_close(&s->puppets[i]);
	clock_set(0);
	if (!s->env.board)
		return; /* it never began */
	chain_end_session(&s->chain);
	message_end(&s->message);
	chain_deinit(&s->chain);
	arena_deinit(&s->conf_arena);
	journal_deinit(&s->journal);
	arena_deinit(&s->lasting);
	arena_deinit(&s->session_arena);
	arena_deinit(&s->message_arena);
	board_free(&s->env.board);
	close(s->supervisor[0]);
	close(s->supervisor[1]);
}

/* One turn for everybody; true: something happened. */
static bool turn(struct stand *s)
{
	struct watch w;
	bool happened;

	chain_go_on(&s->chain);
	watch_begin(&w, CLOCK_NEVER);
	chain_watch(&s->chain, &w);
	happened = poll(w.fds, w.count, 0) > 0;
	chain_serve(&s->chain, &w);
	for (unsigned i = 0; i < s->conf.milter_count; i++)
		happened = puppet_play(&s->puppets[i]) || happened;
	return happened;
}

bool stand_settle(struct stand *s)
{
	unsigned quiet = 0, rounds = 0;

	while (quiet < 3) {
		quiet = turn(s) ? 0 : quiet + 1;
		cr_assert_lt(rounds++, ROUNDS_MAX, "it never comes to rest");
	}
	return chain_decided(&s->chain, &s->verdict);
}

static bool step(struct stand *s, enum stage event)
{
	chain_event(&s->chain, event);
	return stand_settle(s);
}

/* What the session does after each piece of content. */
static void content_step(struct stand *s, enum stage event)
{
	struct verdict v;

	step(s, event);
	if (chain_refused(&s->chain, &v))
		chain_release(&s->chain, (unsigned)(v.by + 1));
}

bool stand_connect(struct stand *s)
{
	const struct command_connect c = { SLICE_LIT("mx.example"), '4', 1025,
					   SLICE_LIT("192.0.2.7") };

	cr_assert(journal_connect(&s->journal, &c));
	return step(s, STAGE_CONNECT);
}

bool stand_helo(struct stand *s, const char *name)
{
	cr_assert(journal_helo(&s->journal, slice_str(name)));
	return step(s, STAGE_HELO);
}

bool stand_mail(struct stand *s, const char *from)
{
	const struct command_envelope e = { slice_str(from), SLICE_EMPTY };

	chain_begin_message(&s->chain);
	message_begin(&s->message, &s->message_arena, &s->conf, s->chain.mta);
	cr_assert(journal_mail(&s->journal, &e));
	return step(s, STAGE_MAIL);
}

bool stand_rcpt(struct stand *s, const char *to)
{
	const struct command_envelope e = { slice_str(to), SLICE_EMPTY };

	cr_assert(journal_rcpt(&s->journal, &e));
	if (!step(s, STAGE_RCPT))
		return false;
	chain_rcpt_answered(&s->chain, &s->verdict);
	return true;
}

bool stand_data(struct stand *s)
{
	cr_assert(journal_data(&s->journal));
	return step(s, STAGE_DATA);
}

void stand_header(struct stand *s, const char *name, const char *value)
{
	message_add_header(&s->message, slice_str(name), slice_str(value));
	content_step(s, STAGE_HEADER);
}

void stand_eoh(struct stand *s)
{
	cr_assert(journal_eoh(&s->journal));
	message_end_headers(&s->message);
	content_step(s, STAGE_EOH);
}

void stand_body(struct stand *s, struct slice bytes)
{
	message_add_body(&s->message, bytes);
	content_step(s, STAGE_BODY);
}

bool stand_eom(struct stand *s)
{
	cr_assert(journal_eom(&s->journal));
	message_complete(&s->message);
	return step(s, STAGE_EOM);
}

bool stand_content(struct stand *s)
{
	if (!stand_data(s) || s->verdict.kind != VERDICT_CONTINUE)
		return false;
	stand_header(s, "Subject", "hi");
	stand_eoh(s);
	stand_body(s, SLICE_LIT("text\r\n"));
	return stand_eom(s);
}

bool stand_all(struct stand *s)
{
	return stand_connect(s) && stand_helo(s, "h") && stand_mail(s, "<s>") &&
	       stand_rcpt(s, "<r>") && stand_content(s);
}

void stand_end_message(struct stand *s)
{
	chain_end_message(&s->chain);
	journal_end_message(&s->journal);
	message_end(&s->message);
	arena_reset(&s->message_arena);
	stand_settle(s);
}

void stand_macros(struct stand *s, char letter, struct slice pairs)
{
	const struct command_macro m = { letter, pairs };

	cr_assert(journal_macro(&s->journal, &m));
}

void stand_expect(const struct stand *s, const char *verdict)
{
	const struct verdict *v = &s->verdict;
	struct buf b;

	buf_init(&b, 1000);
	buf_printf(&b, "%s", verdict_name(v->kind));
	if (v->kind != VERDICT_CONTINUE)
		buf_printf(&b, " by %d at %s%s%.*s", v->by,
			   milter_stage_name(v->stage),
			   v->reply.len ? ": " : "", SLICE_ARG(v->reply));
	cr_expect(slice_is(buf_slice(&b), verdict),
		  "verdict \"%.*s\" instead of \"%s\"",
		  SLICE_ARG(buf_slice(&b)), verdict);
	buf_deinit(&b);
}
