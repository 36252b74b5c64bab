#include "worker/journal.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "shared/milter.h"

static struct arena session, message;
static struct journal journal;

static void begin(void)
{
	arena_init(&session, 1 << 20);
	arena_init(&message, 1 << 24);
	journal_init(&journal, &session, &message, 65536);
}

static void end(void)
{
	journal_deinit(&journal);
	arena_deinit(&session);
	arena_deinit(&message);
}

TestSuite(journal, .init = begin, .fini = end);

static void macros(char letter, struct slice pairs)
{
	const struct command_macro m = { letter, pairs };

	cr_assert(journal_macro(&journal, &m));
}

static void connect_from(const char *host)
{
	const struct command_connect c = { .host = slice_str(host),
					   .family = '4',
					   .port = 25,
					   .address = SLICE_LIT("192.0.2.7") };

	cr_assert(journal_connect(&journal, &c));
}

static void mail_from(const char *address)
{
	const struct command_envelope e = { slice_str(address),
					    SLICE_LIT("SIZE=1\0") };

	cr_assert(journal_mail(&journal, &e));
}

static void rcpt_to(const char *address)
{
	const struct command_envelope e = { slice_str(address), SLICE_EMPTY };

	cr_assert(journal_rcpt(&journal, &e));
}

static void end_message(void)
{
	journal_end_message(&journal);
	arena_reset(&message);
}

static void expect_macros(struct journal_macros m, bool came,
			  struct slice pairs)
{
	cr_expect_eq(m.came, came);
	cr_expect(slice_equal(m.pairs, pairs), "%zu bytes of macros instead "
		  "of %zu", m.pairs.len, pairs.len);
}

#define J_MX SLICE_LIT("j\0mx\0")
#define I_Q1 SLICE_LIT("i\0Q1\0")
#define I_Q2 SLICE_LIT("i\0Q2\0")

Test(journal, connect_with_its_macros)
{
	macros('C', J_MX);
	cr_expect(slice_equal(journal_waiting(&journal, STAGE_CONNECT), J_MX));
	cr_expect_not(journal.has_connect);
	connect_from("mx.example");
	cr_expect(journal.has_connect);
	cr_expect(slice_is(journal.connect.host, "mx.example"));
	cr_expect(slice_is(journal.connect.address, "192.0.2.7"));
	cr_expect_eq(journal.connect.port, 25);
	expect_macros(journal.connect_macros, true, J_MX);
	cr_expect_eq(journal_waiting(&journal, STAGE_CONNECT).len, 0);
}

Test(journal, text_is_copied)
{
	char host[] = "mx.example", from[] = "<a@b>";

	connect_from(host);
	mail_from(from);
	host[0] = from[1] = '?';
	cr_expect(slice_is(journal.connect.host, "mx.example"));
	cr_expect(slice_is(journal.mail.address, "<a@b>"));
	cr_expect(slice_equal(journal.mail.args, SLICE_LIT("SIZE=1\0")));
}

/* No packet is not the same as one without macros: a child gets it or not. */
Test(journal, no_packet_and_an_empty_one)
{
	connect_from("a");
	expect_macros(journal.connect_macros, false, SLICE_EMPTY);
	macros('M', SLICE_EMPTY);
	mail_from("<a>");
	expect_macros(journal.mail_macros, true, SLICE_EMPTY);
}

Test(journal, a_second_packet_replaces_the_first)
{
	macros('M', I_Q1);
	macros('R', J_MX);
	macros('M', I_Q2);
	mail_from("<a>");
	rcpt_to("<b>");
	expect_macros(journal.mail_macros, true, I_Q2);
	expect_macros(journal.rcpts[0].macros, true, J_MX);
}

Test(journal, macros_are_used_once)
{
	macros('R', I_Q1);
	mail_from("<a>");
	rcpt_to("<b>");
	rcpt_to("<c>");
	expect_macros(journal.rcpts[0].macros, true, I_Q1);
	expect_macros(journal.rcpts[1].macros, false, SLICE_EMPTY);
}

Test(journal, letters_nobody_waits_for)
{
	static const char letters[] = "LBADOQKZ\0\xff";

	for (size_t i = 0; i < sizeof(letters); i++)
		macros(letters[i], I_Q1);
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		cr_expect_not(journal.is_waiting[s], "%s",
			      milter_stage_name((enum stage)s));
}

Test(journal, every_stage_keeps_its_own)
{
	static const char letters[] = "CHMRTNEU";

	for (size_t i = 0; i + 1 < sizeof(letters); i++) {
		char pairs[] = { 'x', '\0', letters[i], '\0' };

		macros(letters[i], slice_of(pairs, sizeof(pairs)));
	}
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		struct slice have = journal_waiting(&journal, (enum stage)s);

		if (s == STAGE_HEADER || s == STAGE_BODY)
			cr_expect_eq(have.len, 0);
		else
			cr_expect_eq(have.data[2],
				     milter_stage_letter((enum stage)s));
	}
}

Test(journal, forgetting_what_waits)
{
	macros('U', I_Q1);
	macros('R', I_Q1);
	journal_forget_waiting(&journal, STAGE_RCPT);
	cr_expect_eq(journal_waiting(&journal, STAGE_RCPT).len, 0);
	cr_expect_eq(journal_waiting(&journal, STAGE_UNKNOWN).len, 5);
	mail_from("<a>");
	rcpt_to("<b>");
	expect_macros(journal.rcpts[0].macros, false, SLICE_EMPTY);
}

/* Beyond macros_max whole pairs are dropped from the end. */
Test(journal, macros_max)
{
	static const struct {
		uint64_t max;
		size_t want;
	} cases[] = { { 100, 15 }, { 15, 15 }, { 14, 10 }, { 10, 10 },
		      { 9, 5 },	   { 5, 5 },   { 4, 0 },   { 0, 0 } };
	static const char pairs[] = "a\0"
				    "11\0b\0"
				    "22\0c\0"
				    "33";

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		journal.macros_max = cases[i].max;
		macros('M', slice_of(pairs, sizeof(pairs)));
		cr_expect_eq(journal_waiting(&journal, STAGE_MAIL).len,
			     cases[i].want, "max %d", (int)cases[i].max);
		cr_expect(journal.is_waiting[STAGE_MAIL]);
	}
}

Test(journal, helo_again)
{
	cr_expect_eq(journal.helo_count, 0);
	macros('H', I_Q1);
	cr_assert(journal_helo(&journal, SLICE_LIT("first.example")));
	cr_expect_eq(journal.helo_count, 1);
	cr_expect(slice_is(journal_helo_name(&journal), "first.example"));
	expect_macros(journal_helo_macros(&journal), true, I_Q1);
	cr_assert(journal_helo(&journal, SLICE_LIT("b")));
	cr_expect_eq(journal.helo_count, 2);
	cr_expect(slice_is(journal_helo_name(&journal), "b"));
	expect_macros(journal_helo_macros(&journal), false, SLICE_EMPTY);
}

/* A client may say it for ever: it costs no memory. */
Test(journal, helo_without_end)
{
	char name[1000];

	memset(name, 'h', sizeof(name));
	for (int i = 0; i < 5000; i++) {
		macros('H', I_Q1);
		cr_assert(journal_helo(&journal,
				       slice_of(name, sizeof(name))));
	}
	cr_expect_eq(journal.helo_count, 5000);
	cr_expect_leq(session.used, 1 << 16);
}

Test(journal, recipients)
{
	mail_from("<a>");
	for (int i = 0; i < 100; i++) {
		char to[20], pairs[] = "i\0xx";

		snprintf(to, sizeof(to), "<%d@b>", i);
		pairs[2] = (char)('0' + i / 10);
		pairs[3] = (char)('0' + i % 10);
		macros('R', slice_of(pairs, sizeof(pairs)));
		rcpt_to(to);
		cr_expect_eq(journal.rcpts[i].state, RCPT_AT_HAND);
		journal_rcpt_answered(&journal, i % 3 != 0, i % 3 ? -1 : 7);
	}
	cr_expect_eq(journal.rcpt_count, 100);
	cr_expect_eq(journal.rcpt_accepted, 66);
	for (int i = 0; i < 100; i++) {
		const struct journal_rcpt *r = &journal.rcpts[i];
		char to[20], pairs[] = "i\0xx";

		snprintf(to, sizeof(to), "<%d@b>", i);
		pairs[2] = (char)('0' + i / 10);
		pairs[3] = (char)('0' + i % 10);
		cr_expect(slice_is(r->envelope.address, to));
		expect_macros(r->macros, true, slice_of(pairs, sizeof(pairs)));
		cr_expect_eq(r->state,
			     i % 3 ? RCPT_ACCEPTED : RCPT_REFUSED);
		cr_expect_eq(r->refused_by, i % 3 ? -1 : 7);
	}
}

Test(journal, data_and_the_ends)
{
	mail_from("<a>");
	macros('T', I_Q1);
	macros('N', J_MX);
	macros('E', I_Q2);
	cr_expect_not(journal.has_data);
	cr_assert(journal_data(&journal));
	cr_assert(journal_eoh(&journal));
	cr_assert(journal_eom(&journal));
	cr_expect(journal.has_data);
	expect_macros(journal.data_macros, true, I_Q1);
	expect_macros(journal.eoh_macros, true, J_MX);
	expect_macros(journal.eom_macros, true, I_Q2);
}

Test(journal, the_message_ends_the_connection_stays)
{
	macros('C', J_MX);
	connect_from("a");
	macros('H', J_MX);
	cr_assert(journal_helo(&journal, SLICE_LIT("h")));
	mail_from("<a>");
	macros('R', I_Q1);
	rcpt_to("<b>");
	journal_rcpt_answered(&journal, true, -1);
	cr_assert(journal_data(&journal));
	macros('E', I_Q1);
	cr_assert(journal_eom(&journal));
	end_message();
	cr_expect_not(journal.has_mail);
	cr_expect_not(journal.has_data);
	cr_expect_eq(journal.rcpt_count, 0);
	cr_expect_eq(journal.rcpt_accepted, 0);
	expect_macros(journal.eom_macros, false, SLICE_EMPTY);
	expect_macros(journal.mail_macros, false, SLICE_EMPTY);
	cr_expect(journal.has_connect);
	expect_macros(journal.connect_macros, true, J_MX);
	expect_macros(journal_helo_macros(&journal), true, J_MX);
	mail_from("<c>");
	rcpt_to("<d>");
	cr_expect(slice_is(journal.rcpts[0].envelope.address, "<d>"));
	expect_macros(journal.rcpts[0].macros, false, SLICE_EMPTY);
}

/*
 * MAIL inside a transaction aborts it, but the macros of that MAIL have come
 * before it; what waited for the rest of the old message is gone.
 */
Test(journal, macros_of_mail_survive_an_implicit_abort)
{
	mail_from("<old>");
	macros('R', I_Q1);
	macros('E', I_Q1);
	macros('M', I_Q2);
	end_message();
	mail_from("<new>");
	rcpt_to("<b>");
	cr_assert(journal_eom(&journal));
	expect_macros(journal.mail_macros, true, I_Q2);
	expect_macros(journal.rcpts[0].macros, false, SLICE_EMPTY);
	expect_macros(journal.eom_macros, false, SLICE_EMPTY);
}

/* The same with HELO inside a transaction. */
Test(journal, macros_of_helo_survive_an_implicit_abort)
{
	mail_from("<old>");
	macros('H', I_Q2);
	end_message();
	cr_assert(journal_helo(&journal, SLICE_LIT("again")));
	expect_macros(journal_helo_macros(&journal), true, I_Q2);
}

Test(journal, reset_forgets_all)
{
	connect_from("a");
	cr_assert(journal_helo(&journal, SLICE_LIT("h")));
	mail_from("<a>");
	macros('C', I_Q1);
	macros('M', I_Q1);
	journal_reset(&journal);
	cr_expect_not(journal.has_connect);
	cr_expect_eq(journal.helo_count, 0);
	cr_expect_eq(journal_helo_name(&journal).len, 0);
	cr_expect_not(journal.has_mail);
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		cr_expect_not(journal.is_waiting[s]);
	connect_from("b");
	expect_macros(journal.connect_macros, false, SLICE_EMPTY);
}

Test(journal, no_memory)
{
	const struct command_envelope e = { SLICE_LIT("<a@b>"), SLICE_EMPTY };
	struct arena small;

	arena_init(&small, 1);
	journal.message = &small;
	macros('T', I_Q1);
	cr_expect_not(journal_mail(&journal, &e));
	cr_expect_not(journal.has_mail);
	cr_expect_not(journal_rcpt(&journal, &e));
	cr_expect_eq(journal.rcpt_count, 0);
	cr_expect_not(journal_data(&journal));
	cr_expect_not(journal.has_data);
	journal.session = &small;
	cr_expect_not(journal_connect(
		&journal, &(struct command_connect){ .host = SLICE_LIT("a") }));
	cr_expect_not(journal.has_connect);
	arena_deinit(&small);
}
