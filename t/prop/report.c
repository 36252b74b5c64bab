/* A case and what became of it, for people to read. */
#include "t/prop/prop.h"

static const char *const stage_words[] = { "connect", "helo",	"mail",
					   "rcpt",    "data",	"header",
					   "eoh",     "body",	"eom" };

static void print_bytes(struct slice s, FILE *out)
{
	for (size_t i = 0; i < s.len && i < 70; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c == 0)
			fputs(i + 1 < s.len ? "|" : "", out);
		else if (c < 0x20 || c > 0x7e)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	if (s.len > 70)
		fprintf(out, "... (%zu bytes)", s.len);
}

static void print_edit(const struct edit *e, FILE *out)
{
	fprintf(out, " [%c %u ", e->kind, e->index);
	print_bytes(e->name, out);
	fputs(": ", out);
	print_bytes(slice_head(e->value, 30), out);
	if (e->value.len > 30)
		fprintf(out, " %zu bytes", e->value.len);
	fputc(']', out);
}

void report_case(const struct prop_case *c, FILE *out)
{
	static const char *const orders[] = { "chain", "free", "strict" };
	static const char *const modes[] = { "on", "off", "evaluate" };
	static const char *const policies[] = { "tempfail", "accept", "reject",
						"discard", "quarantine" };

	fprintf(out, "# MTA: %s, offers %u %#x %#x%s%s\n",
		c->mta == MTA_POSTFIX ? "Postfix" : "Sendmail", c->version,
		c->actions, c->protocol, c->shuffled ? ", shuffled" : "",
		c->small_memory ? ", small memory" : "");
	for (unsigned i = 0; i < c->kid_count; i++) {
		const struct kid_plan *k = &c->kids[i];

		fprintf(out,
			"# kid%u: %s, mode %s, on_failure %s, join %s%s%s, "
			"answers %u %#x %#x",
			i + 1, orders[k->order], modes[k->mode],
			policies[k->policy], stage_words[k->join],
			k->serial ? ", rcpt serial" : "",
			k->late == LATE_KEEP ? ", late_refusal keep" : "",
			k->version, k->actions, k->protocol);
		for (unsigned l = 0; l < LIST_COUNT; l++)
			if (k->has_list[l])
				fprintf(out, " list%u=\"%.*s\"", l,
					SLICE_ARG(k->list[l]));
		fputc('\n', out);
	}
}

static void report_event(const struct prop_case *c, unsigned number,
			 const struct conn *conn, const struct event *e,
			 FILE *out)
{
	fprintf(out, "#           kid%u#%u ", conn->kid + 1, number);
	if (e->has_macros) {
		fputs("(", out);
		print_bytes(e->macros, out);
		fputs(") ", out);
	}
	fprintf(out, "%c ", e->letter);
	if (e->letter != SMFIC_OPTNEG)
		print_bytes(e->payload, out);
	if (e->answer)
		fprintf(out, "  -> %c ", e->answer);
	if (e->answer == SMFIR_REPLYCODE || e->answer == FAIL_GARBAGE)
		print_bytes(e->text, out);
	for (unsigned i = 0; i < e->edit_count; i++)
		print_edit(&e->edits[i], out);
	if (e->dropped)
		fputs(" (not answered)", out);
	if (e->letter == SMFIC_BODYEOB && e->answer && conn->we_closed)
		fputs(" and leaves", out);
	fputc('\n', out);
	(void)c;
}

static void report_exchange(const struct exchange *x, bool answer, FILE *out)
{
	if (!answer) {
		fprintf(out, "# MTA > %c ", x->op->letter);
		print_bytes(x->op->payload, out);
		fprintf(out, "%s\n", x->op->rejected ? " (rejected)" : "");
		return;
	}
	fputs("# MTA <", out);
	for (unsigned i = 0; i < x->edit_count; i++)
		print_edit(&x->edits[i], out);
	fprintf(out, " %c ", x->answer);
	print_bytes(x->text, out);
	fputc('\n', out);
}

void report_run(const struct prop_case *c, const struct run *run, FILE *out)
{
	unsigned numbers[CONNS_MAX] = { 0 };
	unsigned per_kid[KIDS_MAX] = { 0 };

	for (unsigned i = 0; i < run->conn_count; i++)
		numbers[i] = ++per_kid[run->conns[i].kid];
	fprintf(out, "# MTA was promised %u %#x %#x\n", run->got_version,
		run->got_actions, run->got_protocol);
	for (uint64_t seq = 1; seq <= run->seq; seq++) {
		for (unsigned i = 0; i < run->exchange_count; i++) {
			const struct exchange *x = &run->exchanges[i];

			if (x->seq == seq)
				report_exchange(x, false, out);
			if (x->answer_seq == seq)
				report_exchange(x, true, out);
		}
		for (unsigned i = 0; i < run->conn_count; i++) {
			const struct conn *k = &run->conns[i];

			for (size_t j = 0; j < k->count; j++)
				if (k->events[j].seq == seq)
					report_event(c, numbers[i], k,
						     &k->events[j], out);
		}
	}
	for (unsigned i = 0; i < run->conn_count; i++)
		fprintf(out, "# kid%u#%u: %zu commands, closed by %s\n",
			run->conns[i].kid + 1, numbers[i],
			run->conns[i].count,
			run->conns[i].we_closed	  ? "it" :
			run->conns[i].they_closed ? "sekishod" :
						    "nobody");
}
