#include "tool/top.h"

#include <stdio.h>
#include <time.h>

#include "tool/report.h"

/* ---- rates ---- */

static uint64_t noes_of(const struct numbers_milter *m)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < STAGE_COUNT; s++)
		sum += m->answer[s][ANSWERED_REJECT] +
		       m->answer[s][ANSWERED_TEMPFAIL] +
		       m->answer[s][ANSWERED_DISCARD];
	return sum;
}

static void compute_milter(const struct numbers_milter *now,
			   const struct numbers_milter *d, double seconds,
			   struct top_milter *out)
{
	struct histogram meanwhile, all;

	numbers_latency(d, &meanwhile);
	numbers_latency(now, &all);
	*out = (struct top_milter){
		.now = now,
		.messages = (double)d->counter[MILTER_APPLIED] / seconds,
		.noes = (double)noes_of(d) / seconds,
		.failures = (double)numbers_failures(d) / seconds,
		.p50 = histogram_quantile(&meanwhile, 0.5),
		.p99 = histogram_quantile(&meanwhile, 0.99),
		.all_p50 = histogram_quantile(&all, 0.5),
		.all_p99 = histogram_quantile(&all, 0.99),
	};
}

void top_compute(const struct numbers *now, const struct numbers *before,
		 struct numbers *difference, struct top *t_out)
{
	*difference = *now;
	*t_out = (struct top){ .now = now, .is_all = true };
	if (before && now->time > before->time &&
	    numbers_subtract(difference, before))
		t_out->is_all = false;
	t_out->seconds = t_out->is_all ?
				 (double)now->uptime :
				 (double)(now->time - before->time) / 1e6;
	if (t_out->seconds <= 0)
		t_out->seconds = 1;
	t_out->sessions =
		(double)difference->counter[COUNT_SESSIONS] / t_out->seconds;
	t_out->messages =
		(double)difference->counter[COUNT_MESSAGES] / t_out->seconds;
	t_out->bytes =
		(double)difference->counter[COUNT_BYTES] / t_out->seconds;
	for (unsigned i = 0; i < OUTCOMES; i++)
		t_out->outcomes[i] =
			(double)numbers_outcome(difference,
						(enum board_outcome)i) /
			t_out->seconds;
	for (size_t i = 0; i < now->milter_count; i++)
		compute_milter(&now->milter[i], &difference->milter[i],
			       t_out->seconds, &t_out->milters[i]);
}

/* ---- the picture ---- */

static void print_rate(double rate, char *text, size_t size)
{
	if (rate == 0)
		snprintf(text, size, "-");
	else
		snprintf(text, size, "%.*f",
			 rate < 10  ? 2 :
			 rate < 100 ? 1 :
				      0,
			 rate);
}

static bool print_clock(const struct top *t, struct buf *out)
{
	time_t at = (time_t)(t->now->time / 1000000);
	uint64_t up = t->now->uptime;
	char text[20] = "?";
	struct tm tm;

	if (localtime_r(&at, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	return buf_printf(out, "sekishod %s  %s  up %llud %02llu:%02llu:%02llu",
			  t->now->version, text, (unsigned long long)up / 86400,
			  (unsigned long long)up / 3600 % 24,
			  (unsigned long long)up / 60 % 60,
			  (unsigned long long)up % 60) &&
	       (t->is_all ? buf_printf(out, "  rates since the start\n") :
			    buf_printf(out, "  rates of %.1f s\n", t->seconds));
}

static bool print_head(const struct top *t, struct buf *out)
{
	char sessions[24], messages[24], rate[24];
	bool ok = print_clock(t, out) && buf_printf(out, "workers");

	for (unsigned i = SLOT_STARTING; ok && i < SLOT_STATES; i++)
		ok = buf_printf(out, "  %s %llu", board_state_name(i),
				(unsigned long long)t->now->workers[i]);
	print_rate(t->sessions, sessions, sizeof(sessions));
	print_rate(t->messages, messages, sizeof(messages));
	print_rate(t->bytes / 1024, rate, sizeof(rate));
	ok = ok && buf_printf(out,
			      "\na second: sessions %s  messages %s  "
			      "KiB %s\nof these",
			      sessions, messages, rate);
	for (unsigned i = 0; ok && i < OUTCOMES; i++) {
		print_rate(t->outcomes[i], rate, sizeof(rate));
		ok = buf_printf(out, "  %s %s", board_outcome_name(i), rate);
	}
	return ok && buf_printf(out, "\n\n");
}

/* "percent 5" would be too wide for 80 columns. */
static void print_mode(const struct conf_switch *mode, char *text, size_t size)
{
	if (mode->mode == MODE_PERCENT)
		snprintf(text, size, "%u%%", mode->percent);
	else
		snprintf(text, size, "%s", conf_mode_name(mode->mode));
}

static bool print_milter(const struct top_milter *m, struct buf *out)
{
	char mode[CONF_SWITCH_TEXT], messages[24], noes[24], failures[24];
	char p50[REPORT_TIME], p99[REPORT_TIME];
	char all_p50[REPORT_TIME], all_p99[REPORT_TIME];

	print_mode(&m->now->mode, mode, sizeof(mode));
	print_rate(m->messages, messages, sizeof(messages));
	print_rate(m->noes, noes, sizeof(noes));
	print_rate(m->failures, failures, sizeof(failures));
	report_time(m->p50, p50);
	report_time(m->p99, p99);
	report_time(m->all_p50, all_p50);
	report_time(m->all_p99, all_p99);
	return buf_printf(
		out, "%-13s %-8s %-6s %5s %5s %5s %6s %6s %6s %6s %4llu\n",
		m->now->name, mode, breaker_state_name(m->now->breaker),
		messages, noes, failures, p50, p99, all_p50, all_p99,
		(unsigned long long)m->now->connections);
}

static const char *const bold = "\033[1m", *const plain = "\033[0m";

static bool print_all(const struct top *t, struct slice workers, bool is_screen,
		      struct buf *out)
{
	bool ok = print_head(t, out);

	ok = ok &&
	     buf_printf(out,
			"%s%-13s %-8s %-6s %5s %5s %5s %6s %6s %6s %6s %4s%s\n",
			is_screen ? bold : "", "MILTER", "MODE", "BREAK",
			"MSG/S", "NO/S", "ERR/S", "P50", "P99", "P50ALL",
			"P99ALL", "CONN", is_screen ? plain : "");
	for (size_t i = 0; ok && i < t->now->milter_count; i++)
		ok = print_milter(&t->milters[i], out);
	return ok && (workers.len == 0 ||
		      (buf_add_byte(out, '\n') && buf_add(out, workers)));
}

/* A line as far as it fits; what only moves the pen has no width. */
static bool add_line(struct slice line, unsigned columns, struct buf *out)
{
	unsigned width = 0;
	bool in_escape = false, ok = true;

	for (size_t i = 0; ok && i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];

		if (c == '\033')
			in_escape = true;
		/* Bytes inside a character of UTF-8 take no room. */
		else if (!in_escape && (c & 0xc0) != 0x80 &&
			 ++width > columns && columns)
			continue;
		ok = in_escape || !columns || width <= columns ?
			     buf_add_byte(out, (char)c) :
			     true;
		if (in_escape && c == 'm')
			in_escape = false;
	}
	return ok;
}

/*
 * A line is wiped before it is written: behind a full one the pen still stands
 * on its last character.
 */
static bool add_lines(struct slice rest, const struct top_size *size,
		      struct buf *out)
{
	struct slice line;
	unsigned i;
	bool ok = true;

	for (i = 0; ok && rest.len && (!size->lines || i < size->lines); i++) {
		slice_split(&rest, '\n', &line);
		if (size->is_screen)
			ok = buf_printf(out, "%s\033[K", i ? "\r\n" : "") &&
			     add_line(line, size->columns, out);
		else
			ok = add_line(line, size->columns, out) &&
			     buf_add_byte(out, '\n');
	}
	if (!size->is_screen || i == size->lines)
		return ok;
	return ok && buf_printf(out, "\r\n\033[J");
}

bool top_print(const struct top *t, struct slice workers,
	       const struct top_size *size, struct buf *out)
{
	struct buf all;
	bool ok;

	buf_init(&all, out->ceiling);
	ok = print_all(t, workers, size->is_screen, &all) &&
	     add_lines(buf_slice(&all), size, out);
	buf_deinit(&all);
	return ok;
}
