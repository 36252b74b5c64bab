#include "tool/mta_message.h"

#include <criterion/criterion.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct arena arena;
static struct report report;
static struct eml eml;
static struct buf out;

static const char message[] = "From: a\nSubject:s\nX: 1\nX: 2\n\nbody\n";

static void begin(void)
{
	arena_init(&arena, (size_t)1024 * 1024);
	buf_init(&out, 65536);
	report_init(&report);
	report_begin(&report, 1, 1);
	report_rcpt(&report, SLICE_LIT("<B@x>"), FATE_ACCEPTED);
	report_rcpt(&report, SLICE_LIT("<no@x>"), FATE_REJECTED);
	cr_assert(eml_parse(&arena, slice_str(message), &eml));
}

static void end(void)
{
	report_deinit(&report);
	buf_deinit(&out);
	arena_deinit(&arena);
}

TestSuite(mta_message, .init = begin, .fini = end);

static void header_edit(enum answer_kind kind, uint32_t index, const char *name,
			const char *value)
{
	struct answer a = { .kind = kind };

	a.header.index = index;
	a.header.name = slice_str(name);
	a.header.value = slice_str(value);
	report_edit(&report, &a);
}

static void address_edit(enum answer_kind kind, const char *address)
{
	struct answer a = { .kind = kind };

	a.address.address = slice_str(address);
	report_edit(&report, &a);
}

static void body_edit(const char *text)
{
	struct answer a = { .kind = ANSWER_REPLBODY };

	a.body = slice_str(text);
	report_edit(&report, &a);
}

static void expect_message(enum mta mta, bool has_leadspc, const char *wanted)
{
	cr_assert(mta_message_edit(&report, &eml, mta, has_leadspc, &out));
	cr_expect(slice_is(buf_slice(&out), wanted), "%.*s",
		  SLICE_ARG(buf_slice(&out)));
}

Test(mta_message, untouched)
{
	expect_message(MTA_POSTFIX, false,
		       "From: a\r\nSubject:s\r\nX: 1\r\nX: 2\r\n\r\nbody\r\n");
	cr_expect_eq(report.body_size, 6);
	cr_expect_not(report.is_body_replaced);
}

Test(mta_message, headers)
{
	header_edit(ANSWER_INSHEADER, 0, "Top", "t");
	header_edit(ANSWER_CHGHEADER, 1, "X", "");
	header_edit(ANSWER_CHGHEADER, 1, "X", "two");
	header_edit(ANSWER_CHGHEADER, 1, "subject", "new\n line");
	header_edit(ANSWER_ADDHEADER, 0, "Last", "l");
	expect_message(MTA_POSTFIX, false,
		       "Top: t\r\nFrom: a\r\nsubject: new\r\n line\r\n"
		       "X: two\r\nLast: l\r\n\r\nbody\r\n");
}

Test(mta_message, values_bring_their_blank_with_leadspc)
{
	header_edit(ANSWER_ADDHEADER, 0, "A", " a");
	header_edit(ANSWER_ADDHEADER, 0, "B", "b");
	expect_message(MTA_POSTFIX, true,
		       "From: a\r\nSubject:s\r\nX: 1\r\nX: 2\r\nA: a\r\nB:b\r\n"
		       "\r\nbody\r\n");
}

Test(mta_message, body_in_pieces)
{
	body_edit("one ");
	body_edit("two\r\n");
	expect_message(MTA_SENDMAIL, false,
		       "From: a\r\nSubject:s\r\nX: 1\r\nX: 2\r\n\r\n"
		       "one two\r\n");
	cr_expect(report.is_body_replaced);
	cr_expect_eq(report.body_size, 9);
}

Test(mta_message, an_empty_piece_empties_the_body)
{
	body_edit("");
	expect_message(MTA_POSTFIX, false,
		       "From: a\r\nSubject:s\r\nX: 1\r\nX: 2\r\n\r\n");
	cr_expect(report.is_body_replaced);
	cr_expect_eq(report.body_size, 0);
}

Test(mta_message, recipients)
{
	static const struct {
		const char *address;
		enum fate fate;
	} wanted[] = {
		{ "<B@x>", FATE_DELETED },
		{ "<no@x>", FATE_REJECTED },
		{ "<new@x>", FATE_ADDED },
	};
	const struct report_rcpt *r;
	size_t i = 0;

	address_edit(ANSWER_ADDRCPT, "<new@x>");
	address_edit(ANSWER_ADDRCPT, "new@x");
	address_edit(ANSWER_ADDRCPT, "<>");
	address_edit(ANSWER_DELRCPT, "B@x");
	address_edit(ANSWER_DELRCPT, "<no@x>");
	cr_assert(mta_message_edit(&report, &eml, MTA_POSTFIX, false, &out));
	for (r = report.rcpts; r && i < COUNT(wanted); r = r->next, i++) {
		cr_expect(slice_is(r->address, wanted[i].address));
		cr_expect_eq(r->fate, wanted[i].fate, "%zu", i);
	}
	cr_expect_eq(i, COUNT(wanted));
	cr_expect_null(r);
	cr_expect_not_null(report.warnings);
}

Test(mta_message, case_counts_for_postfix_only)
{
	address_edit(ANSWER_DELRCPT, "<b@x>");
	cr_assert(mta_message_edit(&report, &eml, MTA_POSTFIX, false, &out));
	cr_expect_eq(report.rcpts->fate, FATE_ACCEPTED);
	cr_assert(mta_message_edit(&report, &eml, MTA_SENDMAIL, false, &out));
	cr_expect_eq(report.rcpts->fate, FATE_DELETED);
}

Test(mta_message, sender_and_quarantine)
{
	struct answer q = { .kind = ANSWER_QUARANTINE };

	address_edit(ANSWER_CHGFROM, "<first@x>");
	address_edit(ANSWER_CHGFROM, "<second@x>");
	q.text = SLICE_LIT("virus");
	report_edit(&report, &q);
	cr_assert(mta_message_edit(&report, &eml, MTA_POSTFIX, false, &out));
	cr_expect(slice_is(report.sender, "<second@x>"));
	cr_expect_eq(report.verdict, VERDICT_QUARANTINE);
	cr_expect(slice_is(report.quarantine, "virus"));
}
