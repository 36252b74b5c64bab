#include "worker/summary.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "t/unit/support/expect_log.h"
#include "t/unit/worker/stand.h"

static struct stand s;
static struct summary sum;

static void begin(void)
{
	stand_init(&s, 3);
	expect_log_begin();
	sum = (struct summary){ .began = STAND_TIME, .size = 4821 };
	snprintf(sum.queue_id, sizeof(sum.queue_id), "4FxYz1");
	snprintf(sum.client, sizeof(sum.client), "mx.example.org[192.0.2.7]");
}

static void end(void)
{
	stand_end(&s);
	expect_log_end();
}

TestSuite(summary, .init = begin, .fini = end, .timeout = 20);

static struct puppet *puppet(unsigned i)
{
	return &s.puppets[i];
}

/* The line of the message whose last verdict is s.verdict. */
static void expect_line(const char *word, const char *want)
{
	summary_message(&sum, &s.chain, &s.verdict, word);
	cr_expect_str_eq(expect_log_last(), want);
}

#define HEAD "4FxYz1: from=\"s\" nrcpt=1 size=4821 " \
	     "client=\"mx.example.org[192.0.2.7]\""

Test(summary, accepted)
{
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	clock_set(STAND_TIME + 87 * CLOCK_MS);
	sum.edits = 2;
	expect_line("accept", HEAD " one=continue two=continue three=continue "
			      "verdict=accept edits=2 time=87ms");
}

Test(summary, refused_at_end_of_message)
{
	puppet(1)->say[STAGE_EOM] = "y550 5.7.1 \"spam\"";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	expect_line("reject",
		    HEAD " one=continue two=reject@eom three=released "
			 "verdict=reject by=two stage=eom "
			 "reply=\"550 5.7.1 \\x22spam\\x22\" edits=0 time=0ms");
}

Test(summary, time_it_was_waited_for)
{
	s.conf.milter_count = 1;
	puppet(0)->say[STAGE_EOM] = "";
	stand_begin(&s, MTA_POSTFIX);
	cr_expect_not(stand_all(&s));
	clock_set(STAND_TIME + 84 * CLOCK_MS + 250);
	puppet_say(puppet(0), "c");
	cr_assert(stand_settle(&s));
	expect_line("accept", HEAD " one=continue/84.2ms verdict=accept "
				   "edits=0 time=84ms");
}

Test(summary, of_each_kind)
{
	puppet(0)->say[STAGE_CONNECT] = "a";
	puppet(1)->say[STAGE_MAIL] = "a";
	s.conf.milters[2].mode.mode = MODE_OFF;
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	expect_line("accept", HEAD " one=accept(connection) two=accept@mail "
				   "three=skip(off) verdict=accept edits=0 "
				   "time=0ms");
}

Test(summary, failed_and_passed_without)
{
	s.conf.milters[0].on_failure = POLICY_ACCEPT;
	s.conf.milters[1].on_failure = POLICY_ACCEPT;
	puppet(0)->say[STAGE_RCPT] = "x";
	puppet(1)->say[STAGE_EOM] = "!";
	stand_begin(&s, MTA_POSTFIX);
	expect_log(LOG_LEVEL_WARN, "child \"one\": closed at rcpt");
	expect_log(LOG_LEVEL_WARN, "child \"two\": protocol at eom");
	cr_assert(stand_all(&s));
	expect_line("accept",
		    HEAD " one=failed(closed)@rcpt two=failed(protocol)@eom "
			 "three=continue passed_without=one,two "
			 "verdict=accept edits=0 time=0ms");
	cr_expect_eq(board_sum_milter(s.env.board, 0, MILTER_PASSED_WITHOUT),
		     1);
	cr_expect_eq(board_sum_milter(s.env.board, 2, MILTER_PASSED_WITHOUT),
		     0);
}

/* It did not pass: then it was not passed without anybody. */
Test(summary, failed_and_refused)
{
	s.conf.milters[0].on_failure = POLICY_ACCEPT;
	puppet(0)->say[STAGE_MAIL] = "x";
	puppet(1)->say[STAGE_EOM] = "t";
	stand_begin(&s, MTA_POSTFIX);
	expect_log(LOG_LEVEL_WARN, "child \"one\": closed at mail");
	cr_assert(stand_all(&s));
	expect_line("tempfail",
		    HEAD " one=failed(closed)@mail two=tempfail@eom "
			 "three=released verdict=tempfail by=two stage=eom "
			 "edits=0 time=0ms");
	cr_expect_eq(board_sum_milter(s.env.board, 0, MILTER_PASSED_WITHOUT),
		     0);
}

Test(summary, evaluated_in_parentheses)
{
	s.conf.milters[0].mode.mode = MODE_EVALUATE;
	puppet(0)->say[STAGE_EOM] = "r";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	expect_line("accept", HEAD " (one=reject@eom) two=continue "
				   "three=continue verdict=accept edits=0 "
				   "time=0ms");
}

Test(summary, refused_recipients)
{
	s.conf.milter_count = 1;
	puppet(0)->bad_rcpt = "<bad>";
	puppet(0)->bad_say = "r";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_connect(&s));
	cr_assert(stand_mail(&s, "<s>"));
	cr_assert(stand_rcpt(&s, "<bad>"));
	cr_assert(stand_rcpt(&s, "<r>"));
	cr_assert(stand_rcpt(&s, "<bad>"));
	cr_assert(stand_content(&s));
	expect_line("accept", HEAD " one=continue,refused=2 verdict=accept "
				   "edits=0 time=0ms");
}

Test(summary, not_reached)
{
	s.conf.milters[2].join = STAGE_EOM;
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_connect(&s));
	cr_assert(stand_mail(&s, "<s>"));
	cr_assert(stand_rcpt(&s, "<r>"));
	s.verdict.kind = VERDICT_CONTINUE;
	expect_line(SUMMARY_ABORT,
		    HEAD " one=released two=released three=skip(not reached) "
			 "verdict=abort edits=0 time=0ms");
}

Test(summary, quarantined)
{
	s.conf.milter_count = 1;
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	sum.quarantine = SLICE_LIT("virus; \x01");
	expect_line(SUMMARY_QUARANTINE,
		    HEAD " one=continue verdict=quarantine "
			 "quarantine=\"virus; \\x01\" edits=0 time=0ms");
}

Test(summary, our_own_limits)
{
	s.conf.milter_count = 1;
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	s.verdict = (struct verdict){ .kind = VERDICT_REJECT,
				      .reply = SLICE_LIT("552 5.3.4 Too large"),
				      .by = -1,
				      .stage = STAGE_EOM };
	expect_line("reject", HEAD " one=continue verdict=reject by=sekisho "
				   "stage=eom reply=\"552 5.3.4 Too large\" "
				   "edits=0 time=0ms");
}

/* A sender cannot write a line of his own. */
Test(summary, hostile_sender_without_a_queue_id)
{
	s.conf.milter_count = 1;
	sum.queue_id[0] = '\0';
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_connect(&s));
	cr_assert(stand_mail(&s, "<\" verdict=accept\n\\\xff>"));
	puppet(0)->say[STAGE_RCPT] = "d";
	cr_assert(stand_rcpt(&s, "<r>"));
	expect_line("discard",
		    "NOQUEUE: from=\"\\x22 verdict=accept\\x0a\\x5c\\xff\" "
		    "nrcpt=0 size=4821 client=\"mx.example.org[192.0.2.7]\" "
		    "one=discard@rcpt verdict=discard by=one stage=rcpt "
		    "edits=0 time=0ms");
}

Test(summary, refused_connection)
{
	puppet(0)->say[STAGE_CONNECT] = "y550 5.7.1 no";
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_connect(&s));
	clock_set(STAND_TIME + 5 * CLOCK_MS);
	summary_connection(&sum, &s.chain, &s.verdict, STAND_TIME);
	cr_expect_str_eq(expect_log_last(),
			 "NOQUEUE: client=\"mx.example.org[192.0.2.7]\" "
			 "messages=0 verdict=reject by=one stage=connect "
			 "reply=\"550 5.7.1 no\" time=5ms");
}

Test(summary, connection_without_a_message)
{
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_connect(&s));
	summary_connection(&sum, &s.chain, &s.verdict, STAND_TIME);
	cr_expect_str_eq(expect_log_last(),
			 "NOQUEUE: client=\"mx.example.org[192.0.2.7]\" "
			 "messages=0 verdict=none time=0ms");
}
