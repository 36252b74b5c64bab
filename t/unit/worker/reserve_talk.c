#include "worker/reserve_talk.h"

#include <criterion/criterion.h>
#include <string.h>


/* What Postfix offers, as far as it matters here. */
#define OFFERED (SMFIP_NO_ALL | SMFIP_NR_ALL | SMFIP_SKIP)

static struct command command(enum command_kind kind)
{
	struct command c = { .kind = kind };

	if (kind == CMD_OPTNEG)
		c.option = (struct option){ .version = 6,
					    .actions = SMFIF_ALL,
					    .protocol = OFFERED };
	return c;
}

/*
 * What a reply is in one letter: "-" no answer, "c" continue, "T" the
 * tempfail with its text, "a" accept, "O" options, "q" ends, "!" ends by the
 * MTA's fault.
 */
static char letter(const struct reserve_reply *r)
{
	if (r->ends)
		return r->why ? '!' : 'q';
	if (!r->has_answer)
		return '-';
	if (r->answer.kind == ANSWER_CONTINUE)
		return 'c';
	if (r->answer.kind == ANSWER_ACCEPT)
		return 'a';
	if (r->answer.kind == ANSWER_OPTNEG)
		return 'O';
	return r->answer.kind == ANSWER_REPLYCODE &&
			       slice_starts(r->answer.text, "451 4.3.2 ") ?
		       'T' :
		       '?';
}

/* A column for each place: START OPTIONS IDLE OVER. */
static const struct {
	enum command_kind kind;
	const char *letters;
} cases[] = {
	/* clang-format off */
	{ CMD_OPTNEG,  "O!!!" },
	{ CMD_MACRO,   "!---" },
	{ CMD_CONNECT, "!c!!" },
	{ CMD_HELO,    "!!cc" },
	{ CMD_MAIL,    "!!TT" },
	{ CMD_RCPT,    "!!!T" },
	{ CMD_DATA,    "!!!T" },
	{ CMD_HEADER,  "!!!-" },
	{ CMD_EOH,     "!!!-" },
	{ CMD_BODY,    "!!!-" },
	{ CMD_EOM,     "!!!T" },
	{ CMD_ABORT,   "!---" },
	{ CMD_QUIT,    "qqqq" },
	{ CMD_QUIT_NC, "!---" },
	{ CMD_UNKNOWN, "!ccc" },
	/* clang-format on */
};
_Static_assert(sizeof(cases) / sizeof(cases[0]) == CMD_COUNT, "a command less");

static void expect(size_t i, enum conf_overload policy, bool has_nr)
{
	for (unsigned place = 0; place < RESERVE_PLACES; place++) {
		const struct command c = command(cases[i].kind);
		struct reserve_talk t = {
			.on_overload = policy,
			.place = (enum reserve_place)place,
			.protocol = has_nr ? SMFIP_NR_HDR | SMFIP_NR_EOH |
						     SMFIP_NR_BODY :
					     0,
		};
		char want = cases[i].letters[place];
		struct reserve_reply r;
		bool content = c.kind == CMD_HEADER || c.kind == CMD_EOH ||
			       c.kind == CMD_BODY;

		if (!has_nr && content && want == '-')
			want = 'T';
		if (policy == OVERLOAD_ACCEPT && want == 'T')
			want = 'a';
		reserve_hear(&t, &c, &r);
		cr_expect_eq(letter(&r), want, "%s in place %u: %c, not %c",
			     command_name(c.kind), place, letter(&r), want);
		cr_expect_eq(r.is_message,
			     c.kind == CMD_MAIL && place >= RESERVE_IDLE);
	}
}

Test(reserve_talk, what_each_command_gets_in_each_place)
{
	for (size_t i = 0; i < CMD_COUNT; i++) {
		expect(i, OVERLOAD_TEMPFAIL, true);
		expect(i, OVERLOAD_TEMPFAIL, false);
		expect(i, OVERLOAD_ACCEPT, true);
		expect(i, OVERLOAD_ACCEPT, false);
	}
}

static char say(struct reserve_talk *t, enum command_kind kind)
{
	const struct command c = command(kind);
	struct reserve_reply r;

	reserve_hear(t, &c, &r);
	return letter(&r);
}

Test(reserve_talk, a_connection_with_several_messages)
{
	static const struct {
		enum command_kind kind;
		char want;
	} talk[] = {
		{ CMD_OPTNEG, 'O' },  { CMD_MACRO, '-' },
		{ CMD_CONNECT, 'c' }, { CMD_HELO, 'c' },
		{ CMD_MAIL, 'T' },    { CMD_ABORT, '-' },
		{ CMD_MAIL, 'T' },    { CMD_RCPT, 'T' },
		{ CMD_DATA, 'T' },    { CMD_HEADER, '-' },
		{ CMD_EOH, '-' },     { CMD_BODY, '-' },
		{ CMD_EOM, 'T' },     { CMD_MAIL, 'T' },
		{ CMD_MAIL, 'T' },    { CMD_HELO, 'c' },
		{ CMD_MAIL, 'T' },    { CMD_QUIT_NC, '-' },
		{ CMD_OPTNEG, 'O' },  { CMD_CONNECT, 'c' },
		{ CMD_MAIL, 'T' },    { CMD_QUIT_NC, '-' },
		{ CMD_CONNECT, 'c' }, { CMD_MAIL, 'T' },
		{ CMD_QUIT, 'q' },
	};
	struct reserve_talk t = { 0 };

	for (size_t i = 0; i < sizeof(talk) / sizeof(talk[0]); i++) {
		char got = say(&t, talk[i].kind);

		cr_expect_eq(got, talk[i].want, "step %zu, %s: %c", i,
			     command_name(talk[i].kind), got);
	}
}

Test(reserve_talk, negotiates_as_a_worker_does)
{
	struct command c = command(CMD_OPTNEG);
	struct reserve_talk t = { 0 };
	struct reserve_reply r;

	reserve_hear(&t, &c, &r);
	cr_expect_eq(r.answer.option.version, 6);
	cr_expect_eq(r.answer.option.actions, (uint32_t)SMFIF_ALL);
	cr_expect_eq(r.answer.option.protocol,
		     (uint32_t)(SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY |
				SMFIP_SKIP));
	cr_expect_eq(t.protocol, r.answer.option.protocol);
	/* A second one only behind QUIT_NC. */
	cr_expect_eq(say(&t, CMD_OPTNEG), '!');

	t = (struct reserve_talk){ 0 };
	c.option.version = 1;
	reserve_hear(&t, &c, &r);
	cr_expect_eq(letter(&r), '!');
	cr_expect_not_null(strstr(r.why, "version"));
}
