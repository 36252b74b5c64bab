#include <criterion/criterion.h>
#include <string.h>

#include "shared/milter.h"

/* What the wire says about each stage, in the order of a session. */
static const struct {
	enum stage stage;
	const char *name;
	char letter;
	uint32_t no_bit;
	uint32_t nr_bit;
	enum milter_list list;
} stages[] = {
	{ STAGE_CONNECT, "connect", 'C', 0x1, 0x1000, 0 },
	{ STAGE_HELO, "helo", 'H', 0x2, 0x2000, 1 },
	{ STAGE_MAIL, "mail", 'M', 0x4, 0x4000, 2 },
	{ STAGE_RCPT, "rcpt", 'R', 0x8, 0x8000, 3 },
	{ STAGE_DATA, "data", 'T', 0x200, 0x10000, 4 },
	{ STAGE_HEADER, "header", 'L', 0x20, 0x80, LIST_COUNT },
	{ STAGE_EOH, "eoh", 'N', 0x40, 0x40000, 6 },
	{ STAGE_BODY, "body", 'B', 0x10, 0x80000, LIST_COUNT },
	{ STAGE_EOM, "eom", 'E', 0, 0, 5 },
	{ STAGE_UNKNOWN, "unknown", 'U', 0x100, 0x20000, LIST_COUNT },
};

Test(milter_name, every_stage)
{
	uint32_t no = 0, nr = 0;

	cr_assert_eq(sizeof(stages) / sizeof(stages[0]), STAGE_COUNT);
	for (size_t i = 0; i < STAGE_COUNT; i++) {
		enum stage s = stages[i].stage;

		cr_assert_eq((size_t)s, i);
		cr_expect_str_eq(milter_stage_name(s), stages[i].name);
		cr_expect_eq(milter_stage_letter(s), stages[i].letter);
		cr_expect_eq(milter_stage_no_bit(s), stages[i].no_bit);
		cr_expect_eq(milter_stage_nr_bit(s), stages[i].nr_bit);
		cr_expect_eq(milter_stage_list(s), stages[i].list);
		no |= milter_stage_no_bit(s);
		nr |= milter_stage_nr_bit(s);
	}
	cr_assert_eq(no, SMFIP_NO_ALL);
	cr_assert_eq(nr, SMFIP_NR_ALL);
	cr_assert_eq(SMFIP_NO_ALL | SMFIP_NR_ALL | SMFIP_SKIP | SMFIP_RCPT_REJ |
			     SMFIP_HDR_LEADSPC,
		     0x1fffff, "what both MTAs offer");
}
