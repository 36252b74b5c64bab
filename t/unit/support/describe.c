#include "t/unit/support/describe.h"

#include <criterion/criterion.h>

#include "shared/macro.h"

static void put(struct buf *out, const char *words)
{
	cr_assert(buf_add(out, slice_str(words)));
}

static void put_quoted(struct buf *out, struct slice s)
{
	static const char plain[] = "\r\n\t\"\\";
	static const char escaped[] = "rnt\"\\";

	put(out, "\"");
	for (size_t i = 0; i < s.len; i++) {
		const char *at = s.data[i] ? strchr(plain, s.data[i]) : NULL;

		if (!s.data[i])
			put(out, "\\0");
		else if (at)
			cr_assert(buf_printf(out, "\\%c", escaped[at - plain]));
		else
			cr_assert(buf_add_byte(out, s.data[i]));
	}
	put(out, "\"");
}

/* word and a quoted string, a blank before it. */
static void put_word(struct buf *out, const char *word, struct slice s)
{
	put(out, word);
	put_quoted(out, s);
}

static void put_body(struct buf *out, const char *word, struct slice body)
{
	cr_assert(buf_printf(out, "%s %zu bytes ", word, body.len));
	put_quoted(out, slice_head(body, 100));
}

static void put_option(struct buf *out, const struct option *o)
{
	cr_assert(buf_printf(out,
			     "OPTNEG version=%u actions=0x%08x protocol=0x%08x",
			     o->version, o->actions, o->protocol));
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		if (!o->has_list[i])
			continue;
		cr_assert(buf_printf(out, " list[%u]=", i));
		put_quoted(out, o->list[i]);
	}
}

static void put_macro(struct buf *out, const struct command_macro *m)
{
	struct slice pairs = m->pairs, name, value;

	cr_assert(buf_printf(out, "MACRO for %c:", m->letter));
	while (macro_next(&pairs, &name, &value)) {
		cr_assert(buf_printf(out, " %.*s=", SLICE_ARG(name)));
		put_quoted(out, value);
	}
}

static void put_connect(struct buf *out, const struct command_connect *c)
{
	put_word(out, "CONNECT host=", c->host);
	cr_assert(buf_printf(out, " family=%c", c->family));
	if (c->family == 'U')
		return;
	cr_assert(buf_printf(out, " port=%u", c->port));
	put_word(out, " addr=", c->address);
}

static void put_envelope(struct buf *out, const char *word,
			 const struct command_envelope *e)
{
	struct slice args = e->args, arg;

	put_word(out, word, e->address);
	while (args.len && slice_split(&args, '\0', &arg))
		put_word(out, " ", arg);
}

void describe_command(struct buf *out, const struct command *c)
{
	switch (c->kind) {
	case CMD_OPTNEG:
		put_option(out, &c->option);
		break;
	case CMD_MACRO:
		put_macro(out, &c->macro);
		break;
	case CMD_CONNECT:
		put_connect(out, &c->connect);
		break;
	case CMD_HELO:
		put_word(out, "HELO ", c->text);
		break;
	case CMD_MAIL:
		put_envelope(out, "MAIL ", &c->envelope);
		break;
	case CMD_RCPT:
		put_envelope(out, "RCPT ", &c->envelope);
		break;
	case CMD_DATA:
		put(out, "DATA");
		break;
	case CMD_HEADER:
		put_word(out, "HEADER ", c->header.name);
		put_word(out, ": ", c->header.value);
		break;
	case CMD_EOH:
		put(out, "EOH");
		break;
	case CMD_BODY:
		put_body(out, "BODY", c->body);
		break;
	case CMD_EOM:
		if (c->body.len)
			put_body(out, "BODYEOB", c->body);
		else
			put(out, "BODYEOB");
		break;
	case CMD_ABORT:
		put(out, "ABORT");
		break;
	case CMD_QUIT:
		put(out, "QUIT");
		break;
	case CMD_QUIT_NC:
		put(out, "QUIT_NC");
		break;
	case CMD_UNKNOWN:
		put_word(out, "UNKNOWN ", c->text);
		break;
	case CMD_COUNT:
		cr_assert_fail("no command");
	}
}

static void put_header(struct buf *out, const char *word, bool has_index,
		       const struct answer_header *h)
{
	put(out, word);
	if (has_index)
		cr_assert(buf_printf(out, "index=%u ", h->index));
	put_quoted(out, h->name);
	put_word(out, ": ", h->value);
}

static void put_address(struct buf *out, const char *word,
			const struct answer_address *a)
{
	put_word(out, word, a->address);
	if (a->has_args)
		put_word(out, " ", a->args);
}

static void describe_edit(struct buf *out, const struct answer *a)
{
	if (a->kind == ANSWER_ADDHEADER)
		put_header(out, "ADDHEADER ", false, &a->header);
	else if (a->kind == ANSWER_INSHEADER)
		put_header(out, "INSHEADER ", true, &a->header);
	else if (a->kind == ANSWER_CHGHEADER)
		put_header(out, "CHGHEADER ", true, &a->header);
	else if (a->kind == ANSWER_REPLBODY)
		put_body(out, "REPLBODY", a->body);
	else if (a->kind == ANSWER_ADDRCPT)
		put_address(out, "ADDRCPT ", &a->address);
	else if (a->kind == ANSWER_DELRCPT)
		put_address(out, "DELRCPT ", &a->address);
	else if (a->kind == ANSWER_ADDRCPT_PAR)
		put_address(out, "ADDRCPT_PAR ", &a->address);
	else if (a->kind == ANSWER_CHGFROM)
		put_address(out, "CHGFROM ", &a->address);
	else if (a->kind == ANSWER_QUARANTINE)
		put_word(out, "QUARANTINE ", a->text);
}

void describe_answer(struct buf *out, const struct answer *a)
{
	static const char *const plain[ANSWER_COUNT] = {
		[ANSWER_CONTINUE] = "CONTINUE",
		[ANSWER_ACCEPT] = "ACCEPT",
		[ANSWER_REJECT] = "REJECT",
		[ANSWER_TEMPFAIL] = "TEMPFAIL",
		[ANSWER_DISCARD] = "DISCARD",
		[ANSWER_SKIP] = "SKIP",
		[ANSWER_PROGRESS] = "PROGRESS",
		[ANSWER_SHUTDOWN] = "SHUTDOWN",
		[ANSWER_CONN_FAIL] = "CONN_FAIL",
	};

	cr_assert_lt((unsigned)a->kind, ANSWER_COUNT);
	if (answer_is_edit(a->kind))
		describe_edit(out, a);
	else if (a->kind == ANSWER_OPTNEG)
		put_option(out, &a->option);
	else if (a->kind == ANSWER_REPLYCODE)
		put_word(out, "REPLYCODE ", slice_head(a->text, 100));
	else
		put(out, plain[a->kind]);
}
