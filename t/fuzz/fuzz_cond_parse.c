/*
 * fuzz_cond_parse - any text as a condition
 *
 * It is one, or it is refused with a column inside it and words.  What is one
 * is evaluated at every stage of a made-up session, with and without a memory
 * of the stage before: both agree, nothing known becomes unknown or another,
 * and from the stage that it says on it is known.
 */
#include "shared/log.h"
#include "t/unit/support/cond_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct cond_play *p, const struct cond *c)
{
	struct cond_reason reasons[8];
	struct cond_run run;
	char a[16];
	size_t count;

	cond_play_answers(p, c, a);
	BUG_IF(a[0] == 'd');
	for (size_t i = 0; i < COND_PLAY_STAGES; i++) {
		BUG_IF(i && a[i - 1] != '?' && a[i] != a[i - 1]);
		/* No message is smaller than nothing: that is known early. */
		BUG_IF(i < cond_first(c) && a[i] != '?' &&
		       !cond_uses(c, FACT_SIZE) &&
		       !cond_uses(c, FACT_RECIPIENT_COUNT));
		BUG_IF(i >= cond_known_from(c) && a[i] == '?' &&
		       !cond_milters(c));
	}
	run = cond_play_run(p);
	BUG_IF("FT?"[cond_explain(c, &p->facts, &run, reasons, 8, &count)] !=
	       a[COND_PLAY_STAGES - 1]);
	BUG_IF(count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cond_play p;
	const struct cond *c;

	if (size > 4096)
		return 0;
	cond_play_open(&p);
	c = cond_parse(&p.settings, slice_of(data, size), &p.names, &p.problem);
	if (c)
		check(&p, c);
	else
		BUG_IF(p.problem.column < 1 || !p.problem.text[0] ||
		       (p.problem.condition.len == 0 &&
			p.problem.column > size + 1));
	cond_play_close(&p);
	return 0;
}
