#include "tool/numbers.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *numbers_counter_name(enum board_counter counter)
{
	return board_counter_name(counter);
}

const char *numbers_milter_name(enum board_milter_counter counter)
{
	return board_milter_counter_name(counter);
}

/* ---- words ---- */

static const char *counter_name(unsigned i)
{
	return board_counter_name(i);
}

static const char *milter_name(unsigned i)
{
	return board_milter_counter_name(i);
}

static const char *stage_name(unsigned i)
{
	return i < STAGE_COUNT ? milter_stage_name((enum stage)i) : "message";
}

static const char *breaker_name(unsigned i)
{
	return breaker_state_name((enum breaker_state)i);
}

struct line {
	struct slice rest;
	const char *wrong; /* NULL, or what is; the first stays */
};

static bool wrong(struct line *l, const char *what)
{
	if (!l->wrong)
		l->wrong = what;
	return false;
}

static bool is_over(const struct line *l)
{
	return !l->rest.data;
}

/* Exactly one blank between words; an empty word is none. */
static bool take(struct line *l, struct slice *word_out)
{
	*word_out = SLICE_EMPTY;
	if (!slice_split(&l->rest, ' ', word_out) || word_out->len == 0)
		return wrong(l, "a word is missing");
	return true;
}

static bool take_number(struct line *l, uint64_t *number_out)
{
	struct slice word;

	return take(l, &word) && (slice_to_u64(word, UINT64_MAX, number_out) ||
				  wrong(l, "a number is none"));
}

/* One of `count` names. */
static bool take_name(struct line *l, const char *(*name)(unsigned),
		      unsigned count, unsigned *index_out)
{
	struct slice word;

	if (!take(l, &word))
		return false;
	for (*index_out = 0; *index_out < count; ++*index_out)
		if (slice_is(word, name(*index_out)))
			return true;
	*index_out = 0;
	return wrong(l, "a name nobody knows");
}

/* The milter with that name; a new one is made. */
static struct numbers_milter *take_milter(struct line *l, struct numbers *n)
{
	struct numbers_milter *m = n->milter;
	struct slice word;

	if (!take(l, &word))
		return NULL;
	for (size_t i = 0; i < n->milter_count; i++, m++)
		if (slice_is(word, m->name))
			return m;
	if (n->milter_count == BOARD_MILTERS || word.len >= sizeof(m->name)) {
		wrong(l, "too many milters, or a name too long");
		return NULL;
	}
	memcpy(m->name, word.data, word.len);
	n->milter_count++;
	return m;
}

/* ---- lines ---- */

static bool take_bucket(struct line *l, struct histogram *h)
{
	struct slice word, bucket;
	uint64_t index, value;

	if (!take(l, &word) || !slice_split(&word, ':', &bucket) ||
	    !slice_to_u64(bucket, HISTOGRAM_BUCKETS - 1, &index) ||
	    !slice_to_u64(word, UINT64_MAX, &value))
		return wrong(l, "a bucket is none");
	h->buckets[index] = value;
	return true;
}

static bool take_histogram(struct line *l, struct histogram *h)
{
	*h = (struct histogram){ 0 };
	if (!take_number(l, &h->sum) || !take_number(l, &h->count))
		return false;
	while (!is_over(l))
		if (!take_bucket(l, h))
			return false;
	return true;
}

static bool line_text(struct line *l, struct numbers *n)
{
	struct slice word;

	if (!take(l, &word))
		return false;
	if (word.len >= sizeof(n->version))
		return wrong(l, "too long");
	memcpy(n->version, word.data, word.len);
	n->version[word.len] = '\0';
	return true;
}

static bool line_time(struct line *l, struct numbers *n)
{
	return take_number(l, &n->time);
}

static bool line_uptime(struct line *l, struct numbers *n)
{
	return take_number(l, &n->uptime);
}

static bool line_workers(struct line *l, struct numbers *n)
{
	unsigned state;

	return take_name(l, board_state_name, SLOT_STATES, &state) &&
	       take_number(l, &n->workers[state]);
}

static bool line_counter(struct line *l, struct numbers *n)
{
	unsigned counter;

	return take_name(l, counter_name, BOARD_COUNTERS, &counter) &&
	       take_number(l, &n->counter[counter]);
}

static bool line_verdict(struct line *l, struct numbers *n)
{
	unsigned stage, outcome, cause;

	return take_name(l, stage_name, STAGE_COUNT, &stage) &&
	       take_name(l, board_outcome_name, OUTCOMES, &outcome) &&
	       take_name(l, board_cause_name, CAUSES, &cause) &&
	       take_number(l, &n->verdict[stage][outcome][cause]);
}

static bool line_wait(struct line *l, struct numbers *n)
{
	unsigned stage;

	return take_name(l, stage_name, STAGE_COUNT + 1, &stage) &&
	       take_histogram(l, &n->wait[stage]);
}

static bool line_milter(struct line *l, struct numbers *n)
{
	struct numbers_milter *m = take_milter(l, n);
	unsigned counter;

	return m &&
	       take_name(l, milter_name, BOARD_MILTER_COUNTERS, &counter) &&
	       take_number(l, &m->counter[counter]);
}

static bool line_answer(struct line *l, struct numbers *n)
{
	struct numbers_milter *m = take_milter(l, n);
	unsigned stage, answer;

	return m && take_name(l, stage_name, STAGE_COUNT, &stage) &&
	       take_name(l, board_answer_name, BOARD_ANSWERS, &answer) &&
	       take_number(l, &m->answer[stage][answer]);
}

static bool line_latency(struct line *l, struct numbers *n)
{
	struct numbers_milter *m = take_milter(l, n);
	unsigned stage;

	return m && take_name(l, stage_name, STAGE_COUNT, &stage) &&
	       take_histogram(l, &m->latency[stage]);
}

static bool line_mode(struct line *l, struct numbers *n)
{
	struct numbers_milter *m = take_milter(l, n);
	char why[CONF_SWITCH_WHY];

	if (!m)
		return false;
	if (is_over(l) || !conf_switch_parse(l->rest, &m->mode, why))
		return wrong(l, "no mode");
	l->rest.data = NULL;
	return true;
}

static bool line_breaker(struct line *l, struct numbers *n)
{
	struct numbers_milter *m = take_milter(l, n);
	unsigned state;

	if (!m || !take_name(l, breaker_name, BREAKER_TRIAL + 1, &state))
		return false;
	m->breaker = (enum breaker_state)state;
	return true;
}

static bool line_connections(struct line *l, struct numbers *n)
{
	struct numbers_milter *m = take_milter(l, n);
	uint64_t socket, count;

	if (!m || !take_number(l, &socket) || !take_number(l, &count))
		return false;
	m->connections += count;
	return true;
}

static const struct {
	const char *word;
	bool (*take)(struct line *l, struct numbers *n);
} kinds[] = {
	{ "time", line_time },
	{ "uptime", line_uptime },
	{ "version", line_text },
	{ "workers", line_workers },
	{ "counter", line_counter },
	{ "verdict", line_verdict },
	{ "wait", line_wait },
	{ "milter", line_milter },
	{ "answer", line_answer },
	{ "latency", line_latency },
	{ "mode", line_mode },
	{ "breaker", line_breaker },
	{ "connections", line_connections },
};

static bool parse_line(struct line *l, struct numbers *n)
{
	struct slice word;

	if (!take(l, &word))
		return false;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (slice_is(word, kinds[i].word))
			return kinds[i].take(l, n) &&
			       (is_over(l) || wrong(l, "a word too many"));
	return wrong(l, "a kind of line nobody knows");
}

static bool fails(char why_out[NUMBERS_WHY], unsigned number, const char *what)
{
	snprintf(why_out, NUMBERS_WHY, "numbers, line %u: %s", number, what);
	return false;
}

bool numbers_parse(struct slice text, struct numbers *n_out,
		   char why_out[NUMBERS_WHY])
{
	struct slice line;
	unsigned number = 1;

	memset(n_out, 0, sizeof(*n_out));
	if (!slice_split(&text, '\n', &line) || !slice_is(line, "numbers 1"))
		return fails(why_out, 1,
			     "it does not begin with \"numbers 1\"");
	while (slice_split(&text, '\n', &line)) {
		struct line l = { .rest = line };

		number++;
		if (line.len == 0 && text.len == 0)
			break;
		if (!parse_line(&l, n_out))
			return fails(why_out, number, l.wrong);
	}
	return n_out->time != 0 ||
	       fails(why_out, number, "there is no time in it");
}

/* ---- sums and differences ---- */

const struct numbers_milter *numbers_find(const struct numbers *n,
					  const char *name)
{
	for (size_t i = 0; i < n->milter_count; i++)
		if (strcmp(n->milter[i].name, name) == 0)
			return &n->milter[i];
	return NULL;
}

uint64_t numbers_answers(const struct numbers_milter *m, enum stage stage)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < BOARD_ANSWERS; i++)
		sum += m->answer[stage][i];
	return sum;
}

uint64_t numbers_failures(const struct numbers_milter *m)
{
	return m->counter[MILTER_FAILED_CONNECT] +
	       m->counter[MILTER_FAILED_TIMEOUT] +
	       m->counter[MILTER_FAILED_EOF] +
	       m->counter[MILTER_FAILED_PROTOCOL] + m->counter[MILTER_LATE];
}

uint64_t numbers_outcome(const struct numbers *n, enum board_outcome outcome)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < STAGE_COUNT; s++)
		for (unsigned c = 0; c < CAUSES; c++)
			sum += n->verdict[s][outcome][c];
	return sum;
}

uint64_t numbers_messages(const struct numbers *n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < OUTCOMES; i++)
		sum += numbers_outcome(n, (enum board_outcome)i);
	return sum;
}

void numbers_latency(const struct numbers_milter *m, struct histogram *sum_out)
{
	*sum_out = (struct histogram){ 0 };
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		histogram_add(sum_out, &m->latency[s]);
}

/* A clear()ed milter counts from 0 again: never below. */
static void less(uint64_t *to, const uint64_t *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = to[i] > from[i] ? to[i] - from[i] : 0;
}

static void subtract_milter(struct numbers_milter *m,
			    const struct numbers_milter *before)
{
	/* Another one of that name, or the same after it was gone. */
	if (m->counter[MILTER_APPLIED] < before->counter[MILTER_APPLIED])
		return;
	less(m->counter, before->counter, BOARD_MILTER_COUNTERS);
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		less(m->answer[s], before->answer[s], BOARD_ANSWERS);
		histogram_subtract(&m->latency[s], &before->latency[s]);
	}
}

bool numbers_subtract(struct numbers *now, const struct numbers *before)
{
	for (unsigned i = 0; i < BOARD_COUNTERS; i++)
		if (now->counter[i] < before->counter[i])
			return false;
	less(now->counter, before->counter, BOARD_COUNTERS);
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		for (unsigned o = 0; o < OUTCOMES; o++)
			less(now->verdict[s][o], before->verdict[s][o], CAUSES);
	for (unsigned s = 0; s <= STAGE_COUNT; s++)
		histogram_subtract(&now->wait[s], &before->wait[s]);
	for (size_t i = 0; i < now->milter_count; i++) {
		const struct numbers_milter *b =
			numbers_find(before, now->milter[i].name);

		if (b)
			subtract_milter(&now->milter[i], b);
	}
	return true;
}
