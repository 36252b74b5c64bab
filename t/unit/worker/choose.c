#include "worker/choose.h"

#include <criterion/criterion.h>

static struct conf_milter conf;
static struct member member;

static bool applies(enum stage event)
{
	return choose_applies(&member, event);
}

static void begin(void)
{
	conf = (struct conf_milter){ .name = "one", .join = STAGE_CONNECT };
	member = (struct member){ .conf = &conf, .mode = MODE_ON };
}

TestSuite(choose, .init = begin);

Test(choose, from_its_stage_on)
{
	for (unsigned join = 0; join <= STAGE_EOM; join++)
		for (unsigned event = 0; event <= STAGE_EOM; event++) {
			conf.join = (enum stage)join;
			cr_expect_eq(applies((enum stage)event), event >= join,
				     "join %s, event %s",
				     milter_stage_name((enum stage)join),
				     milter_stage_name((enum stage)event));
		}
}

Test(choose, an_unknown_command_is_no_reason_to_join)
{
	cr_expect_not(applies(STAGE_UNKNOWN));
}

Test(choose, switched_off)
{
	member.mode = MODE_OFF;
	for (unsigned event = 0; event < STAGE_COUNT; event++)
		cr_expect_not(applies((enum stage)event));
}

Test(choose, evaluate_applies_like_on)
{
	member.mode = MODE_EVALUATE;
	cr_expect(applies(STAGE_CONNECT));
	cr_expect(applies(STAGE_EOM));
}

Test(choose, done_with_the_connection)
{
	member.connection = CONNECTION_ACCEPTED;
	cr_expect_not(applies(STAGE_MAIL));
	member.connection = CONNECTION_REFUSED;
	cr_expect_not(applies(STAGE_MAIL));
}
