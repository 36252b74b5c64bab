#include "tool/mta_play.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tool/mta_message.h"
#include "tool/mta_output.h"
#include "tool/mta_session.h"

#define OUTPUT_MAX ((size_t)1024 * 1024 * 1024)

/* A verdict that holds for more than the message at hand. */
struct standing {
	bool is_given;
	enum verdict verdict;
	const char *stage;
	char reply[1100];
};

struct player {
	const struct mta_settings *set;
	struct mta_totals *totals;
	struct mta_session session;
	struct report report;
	struct standing standing;
	bool is_filter_done; /* it accepted the connection, or the message */
	bool is_over;	     /* 421: hung up */
	bool is_in_message;  /* it heard MAIL and nothing that ends it */
	size_t rcpts_done;   /* of the settings' recipients, in order */
	unsigned number;
	unsigned message;
};

/* What a final answer of a message means; VERDICT_COUNT: it goes on. */
static enum verdict verdict_of(enum answer_kind kind, struct slice reply)
{
	switch (kind) {
	case ANSWER_ACCEPT:
		return VERDICT_ACCEPT;
	case ANSWER_REJECT:
		return VERDICT_REJECT;
	case ANSWER_TEMPFAIL:
		return VERDICT_TEMPFAIL;
	case ANSWER_REPLYCODE:
		return slice_starts(reply, "4") ? VERDICT_TEMPFAIL :
						  VERDICT_REJECT;
	case ANSWER_DISCARD:
		return VERDICT_DISCARD;
	case ANSWER_COUNT:
		return VERDICT_FAILURE;
	case ANSWER_CONTINUE:
	case ANSWER_SKIP:
	case ANSWER_OPTNEG:
	case ANSWER_PROGRESS:
	case ANSWER_SHUTDOWN:
	case ANSWER_CONN_FAIL:
	case ANSWER_ADDHEADER:
	case ANSWER_INSHEADER:
	case ANSWER_CHGHEADER:
	case ANSWER_REPLBODY:
	case ANSWER_ADDRCPT:
	case ANSWER_DELRCPT:
	case ANSWER_ADDRCPT_PAR:
	case ANSWER_CHGFROM:
	case ANSWER_QUARANTINE:
		break;
	}
	return VERDICT_COUNT;
}

static void look_for_421(struct player *p)
{
	if (slice_starts(p->session.reply, "421"))
		p->is_over = true;
}

/* Notes a verdict on the message; true: the message goes on. */
static bool judge(struct player *p, enum answer_kind kind, enum stage stage)
{
	enum verdict v = verdict_of(kind, p->session.reply);

	look_for_421(p);
	if (v == VERDICT_COUNT)
		return true;
	if (v != VERDICT_FAILURE)
		report_verdict(&p->report, v, milter_stage_name(stage),
			       p->session.reply);
	if (v == VERDICT_ACCEPT)
		p->is_filter_done = true;
	return false;
}

/* The same for a verdict that holds for the connection. */
static bool judge_connection(struct player *p, enum answer_kind kind,
			     enum stage stage)
{
	struct standing *s = &p->standing;

	if (judge(p, kind, stage))
		return true;
	s->is_given = true;
	s->verdict = p->report.verdict;
	s->stage = milter_stage_name(stage);
	snprintf(s->reply, sizeof(s->reply), "%.*s",
		 SLICE_ARG(p->session.reply));
	return false;
}

/* --- the steps of a message --- */

static void say_helo(struct player *p)
{
	struct command c = { .kind = CMD_HELO };
	enum answer_kind kind;

	c.text = p->set->helo;
	kind = mta_session_step(&p->session, &c, p->set->helo);
	judge_connection(p, kind, STAGE_HELO);
}

static void say_connect(struct player *p)
{
	struct command c = { .kind = CMD_CONNECT };
	enum answer_kind kind;

	c.connect = (struct command_connect){
		.host = p->set->client_name,
		.family = p->set->client_family,
		.port = p->set->client_port,
		.address = p->set->client_address,
	};
	kind = mta_session_step(&p->session, &c, p->set->client_name);
	if (judge_connection(p, kind, STAGE_CONNECT))
		say_helo(p);
}

/* Unknown commands do not touch the message; only their reply text counts. */
static void say_unknown(struct player *p)
{
	struct command c = { .kind = CMD_UNKNOWN };

	if (!p->set->unknown.len)
		return;
	c.text = p->set->unknown;
	(void)mta_session_step(&p->session, &c, p->set->unknown);
	look_for_421(p);
}

static bool say_mail(struct player *p)
{
	const struct mta_address *from = &p->set->sender;
	struct command c = { .kind = CMD_MAIL };
	enum answer_kind kind;

	c.envelope.address = from->address;
	c.envelope.args = from->args;
	p->is_in_message = true;
	kind = mta_session_step(&p->session, &c, from->address);
	return judge(p, kind, STAGE_MAIL);
}

/* Postfix has a queue id only once a recipient was accepted. */
static void know_queue_id(struct player *p)
{
	p->session.known.queue_id = p->report.queue_id;
}

/* What the answer to one recipient means; true: the message goes on. */
static bool judge_rcpt(struct player *p, struct slice address,
		       enum answer_kind kind)
{
	enum verdict v = verdict_of(kind, p->session.reply);
	struct report_rcpt *r;

	if (v == VERDICT_REJECT || v == VERDICT_TEMPFAIL) {
		r = report_rcpt(&p->report, address,
				v == VERDICT_REJECT ? FATE_REJECTED :
						      FATE_TEMPFAILED);
		if (r)
			r->text = p->session.reply;
		look_for_421(p);
		return true;
	}
	if (v != VERDICT_FAILURE)
		report_rcpt(&p->report, address, FATE_ACCEPTED);
	know_queue_id(p);
	return judge(p, kind, STAGE_RCPT);
}

static struct command rcpt_command(const struct mta_address *to)
{
	struct command c = { .kind = CMD_RCPT };

	c.envelope.address = to->address;
	c.envelope.args = to->args;
	return c;
}

/* One the MTA has refused itself: told to those that asked for it. */
static void say_refused_rcpt(struct player *p, const struct mta_address *to)
{
	struct mta_known *known = &p->session.known;
	struct command c = rcpt_command(to);

	report_rcpt(&p->report, to->address, FATE_REFUSED);
	if (!(p->session.agreed.protocol & SMFIP_RCPT_REJ))
		return;
	known->rcpt = to->address;
	known->rcpt_refusal = SLICE_LIT("550 5.1.1 user unknown");
	(void)mta_session_step(&p->session, &c, to->address);
	known->rcpt_refusal = SLICE_EMPTY;
}

static bool say_rcpt(struct player *p, const struct mta_address *to)
{
	struct command c = rcpt_command(to);

	if (to->is_refused) {
		say_refused_rcpt(p, to);
		return !p->session.is_broken;
	}
	p->session.known.rcpt = to->address;
	return judge_rcpt(p, to->address,
			  mta_session_step(&p->session, &c, to->address));
}

/* All at once, then all the answers. */
static bool say_rcpts_at_once(struct player *p)
{
	uint64_t since = clock_now();
	unsigned owed = 0;
	bool goes_on = true;

	for (size_t i = 0; i < p->set->rcpt_count; i++) {
		struct command c = rcpt_command(&p->set->rcpts[i]);
		bool is_owed;

		p->session.known.rcpt = p->set->rcpts[i].address;
		if (!mta_session_send(&p->session, &c, p->set->rcpts[i].address,
				      &is_owed))
			return false;
		owed += is_owed;
	}
	for (size_t i = 0; i < p->set->rcpt_count; i++) {
		struct slice address = p->set->rcpts[i].address;
		enum answer_kind kind = ANSWER_CONTINUE;

		if (owed)
			kind = mta_session_receive(&p->session, STAGE_RCPT,
						   address, since);
		if (!judge_rcpt(p, address, kind))
			goes_on = false;
	}
	p->rcpts_done = p->set->rcpt_count;
	return goes_on;
}

static bool say_rcpts(struct player *p)
{
	if (p->set->is_pipelining)
		return say_rcpts_at_once(p);
	while (p->rcpts_done < p->set->rcpt_count)
		if (!say_rcpt(p, &p->set->rcpts[p->rcpts_done++]))
			return false;
	return true;
}

/* After ACCEPT the MTA takes the rest without asking. */
static void accept_rest(struct player *p)
{
	while (p->rcpts_done < p->set->rcpt_count) {
		const struct mta_address *to = &p->set->rcpts[p->rcpts_done++];

		report_rcpt(&p->report, to->address,
			    to->is_refused ? FATE_REFUSED : FATE_ACCEPTED);
	}
}

/* Nobody left: the message is refused as its recipients were. */
static bool has_rcpts(struct player *p)
{
	const struct report_rcpt *last = NULL;
	enum verdict v = VERDICT_REJECT;

	for (const struct report_rcpt *r = p->report.rcpts; r; r = r->next) {
		if (r->fate == FATE_ACCEPTED)
			return true;
		if (r->fate == FATE_TEMPFAILED)
			v = VERDICT_TEMPFAIL;
		last = r;
	}
	report_verdict(&p->report, v, "rcpt", last ? last->text : SLICE_EMPTY);
	return false;
}

static bool say_plain(struct player *p, enum command_kind kind,
		      enum stage stage)
{
	struct command c = { .kind = kind };

	return judge(p, mta_session_step(&p->session, &c, SLICE_EMPTY), stage);
}

static bool say_headers(struct player *p, const struct eml *eml)
{
	bool has_leadspc = p->session.agreed.protocol & SMFIP_HDR_LEADSPC;

	for (size_t i = 0; i < eml->count; i++) {
		struct command c = { .kind = CMD_HEADER };
		struct slice raw = eml->headers[i].raw;

		c.header.name = eml->headers[i].name;
		c.header.value = has_leadspc ? raw : eml_unspaced(raw);
		if (!judge(p, mta_session_step(&p->session, &c, c.header.name),
			   STAGE_HEADER))
			return false;
	}
	return true;
}

static bool say_body(struct player *p, const struct eml *eml)
{
	struct slice rest = eml->body;

	while (rest.len) {
		struct command c = { .kind = CMD_BODY };
		char size[32];

		c.body = slice_head(rest, p->set->chunk);
		snprintf(size, sizeof(size), "%zu", c.body.len);
		if (!judge(p,
			   mta_session_step(&p->session, &c, slice_str(size)),
			   STAGE_BODY))
			return false;
		if (p->session.skipped & (1u << STAGE_BODY))
			break;
		rest = slice_from(rest, c.body.len);
	}
	return true;
}

/* Stops in the middle of the first try when told to. */
static bool is_aborted(const struct player *p, enum stage stage, bool may_abort)
{
	return may_abort && p->set->abort_after == stage;
}

static bool say_envelope(struct player *p)
{
	return say_mail(p) && say_rcpts(p) && has_rcpts(p);
}

/*
 * From MAIL up to before the end of message; false: it ended there, with a
 * verdict or, when *was_cut_out, because it is to be abandoned.
 */
static bool say_message(struct player *p, const struct eml *eml, bool may_abort,
			bool *was_cut_out)
{
	*was_cut_out = is_aborted(p, STAGE_MAIL, may_abort);
	if (*was_cut_out)
		return say_mail(p) && false;
	*was_cut_out = is_aborted(p, STAGE_RCPT, may_abort);
	if (!say_envelope(p) || *was_cut_out)
		return false;
	*was_cut_out = is_aborted(p, STAGE_DATA, may_abort);
	if (!say_plain(p, CMD_DATA, STAGE_DATA) || *was_cut_out)
		return false;
	*was_cut_out = is_aborted(p, STAGE_HEADER, may_abort);
	if (!say_headers(p, eml) || *was_cut_out)
		return false;
	*was_cut_out = is_aborted(p, STAGE_EOH, may_abort);
	if (!say_plain(p, CMD_EOH, STAGE_EOH) || *was_cut_out)
		return false;
	*was_cut_out = is_aborted(p, STAGE_BODY, may_abort);
	return say_body(p, eml) && !*was_cut_out;
}

static void say_end(struct player *p)
{
	static const struct command c = { .kind = CMD_EOM };
	enum answer_kind kind;

	kind = mta_session_step(&p->session, &c, SLICE_EMPTY);
	p->is_in_message = false;
	if (judge(p, kind, STAGE_EOM) || kind == ANSWER_ACCEPT)
		report_verdict(&p->report, VERDICT_ACCEPT, "eom", SLICE_EMPTY);
}

/*
 * Postfix sends ABORT at the end of every message; Sendmail to a filter that
 * is inside one, and when it answered MAIL with CONTINUE (milter-protocol
 * 4.1, "who sends it when").
 */
static void end_message(struct player *p)
{
	bool is_postfix = p->set->habits == MTA_POSTFIX;
	bool is_heard = p->report.stage &&
			strcmp(p->report.stage, "rcpt") == 0 &&
			p->report.verdict != VERDICT_ACCEPT;

	if (is_postfix || p->set->is_rset_between ||
	    (p->is_in_message && is_heard))
		mta_session_tell(&p->session, CMD_ABORT);
	p->is_in_message = false;
	p->is_filter_done = false;
}

/* Only an acceptance carries the edits out; else they are just told of. */
static void edit(struct player *p, const struct eml *eml)
{
	bool has_leadspc = p->session.agreed.protocol & SMFIP_HDR_LEADSPC;
	struct report *r = &p->report;
	struct buf out;

	if (r->verdict != VERDICT_ACCEPT)
		return;
	buf_init(&out, OUTPUT_MAX);
	if (!mta_message_edit(r, eml, p->set->habits, has_leadspc, &out))
		report_fail(r, "eom", "no memory for the edited message");
	else if (!mta_output_message(p->set, r, buf_slice(&out)))
		report_fail(r, "output", "%s", strerror(errno));
	buf_deinit(&out);
}

/* --- messages and sessions --- */

/* Unlike any other of this machine, and spelled as Postfix's long ones. */
static void make_queue_id(struct player *p)
{
	static const char digits[] =
		"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
	uint64_t n = (uint64_t)getpid() << 40 ^ clock_now() << 8 ^ p->message;
	char id[14] = "4";
	size_t i;

	for (i = 1; i < sizeof(id) - 1; i++, n /= sizeof(digits) - 1)
		id[i] = digits[n % (sizeof(digits) - 1)];
	arena_copy(&p->report.arena, slice_of(id, i), &p->report.queue_id);
}

static void begin_message(struct player *p, const struct mta_file *file)
{
	struct mta_known *known = &p->session.known;

	p->report.file = slice_str(file->path);
	p->report.sender = p->set->sender.address;
	make_queue_id(p);
	*known = (struct mta_known){ .sender = p->set->sender.address };
	if (p->set->habits == MTA_SENDMAIL)
		know_queue_id(p);
	for (size_t i = 0; i < file->eml.count; i++)
		if (slice_is_case(file->eml.headers[i].name, "message-id"))
			known->message_id =
				slice_trim(file->eml.headers[i].raw);
	p->session.skipped = 0;
	p->session.reply = SLICE_EMPTY;
	p->rcpts_done = 0;
}

static void play_standing(struct player *p)
{
	report_verdict(&p->report, p->standing.verdict, p->standing.stage,
		       slice_str(p->standing.reply));
	if (p->standing.verdict == VERDICT_ACCEPT)
		accept_rest(p);
}

static void abandon(struct player *p, const struct mta_file *file)
{
	mta_session_tell(&p->session, CMD_ABORT);
	p->report.rcpts = NULL;
	p->is_filter_done = p->is_in_message = false;
	begin_message(p, file);
}

static void play_asked(struct player *p, const struct mta_file *file)
{
	bool was_cut = false;

	if (p->set->is_helo_twice)
		say_helo(p);
	say_unknown(p);
	if (p->standing.is_given || p->is_over)
		return;
	if (p->set->abort_after != STAGE_COUNT &&
	    !say_message(p, &file->eml, true, &was_cut) && was_cut)
		abandon(p, file);
	if (p->session.is_broken)
		return;
	if (say_message(p, &file->eml, false, &was_cut))
		say_end(p);
	else if (p->is_filter_done)
		accept_rest(p);
	end_message(p);
}

static void finish_message(struct player *p)
{
	if (p->session.is_broken && !p->report.failure.len)
		report_fail(&p->report, "connection",
			    "the session had failed before");
	p->totals->messages++;
	p->totals->verdicts[p->report.verdict]++;
}

static void play_message(struct player *p, const struct mta_file *file)
{
	uint64_t since = clock_now();

	if (p->message++)
		report_begin(&p->report, p->number, p->message);
	begin_message(p, file);
	if (p->message == 1 && !p->session.is_broken)
		say_connect(p);
	if (p->is_over && !p->standing.is_given)
		report_verdict(&p->report, VERDICT_TEMPFAIL, "connection",
			       SLICE_LIT("421"));
	else if (!p->standing.is_given && !p->session.is_broken)
		play_asked(p, file);
	if (p->standing.is_given)
		play_standing(p);
	if (!p->report.failure.len)
		edit(p, &file->eml);
	p->report.time = clock_now() - since;
	finish_message(p);
}

/*
 * A filter that accepted the connection hears nothing more: Postfix just
 * closes, Sendmail says QUIT.  Postfix aborts once more before QUIT.
 */
static void end_session(struct player *p)
{
	bool is_postfix = p->set->habits == MTA_POSTFIX;
	bool is_accepted =
		p->standing.is_given && p->standing.verdict == VERDICT_ACCEPT;

	if (is_postfix && !is_accepted)
		mta_session_tell(&p->session, CMD_ABORT);
	mta_session_close(&p->session, !(is_postfix && is_accepted));
}

void mta_play_session(const struct mta_settings *set, unsigned number,
		      struct mta_totals *totals)
{
	struct player p = { .set = set, .totals = totals, .number = number };
	size_t count = set->file_count * set->repeat;

	report_init(&p.report);
	report_begin(&p.report, number, 1);
	totals->sessions++;
	mta_session_open(&p.session, set, &p.report);
	for (size_t i = 0; i < count; i++) {
		play_message(&p, &set->files[i % set->file_count]);
		/* The last report may still learn of a failure at the end. */
		if (i + 1 < count)
			mta_output_report(set, &p.report);
	}
	bool was_fine = p.report.verdict != VERDICT_FAILURE;
	enum verdict v = p.report.verdict;

	end_session(&p);
	if (was_fine && p.report.failure.len) {
		totals->verdicts[v]--;
		totals->verdicts[VERDICT_FAILURE]++;
	}
	mta_output_report(set, &p.report);
	report_deinit(&p.report);
}
