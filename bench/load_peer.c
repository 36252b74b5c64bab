#include "bench/load_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "shared/macro.h"
#include "shared/milter_answer.h"
#include "shared/milter_frame.h"
#include "shared/milter_option.h"

/* The size of a Postfix stream's buffer, either way. */
#define STREAM_SIZE ((size_t)4096)
#define BUF_MAX	    ((size_t)4 * 1024 * 1024)
/* As Postfix's milter_command_timeout. */
#define SILENCE_MAX (30 * CLOCK_S)

/* Postfix's default lists; a milter that gives a list of its own gets that. */
static const char *const default_list[LIST_COUNT] = {
	[LIST_CONNECT] = "j {daemon_name} {daemon_addr} v _",
	[LIST_HELO] = "{tls_version} {cipher} {cipher_bits}",
	[LIST_MAIL] = "{mail_addr} {mail_host} {mail_mailer}",
	[LIST_RCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
	[LIST_DATA] = "i",
	[LIST_EOM] = "i",
	[LIST_EOH] = "i",
};

/* All that this MTA knows; the same in every message. */
static const char known[] =
	"j\0mx.example.org\0{daemon_name}\0smtpd\0{daemon_addr}\0"
	"192.0.2.1\0v\0Postfix 3.7.11\0_\0client.example.net [192.0.2.7]\0"
	"{tls_version}\0TLSv1.3\0{cipher}\0TLS_AES_256_GCM_SHA384\0"
	"{cipher_bits}\0"
	"256\0{mail_addr}\0anna@example.net\0{mail_host}\0example.net\0"
	"{mail_mailer}\0smtp\0i\0"
	"4FxYz12345z9\0{rcpt_addr}\0"
	"bert@example.org\0{rcpt_host}\0example.org\0{rcpt_mailer}\0local\0"
	"{client_addr}\0"
	"192.0.2.7\0{client_name}\0client.example.net";

/* When all sessions fail for one reason it need not be read a thousand times. */
static bool fail(const char *what, const char *why)
{
	static unsigned told;

	if (told++ > 2)
		return false;
	fprintf(stderr, "sekisho-bench: %s: %s\n", what, why);
	return false;
}

static const char *io_why(enum io_result r)
{
	if (r == IO_EOF)
		return "the milter closed the connection";
	return r == IO_TIMEOUT ? "timeout" : strerror(errno);
}

static bool flush(struct peer *p)
{
	enum io_result r =
		io_write_all(p->fd, &p->out, clock_now() + SILENCE_MAX);

	return r == IO_OK || fail("write", io_why(r));
}

/* One packet; it stays valid until the next read. */
static bool read_packet(struct peer *p, struct slice *packet_out)
{
	enum frame_result frame;
	enum io_result r;

	while ((frame = frame_peek(&p->in, MILTER_CHILD_LENGTH_MAX,
				   packet_out)) == FRAME_MORE) {
		r = io_wait(p->fd, POLLIN, clock_now() + SILENCE_MAX);
		if (r == IO_OK)
			r = io_read(p->fd, &p->in, STREAM_SIZE);
		if (r != IO_OK && r != IO_AGAIN)
			return fail("read", io_why(r));
	}
	return frame == FRAME_OK || fail("read", "bad length");
}

static bool choose_macros(struct peer *p, const struct option *answer)
{
	const struct slice pairs = slice_of(known, sizeof(known));
	unsigned dropped;

	for (unsigned i = 0; i < LIST_COUNT; i++) {
		struct slice list = slice_str(default_list[i]);

		/* An empty list means the default to Postfix. */
		if (answer->has_list[i] && slice_trim(answer->list[i]).len)
			list = answer->list[i];
		if (!macro_filter(pairs, true, list, MILTER_PAYLOAD_MAX - 1,
				  &p->macros[i], &dropped))
			return fail("macros", "no memory");
	}
	return true;
}

static bool negotiate(struct peer *p)
{
	const struct option offer = {
		.version = MILTER_VERSION,
		.actions = SMFIF_ALL,
		.protocol = SMFIP_NO_ALL | SMFIP_NR_ALL | SMFIP_SKIP |
			    SMFIP_HDR_LEADSPC | SMFIP_RCPT_REJ,
	};
	const struct command command = { CMD_OPTNEG, { .option = offer } };
	struct slice packet;
	struct answer answer;
	const char *why = "no negotiation";
	bool good;

	if (!command_encode(&p->out, &command) || !flush(p) ||
	    !read_packet(p, &packet))
		return false;
	if (!answer_decode(packet, &answer, &why) ||
	    answer.kind != ANSWER_OPTNEG)
		return fail("negotiation", why);
	p->protocol = answer.option.protocol;
	good = choose_macros(p, &answer.option);
	frame_skip(&p->in, packet);
	return good;
}

/*
 * Waits while the listener's queue is full, as an MTA does: a non-blocking
 * connect to a unix socket would fail there.
 */
static bool peer_connect(struct peer *p, const struct endpoint *endpoint)
{
	const struct sockaddr *addr = &endpoint->addr[0].any;
	int flags;

	p->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || connect(p->fd, addr, endpoint->addr_len[0]) != 0)
		return fail("connect", strerror(errno));
	(void)io_no_delay(p->fd);
	flags = fcntl(p->fd, F_GETFL);
	return fcntl(p->fd, F_SETFL, flags | O_NONBLOCK) == 0 ||
	       fail("connect", strerror(errno));
}

bool peer_open(struct peer *p, const struct endpoint *endpoint)
{
	*p = (struct peer){ .fd = -1 };
	buf_init(&p->in, BUF_MAX);
	buf_init(&p->out, BUF_MAX);
	for (unsigned i = 0; i < LIST_COUNT; i++)
		buf_init(&p->macros[i], BUF_MAX);
	return peer_connect(p, endpoint) && negotiate(p);
}

void peer_close(struct peer *p)
{
	if (p->fd >= 0) {
		if (frame_put(&p->out, SMFIC_QUIT))
			(void)io_write(p->fd, &p->out);
		close(p->fd);
	}
	p->fd = -1;
	buf_deinit(&p->in);
	buf_deinit(&p->out);
	for (unsigned i = 0; i < LIST_COUNT; i++)
		buf_deinit(&p->macros[i]);
}

bool peer_abort(struct peer *p)
{
	return frame_put(&p->out, SMFIC_ABORT) || fail("abort", "no memory");
}

/* Before a header the list of its end, before a body that of the message's. */
static enum milter_list macro_list(enum stage stage)
{
	if (stage == STAGE_HEADER)
		return LIST_EOH;
	return stage == STAGE_BODY ? LIST_EOM : milter_stage_list(stage);
}

static bool put_macros(struct peer *p, enum stage stage)
{
	const enum milter_list list = macro_list(stage);
	struct command macro = { .kind = CMD_MACRO };

	if (list >= LIST_COUNT)
		return true;
	macro.macro.letter = milter_stage_letter(stage);
	macro.macro.pairs = buf_slice(&p->macros[list]);
	return command_encode(&p->out, &macro) || fail("macros", "no room");
}

/*
 * What a milter does not want to hear of it gets no command for, but the
 * macros all the same, up to DATA.
 */
static bool put(struct peer *p, const struct command *command, enum stage stage,
		bool unwanted)
{
	if (unwanted)
		return stage > STAGE_DATA || put_macros(p, stage);
	return put_macros(p, stage) &&
	       (command_encode(&p->out, command) ||
		fail(command_name(command->kind), "no room"));
}

static enum peer_result meaning(enum answer_kind kind)
{
	if (kind == ANSWER_CONTINUE)
		return PEER_CONTINUE;
	if (kind == ANSWER_ACCEPT)
		return PEER_ACCEPTED;
	if (kind == ANSWER_SKIP)
		return PEER_SKIP;
	if (kind == ANSWER_REJECT || kind == ANSWER_TEMPFAIL ||
	    kind == ANSWER_REPLYCODE || kind == ANSWER_DISCARD)
		return PEER_REFUSED;
	fail("answer", answer_name(kind));
	return PEER_FAILED;
}

static enum peer_result await(struct peer *p)
{
	struct answer answer;
	struct slice packet;
	const char *why;

	do {
		if (!read_packet(p, &packet))
			return PEER_FAILED;
		if (!answer_decode(packet, &answer, &why)) {
			fail("answer", why);
			return PEER_FAILED;
		}
		frame_skip(&p->in, packet);
	} while (answer.kind == ANSWER_PROGRESS || answer_is_edit(answer.kind));
	return meaning(answer.kind);
}

enum peer_result peer_say(struct peer *p, const struct command *command)
{
	const enum stage stage = command_stage(command->kind);
	const bool unwanted = p->protocol & milter_stage_no_bit(stage);

	if (!put(p, command, stage, unwanted))
		return PEER_FAILED;
	if (unwanted || (p->protocol & milter_stage_nr_bit(stage))) {
		if (buf_len(&p->out) >= STREAM_SIZE && !flush(p))
			return PEER_FAILED;
		return PEER_CONTINUE;
	}
	return flush(p) ? await(p) : PEER_FAILED;
}
