#include "shared/cond.h"

#include <stdio.h>
#include <criterion/criterion.h>

#include "t/unit/support/cond_play.h"

static const char *explain(struct cond_play *p, const char *text)
{
	static char out[512];
	struct cond_reason reasons[4];
	struct cond_run run = cond_play_run(p);
	const struct cond *c = cond_play_parse(p, text);
	size_t count, len;
	enum tri is;

	cr_assert_not_null(c, "%s: %s", text, p->problem.text);
	is = cond_explain(c, &p->facts, &run, reasons, 4, &count);
	len = (size_t)snprintf(out, sizeof(out), "%c", "FT?"[is]);
	for (size_t i = 0; i < count && i < 4; i++)
		len += (size_t)snprintf(
			out + len, sizeof(out) - len, "|%.*s:%zu %.*s=%c",
			SLICE_ARG(reasons[i].condition), reasons[i].column,
			SLICE_ARG(reasons[i].text), "FT?"[reasons[i].answer]);
	if (count > 4)
		snprintf(out + len, sizeof(out) - len, "|%zu", count);
	return out;
}

/* At mail, the recipients still to come. */
Test(cond_explain, which_part_decided)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "true", "T|:1 true=T" },
		{ "authenticated", "T|:1 authenticated=T" },
		{ "load > 90 or authenticated or true",
		  "T|:14 authenticated=T" },
		{ "authenticated and load > 90 and false",
		  "F|:19 load > 90=F" },
		{ "authenticated and load >70",
		  "T|:1 authenticated=T|:19 load >70=T" },
		{ "load > 90 or load > 95", "F|:1 load > 90=F|:14 load > 95=F" },
		{ "not (load > 90  )", "T|:6 load > 90=F" },
		{ "authenticated and size > 1M", "?|:19 size > 1M=?" },
		{ "size>1M or recipient in words",
		  "?|:1 size>1M=?|:12 recipient in words=?" },
		{ "night", "T|night:1 time in 20:00-06:00=T" },
		{ "true and deep and not false",
		  "T|:1 true=T|night:1 time in 20:00-06:00=T"
		  "|s25r_like:1 client_name !~ /^mx/i=F"
		  "|s25r_like:26 client_name = unknown=F|5" },
		{ "client_addr not in nets", "F|:1 client_addr not in nets=F" },
	};
	struct cond_play p;

	cond_play_open(&p);
	cond_play_begin(&p);
	for (int i = 0; i <= STAGE_MAIL; i++)
		cond_play_stage(&p, (enum stage)i);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(explain(&p, cases[i].text), cases[i].why,
				 "%s: %s", cases[i].text,
				 explain(&p, cases[i].text));
	cond_play_close(&p);
}
