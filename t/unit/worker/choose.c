#include "worker/choose.h"

#include <criterion/criterion.h>

#include "t/unit/worker/stand.h"

static struct stand s;
static struct conf_milter *conf;
static struct member *member;

static void begin(void)
{
	stand_init(&s, 1);
	conf = &s.conf.milters[0];
}

static void end(void)
{
	stand_end(&s);
}

TestSuite(choose, .init = begin, .fini = end);

static void start(const char *when)
{
	static const struct slice names[] = { SLICE_LIT("one") };
	const struct cond_names known = { .milters = names,
					  .milter_count = 1,
					  .until = STAGE_EOM };
	struct cond_problem problem;

	if (when) {
		conf->when = cond_parse(&s.conf_arena, slice_str(when), &known,
					&problem);
		cr_assert_not_null(conf->when, "%s", problem.text);
	}
	stand_begin(&s, MTA_POSTFIX);
	member = &s.chain.members[0];
}

static enum choice at(enum stage event)
{
	s.chain.event = event;
	return choose(&s.chain, member);
}

Test(choose, from_its_stage_on)
{
	start(NULL);
	for (unsigned join = 0; join <= STAGE_EOM; join++)
		for (unsigned event = 0; event <= STAGE_EOM; event++) {
			conf->join = (enum stage)join;
			cr_expect_eq(at((enum stage)event),
				     event >= join ? CHOICE_YES : CHOICE_LATER,
				     "join %s, event %s",
				     milter_stage_name((enum stage)join),
				     milter_stage_name((enum stage)event));
		}
}

Test(choose, an_unknown_command_is_no_reason_to_join)
{
	start(NULL);
	cr_expect_eq(at(STAGE_UNKNOWN), CHOICE_LATER);
}

Test(choose, switched_off)
{
	start(NULL);
	member->mode = MODE_OFF;
	for (unsigned event = 0; event < STAGE_COUNT; event++)
		cr_expect_eq(at((enum stage)event), CHOICE_NO);
}

Test(choose, evaluate_applies_like_on)
{
	start(NULL);
	member->mode = MODE_EVALUATE;
	cr_expect_eq(at(STAGE_CONNECT), CHOICE_YES);
	cr_expect_eq(at(STAGE_EOM), CHOICE_YES);
}

Test(choose, done_with_the_connection)
{
	start(NULL);
	member->connection = CONNECTION_ACCEPTED;
	cr_expect_eq(at(STAGE_MAIL), CHOICE_NO);
	member->connection = CONNECTION_REFUSED;
	cr_expect_eq(at(STAGE_MAIL), CHOICE_NO);
}

Test(choose, a_condition_is_waited_for)
{
	start("helo = there and client_name = here");
	cr_expect_eq(at(STAGE_CONNECT), CHOICE_LATER);
	facts_set_text(&s.chain.facts, FACT_CLIENT_NAME, SLICE_LIT("here"));
	facts_reach(&s.chain.facts, STAGE_CONNECT);
	cr_expect_eq(at(STAGE_CONNECT), CHOICE_LATER);
	facts_set_text(&s.chain.facts, FACT_HELO, SLICE_LIT("there"));
	facts_reach(&s.chain.facts, STAGE_MAIL);
	cr_expect_eq(at(STAGE_MAIL), CHOICE_YES);
}

Test(choose, false_as_soon_as_nothing_can_change_it)
{
	start("helo = there and client_name = here");
	facts_set_text(&s.chain.facts, FACT_CLIENT_NAME, SLICE_LIT("away"));
	facts_reach(&s.chain.facts, STAGE_CONNECT);
	cr_expect_eq(at(STAGE_CONNECT), CHOICE_NO);
}

Test(choose, what_cannot_be_told_at_the_end_applies)
{
	/* The regex gives up, and that is not for the sender to choose. */
	start("helo ~ /^(a+)+$/");
	facts_set_text(&s.chain.facts, FACT_HELO,
		       SLICE_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
	facts_reach(&s.chain.facts, STAGE_EOM);
	cr_expect_eq(at(STAGE_BODY), CHOICE_LATER);
	cr_expect_eq(at(STAGE_EOM), CHOICE_YES);
}

Test(choose, for_the_connection_or_each_message)
{
	start("client_name = here");
	cr_expect(choose_is_for_connection(member));
	conf->join = STAGE_RCPT;
	cr_expect_not(choose_is_for_connection(member));
}

Test(choose, time_is_read_for_each_message)
{
	start("time in 08:00-20:00");
	cr_expect_not(choose_is_for_connection(member));
}
