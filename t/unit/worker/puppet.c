#include "t/unit/worker/puppet.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/io.h"
#include "shared/macro.h"
#include "shared/milter_frame.h"

#define NOTES_MAX ((size_t)8 << 20)

void puppet_open(struct puppet *p)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	*p = (struct puppet){ .fd = -1 };
	snprintf(p->directory, sizeof(p->directory),
		 "/tmp/sekisho-puppet-XXXXXX");
	cr_assert_not_null(mkdtemp(p->directory));
	snprintf(p->path, sizeof(p->path), "%s/s", p->directory);
	memcpy(addr.sun_path, p->path, strlen(p->path) + 1);
	p->listener = socket(AF_UNIX,
			     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_geq(p->listener, 0);
	cr_assert_eq(bind(p->listener, (struct sockaddr *)&addr, sizeof(addr)),
		     0);
	cr_assert_eq(listen(p->listener, 10), 0);
	buf_init(&p->in, NOTES_MAX);
	buf_init(&p->heard, NOTES_MAX);
	buf_init(&p->content, NOTES_MAX);
	buf_init(&p->macros, NOTES_MAX);
	p->option.version = 6;
	p->option.actions = SMFIF_ALL;
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		p->say[i] = "c";
}

static void hang_up(struct puppet *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_clear(&p->in);
}

void puppet_close(struct puppet *p)
{
	hang_up(p);
	if (p->listener >= 0)
		close(p->listener);
	unlink(p->path);
	rmdir(p->directory);
	buf_deinit(&p->in);
	buf_deinit(&p->heard);
	buf_deinit(&p->content);
	buf_deinit(&p->macros);
}

void puppet_address(const struct puppet *p, struct endpoint *endpoint_out)
{
	char text[100];
	const char *why;

	snprintf(text, sizeof(text), "unix:%s", p->path);
	cr_assert(endpoint_parse(slice_str(text), endpoint_out, &why), "%s",
		  why);
	cr_assert(endpoint_resolve(endpoint_out, false, &why), "%s", why);
}

/* ---- saying ---- */

/* The peer may be gone: then it is not heard. */
static void put(struct puppet *p, struct buf *b)
{
	if (p->fd >= 0)
		(void)!io_write(p->fd, b);
	buf_deinit(b);
}

void puppet_answer(struct puppet *p, const struct answer *a)
{
	struct buf b;

	buf_init(&b, NOTES_MAX);
	cr_assert(answer_encode(&b, a));
	put(p, &b);
}

void puppet_say(struct puppet *p, const char *words)
{
	struct answer reply = { .kind = ANSWER_REPLYCODE };
	struct buf b;

	buf_init(&b, NOTES_MAX);
	for (; *words && *words != 'y' && *words != 'x'; words++) {
		if (*words == '!')
			cr_assert(buf_add_u32(&b, 0xffffffff));
		else
			cr_assert(frame_put(&b, *words));
	}
	if (*words == 'y') {
		reply.text = slice_str(words + 1);
		cr_assert(answer_encode(&b, &reply));
	}
	put(p, &b);
	if (*words == 'x')
		hang_up(p);
}

static void negotiate(struct puppet *p)
{
	struct answer a = { .kind = ANSWER_OPTNEG, .option = p->option };
	struct buf b;

	if (!p->hello) {
		puppet_answer(p, &a);
		return;
	}
	buf_init(&b, NOTES_MAX);
	cr_assert(buf_add(&b, slice_str(p->hello)));
	put(p, &b);
}

static void answer_stage(struct puppet *p, enum stage stage,
			 const struct command *cmd)
{
	const char *words = p->say[stage];

	if (p->option.protocol & milter_stage_nr_bit(stage))
		return;
	if (stage == STAGE_RCPT && p->bad_rcpt &&
	    slice_is(cmd->envelope.address, p->bad_rcpt))
		words = p->bad_say;
	for (size_t i = 0; stage == STAGE_EOM && i < p->edit_count; i++)
		puppet_answer(p, &p->edits[i]);
	puppet_say(p, words);
}

/* ---- hearing ---- */

static void note(struct buf *b, struct slice s)
{
	cr_assert(buf_add(b, s));
}

static void note_macros(struct puppet *p, const struct command_macro *m)
{
	struct slice pairs = m->pairs, name, value;

	cr_assert(buf_printf(&p->macros, "%c ", m->letter));
	while (macro_next(&pairs, &name, &value))
		cr_assert(buf_printf(&p->macros, "%.*s=%.*s ", SLICE_ARG(name),
				     SLICE_ARG(value)));
}

static void note_command(struct puppet *p, char letter,
			 const struct command *cmd)
{
	if (cmd->kind == CMD_MACRO) {
		note_macros(p, &cmd->macro);
		return;
	}
	note(&p->heard, slice_of(&letter, 1));
	if (cmd->kind == CMD_MAIL || cmd->kind == CMD_RCPT)
		note(&p->heard, cmd->envelope.address);
	if (cmd->kind == CMD_HELO || cmd->kind == CMD_UNKNOWN)
		note(&p->heard, cmd->text);
	if (cmd->kind == CMD_MAIL)
		buf_clear(&p->content);
	if (cmd->kind == CMD_HEADER)
		cr_assert(buf_printf(&p->content, "%.*s:%.*s\n",
				     SLICE_ARG(cmd->header.name),
				     SLICE_ARG(cmd->header.value)));
	if (cmd->kind == CMD_EOH)
		note(&p->content, SLICE_LIT("\n"));
	if (cmd->kind == CMD_BODY)
		note(&p->content, cmd->body);
}

/* True: there was one, and it was dealt with. */
static bool one_packet(struct puppet *p)
{
	struct slice packet;
	struct command cmd;
	const char *why;
	enum stage stage;

	if (p->fd < 0 ||
	    frame_peek(&p->in, MILTER_MTA_LENGTH_MAX, &packet) != FRAME_OK)
		return false;
	cr_assert(command_decode(packet, &cmd, &why), "%s", why);
	note_command(p, packet.data[0], &cmd);
	stage = command_stage(cmd.kind);
	if (cmd.kind == CMD_OPTNEG)
		negotiate(p);
	else if (stage != STAGE_COUNT)
		answer_stage(p, stage, &cmd);
	/* It may have hung up and forgotten the packet. */
	if (buf_len(&p->in))
		frame_skip(&p->in, packet);
	return true;
}

bool puppet_play(struct puppet *p)
{
	bool happened = false;
	enum io_result r;

	if (p->fd < 0) {
		p->fd = accept4(p->listener, NULL, NULL,
				SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (p->fd < 0)
			return false;
		note(&p->heard, SLICE_LIT("|"));
		happened = true;
	}
	r = io_read(p->fd, &p->in, 65536);
	while (one_packet(p))
		continue;
	if (r == IO_EOF || r == IO_ERROR)
		hang_up(p);
	return happened || r != IO_AGAIN;
}

void puppet_expect(struct puppet *p, const char *heard)
{
	cr_expect(slice_is(buf_slice(&p->heard), heard),
		  "heard \"%.*s\" instead of \"%s\"",
		  SLICE_ARG(buf_slice(&p->heard)), heard);
	buf_clear(&p->heard);
}
