#include "worker/verdict.h"

/* The columns of design section 4. */
enum place {
	PLACE_CONNECTION,
	PLACE_MESSAGE,
	PLACE_RCPT,
	PLACE_EOM,
	PLACE_UNKNOWN
};

static enum place place_of(enum stage stage)
{
	switch (stage) {
	case STAGE_CONNECT:
	case STAGE_HELO:
		return PLACE_CONNECTION;
	case STAGE_RCPT:
		return PLACE_RCPT;
	case STAGE_EOM:
		return PLACE_EOM;
	case STAGE_UNKNOWN:
		return PLACE_UNKNOWN;
	case STAGE_MAIL:
	case STAGE_DATA:
	case STAGE_HEADER:
	case STAGE_EOH:
	case STAGE_BODY:
	case STAGE_COUNT:
		break;
	}
	return PLACE_MESSAGE;
}

enum column { COLUMN_ACCEPT, COLUMN_NO, COLUMN_DISCARD, COLUMN_COUNT };

/* clang-format off */
static const enum effect effects[][COLUMN_COUNT] = {
	/*                       accept                  reject ...            discard */
	[PLACE_CONNECTION] = { EFFECT_DONE_CONNECTION, EFFECT_NO_CONNECTION, EFFECT_ODD },
	[PLACE_MESSAGE]    = { EFFECT_DONE_MESSAGE,    EFFECT_NO_MESSAGE,    EFFECT_DISCARD },
	[PLACE_RCPT]       = { EFFECT_DONE_MESSAGE,    EFFECT_NO_RCPT,       EFFECT_DISCARD },
	[PLACE_EOM]        = { EFFECT_NEXT,            EFFECT_NO_MESSAGE,    EFFECT_DISCARD },
	[PLACE_UNKNOWN]    = { EFFECT_NEXT,            EFFECT_NO_COMMAND,    EFFECT_ODD },
};
/* clang-format on */

enum effect verdict_effect(enum stage stage, enum answer_kind answer)
{
	const enum effect *row = effects[place_of(stage)];

	switch (answer) {
	case ANSWER_CONTINUE:
		return EFFECT_NEXT;
	case ANSWER_ACCEPT:
		return row[COLUMN_ACCEPT];
	case ANSWER_REJECT:
	case ANSWER_TEMPFAIL:
	case ANSWER_REPLYCODE:
		return row[COLUMN_NO];
	case ANSWER_DISCARD:
		return row[COLUMN_DISCARD];
	case ANSWER_SKIP:
		/* As Postfix has it; to Sendmail a skipped header is a breach
		 * of another kind (milter-protocol 4.3). */
		return stage == STAGE_BODY || stage == STAGE_HEADER ?
			       EFFECT_SKIP :
			       EFFECT_BREACH;
	case ANSWER_PROGRESS:
		return EFFECT_PROGRESS;
	case ANSWER_ADDHEADER:
	case ANSWER_INSHEADER:
	case ANSWER_CHGHEADER:
	case ANSWER_REPLBODY:
	case ANSWER_ADDRCPT:
	case ANSWER_DELRCPT:
	case ANSWER_ADDRCPT_PAR:
	case ANSWER_CHGFROM:
	case ANSWER_QUARANTINE:
		return stage == STAGE_EOM ? EFFECT_EDIT : EFFECT_BREACH;
	case ANSWER_OPTNEG:
	case ANSWER_SHUTDOWN:
	case ANSWER_CONN_FAIL:
	case ANSWER_COUNT:
		break;
	}
	return EFFECT_BREACH;
}

enum verdict_kind verdict_class(const struct answer *answer)
{
	if (answer->kind == ANSWER_REJECT)
		return VERDICT_REJECT;
	if (answer->kind == ANSWER_TEMPFAIL)
		return VERDICT_TEMPFAIL;
	if (answer->kind == ANSWER_DISCARD)
		return VERDICT_DISCARD;
	if (answer->kind != ANSWER_REPLYCODE)
		return VERDICT_CONTINUE;
	if (slice_starts(answer->text, "4"))
		return VERDICT_TEMPFAIL;
	return slice_starts(answer->text, "5") ? VERDICT_REJECT :
						 VERDICT_CONTINUE;
}

enum verdict_kind verdict_of_policy(enum conf_policy policy)
{
	switch (policy) {
	case POLICY_TEMPFAIL:
		return VERDICT_TEMPFAIL;
	case POLICY_REJECT:
		return VERDICT_REJECT;
	case POLICY_DISCARD:
		return VERDICT_DISCARD;
	case POLICY_ACCEPT:
	case POLICY_QUARANTINE:
		break;
	}
	return VERDICT_CONTINUE;
}

const struct verdict *verdict_of_late(const struct verdict *first,
				      const struct verdict *later)
{
	if (first->kind != VERDICT_TEMPFAIL && later->kind == VERDICT_TEMPFAIL)
		return later;
	return first;
}

const char *verdict_name(enum verdict_kind kind)
{
	static const char *const names[] = {
		[VERDICT_CONTINUE] = "continue",
		[VERDICT_ACCEPT] = "accept",
		[VERDICT_REJECT] = "reject",
		[VERDICT_TEMPFAIL] = "tempfail",
		[VERDICT_DISCARD] = "discard",
	};

	return names[kind];
}

struct answer verdict_answer(const struct verdict *v)
{
	static const enum answer_kind kinds[] = {
		[VERDICT_CONTINUE] = ANSWER_CONTINUE,
		[VERDICT_ACCEPT] = ANSWER_ACCEPT,
		[VERDICT_REJECT] = ANSWER_REJECT,
		[VERDICT_TEMPFAIL] = ANSWER_TEMPFAIL,
		[VERDICT_DISCARD] = ANSWER_DISCARD,
	};
	struct answer a = { .kind = kinds[v->kind] };

	if (v->reply.len &&
	    (v->kind == VERDICT_REJECT || v->kind == VERDICT_TEMPFAIL)) {
		a.kind = ANSWER_REPLYCODE;
		a.text = v->reply;
	}
	return a;
}
