#include "tool/milter_facts.h"

#include <stdlib.h>

#include "shared/macro.h"

/* Far above any message of a test; a peer must not fill the machine. */
#define FACTS_MAX ((size_t)64 * 1024 * 1024)
#define BODY_MAX  ((size_t)256 * 1024 * 1024)

static void begin_message(struct facts *f)
{
	struct slice connect = f->macros['C'], helo = f->macros['H'];

	arena_reset(&f->message);
	buf_clear(&f->body);
	memset(f->macros, 0, sizeof(f->macros));
	f->macros['C'] = connect;
	f->macros['H'] = helo;
	memset(f->seen, 0, sizeof(f->seen));
	f->sender = f->sender_args = SLICE_EMPTY;
	f->rcpts = f->last_rcpt = f->headers = f->last_header = NULL;
	f->body_size = 0;
	f->body_hash = SCRIPT_HASH;
}

void facts_init(struct facts *f, uint64_t session_number, bool keeps_body)
{
	*f = (struct facts){ .session_number = session_number,
			     .keeps_body = keeps_body };
	arena_init(&f->session, FACTS_MAX);
	arena_init(&f->message, FACTS_MAX);
	buf_init(&f->body, BODY_MAX);
	begin_message(f);
}

void facts_deinit(struct facts *f)
{
	arena_deinit(&f->session);
	arena_deinit(&f->message);
	buf_deinit(&f->body);
}

void facts_forget(struct facts *f)
{
	f->macros['C'] = f->macros['H'] = SLICE_EMPTY;
	begin_message(f);
	arena_reset(&f->session);
	f->client_name = f->client_address = f->helo = SLICE_EMPTY;
}

/* MAIL or its macros: whichever comes first begins the message. */
static void open_message(struct facts *f)
{
	if (!f->is_fresh)
		begin_message(f);
	f->is_fresh = true;
}

static bool note_macro(struct facts *f, const struct command_macro *m)
{
	unsigned letter = (unsigned char)m->letter & 0x7f;
	bool is_session = m->letter == SMFIC_CONNECT || m->letter == SMFIC_HELO;

	if (m->letter == SMFIC_MAIL)
		open_message(f);
	/* Postfix repeats the same ones with every header and body packet. */
	if (slice_equal(f->macros[letter], m->pairs))
		return true;
	return arena_copy(is_session ? &f->session : &f->message, m->pairs,
			  &f->macros[letter]);
}

static bool note_connect(struct facts *f, const struct command_connect *c)
{
	return arena_copy(&f->session, c->host, &f->client_name) &&
	       arena_copy(&f->session, c->address, &f->client_address);
}

static bool append(struct facts *f, struct fact **list, struct fact **last,
		   struct slice first, struct slice second)
{
	struct fact *fact = arena_take(&f->message, sizeof(*fact));

	if (!fact || !arena_copy(&f->message, first, &fact->first) ||
	    !arena_copy(&f->message, second, &fact->second))
		return false;
	if (*list)
		(*last)->next = fact;
	else
		*list = fact;
	*last = fact;
	return true;
}

static bool note_mail(struct facts *f, const struct command_envelope *e)
{
	open_message(f);
	f->is_fresh = false;
	f->message_number++;
	f->seen[CMD_MAIL] = 1;
	return arena_copy(&f->message, e->address, &f->sender) &&
	       arena_copy(&f->message, e->args, &f->sender_args);
}

static bool note_body(struct facts *f, struct slice chunk)
{
	f->body_size += chunk.len;
	f->body_hash = script_hash(f->body_hash, chunk);
	return !f->keeps_body || buf_add(&f->body, chunk);
}

bool facts_note(struct facts *f, const struct command *command)
{
	f->seen[command->kind]++;
	switch (command->kind) {
	case CMD_MACRO:
		return note_macro(f, &command->macro);
	case CMD_CONNECT:
		return note_connect(f, &command->connect);
	case CMD_HELO:
		return arena_copy(&f->session, command->text, &f->helo);
	case CMD_MAIL:
		return note_mail(f, &command->envelope);
	case CMD_RCPT:
		return append(f, &f->rcpts, &f->last_rcpt,
			      command->envelope.address,
			      command->envelope.args);
	case CMD_HEADER:
		return append(f, &f->headers, &f->last_header,
			      command->header.name, command->header.value);
	case CMD_BODY:
	case CMD_EOM:
		return note_body(f, command->body);
	case CMD_OPTNEG:
	case CMD_DATA:
	case CMD_EOH:
	case CMD_ABORT:
	case CMD_QUIT:
	case CMD_QUIT_NC:
	case CMD_UNKNOWN:
	case CMD_COUNT:
		break;
	}
	return true;
}

static bool matches(const struct condition *k, struct slice text)
{
	if (k->test == TEST_SET)
		return text.len > 0;
	if (k->test == TEST_EQUAL)
		return slice_equal(k->text, text);
	return script_match(k->text, text);
}

/* At RCPT only the recipient at hand counts, which is the last one. */
static bool matches_rcpt(const struct facts *f, const struct condition *k,
			 bool only_last)
{
	const struct fact *r = only_last ? f->last_rcpt : f->rcpts;

	for (; r; r = r->next)
		if (matches(k, r->first))
			return true;
	return false;
}

static bool matches_header(const struct facts *f, const struct condition *k)
{
	for (const struct fact *h = f->headers; h; h = h->next)
		if (slice_equal_case(h->first, k->name) &&
		    (k->test == TEST_SET || matches(k, h->second)))
			return true;
	return false;
}

/* The newest definition wins, as in libmilter (milter-protocol 2.5). */
static bool matches_macro(const struct facts *f, const struct condition *k)
{
	static const char newest_first[] = "EBNLTRMUHC";

	for (const char *c = newest_first; *c; c++) {
		struct slice value;

		if (macro_find(f->macros[(unsigned char)*c], k->name, &value))
			return k->test == TEST_SET || matches(k, value);
	}
	return false;
}

static bool holds(const struct facts *f, const struct condition *k,
		  enum command_kind event)
{
	switch (k->kind) {
	case CONDITION_SENDER:
		return matches(k, f->sender);
	case CONDITION_RCPT:
		return matches_rcpt(f, k, event == CMD_RCPT);
	case CONDITION_HELO:
		return matches(k, f->helo);
	case CONDITION_CLIENT:
		return matches(k, f->client_name) ||
		       matches(k, f->client_address);
	case CONDITION_HEADER:
		return matches_header(f, k);
	case CONDITION_BODY:
		return matches(k, buf_slice(&f->body));
	case CONDITION_MACRO:
		return matches_macro(f, k);
	case CONDITION_SESSION:
		return f->session_number == k->number;
	case CONDITION_MESSAGE:
		return f->message_number == k->number;
	case CONDITION_CHANCE:
		return (uint64_t)random() % k->number == 0;
	}
	return false;
}

static bool rule_holds(const struct facts *f, const struct rule *rule,
		       const struct command *command)
{
	if (rule->event != command->kind)
		return false;
	if (rule->nth && f->seen[command->kind] != rule->nth)
		return false;
	if (rule->header.len &&
	    !slice_equal_case(rule->header, command->header.name))
		return false;
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct condition *k = &rule->conditions[i];

		if (holds(f, k, command->kind) == k->is_negated)
			return false;
	}
	return true;
}

const struct rule *facts_rule(const struct facts *f, const struct rules *rules,
			      const struct command *command)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rule_holds(f, &rules->rules[i], command))
			return &rules->rules[i];
	return NULL;
}
