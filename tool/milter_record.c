#include "tool/milter_record.h"

#include <inttypes.h>

#include "shared/macro.h"

#define LINE_MAX_BYTES ((size_t)8 * 1024 * 1024)

/* Words are put behind each other; b may run full, the line is then short. */
static void word(struct buf *b, struct slice text)
{
	(void)!(buf_add_byte(b, ' ') && script_print(b, text));
}

static void quoted(struct buf *b, struct slice text)
{
	(void)!(buf_add_byte(b, ' ') && script_quote(b, text));
}

/* ESMTP arguments: each with its NUL. */
static void arguments(struct buf *b, struct slice args)
{
	struct slice part;

	while (args.len && slice_split(&args, '\0', &part))
		word(b, part);
}

static void macros(struct buf *b, struct slice pairs)
{
	struct slice name, value;

	while (macro_next(&pairs, &name, &value)) {
		buf_printf(b, " %.*s=", SLICE_ARG(name));
		(void)!script_print(b, value);
	}
}

/* The stage whose letter stands in a macro packet, for people. */
static void macro_stage(struct buf *b, char letter)
{
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		if (milter_stage_letter(s) == letter) {
			buf_printf(b, " %s", milter_stage_name(s));
			return;
		}
	word(b, slice_of(&letter, 1));
}

static void option_words(struct buf *b, const struct option *o)
{
	buf_printf(b,
		   " version=%" PRIu32 " actions=0x%" PRIx32
		   " protocol=0x%" PRIx32,
		   o->version, o->actions, o->protocol);
	for (unsigned i = 0; i < LIST_COUNT; i++)
		if (o->has_list[i]) {
			buf_printf(b, " list%u=", i);
			(void)!script_quote(b, o->list[i]);
		}
}

static void head(struct buf *b, const struct facts *f, bool in_message)
{
	buf_printf(b, "s%" PRIu64, f->session_number);
	if (in_message && f->message_number)
		buf_printf(b, " m%" PRIu64, f->message_number);
}

static void finish(struct buf *b, FILE *log)
{
	struct slice line;

	(void)!buf_add_byte(b, '\n');
	line = buf_slice(b);
	fwrite(line.data, 1, line.len, log);
	fflush(log);
	buf_deinit(b);
}

static void connect_words(struct buf *b, const struct command_connect *c)
{
	word(b, c->host);
	buf_printf(b, " %c", c->family);
	if (c->family == 'U')
		return;
	buf_printf(b, " %u", (unsigned)c->port);
	word(b, c->address);
}

/* At the end of message: how much body there was, and its fingerprint. */
static void eom_words(struct buf *b, const struct facts *f)
{
	buf_printf(b, " body=%" PRIu64 " hash=%016" PRIx64, f->body_size,
		   f->body_hash);
}

static void command_words(struct buf *b, const struct facts *f,
			  const struct command *c)
{
	switch (c->kind) {
	case CMD_OPTNEG:
		option_words(b, &c->option);
		break;
	case CMD_MACRO:
		macro_stage(b, c->macro.letter);
		macros(b, c->macro.pairs);
		break;
	case CMD_CONNECT:
		connect_words(b, &c->connect);
		break;
	case CMD_HELO:
	case CMD_UNKNOWN:
		word(b, c->text);
		break;
	case CMD_MAIL:
	case CMD_RCPT:
		word(b, c->envelope.address);
		arguments(b, c->envelope.args);
		break;
	case CMD_HEADER:
		word(b, c->header.name);
		quoted(b, c->header.value);
		break;
	case CMD_BODY:
		buf_printf(b, " %zu hash=%016" PRIx64, c->body.len,
			   script_hash(SCRIPT_HASH, c->body));
		break;
	case CMD_EOM:
		eom_words(b, f);
		break;
	case CMD_DATA:
	case CMD_EOH:
	case CMD_ABORT:
	case CMD_QUIT:
	case CMD_QUIT_NC:
	case CMD_COUNT:
		break;
	}
}

/* Macros of MAIL come before it and belong to no message number yet. */
static bool is_in_message(const struct facts *f, const struct command *c)
{
	if (c->kind == CMD_MACRO &&
	    (c->macro.letter == SMFIC_CONNECT || c->macro.letter == SMFIC_HELO))
		return false;
	return !f->is_fresh && c->kind != CMD_OPTNEG &&
	       c->kind != CMD_CONNECT && c->kind != CMD_HELO &&
	       c->kind != CMD_QUIT && c->kind != CMD_QUIT_NC;
}

void record_command(FILE *log, const struct facts *f,
		    const struct command *command)
{
	struct buf b;

	if (!log)
		return;
	buf_init(&b, LINE_MAX_BYTES);
	head(&b, f, is_in_message(f, command));
	buf_printf(&b, " %s", command_name(command->kind));
	command_words(&b, f, command);
	finish(&b, log);
}

static void answer_words(struct buf *b, const struct answer *a)
{
	switch (a->kind) {
	case ANSWER_OPTNEG:
		option_words(b, &a->option);
		break;
	case ANSWER_REPLYCODE:
	case ANSWER_QUARANTINE:
		quoted(b, a->text);
		break;
	case ANSWER_INSHEADER:
	case ANSWER_CHGHEADER:
		buf_printf(b, " %" PRIu32, a->header.index);
		word(b, a->header.name);
		quoted(b, a->header.value);
		break;
	case ANSWER_ADDHEADER:
		word(b, a->header.name);
		quoted(b, a->header.value);
		break;
	case ANSWER_REPLBODY:
		buf_printf(b, " %zu", a->body.len);
		break;
	case ANSWER_ADDRCPT:
	case ANSWER_DELRCPT:
	case ANSWER_ADDRCPT_PAR:
	case ANSWER_CHGFROM:
		word(b, a->address.address);
		if (a->address.has_args)
			quoted(b, a->address.args);
		break;
	case ANSWER_CONTINUE:
	case ANSWER_ACCEPT:
	case ANSWER_REJECT:
	case ANSWER_TEMPFAIL:
	case ANSWER_DISCARD:
	case ANSWER_SKIP:
	case ANSWER_PROGRESS:
	case ANSWER_SHUTDOWN:
	case ANSWER_CONN_FAIL:
	case ANSWER_COUNT:
		break;
	}
}

void record_answer(FILE *log, const struct facts *f,
		   const struct answer *answer)
{
	struct buf b;

	if (!log)
		return;
	buf_init(&b, LINE_MAX_BYTES);
	head(&b, f, !f->is_fresh);
	buf_printf(&b, " > %s", script_answer_name(answer->kind));
	answer_words(&b, answer);
	finish(&b, log);
}

void record_note(FILE *log, const struct facts *f, const char *what,
		 struct slice text)
{
	struct buf b;

	if (!log)
		return;
	buf_init(&b, LINE_MAX_BYTES);
	head(&b, f, false);
	buf_printf(&b, " %s", what);
	if (text.len)
		word(&b, text);
	finish(&b, log);
}

/* --- messages as files --- */

static void put(FILE *to, struct slice s)
{
	fwrite(s.data, 1, s.len, to);
}

static void save_message(FILE *to, const struct facts *f)
{
	for (const struct fact *h = f->headers; h; h = h->next) {
		struct slice value = h->second, line;
		bool is_first = true;

		put(to, h->first);
		/* With HDR_LEADSPC granted the space is part of the value. */
		put(to, f->has_leadspc ? SLICE_LIT(":") : SLICE_LIT(": "));
		while (slice_split(&value, '\n', &line)) {
			if (!is_first)
				put(to, SLICE_LIT("\r\n"));
			put(to, line);
			is_first = false;
		}
		put(to, SLICE_LIT("\r\n"));
	}
	put(to, SLICE_LIT("\r\n"));
	put(to, buf_slice(&f->body));
}

static void save_envelope(FILE *to, const struct facts *f)
{
	struct buf b;

	buf_init(&b, LINE_MAX_BYTES);
	buf_printf(&b, "client");
	word(&b, f->client_name);
	word(&b, f->client_address);
	buf_printf(&b, "\nhelo");
	word(&b, f->helo);
	buf_printf(&b, "\nmail");
	word(&b, f->sender);
	arguments(&b, f->sender_args);
	for (const struct fact *r = f->rcpts; r; r = r->next) {
		buf_printf(&b, "\nrcpt");
		word(&b, r->first);
		arguments(&b, r->second);
	}
	for (unsigned i = 0; i < 128; i++)
		if (f->macros[i].len) {
			buf_printf(&b, "\nmacro");
			macro_stage(&b, (char)i);
			macros(&b, f->macros[i]);
		}
	buf_printf(&b, "\n");
	put(to, buf_slice(&b));
	buf_deinit(&b);
}

static bool save(const char *directory, const struct facts *f,
		 const char *suffix,
		 void (*write_it)(FILE *to, const struct facts *f))
{
	char path[4096];
	FILE *to;
	bool ok;

	snprintf(path, sizeof(path), "%s/s%" PRIu64 "-m%" PRIu64 "%s",
		 directory, f->session_number, f->message_number, suffix);
	to = fopen(path, "we");
	if (!to)
		return false;
	write_it(to, f);
	ok = !ferror(to);
	return fclose(to) == 0 && ok;
}

bool record_save(const char *directory, const struct facts *f)
{
	return save(directory, f, ".eml", save_message) &&
	       save(directory, f, ".env", save_envelope);
}
