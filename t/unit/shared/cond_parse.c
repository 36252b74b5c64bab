#include "shared/cond.h"

#include <stdio.h>
#include <criterion/criterion.h>

#include "t/unit/support/cond_play.h"
#include "t/unit/support/page_end.h"

/* clang-format off */
static const struct {
	const char *text;
	size_t column;
	const char *says;
} problems[] = {
	{ "",                               1,  "a condition is missing" },
	{ "   ",                            4,  "a condition is missing" },
	{ "authenticatd",                   1,  "is \"authenticated\" meant?" },
	{ "not  s25r_lik",                  6,  "is \"s25r_like\" meant?" },
	{ "entirely_unlike_anything",       1,  "no fact or condition \"entirely_unlike_anything\"" },
	{ "nigth and true",                 1,  "is \"night\" meant?" },
	{ "authenticated and",              18, "missing at the end" },
	{ "authenticated or or true",       18, "expected, not \"or\"" },
	{ "and true",                       1,  "expected, not \"and\"" },
	{ "authenticated true",             15, "and, or is expected, not \"true\"" },
	{ "authenticated && true",          15, "write and, or" },
	{ "!authenticated",                 1,  "write not" },
	{ "(authenticated",                 1,  "never closed" },
	{ "(authenticated]",                15, "expected, not \"]\"" },
	{ "authenticated)",                 14, "closes nothing" },
	{ "()",                             2,  "expected, not \")\"" },
	{ "not",                            4,  "missing at the end" },
	{ "broken",                         11, "is \"sender\" meant?" },
	{ "loops",                          1,  "defined by itself" },

	{ "load",                           1,  "load is a number and needs a comparison, such as load > 5" },
	{ "time and true",                  1,  "in 08:00-20:00" },
	{ "weekday",                        1,  "in mon-fri" },
	{ "size",                           1,  "size < 10M" },
	{ "milter(spamass)",                1,  "= reject" },
	{ "load > many",                    8,  "\"many\" is not a number" },
	{ "load >",                         7,  "missing at the end" },
	{ "(load > )",                      9,  "missing before \")\"" },
	{ "size > 10X",                     8,  "500K, 10M or 1G" },
	{ "size in 10M-1M",                 9,  "is not a range" },
	{ "session_age > 30",               15, "30s, 5m" },
	{ "time in 8-20",                   9,  "08:00" },
	{ "time in 08:00-08:00",            9,  "is not a range" },
	{ "time in 25:00-26:00",            9,  "is not a range" },
	{ "time = 12:60",                   8,  "\"12:60\" is not a time of day" },
	{ "weekday in mon-fry",             12, "is not a range" },
	{ "weekday = someday",              11, "weekday such as mon" },
	{ "weekday < wed",                  9,  "not more or less" },
	{ "load ~ /1/",                     7,  "a regex needs text" },
	{ "authenticated in words",         15, "write it alone" },
	{ "authenticated = maybe",          17, "is yes or no" },
	{ "helo > a",                       6,  "not more or less" },
	{ "client_addr < 192.0.2.1",        13, "not more or less" },
	{ "client_addr = somewhere",        15, "192.0.2.0/24" },
	{ "client_addr in 192.0.2.7/24",    16, "is 192.0.2.0/24 meant?" },
	{ "client_addr in 192.0.2.0/33",    16, "no address or network" },
	{ "client_addr in { ::1, x }",      23, "no address or network" },
	{ "client_addr in domains",         16, "has no networks" },
	{ "client_addr in netz",            16, "is \"nets\" meant?" },
	{ "sender in nets",                 11, "has networks only" },
	{ "sender in domain",               11, "is \"domains\" meant?" },
	{ "sender in",                      10, "missing at the end" },
	{ "sender in { a, }",               16, "missing before \"}\"" },
	{ "sender in { a b }",              15, "a comma or \"}\" is expected, not \"b\"" },
	{ "sender in { a",                  14, "closing \"}\" is missing" },
	{ "sender in { '' }",               13, "empty word" },
	{ "sender == a",                    8,  "write = for" },
	{ "sender =~ /a/",                  8,  "write = for" },
	{ "sender = /a/",                   10, "behind ~" },
	{ "sender = { a }",                 10, "behind in" },
	{ "sender = \"a",                   10, "never closed" },
	{ "sender ~ a",                     10, "regex between slashes" },
	{ "sender ~ /a",                    10, "no closing" },
	{ "sender ~ /a\\/",                 10, "no closing" },
	{ "sender ~ /a/q",                  13, "is no flag" },
	{ "sender ~ /a(/",                  13, "regex:" },
	{ "sender ~ /[z-a]/",               14, "regex:" },
	{ "sender ~ /\\C/",                 13, "regex:" },
	{ "sender(x)",                      7,  "takes nothing" },

	{ "header",                         1,  "needs a name: header(\"Subject\")" },
	{ "header()",                       8,  "missing before \")\"" },
	{ "header(\"Sub ject\")",           8,  "not the name of a header" },
	{ "header(\"Subject:\")",           8,  "without colon" },
	{ "header(\"Subject\"",             17, "closing \")\" is missing" },
	{ "header(\"Subject\", x)",         17, "expected, not \",\"" },
	{ "milter(spamas) = reject",        8,  "is \"spamass\" meant?" },
	{ "milter(below) = reject",         8,  "does not stand above" },
	{ "milter(spamass) = rejected",     19, "tempfail" },
	{ "milter(spamass) = open",         19, "tempfail" },
	{ "milter(spamass) ~ /r/",          18, "a regex needs text" },
	{ "milter_header(spamass)",         22, "a comma" },
	{ "macro({x}, data-ish)",           12, "is no stage" },
	{ "macro({x}, body)",               12, "is no stage" },
	{ "lookup",                         7,  "needs a table and a fact" },
	{ "lookup(domains)",                15, "a comma and a fact" },
	{ "lookup(domain, sender)",         8,  "is \"domains\" meant?" },
	{ "lookup(domains, sendr)",         17, "is \"sender\" meant?" },
	{ "lookup(domains, load)",          17, "not looked up" },
	{ "lookup(nets, sender)",           8,  "has networks only" },
};
/* clang-format on */

Test(cond_parse, problems)
{
	struct cond_play p;

	cond_play_open(&p);
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		cr_expect_null(cond_play_parse(&p, problems[i].text), "%s",
			       problems[i].text);
		cr_expect_eq(p.problem.column, problems[i].column,
			     "\"%s\": column %zu: %s", problems[i].text,
			     p.problem.column, p.problem.text);
		cr_expect(strstr(p.problem.text, problems[i].says),
			  "\"%s\": %s", problems[i].text, p.problem.text);
	}
	cond_play_close(&p);
}

Test(cond_parse, a_problem_inside_a_condition_is_told_with_its_name)
{
	struct cond_play p;

	cond_play_open(&p);
	cr_assert_null(cond_play_parse(&p, "authenticated and broken"));
	cr_assert(slice_is(p.problem.condition, "broken"));
	cr_assert_eq(p.problem.column, 11);
	cr_assert_null(cond_play_parse(&p, "authenticated and brocken"));
	cr_assert(slice_is(p.problem.condition, ""));
	cr_assert_null(cond_play_parse(&p, "night and loops"));
	cr_assert(slice_is(p.problem.condition, "round"));
	cond_play_close(&p);
}

/* A place that is asked early may not look at what comes later. */
Test(cond_parse, places_have_a_last_stage)
{
	static const struct {
		const char *text;
		enum stage until;
		bool ok;
	} cases[] = {
		{ "client_addr in nets", STAGE_CONNECT, true },
		{ "night", STAGE_CONNECT, false },
		{ "recipient in domains", STAGE_CONNECT, false },
		{ "recipient in domains", STAGE_MAIL, false },
		{ "recipient in domains", STAGE_RCPT, true },
		{ "sender in domains", STAGE_MAIL, true },
		{ "header(subject) ~ /x/", STAGE_DATA, false },
		{ "size > 10M", STAGE_MAIL, false },
		{ "declared_size > 10M", STAGE_MAIL, true },
		{ "macro({x_own})", STAGE_MAIL, false },
		{ "macro({x_own}, connect)", STAGE_CONNECT, true },
		{ "macro({tls_version})", STAGE_CONNECT, false },
		{ "milter(opendkim) = accept", STAGE_MAIL, true },
		{ "lookup(domains, recipient)", STAGE_MAIL, false },
	};
	struct cond_play p;

	cond_play_open(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		p.names.until = cases[i].until;
		cr_expect_eq(cond_play_parse(&p, cases[i].text) != NULL,
			     cases[i].ok, "%s: %s", cases[i].text,
			     p.problem.text);
	}
	p.names.until = STAGE_CONNECT;
	cr_assert_null(cond_play_parse(&p, "true or recipient in words"));
	cr_assert_eq(p.problem.column, 9);
	cr_assert_str_eq(p.problem.text, "recipient is known from rcpt on, but "
					 "this is asked at connect at the "
					 "latest");
	cond_play_close(&p);
}

static void note_macro(void *context, struct slice name, enum stage stage)
{
	char *out = context;
	size_t len = strlen(out);

	snprintf(out + len, 128 - len, "%.*s@%s ", SLICE_ARG(name),
		 milter_stage_name(stage));
}

Test(cond_parse, what_a_tree_looks_at)
{
	struct cond_play p;
	const struct cond *c;
	char macros[128] = "";

	cond_play_open(&p);
	c = cond_play_parse(&p, "night and (milter(spamass) = reject or "
				"macro(i) ~ /x/ or macro({y}, mail)) and "
				"recipient in domains");
	cr_assert_not_null(c);
	cr_assert(cond_uses(c, FACT_TIME));
	cr_assert(cond_uses(c, FACT_MILTER));
	cr_assert(cond_uses(c, FACT_RECIPIENT));
	cr_assert_not(cond_uses(c, FACT_BODY));
	cr_assert(cond_uses_tables(c));
	cr_assert_eq(cond_milters(c), 2);
	cr_assert_eq(cond_known_from(c), STAGE_EOM);
	cr_assert_eq(cond_first(c), STAGE_CONNECT);
	cr_assert_eq(cond_memos(c), 5);
	cond_each_macro(c, note_macro, macros);
	cr_assert_str_eq(macros, "i@data {y}@mail ");
	c = cond_play_parse(&p, "night");
	cr_assert_eq(cond_known_from(c), STAGE_MAIL);
	cr_assert_eq(cond_first(c), STAGE_MAIL);
	cr_assert(slice_is(cond_text(c), "night"));
	cr_assert_not(cond_uses_tables(c));
	cr_assert(cond_reserved(SLICE_LIT("Sender")));
	cr_assert(cond_reserved(SLICE_LIT("not")));
	cr_assert_not(cond_reserved(SLICE_LIT("s25r")));
	cond_play_close(&p);
}

/* `part` n times, then the tail. */
static const char *repeat(char *room, const char *part, size_t n,
			  const char *tail)
{
	size_t len = strlen(part);

	for (size_t i = 0; i < n; i++)
		memcpy(room + i * len, part, len);
	memcpy(room + n * len, tail, strlen(tail) + 1);
	return room;
}

Test(cond_parse, depth_size_and_length_are_bounded)
{
	static char room[65536];
	struct cond_play p;

	cond_play_open(&p);
	cr_assert_not_null(cond_play_parse(
		&p, repeat(room, "not ", COND_DEPTH_MAX, "true")));
	cr_assert_null(cond_play_parse(
		&p, repeat(room, "not ", COND_DEPTH_MAX + 1, "true")));
	cr_assert(strstr(p.problem.text, "nested"));
	cr_assert_null(cond_play_parse(&p, repeat(room, "(", 4000, "true")));
	cr_assert(strstr(p.problem.text, "nested"));
	cr_assert_not_null(cond_play_parse(
		&p, repeat(room, "true or ", 2000, "true")));
	cr_assert_null(cond_play_parse(
		&p, repeat(room, "true or ", 2048, "true")));
	cr_assert(strstr(p.problem.text, "longer"));
	cond_play_close(&p);
}

/* Each condition names the one before twice: 2^n without a bound. */
Test(cond_parse, conditions_do_not_explode)
{
	struct cond_named list[40];
	char text[40][32];
	struct cond_play p;

	cond_play_open(&p);
	for (size_t i = 0; i < 40; i++) {
		static char names[40][8];

		snprintf(names[i], sizeof(names[i]), "c%zu", i);
		snprintf(text[i], sizeof(text[i]), "c%zu and c%zu", i - 1,
			 i - 1);
		list[i] = (struct cond_named){ slice_str(names[i]),
					       slice_str(text[i]) };
	}
	list[0].text = SLICE_LIT("authenticated");
	p.names.conditions = list;
	p.names.condition_count = 40;
	cr_assert_not_null(cond_play_parse(&p, "c8"));
	cr_assert_null(cond_play_parse(&p, "c39"));
	cr_assert(strstr(p.problem.text, "too large"), "%s", p.problem.text);
	cond_play_close(&p);
}

/* Every case of the tests, cut at each byte, against an unmapped page. */
Test(cond_parse, never_reads_past_the_end)
{
	struct cond_play p;
	struct page_end page;

	cond_play_open(&p);
	page_end_open(&page, 4096);
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		struct slice text = slice_str(problems[i].text);

		for (size_t n = 0; n <= text.len; n++) {
			struct slice cut =
				page_end_put(&page, slice_head(text, n));
			struct cond_problem problem;
			const struct cond *c = cond_parse(&p.settings, cut,
							  &p.names, &problem);

			cr_expect(c || (problem.column >= 1 &&
					problem.column <= n + 32));
		}
	}
	page_end_close(&page);
	cond_play_close(&p);
}
