#include "shared/milter_command.h"

#include "shared/log.h"
#include "shared/macro.h"
#include "shared/milter_frame.h"

/*
 * One reader and one writer for each shape of payload.  A reader answers NULL
 * or what is wrong; it may leave bytes over: trailing ones are tolerated from
 * an MTA, as libmilter does.
 */

static const char *read_nothing(struct reader *r, struct command *c)
{
	(void)r;
	(void)c;
	return NULL;
}

static const char *read_option(struct reader *r, struct command *c)
{
	reader_u32(r, &c->option.version);
	reader_u32(r, &c->option.actions);
	reader_u32(r, &c->option.protocol);
	return r->failed ? "negotiation shorter than 12 bytes" : NULL;
}

static const char *read_macro(struct reader *r, struct command *c)
{
	if (!reader_byte(r, &c->macro.letter))
		return "macros without the letter of their command";
	c->macro.pairs = macro_whole_pairs(r->rest);
	return NULL;
}

static const char *read_connect(struct reader *r, struct command *c)
{
	struct command_connect *connect = &c->connect;

	connect->address = SLICE_EMPTY;
	if (!reader_str(r, &connect->host))
		return "client name without its end";
	if (!reader_byte(r, &connect->family))
		return "client without address family";
	switch (connect->family) {
	case 'U':
		return NULL;
	case '4':
	case '6':
	case 'L':
		reader_u16(r, &connect->port);
		reader_str(r, &connect->address);
		return r->failed ? "client address without its end" : NULL;
	default:
		return "unknown address family";
	}
}

static const char *read_text(struct reader *r, struct command *c)
{
	return reader_str(r, &c->text) ? NULL : "text without its end";
}

static const char *read_envelope(struct reader *r, struct command *c)
{
	struct slice *args = &c->envelope.args;

	if (!reader_str(r, &c->envelope.address))
		return "address without its end";
	*args = r->rest;
	if (args->len && args->data[args->len - 1] != '\0')
		return "argument without its end";
	return NULL;
}

static const char *read_header(struct reader *r, struct command *c)
{
	reader_str(r, &c->header.name);
	reader_str(r, &c->header.value);
	if (r->failed)
		return "header without its end";
	return c->header.name.len ? NULL : "header without name";
}

static const char *read_body(struct reader *r, struct command *c)
{
	c->body = r->rest;
	return NULL;
}

static bool write_nothing(struct buf *b, const struct command *c)
{
	(void)b;
	(void)c;
	return true;
}

static bool write_option(struct buf *b, const struct command *c)
{
	return buf_add_u32(b, c->option.version) &&
	       buf_add_u32(b, c->option.actions) &&
	       buf_add_u32(b, c->option.protocol);
}

static bool write_macro(struct buf *b, const struct command *c)
{
	return buf_add_byte(b, c->macro.letter) && buf_add(b, c->macro.pairs);
}

static bool write_connect(struct buf *b, const struct command *c)
{
	const struct command_connect *connect = &c->connect;

	if (!buf_add_str(b, connect->host) || !buf_add_byte(b, connect->family))
		return false;
	if (connect->family == 'U')
		return true;
	return buf_add_u16(b, connect->port) &&
	       buf_add_str(b, connect->address);
}

static bool write_text(struct buf *b, const struct command *c)
{
	return buf_add_str(b, c->text);
}

static bool write_envelope(struct buf *b, const struct command *c)
{
	return buf_add_str(b, c->envelope.address) &&
	       buf_add(b, c->envelope.args);
}

static bool write_header(struct buf *b, const struct command *c)
{
	return buf_add_str(b, c->header.name) &&
	       buf_add_str(b, c->header.value);
}

static bool write_body(struct buf *b, const struct command *c)
{
	return buf_add(b, c->body);
}

/* One row per command of the MTA.  Read downwards: it is the protocol. */
static const struct row {
	char letter;
	const char *name;
	enum stage stage; /* STAGE_COUNT: belongs to none */
	const char *(*read)(struct reader *r, struct command *c);
	bool (*write)(struct buf *b, const struct command *c);
} rows[] = {
	/* clang-format off */
	[CMD_OPTNEG]  = { SMFIC_OPTNEG,  "optneg",  STAGE_COUNT,   read_option,   write_option },
	[CMD_MACRO]   = { SMFIC_MACRO,   "macro",   STAGE_COUNT,   read_macro,    write_macro },
	[CMD_CONNECT] = { SMFIC_CONNECT, "connect", STAGE_CONNECT, read_connect,  write_connect },
	[CMD_HELO]    = { SMFIC_HELO,    "helo",    STAGE_HELO,    read_text,     write_text },
	[CMD_MAIL]    = { SMFIC_MAIL,    "mail",    STAGE_MAIL,    read_envelope, write_envelope },
	[CMD_RCPT]    = { SMFIC_RCPT,    "rcpt",    STAGE_RCPT,    read_envelope, write_envelope },
	[CMD_DATA]    = { SMFIC_DATA,    "data",    STAGE_DATA,    read_nothing,  write_nothing },
	[CMD_HEADER]  = { SMFIC_HEADER,  "header",  STAGE_HEADER,  read_header,   write_header },
	[CMD_EOH]     = { SMFIC_EOH,     "eoh",     STAGE_EOH,     read_nothing,  write_nothing },
	[CMD_BODY]    = { SMFIC_BODY,    "body",    STAGE_BODY,    read_body,     write_body },
	[CMD_EOM]     = { SMFIC_BODYEOB, "eom",     STAGE_EOM,     read_body,     write_body },
	[CMD_ABORT]   = { SMFIC_ABORT,   "abort",   STAGE_COUNT,   read_nothing,  write_nothing },
	[CMD_QUIT]    = { SMFIC_QUIT,    "quit",    STAGE_COUNT,   read_nothing,  write_nothing },
	[CMD_QUIT_NC] = { SMFIC_QUIT_NC, "quit_nc", STAGE_COUNT,   read_nothing,  write_nothing },
	[CMD_UNKNOWN] = { SMFIC_UNKNOWN, "unknown", STAGE_UNKNOWN, read_text,     write_text },
	/* clang-format on */
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) == CMD_COUNT,
	       "a command has no row");

static const struct row *row_of(enum command_kind kind)
{
	BUG_IF((unsigned)kind >= CMD_COUNT);
	return &rows[kind];
}

bool command_decode(struct slice packet, struct command *command_out,
		    const char **why_out)
{
	struct reader r = reader_of(packet);
	char letter;

	memset(command_out, 0, sizeof(*command_out));
	*why_out = "empty packet";
	if (!reader_byte(&r, &letter))
		return false;
	*why_out = "unknown command";
	for (unsigned kind = 0; kind < CMD_COUNT; kind++) {
		if (rows[kind].letter != letter)
			continue;
		command_out->kind = (enum command_kind)kind;
		*why_out = rows[kind].read(&r, command_out);
		break;
	}
	return *why_out == NULL;
}

bool command_encode(struct buf *b, const struct command *command)
{
	const struct row *row = row_of(command->kind);
	size_t mark;

	if (!frame_begin(b, row->letter, &mark))
		return false;
	if (!row->write(b, command) ||
	    !frame_end_within(b, mark, MILTER_PAYLOAD_MAX)) {
		frame_undo(b, mark);
		return false;
	}
	return true;
}

const char *command_name(enum command_kind kind)
{
	return row_of(kind)->name;
}

enum stage command_stage(enum command_kind kind)
{
	return row_of(kind)->stage;
}
