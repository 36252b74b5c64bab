#include "shared/json.h"
#include "tool/report.h"

static void times(struct json *j, const struct histogram *h)
{
	json_number(j, "count", h->count);
	json_seconds(j, "mean", h->count ? h->sum / h->count : 0);
	json_seconds(j, "p50", histogram_quantile(h, 0.5));
	json_seconds(j, "p95", histogram_quantile(h, 0.95));
	json_seconds(j, "p99", histogram_quantile(h, 0.99));
	json_seconds(j, "max", histogram_quantile(h, 1));
}

static void verdict(struct json *j, const struct numbers *n, unsigned stage,
		    unsigned outcome, unsigned cause)
{
	uint64_t v = n->verdict[stage][outcome][cause];

	if (!v)
		return;
	json_object(j, NULL);
	json_word(j, "outcome", board_outcome_name(outcome));
	json_word(j, "cause", board_cause_name(cause));
	json_word(j, "stage", milter_stage_name((enum stage)stage));
	json_number(j, "count", v);
	json_object_end(j);
}

static void verdicts(struct json *j, const struct numbers *n)
{
	json_array(j, "verdicts");
	for (unsigned o = 0; o < OUTCOMES; o++)
		for (unsigned c = 0; c < CAUSES; c++)
			for (unsigned s = 0; s < STAGE_COUNT; s++)
				verdict(j, n, s, o, c);
	json_array_end(j);
}

static void waits(struct json *j, const struct numbers *n)
{
	json_array(j, "waits");
	for (unsigned s = 0; s <= STAGE_COUNT; s++) {
		if (!n->wait[s].count)
			continue;
		json_object(j, NULL);
		json_word(j, "stage",
			  s < STAGE_COUNT ? milter_stage_name((enum stage)s) :
					    "message");
		times(j, &n->wait[s]);
		json_object_end(j);
	}
	json_array_end(j);
}

static void stage(struct json *j, const struct numbers_milter *m,
		  enum stage stage)
{
	json_object(j, NULL);
	json_word(j, "stage", milter_stage_name(stage));
	json_object(j, "answers");
	for (unsigned a = 0; a < BOARD_ANSWERS; a++)
		json_number(j, board_answer_name(a), m->answer[stage][a]);
	json_object_end(j);
	times(j, &m->latency[stage]);
	json_object_end(j);
}

static void milter(struct json *j, const struct numbers_milter *m)
{
	char mode[CONF_SWITCH_TEXT];

	conf_switch_print(&m->mode, mode, sizeof(mode));
	json_object(j, NULL);
	json_word(j, "name", m->name);
	json_word(j, "mode", mode);
	json_word(j, "breaker", breaker_state_name(m->breaker));
	json_number(j, "connections", m->connections);
	for (unsigned c = 0; c < BOARD_MILTER_COUNTERS; c++)
		json_number(j,
			    numbers_milter_name((enum board_milter_counter)c),
			    m->counter[c]);
	json_array(j, "stages");
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		if (numbers_answers(m, (enum stage)s))
			stage(j, m, (enum stage)s);
	json_array_end(j);
	json_object_end(j);
}

static void counters(struct json *j, const struct numbers *n)
{
	json_object(j, "counters");
	for (unsigned c = 0; c < BOARD_COUNTERS; c++)
		json_number(j, numbers_counter_name((enum board_counter)c),
			    n->counter[c]);
	json_object_end(j);
}

bool report_print_json(const struct report *r, struct buf *out)
{
	const struct numbers *n = r->n;
	struct json j = json_begin(out);

	json_object(&j, NULL);
	json_number(&j, "schema", 1);
	json_seconds(&j, "from", r->from);
	json_seconds(&j, "to", n->time);
	json_word(&j, "version", n->version);
	counters(&j, n);
	verdicts(&j, n);
	waits(&j, n);
	json_array(&j, "milters");
	for (size_t i = 0; i < n->milter_count; i++)
		milter(&j, &n->milter[i]);
	json_array_end(&j);
	json_object_end(&j);
	return json_end(&j) && buf_add_byte(out, '\n');
}
