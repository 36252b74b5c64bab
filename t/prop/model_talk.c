/*
 * Reading the record of one child: what it must have heard next.
 */
#include "t/prop/model.h"

#include <stdarg.h>

void wrong(struct model *m, const struct kid *k, const char *format, ...)
{
	char what[1000];
	char who[40] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (k)
		snprintf(who, sizeof(who), "kid%u ", k->number + 1);
	m->why = take(m->run->arena, 1200, 1);
	snprintf(m->why, 1200, "at %c (exchange %u of the MTA): %s%s",
		 m->now ? m->now->op->letter : '-',
		 m->now ? (unsigned)(m->now - m->run->exchanges) + 1 : 0, who,
		 what);
	longjmp(m->stop, 1);
}

const struct event *next_event(const struct kid *k)
{
	if (!k->conn || k->at >= k->conn->count)
		return NULL;
	return &k->conn->events[k->at];
}

static char next_letter(const struct kid *k)
{
	const struct event *e = next_event(k);

	return e ? e->letter : '-';
}

/*
 * What is heard later belongs to something later: wherever a child may have
 * been left in the middle of something, the MTA lets it settle (play.c).
 */
uint64_t horizon(const struct model *m)
{
	const struct run *run = m->run;
	unsigned i = m->now ? (unsigned)(m->now - run->exchanges) + 1 :
			      run->exchange_count;

	if (m->next_seq)
		return m->next_seq;
	return i < run->exchange_count ? run->exchanges[i].seq : UINT64_MAX;
}

/* Opened because of the command at hand? */
static bool is_of_now(const struct model *m, const struct kid *k,
		      const struct conn *c)
{
	uint64_t limit = k->now_only ? m->now->answer_seq : horizon(m);

	return c->count && c->events[0].seq < limit;
}

bool came_to_nothing(const struct conn *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strchr("OCHQ", c->events[i].letter) ||
		    (c->events[i].answer &&
		     strchr("XGS", c->events[i].answer)))
			return false;
	return true;
}

/* Its next connection; when it is asked loosely, only if it is of now. */
static const struct conn *find_conn(const struct model *m, struct kid *k)
{
	const struct conn *stray = NULL;

	for (unsigned i = k->next_conn; i < m->run->conn_count; i++) {
		const struct conn *c = &m->run->conns[i];

		if (c->kid != k->number)
			continue;
		if (k->loose && !is_of_now(m, k, c)) {
			k->stray = true; /* begun now, heard of later */
			return NULL;
		}
		if (k->loose || !k->stray || !came_to_nothing(c))
			return c;
		stray = c; /* unless it is the last one */
	}
	return stray;
}

bool withheld(const struct kid *k, char letter)
{
	static const char letters[] = "CHMRTLNBU";
	static const uint32_t bits[] = { SMFIP_NOCONNECT, SMFIP_NOHELO,
					 SMFIP_NOMAIL,	  SMFIP_NORCPT,
					 SMFIP_NODATA,	  SMFIP_NOHDRS,
					 SMFIP_NOEOH,	  SMFIP_NOBODY,
					 SMFIP_NOUNKNOWN };
	const char *at = strchr(letters, letter);

	return at && letter && (k->conn->protocol & bits[at - letters]);
}

bool takes_leadspc(const struct model *m, const struct kid *k)
{
	return m->run->got_protocol & k->conn->protocol & SMFIP_HDR_LEADSPC;
}

/* ----------------------------------------------------------------- macros */

static int list_of(char letter)
{
	static const char letters[] = "CHMRTEN";
	const char *at = strchr(letters, letter);

	return at && letter ? (int)(at - letters) : -1;
}

/* Names are the same with and without braces (milter-protocol 2.5). */
static struct slice bare(struct slice name)
{
	if (name.len > 2 && name.data[0] == '{')
		return slice_of(name.data + 1, name.len - 2);
	return name;
}

static bool in_list(struct slice list, struct slice name)
{
	struct slice part;

	while (slice_split(&list, ' ', &part))
		if (part.len && slice_equal(bare(part), bare(name)))
			return true;
	return false;
}

static struct slice joined(struct arena *a, struct slice x, struct slice y)
{
	char *p = take(a, x.len + y.len + 1, 1);

	memcpy(p, x.data, x.len);
	memcpy(p + x.len, y.data, y.len);
	return slice_of(p, x.len + y.len);
}

/* The MTA's macros, cut down to the child's own list for that stage. */
static struct slice macros_for(struct model *m, const struct kid *k,
			       const struct op *op)
{
	int list = list_of(op->letter);
	struct slice rest = op->macros;
	struct slice name;
	struct slice value;
	struct slice sum = SLICE_EMPTY;

	if (list < 0 || !k->plan->has_list[list])
		return op->macros;
	while (rest.len > 0 && slice_split(&rest, '\0', &name) &&
	       slice_split(&rest, '\0', &value))
		if (in_list(k->plan->list[list], name))
			sum = joined(m->run->arena, sum,
				     text(m->run->arena, "%.*s%c%.*s%c",
					  SLICE_ARG(name), 0,
					  SLICE_ARG(value), 0));
	return sum;
}

void check_event(struct model *m, struct kid *k, const struct event *e,
		 const struct op *op)
{
	struct slice due;

	if (strchr("LBU", e->letter))
		return; /* libmilter ignores macros there */
	due = macros_for(m, k, op);
	if (due.len == 0 && !e->has_macros)
		return;
	if (!slice_equal(due, e->macros) || !e->has_macros)
		wrong(m, k, "got other macros with %c: %zu bytes for %zu",
		      e->letter, e->has_macros ? e->macros.len : 0, due.len);
}

/* ---------------------------------------------------------------- answers */

enum said take_answer(struct model *m, struct kid *k, const struct event *e)
{
	k->answered |= strchr("MRTLNBE", e->letter) && e->answer &&
		       !strchr("XGS", e->answer);
	switch (e->answer) {
	case 0:
		if (e->dropped)
			wrong(m, k, "was told %c after its final answer",
			      e->letter);
		return SAID_CONTINUE; /* NR_ */
	case SMFIR_CONTINUE:
		return SAID_CONTINUE;
	case SMFIR_ACCEPT:
		return SAID_ACCEPT;
	case SMFIR_REJECT:
	case SMFIR_TEMPFAIL:
	case SMFIR_REPLYCODE:
		return SAID_NO;
	case SMFIR_DISCARD:
		return SAID_DISCARD;
	case SMFIR_SKIP:
		return SAID_SKIP;
	case FAIL_CLOSE:
		k->live = false;
		return SAID_GONE;
	case FAIL_GARBAGE:
	case FAIL_SILENT:
		k->live = false;
		if (!strchr("LNB", e->letter) && next_event(k))
			wrong(m, k, "was told %c although it had failed",
			      next_letter(k));
		return SAID_FAILED;
	default:
		wrong(m, k, "answered '%c': the test is wrong", e->answer);
	}
}

/*
 * Lost between two messages, or before its first answer in one: that is no
 * failure, it joins again at once (design 3, "Step").  Certain only on a
 * connection that has been through a message, at the first command of one;
 * else both are right.
 */
bool joins_again(struct model *m, struct kid *k, bool surely)
{
	const struct conn *c = find_conn(m, k);
	uint64_t limit = horizon(m);

	if (!m->next_seq && m->now && m->now->answer_seq)
		limit = m->now->answer_seq;
	return surely || (c && c->count && c->events[0].seq < limit);
}

static enum said ask(struct model *m, struct kid *k, const struct op *op,
		     const struct event **event_out)
{
	const struct event *e = next_event(k);

	*event_out = NULL;
	/* Nothing is said, but that it has gone may be seen all the same. */
	if (withheld(k, op->letter) &&
	    (e || !k->conn->we_closed || !joins_again(m, k, false)))
		return SAID_CONTINUE;
	if (!e && k->conn->we_closed) {
		k->live = false;
		return SAID_GONE;
	}
	if (e && k->loose &&
	    (e->seq > horizon(m) ||
	     (k->now_only && e->seq > m->now->answer_seq)))
		return SAID_NOTHING;
	if (!e || e->letter != op->letter ||
	    !slice_equal(e->payload, op->payload)) {
		if (k->loose)
			return SAID_NOTHING;
		if (!e)
			wrong(m, k, "was not told %c \"%.*s\"", op->letter,
			      SLICE_ARG(slice_head(op->payload, 40)));
		wrong(m, k, "was told %c \"%.*s\" and not %c \"%.*s\"",
		      e->letter, SLICE_ARG(slice_head(e->payload, 40)),
		      op->letter, SLICE_ARG(slice_head(op->payload, 40)));
	}
	check_event(m, k, e, op);
	k->at++;
	*event_out = e;
	return take_answer(m, k, e);
}

/* Design 4, the table: what this answer means at this command. */
static struct outcome hear(struct model *m, struct kid *k, const struct op *op,
			   bool replayed)
{
	struct outcome o = { .scope = FOR_MESSAGE };
	bool told;

	o.said = ask(m, k, op, &o.event);
	told = o.event != NULL;
	switch (op->letter) {
	case SMFIC_CONNECT:
	case SMFIC_HELO:
		o.scope = FOR_CONNECTION;
		k->done_connection |= o.said == SAID_ACCEPT;
		if (o.said == SAID_DISCARD) /* not legal: continue */
			o.said = SAID_CONTINUE;
		break;
	case SMFIC_UNKNOWN:
		o.scope = FOR_COMMAND;
		if (o.said == SAID_ACCEPT || o.said == SAID_DISCARD)
			o.said = SAID_CONTINUE;
		break;
	case SMFIC_RCPT:
		if (o.said == SAID_NO) {
			o.scope = FOR_RECIPIENT;
			k->in_message |= told;
			break;
		}
		k->done |= o.said == SAID_ACCEPT;
		if (told) /* for libmilter a discard here ends nothing */
			k->in_message = o.said == SAID_CONTINUE ||
					o.said == SAID_DISCARD;
		break;
	default:
		k->done |= o.said == SAID_ACCEPT;
		if (told)
			k->in_message = o.said == SAID_CONTINUE;
	}
	if (o.said == SAID_NO && replayed && op->letter == SMFIC_RCPT) {
		/* Design 3, "Joining": never touches the present one. */
		char class = o.event->answer == SMFIR_TEMPFAIL ||
					     (o.event->answer ==
						      SMFIR_REPLYCODE &&
					      o.event->text.data[0] == '4') ?
				     '4' :
				     '5';

		if (k->plan->late == LATE_VERDICT && k->late != '4')
			k->late = class;
		o.said = SAID_CONTINUE;
	}
	return o;
}

/* ---------------------------------------------------------------- joining */

static void check_offer(struct model *m, struct kid *k, const struct event *e)
{
	uint32_t protocol = SMFIP_NO_ALL | SMFIP_NR_ALL | SMFIP_SKIP |
			    (m->c->protocol &
			     (SMFIP_HDR_LEADSPC | SMFIP_RCPT_REJ));
	uint32_t want[3] = { 6, m->c->actions, protocol };
	char bytes[12];

	for (unsigned i = 0; i < 12; i++)
		bytes[i] = (char)(want[i / 4] >> (24 - 8 * (i % 4)));
	if (!slice_equal(e->payload, slice_of(bytes, 12)))
		wrong(m, k, "was offered something else than 6 %x %x",
		      m->c->actions, protocol);
}

/* A new connection: SAID_CONTINUE, FAILED, or NOTHING. */
static enum said open_conn(struct model *m, struct kid *k)
{
	const struct conn *c = find_conn(m, k);
	const struct event *e;

	k->tried = true;
	if (!c) {
		if (k->loose)
			return SAID_NOTHING;
		wrong(m, k, "should have been connected to (join)");
	}
	k->conn = c;
	k->next_conn = (unsigned)(c - m->run->conns) + 1;
	k->at = 0;
	k->live = true;
	k->used = k->in_message = k->dirty = k->joined = false;
	k->heard_connect = false;
	k->helo = 0;
	e = next_event(k);
	if (!e) {
		k->live = false;
		if (k->loose)
			return SAID_NOTHING;
		wrong(m, k, "was connected to but offered nothing");
	}
	if (e->letter != SMFIC_OPTNEG)
		wrong(m, k, "was told %c first", e->letter);
	k->at++;
	check_offer(m, k, e);
	if (e->answer == SMFIC_OPTNEG)
		return SAID_CONTINUE;
	k->live = false;
	/* Begun for an earlier message, and failed before this one. */
	if (k->stray && !k->loose && find_conn(m, k) &&
	    find_conn(m, k)->count && m->now &&
	    find_conn(m, k)->events[0].seq < m->now->answer_seq)
		return open_conn(m, k);
	if (next_event(k))
		wrong(m, k, "was told %c although negotiation had failed",
		      next_letter(k));
	return SAID_FAILED;
}

/* The connection's part of what a child missed: connect and HELO. */
static struct outcome catch_up_connection(struct model *m, struct kid *k,
					  const struct op *op)
{
	struct outcome o = { .said = SAID_CONTINUE };

	if (!k->heard_connect && op != m->connect) {
		o = hear(m, k, m->connect, true);
		k->heard_connect = o.said != SAID_NOTHING;
		if (o.said != SAID_CONTINUE)
			return o;
	}
	/* It was joining while the MTA went on to the next HELO. */
	if (m->helo && k->helo == 0 && next_event(k) &&
	    next_event(k)->letter == SMFIC_HELO &&
	    !slice_equal(next_event(k)->payload, m->helo->payload))
		k->at++;
	/* A changed HELO is told before the next MAIL (design 3). */
	if (m->helo && op != m->helo && k->helo != m->helo->number + 1) {
		o = hear(m, k, m->helo, true);
		if (o.said != SAID_NOTHING)
			k->helo = m->helo->number + 1;
	}
	return o;
}

static struct outcome catch_up_message(struct model *m, struct kid *k,
				       const struct op *op)
{
	struct outcome o = { .said = SAID_CONTINUE };

	if (k->joined)
		return o;
	k->joined = true;
	if (m->mail && op != m->mail)
		o = hear(m, k, m->mail, true);
	for (unsigned i = 0; i < m->rcpt_count; i++)
		if (o.said == SAID_CONTINUE && !k->done)
			o = hear(m, k, m->rcpts[i], true);
	if (o.said == SAID_CONTINUE && m->data && op != m->data)
		o = hear(m, k, m->data, true);
	k->joined = o.said != SAID_NOTHING;
	return o;
}

/* It believes in a refused recipient: ABORT, MAIL, the accepted ones. */
static bool cleanse(struct model *m, struct kid *k)
{
	const struct event *e = next_event(k);

	k->dirty = false;
	k->joined = false;
	if (k->in_message) {
		if (!e || e->letter != SMFIC_ABORT) {
			if (k->loose || (!e && k->conn->we_closed))
				return false;
			wrong(m, k,
			      "believes in a refused recipient: should be told "
			      "ABORT, MAIL and the accepted ones, was told %c",
			      next_letter(k));
		}
		k->at++;
		k->in_message = false;
	}
	return true;
}

/* Before data at the latest; who is not in the message any more, now. */
static bool must_cleanse(const struct kid *k, const struct op *op)
{
	const struct event *e = next_event(k);

	if (!k->dirty)
		return false;
	if (op && strchr("CHU", op->letter))
		return !k->joined && e && e->letter == SMFIC_ABORT;
	return !op || op->letter == SMFIC_DATA || !k->in_message ||
	       (!k->joined && e && e->letter == SMFIC_ABORT);
}

/* Its joining, begun earlier, goes on while the MTA says something else. */
static bool is_joining(const struct model *m, const struct kid *k)
{
	const struct event *e = next_event(k);

	return (k->loose || k->dirty) && m->in_transaction && !k->joined && e &&
	       e->letter == SMFIC_MAIL &&
	       slice_equal(e->payload, m->mail->payload);
}

static struct outcome bring_once(struct model *m, struct kid *k,
				 const struct op *op)
{
	struct outcome o = { .said = SAID_CONTINUE, .scope = FOR_CONNECTION };
	bool for_message = !op || strchr("MRT", op->letter);

	if (!k->live)
		o.said = open_conn(m, k);
	if (o.said == SAID_CONTINUE)
		o = catch_up_connection(m, k, op);
	if (o.said != SAID_CONTINUE)
		return o;
	if (must_cleanse(k, op)) {
		for_message = true;
		if (!cleanse(m, k)) {
			o.said = SAID_NOTHING;
			return o;
		}
	}
	if (is_joining(m, k))
		for_message = true;
	if (for_message && !k->in_message)
		k->dirty = false;
	if (for_message)
		o = catch_up_message(m, k, op);
	if (o.said != SAID_CONTINUE || !op)
		return o;
	o = hear(m, k, op, false);
	if (op == m->connect && o.said != SAID_NOTHING)
		k->heard_connect = true;
	if (op == m->helo && o.said != SAID_NOTHING)
		k->helo = op->number + 1;
	return o;
}

struct outcome bring(struct model *m, struct kid *k, const struct op *op)
{
	bool was_live = k->live || k->stray;
	bool surely = k->live && k->used && !k->joined;
	struct outcome o = bring_once(m, k, op);

	if (op && strchr("UH", op->letter))
		surely = false;
	if (o.said == SAID_GONE && was_live && !k->answered && joins_again(m, k, surely))
		o = bring_once(m, k, op);
	if (o.said == SAID_NOTHING && !next_event(k))
		k->live = k->joined = false; /* it was closed */
	if (o.said == SAID_GONE)
		o.said = SAID_FAILED;
	if (o.said == SAID_ACCEPT)
		o.said = SAID_CONTINUE;
	return o;
}

/* ------------------------------------------------------------- letting go */

void release(struct model *m, struct kid *k)
{
	const struct event *e = next_event(k);
	bool told_nothing = k->joined && !k->in_message && !k->done &&
			    withheld(k, SMFIC_MAIL);

	if (!k->live)
		return;
	if (e && e->letter == SMFIC_ABORT && (k->in_message || told_nothing))
		k->at++;
	else if (k->in_message && !((k->loose || k->may_owe) && !e))
		wrong(m, k, "should be told ABORT, was told %c",
		      next_letter(k));
	if ((k->loose || k->may_owe) && !next_event(k))
		k->live = false; /* closed while it owed an answer */
	k->may_owe = false;
	k->in_message = false;
}

void finish(struct model *m, struct kid *k)
{
	const struct event *e;

	if (!k->live)
		return;
	release(m, k);
	if (!k->live)
		return;
	/* It may have been joining when it was no longer needed. */
	while ((e = next_event(k)) && strchr("CH", e->letter))
		k->at++;
	if (e && e->letter == SMFIC_QUIT)
		k->at++;
	else if (!e && k->conn && !k->conn->we_closed && !k->loose)
		wrong(m, k, "should be told QUIT");
	if (next_event(k))
		wrong(m, k, "was told %c where QUIT was due", next_letter(k));
	k->live = false;
}

static const char *manners_of(const struct conn *c, const struct event *e,
			      bool inside, size_t at)
{
	struct kid k = { .conn = c };

	if ((e->letter == SMFIC_OPTNEG) != (at == 0))
		return "negotiation not first, or twice";
	/* Nobody waits for what is said to a recipient the MTA refused. */
	if (e->crowded && !(e->letter == SMFIC_RCPT && e->payload.data[1] == 'x'))
		return "next command before the answer";
	if (at > 0 && withheld(&k, e->letter))
		return "what it did not want";
	if (e->letter == SMFIC_BODYEOB && e->payload.len > 0)
		return "data in end of message";
	if (e->letter == SMFIC_BODY &&
	    (e->payload.len == 0 || e->payload.len > 65535))
		return "a body chunk of a bad size";
	if (e->letter == SMFIC_ABORT && !inside &&
	    !(c->protocol & (SMFIP_NOMAIL | SMFIP_NORCPT)))
		return "ABORT outside a message";
	if (e->has_macros && e->macros.len > 0 &&
	    e->macros.data[e->macros.len - 1] != '\0')
		return "macros cut off";
	return NULL;
}

void check_manners(struct model *m, const struct conn *c)
{
	bool inside = false;

	for (size_t i = 0; i < c->count; i++) {
		const struct event *e = &c->events[i];
		const char *why = manners_of(c, e, inside, i);

		if (i > 0 && c->events[i - 1].letter == SMFIC_QUIT)
			why = "something after QUIT";
		if (why)
			wrong(m, &m->kids[c->kid], "was told %c: %s (its %zuth)",
			      e->letter, why, i + 1);
		if (strchr("MRTLNB", e->letter))
			inside = !strchr("artyd", e->answer) || !e->answer ||
				 (e->letter == SMFIC_RCPT &&
				  strchr("rtyd", e->answer));
		else if (strchr("EA", e->letter))
			inside = false;
	}
}
