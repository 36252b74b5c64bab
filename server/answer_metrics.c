#include "server/answer.h"
#include "server/metrics.h"
#include "shared/clock.h"

#define ENDPOINT_TEXT 400

/* A counter of the board with a name and a sentence of its own. */
struct counter_row {
	unsigned counter;
	const char *name;
	const char *help;
};

/* clang-format off */
static const struct counter_row counter_rows[] = {
	{ COUNT_SESSIONS,            "sekisho_sessions",            "Connections of MTAs." },
	{ COUNT_SESSIONS_REFUSED,    "sekisho_sessions_refused",    "Connections that got a no as a whole." },
	{ COUNT_SESSIONS_LOST,       "sekisho_sessions_lost",       "Connections lost with their worker." },
	{ COUNT_MESSAGES,            "sekisho_messages",            "Messages begun." },
	{ COUNT_RECIPIENTS,          "sekisho_recipients",          "Recipients seen." },
	{ COUNT_RECIPIENTS_REFUSED,  "sekisho_recipients_refused",  "Recipients refused." },
	{ COUNT_BYTES,               "sekisho_body_bytes",          "Bytes of message bodies." },
	{ COUNT_PROTOCOL_ERRORS,     "sekisho_protocol_errors",     "Broken milter protocol of MTAs." },
	{ COUNT_RESOURCE_FAILURES,   "sekisho_resource_failures",   "Messages deferred for want of memory, disk or descriptors." },
	{ COUNT_EDITS_DROPPED,       "sekisho_edits_dropped",       "Changes of free milters that others had made void." },
	{ COUNT_CUT_PACKETS,         "sekisho_cut_packets",         "Header values or macros cut for a milter." },
	{ COUNT_LIMIT_HITS,          "sekisho_limit_hits",          "Match limits hit by conditions and rules." },
	{ COUNT_FAILED_LOOKUPS,      "sekisho_failed_lookups",      "Lookups that gave no answer." },
	{ COUNT_OVERLOADED_SESSIONS, "sekisho_overloaded_sessions", "Connections taken by the reserve." },
	{ COUNT_OVERLOADED_MESSAGES, "sekisho_overloaded_messages", "Messages the reserve answered." },
	{ COUNT_WORKER_STARTS,       "sekisho_worker_starts",       "Workers started." },
	{ COUNT_WORKER_DEATHS,       "sekisho_worker_deaths",       "Workers that died unexpectedly." },
	{ COUNT_RELOADS,             "sekisho_reloads",             "Settings read again and taken." },
	{ COUNT_LOG_LINES_LOST,      "sekisho_log_lines_lost",      "Lines of the log that could not be written." },
};

static const struct counter_row milter_rows[] = {
	{ MILTER_APPLIED,        "sekisho_milter_messages",       "Messages it was asked about." },
	{ MILTER_EVALUATED,      "sekisho_milter_evaluated",      "Of these, without effect." },
	{ MILTER_DECIDED,        "sekisho_milter_decided",        "Messages that got their verdict from it." },
	{ MILTER_CONNECTS,       "sekisho_milter_connects",       "Connections made to it." },
	{ MILTER_WAITS,          "sekisho_milter_waits",          "Waits for one of its connections_max." },
	{ MILTER_QUARANTINED,    "sekisho_milter_quarantined",    "Messages it put into quarantine." },
	{ MILTER_EDITS,          "sekisho_milter_edits",          "Changes it made." },
	{ MILTER_PASSED_WITHOUT, "sekisho_milter_passed_without", "Messages let through although it had failed." },
	{ MILTER_REJOINED,       "sekisho_milter_rejoined",       "Times it joined a session again after a failure." },
	{ MILTER_OPENED,         "sekisho_milter_breaker_opened", "Times its breaker opened." },
};

/* The same family, told apart by one label. */
struct label_row {
	unsigned counter;
	const char *value;
};

static const struct label_row skipped_rows[] = {
	{ MILTER_SKIPPED_CONDITION, "condition" },
	{ MILTER_SKIPPED_RULE,      "rule" },
	{ MILTER_SKIPPED_SWITCH,    "switch" },
	{ MILTER_SKIPPED_BREAKER,   "breaker" },
	{ MILTER_SKIPPED_OTHER,     "other" },
};

static const struct label_row failure_rows[] = {
	{ MILTER_FAILED_CONNECT,  "connect" },
	{ MILTER_FAILED_TIMEOUT,  "timeout" },
	{ MILTER_FAILED_EOF,      "eof" },
	{ MILTER_FAILED_PROTOCOL, "protocol" },
	{ MILTER_LATE,            "late" },
};
/* clang-format on */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
_Static_assert(COUNT(counter_rows) == BOARD_COUNTERS,
	       "a counter has no metric");
_Static_assert(COUNT(milter_rows) + COUNT(skipped_rows) +
			       COUNT(failure_rows) ==
		       BOARD_MILTER_COUNTERS,
	       "a milter's counter has no metric");

/* ---- the whole ---- */

static void add_workers(const struct status_view *v, struct metrics *m)
{
	unsigned n[SLOT_STATES];

	answer_count_workers(v, n);
	metrics_family(m, "sekisho_workers", METRICS_GAUGE,
		       "Workers by what they do.");
	for (unsigned i = SLOT_STARTING; i < SLOT_STATES; i++)
		metrics_sample(m,
			       (struct metrics_label[METRICS_LABELS]){
				       { "state", board_state_name(i) } },
			       n[i]);
	metrics_family(m, "sekisho_workers_max", METRICS_GAUGE,
		       "Workers there may be.");
	metrics_sample(m, NULL, v->limits->max);
	metrics_family(m, "sekisho_messages_in_work", METRICS_GAUGE,
		       "Messages whose verdict is not known yet.");
	metrics_sample(m, NULL, answer_messages_in_work(v));
}

static void add_process(const struct status_view *v, struct metrics *m)
{
	struct moment now = moment_now();

	metrics_family(m, "sekisho_build", METRICS_INFO,
		       "The version that runs.");
	metrics_sample(m,
		       (struct metrics_label[METRICS_LABELS]){
			       { "version", v->version } },
		       1);
	metrics_family(m, "sekisho_start_time_seconds", METRICS_GAUGE,
		       "When sekishod started, in seconds since 1970.");
	metrics_sample_us(m, NULL, moment_wall(&now, v->started));
	metrics_family(m, "sekisho_settings_generation", METRICS_GAUGE,
		       "How often settings were taken since the start.");
	metrics_sample(m, NULL, v->settings);
}

static void add_counters(const struct status_view *v, struct metrics *m)
{
	for (size_t i = 0; i < COUNT(counter_rows); i++) {
		const struct counter_row *r = &counter_rows[i];

		metrics_family(m, r->name, METRICS_COUNTER, r->help);
		metrics_sample(m, NULL,
			       board_sum(v->board,
					 (enum board_counter)r->counter));
	}
}

static void add_verdict(const struct status_view *v, struct metrics *m,
			unsigned stage, unsigned outcome)
{
	for (unsigned c = 0; c < CAUSES; c++) {
		uint64_t n = board_sum_verdict(v->board, (enum stage)stage,
					       (enum board_outcome)outcome,
					       (enum board_cause)c);
		const struct metrics_label labels[METRICS_LABELS] = {
			{ "stage", milter_stage_name((enum stage)stage) },
			{ "verdict", board_outcome_name(outcome) },
			{ "cause", board_cause_name(c) },
		};

		if (n)
			metrics_sample(m, labels, n);
	}
}

static void add_messages(const struct status_view *v, struct metrics *m)
{
	struct histogram h;

	metrics_family(m, "sekisho_verdicts", METRICS_COUNTER,
		       "What became of messages.");
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		for (unsigned o = 0; o < OUTCOMES; o++)
			add_verdict(v, m, s, o);
	metrics_family(m, "sekisho_wait_seconds", METRICS_HISTOGRAM,
		       "How long MTAs waited for the answer to a stage.");
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		const struct metrics_label labels[METRICS_LABELS] = {
			{ "stage", milter_stage_name((enum stage)s) }
		};

		board_sum_wait(v->board, (enum stage)s, &h);
		if (h.count)
			metrics_histogram(m, labels, &h);
	}
	metrics_family(m, "sekisho_message_seconds", METRICS_HISTOGRAM,
		       "How long messages took, from MAIL to their verdict.");
	board_sum_wait(v->board, STAGE_COUNT, &h);
	metrics_histogram(m, NULL, &h);
}

/* ---- milters; what is asked of each family is one of these ---- */

typedef void add_milter(const struct status_view *v, const struct metrics *m,
			size_t milter);

static void each_milter(const struct status_view *v, const struct metrics *m,
			add_milter *add)
{
	for (size_t i = 0; i < v->conf->milter_count; i++)
		add(v, m, i);
}

static const char *name_of(const struct status_view *v, size_t milter)
{
	return v->conf->milters[milter].name;
}

static void add_milter_counter(const struct status_view *v, struct metrics *m,
			       const struct counter_row *r)
{
	metrics_family(m, r->name, METRICS_COUNTER, r->help);
	for (size_t i = 0; i < v->conf->milter_count; i++) {
		const struct metrics_label labels[METRICS_LABELS] = {
			{ "milter", name_of(v, i) }
		};

		metrics_sample(m, labels,
			       board_sum_milter(v->board, answer_cell(v, i),
						(enum board_milter_counter)
							r->counter));
	}
}

static void add_labelled(const struct status_view *v, const struct metrics *m,
			 const char *label, const struct label_row *rows,
			 size_t n)
{
	for (size_t i = 0; i < v->conf->milter_count; i++)
		for (size_t r = 0; r < n; r++) {
			const struct metrics_label labels[METRICS_LABELS] = {
				{ "milter", name_of(v, i) },
				{ label, rows[r].value },
			};

			metrics_sample(m, labels,
				       board_sum_milter(
					       v->board, answer_cell(v, i),
					       (enum board_milter_counter)
						       rows[r].counter));
		}
}

static void add_answers(const struct status_view *v, const struct metrics *m,
			size_t milter)
{
	for (unsigned i = 0; i < STAGE_COUNT * BOARD_ANSWERS; i++) {
		enum stage stage = (enum stage)(i / BOARD_ANSWERS);
		unsigned answer = i % BOARD_ANSWERS;
		uint64_t n = board_sum_answer(v->board, answer_cell(v, milter),
					      stage,
					      (enum board_answer)answer);
		const struct metrics_label labels[METRICS_LABELS] = {
			{ "milter", name_of(v, milter) },
			{ "stage", milter_stage_name(stage) },
			{ "answer", board_answer_name(answer) },
		};

		if (n)
			metrics_sample(m, labels, n);
	}
}

static void add_latency(const struct status_view *v, const struct metrics *m,
			size_t milter)
{
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		const struct metrics_label labels[METRICS_LABELS] = {
			{ "milter", name_of(v, milter) },
			{ "stage", milter_stage_name((enum stage)s) },
		};
		struct histogram h;

		board_sum_latency(v->board, answer_cell(v, milter),
				  (enum stage)s, &h);
		if (h.count)
			metrics_histogram(m, labels, &h);
	}
}

static void add_connections(const struct status_view *v,
			    const struct metrics *m, size_t milter)
{
	const struct conf_sockets *c = &v->conf->milters[milter].socket;
	unsigned held[CONF_SOCKETS_MAX];
	char text[ENDPOINT_TEXT];

	(void)board_held(v->board, answer_cell(v, milter), held);
	for (unsigned i = 0; i < c->count && i < CONF_SOCKETS_MAX; i++) {
		const struct metrics_label labels[METRICS_LABELS] = {
			{ "milter", name_of(v, milter) },
			{ "socket", text },
		};

		endpoint_print(&c->at[i], text, sizeof(text));
		metrics_sample(m, labels, held[i]);
	}
}

static void add_breaker(const struct status_view *v, const struct metrics *m,
			size_t milter)
{
	static const enum breaker_state states[] = {
		BREAKER_CLOSED, BREAKER_OPEN, BREAKER_TRIAL
	};
	struct board_breaker_copy b;

	board_read_breaker(v->board, answer_cell(v, milter), &b);
	for (size_t i = 0; i < COUNT(states); i++) {
		const struct metrics_label labels[METRICS_LABELS] = {
			{ "milter", name_of(v, milter) },
			{ "state", breaker_state_name(states[i]) },
		};

		metrics_sample(m, labels, b.breaker.state == states[i]);
	}
}

static struct conf_switch mode_of(const struct status_view *v, size_t milter)
{
	return board_switched(v->board, answer_cell(v, milter),
			      &v->conf->milters[milter].mode);
}

static void add_mode(const struct status_view *v, const struct metrics *m,
		     size_t milter)
{
	static const enum conf_mode modes[] = { MODE_ON, MODE_OFF,
						MODE_EVALUATE, MODE_PERCENT };
	struct conf_switch mode = mode_of(v, milter);

	for (size_t i = 0; i < COUNT(modes); i++) {
		const struct metrics_label labels[METRICS_LABELS] = {
			{ "milter", name_of(v, milter) },
			{ "mode", conf_mode_name(modes[i]) },
		};

		metrics_sample(m, labels, mode.mode == modes[i]);
	}
}

/* On and off are 100 and 0; evaluating counts for nobody. */
static void add_percent(const struct status_view *v, const struct metrics *m,
			size_t milter)
{
	struct conf_switch mode = mode_of(v, milter);
	const struct metrics_label labels[METRICS_LABELS] = {
		{ "milter", name_of(v, milter) }
	};

	metrics_sample(m, labels,
		       mode.mode == MODE_ON	 ? 100 :
		       mode.mode == MODE_PERCENT ? mode.percent :
						   0);
}

static void add_milters(const struct status_view *v, struct metrics *m)
{
	for (size_t i = 0; i < COUNT(milter_rows); i++)
		add_milter_counter(v, m, &milter_rows[i]);
	metrics_family(m, "sekisho_milter_skipped", METRICS_COUNTER,
		       "Messages it was not asked about, by why.");
	add_labelled(v, m, "cause", skipped_rows, COUNT(skipped_rows));
	metrics_family(m, "sekisho_milter_failures", METRICS_COUNTER,
		       "Its failures by kind.");
	add_labelled(v, m, "kind", failure_rows, COUNT(failure_rows));
	metrics_family(m, "sekisho_milter_answers", METRICS_COUNTER,
		       "Its final answers.");
	each_milter(v, m, add_answers);
	metrics_family(m, "sekisho_milter_answer_seconds", METRICS_HISTOGRAM,
		       "How long it took to answer a stage.");
	each_milter(v, m, add_latency);
	metrics_family(m, "sekisho_milter_connections", METRICS_GAUGE,
		       "Open connections to it.");
	each_milter(v, m, add_connections);
	metrics_family(m, "sekisho_milter_breaker_state", METRICS_GAUGE,
		       "1 for the state its breaker is in.");
	each_milter(v, m, add_breaker);
	metrics_family(m, "sekisho_milter_mode", METRICS_GAUGE,
		       "1 for the mode that is in force.");
	each_milter(v, m, add_mode);
	metrics_family(m, "sekisho_milter_percent", METRICS_GAUGE,
		       "Of how many clients in a hundred its answers count.");
	each_milter(v, m, add_percent);
}

void answer_print_metrics(const struct status_view *v, bool is_open,
			  struct buf *out)
{
	struct metrics m = { .out = out, .is_open = is_open };

	add_process(v, &m);
	add_workers(v, &m);
	add_counters(v, &m);
	add_messages(v, &m);
	add_milters(v, &m);
	metrics_end(&m);
}

enum told answer_metrics(const struct ask *a)
{
	struct slice format = request_word(&a->request, 1);
	bool is_old = slice_is(format, "prometheus");

	if (format.len && !is_old && !slice_is(format, "openmetrics"))
		return answer_refuse(a, "not understood: metrics [openmetrics|prometheus]");
	answer_print_metrics(a->view, !is_old, a->out);
	return TOLD_OK;
}
