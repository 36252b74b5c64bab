#include "shared/facts.h"

#include <stdlib.h>
#include <criterion/criterion.h>

#include "shared/cond.h"

Test(facts, every_fact_has_a_row)
{
	for (size_t i = 0; i < FACT_COUNT; i++) {
		const struct fact_row *row = facts_row((enum fact)i);

		cr_assert_not_null(row->name, "fact %zu", i);
		cr_expect_leq(row->first, row->from, "%s", row->name);
		cr_expect(row->what && row->what[0], "%s", row->name);
		cr_expect_eq(facts_find(slice_str(row->name)), (enum fact)i);
		cr_expect(cond_reserved(slice_str(row->name)));
		/* Sorted, so that a newcomer finds them. */
		if (i > 0)
			cr_expect_lt(strcmp(facts_row((enum fact)(i - 1))->name,
					    row->name),
				     0, "%s", row->name);
	}
	cr_assert_eq(facts_find(SLICE_LIT("nothing")), FACT_COUNT);
	cr_assert_eq(facts_find(SLICE_LIT("SENDER")), FACT_SENDER);
	for (size_t i = 0; i < FACT_TYPE_COUNT; i++)
		cr_assert_not_null(facts_type_name((enum fact_type)i));
}

Test(facts, words_of_milters)
{
	for (int i = 1; i < FACT_MILTER_COUNT; i++)
		cr_assert_eq(facts_milter_find(slice_str(facts_milter_word(
				     (enum fact_milter)i))),
			     (enum fact_milter)i);
	cr_assert_eq(facts_milter_find(SLICE_LIT("open")), FACT_MILTER_COUNT);
	cr_assert_eq(facts_milter_find(SLICE_LIT("Reject")),
		     FACT_MILTER_REJECT);
}

Test(facts, macros_and_their_stages)
{
	cr_assert_eq(facts_macro_stage(SLICE_LIT("j")), STAGE_CONNECT);
	cr_assert_eq(facts_macro_stage(SLICE_LIT("{j}")), STAGE_CONNECT);
	cr_assert_eq(facts_macro_stage(SLICE_LIT("{auth_type}")), STAGE_MAIL);
	cr_assert_eq(facts_macro_stage(SLICE_LIT("i")), STAGE_DATA);
	cr_assert_eq(facts_macro_stage(SLICE_LIT("{trusted_domain}")),
		     STAGE_EOM);
}

static struct arena message;

static void begin(struct facts *f)
{
	arena_init(&message, 1 << 20);
	facts_init(f, false);
	facts_begin_message(f, &message);
}

Test(facts, addresses)
{
	static const struct {
		const char *written, *sender, *domain;
	} cases[] = {
		{ "<a@Example.org>", "a@Example.org", "Example.org" },
		{ "a@example.org", "a@example.org", "example.org" },
		{ "<>", "", "" },
		{ "", "", "" },
		{ "<a>", "a", "" },
		{ " <a@b> ", "a@b", "b" },
		{ "<@x,@y:a@b>", "a@b", "b" },
		{ "<\"a@b\"@c>", "\"a@b\"@c", "c" },
		{ "<@>", "@", "" },
		{ "<a@>", "a@", "" },
	};
	struct facts f;

	begin(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(facts_set_mail(&f, slice_str(cases[i].written),
					 SLICE_EMPTY));
		cr_expect(slice_is(f.values[FACT_SENDER].text, cases[i].sender),
			  "%s", cases[i].written);
		cr_expect(slice_is(f.values[FACT_SENDER_DOMAIN].text,
				   cases[i].domain),
			  "%s", cases[i].written);
	}
	arena_deinit(&message);
}

Test(facts, declared_size)
{
	static const struct {
		struct slice args;
		bool is_set;
		int64_t size;
		size_t count;
	} cases[] = {
		{ SLICE_LIT(""), false, 0, 0 },
		{ SLICE_LIT("SIZE=1234\0"), true, 1234, 1 },
		{ SLICE_LIT("BODY=8BITMIME\0size=0\0"), true, 0, 2 },
		{ SLICE_LIT("SIZE=\0"), false, 0, 1 },
		{ SLICE_LIT("SIZE=12k\0"), false, 0, 1 },
		{ SLICE_LIT("SIZE=-1\0"), false, 0, 1 },
		{ SLICE_LIT("SIZE=18446744073709551615\0"), true, INT64_MAX, 1 },
		{ SLICE_LIT("SIZE=18446744073709551616\0"), false, 0, 1 },
		{ SLICE_LIT("A\0\0B"), false, 0, 2 },
	};
	struct facts f;

	begin(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct fact_value *v = &f.values[FACT_DECLARED_SIZE];

		cr_assert(facts_set_mail(&f, SLICE_LIT("<>"), cases[i].args));
		cr_expect_eq(v->is_set, cases[i].is_set, "case %zu", i);
		cr_expect(!v->is_set || v->number == cases[i].size,
			  "case %zu", i);
		cr_expect_eq(f.sender_arg_count, cases[i].count);
	}
	arena_deinit(&message);
}

/* What belongs to the connection outlives the message, nothing else does. */
Test(facts, two_lives)
{
	struct facts f;

	begin(&f);
	facts_end_message(&f);
	facts_set_client(&f, SLICE_LIT("192.0.2.1"));
	facts_set_text(&f, FACT_HELO, SLICE_LIT("h"));
	facts_add_score(&f, 1000);
	facts_reach(&f, STAGE_HELO);
	facts_begin_message(&f, &message);
	cr_assert(facts_set_mail(&f, SLICE_LIT("<a@b>"), SLICE_LIT("SIZE=1\0")));
	for (size_t i = 0; i < 100; i++)
		cr_assert(facts_add_recipient(&f, SLICE_LIT("<r@b>")));
	facts_add_score(&f, 500);
	facts_add_size(&f, 10);
	facts_set_milter(&f, 3, FACT_MILTER_ACCEPT);
	cr_assert(facts_add_milter_header(&f, 3, SLICE_LIT("A"),
					  SLICE_LIT("b")));
	facts_set_macros(&f, STAGE_MAIL, SLICE_LIT("x\0y\0"));
	facts_set_macros(&f, STAGE_CONNECT, SLICE_LIT("c\0d\0"));
	facts_reach(&f, STAGE_EOM);
	cr_assert(facts_known(&f, FACT_SIZE));
	cr_assert_eq(f.recipients.count, 100);
	cr_assert_eq(f.values[FACT_RECIPIENT_COUNT].number, 100000);
	cr_assert_eq(f.values[FACT_SCORE].number, 1500);
	cr_assert(slice_is(f.recipients.items[99], "r@b"));

	facts_end_message(&f);
	cr_assert(facts_known(&f, FACT_CLIENT_ADDR));
	cr_assert(f.has_ip);
	cr_assert_not(facts_known(&f, FACT_SENDER));
	cr_assert(facts_reached(&f, STAGE_HELO));
	cr_assert_not(facts_reached(&f, STAGE_MAIL));
	facts_begin_message(&f, &message);
	cr_assert(slice_is(f.values[FACT_HELO].text, "h"));
	cr_assert_eq(f.values[FACT_SENDER].text.len, 0);
	cr_assert_not(f.values[FACT_DECLARED_SIZE].is_set);
	cr_assert_eq(f.recipients.count, 0);
	cr_assert_eq(f.values[FACT_RECIPIENT_COUNT].number, 0);
	cr_assert_eq(f.values[FACT_SCORE].number, 1000);
	cr_assert_eq(f.values[FACT_SIZE].number, 0);
	cr_assert_eq(f.milters[3].word, FACT_MILTER_OPEN);
	cr_assert_null(f.milters[3].headers);
	cr_assert_eq(f.macros[STAGE_MAIL].len, 0);
	cr_assert_neq(f.macros[STAGE_CONNECT].len, 0);
	arena_deinit(&message);
}

Test(facts, clients_without_an_address)
{
	static const char *const cases[] = { "", "unknown", "unix:/run/x",
					     "localhost", "192.0.2" };
	struct facts f;

	facts_init(&f, false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		facts_set_client(&f, slice_str(cases[i]));
		cr_expect_not(f.has_ip, "%s", cases[i]);
	}
	facts_set_client(&f, SLICE_LIT("::ffff:192.0.2.1"));
	cr_assert(f.has_ip && !f.ip.is_v6);
}

Test(facts, time_is_that_of_the_server)
{
	struct facts f;

	facts_init(&f, false);
	setenv("TZ", "JST-9", 1);
	tzset();
	/* 2026-11-21 15:30:05 UTC is Sunday in Japan. */
	facts_set_clock(&f, 1795275005);
	cr_assert_eq(f.values[FACT_TIME].number, 30 * 60 + 5);
	cr_assert_eq(f.values[FACT_WEEKDAY].number, 0);
}

Test(facts, numbers_do_not_overflow)
{
	struct facts f;

	begin(&f);
	facts_set_number(&f, FACT_SESSIONS, UINT64_MAX);
	cr_assert_eq(f.values[FACT_SESSIONS].number, INT64_MAX);
	facts_add_size(&f, UINT64_MAX);
	facts_add_size(&f, UINT64_MAX);
	cr_assert_eq(f.values[FACT_SIZE].number, INT64_MAX);
	facts_add_score(&f, INT64_MIN);
	facts_add_score(&f, INT64_MIN);
	cr_assert_eq(f.values[FACT_SCORE].number, INT64_MIN);
	/* No memory is said, and nothing is half there. */
	arena_deinit(&message);
	arena_init(&message, 0);
	cr_assert_not(facts_add_recipient(&f, SLICE_LIT("<a@b>")));
	cr_assert_eq(f.recipients.count, 0);
	cr_assert_not(facts_set_mail(&f, SLICE_LIT("<>"), SLICE_LIT("A\0")));
	cr_assert_eq(f.sender_arg_count, 0);
	cr_assert_not(facts_set_body(&f, SLICE_LIT("x")));
	cr_assert_not(facts_known(&f, FACT_BODY));
}
