#include "worker/hear.h"

#include <criterion/criterion.h>

#include "t/unit/support/expect_log.h"
#include "t/unit/worker/stand.h"

static struct stand s;

static void begin(void)
{
	stand_init(&s, 2);
	expect_log_begin();
}

static void end(void)
{
	stand_end(&s);
	expect_log_end();
}

TestSuite(hear, .init = begin, .fini = end, .timeout = 20);

static struct puppet *one(void)
{
	return &s.puppets[0];
}

static struct puppet *two(void)
{
	return &s.puppets[1];
}

static void warn(const char *part)
{
	expect_log(LOG_LEVEL_WARN, part);
}

static uint64_t counted(unsigned child, enum board_milter_counter counter)
{
	return board_sum_milter(s.env.board, child, counter);
}

static uint64_t answered(unsigned child, enum stage stage,
			 enum board_answer answer)
{
	return board_sum_answer(s.env.board, child, stage, answer);
}

static void envelope(void)
{
	cr_assert(stand_connect(&s));
	cr_assert(stand_helo(&s, "h"));
	cr_assert(stand_mail(&s, "<s>"));
	cr_assert(stand_rcpt(&s, "<r>"));
	stand_expect(&s, "continue");
}

/* Neither 4xx nor 5xx: an MTA would not know what to do either. */
Test(hear, reply_codes_of_no_class)
{
	static const char *const words[] = { "y250 2.0.0 ok", "y354 go",
					     "yhello" };

	for (size_t i = 0; i < 3; i++) {
		stand_end(&s);
		stand_init(&s, 2);
		one()->say[STAGE_DATA] = words[i];
		stand_begin(&s, MTA_POSTFIX);
		envelope();
		warn("neither 4xx nor 5xx");
		cr_assert(stand_data(&s));
		stand_expect(&s, "tempfail by 0 at data");
		stand_end_message(&s);
	}
}

/* A late no to MAIL is one about the message, from now on. */
Test(hear, late_no_to_mail)
{
	s.conf.milters[0].join = STAGE_RCPT;
	one()->say[STAGE_MAIL] = "y550 5.7.1 no";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_connect(&s));
	cr_assert(stand_mail(&s, "<s>"));
	stand_expect(&s, "continue");
	cr_assert(stand_rcpt(&s, "<a>"));
	stand_expect(&s, "reject by 0 at mail: 550 5.7.1 no");
	cr_assert(stand_rcpt(&s, "<b>"));
	stand_expect(&s, "reject by 0 at mail: 550 5.7.1 no");
	cr_assert(stand_data(&s));
	stand_expect(&s, "reject by 0 at mail: 550 5.7.1 no");
	stand_end_message(&s);
	one()->say[STAGE_MAIL] = "c";
	cr_assert(stand_mail(&s, "<t>"));
	cr_assert(stand_rcpt(&s, "<a>"));
	stand_expect(&s, "continue");
}

/* A late accept or discard keeps its scope, too. */
Test(hear, late_accept_and_discard)
{
	s.conf.milters[0].join = STAGE_DATA;
	s.conf.milters[1].join = STAGE_DATA;
	one()->say[STAGE_RCPT] = "a";
	two()->say[STAGE_MAIL] = "d";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_data(&s));
	stand_expect(&s, "discard by 1 at mail");
	puppet_expect(one(), "|OCHhM<s>R<r>");
}

Test(hear, late_refusal_of_one_that_joins_at_the_end)
{
	s.conf.milters[0].join = STAGE_EOM;
	one()->say[STAGE_RCPT] = "t";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	stand_content(&s);
	stand_expect(&s, "tempfail by 0 at rcpt");
	cr_expect_eq(buf_len(&two()->content), 0, "not past it");
}

/* Told again, it may think otherwise. */
Test(hear, no_when_told_again)
{
	one()->bad_rcpt = "<bad>";
	one()->bad_say = "r";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_rcpt(&s, "<bad>"));
	two()->say[STAGE_MAIL] = "y451 4.7.1 later";
	cr_assert(stand_data(&s));
	stand_expect(&s, "tempfail by 1 at mail: 451 4.7.1 later");
	puppet_expect(two(), "|OCHhM<s>R<r>R<bad>AM<s>");
}

/* Both refuse it: nobody believes in it. */
Test(hear, refused_by_both)
{
	one()->bad_rcpt = two()->bad_rcpt = "<bad>";
	one()->bad_say = two()->bad_say = "r";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_rcpt(&s, "<bad>"));
	stand_expect(&s, "reject by 0 at rcpt");
	cr_assert(stand_data(&s));
	puppet_expect(two(), "|OCHhM<s>R<r>R<bad>T");
}

/* What it says to a recipient that is refused above it does not count. */
Test(hear, accept_of_a_refused_recipient)
{
	one()->bad_rcpt = two()->bad_rcpt = "<bad>";
	one()->bad_say = "r";
	two()->bad_say = "a";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_rcpt(&s, "<bad>"));
	stand_expect(&s, "reject by 0 at rcpt");
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	cr_expect_eq(s.chain.members[1].state, MEMBER_DONE);
	cr_expect(slice_is(buf_slice(&two()->content),
			   "Subject:hi\n\ntext\r\n"));
}

/* The answer to a refused recipient may come after the MTA has its own. */
Test(hear, slow_answer_to_a_refused_recipient)
{
	one()->bad_rcpt = two()->bad_rcpt = "<bad>";
	one()->bad_say = "r";
	two()->bad_say = "";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_rcpt(&s, "<bad>"));
	stand_expect(&s, "reject by 0 at rcpt");
	puppet_say(two(), "c");
	stand_settle(&s);
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	puppet_expect(two(), "|OCHhM<s>R<r>R<bad>AM<s>R<r>TLNBE");
}

Test(hear, several_recipients_the_mta_refused)
{
	static const struct command_envelope bad[] = {
		{ SLICE_LIT("<x>"), SLICE_EMPTY },
		{ SLICE_LIT("<y>"), SLICE_EMPTY },
	};
	const struct journal_macros none = { 0 };

	one()->option.protocol = SMFIP_RCPT_REJ;
	two()->option.protocol = SMFIP_RCPT_REJ | SMFIP_NR_RCPT;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	chain_rejected_rcpt(&s.chain, &bad[0], &none);
	chain_rejected_rcpt(&s.chain, &bad[1], &none);
	stand_settle(&s);
	cr_assert(stand_rcpt(&s, "<b>"));
	stand_expect(&s, "continue");
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	puppet_expect(one(), "|OCHhM<s>R<r>R<x>R<y>R<b>TLNBE");
	puppet_expect(two(), "|OCHhM<s>R<r>R<x>R<y>R<b>TLNBE");
}

Test(hear, progress_at_the_end_of_message)
{
	s.conf.milter_count = 1;
	one()->say[STAGE_EOM] = "p";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_expect_not(stand_content(&s));
	clock_set(STAND_TIME + 119 * CLOCK_S);
	puppet_say(one(), "p");
	cr_expect_not(stand_settle(&s));
	clock_set(STAND_TIME + 238 * CLOCK_S);
	cr_expect_not(stand_settle(&s));
	puppet_say(one(), "c");
	cr_expect(stand_settle(&s));
	stand_expect(&s, "continue");
}

Test(hear, silent_at_the_end_of_message)
{
	s.conf.milter_count = 1;
	one()->say[STAGE_EOM] = "";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_expect_not(stand_content(&s));
	clock_set(STAND_TIME + 119 * CLOCK_S);
	cr_expect_not(stand_settle(&s));
	clock_set(STAND_TIME + 120 * CLOCK_S);
	warn("child \"one\": timeout at eom");
	cr_expect(stand_settle(&s));
	stand_expect(&s, "tempfail by 0 at eom");
}

/* Edits of one that fails at the end are dropped, its policy holds. */
Test(hear, fails_behind_its_edits)
{
	const struct answer edit = { .kind = ANSWER_REPLBODY,
				     .body = SLICE_LIT("replaced") };

	one()->edits = &edit;
	one()->edit_count = 1;
	one()->say[STAGE_EOM] = "x";
	s.conf.milters[0].on_failure = POLICY_ACCEPT;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	warn("child \"one\": closed at eom");
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	cr_expect(slice_is(buf_slice(&two()->content),
			   "Subject:hi\n\ntext\r\n"));
}

Test(hear, counters)
{
	const struct answer edits[] = {
		{ .kind = ANSWER_QUARANTINE, .text = SLICE_LIT("q") },
		{ .kind = ANSWER_ADDHEADER,
		  .header = { 0, SLICE_LIT("X"), SLICE_LIT("v") } },
	};

	one()->edits = edits;
	one()->edit_count = 2;
	two()->say[STAGE_EOM] = "t";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_content(&s));
	stand_expect(&s, "tempfail by 1 at eom");
	cr_expect_eq(counted(0, MILTER_APPLIED), 1);
	cr_expect_eq(counted(0, MILTER_CONNECTS), 1);
	cr_expect_eq(answered(0, STAGE_EOM, ANSWERED_CONTINUE), 1);
	cr_expect_eq(counted(0, MILTER_EDITS), 2);
	cr_expect_eq(counted(0, MILTER_QUARANTINED), 1);
	cr_expect_eq(answered(1, STAGE_EOM, ANSWERED_TEMPFAIL), 1);
	cr_expect_eq(answered(1, STAGE_EOM, ANSWERED_CONTINUE), 0);
}

/* Closed once between two messages is no failure; for ever is one. */
Test(hear, closes_at_once_and_again)
{
	s.conf.milter_count = 1;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_content(&s));
	stand_end_message(&s);
	one()->say[STAGE_MAIL] = "x";
	warn("child \"one\": closed at mail");
	cr_assert(stand_mail(&s, "<t>"));
	stand_expect(&s, "tempfail by 0 at mail");
	puppet_expect(one(), "|OCHhM<s>R<r>TLNBEM<t>|OCHhM<t>");
	cr_expect_eq(counted(0, MILTER_REJOINED), 1);
}
