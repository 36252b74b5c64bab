/*
 * The session as the model sees it: what each command of the MTA does.
 */
#include "t/prop/model.h"

/* --------------------------------------------------------------- verdicts */

/* May this text go to both MTAs?  Design 4: else the bare verdict. */
static bool good_reply(struct slice s)
{
	struct slice code = slice_head(s, 3);
	struct slice line;
	struct slice rest = s;

	while (slice_split(&rest, '\n', &line)) {
		char after = rest.len > 0 ? '-' : ' ';

		if (line.len < 5 || !slice_equal(slice_head(line, 3), code) ||
		    line.data[3] != after)
			return false;
		if (line.data[5] == '.' && line.data[4] != code.data[0])
			return false;
		if (rest.len == 0)
			break;
	}
	return true;
}

struct verdict verdict_from(const struct event *e, enum scope scope)
{
	struct verdict v = { e->answer, e->text, scope };

	if (v.kind == SMFIR_REPLYCODE && !good_reply(v.text))
		v.kind = v.text.data[0] == '4' ? SMFIR_TEMPFAIL :
						 SMFIR_REJECT;
	return v;
}

struct verdict policy_of(struct kid *k)
{
	struct verdict v = { .scope = FOR_MESSAGE };

	k->failed = true;
	switch (k->plan->policy) {
	case POLICY_TEMPFAIL:
		v.kind = '4';
		break;
	case POLICY_REJECT:
		v.kind = '5';
		break;
	case POLICY_DISCARD:
		v.kind = SMFIR_DISCARD;
		break;
	case POLICY_QUARANTINE:
		k->held = k->held_by_policy = true;
		break;
	case POLICY_ACCEPT:
		break;
	}
	return v;
}

bool fits(const struct verdict *v, const struct exchange *x)
{
	switch (v->kind) {
	case 0:
		return x->answer == SMFIR_CONTINUE;
	case '4':
		return x->answer == SMFIR_TEMPFAIL ||
		       (x->answer == SMFIR_REPLYCODE && x->text.len > 3 &&
			x->text.data[0] == '4' && good_reply(x->text));
	case '5':
		return x->answer == SMFIR_REJECT ||
		       (x->answer == SMFIR_REPLYCODE && x->text.len > 3 &&
			x->text.data[0] == '5' && good_reply(x->text));
	default:
		return x->answer == v->kind &&
		       (v->kind != SMFIR_REPLYCODE ||
			slice_equal(x->text, v->text));
	}
}

void expect_verdict(struct model *m, const struct verdict *v)
{
	const struct exchange *x = m->now;

	if (!fits(v, x))
		wrong(m, NULL,
		      "the MTA should have got %c \"%.*s\" (4, 5: any of that "
		      "class) and got %c \"%.*s\"",
		      v->kind ? v->kind : SMFIR_CONTINUE, SLICE_ARG(v->text),
		      x->answer, SLICE_ARG(x->text));
	if (x->progress && x->op->letter != SMFIC_BODYEOB)
		wrong(m, NULL, "PROGRESS before the end of message");
	if (x->edit_count && (v->kind || x->op->letter != SMFIC_BODYEOB))
		wrong(m, NULL, "edits without an accepting end of message");
}

static void expect_continue(struct model *m)
{
	struct verdict none = { .kind = 0 };

	if (m->now->owed)
		expect_verdict(m, &none);
}

/* -------------------------------------------------- one command, everybody */

/* Has its stage come?  A late joiner's stage is its `join` setting. */
static bool takes_part(const struct kid *k, const struct op *op)
{
	enum stage join = k->plan->join;

	if (k->plan->mode != MODE_ON || k->done_connection)
		return false;
	switch (op->letter) {
	case SMFIC_CONNECT:
		return join == STAGE_CONNECT;
	case SMFIC_HELO:
		return k->live || k->tried || join <= STAGE_HELO;
	case SMFIC_UNKNOWN:
		return (k->live || k->tried) && !k->done && !k->failed;
	case SMFIC_MAIL:
		return join <= STAGE_MAIL;
	case SMFIC_RCPT:
		return join <= STAGE_RCPT && !k->done && !k->failed;
	default:
		return join <= STAGE_DATA && (!k->done || k->late) &&
		       !k->failed;
	}
}

/*
 * Must it have heard this?  Late joiners leave a doubt, and a failure before
 * is settled at MAIL at the latest.
 */
static bool may_miss(const struct kid *k, const struct op *op)
{
	if (!k->live && strchr("HU", op->letter))
		return k->tried;
	if (op->letter == SMFIC_HELO)
		return k->plan->join > STAGE_HELO;
	return op->letter == SMFIC_UNKNOWN && !k->joined &&
	       k->plan->join > STAGE_HELO;
}

/* Was this the last it heard? */
static bool heard(const struct kid *k, const struct op *op)
{
	const struct event *e = k->conn && k->at ? &k->conn->events[k->at - 1] :
						   NULL;

	return e && e->letter == op->letter &&
	       slice_equal(e->payload, op->payload);
}

/*
 * A child below one that refused this recipient heard of it all the same
 * (design 3, "Order"): a chain child that lets it pass believes in it.  Had it
 * been asked in its turn it would not have heard it, so whatever else it said
 * does not count, and it must hear the message anew.
 */
static void heard_below(struct kid *k, const struct op *op,
			const struct outcome *o)
{
	if (o->said == SAID_NOTHING || k->plan->order == ORDER_FREE ||
	    op->letter != SMFIC_RCPT)
		return;
	if (o->said == SAID_NO && o->scope == FOR_RECIPIENT)
		return;
	if (o->said == SAID_CONTINUE && !k->done) {
		k->dirty |= o->event != NULL;
		return;
	}
	k->done = k->joined = false;
	k->dirty = k->live;
	/* What it said to the connection or to MAIL may be kept. */
	if (o->said == SAID_NO ||
	    (o->said == SAID_FAILED && !heard(k, op))) {
		k->remembered = true;
		k->memory = *o;
	}
}

/* What it said when nobody listened, if it is not asked again now. */
static struct outcome bring_or_recall(struct model *m, struct kid *k,
				      const struct op *op)
{
	const struct event *e = next_event(k);

	if (k->remembered && k->memory.said == SAID_FAILED &&
	    !joins_again(m, k, false))
		return k->memory;
	if (k->remembered && k->memory.said != SAID_FAILED &&
	    (!e || e->letter != SMFIC_MAIL))
		return k->memory;
	k->remembered = false;
	return bring(m, k, op);
}

void refused_too_late(struct model *m, struct kid *k, const struct outcome *o)
{
	m->maybe = verdict_from(o->event, o->scope);
	k->loose = true;
	finish(m, k);
	k->live = false;
}

struct verdict late_verdict(const struct kid *k)
{
	return (struct verdict){ k->late, SLICE_EMPTY, FOR_MESSAGE };
}

/* Gives op to one child; a no, if it was one that counts. */
static struct verdict put_to(struct model *m, struct kid *k,
			     const struct op *op, bool below)
{
	struct verdict none = { .kind = 0 };
	struct outcome o;

	if (k->done) /* it has accepted, but refused a recipient before */
		return below ? none : late_verdict(k);
	k->loose = below || may_miss(k, op);
	k->now_only = !below;
	k->joining |= below && !k->joined;
	o = bring_or_recall(m, k, op);
	k->now_only = false;
	if (op->letter == SMFIC_UNKNOWN && !heard(k, op) &&
	    (o.said == SAID_NO || o.said == SAID_DISCARD)) {
		k->remembered = true; /* said to MAIL, while it was joining */
		k->memory = o;
		return none;
	}
	if (below) {
		if (o.said == SAID_NO && o.scope == FOR_CONNECTION)
			refused_too_late(m, k, &o);
		else
			heard_below(k, op, &o);
		return none;
	}
	switch (o.said) {
	case SAID_NO:
	case SAID_DISCARD:
		return verdict_from(o.event, o.scope);
	case SAID_FAILED:
		/* At connect and helo: continue, settled at MAIL. */
		if (strchr("CHU", op->letter))
			return none;
		return policy_of(k);
	case SAID_SKIP:
		wrong(m, k, "skipped %c: the test is wrong", op->letter);
	case SAID_CONTINUE:
	case SAID_ACCEPT:
	case SAID_GONE:
	case SAID_NOTHING:
		break;
	}
	if (k->done_connection)
		finish(m, k);
	/* DATA is a message-scope answer: a late refusal comes out. */
	if (op->letter == SMFIC_DATA && k->late)
		return late_verdict(k);
	return none;
}

/* Everybody but `by` forgets the message, or the session. */
static void let_go(struct model *m, unsigned by, enum scope scope)
{
	for (unsigned i = 0; i < m->c->kid_count; i++) {
		struct kid *k = &m->kids[i];

		if (k->plan->mode != MODE_ON || k->done_connection)
			continue;
		k->loose = i > by;
		if (scope == FOR_CONNECTION)
			finish(m, k);
		else
			release(m, k);
		k->joined = false;
	}
}

/* Strict: only after all above have answered this command (design 3). */
static void check_turn(struct model *m, const struct kid *k, size_t before,
		       const struct op *op, uint64_t above)
{
	const struct event *e;
	bool waits = k->plan->order == ORDER_STRICT ||
		     (k->plan->serial && op->letter == SMFIC_RCPT);

	if (!waits || k->at <= before || !k->conn)
		return;
	e = &k->conn->events[k->at - 1];
	if (e->letter == op->letter && e->seq < above)
		wrong(m, k, "was told %c before those above had answered",
		      op->letter);
}

/* Design 4: the first no in chain order wins. */
static struct verdict put_to_all(struct model *m, const struct op *op)
{
	struct verdict no = { .kind = 0 };
	unsigned by = 0;
	uint64_t above = 0;

	for (unsigned i = 0; i < m->c->kid_count; i++) {
		struct kid *k = &m->kids[i];
		bool alone = k->plan->order == ORDER_STRICT ||
			     (k->plan->serial && op->letter == SMFIC_RCPT);
		const struct conn *conn = k->conn;
		size_t before = k->at;
		struct verdict v;

		if (!takes_part(k, op))
			continue;
		v = put_to(m, k, op, no.kind != 0);
		k->may_owe = no.kind != 0; /* nobody waited for it */
		if (no.kind && alone && heard(k, op))
			wrong(m, k, "was told %c although one above refused",
			      op->letter);
		check_turn(m, k, k->conn == conn ? before : 0, op, above);
		if (heard(k, op) && k->conn->events[k->at - 1].answer &&
		    k->conn->events[k->at - 1].seq > above)
			above = k->conn->events[k->at - 1].seq;
		if (!no.kind && v.kind) {
			no = v;
			by = i;
		}
	}
	m->soft = no.kind && no.scope == FOR_MESSAGE &&
		  op->letter == SMFIC_RCPT && no.kind != SMFIR_DISCARD;
	m->soft_by = by;
	if (no.kind && no.scope >= FOR_MESSAGE && !m->soft)
		let_go(m, by, no.scope);
	for (unsigned i = by + 1; i < m->c->kid_count && m->soft; i++) {
		m->kids[i].loose = true;
		if (m->kids[i].plan->mode == MODE_ON)
			release(m, &m->kids[i]);
	}
	return no;
}

/*
 * A verdict for the message that falls at a recipient: "this and every later
 * answer" (design 4).  The MTA goes on with recipients; those above may still
 * be asked, and if one refuses it is the first no.
 */
static struct verdict put_softly(struct model *m, const struct op *op,
				 struct verdict otherwise)
{
	struct verdict first = { .kind = 0 };
	unsigned soft_by = m->soft_by;

	for (unsigned i = 0; i < m->soft_by; i++) {
		struct kid *k = &m->kids[i];
		struct verdict v = { .kind = 0 };
		struct outcome o;

		if (!takes_part(k, op))
			continue;
		k->loose = true;
		o = bring(m, k, op);
		if (first.kind)
			continue;
		if (o.said == SAID_NO || o.said == SAID_DISCARD)
			v = verdict_from(o.event, o.scope);
		if (o.said == SAID_FAILED && op->letter != SMFIC_UNKNOWN)
			v = policy_of(k);
		if (!v.kind)
			continue;
		if (v.scope == FOR_MESSAGE) {
			m->message = v;
			soft_by = i;
		}
		first = v;
	}
	m->soft_by = soft_by;
	return first.kind ? first : otherwise;
}

/* --------------------------------------------------------------- commands */

static void begin_message(struct model *m)
{
	for (unsigned i = 0; i < m->c->kid_count; i++) {
		struct kid *k = &m->kids[i];

		k->joined = k->in_message = k->done = k->failed = false;
		k->answered = k->joining = false;
		k->dirty = k->walked = k->held = k->held_by_policy = false;
		k->remembered = false;
		k->late = 0;
		k->edit_count = 0;
	}
	m->rcpt_count = 0;
	m->data = m->mail = m->eoh = m->eom = NULL;
	m->in_content = m->soft = false;
	m->message.kind = 0;
	m->gate = 0;
	headers_begin(&m->original, m->c->mta);
	buf_clear(&m->body);
}

static void end_message(struct model *m)
{
	for (unsigned i = 0; i < m->c->kid_count; i++) {
		struct kid *k = &m->kids[i];

		k->used |= k->joined || k->walked;
		k->joined = k->in_message = k->done = k->failed = false;
		k->dirty = k->remembered = k->answered = false;
	}
	m->in_transaction = m->in_content = m->soft = false;
}

/* ABORT, or a HELO or MAIL inside the transaction (design 3, "Journal"). */
static void abort_message(struct model *m)
{
	if (!m->in_transaction)
		return;
	m->next_seq = m->now && strchr("MH", m->now->op->letter) ? m->now->seq :
								    0;
	for (unsigned i = 0; i < m->c->kid_count; i++) {
		struct kid *k = &m->kids[i];

		if (k->plan->mode != MODE_ON || k->done_connection)
			continue;
		k->loose = m->in_content || m->soft;
		if (m->in_content)
			broken_off(m, k);
		release(m, k);
	}
	m->next_seq = 0;
	end_message(m);
}

static void on_connect(struct model *m, const struct op *op)
{
	m->connect = op;
	m->connection = put_to_all(m, op);
	if (m->connection.scope != FOR_CONNECTION)
		m->connection.kind = 0;
	expect_verdict(m, &m->connection);
}

static void on_helo(struct model *m, const struct op *op)
{
	abort_message(m);
	if (!m->connection.kind) {
		m->helo = op;
		m->connection = put_to_all(m, op);
	}
	expect_verdict(m, &m->connection);
}

/* The no to the connection had come in time; others may have been asked. */
static void give_up_connection(struct model *m, const struct op *op)
{
	m->connection = m->maybe;
	for (unsigned i = 0; i < m->c->kid_count; i++) {
		struct kid *k = &m->kids[i];

		k->loose = true;
		if (takes_part(k, op))
			bring(m, k, op);
		k->loose = true;
		if (k->plan->mode == MODE_ON)
			finish(m, k);
	}
}

static void on_mail(struct model *m, const struct op *op)
{
	struct verdict v;

	abort_message(m);
	begin_message(m);
	if (m->maybe.kind && !m->connection.kind && fits(&m->maybe, m->now))
		give_up_connection(m, op);
	m->maybe.kind = 0;
	if (m->connection.kind) {
		expect_verdict(m, &m->connection);
		return;
	}
	m->mail = op;
	v = put_to_all(m, op);
	if (v.kind && v.scope == FOR_CONNECTION)
		m->connection = v;
	else
		m->message = v;
	expect_verdict(m, &v);
	m->in_transaction = !v.kind;
	if (v.kind)
		end_message(m);
}

/* Refused by the MTA itself: only for those who asked, nobody's answer
 * counts, and it enters nothing (design 3, "Journal"). */
static void on_rejected_rcpt(struct model *m, const struct op *op)
{
	for (unsigned i = 0; i < m->c->kid_count; i++) {
		struct kid *k = &m->kids[i];

		k->loose = m->message.kind != 0 || !k->live || k->joining;
		if (k->plan->mode != MODE_ON || k->done_connection ||
		    k->plan->join > STAGE_RCPT || !k->conn || k->done ||
		    k->failed || (k->live && !k->joined && !k->joining) ||
		    !(k->conn->protocol & SMFIP_RCPT_REJ))
			continue;
		k->now_only = !k->live;
		bring(m, k, op);
		k->now_only = false;
		k->may_owe = true; /* the MTA does not wait for this */
	}
	if (!m->message.kind)
		expect_continue(m);
}

static void on_rcpt(struct model *m, const struct op *op)
{
	struct verdict v = m->message;

	if (op->rejected) {
		on_rejected_rcpt(m, op);
		return;
	}
	if (v.kind && m->soft) {
		v = put_softly(m, op, v);
		expect_verdict(m, &v);
		return;
	}
	if (!v.kind)
		v = put_to_all(m, op);
	if (v.kind && v.scope == FOR_MESSAGE)
		m->message = v;
	if (v.kind && v.scope == FOR_CONNECTION)
		m->message = m->connection = v;
	if (!v.kind)
		m->rcpts[m->rcpt_count++] = op;
	expect_verdict(m, &v);
}

/* The others forget the message now at the latest. */
static void let_go_softly(struct model *m)
{
	for (unsigned i = 0; i < m->c->kid_count && m->soft; i++) {
		struct kid *k = &m->kids[i];

		k->loose = true;
		if (k->plan->mode == MODE_ON)
			release(m, k);
	}
	m->soft = false;
}

static void on_data(struct model *m, const struct op *op)
{
	m->data = op;
	if (m->message.kind) {
		if (m->soft)
			m->message = put_softly(m, op, m->message);
		let_go_softly(m);
	} else {
		m->message = put_to_all(m, op);
	}
	if (m->message.scope == FOR_CONNECTION)
		m->connection = m->message;
	expect_verdict(m, &m->message);
}

/* Design 3: answered "continue" at once where an answer is owed at all;
 * a verdict is given at the end of the message. */
static void on_content(struct model *m, const struct op *op)
{
	struct slice rest = op->payload;
	struct slice name;
	struct slice value;

	m->in_content = true;
	if (op->letter == SMFIC_BODY) {
		put(&m->body, op->payload);
	} else if (op->letter == SMFIC_EOH) {
		m->eoh = op;
	} else if (slice_split(&rest, '\0', &name) &&
		   slice_split(&rest, '\0', &value)) {
		headers_append(&m->original, name, value);
	}
	expect_continue(m);
}

static void on_end(struct model *m, const struct op *op)
{
	m->eom = op;
	if (m->message.kind && !m->soft)
		expect_verdict(m, &m->message);
	else
		end_of_message(m);
	let_go_softly(m);
	end_message(m);
}

static void on_unknown(struct model *m, const struct op *op)
{
	struct verdict v = m->connection;

	if (m->soft) {
		v = put_softly(m, op, v);
		/* The lost message may answer this as well. */
		if (!v.kind && fits(&m->message, m->now))
			v = m->message;
	} else if (!v.kind) {
		v = put_to_all(m, op);
	}
	expect_verdict(m, &v);
}

static void on_command(struct model *m)
{
	const struct op *op = m->now->op;

	switch (op->letter) {
	case SMFIC_CONNECT:
		on_connect(m, op);
		break;
	case SMFIC_HELO:
		on_helo(m, op);
		break;
	case SMFIC_MAIL:
		on_mail(m, op);
		break;
	case SMFIC_RCPT:
		on_rcpt(m, op);
		break;
	case SMFIC_DATA:
		on_data(m, op);
		break;
	case SMFIC_BODYEOB:
		on_end(m, op);
		break;
	case SMFIC_ABORT:
		abort_message(m);
		break;
	case SMFIC_UNKNOWN:
		on_unknown(m, op);
		break;
	case SMFIC_QUIT:
		break;
	default:
		on_content(m, op);
	}
}

/* Design 3, "Negotiation": always the same answer. */
static void check_negotiation(struct model *m)
{
	uint32_t protocol = m->c->protocol &
			    (SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY |
			     SMFIP_SKIP | SMFIP_HDR_LEADSPC | SMFIP_RCPT_REJ);

	if (m->run->got_version != m->c->version ||
	    m->run->got_actions != m->c->actions ||
	    m->run->got_protocol != protocol)
		wrong(m, NULL, "negotiated %x %x %x and not %x %x %x",
		      m->run->got_version, m->run->got_actions,
		      m->run->got_protocol, m->c->version, m->c->actions,
		      protocol);
}

static void check_end(struct model *m)
{
	abort_message(m);
	for (unsigned i = 0; i < m->c->kid_count; i++) {
		struct kid *k = &m->kids[i];

		k->loose = false;
		if (k->plan->mode == MODE_ON)
			finish(m, k);
	}
	for (unsigned i = 0; i < m->run->conn_count; i++) {
		const struct conn *c = &m->run->conns[i];
		struct kid *k = &m->kids[c->kid];

		if (k->plan->mode == MODE_OFF)
			wrong(m, k, "is off and was connected to");
		if (k->plan->mode == MODE_ON && i >= k->next_conn &&
		    !(k->stray && came_to_nothing(c)))
			wrong(m, k, "was connected to once more than needed");
		check_manners(m, c);
	}
}

const char *model_check(const struct prop_case *c, struct run *run)
{
	struct model *m = take(run->arena, 1, sizeof(*m));

	m->c = c;
	m->run = run;
	buf_init(&m->body, (size_t)64 << 20);
	for (unsigned i = 0; i < c->kid_count; i++)
		m->kids[i] = (struct kid){ .plan = &c->kids[i], .number = i };
	if (setjmp(m->stop) == 0) {
		check_negotiation(m);
		for (unsigned i = 0; i < run->exchange_count; i++) {
			m->now = &run->exchanges[i];
			on_command(m);
		}
		m->now = NULL;
		check_end(m);
	}
	buf_deinit(&m->body);
	return m->why;
}
