#include "tool/mta_script.h"

#include <criterion/criterion.h>

#include "shared/clock.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct arena arena;
static struct mta_script script;

static void begin(void)
{
	arena_init(&arena, (size_t)1024 * 1024);
}

static void end(void)
{
	arena_deinit(&arena);
}

TestSuite(mta_script, .init = begin, .fini = end);

static void parse(const char *text)
{
	struct script_error error = { 0 };

	cr_assert(mta_script_parse(&arena, slice_str(text), &script, &error),
		  "%u:%u: %s", error.line, error.column, error.text);
}

Test(mta_script, commands)
{
	parse("connect mx 2001:db8::1 25; helo; mail <a> SIZE=1 \"X=a b\"\n"
	      "rcpt; data; header X \"a b\"; eoh; body \"abc\" 3; eom; abort\n"
	      "unknown \"FOO bar\"; quit_nc; connect mx; connect mx /sock\n"
	      "quit");
	static const enum command_kind kinds[] = {
		CMD_CONNECT, CMD_HELO,	  CMD_MAIL,    CMD_RCPT,    CMD_DATA,
		CMD_HEADER,  CMD_EOH,	  CMD_BODY,    CMD_EOM,	    CMD_ABORT,
		CMD_UNKNOWN, CMD_QUIT_NC, CMD_CONNECT, CMD_CONNECT, CMD_QUIT,
	};

	cr_assert_eq(script.count, COUNT(kinds));
	cr_expect_not(script.has_expectations);
	for (size_t i = 0; i < COUNT(kinds); i++)
		cr_expect_eq(script.steps[i].command.kind, kinds[i], "%zu", i);
	cr_expect_eq(script.steps[0].command.connect.family, '6');
	cr_expect_eq(script.steps[0].command.connect.port, 25);
	cr_expect_not(script.steps[1].has_words);
	cr_expect(slice_equal(script.steps[2].command.envelope.args,
			      SLICE_LIT("SIZE=1\0X=a b\0")));
	cr_expect_eq(script.steps[7].times, 3);
	cr_expect_eq(script.steps[12].command.connect.family, 'U');
	cr_expect_eq(script.steps[13].command.connect.family, 'L');
}

Test(mta_script, everything_else)
{
	parse("wait 20ms; raw 000000; expect reply \"550*\"; expect none\n"
	      "expect close; expect quiet 1s; macro mail {x} y; fill no");
	static const enum mta_step_kind kinds[] = {
		STEP_WAIT,	  STEP_RAW,	     STEP_EXPECT,
		STEP_EXPECT_NONE, STEP_EXPECT_CLOSE, STEP_EXPECT_QUIET,
		STEP_MACRO,	  STEP_FILL,
	};

	cr_assert_eq(script.count, COUNT(kinds));
	cr_expect(script.has_expectations);
	for (size_t i = 0; i < COUNT(kinds); i++)
		cr_expect_eq(script.steps[i].kind, kinds[i], "%zu", i);
	cr_expect_eq(script.steps[0].time, 20 * CLOCK_MS);
	cr_expect_eq(script.steps[1].bytes.len, 3);
	cr_expect_eq(script.steps[2].answer, ANSWER_REPLYCODE);
	cr_expect_eq(script.steps[6].macro.stage, STAGE_MAIL);
	cr_expect_not(script.steps[7].fills);
}

Test(mta_script, mistakes_are_found)
{
	static const struct {
		const char *text;
		unsigned line, column;
	} cases[] = {
		{ "sing", 1, 1 },
		{ "optneg", 1, 1 },
		{ "header X", 1, 8 },
		{ "body", 1, 1 },
		{ "body \"\"", 1, 6 },
		{ "eom now", 1, 5 },
		{ "expect", 1, 1 },
		{ "expect rain", 1, 8 },
		{ "expect quiet", 1, 8 },
		{ "wait soon", 1, 6 },
		{ "raw xyz", 1, 5 },
		{ "macro dinner a b", 1, 7 },
		{ "helo\n\nfill maybe", 3, 6 },
		{ "connect a b c", 1, 13 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct script_error error = { 0 };

		cr_assert_not(mta_script_parse(&arena, slice_str(cases[i].text),
					       &script, &error),
			      "%s", cases[i].text);
		cr_expect_eq(error.line, cases[i].line, "%s", cases[i].text);
		cr_expect_eq(error.column, cases[i].column, "%s: column %u, %s",
			     cases[i].text, error.column, error.text);
	}
}
