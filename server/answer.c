#include "server/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/clock.h"

enum right { ASKS, CHANGES };

struct answer_row {
	const char *word;
	const char *arguments;
	const char *help;
	enum right right;
	unsigned most; /* words behind the first */
	bool in_all;   /* of bare `json` */
	enum told (*text)(const struct ask *a);
	/* Into an open object; NULL: it has no JSON form. */
	enum told (*json)(const struct ask *a, struct json *j);
};

static enum told answer_help(const struct ask *a);

/* In the order in which `help` shows them. */
/* clang-format off */
static const struct answer_row rows[] = {
	{ "help",     "",                     "this list",                                       ASKS,    0, false, answer_help,    NULL },
	{ "status",   "",                     "how sekishod is doing",                           ASKS,    0, true,  answer_status,  answer_status_json },
	{ "milters",  "",                     "a line for each milter",                          ASKS,    0, true,  answer_milters, answer_milters_json },
	{ "milter",   "NAME",                 "everything about one",                            ASKS,    1, false, answer_milter,  answer_milter_json },
	{ "workers",  "",                     "a line for each worker",                          ASKS,    0, true,  answer_workers, answer_workers_json },
	{ "top",      "",                     "what moves, and who waits longest",               ASKS,    0, false, answer_top,     answer_top_json },
	{ "why",      "[QUEUEID]",            "what became of a message; or the last 20",        ASKS,    1, true,  answer_why,     answer_why_json },
	{ "config",   "[-n]",                 "the settings in force; -n: without defaults",     ASKS,    1, false, answer_config,  answer_config_json },
	{ "metrics",  "[openmetrics|prometheus]", "metrics for Prometheus",                      ASKS,    1, false, answer_metrics, NULL },
	{ "numbers",  "[since DURATION]",     "all counters, one fact a line",                   ASKS,    2, false, answer_numbers, NULL },
	{ "off",      "NAME [for DURATION]",  "a milter is not asked",                           CHANGES, 3, false, answer_switch,  NULL },
	{ "on",       "NAME [for DURATION]",  "a milter is asked, and its answers count",        CHANGES, 3, false, answer_switch,  NULL },
	{ "evaluate", "NAME [for DURATION]",  "a milter is asked, and its answers do not count", CHANGES, 3, false, answer_switch,  NULL },
	{ "percent",  "NAME N [for DURATION]", "its answers count for N of 100 clients",         CHANGES, 4, false, answer_switch,  NULL },
	{ "default",  "NAME",                 "a milter is as the settings say",                 CHANGES, 1, false, answer_switch,  NULL },
	{ "reload",   "",                     "reads the settings again",                        CHANGES, 0, false, answer_wish,    NULL },
	{ "drain",    "",                     "ends, when the messages in work are done",        CHANGES, 0, false, answer_wish,    NULL },
	{ "upgrade",  "",                     "starts the new program in place of this one",     CHANGES, 0, false, answer_wish,    NULL },
	{ "reopen",   "",                     "opens the logs anew",                             CHANGES, 0, false, answer_wish,    NULL },
};
/* clang-format on */
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static enum told answer_help(const struct ask *a)
{
	for (size_t i = 0; i < ROWS; i++) {
		char words[64];

		if (rows[i].right == CHANGES && !a->is_control)
			continue;
		snprintf(words, sizeof(words), "%s %s", rows[i].word,
			 rows[i].arguments);
		buf_printf(a->out, "%-32s %s\n", words, rows[i].help);
	}
	buf_printf(a->out, "%-32s %s\n", "json [REQUEST]",
		   "the same as JSON; without REQUEST everything");
	buf_printf(a->out, "%-32s %s\n", "GET /metrics HTTP/1.1",
		   "metrics for Prometheus");
	return TOLD_OK;
}

enum told answer_refuse(const struct ask *a, const char *format, ...)
{
	char words[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	buf_clear(a->out);
	buf_printf(a->out, "%s\n", words);
	return TOLD_ERROR;
}

/* ---- picking the row ---- */

static enum told add_json(const struct ask *a, const struct answer_row *row,
			  struct json *j)
{
	if (row)
		return row->json(a, j);
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].in_all)
			(void)rows[i].json(a, j);
	return TOLD_OK;
}

/* row NULL: all that is. */
static enum told answer_json(const struct ask *a, const struct answer_row *row)
{
	struct json j = json_begin(a->out);

	json_object(&j, NULL);
	json_number(&j, "schema", 1);
	if (add_json(a, row, &j) != TOLD_OK)
		return TOLD_ERROR;
	json_object_end(&j);
	if (!json_end(&j) || !buf_add_byte(a->out, '\n'))
		return answer_refuse(a, "the answer is too long");
	return TOLD_OK;
}

static enum told may_change(const struct ask *a)
{
	char who[PEER_TEXT];

	if (!a->is_control)
		return answer_refuse(a,
				     "this socket only answers: use the control socket");
	if (peer_may_change(&a->peer, a->view->conf->control_group))
		return TOLD_OK;
	peer_print(&a->peer, who);
	return answer_refuse(a,
			     "%s may not change anything: see control_group",
			     who);
}

static enum told run(const struct ask *a, const struct answer_row *row)
{
	if (a->request.count > row->most + 1)
		return answer_refuse(a, "too many words: %s %s", row->word,
				     row->arguments);
	if (a->request.json && !row->json)
		return answer_refuse(a, "%s has no JSON form", row->word);
	if (row->right == CHANGES && may_change(a) != TOLD_OK)
		return TOLD_ERROR;
	return a->request.json ? answer_json(a, row) : row->text(a);
}

enum told answer(struct ask *a, struct slice line)
{
	struct slice word;
	enum told told = TOLD_OK;
	const char *why;
	size_t i = 0;

	if (!request_parse(line, &a->request, &why))
		return answer_refuse(a, "%s", why);
	if (!a->request.count)
		return answer_json(a, NULL);
	word = a->request.words[0];
	while (i < ROWS && !slice_is(word, rows[i].word))
		i++;
	if (i == ROWS)
		return answer_refuse(a, "\"%.*s\" is no request: see help",
				     SLICE_ARG(slice_head(word, 60)));
	told = run(a, &rows[i]);
	/* What found no room is missing: better nothing than half of it. */
	if (a->out->ceiling - buf_len(a->out) < ANSWER_SPARE)
		return answer_refuse(a, "the answer is too long");
	return told;
}

/* ---- parts ---- */

unsigned answer_cell(const struct status_view *v, size_t milter)
{
	return v->cells ? v->cells[milter] : (unsigned)milter;
}

size_t answer_find_milter(const struct status_view *v, struct slice name)
{
	size_t i = 0;

	while (i < v->conf->milter_count &&
	       !slice_is_case(name, v->conf->milters[i].name))
		i++;
	return i;
}

const char *answer_list_name(unsigned list)
{
	/* Two of them are in historical order, so by name here. */
	static const char *const names[LIST_COUNT] = {
		[LIST_CONNECT] = "connect", [LIST_HELO] = "helo",
		[LIST_MAIL] = "mail",	    [LIST_RCPT] = "rcpt",
		[LIST_DATA] = "data",	    [LIST_EOM] = "eom",
		[LIST_EOH] = "eoh",
	};

	return list < LIST_COUNT ? names[list] : "?";
}

const char *answer_us(uint64_t us, bool is_none, char text_out[ANSWER_TIME])
{
	double n = (double)us;

	if (is_none)
		snprintf(text_out, ANSWER_TIME, "-");
	else if (us < CLOCK_MS)
		snprintf(text_out, ANSWER_TIME, "%.0fus", n);
	else if (us < 10 * CLOCK_MS)
		snprintf(text_out, ANSWER_TIME, "%.1fms", n / 1e3);
	else if (us < CLOCK_S)
		snprintf(text_out, ANSWER_TIME, "%.0fms", n / 1e3);
	else
		snprintf(text_out, ANSWER_TIME, "%.1fs", n / 1e6);
	return text_out;
}

const char *answer_span(uint64_t us, char text_out[ANSWER_TIME])
{
	unsigned long long s = us / CLOCK_S, m = s / 60, h = m / 60, d = h / 24;

	if (d)
		snprintf(text_out, ANSWER_TIME, "%llud%02lluh", d, h % 24);
	else if (h)
		snprintf(text_out, ANSWER_TIME, "%lluh%02llum", h, m % 60);
	else if (m)
		snprintf(text_out, ANSWER_TIME, "%llum%02llus", m, s % 60);
	else
		snprintf(text_out, ANSWER_TIME, "%llus", s);
	return text_out;
}

void answer_clean(struct slice text, char *to, size_t size)
{
	size_t n = text.len < size - 1 ? text.len : size - 1;

	for (size_t i = 0; i < n; i++) {
		char c = text.data[i];

		to[i] = c >= 0x20 && c < 0x7f ? c : '?';
	}
	to[n] = '\0';
}
