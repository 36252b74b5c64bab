#include <string.h>

#include "shared/board_bytes.h"
#include "shared/log.h"

/* The same word of each shard, added up. */
#define SUM_SHARDS(sum, b, word)                               \
	do {                                                   \
		for (unsigned i_ = 0; i_ < BOARD_SHARDS; i_++) \
			(sum) += board_load(&(b)->numbers->shards[i_].word); \
	} while (0)

uint64_t board_sum(const struct board *b, enum board_counter counter)
{
	uint64_t sum = 0;

	BUG_IF(counter >= BOARD_COUNTERS);
	SUM_SHARDS(sum, b, counters[counter]);
	return sum;
}

uint64_t board_sum_milter(const struct board *b, unsigned milter,
			  enum board_milter_counter counter)
{
	uint64_t sum = 0;

	BUG_IF(milter >= BOARD_MILTERS || counter >= BOARD_MILTER_COUNTERS);
	SUM_SHARDS(sum, b, milters[milter][counter]);
	return sum;
}

uint64_t board_sum_answer(const struct board *b, unsigned milter,
			  enum stage stage, enum board_answer answer)
{
	uint64_t sum = 0;

	BUG_IF(milter >= BOARD_MILTERS || stage >= STAGE_COUNT ||
	       answer >= BOARD_ANSWERS);
	SUM_SHARDS(sum, b, answers[milter][stage][answer]);
	return sum;
}

uint64_t board_sum_verdict(const struct board *b, enum stage stage,
			   enum board_outcome outcome, enum board_cause cause)
{
	uint64_t sum = 0;

	BUG_IF(stage >= STAGE_COUNT || outcome >= OUTCOMES || cause >= CAUSES);
	SUM_SHARDS(sum, b, verdicts[stage][outcome][cause]);
	return sum;
}

uint64_t board_sum_outcome(const struct board *b, enum board_outcome outcome)
{
	uint64_t sum = 0;

	for (unsigned stage = 0; stage < STAGE_COUNT; stage++)
		for (unsigned cause = 0; cause < CAUSES; cause++)
			sum += board_sum_verdict(b, (enum stage)stage, outcome,
						 (enum board_cause)cause);
	return sum;
}

static void add_times(struct histogram *to, const struct board_times *from)
{
	to->sum += board_load(&from->sum);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = board_load(&from->buckets[i]);

		to->buckets[i] += n;
		to->count += n;
	}
}

void board_sum_latency(const struct board *b, unsigned milter,
		       enum stage stage, struct histogram *sum_out)
{
	BUG_IF(milter >= BOARD_MILTERS || stage >= STAGE_COUNT);
	*sum_out = (struct histogram){ 0 };
	for (unsigned i = 0; i < BOARD_SHARDS; i++)
		add_times(sum_out,
			  &b->numbers->shards[i].latencies[milter][stage]);
}

void board_sum_wait(const struct board *b, enum stage stage,
		    struct histogram *sum_out)
{
	BUG_IF(stage > STAGE_COUNT);
	*sum_out = (struct histogram){ 0 };
	for (unsigned i = 0; i < BOARD_SHARDS; i++)
		add_times(sum_out, &b->numbers->shards[i].waits[stage]);
}

unsigned board_held(const struct board *b, unsigned milter,
		    unsigned by_socket_out[CONF_SOCKETS_MAX])
{
	unsigned all = 0;

	BUG_IF(milter >= BOARD_MILTERS);
	memset(by_socket_out, 0, CONF_SOCKETS_MAX * sizeof(*by_socket_out));
	for (unsigned i = 0; i < b->slots; i++) {
		const struct board_slot *s = &b->numbers->slots[i].slot;
		unsigned held = atomic_load_explicit(&s->held[milter],
						     memory_order_relaxed);

		if (held == 0 || held > CONF_SOCKETS_MAX)
			continue;
		by_socket_out[held - 1]++;
		all++;
	}
	return all;
}
