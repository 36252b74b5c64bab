#include "worker/chain.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "t/unit/support/expect_log.h"
#include "t/unit/worker/stand.h"

static struct stand s;

static void begin(void)
{
	stand_init(&s, 3);
	expect_log_begin();
}

static void end(void)
{
	stand_end(&s);
	expect_log_end();
}

TestSuite(chain, .init = begin, .fini = end, .timeout = 30);

static struct puppet *one(void)
{
	return &s.puppets[0];
}

static struct puppet *two(void)
{
	return &s.puppets[1];
}

static struct puppet *three(void)
{
	return &s.puppets[2];
}

static struct member *member(unsigned i)
{
	return &s.chain.members[i];
}

static void warn(const char *part)
{
	expect_log(LOG_LEVEL_WARN, part);
}

/* Connect and HELO, unimportant to the test. */
static void greet(void)
{
	cr_assert(stand_connect(&s));
	cr_assert(stand_helo(&s, "h"));
}

static void forget_heard(void)
{
	for (unsigned i = 0; i < s.conf.milter_count; i++)
		buf_clear(&s.puppets[i].heard);
}

/* Greeted, and in a message with one accepted recipient. */
static void envelope(void)
{
	greet();
	cr_assert(stand_mail(&s, "<s>"));
	cr_assert(stand_rcpt(&s, "<r>"));
	stand_expect(&s, "continue");
}

/* ---- all well ---- */

Test(chain, a_message_passes)
{
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	stand_expect(&s, "continue");
	for (int i = 0; i < 3; i++) {
		puppet_expect(&s.puppets[i], "|OCHhM<s>R<r>TLNBE");
		cr_expect(slice_is(buf_slice(&s.puppets[i].content),
				   "Subject:hi\n\ntext\r\n"));
		cr_expect_eq(member((unsigned)i)->state, MEMBER_DONE);
	}
	stand_end_message(&s);
	cr_assert(stand_mail(&s, "<t>"));
	cr_assert(stand_rcpt(&s, "<u>"));
	cr_assert(stand_content(&s));
	for (int i = 0; i < 3; i++)
		puppet_expect(&s.puppets[i], "M<t>R<u>TLNBE");
	stand_end_message(&s);
	chain_end_session(&s.chain);
	for (int i = 0; i < 3; i++) {
		while (puppet_play(&s.puppets[i]))
			continue;
		puppet_expect(&s.puppets[i], "Q");
	}
}

/* A new HELO is heard before the next MAIL; one that is new to none is not. */
Test(chain, helo_again)
{
	s.conf.milter_count = 1;
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_assert(stand_helo(&s, "again"));
	puppet_expect(one(), "|OCHhHagain");
	cr_assert(stand_mail(&s, "<s>"));
	puppet_expect(one(), "M<s>");
}

Test(chain, switched_off_costs_nothing)
{
	s.conf.milters[1].mode.mode = MODE_OFF;
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	puppet_expect(two(), "");
	puppet_expect(three(), "|OCHhM<s>R<r>TLNBE");
}

/* ---- the first no ---- */

Test(chain, first_no_in_chain_order_wins)
{
	one()->say[STAGE_MAIL] = "";
	two()->say[STAGE_MAIL] = "y550 5.7.1 two";
	three()->say[STAGE_MAIL] = "y450 4.7.1 three";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_expect_not(stand_mail(&s, "<s>"), "one may still say no");
	cr_expect_eq(chain_waits_for(&s.chain), 0);
	puppet_say(one(), "c");
	cr_expect(stand_settle(&s));
	stand_expect(&s, "reject by 1 at mail: 550 5.7.1 two");
}

Test(chain, a_no_above_ends_it_at_once)
{
	one()->say[STAGE_MAIL] = "r";
	two()->say[STAGE_MAIL] = "";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_expect(stand_mail(&s, "<s>"));
	stand_expect(&s, "reject by 0 at mail");
	chain_release(&s.chain, 0);
	stand_settle(&s);
	cr_expect_eq(member(1)->child.link, LINK_NONE, "it owes: closed");
}

/* Whoever owes nothing is told ABORT and stays. */
Test(chain, release)
{
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	forget_heard();
	chain_release(&s.chain, 1);
	stand_settle(&s);
	puppet_expect(one(), "");
	puppet_expect(two(), "A");
	puppet_expect(three(), "A");
	cr_expect_eq(member(1)->child.link, LINK_OPEN);
	cr_expect_eq(member(1)->state, MEMBER_RELEASED);
	chain_release(&s.chain, 0);
	stand_settle(&s);
	puppet_expect(one(), "A");
	puppet_expect(two(), "");
	stand_end_message(&s);
	cr_assert(stand_mail(&s, "<t>"));
	puppet_expect(one(), "M<t>");
	puppet_expect(two(), "M<t>");
}

Test(chain, no_at_each_stage)
{
	static const struct {
		enum stage stage;
		const char *say;
		const char *want;
	} cases[] = {
		{ STAGE_CONNECT, "r", "reject by 0 at connect" },
		{ STAGE_CONNECT, "y421 4.3.2 bye",
		  "tempfail by 0 at connect: 421 4.3.2 bye" },
		{ STAGE_HELO, "t", "tempfail by 0 at helo" },
		{ STAGE_MAIL, "t", "tempfail by 0 at mail" },
		{ STAGE_MAIL, "d", "discard by 0 at mail" },
		{ STAGE_RCPT, "r", "reject by 0 at rcpt" },
		{ STAGE_RCPT, "d", "discard by 0 at rcpt" },
		{ STAGE_DATA, "y554 5.5.1 data",
		  "reject by 0 at data: 554 5.5.1 data" },
		{ STAGE_HEADER, "r", "reject by 0 at header" },
		{ STAGE_EOH, "t", "tempfail by 0 at eoh" },
		{ STAGE_BODY, "d", "discard by 0 at body" },
		{ STAGE_EOM, "y550-5.7.1 a\r\n550 5.7.1 b",
		  "reject by 0 at eom: 550-5.7.1 a\r\n550 5.7.1 b" },
	};

	s.conf.milter_count = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i) {
			stand_end(&s);
			stand_init(&s, 1);
		}
		one()->say[cases[i].stage] = cases[i].say;
		stand_begin(&s, MTA_POSTFIX);
		if (stand_connect(&s) && s.verdict.kind == VERDICT_CONTINUE &&
		    stand_helo(&s, "h") && s.verdict.kind == VERDICT_CONTINUE &&
		    stand_mail(&s, "<s>") &&
		    s.verdict.kind == VERDICT_CONTINUE &&
		    stand_rcpt(&s, "<r>") && s.verdict.kind == VERDICT_CONTINUE)
			stand_content(&s);
		stand_expect(&s, cases[i].want);
		stand_end_message(&s);
	}
}

/* A reply text an MTA might choke on is left out; its class stays. */
Test(chain, malformed_reply_text)
{
	s.conf.milter_count = 1;
	one()->say[STAGE_MAIL] = "y550";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	warn("malformed reply text");
	cr_assert(stand_mail(&s, "<s>"));
	stand_expect(&s, "reject by 0 at mail");
}

/* ---- accept and discard ---- */

Test(chain, accept_at_connect_ends_it_for_the_connection)
{
	one()->say[STAGE_CONNECT] = "a";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	stand_expect(&s, "continue");
	puppet_expect(one(), "|OCQ");
	puppet_expect(two(), "|OCHhM<s>R<r>TLNBE");
	stand_end_message(&s);
	cr_assert(stand_mail(&s, "<t>"));
	puppet_expect(one(), "");
}

Test(chain, accept_at_mail_ends_it_for_the_message)
{
	one()->say[STAGE_MAIL] = "a";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	puppet_expect(one(), "|OCHhM<s>");
	puppet_expect(two(), "|OCHhM<s>R<r>TLNBE");
	cr_expect_eq(member(0)->state, MEMBER_ACCEPTED);
	stand_end_message(&s);
	one()->say[STAGE_MAIL] = "c";
	cr_assert(stand_mail(&s, "<t>"));
	cr_assert(stand_rcpt(&s, "<r>"));
	puppet_expect(one(), "M<t>R<r>");
}

Test(chain, accept_at_a_recipient_is_for_the_message)
{
	one()->say[STAGE_RCPT] = "a";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_assert(stand_mail(&s, "<s>"));
	cr_assert(stand_rcpt(&s, "<a>"));
	cr_assert(stand_rcpt(&s, "<b>"));
	puppet_expect(one(), "|OCHhM<s>R<a>");
	puppet_expect(two(), "|OCHhM<s>R<a>R<b>");
}

Test(chain, discard_at_helo_has_no_meaning)
{
	s.conf.milter_count = 1;
	one()->say[STAGE_HELO] = "d";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_connect(&s));
	warn("discard at helo has no meaning");
	cr_assert(stand_helo(&s, "h"));
	stand_expect(&s, "continue");
}

/* ---- recipients ---- */

/*
 * One refuses a recipient; two and three let it pass and must not believe in
 * it: ABORT, MAIL and the accepted ones again, before data.
 */
Test(chain, told_again_without_the_refused_recipient)
{
	one()->bad_rcpt = "<bad>";
	one()->bad_say = "y550 5.1.1 bad";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_assert(stand_mail(&s, "<s>"));
	cr_assert(stand_rcpt(&s, "<a>"));
	cr_assert(stand_rcpt(&s, "<bad>"));
	stand_expect(&s, "reject by 0 at rcpt: 550 5.1.1 bad");
	cr_assert(stand_rcpt(&s, "<b>"));
	stand_expect(&s, "continue");
	puppet_expect(one(), "|OCHhM<s>R<a>R<bad>R<b>");
	puppet_expect(two(), "|OCHhM<s>R<a>R<bad>R<b>");
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	puppet_expect(one(), "TLNBE");
	puppet_expect(two(), "AM<s>R<a>R<b>TLNBE");
	puppet_expect(three(), "|OCHhM<s>R<a>R<bad>R<b>AM<s>R<a>R<b>TLNBE");
}

/* Those above the one that refused it keep it in their view. */
Test(chain, refused_below)
{
	two()->bad_rcpt = "<bad>";
	two()->bad_say = "t";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_rcpt(&s, "<bad>"));
	stand_expect(&s, "tempfail by 1 at rcpt");
	cr_assert(stand_content(&s));
	puppet_expect(one(), "|OCHhM<s>R<r>R<bad>TLNBE");
	puppet_expect(two(), "|OCHhM<s>R<r>R<bad>TLNBE");
	puppet_expect(three(), "|OCHhM<s>R<r>R<bad>AM<s>R<r>TLNBE");
}

Test(chain, free_child_keeps_refused_recipients)
{
	s.conf.milters[2].order = ORDER_FREE;
	one()->bad_rcpt = "<bad>";
	one()->bad_say = "r";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_rcpt(&s, "<bad>"));
	cr_assert(stand_content(&s));
	puppet_expect(three(), "|OCHhM<s>R<r>R<bad>TLNBE");
}

/* rcpt = serial: each recipient only after those above let it pass. */
Test(chain, recipients_one_after_the_other)
{
	s.conf.milters[1].rcpt_serial = true;
	one()->bad_rcpt = "<bad>";
	one()->bad_say = "r";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_rcpt(&s, "<bad>"));
	cr_assert(stand_rcpt(&s, "<b>"));
	cr_assert(stand_content(&s));
	puppet_expect(two(), "|OCHhM<s>R<r>R<b>TLNBE");
}

Test(chain, serial_waits_for_those_above)
{
	s.conf.milters[1].rcpt_serial = true;
	one()->say[STAGE_RCPT] = "";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_assert(stand_mail(&s, "<s>"));
	forget_heard();
	cr_expect_not(stand_rcpt(&s, "<a>"));
	puppet_expect(two(), "");
	puppet_expect(three(), "R<a>");
	puppet_say(one(), "c");
	cr_expect(stand_settle(&s));
	puppet_expect(two(), "R<a>");
}

/* The MTA has refused it: only to those that asked, and nobody waits. */
Test(chain, recipient_the_mta_refused)
{
	const struct command_envelope bad = { SLICE_LIT("<bad>"),
					      SLICE_EMPTY };
	const struct journal_macros none = { 0 };

	one()->option.protocol = SMFIP_RCPT_REJ;
	one()->bad_rcpt = "<bad>";
	one()->bad_say = "r";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	forget_heard();
	chain_rejected_rcpt(&s.chain, &bad, &none);
	stand_settle(&s);
	puppet_expect(one(), "R<bad>");
	puppet_expect(two(), "");
	cr_assert(stand_rcpt(&s, "<b>"));
	stand_expect(&s, "continue");
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	puppet_expect(one(), "R<b>TLNBE");
}

/* ---- joining late ---- */

Test(chain, replay_at_each_stage)
{
	static const enum stage joins[] = { STAGE_HELO, STAGE_MAIL, STAGE_RCPT,
					    STAGE_DATA, STAGE_HEADER,
					    STAGE_EOH,	STAGE_BODY, STAGE_EOM };

	for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
		stand_end(&s);
		stand_init(&s, 3);
		s.conf.milters[1].join = joins[i];
		stand_begin(&s, MTA_POSTFIX);
		stand_macros(&s, 'M', SLICE_LIT("i\0Q1\0"));
		cr_assert(stand_all(&s), "join %s",
			  milter_stage_name(joins[i]));
		stand_expect(&s, "continue");
		puppet_expect(two(), "|OCHhM<s>R<r>TLNBE");
		cr_expect(slice_is(buf_slice(&two()->macros), "M i=Q1 "));
		cr_expect(slice_is(buf_slice(&two()->content),
				   "Subject:hi\n\ntext\r\n"));
		puppet_expect(three(), "|OCHhM<s>R<r>TLNBE");
		stand_end_message(&s);
	}
}

Test(chain, not_even_a_connection_before)
{
	s.conf.milters[0].join = STAGE_DATA;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	puppet_expect(one(), "");
	cr_assert(stand_data(&s));
	puppet_expect(one(), "|OCHhM<s>R<r>T");
}

/* A late "no" to connect holds for the connection. */
Test(chain, late_no_to_connect)
{
	s.conf.milters[0].join = STAGE_RCPT;
	one()->say[STAGE_CONNECT] = "y550 5.7.1 go away";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_assert(stand_mail(&s, "<s>"));
	stand_expect(&s, "continue");
	cr_assert(stand_rcpt(&s, "<r>"));
	stand_expect(&s, "reject by 0 at connect: 550 5.7.1 go away");
	cr_expect_eq(member(0)->connection, CONNECTION_REFUSED);
}

static void late_refusals(const char *first, const char *second)
{
	s.conf.milters[0].join = STAGE_DATA;
	one()->bad_rcpt = "<a>";
	one()->bad_say = first;
	one()->say[STAGE_RCPT] = second;
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_assert(stand_mail(&s, "<s>"));
	cr_assert(stand_rcpt(&s, "<a>"));
	stand_expect(&s, "continue");
	cr_assert(stand_rcpt(&s, "<b>"));
	stand_expect(&s, "continue");
	cr_assert(stand_data(&s));
}

/* A no to an earlier recipient is one about the message from DATA on. */
Test(chain, late_refusal)
{
	late_refusals("y550 5.1.1 a", "c");
	stand_expect(&s, "reject by 0 at rcpt: 550 5.1.1 a");
}

Test(chain, late_refusal_4xx_beats_5xx)
{
	late_refusals("y550 5.1.1 a", "y450 4.1.1 b");
	stand_expect(&s, "tempfail by 0 at rcpt: 450 4.1.1 b");
}

Test(chain, late_refusal_the_first_of_its_class)
{
	late_refusals("y550 5.1.1 a", "y554 5.1.1 b");
	stand_expect(&s, "reject by 0 at rcpt: 550 5.1.1 a");
}

Test(chain, late_refusal_kept)
{
	s.conf.milters[0].late_refusal = LATE_KEEP;
	late_refusals("y550 5.1.1 a", "c");
	stand_expect(&s, "continue");
	cr_expect(strstr(expect_log_last(), "late refusal of a recipient"));
	stand_header(&s, "Subject", "hi");
	stand_eoh(&s);
	cr_assert(stand_eom(&s));
	stand_expect(&s, "continue");
}

/* It never touches the recipient at hand. */
Test(chain, late_refusal_is_not_the_present_recipients)
{
	s.conf.milters[0].join = STAGE_RCPT;
	s.conf.milters[1].join = STAGE_MAIL;
	one()->bad_rcpt = "<a>";
	one()->bad_say = "r";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_assert(stand_mail(&s, "<s>"));
	s.chain.members[0].mode = MODE_OFF;
	cr_assert(stand_rcpt(&s, "<a>"));
	s.chain.members[0].mode = MODE_ON;
	s.chain.members[0].passed_over = false;
	cr_assert(stand_rcpt(&s, "<b>"));
	stand_expect(&s, "continue");
	cr_assert(stand_data(&s));
	stand_expect(&s, "reject by 0 at rcpt");
}

/* ---- strict ---- */

Test(chain, strict_waits_for_every_command)
{
	s.conf.milters[1].order = ORDER_STRICT;
	one()->say[STAGE_CONNECT] = "";
	stand_begin(&s, MTA_POSTFIX);
	cr_expect_not(stand_connect(&s));
	puppet_expect(two(), "");
	puppet_say(one(), "c");
	cr_expect(stand_settle(&s));
	puppet_expect(two(), "|OC");
	one()->say[STAGE_MAIL] = "";
	cr_assert(stand_helo(&s, "h"));
	puppet_expect(two(), "Hh");
	cr_expect_not(stand_mail(&s, "<s>"));
	puppet_expect(two(), "");
	puppet_say(one(), "c");
	cr_expect(stand_settle(&s));
	puppet_expect(two(), "M<s>");
}

Test(chain, strict_never_hears_what_was_refused)
{
	s.conf.milters[1].order = ORDER_STRICT;
	one()->bad_rcpt = "<bad>";
	one()->bad_say = "r";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_rcpt(&s, "<bad>"));
	cr_assert(stand_content(&s));
	puppet_expect(two(), "|OCHhM<s>R<r>TLNBE");
}

Test(chain, strict_hears_nothing_after_a_no)
{
	s.conf.milters[1].order = ORDER_STRICT;
	one()->say[STAGE_MAIL] = "r";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_assert(stand_mail(&s, "<s>"));
	stand_expect(&s, "reject by 0 at mail");
	puppet_expect(two(), "|OCHh");
}

/* ---- content ---- */

Test(chain, content_goes_down_the_chain)
{
	const struct answer edits[] = {
		{ .kind = ANSWER_CHGHEADER,
		  .header = { 1, SLICE_LIT("Subject"), SLICE_LIT("new") } },
		{ .kind = ANSWER_REPLBODY, .body = SLICE_LIT("replaced") },
	};

	one()->edits = edits;
	one()->edit_count = 2;
	one()->say[STAGE_EOM] = "";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	forget_heard();
	cr_expect_not(stand_content(&s));
	puppet_expect(one(), "TLNBE");
	puppet_expect(two(), "T");
	puppet_say(one(), "c");
	cr_expect(stand_settle(&s));
	stand_expect(&s, "continue");
	puppet_expect(two(), "LNBE");
	cr_expect(slice_is(buf_slice(&one()->content),
			   "Subject:hi\n\ntext\r\n"));
	cr_expect(slice_is(buf_slice(&two()->content),
			   "Subject:new\n\nreplaced"));
	cr_expect(slice_is(buf_slice(&three()->content),
			   "Subject:new\n\nreplaced"));
}

/* Only if those above let it pass. */
Test(chain, refused_content_goes_no_further)
{
	one()->say[STAGE_EOH] = "r";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	forget_heard();
	stand_content(&s);
	stand_expect(&s, "reject by 0 at eoh");
	puppet_expect(one(), "TLN");
	puppet_expect(two(), "TA");
	puppet_expect(three(), "TA");
}

/* A no's edits never were. */
Test(chain, edits_of_a_no)
{
	const struct answer edit = { .kind = ANSWER_ADDHEADER,
				     .header = { 0, SLICE_LIT("X"),
						 SLICE_LIT("v") } };

	one()->edits = &edit;
	one()->edit_count = 1;
	one()->say[STAGE_EOM] = "r";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_content(&s));
	stand_expect(&s, "reject by 0 at eom");
	cr_expect_eq(buf_len(&two()->content), 0);
}

Test(chain, free_child_sees_the_original_at_once)
{
	const struct answer edit = { .kind = ANSWER_REPLBODY,
				     .body = SLICE_LIT("replaced") };

	one()->edits = &edit;
	one()->edit_count = 1;
	one()->say[STAGE_EOM] = "";
	s.conf.milters[1].order = ORDER_FREE;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	forget_heard();
	cr_expect_not(stand_content(&s));
	puppet_expect(two(), "TLNBE");
	puppet_expect(three(), "T");
	puppet_say(one(), "c");
	cr_expect(stand_settle(&s));
	cr_expect(slice_is(buf_slice(&two()->content),
			   "Subject:hi\n\ntext\r\n"));
	cr_expect(slice_is(buf_slice(&three()->content),
			   "Subject:hi\n\nreplaced"));
}

/* Its edits do not go to those below, who do not wait for it either. */
Test(chain, free_childs_edits_are_for_the_mta)
{
	const struct answer edit = { .kind = ANSWER_ADDHEADER,
				     .header = { 0, SLICE_LIT("X"),
						 SLICE_LIT("v") } };

	s.conf.milters[0].order = ORDER_FREE;
	one()->edits = &edit;
	one()->edit_count = 1;
	one()->say[STAGE_EOM] = "";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_expect_not(stand_content(&s));
	cr_expect_eq(chain_waits_for(&s.chain), 0);
	cr_expect(slice_is(buf_slice(&two()->content),
			   "Subject:hi\n\ntext\r\n"));
	puppet_say(one(), "c");
	cr_expect(stand_settle(&s));
	stand_expect(&s, "continue");
	cr_expect_eq(member(0)->edits.count, 1);
}

Test(chain, no_bits)
{
	one()->option.protocol = SMFIP_NOCONNECT | SMFIP_NOHELO |
				 SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOHDRS;
	two()->option.protocol = SMFIP_NOMAIL | SMFIP_NOEOH | SMFIP_NOBODY;
	three()->option.version = 2;
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	stand_expect(&s, "continue");
	puppet_expect(one(), "|OM<s>NBE");
	puppet_expect(two(), "|OCHhR<r>TLE");
	puppet_expect(three(), "|OCHhM<s>R<r>LNBE");
}

Test(chain, nr_bits)
{
	one()->option.protocol = SMFIP_NR_ALL;
	two()->option.protocol = SMFIP_NR_HDR | SMFIP_NR_BODY;
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	stand_expect(&s, "continue");
	puppet_expect(one(), "|OCHhM<s>R<r>TLNBE");
	puppet_expect(two(), "|OCHhM<s>R<r>TLNBE");
}

Test(chain, skip)
{
	static char first[65535];

	one()->option.protocol = SMFIP_SKIP;
	one()->say[STAGE_BODY] = "s";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_data(&s));
	stand_header(&s, "A", "1");
	stand_eoh(&s);
	stand_body(&s, slice_of(first, sizeof(first)));
	stand_body(&s, SLICE_LIT("second"));
	cr_assert(stand_eom(&s));
	puppet_expect(one(), "|OCHhM<s>R<r>TLNBE");
	cr_expect_eq(buf_len(&one()->content), 5 + sizeof(first));
	puppet_expect(two(), "|OCHhM<s>R<r>TLNBBE");
	cr_expect_eq(buf_len(&two()->content), 5 + sizeof(first) + 6);
}

Test(chain, leading_space)
{
	s.offer.protocol |= SMFIP_HDR_LEADSPC;
	one()->option.protocol = SMFIP_HDR_LEADSPC;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_data(&s));
	stand_header(&s, "A", " one");
	stand_header(&s, "B", "  two");
	stand_header(&s, "C", "none");
	stand_eoh(&s);
	cr_assert(stand_eom(&s));
	cr_expect(slice_is(buf_slice(&one()->content),
			   "A: one\nB:  two\nC:none\n\n"));
	cr_expect(slice_is(buf_slice(&two()->content),
			   "A:one\nB: two\nC:none\n\n"));
}

/* Its header would not fit into a packet: cut for it, not for the MTA. */
Test(chain, header_too_large_for_a_packet)
{
	static char value[65000], name[700];

	memset(value, 'v', sizeof(value) - 1);
	memset(name, 'n', sizeof(name) - 1);
	s.conf.milter_count = 1;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_data(&s));
	warn("header too large for one packet cut");
	stand_header(&s, name, value);
	stand_eoh(&s);
	cr_assert(stand_eom(&s));
	stand_expect(&s, "continue");
	cr_expect_eq(buf_len(&one()->content), 65535 + 1);
	cr_expect_eq(board_sum(s.env.board, COUNT_CUT_PACKETS), 1);
}

Test(chain, large_body)
{
	static char bytes[65535];

	memset(bytes, 'b', sizeof(bytes));
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_data(&s));
	stand_eoh(&s);
	for (int i = 0; i < 40; i++)
		stand_body(&s, slice_of(bytes, sizeof(bytes)));
	cr_assert(stand_eom(&s));
	stand_expect(&s, "continue");
	for (int i = 0; i < 3; i++)
		cr_expect_eq(buf_len(&s.puppets[i].content), 40 * 65535 + 1);
}

/*
 * Packets are as large as they may be, however the body comes: what is less
 * waits for more, or for the end.
 */
Test(chain, small_pieces_of_a_body_become_whole_packets)
{
	static char bytes[7000];

	one()->option.protocol = SMFIP_SKIP;
	s.conf.message_memory = 20000;
	s.conf.spool_directory = "/tmp";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_data(&s));
	stand_eoh(&s);
	for (int i = 0; i < 20; i++)
		stand_body(&s, slice_of(bytes, sizeof(bytes)));
	cr_assert(stand_eom(&s));
	stand_expect(&s, "continue");
	for (int i = 0; i < 3; i++) {
		puppet_expect(&s.puppets[i], "|OCHhM<s>R<r>TNBBBE");
		cr_expect_eq(buf_len(&s.puppets[i].content), 140000 + 1);
	}
}

/* ---- failures and policies ---- */

Test(chain, policies_on_failure)
{
	static const struct {
		enum conf_policy policy;
		const char *want;
	} cases[] = {
		{ POLICY_TEMPFAIL, "tempfail by 0 at mail" },
		{ POLICY_ACCEPT, "continue" },
		{ POLICY_REJECT, "reject by 0 at mail" },
		{ POLICY_DISCARD, "discard by 0 at mail" },
		{ POLICY_QUARANTINE, "continue" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stand_end(&s);
		stand_init(&s, 3);
		s.conf.milters[0].on_failure = cases[i].policy;
		one()->say[STAGE_MAIL] = "!";
		stand_begin(&s, MTA_POSTFIX);
		greet();
		warn("child \"one\": protocol at mail");
		cr_assert(stand_mail(&s, "<s>"));
		stand_expect(&s, cases[i].want);
		cr_expect_eq(member(0)->state, MEMBER_FAILED);
		cr_expect_eq(board_sum_milter(s.env.board, 0,
					      MILTER_FAILED_PROTOCOL),
			     1);
		stand_end_message(&s);
	}
}

/* It sticks to the message, and at the next MAIL it is joined once more. */
Test(chain, failure_sticks_to_the_message)
{
	s.conf.milters[0].on_failure = POLICY_ACCEPT;
	one()->say[STAGE_RCPT] = "x";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_assert(stand_mail(&s, "<s>"));
	warn("child \"one\": closed at rcpt");
	cr_assert(stand_rcpt(&s, "<a>"));
	stand_expect(&s, "continue");
	cr_assert(stand_rcpt(&s, "<b>"));
	puppet_expect(one(), "|OCHhM<s>R<a>");
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	puppet_expect(one(), "");
	puppet_expect(two(), "|OCHhM<s>R<a>R<b>TLNBE");
	stand_end_message(&s);
	one()->say[STAGE_RCPT] = "c";
	cr_assert(stand_mail(&s, "<t>"));
	cr_assert(stand_rcpt(&s, "<c>"));
	puppet_expect(one(), "|OCHhM<t>R<c>");
}

Test(chain, failure_at_a_recipient_is_every_later_answers)
{
	s.conf.milter_count = 1;
	one()->bad_rcpt = "<b>";
	one()->bad_say = "4";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	warn("child \"one\": protocol at rcpt");
	cr_assert(stand_rcpt(&s, "<b>"));
	stand_expect(&s, "tempfail by 0 at rcpt");
	cr_assert(stand_rcpt(&s, "<c>"));
	stand_expect(&s, "tempfail by 0 at rcpt");
	cr_assert(stand_data(&s));
	stand_expect(&s, "tempfail by 0 at rcpt");
}

/* A failure at connect says continue and is settled at MAIL. */
Test(chain, failure_at_connect_waits_for_mail)
{
	s.conf.milter_count = 1;
	one()->say[STAGE_CONNECT] = "x";
	stand_begin(&s, MTA_POSTFIX);
	warn("child \"one\": closed at connect");
	cr_assert(stand_connect(&s));
	stand_expect(&s, "continue");
	cr_assert(stand_helo(&s, "h"));
	stand_expect(&s, "continue");
	one()->say[STAGE_CONNECT] = "c";
	forget_heard();
	cr_assert(stand_mail(&s, "<s>"));
	stand_expect(&s, "continue");
	puppet_expect(one(), "|OCHhM<s>");
}

Test(chain, failure_at_connect_and_again)
{
	s.conf.milter_count = 1;
	one()->say[STAGE_CONNECT] = "x";
	stand_begin(&s, MTA_POSTFIX);
	warn("child \"one\": closed at connect");
	cr_assert(stand_connect(&s));
	warn("child \"one\": closed at connect");
	cr_assert(stand_mail(&s, "<s>"));
	cr_expect_eq(s.verdict.kind, VERDICT_TEMPFAIL);
	cr_expect_eq(s.verdict.by, 0);
}

Test(chain, nobody_there)
{
	close(one()->listener);
	one()->listener = -1;
	s.conf.milter_count = 1;
	stand_begin(&s, MTA_POSTFIX);
	warn("child \"one\": connect at connect: Connection refused");
	cr_assert(stand_connect(&s));
	stand_expect(&s, "continue");
	warn("child \"one\": connect at mail: Connection refused");
	cr_assert(stand_mail(&s, "<s>"));
	stand_expect(&s, "tempfail by 0 at mail");
}

/* Closed while it owes nothing and is in no message: no failure. */
Test(chain, restarted_between_messages)
{
	s.conf.milter_count = 1;
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	stand_end_message(&s);
	puppet_say(one(), "x");
	stand_settle(&s);
	forget_heard();
	cr_assert(stand_mail(&s, "<t>"));
	stand_expect(&s, "continue");
	puppet_expect(one(), "|OCHhM<t>");
	cr_expect_eq(board_sum_milter(s.env.board, 0, MILTER_FAILED_EOF), 0);
}

/* Shutdown and the like are failures wherever they are said. */
Test(chain, what_is_no_legal_answer)
{
	static const char *const words[] = { "4", "f", "s" };

	for (size_t i = 0; i < 3; i++) {
		stand_end(&s);
		stand_init(&s, 1);
		one()->say[STAGE_DATA] = words[i];
		stand_begin(&s, MTA_POSTFIX);
		envelope();
		warn("child \"one\": protocol at data");
		cr_assert(stand_data(&s));
		stand_expect(&s, "tempfail by 0 at data");
		stand_end_message(&s);
	}
}

Test(chain, an_edit_before_its_time)
{
	const struct answer edit = { .kind = ANSWER_ADDHEADER,
				     .header = { 0, SLICE_LIT("X"),
						 SLICE_LIT("v") } };

	s.conf.milter_count = 1;
	one()->say[STAGE_DATA] = "";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_expect_not(stand_data(&s));
	warn("child \"one\": protocol at data: an answer that is not legal");
	puppet_answer(one(), &edit);
	cr_expect(stand_settle(&s));
	stand_expect(&s, "tempfail by 0 at data");
}

Test(chain, an_edit_it_did_not_negotiate)
{
	const struct answer edit = { .kind = ANSWER_ADDHEADER,
				     .header = { 0, SLICE_LIT("X"),
						 SLICE_LIT("v") } };

	one()->option.actions = SMFIF_CHGBODY;
	one()->edits = &edit;
	one()->edit_count = 1;
	s.conf.milters[0].on_failure = POLICY_ACCEPT;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	warn("child \"one\": protocol at eom");
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	cr_expect(slice_is(buf_slice(&two()->content),
			   "Subject:hi\n\ntext\r\n"));
}

Test(chain, silent_for_too_long)
{
	one()->say[STAGE_MAIL] = "";
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_expect_not(stand_mail(&s, "<s>"));
	clock_set(STAND_TIME + 6 * CLOCK_S);
	cr_expect_not(stand_settle(&s));
	clock_set(STAND_TIME + 7 * CLOCK_S);
	warn("child \"one\": timeout at mail: no answer in time");
	cr_expect(stand_settle(&s));
	stand_expect(&s, "tempfail by 0 at mail");
	cr_expect_eq(board_sum_milter(s.env.board, 0, MILTER_FAILED_TIMEOUT),
		     1);
}

/* Our own deadline: late, which is not the same as failed. */
Test(chain, late)
{
	one()->say[STAGE_MAIL] = "";
	s.conf.milters[0].on_failure = POLICY_REJECT;
	stand_begin(&s, MTA_POSTFIX);
	greet();
	cr_expect_not(stand_mail(&s, "<s>"));
	warn("child \"one\": late at mail");
	chain_late(&s.chain);
	cr_expect(stand_settle(&s));
	stand_expect(&s, "reject by 0 at mail");
	cr_expect_eq(board_sum_milter(s.env.board, 0, MILTER_LATE), 1);
	cr_expect_eq(member(1)->state, MEMBER_GOING, "it has answered");
}

Test(chain, no_room_is_ours)
{
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	s.chain.no_space = ENOSPC;
	cr_assert(stand_data(&s));
	stand_expect(&s, "tempfail by -1 at data");
}

/* ---- evaluate ---- */

Test(chain, evaluate_has_no_effect)
{
	const struct answer edit = { .kind = ANSWER_REPLBODY,
				     .body = SLICE_LIT("replaced") };

	s.conf.milters[0].mode.mode = MODE_EVALUATE;
	one()->edits = &edit;
	one()->edit_count = 1;
	one()->bad_rcpt = "<b>";
	one()->bad_say = "r";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_rcpt(&s, "<b>"));
	stand_expect(&s, "continue");
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	puppet_expect(one(), "|OCHhM<s>R<r>R<b>TLNBE");
	cr_expect(slice_is(buf_slice(&two()->content),
			   "Subject:hi\n\ntext\r\n"));
}

Test(chain, nobody_waits_for_evaluate)
{
	static const enum stage stages[] = { STAGE_CONNECT, STAGE_MAIL,
					     STAGE_EOM };

	for (size_t i = 0; i < 3; i++) {
		stand_end(&s);
		stand_init(&s, 3);
		s.conf.milters[1].mode.mode = MODE_EVALUATE;
		two()->say[stages[i]] = "";
		stand_begin(&s, MTA_POSTFIX);
		cr_assert(stand_all(&s), "silent at %s",
			  milter_stage_name(stages[i]));
		stand_expect(&s, "continue");
		puppet_expect(three(), "|OCHhM<s>R<r>TLNBE");
		if (stages[i] != STAGE_CONNECT)
			cr_expect(chain_evaluates(&s.chain));
		puppet_say(two(), "c");
		stand_settle(&s);
		if (stages[i] == STAGE_EOM)
			cr_expect_not(chain_evaluates(&s.chain));
		stand_end_message(&s);
	}
}

Test(chain, evaluate_may_say_no)
{
	s.conf.milters[0].mode.mode = MODE_EVALUATE;
	one()->say[STAGE_EOM] = "r";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	stand_expect(&s, "continue");
	cr_expect_eq(member(0)->state, MEMBER_NO);
	cr_expect_eq(board_sum_answer(s.env.board, 0, STAGE_EOM,
				      ANSWERED_REJECT), 1);
}

Test(chain, evaluate_may_fail)
{
	s.conf.milters[0].mode.mode = MODE_EVALUATE;
	one()->say[STAGE_DATA] = "x";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	warn("child \"one\": closed at data");
	cr_assert(stand_content(&s));
	stand_expect(&s, "continue");
	cr_expect_eq(member(0)->state, MEMBER_FAILED);
}

/* ---- unknown commands ---- */

Test(chain, unknown_command)
{
	const struct journal_macros none = { 0 };

	two()->say[STAGE_UNKNOWN] = "y550 5.5.1 what";
	three()->option.version = 2;
	stand_begin(&s, MTA_POSTFIX);
	greet();
	forget_heard();
	chain_unknown(&s.chain, SLICE_LIT("XYZ"), &none);
	cr_assert(stand_settle(&s));
	stand_expect(&s, "reject by 1 at unknown: 550 5.5.1 what");
	puppet_expect(one(), "UXYZ");
	puppet_expect(three(), "");
	two()->say[STAGE_UNKNOWN] = "a";
	chain_unknown(&s.chain, SLICE_LIT("ABC"), &none);
	cr_assert(stand_settle(&s));
	stand_expect(&s, "continue");
	cr_assert(stand_mail(&s, "<s>"));
	puppet_expect(two(), "UXYZUABCM<s>");
}

/* It is not replayed. */
Test(chain, unknown_command_in_a_message)
{
	const struct journal_macros none = { 0 };

	s.conf.milters[1].join = STAGE_DATA;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	chain_unknown(&s.chain, SLICE_LIT("XYZ"), &none);
	cr_assert(stand_settle(&s));
	stand_expect(&s, "continue");
	cr_assert(stand_content(&s));
	puppet_expect(one(), "|OCHhM<s>R<r>UXYZTLNBE");
	puppet_expect(two(), "|OCHhM<s>R<r>TLNBE");
}

/* ---- step ---- */

/* A final word in the middle of a pipeline: closed, and joined by replay. */
Test(chain, out_of_step)
{
	one()->say[STAGE_HEADER] = "a";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_data(&s));
	message_add_header(&s.message, SLICE_LIT("A"), SLICE_LIT("1"));
	message_add_header(&s.message, SLICE_LIT("B"), SLICE_LIT("2"));
	stand_header(&s, "C", "3");
	cr_expect_eq(member(0)->state, MEMBER_ACCEPTED);
	cr_expect_eq(member(0)->child.link, LINK_NONE);
	stand_eoh(&s);
	cr_assert(stand_eom(&s));
	stand_expect(&s, "continue");
	stand_end_message(&s);
	forget_heard();
	cr_assert(stand_mail(&s, "<t>"));
	puppet_expect(one(), "|OCHhM<t>");
	cr_expect_eq(board_sum_milter(s.env.board, 0, MILTER_FAILED_PROTOCOL),
		     0);
}

/* In step: its early verdict was to the last it was told. */
Test(chain, in_step)
{
	one()->say[STAGE_HEADER] = "a";
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	cr_assert(stand_data(&s));
	stand_header(&s, "C", "3");
	cr_expect_eq(member(0)->state, MEMBER_ACCEPTED);
	cr_expect_eq(member(0)->child.link, LINK_OPEN);
	stand_eoh(&s);
	cr_assert(stand_eom(&s));
	stand_end_message(&s);
	forget_heard();
	cr_assert(stand_mail(&s, "<t>"));
	puppet_expect(one(), "M<t>");
}

Test(chain, speaks_unasked)
{
	s.conf.milter_count = 1;
	stand_begin(&s, MTA_POSTFIX);
	envelope();
	puppet_say(one(), "c");
	warn("child \"one\": protocol at");
	stand_settle(&s);
	cr_assert(stand_data(&s));
	cr_expect_eq(s.verdict.kind, VERDICT_TEMPFAIL);
}
