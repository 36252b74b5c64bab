#include "worker/summary.h"

#include "shared/log.h"

#define LINE_MAX_BYTES 8000

static double ms(uint64_t us)
{
	return (double)us / (double)CLOCK_MS;
}

static void add_verdict(struct buf *line, const struct verdict *v)
{
	buf_printf(line, "%s@%s", verdict_name(v->kind),
		   milter_stage_name(v->stage));
}

/* What a child came to, in a word or two. */
static void add_word(struct buf *line, const struct member *m)
{
	if (m->mode == MODE_OFF)
		buf_printf(line, "skip(off)");
	else if (m->connection == CONNECTION_ACCEPTED)
		buf_printf(line, "accept(connection)");
	else if (m->connection == CONNECTION_REFUSED)
		add_verdict(line, &m->connection_verdict);
	else if (m->state == MEMBER_FAILED)
		buf_printf(line, "failed(%s)@%s", child_result_name(m->failure),
			   milter_stage_name(m->said_at));
	else if (m->state == MEMBER_NO)
		add_verdict(line, &m->verdict);
	else if (m->state == MEMBER_ACCEPTED)
		buf_printf(line, "accept@%s", milter_stage_name(m->said_at));
	else if (m->state == MEMBER_DONE)
		buf_printf(line, "continue");
	else
		buf_printf(line, m->skipped_by_rule ? "skip(rule)" :
				 m->passed_over	    ? "skip(condition)" :
				 m->asked	    ? "released" :
						      "skip(not reached)");
}

static void add_member(struct buf *line, const struct member *m)
{
	bool shadow = m->mode == MODE_EVALUATE;

	buf_printf(line, " %s%s=", shadow ? "(" : "", m->conf->name);
	add_word(line, m);
	if (m->rcpts_refused)
		buf_printf(line, ",refused=%u", m->rcpts_refused);
	if (m->child.busy)
		buf_printf(line, "/%.1fms", ms(m->child.busy));
	if (shadow)
		buf_printf(line, ")");
}

static void add_by(struct buf *line, const struct chain *c,
		   const struct verdict *v)
{
	if (v->kind == VERDICT_CONTINUE)
		return;
	buf_printf(line, " by=%s stage=%s",
		   v->by < 0 ? "sekisho" : c->members[v->by].conf->name,
		   milter_stage_name(v->stage));
	if (v->rule.len)
		buf_printf(line, " rule=%.*s", SLICE_ARG(v->rule));
	if (v->reply.len) {
		buf_printf(line, " reply=");
		log_quote(line, v->reply);
	}
}

/* Failed children that the message got past, by their policy. */
static void add_passed_without(struct buf *line, const struct chain *c)
{
	const char *between = " passed_without=";

	for (unsigned i = 0; i < c->count; i++) {
		const struct member *m = &c->members[i];

		if (m->state != MEMBER_FAILED || !member_is_enforced(m) ||
		    m->conf->on_failure != POLICY_ACCEPT)
			continue;
		buf_printf(line, "%s%s", between, m->conf->name);
		between = ",";
		board_count_milter(c->env->board, c->env->slot, m->cell,
				   MILTER_PASSED_WITHOUT, 1);
	}
}

struct slice summary_address(struct slice address)
{
	if (address.len >= 2 && address.data[0] == '<' &&
	    address.data[address.len - 1] == '>')
		return slice_of(address.data + 1, address.len - 2);
	return address;
}

void summary_message(const struct summary *s, const struct chain *c,
		     const struct verdict *v, const char *word)
{
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	buf_printf(&line, "%s: from=", *s->queue_id ? s->queue_id : "NOQUEUE");
	log_quote(&line, summary_address(c->journal->mail.address));
	buf_printf(&line,
		   " nrcpt=%zu size=%llu client=", c->journal->rcpt_accepted,
		   (unsigned long long)s->size);
	log_quote(&line, slice_str(s->client));
	for (unsigned i = 0; i < c->count; i++)
		add_member(&line, &c->members[i]);
	if (v->kind == VERDICT_CONTINUE && strcmp(word, SUMMARY_ABORT) != 0)
		add_passed_without(&line, c);
	buf_printf(&line, " verdict=%s", word);
	add_by(&line, c, v);
	if (s->quarantine.len) {
		buf_printf(&line, " quarantine=");
		log_quote(&line, s->quarantine);
	}
	buf_printf(&line, " edits=%u time=%.0fms", s->edits,
		   ms(clock_now() - s->began));
	log_field("SEKISHO_QUEUE_ID", slice_str(s->queue_id));
	log_field("SEKISHO_VERDICT", slice_str(word));
	log_field("SEKISHO_SENDER", summary_address(c->journal->mail.address));
	log_field("SEKISHO_CLIENT", slice_str(s->client));
	log_info("%.*s", SLICE_ARG(buf_slice(&line)));
	board_remember_line(c->env->board,
			    slice_str(*s->queue_id ? s->queue_id : "NOQUEUE"),
			    buf_slice(&line));
	buf_deinit(&line);
}

void summary_refused_rcpt(const struct summary *s,
			  const struct command_envelope *rcpt,
			  const struct verdict *v)
{
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	buf_printf(&line, "to=");
	log_quote(&line, summary_address(rcpt->address));
	buf_printf(&line, " client=");
	log_quote(&line, slice_str(s->client));
	buf_printf(&line, " rcpt=%s rule=%.*s reply=", verdict_name(v->kind),
		   SLICE_ARG(v->rule));
	log_quote(&line, v->reply);
	log_info("%s%.*s",
		 *s->queue_id ? "" : "NOQUEUE: ", SLICE_ARG(buf_slice(&line)));
	buf_deinit(&line);
}

void summary_connection(const struct summary *s, const struct chain *c,
			const struct verdict *v, uint64_t began)
{
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	buf_printf(&line, "NOQUEUE: client=");
	log_quote(&line, slice_str(s->client));
	buf_printf(&line, " messages=0 verdict=%s",
		   v->kind == VERDICT_CONTINUE ? "none" :
						 verdict_name(v->kind));
	add_by(&line, c, v);
	buf_printf(&line, " time=%.0fms", ms(clock_now() - began));
	log_info("%.*s", SLICE_ARG(buf_slice(&line)));
	buf_deinit(&line);
}
