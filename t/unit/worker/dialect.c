#include "worker/dialect.h"

#include <criterion/criterion.h>

#include "shared/clock.h"

Test(dialect, told_by_macro_v)
{
	static const struct {
		const char *v;
		enum mta want;
	} cases[] = {
		{ "Postfix 3.7.11", MTA_POSTFIX },
		{ "Postfix", MTA_POSTFIX },
		{ "Postfixed", MTA_POSTFIX },
		{ "8.17.1.9/8.17.1.9/Debian-2", MTA_SENDMAIL },
		{ "", MTA_SENDMAIL },
		{ "postfix 3.7", MTA_SENDMAIL },
		{ " Postfix 3.7", MTA_SENDMAIL },
		{ "Postfi", MTA_SENDMAIL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(dialect_of(slice_str(cases[i].v)), cases[i].want,
			     "\"%s\"", cases[i].v);
}

/* Sendmail gives up earlier, so its limit is the tighter one. */
Test(dialect, step_deadline)
{
	static struct conf conf;

	conf.step_deadline = 8 * CLOCK_S;
	conf.step_deadline_postfix = 25 * CLOCK_S;
	cr_expect_eq(dialect_step_deadline(&conf, MTA_SENDMAIL), 8 * CLOCK_S);
	cr_expect_eq(dialect_step_deadline(&conf, MTA_POSTFIX), 25 * CLOCK_S);
}

Test(dialect, index_of_a_change)
{
	cr_expect_eq(dialect_change_index(MTA_POSTFIX, 1, 3), 1);
	cr_expect_eq(dialect_change_index(MTA_SENDMAIL, 1, 3), 3);
}
