#include "tool/milter_rule.h"

#include <criterion/criterion.h>

#include "shared/clock.h"
#include "tool/milter_facts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct arena arena;
static struct rules rules;
static struct facts facts;

static void begin(void)
{
	arena_init(&arena, (size_t)16 * 1024 * 1024);
	facts_init(&facts, 1, true);
}

static void end(void)
{
	facts_deinit(&facts);
	arena_deinit(&arena);
}

TestSuite(milter_rule, .init = begin, .fini = end);

static void parse(const char *text)
{
	struct script_error error = { 0 };

	cr_assert(rules_parse(&arena, slice_str(text), &rules, &error),
		  "%u:%u: %s", error.line, error.column, error.text);
}

Test(milter_rule, options)
{
	parse("option version 2\n"
	      "option actions addhdrs quarantine\n"
	      "option protocol nohelo nr_hdr skip leadspc\n"
	      "option macros mail \"i {auth_authen}\"; option force");
	cr_expect_eq(rules.option.version, 2);
	cr_expect_eq(rules.option.actions, SMFIF_ADDHDRS | SMFIF_QUARANTINE);
	cr_expect_eq(rules.option.protocol, SMFIP_NOHELO | SMFIP_NR_HDR |
						    SMFIP_SKIP |
						    SMFIP_HDR_LEADSPC);
	cr_expect(rules.option.has_list[LIST_MAIL]);
	cr_expect(slice_is(rules.option.list[LIST_MAIL], "i {auth_authen}"));
	cr_expect_not(rules.option.has_list[LIST_RCPT]);
	cr_expect(rules.is_forced);
}

Test(milter_rule, needs_are_found_out)
{
	parse("at eom do addheader a b; chgfrom \"<x@y>\"\n"
	      "at body do skip\noption macros eom i");
	cr_expect_eq(rules.option.version, MILTER_VERSION);
	cr_expect_eq(rules.option.actions,
		     SMFIF_ADDHDRS | SMFIF_CHGFROM | SMFIF_SETSYMLIST);
	cr_expect_eq(rules.option.protocol, SMFIP_SKIP);
	parse("option actions none; option protocol none\n"
	      "at eom do addheader a b\nat body do skip");
	cr_expect_eq(rules.option.actions, 0);
	cr_expect_eq(rules.option.protocol, 0);
}

Test(milter_rule, actions_in_order)
{
	static const enum answer_kind answers[] = {
		ANSWER_INSHEADER,   ANSWER_CHGHEADER, ANSWER_ADDRCPT,
		ANSWER_ADDRCPT_PAR, ANSWER_DELRCPT,   ANSWER_CHGFROM,
		ANSWER_QUARANTINE,  ANSWER_PROGRESS,  ANSWER_REPLYCODE,
	};
	const struct rule *r;

	parse("at eom do insheader 3 \"X\" \"v\"; chgheader 1 Subject \"\"\n"
	      "  addrcpt <a@b>; addrcpt <a@b> \"NOTIFY=NEVER\"; delrcpt <c>\n"
	      "  chgfrom <x> \"RET=HDRS\"; quarantine \"virus\"; progress\n"
	      "  reply \"550 5.7.1 no\"; delay 200ms; garbage 00ff; exit 3");
	cr_assert_eq(rules.count, 1);
	r = &rules.rules[0];
	cr_assert_eq(r->action_count, COUNT(answers) + 3);
	for (size_t i = 0; i < COUNT(answers); i++)
		cr_expect_eq(r->actions[i].answer.kind, answers[i], "%zu", i);
	cr_expect_eq(r->actions[0].answer.header.index, 3);
	cr_expect_eq(r->actions[1].answer.header.value.len, 0);
	cr_expect_not(r->actions[2].answer.address.has_args);
	cr_expect(slice_is(r->actions[3].answer.address.args, "NOTIFY=NEVER"));
	cr_expect(slice_is(r->actions[5].answer.address.args, "RET=HDRS"));
	cr_expect_eq(r->actions[9].time, 200 * CLOCK_MS);
	cr_expect(slice_equal(r->actions[10].bytes, SLICE_LIT("\0\xff")));
	cr_expect_eq(r->actions[11].kind, ACTION_EXIT);
	cr_expect_eq(r->actions[11].status, 3);
}

Test(milter_rule, a_body_is_cut_into_packets)
{
	const struct rule *r;

	parse("at eom do replbody \"0123456789\" 10000; replbody \"\"");
	r = &rules.rules[0];
	cr_assert_eq(r->action_count, 3);
	cr_expect_eq(r->actions[0].answer.body.len, 65535);
	cr_expect_eq(r->actions[1].answer.body.len, 100000 - 65535);
	cr_expect_eq(r->actions[1].answer.body.data[0], '5');
	cr_expect_eq(r->actions[2].answer.body.len, 0);
}

Test(milter_rule, mistakes_are_found)
{
	static const struct {
		const char *text;
		unsigned line, column;
	} cases[] = {
		{ "accept", 1, 1 },
		{ "at", 1, 1 },
		{ "at dinner do accept", 1, 4 },
		{ "at eom accept", 1, 8 },
		{ "at eom do", 1, 8 },
		{ "at eom do eat", 1, 11 },
		{ "at eom do accept now", 1, 18 },
		{ "at rcpt when moon do accept", 1, 14 },
		{ "at rcpt when rcpt ~ do", 1, 21 },
		{ "at rcpt when chance 2/3 do accept", 1, 21 },
		{ "at rcpt when chance 1/0 do accept", 1, 21 },
		{ "at eom do insheader X Y", 1, 21 },
		{ "at eom do delay soon", 1, 17 },
		{ "at eom do garbage zz", 1, 19 },
		{ "at eom do exit 256", 1, 16 },
		{ "option", 1, 1 },
		{ "option colour red", 1, 8 },
		{ "option version two", 1, 16 },
		{ "option actions addhdrs fly", 1, 24 },
		{ "option macros header x", 1, 15 },
		{ "at eom do accept\noption version 2 3", 2, 18 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct script_error error = { 0 };

		cr_assert_not(rules_parse(&arena, slice_str(cases[i].text),
					  &rules, &error),
			      "%s", cases[i].text);
		cr_expect_eq(error.line, cases[i].line, "%s", cases[i].text);
		cr_expect_eq(error.column, cases[i].column, "%s: column %u, %s",
			     cases[i].text, error.column, error.text);
	}
}

/* --- which rule holds --- */

static void note(const struct command *c)
{
	cr_assert(facts_note(&facts, c));
}

static struct command text_command(enum command_kind kind, const char *text)
{
	struct command c = { .kind = kind };

	c.text = slice_str(text);
	return c;
}

static struct command address(enum command_kind kind, const char *text)
{
	struct command c = { .kind = kind };

	c.envelope.address = slice_str(text);
	return c;
}

static struct command header(const char *name, const char *value)
{
	struct command c = { .kind = CMD_HEADER };

	c.header.name = slice_str(name);
	c.header.value = slice_str(value);
	return c;
}

static struct command macros(char letter, struct slice pairs)
{
	struct command c = { .kind = CMD_MACRO };

	c.macro.letter = letter;
	c.macro.pairs = pairs;
	return c;
}

/* The rule for a command, counted from 1; 0: none. */
static size_t rule_for(struct command c)
{
	const struct rule *r;

	note(&c);
	r = facts_rule(&facts, &rules, &c);
	return r ? (size_t)(r - rules.rules) + 1 : 0;
}

Test(milter_rule, the_first_that_holds)
{
	parse("at rcpt when rcpt ~ no@ do reject\n"
	      "at rcpt when rcpt = \"<yes@x>\" sender ~ anna do accept\n"
	      "at rcpt 3 do tempfail\n"
	      "at rcpt when not sender ~ anna do discard");
	note(&(struct command){ .kind = CMD_EOH });
	cr_expect_eq(rule_for(address(CMD_MAIL, "<anna@x>")), 0);
	cr_expect_eq(rule_for(address(CMD_RCPT, "<no@x>")), 1);
	cr_expect_eq(rule_for(address(CMD_RCPT, "<yes@x>")), 2);
	cr_expect_eq(rule_for(address(CMD_RCPT, "<other@x>")), 3);
	cr_expect_eq(rule_for(address(CMD_RCPT, "<other@x>")), 0);
	cr_expect_eq(rule_for(address(CMD_MAIL, "<bob@x>")), 0);
	cr_expect_eq(rule_for(address(CMD_RCPT, "<yes@x>")), 4);
}

Test(milter_rule, recipients_later_mean_any)
{
	static const struct command data = { .kind = CMD_DATA };

	parse("at data when rcpt ~ no@ do reject");
	note(&(struct command){ .kind = CMD_MAIL });
	cr_expect_eq(rule_for(address(CMD_RCPT, "<no@x>")), 0);
	cr_expect_eq(rule_for(address(CMD_RCPT, "<yes@x>")), 0);
	cr_expect_eq(rule_for(data), 1);
	note(&(struct command){ .kind = CMD_MAIL });
	cr_expect_eq(rule_for(data), 0);
}

Test(milter_rule, headers_and_body)
{
	struct command body = { .kind = CMD_BODY };
	static const struct command eom = { .kind = CMD_EOM };

	parse("at header \"Subject\" when header subject ~ spam do reject\n"
	      "at header 3 do tempfail\n"
	      "at eom when body contains \"VI\" and header x set do discard\n"
	      "at eom when header y unset do accept");
	note(&(struct command){ .kind = CMD_MAIL });
	cr_expect_eq(rule_for(header("X", "")), 0);
	cr_expect_eq(rule_for(header("SUBJECT", "no Spam here")), 1);
	cr_expect_eq(rule_for(header("Y", "")), 2);
	cr_expect_eq(rule_for(eom), 0);
	body.body = SLICE_LIT("...V");
	cr_expect_eq(rule_for(body), 0);
	body.body = SLICE_LIT("IRUS");
	cr_expect_eq(rule_for(body), 0);
	cr_expect_eq(rule_for(eom), 3);
}

Test(milter_rule, macros_live_as_long_as_their_stage)
{
	parse("at mail when macro {auth_authen} = alice do accept\n"
	      "at rcpt when macro i set do accept\n"
	      "at helo when macro j ~ mx do accept");
	note(&(struct command){ .kind = CMD_CONNECT,
				.connect = { .family = 'U' } });
	struct command m = macros('C', SLICE_LIT("j\0mx.example.org\0"));

	note(&m);
	cr_expect_eq(rule_for(text_command(CMD_HELO, "x")), 3);
	m = macros('M', SLICE_LIT("auth_authen\0alice\0{i}\0"
				  "4F\0"));
	note(&m);
	cr_expect_eq(rule_for(address(CMD_MAIL, "<>")), 1);
	cr_expect_eq(rule_for(address(CMD_RCPT, "<a>")), 2);
	cr_expect_eq(rule_for(address(CMD_MAIL, "<>")), 0);
	cr_expect_eq(rule_for(address(CMD_RCPT, "<a>")), 0);
	cr_expect_eq(rule_for(text_command(CMD_HELO, "x")), 3);
}

Test(milter_rule, numbers_of_session_and_message)
{
	parse("at mail when session 2 do reject\n"
	      "at mail when message 2 do accept");
	cr_expect_eq(rule_for(address(CMD_MAIL, "<>")), 0);
	cr_expect_eq(rule_for(address(CMD_MAIL, "<>")), 2);
	cr_expect_eq(rule_for(address(CMD_MAIL, "<>")), 0);
	facts.session_number = 2;
	cr_expect_eq(rule_for(address(CMD_MAIL, "<>")), 1);
}

Test(milter_rule, a_chance_comes_about_as_often)
{
	unsigned n = 0;

	parse("at mail when chance 1/4 do reject");
	for (unsigned i = 0; i < 4000; i++)
		n += rule_for(address(CMD_MAIL, "<>")) == 1;
	/* More than ten standard deviations: never by chance. */
	cr_expect(n > 700 && n < 1300, "%u of 4000", n);
}
