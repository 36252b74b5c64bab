#include "tool/mta_report.h"

#include <stdarg.h>

#include "tool/script.h"

#define REPORT_MAX ((size_t)512 * 1024 * 1024)

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[VERDICT_COUNT] = {
		[VERDICT_ACCEPT] = "accept",
		[VERDICT_REJECT] = "reject",
		[VERDICT_TEMPFAIL] = "tempfail",
		[VERDICT_DISCARD] = "discard",
		[VERDICT_QUARANTINE] = "quarantine",
		[VERDICT_FAILURE] = "failure",
	};

	return names[verdict];
}

int verdict_status(enum verdict verdict)
{
	static const int statuses[VERDICT_COUNT] = {
		[VERDICT_ACCEPT] = 0,	   [VERDICT_REJECT] = 10,
		[VERDICT_TEMPFAIL] = 11,   [VERDICT_DISCARD] = 12,
		[VERDICT_QUARANTINE] = 13, [VERDICT_FAILURE] = 20,
	};

	return statuses[verdict];
}

const char *report_fate_name(enum fate fate)
{
	static const char *const names[] = {
		[FATE_ACCEPTED] = "accepted",	  [FATE_REJECTED] = "rejected",
		[FATE_TEMPFAILED] = "tempfailed", [FATE_REFUSED] = "refused",
		[FATE_DELETED] = "deleted",	  [FATE_ADDED] = "added",
	};

	return names[fate];
}

void report_init(struct report *r)
{
	*r = (struct report){ 0 };
	arena_init(&r->arena, REPORT_MAX);
}

void report_deinit(struct report *r)
{
	arena_deinit(&r->arena);
}

void report_begin(struct report *r, unsigned session, unsigned message)
{
	struct arena arena = r->arena;

	arena_reset(&arena);
	*r = (struct report){ .arena = arena,
			      .session = session,
			      .message = message,
			      .stage = "",
			      .body_hash = SCRIPT_HASH };
}

void report_step(struct report *r, const struct report_step *step)
{
	struct report_step *s = arena_take(&r->arena, sizeof(*s));

	if (!s)
		return;
	*s = *step;
	s->next = NULL;
	arena_copy(&r->arena, step->what, &s->what);
	arena_copy(&r->arena, step->text, &s->text);
	if (r->steps)
		r->last_step->next = s;
	else
		r->steps = s;
	r->last_step = s;
}

/* Each kind has its own slices to be copied; the others have none. */
static void copy_answer(struct arena *a, struct answer *to)
{
	switch (to->kind) {
	case ANSWER_ADDHEADER:
	case ANSWER_INSHEADER:
	case ANSWER_CHGHEADER:
		arena_copy(a, to->header.name, &to->header.name);
		arena_copy(a, to->header.value, &to->header.value);
		break;
	case ANSWER_ADDRCPT:
	case ANSWER_DELRCPT:
	case ANSWER_ADDRCPT_PAR:
	case ANSWER_CHGFROM:
		arena_copy(a, to->address.address, &to->address.address);
		arena_copy(a, to->address.args, &to->address.args);
		break;
	case ANSWER_REPLBODY:
		arena_copy(a, to->body, &to->body);
		break;
	case ANSWER_QUARANTINE:
	case ANSWER_REPLYCODE:
		arena_copy(a, to->text, &to->text);
		break;
	case ANSWER_OPTNEG:
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

void report_edit(struct report *r, const struct answer *answer)
{
	struct report_edit *e = arena_take(&r->arena, sizeof(*e));

	if (!e)
		return;
	e->answer = *answer;
	copy_answer(&r->arena, &e->answer);
	if (r->edits)
		r->last_edit->next = e;
	else
		r->edits = e;
	r->last_edit = e;
}

struct report_rcpt *report_rcpt(struct report *r, struct slice address,
				enum fate fate)
{
	struct report_rcpt *p = arena_take(&r->arena, sizeof(*p));

	if (!p)
		return NULL;
	arena_copy(&r->arena, address, &p->address);
	p->fate = fate;
	if (r->rcpts)
		r->last_rcpt->next = p;
	else
		r->rcpts = p;
	r->last_rcpt = p;
	return p;
}

void report_warn(struct report *r, struct slice text)
{
	struct report_warning *w = arena_take(&r->arena, sizeof(*w));

	if (!w)
		return;
	arena_copy(&r->arena, text, &w->text);
	if (r->warnings)
		r->last_warning->next = w;
	else
		r->warnings = w;
	r->last_warning = w;
}

bool report_fail(struct report *r, const char *stage, const char *format, ...)
{
	char text[400];
	va_list args;

	if (r->failure.len)
		return false;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!arena_copy(&r->arena, slice_str(text), &r->failure))
		r->failure = SLICE_LIT("no memory");
	r->verdict = VERDICT_FAILURE;
	r->stage = stage;
	return false;
}

void report_verdict(struct report *r, enum verdict verdict, const char *stage,
		    struct slice reply)
{
	r->verdict = verdict;
	r->stage = stage;
	arena_copy(&r->arena, reply, &r->reply);
}
