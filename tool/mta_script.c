#include "tool/mta_script.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define TIMES_MAX 1000000

/* Words still to be read of one statement. */
struct cursor {
	const struct script_statement *statement;
	size_t at;
	struct arena *arena;
	struct script_error *error;
};

static const struct script_word *peek(const struct cursor *c)
{
	return c->at < c->statement->count ? &c->statement->words[c->at] : NULL;
}

static bool take(struct cursor *c, const char *what,
		 const struct script_word **word_out)
{
	*word_out = peek(c);
	if (!*word_out) {
		script_fail(c->error,
			    &c->statement->words[c->statement->count - 1],
			    "%s missing at the end", what);
		return false; /* said once more for the compiler */
	}
	c->at++;
	return true;
}

static bool take_text(struct cursor *c, const char *what,
		      struct slice *text_out)
{
	const struct script_word *w;

	if (!take(c, what, &w))
		return false;
	*text_out = w->text;
	return true;
}

static bool take_number(struct cursor *c, uint64_t max, uint64_t *number_out)
{
	const struct script_word *w;

	return take(c, "number", &w) &&
	       (slice_to_u64(w->text, max, number_out) ||
		script_fail(c->error, w, "not a number up to %llu: %.*s",
			    (unsigned long long)max, SLICE_ARG(w->text)));
}

static bool take_time(struct cursor *c, uint64_t *time_out)
{
	const struct script_word *w;

	return take(c, "time", &w) &&
	       (script_time(w->text, time_out) ||
		script_fail(c->error, w, "not a time (200ms, 3s, 2m): %.*s",
			    SLICE_ARG(w->text)));
}

/* --- commands --- */

/* ADDRESS [ARGUMENT ...]: put together as they travel, each with its NUL. */
static bool read_envelope(struct cursor *c, struct command_envelope *e)
{
	const struct script_word *w;
	size_t len = 0, at = c->at + 1;
	char *to;

	if (!take_text(c, "address", &e->address))
		return false;
	while ((w = peek(c))) {
		len += w->text.len + 1;
		c->at++;
	}
	to = arena_take(c->arena, len);
	if (!to)
		return script_fail(c->error, &c->statement->words[0],
				   "script too long");
	e->args = slice_of(to, len);
	for (c->at = at; (w = peek(c)); c->at++) {
		memcpy(to, w->text.data, w->text.len);
		to += w->text.len + 1;
	}
	return true;
}

/* NAME [ADDRESS [PORT]]; a path makes it a local client. */
static bool read_connect(struct cursor *c, struct command_connect *k)
{
	uint64_t port = 0;

	k->family = 'U';
	if (!take_text(c, "name", &k->host))
		return false;
	if (!peek(c))
		return true;
	if (!take_text(c, "address", &k->address))
		return false;
	if (slice_starts(k->address, "/"))
		k->family = 'L';
	else
		k->family = slice_find(k->address, ':') < 0 ? '4' : '6';
	if (peek(c) && !take_number(c, UINT16_MAX, &port))
		return false;
	k->port = (uint16_t)port;
	return true;
}

static bool read_body(struct cursor *c, struct mta_step *s)
{
	const struct script_word *w;

	s->times = 1;
	if (!take(c, "text", &w))
		return false;
	if (!w->text.len || w->text.len > MILTER_PAYLOAD_MAX)
		return script_fail(c->error, w, "a chunk has 1 to %d bytes",
				   MILTER_PAYLOAD_MAX);
	s->command.body = w->text;
	return !peek(c) || take_number(c, TIMES_MAX, &s->times);
}

static bool read_words(struct cursor *c, struct mta_step *s)
{
	struct command *k = &s->command;

	s->has_words = peek(c) != NULL;
	switch (k->kind) {
	case CMD_CONNECT:
		return !s->has_words || read_connect(c, &k->connect);
	case CMD_HELO:
		return !s->has_words || take_text(c, "name", &k->text);
	case CMD_MAIL:
	case CMD_RCPT:
		return !s->has_words || read_envelope(c, &k->envelope);
	case CMD_HEADER:
		return take_text(c, "name", &k->header.name) &&
		       take_text(c, "value", &k->header.value);
	case CMD_BODY:
		return read_body(c, s);
	case CMD_UNKNOWN:
		return take_text(c, "text", &k->text);
	case CMD_DATA:
	case CMD_EOH:
	case CMD_EOM:
	case CMD_ABORT:
	case CMD_QUIT:
	case CMD_QUIT_NC:
	case CMD_OPTNEG:
	case CMD_MACRO:
	case CMD_COUNT:
		break;
	}
	return true;
}

static bool find_command(const struct script_word *w,
			 enum command_kind *kind_out)
{
	for (unsigned k = 0; k < CMD_COUNT; k++)
		if (k != CMD_OPTNEG && k != CMD_MACRO &&
		    script_is(w, command_name(k))) {
			*kind_out = k;
			return true;
		}
	return false;
}

/* --- the other statements --- */

static bool read_expect(struct cursor *c, struct mta_step *s)
{
	const struct script_word *w;

	s->kind = STEP_EXPECT;
	if (!take(c, "answer", &w))
		return false;
	if (script_is(w, "none")) {
		s->kind = STEP_EXPECT_NONE;
		return true;
	}
	if (script_is(w, "close")) {
		s->kind = STEP_EXPECT_CLOSE;
		return true;
	}
	if (script_is(w, "quiet")) {
		s->kind = STEP_EXPECT_QUIET;
		return take_time(c, &s->time);
	}
	for (unsigned k = 0; k < ANSWER_COUNT; k++) {
		if (!script_is(w, script_answer_name(k)))
			continue;
		s->answer = k;
		return k != ANSWER_REPLYCODE || !peek(c) ||
		       take_text(c, "text", &s->pattern);
	}
	return script_fail(c->error, w, "no such answer: %.*s",
			   SLICE_ARG(w->text));
}

/* macro STAGE NAME VALUE */
static bool read_macro(struct cursor *c, struct mta_step *s)
{
	const struct script_word *w;
	unsigned stage = 0;

	s->kind = STEP_MACRO;
	if (!take(c, "stage", &w))
		return false;
	while (stage < STAGE_COUNT && !script_is(w, milter_stage_name(stage)))
		stage++;
	if (stage == STAGE_COUNT)
		return script_fail(c->error, w, "no such stage: %.*s",
				   SLICE_ARG(w->text));
	s->macro.stage = stage;
	return take_text(c, "name", &s->macro.name) &&
	       take_text(c, "value", &s->macro.value);
}

static bool read_fill(struct cursor *c, struct mta_step *s)
{
	const struct script_word *w;

	s->kind = STEP_FILL;
	if (!take(c, "yes or no", &w))
		return false;
	s->fills = script_is(w, "yes");
	return s->fills || script_is(w, "no") ||
	       script_fail(c->error, w, "yes or no expected");
}

static bool read_raw(struct cursor *c, struct mta_step *s)
{
	const struct script_word *w;

	s->kind = STEP_RAW;
	return take(c, "bytes", &w) &&
	       (script_bytes(c->arena, w, &s->bytes) ||
		script_fail(c->error, w,
			    "neither hex digits nor a quoted text"));
}

static bool read_step(struct cursor *c, struct mta_step *s)
{
	const struct script_word *w;

	if (!take(c, "statement", &w))
		return false;
	s->line = w->line;
	if (find_command(w, &s->command.kind))
		return read_words(c, s);
	if (script_is(w, "expect"))
		return read_expect(c, s);
	if (script_is(w, "macro"))
		return read_macro(c, s);
	if (script_is(w, "fill"))
		return read_fill(c, s);
	if (script_is(w, "raw"))
		return read_raw(c, s);
	if (script_is(w, "wait")) {
		s->kind = STEP_WAIT;
		return take_time(c, &s->time);
	}
	return script_fail(c->error, w, "unknown statement: %.*s",
			   SLICE_ARG(w->text));
}

bool mta_script_parse(struct arena *arena, struct slice text,
		      struct mta_script *script_out,
		      struct script_error *error_out)
{
	struct script script;

	*script_out = (struct mta_script){ 0 };
	if (!script_parse(arena, text, &script, error_out))
		return false;
	script_out->steps = arena_take_n(arena, script.count + 1,
					 sizeof(*script_out->steps));
	if (!script_out->steps)
		return script_fail(error_out, NULL, "script too long");
	for (size_t i = 0; i < script.count; i++) {
		struct cursor c = { &script.statements[i], 0, arena,
				    error_out };
		struct mta_step *s = &script_out->steps[i];

		if (!read_step(&c, s))
			return false;
		if (peek(&c))
			return script_fail(error_out, peek(&c),
					   "one word too many: %.*s",
					   SLICE_ARG(peek(&c)->text));
		script_out->has_expectations |= s->kind == STEP_EXPECT ||
						s->kind == STEP_EXPECT_NONE ||
						s->kind == STEP_EXPECT_CLOSE ||
						s->kind == STEP_EXPECT_QUIET;
	}
	script_out->count = script.count;
	return true;
}
