#include "shared/conf.h"

#include <criterion/criterion.h>

#include "shared/cond.h"
#include "shared/rule.h"
#include "shared/table.h"
#include "t/unit/support/reading.h"

#define SECTIONS                                                        \
	"[rule r]\nwhen = c\naction = log x\naction = accept\n"        \
	"[condition c]\nis = sender in T\n"                            \
	"[table t]\nsource = inline: a\n"                              \
	MILTER "recipients = all\nwhen = recipient in t and s25r\n"

Test(conf_cond, compiles_sections_in_any_order)
{
	struct reading r;
	const struct conf *c;

	reading_good(&r, SECTIONS);
	c = r.conf;
	cr_assert_not_null(c->milters[0].when);
	cr_expect(slice_is(cond_text(c->milters[0].when),
			   "recipient in t and s25r"));
	cr_expect_eq(c->milters[0].recipients, RECIPIENTS_ALL);
	/* One was written, three are built in and named. */
	cr_expect_eq(c->condition_count, 4);
	cr_expect_not(c->conditions[0].is_builtin);
	cr_expect(c->conditions[1].is_builtin);
	cr_expect_not_null(c->conditions[0].cond);
	cr_expect_eq(c->table_count, 4);
	cr_assert_not_null(c->tables[0].table);
	cr_expect_eq(table_count(c->tables[0].table), 1);
	cr_assert_eq(c->rule_count, 1);
	cr_assert_eq(rules_count(c->rules), 1);
	cr_expect(slice_is(rules_at(c->rules, 0)->name, "r"));
	cr_expect_eq(rules_at(c->rules, 0)->action_count, 2);
	cr_expect_str_eq(conf_recipients_name(RECIPIENTS_OWN), "own");
	cr_expect_str_eq(conf_mixed_name(MIXED_DEFER), "defer");
	conf_close(c);
	reading_done(&r);
}

Test(conf_cond, tells_line_and_column_in_a_text)
{
	reading_says(MILTER "when = true\n\tand\n # between\n  nonsense and true\n",
	     "t.conf:6:3: \"when\" in [milter m]: there is no fact or condition "
	     "\"nonsense\"\n");
	reading_says(MILTER "[table t]\nsource = list:/etc/passwd\n",
	     "t.conf:4:10: table \"t\": only settings in a file can have tables "
	     "in files\n");
	reading_says(MILTER "recipients = own\n",
	     "t.conf:3: recipients = own in [milter m]: \"when\" does not look at "
	     "recipient\n");
}

/* Wherever memory ends, settings are refused and nothing worse happens. */
Test(conf_cond, refuses_sections_without_memory)
{
	bool ok = false;

	for (size_t ceiling = 64 * 1024; !ok; ceiling += 16 * 1024) {
		struct arena arena;
		struct conf_problems problems;
		const struct conf *c;

		arena_init(&arena, ceiling);
		c = conf_read_text(&arena, "t.conf", slice_str(SECTIONS),
				   &problems);
		ok = c != NULL;
		cr_expect_eq(ok, problems.count == 0);
		if (c)
			conf_close(c);
		arena_deinit(&arena);
		cr_assert_lt(ceiling, 16u << 20);
	}
}
