/*
 * mta_act - plays a script; declared in mta_script.h
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "tool/mta_message.h"
#include "tool/mta_output.h"
#include "tool/mta_script.h"
#include "tool/mta_session.h"

#define OUTPUT_MAX ((size_t)1024 * 1024 * 1024)
#define BIT(stage) (UINT32_C(1) << (stage))

/* What an expectation is compared with. */
enum last { LAST_NOTHING, LAST_ANSWER, LAST_NOT_OWED };

struct actor {
	/* A copy: the script may add macros. */
	struct mta_settings set;
	struct mta_session session;
	struct report report;
	uint32_t done; /* 1 << stage, of connection and message */
	bool fills;
	enum last last;
	enum answer_kind answer;
	unsigned line;
};

static bool say(struct actor *a, const struct command *c);

/* --- filling in what was left out --- */

static struct command settings_command(const struct actor *a,
				       enum command_kind kind)
{
	const struct mta_settings *set = &a->set;
	struct command c = { .kind = kind };

	if (kind == CMD_CONNECT)
		c.connect = (struct command_connect){
			.host = set->client_name,
			.family = set->client_family,
			.port = set->client_port,
			.address = set->client_address,
		};
	else if (kind == CMD_HELO)
		c.text = set->helo;
	else if (kind == CMD_MAIL)
		c.envelope = (struct command_envelope){ set->sender.address,
							set->sender.args };
	else if (kind == CMD_RCPT)
		c.envelope = (struct command_envelope){ set->rcpts[0].address,
							set->rcpts[0].args };
	return c;
}

/* A step nobody told must be let pass, else the script makes no sense. */
static bool fill_one(struct actor *a, const struct command *c)
{
	enum stage stage = command_stage(c->kind);

	if (!say(a, c))
		return false;
	if (a->last == LAST_NOT_OWED || a->answer == ANSWER_CONTINUE ||
	    a->answer == ANSWER_SKIP)
		return true;
	return report_fail(&a->report, milter_stage_name(stage),
			   "line %u: the step filled in was answered with %s",
			   a->line, script_answer_name(a->answer));
}

static bool fill_headers(struct actor *a)
{
	const struct eml *eml = &a->set.files[0].eml;
	bool has_leadspc = a->session.agreed.protocol & SMFIP_HDR_LEADSPC;

	for (size_t i = 0; i < eml->count; i++) {
		struct command c = { .kind = CMD_HEADER };
		struct slice raw = eml->headers[i].raw;

		c.header.name = eml->headers[i].name;
		c.header.value = has_leadspc ? raw : eml_unspaced(raw);
		if (!fill_one(a, &c))
			return false;
	}
	return true;
}

static bool fill_stage(struct actor *a, enum stage stage)
{
	static const enum command_kind kinds[STAGE_COUNT] = {
		[STAGE_CONNECT] = CMD_CONNECT, [STAGE_HELO] = CMD_HELO,
		[STAGE_MAIL] = CMD_MAIL,       [STAGE_RCPT] = CMD_RCPT,
		[STAGE_DATA] = CMD_DATA,       [STAGE_EOH] = CMD_EOH,
	};
	struct command c;

	if (stage == STAGE_HEADER)
		return fill_headers(a);
	if (stage == STAGE_BODY)
		return true; /* a message may do without */
	c = settings_command(a, kinds[stage]);
	return fill_one(a, &c);
}

static bool fill_up_to(struct actor *a, enum stage stage)
{
	if (stage == STAGE_UNKNOWN)
		stage = STAGE_MAIL; /* connect and helo are enough */
	for (unsigned s = STAGE_CONNECT; a->fills && s < stage; s++) {
		if (a->done & BIT(s))
			continue;
		a->done |= BIT(s);
		if (!fill_stage(a, s))
			return false;
	}
	return true;
}

/* --- saying --- */

/* What the macros are made from. */
static void learn(struct actor *a, const struct command *c)
{
	struct mta_known *known = &a->session.known;

	if (c->kind == CMD_MAIL) {
		a->session.skipped = 0;
		/* Recipients and edits told at the end are the last message's. */
		a->report.rcpts = NULL;
		a->report.edits = NULL;
		a->report.is_body_replaced = false;
		*known = (struct mta_known){ 0 };
		known->sender = c->envelope.address;
		if (a->set.habits == MTA_SENDMAIL)
			known->queue_id = a->report.queue_id;
		if (!a->report.sender.len)
			a->report.sender = c->envelope.address;
	} else if (c->kind == CMD_RCPT) {
		known->rcpt = c->envelope.address;
	}
}

static enum verdict verdict_of(enum answer_kind kind, struct slice reply)
{
	if (kind == ANSWER_REJECT)
		return VERDICT_REJECT;
	if (kind == ANSWER_TEMPFAIL)
		return VERDICT_TEMPFAIL;
	if (kind == ANSWER_REPLYCODE)
		return slice_starts(reply, "4") ? VERDICT_TEMPFAIL :
						  VERDICT_REJECT;
	return kind == ANSWER_DISCARD ? VERDICT_DISCARD : VERDICT_ACCEPT;
}

/* Recipients have a fate of their own, all else tells of the message. */
static void note_answer(struct actor *a, const struct command *c)
{
	enum verdict v = verdict_of(a->answer, a->session.reply);
	struct report_rcpt *r;

	if (c->kind != CMD_RCPT) {
		report_verdict(&a->report, v,
			       milter_stage_name(command_stage(c->kind)),
			       a->session.reply);
		return;
	}
	r = report_rcpt(&a->report, c->envelope.address,
			v == VERDICT_REJECT   ? FATE_REJECTED :
			v == VERDICT_TEMPFAIL ? FATE_TEMPFAILED :
						FATE_ACCEPTED);
	if (r)
		r->text = a->session.reply;
	if (v == VERDICT_ACCEPT)
		a->session.known.queue_id = a->report.queue_id;
}

/* For the report: the address, the name, whatever tells one from another. */
static struct slice what_of(const struct command *c)
{
	switch (c->kind) {
	case CMD_CONNECT:
		return c->connect.host;
	case CMD_MAIL:
	case CMD_RCPT:
		return c->envelope.address;
	case CMD_HEADER:
		return c->header.name;
	case CMD_HELO:
	case CMD_UNKNOWN:
		return c->text;
	case CMD_OPTNEG:
	case CMD_MACRO:
	case CMD_DATA:
	case CMD_EOH:
	case CMD_BODY:
	case CMD_EOM:
	case CMD_ABORT:
	case CMD_QUIT:
	case CMD_QUIT_NC:
	case CMD_COUNT:
		break;
	}
	return SLICE_EMPTY;
}

static bool say(struct actor *a, const struct command *c)
{
	const struct report_step *before = a->report.last_step;

	learn(a, c);
	a->answer = mta_session_step(&a->session, c, what_of(c));
	if (a->answer == ANSWER_COUNT)
		return false;
	a->last = LAST_NOT_OWED;
	if (a->report.last_step != before &&
	    a->report.last_step->how == REPORT_ANSWERED)
		a->last = LAST_ANSWER;
	note_answer(a, c);
	return true;
}

static void tell(struct actor *a, enum command_kind kind)
{
	mta_session_tell(&a->session, kind);
	a->last = LAST_NOT_OWED;
	if (kind == CMD_ABORT)
		a->done &= BIT(STAGE_CONNECT) | BIT(STAGE_HELO);
	else if (kind == CMD_QUIT_NC)
		a->done = 0;
}

static void carry_out_edits(struct actor *a)
{
	bool has_leadspc = a->session.agreed.protocol & SMFIP_HDR_LEADSPC;
	struct buf out;

	if (a->report.verdict != VERDICT_ACCEPT)
		return;
	buf_init(&out, OUTPUT_MAX);
	if (!mta_message_edit(&a->report, &a->set.files[0].eml, a->set.habits,
			      has_leadspc, &out))
		report_fail(&a->report, "eom", "no memory for the edits");
	else if (!mta_output_message(&a->set, &a->report, buf_slice(&out)))
		report_fail(&a->report, "output", "%s", strerror(errno));
	buf_deinit(&out);
}

static bool do_command(struct actor *a, const struct mta_step *s)
{
	struct command c = s->command;
	enum stage stage = command_stage(c.kind);
	uint64_t times = s->times ? s->times : 1;

	if (stage == STAGE_COUNT) {
		tell(a, c.kind);
		return !a->session.is_broken;
	}
	if (!s->has_words && stage < STAGE_DATA)
		c = settings_command(a, c.kind);
	if (!fill_up_to(a, stage))
		return false;
	a->done |= BIT(stage);
	while (times--)
		if (!say(a, &c))
			return false;
	if (c.kind == CMD_EOM) {
		a->done &= BIT(STAGE_CONNECT) | BIT(STAGE_HELO);
		carry_out_edits(a);
	}
	return true;
}

/* --- expecting --- */

static bool miss(struct actor *a, const char *wanted, const char *got)
{
	return report_fail(&a->report, "expect", "line %u: %s expected, got %s",
			   a->line, wanted, got);
}

/* After raw bytes, or for a second answer, one is read for it. */
static bool read_for_it(struct actor *a)
{
	struct answer answer;

	if (!mta_peer_answer(&a->session.peer, &answer)) {
		a->session.is_broken = true;
		return report_fail(&a->report, "expect", "line %u: %s", a->line,
				   a->session.peer.why);
	}
	a->answer = answer.kind;
	a->session.reply = SLICE_EMPTY;
	if (answer.kind == ANSWER_REPLYCODE)
		arena_copy(&a->report.arena, answer.text, &a->session.reply);
	return true;
}

static bool expect_answer(struct actor *a, const struct mta_step *s)
{
	const char *wanted = script_answer_name(s->answer);
	enum last last = a->last;

	a->last = LAST_NOTHING;
	if (last == LAST_NOT_OWED)
		return miss(a, wanted, "a command that is not answered");
	if (last == LAST_NOTHING && !read_for_it(a))
		return false;
	if (a->answer != s->answer)
		return miss(a, wanted, script_answer_name(a->answer));
	if (s->pattern.len && !script_match(s->pattern, a->session.reply))
		return miss(a, wanted, "another text");
	return true;
}

static bool expect_close(struct actor *a)
{
	struct answer answer;

	if (mta_peer_answer(&a->session.peer, &answer))
		return miss(a, "close", script_answer_name(answer.kind));
	if (!a->session.peer.is_eof)
		return miss(a, "close", a->session.peer.why);
	/* Whatever is said from now on cannot be heard; that is no failure. */
	a->session.is_broken = true;
	return true;
}

static bool expect_quiet(struct actor *a, uint64_t time)
{
	uint64_t end = clock_now() + time;

	if (!mta_peer_flush(&a->session.peer))
		return miss(a, "quiet", a->session.peer.why);
	if (!mta_peer_is_quiet(&a->session.peer) ||
	    io_wait(a->session.peer.fd, POLLIN, end) == IO_OK)
		return miss(a, "quiet", "something");
	return true;
}

static void wait_for(uint64_t time)
{
	struct timespec t = { (time_t)(time / CLOCK_S),
			      (long)(time % CLOCK_S) * 1000 };

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

/* --- all --- */

static bool do_raw(struct actor *a, struct slice bytes)
{
	a->last = LAST_NOTHING;
	if (mta_peer_put_bytes(&a->session.peer, bytes) &&
	    mta_peer_flush(&a->session.peer))
		return true;
	a->session.is_broken = true;
	return report_fail(&a->report, "raw", "line %u: %s", a->line,
			   a->session.peer.why);
}

static bool do_step(struct actor *a, const struct mta_step *s)
{
	a->line = s->line;
	switch (s->kind) {
	case STEP_COMMAND:
		return do_command(a, s);
	case STEP_WAIT:
		if (!mta_peer_flush(&a->session.peer))
			return do_raw(a, SLICE_EMPTY);
		wait_for(s->time);
		return true;
	case STEP_RAW:
		return do_raw(a, s->bytes);
	case STEP_EXPECT:
		return expect_answer(a, s);
	case STEP_EXPECT_NONE:
		return a->last == LAST_NOT_OWED ||
		       miss(a, "no answer",
			    a->last == LAST_ANSWER ?
				    script_answer_name(a->answer) :
				    "nothing to compare with");
	case STEP_EXPECT_CLOSE:
		return expect_close(a);
	case STEP_EXPECT_QUIET:
		return expect_quiet(a, s->time);
	case STEP_MACRO:
		a->set.macros[a->set.macro_count++] = s->macro;
		return true;
	case STEP_FILL:
		a->fills = s->fills;
		return true;
	}
	return true;
}

static void act(struct actor *a, const struct mta_script *script)
{
	for (size_t i = 0; i < script->count && !a->session.is_quit; i++) {
		const struct mta_step *s = &script->steps[i];
		bool is_expectation =
			s->kind >= STEP_EXPECT && s->kind <= STEP_EXPECT_QUIET;

		if (a->session.is_broken && !is_expectation)
			return;
		if (!do_step(a, s))
			return;
	}
}

/* The settings' macros are shared; the script's own go behind a copy. */
static bool copy_macros(struct actor *a, const struct mta_script *script)
{
	size_t n = a->set.macro_count;
	struct mta_macro *macros = arena_take_n(
		&a->report.arena, n + script->count + 1, sizeof(*macros));

	if (!macros)
		return report_fail(&a->report, "script", "no memory");
	if (n)
		memcpy(macros, a->set.macros, n * sizeof(*macros));
	a->set.macros = macros;
	return true;
}

void mta_script_play(const struct mta_settings *set,
		     const struct mta_script *script, unsigned number,
		     struct mta_totals *totals)
{
	struct actor a = { .set = *set, .fills = true };
	uint64_t since = clock_now();
	char id[32];

	report_init(&a.report);
	report_begin(&a.report, number, 1);
	snprintf(id, sizeof(id), "4script%u", number);
	arena_copy(&a.report.arena, slice_str(id), &a.report.queue_id);
	if (copy_macros(&a, script)) {
		if (mta_session_open(&a.session, &a.set, &a.report))
			act(&a, script);
		mta_session_close(&a.session, true);
	}
	/* What was expected and came is a success, whatever the verdict. */
	if (script->has_expectations && !a.report.failure.len)
		a.report.verdict = VERDICT_ACCEPT;
	a.report.time = clock_now() - since;
	mta_output_report(set, &a.report);
	totals->sessions++;
	totals->messages++;
	totals->verdicts[a.report.verdict]++;
	report_deinit(&a.report);
}
