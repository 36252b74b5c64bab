#include "tool/report.h"

/* A table for all, so that a spreadsheet can pivot it. */

static bool csv_times(const struct histogram *h, struct buf *out)
{
	return buf_printf(out, ",%.6f,%.6f,%.6f,%.6f\n",
			  (double)histogram_quantile(h, 0.5) / 1e6,
			  (double)histogram_quantile(h, 0.95) / 1e6,
			  (double)histogram_quantile(h, 0.99) / 1e6,
			  (double)histogram_quantile(h, 1) / 1e6);
}

static bool csv_messages(const struct numbers *n, struct buf *out)
{
	uint64_t all = numbers_messages(n);

	for (unsigned o = 0; o < OUTCOMES; o++)
		for (unsigned c = 0; c < CAUSES; c++)
			for (unsigned s = 0; s < STAGE_COUNT; s++) {
				uint64_t v = n->verdict[s][o][c];

				if (v &&
				    !buf_printf(
					    out,
					    "messages,,%s,%s,%s,%llu,%.6f"
					    ",,,,\n",
					    milter_stage_name((enum stage)s),
					    board_outcome_name(o),
					    board_cause_name(c),
					    (unsigned long long)v,
					    report_share(v, all)))
					return false;
			}
	return true;
}

static bool csv_waits(const struct numbers *n, struct buf *out)
{
	bool ok = true;

	for (unsigned s = 0; ok && s <= STAGE_COUNT; s++)
		if (n->wait[s].count)
			ok = buf_printf(
				     out, "waits,,%s,,,%llu,",
				     s < STAGE_COUNT ?
					     milter_stage_name((enum stage)s) :
					     "message",
				     (unsigned long long)n->wait[s].count) &&
			     csv_times(&n->wait[s], out);
	return ok;
}

static bool csv_stage(const struct numbers_milter *m, enum stage stage,
		      struct buf *out)
{
	uint64_t all = numbers_answers(m, stage);
	const char *name = milter_stage_name(stage);
	bool ok = true;

	for (unsigned a = 0; ok && a < BOARD_ANSWERS; a++)
		if (m->answer[stage][a])
			ok = buf_printf(out,
					"answers,%s,%s,%s,,%llu,%.6f,,,,\n",
					m->name, name, board_answer_name(a),
					(unsigned long long)m->answer[stage][a],
					report_share(m->answer[stage][a], all));
	if (ok && m->latency[stage].count)
		ok = buf_printf(out, "times,%s,%s,,,%llu,", m->name, name,
				(unsigned long long)m->latency[stage].count) &&
		     csv_times(&m->latency[stage], out);
	return ok;
}

static bool csv_counters(const struct numbers_milter *m, struct buf *out)
{
	bool ok = true;

	for (unsigned c = 0; ok && c < BOARD_MILTER_COUNTERS; c++)
		ok = buf_printf(
			out, "milter,%s,,%s,,%llu,,,,,\n", m->name,
			numbers_milter_name((enum board_milter_counter)c),
			(unsigned long long)m->counter[c]);
	return ok;
}

bool report_print_csv(const struct report *r, struct buf *out)
{
	const struct numbers *n = r->n;
	bool ok = buf_printf(out, "kind,milter,stage,what,cause,count,share,"
				  "p50_s,p95_s,p99_s,max_s\n");

	ok = ok && csv_messages(n, out) && csv_waits(n, out);
	for (size_t i = 0; ok && i < n->milter_count; i++) {
		ok = csv_counters(&n->milter[i], out);
		for (unsigned s = 0; ok && s < STAGE_COUNT; s++)
			ok = csv_stage(&n->milter[i], (enum stage)s, out);
	}
	return ok;
}
