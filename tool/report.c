#include "tool/report.h"

#include <stdio.h>
#include <time.h>

#include "tool/ctl.h"

void report_time(uint64_t us, char text[REPORT_TIME])
{
	double n = (double)us;

	if (us == 0)
		snprintf(text, REPORT_TIME, "-");
	else if (us < 1000)
		snprintf(text, REPORT_TIME, "%.0fus", n);
	else if (us < 1000000)
		snprintf(text, REPORT_TIME, "%.*fms",
			 us < 10000  ? 2 :
			 us < 100000 ? 1 :
				       0,
			 n / 1e3);
	else
		snprintf(text, REPORT_TIME, "%.*fs",
			 us < 10000000	? 2 :
			 us < 100000000 ? 1 :
					  0,
			 n / 1e6);
}

double report_share(uint64_t part, uint64_t all)
{
	return all ? (double)part / (double)all : 0;
}

/* ---- for people ---- */

static bool print_day(uint64_t at, struct buf *out)
{
	time_t t = (time_t)(at / 1000000);
	char text[40] = "?";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	return buf_printf(out, "%s", text);
}

static bool print_head(const struct report *r, struct buf *out)
{
	return buf_printf(out, "from ") && print_day(r->from, out) &&
	       buf_printf(out, " to ") && print_day(r->n->time, out) &&
	       buf_printf(out, " (%.0f s%s)\n\n",
			  (double)(r->n->time - r->from) / 1e6,
			  r->is_all ? ", since the server was started" : "");
}

static bool print_times(const struct histogram *h, struct buf *out)
{
	char p50[REPORT_TIME], p95[REPORT_TIME], p99[REPORT_TIME];
	char max[REPORT_TIME];

	report_time(histogram_quantile(h, 0.5), p50);
	report_time(histogram_quantile(h, 0.95), p95);
	report_time(histogram_quantile(h, 0.99), p99);
	report_time(histogram_quantile(h, 1), max);
	return buf_printf(out, " %7s %7s %7s %7s\n", p50, p95, p99, max);
}

static bool print_verdict(const struct numbers *n, unsigned outcome,
			  uint64_t all, struct buf *out)
{
	for (unsigned c = 0; c < CAUSES; c++)
		for (unsigned s = 0; s < STAGE_COUNT; s++) {
			uint64_t v = n->verdict[s][outcome][c];

			if (v &&
			    !buf_printf(out, "%-10s %-7s %-8s %9llu %6.2f%%\n",
					board_outcome_name(outcome),
					board_cause_name(c),
					milter_stage_name((enum stage)s),
					(unsigned long long)v,
					100 * report_share(v, all)))
				return false;
		}
	return true;
}

static bool print_messages(const struct numbers *n, struct buf *out)
{
	uint64_t all = numbers_messages(n);
	bool ok = buf_printf(out, "%-10s %-7s %-8s %9s %7s\n", "OUTCOME",
			     "CAUSE", "STAGE", "MESSAGES", "SHARE");

	for (unsigned o = 0; ok && o < OUTCOMES; o++)
		ok = print_verdict(n, o, all, out);
	return ok && buf_printf(out, "%-10s %-7s %-8s %9llu\n\n", "all", "", "",
				(unsigned long long)all);
}

static bool print_waits(const struct numbers *n, struct buf *out)
{
	const struct histogram *whole = &n->wait[STAGE_COUNT];
	bool ok = buf_printf(out, "%-18s %9s %7s %7s %7s %7s\n",
			     "THE MTA WAITED AT", "TIMES", "P50", "P95", "P99",
			     "MAX");

	for (unsigned s = 0; ok && s < STAGE_COUNT; s++)
		if (n->wait[s].count)
			ok = buf_printf(out, "%-18s %9llu",
					milter_stage_name((enum stage)s),
					(unsigned long long)n->wait[s].count) &&
			     print_times(&n->wait[s], out);
	return ok &&
	       buf_printf(out, "%-18s %9llu", "whole messages",
			  (unsigned long long)whole->count) &&
	       print_times(whole, out) && buf_add_byte(out, '\n');
}

static bool print_stage(const struct numbers_milter *m, enum stage stage,
			struct buf *out)
{
	uint64_t all = numbers_answers(m, stage);
	bool ok = buf_printf(out, "%-16s %-7s %9llu", m->name,
			     milter_stage_name(stage), (unsigned long long)all);

	for (unsigned a = 0; ok && a < BOARD_ANSWERS; a++)
		ok = m->answer[stage][a] ?
			     buf_printf(out, " %7.2f%%",
					100 * report_share(m->answer[stage][a],
							   all)) :
			     buf_printf(out, " %8s", "-");
	return ok && print_times(&m->latency[stage], out);
}

static bool print_answers(const struct numbers *n, struct buf *out)
{
	bool ok =
		buf_printf(out, "%-16s %-7s %9s", "MILTER", "STAGE", "ANSWERS");

	for (unsigned a = 0; ok && a < BOARD_ANSWERS; a++)
		ok = buf_printf(out, " %8s", board_answer_name(a));
	ok = ok &&
	     buf_printf(out, " %7s %7s %7s %7s\n", "P50", "P95", "P99", "MAX");
	for (size_t i = 0; ok && i < n->milter_count; i++)
		for (unsigned s = 0; ok && s < STAGE_COUNT; s++)
			if (numbers_answers(&n->milter[i], (enum stage)s))
				ok = print_stage(&n->milter[i], (enum stage)s,
						 out);
	return ok && buf_add_byte(out, '\n');
}

/* What is not a matter of stages. */
static bool print_milters(const struct numbers *n, struct buf *out)
{
	bool ok = buf_printf(out, "%-16s %9s %8s %8s %8s %8s %8s %8s %8s\n",
			     "MILTER", "MESSAGES", "decided", "skipped",
			     "failed", "without", "edits", "waits", "opened");

	for (size_t i = 0; ok && i < n->milter_count; i++) {
		const struct numbers_milter *m = &n->milter[i];
		const uint64_t *c = m->counter;
		unsigned long long skipped = 0;

		for (unsigned k = MILTER_SKIPPED_CONDITION;
		     k <= MILTER_SKIPPED_OTHER; k++)
			skipped += c[k];
		ok = buf_printf(
			out,
			"%-16s %9llu %8llu %8llu %8llu %8llu %8llu %8llu "
			"%8llu\n",
			m->name, (unsigned long long)c[MILTER_APPLIED],
			(unsigned long long)c[MILTER_DECIDED], skipped,
			(unsigned long long)numbers_failures(m),
			(unsigned long long)c[MILTER_PASSED_WITHOUT],
			(unsigned long long)c[MILTER_EDITS],
			(unsigned long long)c[MILTER_WAITS],
			(unsigned long long)c[MILTER_OPENED]);
	}
	return ok;
}

bool report_print(const struct report *r, struct buf *out)
{
	return print_head(r, out) && print_messages(r->n, out) &&
	       print_waits(r->n, out) && print_answers(r->n, out) &&
	       print_milters(r->n, out);
}
