#include "tool/mta_session.h"

#include <inttypes.h>

#include "shared/clock.h"
#include "tool/script.h"

#define MACROS_MAX  ((size_t)64 * 1024)
#define SESSION_MAX ((size_t)4 * 1024 * 1024)
/* How long a milter may take to close after QUIT; longer is no fault. */
#define DRAIN_TIME (2 * CLOCK_S)
#define BIT(kind)  (UINT32_C(1) << (kind))
#define GO_ON_OR_NO                                                            \
	(BIT(ANSWER_CONTINUE) | BIT(ANSWER_REJECT) | BIT(ANSWER_TEMPFAIL) |    \
	 BIT(ANSWER_REPLYCODE))

/*
 * What may be answered to each stage: the part that both MTAs survive
 * (milter-protocol 4.3).  SKIP only where it was granted.
 */
static const uint32_t legal_answers[STAGE_COUNT] = {
	/* clang-format off */
	[STAGE_CONNECT] = GO_ON_OR_NO | BIT(ANSWER_ACCEPT),
	[STAGE_HELO]    = GO_ON_OR_NO | BIT(ANSWER_ACCEPT),
	[STAGE_MAIL]    = GO_ON_OR_NO | BIT(ANSWER_ACCEPT) | BIT(ANSWER_DISCARD),
	[STAGE_RCPT]    = GO_ON_OR_NO | BIT(ANSWER_ACCEPT) | BIT(ANSWER_DISCARD),
	[STAGE_DATA]    = GO_ON_OR_NO | BIT(ANSWER_ACCEPT) | BIT(ANSWER_DISCARD),
	[STAGE_HEADER]  = GO_ON_OR_NO | BIT(ANSWER_ACCEPT) | BIT(ANSWER_DISCARD),
	[STAGE_EOH]     = GO_ON_OR_NO | BIT(ANSWER_ACCEPT) | BIT(ANSWER_DISCARD),
	[STAGE_BODY]    = GO_ON_OR_NO | BIT(ANSWER_ACCEPT) | BIT(ANSWER_DISCARD) |
			  BIT(ANSWER_SKIP),
	[STAGE_EOM]     = GO_ON_OR_NO | BIT(ANSWER_ACCEPT) | BIT(ANSWER_DISCARD),
	[STAGE_UNKNOWN] = GO_ON_OR_NO,
	/* clang-format on */
};

static bool broken(struct mta_session *s, const char *stage)
{
	s->is_broken = true;
	return report_fail(s->report, stage, "%s", s->peer.why);
}

/* --- negotiation --- */

/* Sendmail drops a filter that wants a bit it was not offered. */
static bool check_option(struct mta_session *s, const struct option *got)
{
	const struct option *offer = &s->set->offer;
	uint32_t actions = got->actions & ~offer->actions;
	uint32_t protocol = got->protocol & ~offer->protocol;

	if (actions)
		return report_fail(s->report, "optneg",
				   "actions not offered: 0x%" PRIx32, actions);
	if (protocol && s->set->habits == MTA_SENDMAIL)
		return report_fail(s->report, "optneg",
				   "protocol bits not offered: 0x%" PRIx32,
				   protocol);
	if (protocol)
		report_warn(s->report,
			    SLICE_LIT("protocol bits that were not offered"));
	return true;
}

/*
 * Sendmail's bug: the list for the end of message counts only together with
 * one for the end of headers, and that one alone leaves none (2.6 there).
 */
static void forget_lists(struct mta_session *s)
{
	struct option *o = &s->agreed;

	if (s->set->habits != MTA_SENDMAIL)
		return;
	if (o->has_list[LIST_EOM] && !o->has_list[LIST_EOH]) {
		o->has_list[LIST_EOM] = false;
	} else if (o->has_list[LIST_EOH] && !o->has_list[LIST_EOM]) {
		o->has_list[LIST_EOM] = true;
		o->list[LIST_EOM] = SLICE_EMPTY;
	}
}

static bool keep_option(struct mta_session *s, const struct option *got)
{
	struct option tolerated = s->set->offer;
	const char *why = "";

	/* Postfix obeys bits it did not offer, so they are kept. */
	tolerated.protocol |= got->protocol;
	if (!option_read_answer(got, &tolerated, &s->agreed, &why))
		return report_fail(s->report, "optneg", "%s", why);
	for (unsigned i = 0; i < LIST_COUNT; i++)
		if (got->has_list[i] &&
		    !arena_copy(&s->arena, got->list[i], &s->agreed.list[i]))
			return report_fail(s->report, "optneg", "no memory");
	forget_lists(s);
	return true;
}

static void report_option(struct mta_session *s, uint64_t since)
{
	char words[100];

	snprintf(words, sizeof(words),
		 "version=%" PRIu32 " actions=0x%" PRIx32
		 " protocol=0x%" PRIx32,
		 s->agreed.version, s->agreed.actions, s->agreed.protocol);
	report_step(s->report,
		    &(struct report_step){ .stage = "optneg",
					   .what = slice_str(words),
					   .answer = ANSWER_OPTNEG,
					   .time = clock_now() - since });
}

static bool negotiate(struct mta_session *s)
{
	struct command offer = { .kind = CMD_OPTNEG };
	uint64_t since = clock_now();
	struct answer answer;

	offer.option = s->set->offer;
	if (!mta_peer_put(&s->peer, &offer) ||
	    !mta_peer_answer(&s->peer, &answer))
		return broken(s, "optneg");
	if (answer.kind != ANSWER_OPTNEG)
		return report_fail(s->report, "optneg",
				   "answered with %s instead",
				   script_answer_name(answer.kind));
	if (!check_option(s, &answer.option) || !keep_option(s, &answer.option))
		return false;
	report_option(s, since);
	return true;
}

bool mta_session_open(struct mta_session *s, const struct mta_settings *set,
		      struct report *report)
{
	*s = (struct mta_session){ .set = set, .report = report };
	arena_init(&s->arena, SESSION_MAX);
	buf_init(&s->macros, MACROS_MAX);
	if (!mta_peer_open(&s->peer, &set->endpoint, set->timeout))
		return broken(s, "connection");
	s->is_broken = !negotiate(s);
	return !s->is_broken;
}

void mta_session_close(struct mta_session *s, bool says_quit)
{
	if (says_quit && !s->is_quit)
		mta_session_tell(s, CMD_QUIT);
	if (s->is_quit && !s->is_broken &&
	    !mta_peer_drain(&s->peer, DRAIN_TIME))
		report_fail(s->report, "quit",
			    "the milter answered once too often");
	mta_peer_close(&s->peer);
	buf_deinit(&s->macros);
	arena_deinit(&s->arena);
}

/* --- sending --- */

/* The list of end of headers goes with every header, and so on. */
static enum milter_list list_of(enum stage stage)
{
	if (stage == STAGE_HEADER)
		return LIST_EOH;
	if (stage == STAGE_BODY)
		return LIST_EOM;
	return milter_stage_list(stage);
}

/* Does this MTA send macros with the stage at all? (milter-protocol 2.4) */
static bool has_macros(const struct mta_session *s, enum stage stage)
{
	bool is_skipped = milter_stage_no_bit(stage) & s->agreed.protocol;

	switch (stage) {
	case STAGE_HEADER:
	case STAGE_BODY:
		return s->set->habits == MTA_POSTFIX && !is_skipped;
	case STAGE_EOH:
		return !is_skipped;
	case STAGE_UNKNOWN:
		return s->set->habits == MTA_POSTFIX;
	case STAGE_CONNECT:
	case STAGE_HELO:
	case STAGE_MAIL:
	case STAGE_RCPT:
	case STAGE_DATA:
	case STAGE_EOM:
	case STAGE_COUNT:
		break;
	}
	return true;
}

static bool send_macros(struct mta_session *s, enum stage stage)
{
	enum milter_list list = list_of(stage);
	struct mta_macro_list names = { false, SLICE_EMPTY };
	struct command c = { .kind = CMD_MACRO };

	if (!has_macros(s, stage))
		return true;
	if (list < LIST_COUNT && s->agreed.has_list[list])
		names = (struct mta_macro_list){ true, s->agreed.list[list] };
	/* Postfix takes an empty list as none given, Sendmail sends nothing. */
	if (names.is_given && !names.names.len) {
		if (s->set->habits == MTA_SENDMAIL)
			return true;
		names.is_given = false;
	}
	buf_clear(&s->macros);
	if (!mta_macro_pairs(s->set, &s->known, stage, names, &s->macros))
		return report_fail(s->report, milter_stage_name(stage),
				   "macros too large");
	c.macro.letter = milter_stage_letter(stage);
	c.macro.pairs = buf_slice(&s->macros);
	if (!c.macro.pairs.len && s->set->habits == MTA_SENDMAIL &&
	    stage != STAGE_HELO)
		return true;
	return mta_peer_put(&s->peer, &c) ||
	       broken(s, milter_stage_name(stage));
}

/* Something is there although nothing was asked: name it. */
static bool fail_unasked(struct mta_session *s, const char *stage)
{
	struct answer answer;

	if (!mta_peer_answer(&s->peer, &answer))
		report_fail(s->report, stage, "before it: %s", s->peer.why);
	else
		report_fail(s->report, stage,
			    "%s before it, although no answer was owed",
			    script_answer_name(answer.kind));
	s->is_broken = true;
	return false;
}

bool mta_session_send(struct mta_session *s, const struct command *command,
		      struct slice what, bool *is_owed_out)
{
	enum stage stage = command_stage(command->kind);
	const char *name = milter_stage_name(stage);
	bool is_unwanted = milter_stage_no_bit(stage) & s->agreed.protocol;
	struct report_step step = { .stage = name, .what = what };

	*is_owed_out = false;
	if (s->is_broken || (s->skipped & BIT(stage)))
		return !s->is_broken;
	if (!send_macros(s, stage)) {
		s->is_broken = true;
		return false;
	}
	if (is_unwanted) {
		step.how = REPORT_NOT_SENT;
		report_step(s->report, &step);
		return true;
	}
	if (!mta_peer_put(&s->peer, command))
		return broken(s, name);
	*is_owed_out = !(milter_stage_nr_bit(stage) & s->agreed.protocol);
	if (!*is_owed_out) {
		step.how = REPORT_NOT_OWED;
		report_step(s->report, &step);
	}
	return true;
}

/* --- receiving --- */

static bool check_header_edit(struct mta_session *s, const struct answer *a)
{
	struct slice v = a->header.value;

	if (!a->header.name.len)
		return report_fail(s->report, "eom", "%s without a name",
				   script_answer_name(a->kind));
	for (size_t i = 0; i < v.len; i++) {
		bool is_fold = i + 1 < v.len &&
			       (v.data[i + 1] == ' ' || v.data[i + 1] == '\t');

		if (v.data[i] == '\r' || (v.data[i] == '\n' && !is_fold)) {
			report_warn(s->report,
				    SLICE_LIT("header value with a CR, or a LF "
					      "that is no fold"));
			break;
		}
	}
	return true;
}

/* Postfix: REPLBODY chunks may not have other requests among them. */
static bool check_body_edit(struct mta_session *s, const struct answer *a)
{
	if (a->kind != ANSWER_REPLBODY) {
		s->is_in_edits = s->has_body_edit;
		return true;
	}
	if (s->is_in_edits)
		return report_fail(s->report, "eom",
				   "replbody mixed with other edits");
	s->has_body_edit = true;
	return true;
}

static bool take_edit(struct mta_session *s, enum stage stage,
		      const struct answer *a)
{
	const char *name = script_answer_name(a->kind);

	if (stage != STAGE_EOM)
		return report_fail(s->report, milter_stage_name(stage),
				   "%s before the end of message", name);
	if (!(answer_action(a->kind) & s->agreed.actions))
		return report_fail(s->report, "eom",
				   "%s, which was not negotiated", name);
	if ((a->kind == ANSWER_ADDHEADER || a->kind == ANSWER_INSHEADER ||
	     a->kind == ANSWER_CHGHEADER) &&
	    !check_header_edit(s, a))
		return false;
	if (!check_body_edit(s, a))
		return false;
	report_edit(s->report, a);
	return true;
}

static bool check_final(struct mta_session *s, enum stage stage,
			const struct answer *a)
{
	const char *name = script_answer_name(a->kind);

	if (a->kind == ANSWER_OPTNEG || a->kind >= ANSWER_COUNT ||
	    !(legal_answers[stage] & BIT(a->kind)))
		return report_fail(s->report, milter_stage_name(stage),
				   "%s is no legal answer here", name);
	if (a->kind == ANSWER_SKIP && !(s->agreed.protocol & SMFIP_SKIP))
		return report_fail(s->report, milter_stage_name(stage),
				   "skip, which was not negotiated");
	if (a->kind == ANSWER_REPLYCODE && !answer_reply_ok(a->text))
		return report_fail(s->report, milter_stage_name(stage),
				   "malformed reply: %.*s", SLICE_ARG(a->text));
	return true;
}

/* Progress and edits; false with *is_final_out false: not allowed here. */
static bool take_answer(struct mta_session *s, enum stage stage,
			const struct answer *a, bool *is_final_out)
{
	*is_final_out = false;
	if (a->kind == ANSWER_PROGRESS) {
		if (stage == STAGE_EOM || s->set->habits == MTA_POSTFIX)
			return true;
		return report_fail(s->report, milter_stage_name(stage),
				   "progress before the end of message");
	}
	if (answer_is_edit(a->kind))
		return take_edit(s, stage, a);
	*is_final_out = true;
	return check_final(s, stage, a);
}

enum answer_kind mta_session_receive(struct mta_session *s, enum stage stage,
				     struct slice what, uint64_t since)
{
	struct report_step step = { .stage = milter_stage_name(stage),
				    .what = what };
	struct answer answer;
	bool is_final;

	s->reply = SLICE_EMPTY;
	s->is_in_edits = s->has_body_edit = false;
	do {
		if (s->is_broken || !mta_peer_answer(&s->peer, &answer)) {
			broken(s, milter_stage_name(stage));
			return ANSWER_COUNT;
		}
		if (!take_answer(s, stage, &answer, &is_final)) {
			s->is_broken = true;
			return ANSWER_COUNT;
		}
	} while (!is_final);
	if (answer.kind == ANSWER_REPLYCODE)
		s->reply = answer.text;
	step.answer = answer.kind;
	step.text = s->reply;
	step.time = clock_now() - since;
	report_step(s->report, &step);
	/* The report's copy lives on, the packet does not. */
	s->reply =
		s->report->last_step ? s->report->last_step->text : SLICE_EMPTY;
	if (answer.kind == ANSWER_SKIP)
		s->skipped |= BIT(stage);
	return answer.kind;
}

enum answer_kind mta_session_step(struct mta_session *s,
				  const struct command *command,
				  struct slice what)
{
	enum stage stage = command_stage(command->kind);
	uint64_t since = clock_now();
	bool is_owed;

	s->reply = SLICE_EMPTY;
	if (!s->is_broken && !mta_peer_is_quiet(&s->peer))
		fail_unasked(s, milter_stage_name(stage));
	if (!mta_session_send(s, command, what, &is_owed))
		return ANSWER_COUNT;
	return is_owed ? mta_session_receive(s, stage, what, since) :
			 ANSWER_CONTINUE;
}

void mta_session_tell(struct mta_session *s, enum command_kind kind)
{
	struct command c = { .kind = kind };

	if (s->is_broken)
		return;
	s->is_quit = kind == CMD_QUIT;
	if (!mta_peer_is_quiet(&s->peer))
		fail_unasked(s, command_name(kind));
	else if (!mta_peer_put(&s->peer, &c) || !mta_peer_flush(&s->peer))
		broken(s, command_name(kind));
}
