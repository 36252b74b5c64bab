#include "bench/load_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "shared/clock.h"

struct load_session *load_session_new(const struct load_plan *plan,
				      struct load_tally *tally)
{
	struct load_session *s =
		calloc(1, sizeof(*s) + plan->peer_count * sizeof(s->peers[0]));

	if (s) {
		s->plan = plan;
		s->tally = tally;
	}
	return s;
}

/* ------------------------------------------------------------ the envelope */

/* To one after the other, until one refuses. */
static bool tell_all(struct load_session *s, const struct command *command,
		     enum load_step step, bool *refused_out)
{
	const bool is_connection = command->kind == CMD_HELO;
	const uint64_t begin = clock_now();

	*refused_out = false;
	for (unsigned i = 0; i < s->open && !*refused_out; i++) {
		struct peer *p = &s->peers[i];
		enum peer_result r;

		if (p->is_out_connection || p->is_out_message)
			continue;
		r = peer_say(p, command);
		if (r == PEER_FAILED)
			return false;
		if (r == PEER_ACCEPTED && is_connection)
			p->is_out_connection = true;
		else if (r == PEER_ACCEPTED)
			p->is_out_message = true;
		*refused_out = r == PEER_REFUSED;
	}
	load_note(s->tally, step, begin);
	return true;
}

bool load_session_envelope(struct load_session *s, bool *refused_out)
{
	const struct command mail = { CMD_MAIL,
				      { .envelope = {
						SLICE_LIT("<anna@example.net>"),
						SLICE_LIT("SIZE=4096\0") } } };

	if (!tell_all(s, &mail, LOAD_MAIL, refused_out))
		return false;
	for (uint64_t i = 0; i < s->plan->recipients && !*refused_out; i++) {
		char text[64];
		struct command rcpt = { .kind = CMD_RCPT };

		snprintf(text, sizeof(text), "<bert%u@example.org>",
			 (unsigned)i);
		rcpt.envelope.address = slice_str(text);
		if (!tell_all(s, &rcpt, LOAD_RCPT, refused_out))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------- the content */

static enum peer_result say_body(struct peer *p, struct slice body)
{
	enum peer_result r = PEER_CONTINUE;

	while (body.len && r == PEER_CONTINUE) {
		const struct command command = {
			CMD_BODY,
			{ .body = slice_head(body, MILTER_PAYLOAD_MAX) }
		};

		r = peer_say(p, &command);
		body = slice_from(body, command.body.len);
	}
	return r == PEER_SKIP ? PEER_CONTINUE : r;
}

/* The whole content to one milter, up to its last answer. */
static enum peer_result say_content(struct peer *p, const struct load_plan *m)
{
	static const struct command eoh = { .kind = CMD_EOH };
	static const struct command eom = { .kind = CMD_EOM };
	enum peer_result r = PEER_CONTINUE;

	for (uint64_t i = 0; i < m->headers && r == PEER_CONTINUE; i++) {
		const struct command command = { CMD_HEADER,
						 { .header = m->header[i] } };

		r = peer_say(p, &command);
	}
	if (r == PEER_CONTINUE)
		r = peer_say(p, &eoh);
	if (r == PEER_CONTINUE)
		r = say_body(p, m->body);
	return r == PEER_CONTINUE ? peer_say(p, &eom) : r;
}

static bool say_content_to_all(struct load_session *s, bool *refused_out)
{
	const uint64_t begin = clock_now();

	for (unsigned i = 0; i < s->open && !*refused_out; i++) {
		struct peer *p = &s->peers[i];
		enum peer_result r;

		if (p->is_out_connection || p->is_out_message)
			continue;
		r = say_content(p, s->plan);
		if (r == PEER_FAILED)
			return false;
		*refused_out = r == PEER_REFUSED;
	}
	load_note(s->tally, LOAD_CONTENT, begin);
	return true;
}

static bool say_message(struct load_session *s, bool *refused_out)
{
	static const struct command data = { .kind = CMD_DATA };

	if (!load_session_envelope(s, refused_out))
		return false;
	if (!*refused_out && !tell_all(s, &data, LOAD_DATA, refused_out))
		return false;
	return *refused_out || say_content_to_all(s, refused_out);
}

bool load_session_message(struct load_session *s)
{
	const uint64_t begin = clock_now();
	bool refused;

	for (unsigned i = 0; i < s->open; i++)
		s->peers[i].is_out_message = false;
	if (!say_message(s, &refused))
		return false;
	if (refused) {
		atomic_fetch_add(&s->tally->refused, 1);
	} else {
		atomic_fetch_add(&s->tally->passed, 1);
		load_note(s->tally, LOAD_MESSAGE, begin);
	}
	for (unsigned i = 0; i < s->open; i++)
		if (!peer_abort(&s->peers[i]))
			return false;
	return true;
}

/* ------------------------------------------------------------- the session */

/* About so long: as many sessions must not speak at one moment. */
static void pause_ms(uint64_t ms)
{
	const uint64_t us = ms * 500 + (uint64_t)random() % (ms * 1000);
	const struct timespec t = { (time_t)(us / 1000000),
				    (long)(us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

static bool say_helo(struct load_session *s)
{
	const struct command helo = {
		CMD_HELO, { .text = SLICE_LIT("client.example.net") }
	};
	bool refused = false;

	for (uint64_t i = 0; i < s->plan->helos && !refused; i++) {
		if (s->plan->pause)
			pause_ms(s->plan->pause);
		if (!tell_all(s, &helo, LOAD_HELO, &refused))
			return false;
	}
	return !refused;
}

/* Postfix opens one milter, tells it CONNECT, and opens the next. */
bool load_session_begin(struct load_session *s, uint64_t number)
{
	const struct load_plan *plan = s->plan;
	const bool is_stranger =
		plan->stranger && number % plan->stranger == plan->stranger - 1;
	const uint64_t begin = clock_now();
	struct command connect = { .kind = CMD_CONNECT };

	connect.connect = (struct command_connect){
		SLICE_LIT("client.example.net"), '4', 40000,
		is_stranger ? SLICE_LIT("198.51.100.7") : SLICE_LIT("192.0.2.7")
	};
	while (s->open < plan->peer_count) {
		struct peer *p = &s->peers[s->open];
		enum peer_result r;

		s->open++;
		if (!peer_open(p, &plan->peers[s->open - 1]))
			return false;
		r = peer_say(p, &connect);
		if (r != PEER_CONTINUE && r != PEER_ACCEPTED)
			return false;
		p->is_out_connection = r == PEER_ACCEPTED;
	}
	load_note(s->tally, LOAD_CONNECT, begin);
	return say_helo(s);
}

void load_session_end(struct load_session *s)
{
	while (s->open)
		peer_close(&s->peers[--s->open]);
}
