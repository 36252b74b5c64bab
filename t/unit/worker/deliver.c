#include "worker/deliver.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/milter_frame.h"
#include "t/unit/support/describe.h"
#include "t/unit/support/expect_log.h"
#include "t/unit/worker/stand.h"

static struct stand s;
static struct mta_line mta;
static int other;
static struct slice reasons;
static unsigned sent;

static void begin(void)
{
	int fds[2];

	stand_init(&s, 3);
	expect_log_begin();
	cr_assert_eq(socketpair(AF_UNIX,
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
				fds),
		     0);
	mta_init(&mta);
	mta_open(&mta, fds[0], false);
	other = fds[1];
}

static void end(void)
{
	mta_close(&mta);
	close(other);
	stand_end(&s);
	expect_log_end();
}

TestSuite(deliver, .init = begin, .fini = end, .timeout = 20);

static struct answer add(const char *name, const char *value)
{
	return (struct answer){ .kind = ANSWER_ADDHEADER,
				.header = { 0, slice_str(name),
					    slice_str(value) } };
}

static struct answer change(uint32_t index, const char *value)
{
	return (struct answer){ .kind = ANSWER_CHGHEADER,
				.header = { index, SLICE_LIT("X-D"),
					    slice_str(value) } };
}

static struct answer body(const char *text)
{
	return (struct answer){ .kind = ANSWER_REPLBODY,
				.body = slice_str(text) };
}

static struct answer quarantine(const char *reason)
{
	return (struct answer){ .kind = ANSWER_QUARANTINE,
				.text = slice_str(reason) };
}

static struct answer rcpt(enum answer_kind kind, const char *address)
{
	return (struct answer){ .kind = kind,
				.address = { slice_str(address), SLICE_EMPTY,
					     false } };
}

static void asks(unsigned child, const struct answer *edits, size_t count)
{
	s.puppets[child].edits = edits;
	s.puppets[child].edit_count = count;
}

#define ASKS(child, ...)                                                 \
	const struct answer edits_##child[] = { __VA_ARGS__ };           \
	asks(child, edits_##child, sizeof(edits_##child) / sizeof(struct answer))

/* A message with three X-D, through all children. */
static void message(enum mta dialect)
{
	stand_begin(&s, dialect);
	cr_assert(stand_connect(&s));
	cr_assert(stand_mail(&s, "<s>"));
	cr_assert(stand_rcpt(&s, "<r>"));
	cr_assert(stand_data(&s));
	stand_header(&s, "X-D", "1");
	stand_header(&s, "X-D", "2");
	stand_header(&s, "X-D", "3");
	stand_eoh(&s);
	stand_body(&s, SLICE_LIT("body\r\n"));
	cr_assert(stand_eom(&s));
	stand_expect(&s, "continue");
}

/* What the MTA got, the answers separated by " | ". */
static void expect_sent(const char *want)
{
	struct buf in, out;
	struct slice packet;
	struct answer a;
	const char *why;
	char *room;
	ssize_t n;

	buf_init(&in, 1 << 22);
	buf_init(&out, 1 << 16);
	while ((room = buf_room(&in, 65536)) &&
	       (n = read(other, room, 65536)) > 0)
		buf_added(&in, (size_t)n);
	while (frame_peek(&in, MILTER_CHILD_LENGTH_MAX, &packet) == FRAME_OK) {
		cr_assert(answer_decode(packet, &a, &why), "%s", why);
		if (buf_len(&out))
			cr_assert(buf_add(&out, SLICE_LIT(" | ")));
		describe_answer(&out, &a);
		frame_skip(&in, packet);
	}
	cr_expect(slice_is(buf_slice(&out), want), "%.*s\n instead of %s",
		  SLICE_ARG(buf_slice(&out)), want);
	buf_deinit(&in);
	buf_deinit(&out);
}

static void deliver(void)
{
	cr_assert(deliver_quarantine(&s.chain, &reasons));
	cr_assert(deliver_prepare(&s.chain));
	cr_assert(deliver_send(&s.chain, &mta, reasons, &sent));
}

Test(deliver, nothing_to_change)
{
	message(MTA_POSTFIX);
	deliver();
	cr_expect_eq(sent, 0);
	cr_expect_eq(reasons.len, 0);
	expect_sent("CONTINUE");
}

/* In chain order, as the children asked; the body last, the verdict behind. */
Test(deliver, the_log)
{
	ASKS(0, add("X-A", "a"), body("new"), rcpt(ANSWER_ADDRCPT, "<x>"));
	ASKS(1, change(1, ""), rcpt(ANSWER_DELRCPT, "<x>"));
	ASKS(2, change(1, "n"), add("X-C", "c"));
	message(MTA_POSTFIX);
	deliver();
	cr_expect_eq(sent, 7);
	expect_sent("ADDHEADER \"X-A\": \"a\" | ADDRCPT \"<x>\" | "
		    "CHGHEADER index=1 \"X-D\": \"\" | DELRCPT \"<x>\" | "
		    "CHGHEADER index=1 \"X-D\": \"n\" | "
		    "ADDHEADER \"X-C\": \"c\" | REPLBODY 3 bytes \"new\" | "
		    "CONTINUE");
}

Test(deliver, sendmails_indexes)
{
	ASKS(0, change(1, ""));
	ASKS(1, change(1, "n"));
	message(MTA_SENDMAIL);
	deliver();
	expect_sent("CHGHEADER index=1 \"X-D\": \"\" | "
		    "CHGHEADER index=2 \"X-D\": \"n\" | CONTINUE");
}

/* Only the last replaced body is sent. */
Test(deliver, two_new_bodies)
{
	ASKS(0, body("first"));
	ASKS(2, body("second, "), body("in two"));
	message(MTA_POSTFIX);
	deliver();
	cr_expect_eq(sent, 1);
	expect_sent("REPLBODY 14 bytes \"second, in two\" | CONTINUE");
}

Test(deliver, an_empty_body)
{
	ASKS(0, body(""));
	message(MTA_POSTFIX);
	deliver();
	expect_sent("REPLBODY 0 bytes \"\" | CONTINUE");
}

Test(deliver, quarantines_are_joined)
{
	ASKS(0, quarantine("virus"));
	ASKS(2, quarantine("spam"));
	message(MTA_POSTFIX);
	deliver();
	cr_expect(slice_is(reasons, "virus; spam"));
	cr_expect_eq(sent, 1);
	expect_sent("QUARANTINE \"virus; spam\" | CONTINUE");
}

/* An MTA takes an empty reason for none at all. */
Test(deliver, quarantine_without_a_reason)
{
	ASKS(1, quarantine(""));
	message(MTA_POSTFIX);
	deliver();
	expect_sent("QUARANTINE \"two\" | CONTINUE");
}

Test(deliver, quarantine_by_policy)
{
	ASKS(1, quarantine("virus"));
	s.conf.milters[0].on_failure = POLICY_QUARANTINE;
	s.puppets[0].say[STAGE_EOM] = "!";
	expect_log(LOG_LEVEL_WARN, "child \"one\"");
	message(MTA_POSTFIX);
	deliver();
	expect_sent("QUARANTINE \"one failed; virus\" | CONTINUE");
}

/* What a failed child or one in evaluate mode asked for never was. */
Test(deliver, without_part)
{
	ASKS(0, add("X-A", "a"), quarantine("q"), body("b"));
	ASKS(1, add("X-B", "b"), quarantine("q"), body("b"));
	s.conf.milters[0].mode.mode = MODE_EVALUATE;
	s.conf.milters[1].on_failure = POLICY_ACCEPT;
	s.puppets[1].say[STAGE_EOM] = "x";
	expect_log(LOG_LEVEL_WARN, "child \"two\"");
	message(MTA_POSTFIX);
	deliver();
	cr_expect_eq(sent, 0);
	expect_sent("CONTINUE");
}

/* A free child's header edits come behind all others'. */
Test(deliver, free_child)
{
	ASKS(0, change(2, "f"), add("X-F", "f"), rcpt(ANSWER_ADDRCPT, "<f>"));
	ASKS(1, change(1, ""));
	s.conf.milters[0].order = ORDER_FREE;
	message(MTA_POSTFIX);
	deliver();
	expect_sent("ADDRCPT \"<f>\" | CHGHEADER index=1 \"X-D\": \"\" | "
		    "CHGHEADER index=1 \"X-D\": \"f\" | "
		    "ADDHEADER \"X-F\": \"f\" | CONTINUE");
}

Test(deliver, free_child_overtaken)
{
	ASKS(0, change(2, "f"), body("free"));
	ASKS(1, change(2, "chain"), body("chain"));
	s.conf.milters[0].order = ORDER_FREE;
	message(MTA_POSTFIX);
	deliver();
	cr_expect_eq(sent, 2);
	expect_sent("CHGHEADER index=2 \"X-D\": \"chain\" | "
		    "REPLBODY 5 bytes \"chain\" | CONTINUE");
	cr_expect_eq(board_sum(s.env.board, COUNT_EDITS_DROPPED), 2);
}

Test(deliver, free_childs_body_alone)
{
	ASKS(0, body("free"));
	ASKS(2, body("another"));
	s.conf.milters[0].order = s.conf.milters[2].order = ORDER_FREE;
	message(MTA_POSTFIX);
	deliver();
	expect_sent("REPLBODY 4 bytes \"free\" | CONTINUE");
	cr_expect_eq(board_sum(s.env.board, COUNT_EDITS_DROPPED), 1);
}

/* Large bodies go out in packets both MTAs take. */
Test(deliver, large_body)
{
	static char text[100001];
	struct slice packet;
	struct buf in;
	size_t whole = 0;
	char *room;
	ssize_t n;

	memset(text, 'b', sizeof(text) - 1);
	ASKS(0, body("head"));
	message(MTA_POSTFIX);
	cr_assert_eq(body_add(&s.chain.members[0].edits.body,
			      slice_str(text)),
		     BODY_OK);
	deliver();
	buf_init(&in, 1 << 22);
	while ((room = buf_room(&in, 65536)) &&
	       (n = read(other, room, 65536)) > 0)
		buf_added(&in, (size_t)n);
	while (frame_peek(&in, 65536, &packet) == FRAME_OK) {
		whole += packet.data[0] == 'b' ? packet.len - 1 : 0;
		frame_skip(&in, packet);
	}
	cr_expect_eq(buf_len(&in), 0);
	cr_expect_eq(whole, 100004);
	buf_deinit(&in);
}

Test(deliver, the_mta_is_gone)
{
	ASKS(0, add("X-A", "a"));
	message(MTA_POSTFIX);
	cr_assert(deliver_quarantine(&s.chain, &reasons));
	cr_assert(deliver_prepare(&s.chain));
	shutdown(other, SHUT_RDWR);
	cr_expect_not(deliver_send(&s.chain, &mta, reasons, &sent));
	cr_expect(mta.lost);
}

/* The spool cannot be read back: half a message may not count. */
Test(deliver, the_new_body_is_gone)
{
	static char text[200];

	memset(text, 'b', sizeof(text) - 1);
	s.conf.message_memory = 100;
	s.conf.spool_directory = "/tmp";
	ASKS(0, body(text));
	message(MTA_POSTFIX);
	cr_assert_geq(s.chain.members[0].edits.body.own.fd, 0);
	cr_assert_eq(ftruncate(s.chain.members[0].edits.body.own.fd, 0), 0);
	expect_log(LOG_LEVEL_ERROR, "could not read the new body back");
	cr_assert(deliver_prepare(&s.chain));
	cr_expect_not(deliver_send(&s.chain, &mta, SLICE_EMPTY, &sent));
	cr_expect(mta.lost);
	expect_sent("");
}
