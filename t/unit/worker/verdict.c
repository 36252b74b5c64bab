#include "worker/verdict.h"

#include <criterion/criterion.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Effects as letters, so that a whole stage fits on one line. */
static char letter_of(enum effect e)
{
	static const char letters[] = {
		[EFFECT_NEXT] = 'n',	    [EFFECT_DONE_CONNECTION] = 'A',
		[EFFECT_DONE_MESSAGE] = 'a', [EFFECT_NO_CONNECTION] = 'C',
		[EFFECT_NO_MESSAGE] = 'M',  [EFFECT_NO_RCPT] = 'R',
		[EFFECT_NO_COMMAND] = 'U',  [EFFECT_DISCARD] = 'D',
		[EFFECT_ODD] = 'o',	    [EFFECT_SKIP] = 's',
		[EFFECT_EDIT] = 'e',	    [EFFECT_PROGRESS] = 'p',
		[EFFECT_BREACH] = '!',
	};

	return letters[e];
}

/*
 * Columns in the order of enum answer_kind: O optneg, c continue, a accept,
 * r reject, t tempfail, y reply code, d discard, s skip, p progress,
 * 4 shutdown, f connection failed, then the nine edits.
 */
/* clang-format off */
static const char *const table[STAGE_COUNT] = {
	/*                  Ocartydsp4f hhhb++2eq */
	[STAGE_CONNECT] = "!nACCCo!p!!!!!!!!!!!",
	[STAGE_HELO]    = "!nACCCo!p!!!!!!!!!!!",
	[STAGE_MAIL]    = "!naMMMD!p!!!!!!!!!!!",
	[STAGE_RCPT]    = "!naRRRD!p!!!!!!!!!!!",
	[STAGE_DATA]    = "!naMMMD!p!!!!!!!!!!!",
	[STAGE_HEADER]  = "!naMMMDsp!!!!!!!!!!!",
	[STAGE_EOH]     = "!naMMMD!p!!!!!!!!!!!",
	[STAGE_BODY]    = "!naMMMDsp!!!!!!!!!!!",
	[STAGE_EOM]     = "!nnMMMD!p!!eeeeeeeee",
	[STAGE_UNKNOWN] = "!nnUUUo!p!!!!!!!!!!!",
};
/* clang-format on */

Test(verdict, every_answer_at_every_stage)
{
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		cr_assert_eq(strlen(table[s]), ANSWER_COUNT, "%s",
			     milter_stage_name((enum stage)s));
		for (unsigned a = 0; a < ANSWER_COUNT; a++) {
			char have = letter_of(verdict_effect(
				(enum stage)s, (enum answer_kind)a));

			cr_expect_eq(have, table[s][a],
				     "%s at %s: %c instead of %c",
				     answer_name((enum answer_kind)a),
				     milter_stage_name((enum stage)s), have,
				     table[s][a]);
		}
	}
}

/* Only bytes that are answers come this far; anything else is a breach. */
Test(verdict, what_is_no_answer_is_a_breach)
{
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		cr_expect_eq(verdict_effect((enum stage)s, ANSWER_COUNT),
			     EFFECT_BREACH);
}

Test(verdict, class_of_an_answer)
{
	static const struct {
		enum answer_kind kind;
		const char *text;
		enum verdict_kind want;
	} cases[] = {
		{ ANSWER_CONTINUE, "", VERDICT_CONTINUE },
		{ ANSWER_ACCEPT, "", VERDICT_CONTINUE },
		{ ANSWER_REJECT, "", VERDICT_REJECT },
		{ ANSWER_TEMPFAIL, "", VERDICT_TEMPFAIL },
		{ ANSWER_DISCARD, "", VERDICT_DISCARD },
		{ ANSWER_SKIP, "", VERDICT_CONTINUE },
		{ ANSWER_QUARANTINE, "5", VERDICT_CONTINUE },
		{ ANSWER_REPLYCODE, "450 4.7.1 later", VERDICT_TEMPFAIL },
		{ ANSWER_REPLYCODE, "421 bye", VERDICT_TEMPFAIL },
		{ ANSWER_REPLYCODE, "550 5.7.1 no", VERDICT_REJECT },
		{ ANSWER_REPLYCODE, "5", VERDICT_REJECT },
		{ ANSWER_REPLYCODE, "", VERDICT_CONTINUE },
		{ ANSWER_REPLYCODE, "250 ok", VERDICT_CONTINUE },
		{ ANSWER_REPLYCODE, "354 go on", VERDICT_CONTINUE },
		{ ANSWER_REPLYCODE, " 550 no", VERDICT_CONTINUE },
		{ ANSWER_REPLYCODE, "x50", VERDICT_CONTINUE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a = { .kind = cases[i].kind };

		a.text = slice_str(cases[i].text);
		cr_expect_eq(verdict_class(&a), cases[i].want, "%s \"%s\"",
			     answer_name(cases[i].kind), cases[i].text);
	}
}

Test(verdict, policies)
{
	static const struct {
		enum conf_policy policy;
		enum verdict_kind want;
	} cases[] = {
		{ POLICY_TEMPFAIL, VERDICT_TEMPFAIL },
		{ POLICY_ACCEPT, VERDICT_CONTINUE },
		{ POLICY_REJECT, VERDICT_REJECT },
		{ POLICY_DISCARD, VERDICT_DISCARD },
		/* Taken, and held by what is sent with it. */
		{ POLICY_QUARANTINE, VERDICT_CONTINUE },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(verdict_of_policy(cases[i].policy), cases[i].want,
			     "%s", conf_policy_name(cases[i].policy));
}

/* Design section 3, Joining: the first, but 4xx if any is 4xx. */
Test(verdict, late_refusals)
{
	static const struct {
		enum verdict_kind first;
		enum verdict_kind later;
		bool want_later;
	} cases[] = {
		{ VERDICT_REJECT, VERDICT_REJECT, false },
		{ VERDICT_REJECT, VERDICT_TEMPFAIL, true },
		{ VERDICT_TEMPFAIL, VERDICT_REJECT, false },
		{ VERDICT_TEMPFAIL, VERDICT_TEMPFAIL, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct verdict first = { .kind = cases[i].first };
		const struct verdict later = { .kind = cases[i].later };

		cr_expect_eq(verdict_of_late(&first, &later),
			     cases[i].want_later ? &later : &first,
			     "%s, then %s", verdict_name(first.kind),
			     verdict_name(later.kind));
	}
}

Test(verdict, names)
{
	cr_expect_str_eq(verdict_name(VERDICT_CONTINUE), "continue");
	cr_expect_str_eq(verdict_name(VERDICT_ACCEPT), "accept");
	cr_expect_str_eq(verdict_name(VERDICT_REJECT), "reject");
	cr_expect_str_eq(verdict_name(VERDICT_TEMPFAIL), "tempfail");
	cr_expect_str_eq(verdict_name(VERDICT_DISCARD), "discard");
}

/* The text goes along with a no, and with nothing else. */
Test(verdict, answer_to_the_mta)
{
	static const struct {
		enum verdict_kind kind;
		const char *reply;
		enum answer_kind want;
	} cases[] = {
		{ VERDICT_CONTINUE, "", ANSWER_CONTINUE },
		{ VERDICT_ACCEPT, "", ANSWER_ACCEPT },
		{ VERDICT_REJECT, "", ANSWER_REJECT },
		{ VERDICT_TEMPFAIL, "", ANSWER_TEMPFAIL },
		{ VERDICT_DISCARD, "", ANSWER_DISCARD },
		{ VERDICT_REJECT, "550 5.7.1 no", ANSWER_REPLYCODE },
		{ VERDICT_TEMPFAIL, "451 4.7.1 later", ANSWER_REPLYCODE },
		{ VERDICT_DISCARD, "550 5.7.1 no", ANSWER_DISCARD },
		{ VERDICT_CONTINUE, "550 5.7.1 no", ANSWER_CONTINUE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct verdict v = { .kind = cases[i].kind,
					   .reply = slice_str(cases[i].reply) };
		struct answer a = verdict_answer(&v);

		cr_expect_eq(a.kind, cases[i].want, "case %zu", i);
		if (a.kind == ANSWER_REPLYCODE)
			cr_expect(slice_is(a.text, cases[i].reply));
	}
}
