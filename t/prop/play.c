/*
 * Plays a case: one thread is the MTA and all children at the same time, and
 * a real sekishod stands between.  Everybody speaks in whole packets built
 * here, byte by byte, so that nothing of the program under test is needed.
 * What everybody saw and said is written down in the run; nothing is judged
 * here but what makes going on impossible.
 */
#include "t/prop/prop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"

#define BUF_CEILING	((size_t)64 << 20)
#define ANSWER_LIMIT	(20 * CLOCK_S) /* for one answer to the MTA */
#define END_LIMIT	(5 * CLOCK_S) /* for all connections to close */
#define SETTLE_MS	2 /* nothing for so long: everybody has settled */
#define PATIENT_MS	30 /* the same for a patient MTA */
#define EVALUATE_WAIT	(40 * CLOCK_MS) /* to let evaluate children finish */

struct player {
	struct stage_set *set;
	struct prop_case *c;
	struct run *run;
	struct rng r;
	/* the MTA */
	int fd;
	struct buf in;
	struct buf out;
	unsigned next_op;
	struct exchange *waiting;
	bool negotiated;
	bool session_refused;
	bool mailed; /* tried once after the session was refused */
	bool message_over;
	unsigned accepted;
	unsigned message;
	uint64_t wait_until; /* for evaluate children; 0: no */
	bool unsettled;	     /* waits until nobody has anything to do */
	bool settled;	     /* ... and has done so for the next command */
	uint64_t deadline;
	bool done;
};

/* ---------------------------------------------------------------- packets */

static void put_u32(struct buf *b, size_t n)
{
	if (!buf_add_u32(b, (uint32_t)n))
		die("no room in a buffer");
}

static void put_packet(struct buf *b, char letter, struct slice payload)
{
	put_u32(b, payload.len + 1);
	put(b, slice_of(&letter, 1));
	put(b, payload);
}

static uint32_t get_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 |
	       (uint32_t)u[2] << 8 | u[3];
}

/* A whole packet at the front of b? */
static bool get_packet(const struct buf *b, char *letter_out,
		       struct slice *payload_out)
{
	struct slice s = buf_slice(b);
	uint32_t len;

	if (s.len < 5)
		return false;
	len = get_u32(s.data);
	if (len < 1 || s.len - 4 < len)
		return false;
	*letter_out = s.data[4];
	*payload_out = slice_of(s.data + 5, len - 1);
	return true;
}

static struct slice take_str(struct slice *rest)
{
	struct slice part = SLICE_EMPTY;

	slice_split(rest, '\0', &part);
	return part;
}

static void put_edit(struct buf *b, const struct edit *e)
{
	size_t strings = e->name.len + e->value.len + 2;
	bool is_header = e->kind == SMFIR_ADDHEADER ||
			 e->kind == SMFIR_INSHEADER ||
			 e->kind == SMFIR_CHGHEADER;
	bool has_index = is_header && e->kind != SMFIR_ADDHEADER;

	if (e->kind == SMFIR_REPLBODY) {
		put_packet(b, e->kind, e->value);
		return;
	}
	if (e->kind == SMFIR_QUARANTINE)
		strings = e->value.len + 1;
	else if (!is_header && !e->has_args)
		strings = e->name.len + 1;
	put_u32(b, 1 + strings + (has_index ? 4 : 0));
	put(b, slice_of(&e->kind, 1));
	if (has_index)
		put_u32(b, e->index);
	if (e->kind != SMFIR_QUARANTINE) {
		put(b, e->name);
		put(b, slice_of("", 1));
	}
	if (e->kind == SMFIR_QUARANTINE || is_header || e->has_args) {
		put(b, e->value);
		put(b, slice_of("", 1));
	}
}

static void get_edit(struct arena *a, char letter, struct slice payload,
		     struct edit *e)
{
	struct slice rest = keep(a, payload);

	*e = (struct edit){ .kind = letter };
	if (letter == SMFIR_REPLBODY) {
		e->value = rest;
		return;
	}
	if (letter == SMFIR_QUARANTINE) {
		e->value = take_str(&rest);
		return;
	}
	if ((letter == SMFIR_INSHEADER || letter == SMFIR_CHGHEADER) &&
	    rest.len >= 4) {
		e->index = get_u32(rest.data);
		rest = slice_from(rest, 4);
	}
	e->name = take_str(&rest);
	e->has_args = rest.len > 0;
	e->value = take_str(&rest);
}

/* --------------------------------------------------------------- children */

static void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void conn_flush(struct conn *c)
{
	while (c->fd >= 0 && buf_len(&c->out) > 0) {
		struct slice s = buf_slice(&c->out);
		ssize_t n = send(c->fd, s.data, s.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			buf_clear(&c->out);
			return; /* reading will tell */
		}
		buf_skip(&c->out, (size_t)n);
	}
	if (c->leave_when_written && c->fd >= 0) {
		c->we_closed = true;
		conn_close(c);
	}
}

/* Which reaction the child has to this command; NULL: "continue". */
static struct reaction *find_reaction(struct player *p, struct conn *c,
				      char letter, struct slice payload)
{
	struct kid_plan *k = &p->c->kids[c->kid];
	struct kid_message *m = &k->messages[p->message];
	unsigned n = payload.len > 4 ? (unsigned)(payload.data[4] - '0') : 0;
	bool here;

	switch (letter) {
	case SMFIC_OPTNEG:
		return &k->optneg;
	case SMFIC_CONNECT:
		return &k->connect;
	case SMFIC_HELO:
		return n < HELOS_MAX ? &k->helo[n] : NULL;
	case SMFIC_MAIL:
		return &m->mail;
	case SMFIC_RCPT:
		n = payload.len > 2 ? (unsigned)(payload.data[2] - '0') : 99;
		if (n >= RCPTS_MAX || payload.data[1] != 'r')
			return NULL;
		return &m->rcpt[n];
	case SMFIC_DATA:
		return &m->data;
	case SMFIC_HEADER:
		return c->headers++ == m->header_at ? &m->header : NULL;
	case SMFIC_EOH:
		return &m->eoh;
	case SMFIC_BODY:
		here = m->body_at >= c->body &&
		       m->body_at < c->body + payload.len;
		c->body += payload.len;
		return here ? &m->body : NULL;
	case SMFIC_BODYEOB:
		return &m->eom;
	case SMFIC_UNKNOWN:
		return &k->unknown;
	default:
		return NULL;
	}
}

static uint32_t no_reply_bit(char letter)
{
	static const char letters[] = "CHMRTLNBU";
	static const uint32_t bits[] = { SMFIP_NR_CONN, SMFIP_NR_HELO,
					 SMFIP_NR_MAIL, SMFIP_NR_RCPT,
					 SMFIP_NR_DATA, SMFIP_NR_HDR,
					 SMFIP_NR_EOH,	SMFIP_NR_BODY,
					 SMFIP_NR_UNKN };
	const char *at = strchr(letters, letter);

	return at && letter ? bits[at - letters] : 0;
}

static void say_option(struct player *p, struct conn *c)
{
	const struct kid_plan *k = &p->c->kids[c->kid];
	size_t len = 13;

	for (unsigned i = 0; i < LIST_COUNT; i++)
		if (k->has_list[i])
			len += 4 + k->list[i].len + 1;
	put_u32(&c->out, len);
	put(&c->out, SLICE_LIT("O"));
	put_u32(&c->out, k->version);
	put_u32(&c->out, k->actions);
	put_u32(&c->out, k->protocol);
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		if (!k->has_list[i])
			continue;
		put_u32(&c->out, i);
		put(&c->out, k->list[i]);
		put(&c->out, slice_of("", 1));
	}
	c->version = k->version;
	c->actions = k->actions;
	c->protocol = k->protocol;
	if (k->version < 3)
		c->protocol |= SMFIP_NOUNKNOWN;
	if (k->version < 4)
		c->protocol |= SMFIP_NODATA;
}

static void fail(struct conn *c, struct event *e, const struct reaction *r)
{
	e->answer = r->kind;
	c->deaf = true;
	if (r->kind == FAIL_CLOSE)
		c->leave_when_written = true;
	if (r->kind == FAIL_GARBAGE)
		put(&c->out, r->text);
}

static void say_edits(struct player *p, struct conn *c, struct event *e)
{
	const struct kid_message *m =
		&p->c->kids[c->kid].messages[p->message];

	e->edits = m->edits;
	e->edit_count = m->edit_count;
	for (unsigned i = 0; i < m->edit_count; i++)
		put_edit(&c->out, &m->edits[i]);
}

/* A final answer: the child hears no more of this message, as libmilter. */
static bool is_last_word(char letter, char answer)
{
	if (letter == SMFIC_BODYEOB)
		return true;
	if (answer == SMFIR_CONTINUE || answer == SMFIR_SKIP)
		return false;
	if (letter == SMFIC_RCPT)
		return answer == SMFIR_ACCEPT;
	return strchr("MTLNB", letter) != NULL;
}

static void answer(struct player *p, struct conn *c, struct event *e)
{
	struct reaction *r = find_reaction(p, c, e->letter, e->payload);
	struct reaction plain = { .kind = SMFIR_CONTINUE };

	if (r && r->kind != SMFIR_CONTINUE && r->times > 0 &&
	    r->used++ >= r->times)
		r = NULL;
	if (!r)
		r = &plain;
	if (e->letter == SMFIC_BODYEOB)
		say_edits(p, c, e);
	if (strchr("XGS", r->kind)) {
		fail(c, e, r);
		return;
	}
	if (e->letter == SMFIC_OPTNEG) {
		e->answer = SMFIC_OPTNEG;
		say_option(p, c);
		return;
	}
	if (c->protocol & no_reply_bit(e->letter))
		return;
	if (r->progress)
		put_packet(&c->out, SMFIR_PROGRESS, SLICE_EMPTY);
	e->answer = r->kind;
	e->text = r->text;
	put_packet(&c->out, r->kind,
		   r->kind == SMFIR_REPLYCODE ?
			   text(p->run->arena, "%.*s%c", SLICE_ARG(r->text),
				0) :
			   SLICE_EMPTY);
	c->over = is_last_word(e->letter, r->kind);
	c->over_message = p->message;
	if (e->letter == SMFIC_BODYEOB &&
	    p->c->kids[c->kid].messages[p->message].leaves)
		c->leave_when_written = c->deaf = true;
}

static struct event *new_event(struct player *p, struct conn *c)
{
	if (c->count == c->room) {
		size_t room = c->room ? c->room * 2 : 32;
		struct event *e = take(p->run->arena, room, sizeof(*e));

		if (c->count)
			memcpy(e, c->events, c->count * sizeof(*e));
		c->events = e;
		c->room = room;
	}
	return &c->events[c->count++];
}

static void hear_macros(struct player *p, struct conn *c, struct slice payload)
{
	unsigned char of = payload.len ? (unsigned char)payload.data[0] : 0;

	c->has_macros[of] = true;
	c->macros[of] = keep(p->run->arena, slice_from(payload, 1));
}

static void hear(struct player *p, struct conn *c, char letter,
		 struct slice payload, bool more_waiting)
{
	struct event *e;

	if (letter == SMFIC_MACRO) {
		hear_macros(p, c, payload);
		return;
	}
	e = new_event(p, c);
	e->seq = ++p->run->seq;
	e->letter = letter;
	e->payload = keep(p->run->arena, payload);
	e->has_macros = c->has_macros[(unsigned char)letter];
	e->macros = c->macros[(unsigned char)letter];
	memset(c->has_macros, 0, sizeof(c->has_macros));
	if (strchr("ACHMU", letter)) {
		c->over = c->over && letter == SMFIC_UNKNOWN;
		c->headers = 0;
		c->body = 0;
	}
	/* With NOMAIL the next message begins without a word. */
	if (c->over && c->over_message != p->message) {
		c->over = false;
		c->headers = 0;
		c->body = 0;
	}
	if ((letter == SMFIC_RCPT && c->protocol & SMFIP_NOMAIL) ||
	    (letter == SMFIC_DATA && c->protocol & SMFIP_NOMAIL &&
	     c->protocol & SMFIP_NORCPT))
		c->over = false; /* as libmilter looks through these */
	e->dropped = c->deaf || (c->over && strchr("RTLNBE", letter));
	if (e->dropped || letter == SMFIC_ABORT || letter == SMFIC_QUIT)
		return;
	answer(p, c, e);
	e->crowded = more_waiting && strchr("OCHMRTUE", letter) &&
		     !(c->protocol & no_reply_bit(letter));
}

static void conn_read(struct player *p, struct conn *c)
{
	char letter;
	char next;
	struct slice payload;
	struct slice ignored;
	char *room = buf_room(&c->in, 70000);
	ssize_t n;

	if (!room)
		die("no room in a buffer");
	n = recv(c->fd, room, 70000, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		c->they_closed = true;
		conn_close(c);
		return;
	}
	buf_added(&c->in, (size_t)n);
	while (c->fd >= 0 && get_packet(&c->in, &letter, &payload)) {
		struct buf rest = c->in;

		buf_skip(&rest, payload.len + 5);
		hear(p, c, letter, payload,
		     get_packet(&rest, &next, &ignored));
		buf_skip(&c->in, payload.len + 5);
		conn_flush(c);
	}
}

static void conn_accept(struct player *p, unsigned kid)
{
	int fd = accept4(stage_listener(p->set, kid), NULL, NULL,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c;

	if (fd < 0)
		return;
	if (p->run->conn_count == CONNS_MAX) {
		p->run->broken = "sekishod opens connections without end";
		close(fd);
		return;
	}
	c = &p->run->conns[p->run->conn_count++];
	*c = (struct conn){ .kid = kid, .fd = fd };
	buf_init(&c->in, BUF_CEILING);
	buf_init(&c->out, BUF_CEILING);
}

/* ---------------------------------------------------------------- the MTA */

static void mta_flush(struct player *p)
{
	while (p->fd >= 0 && buf_len(&p->out) > 0) {
		struct slice s = buf_slice(&p->out);
		ssize_t n = send(p->fd, s.data, s.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			p->run->broken = "sekishod does not read from the MTA";
			return;
		}
		buf_skip(&p->out, (size_t)n);
	}
}

/* Would an MTA give this command, after what it was answered so far? */
static bool mta_gives(struct player *p, const struct op *o)
{
	if (p->session_refused) {
		bool first = !p->mailed && strchr("HM", o->letter);

		p->mailed |= o->letter == SMFIC_MAIL;
		return first || o->letter == SMFIC_QUIT;
	}
	switch (o->letter) {
	case SMFIC_MAIL:
		p->message = o->message;
		p->message_over = false;
		p->accepted = 0;
		return true;
	case SMFIC_UNKNOWN:
		return o->message == MESSAGES_MAX || !p->message_over;
	case SMFIC_RCPT:
		return !p->message_over;
	case SMFIC_DATA:
	case SMFIC_HEADER:
	case SMFIC_EOH:
	case SMFIC_BODY:
	case SMFIC_BODYEOB:
		if (p->accepted == 0)
			p->message_over = true;
		return !p->message_over;
	default:
		return true;
	}
}

static void mta_say(struct player *p, const struct op *o)
{
	struct exchange *x = &p->run->exchanges[p->run->exchange_count++];

	*x = (struct exchange){ .op = o, .seq = ++p->run->seq };
	if (o->has_macros) {
		put_u32(&p->out, 2 + o->macros.len);
		put(&p->out, SLICE_LIT("D"));
		put(&p->out, slice_of(&o->letter, 1));
		put(&p->out, o->macros);
	}
	put_packet(&p->out, o->letter, o->payload);
	x->owed = !strchr("AQ", o->letter) &&
		  !(p->run->got_protocol & no_reply_bit(o->letter));
	if (x->owed)
		p->waiting = x;
	p->deadline = clock_now() + ANSWER_LIMIT;
}

/* Are evaluate children still busy with the message that has just ended? */
static bool evaluate_waits(struct player *p)
{
	bool busy = false;

	if (p->wait_until == 0)
		return false;
	for (unsigned i = 0; i < p->run->conn_count; i++) {
		const struct conn *c = &p->run->conns[i];

		if (p->c->kids[c->kid].mode == MODE_EVALUATE && c->fd >= 0 &&
		    !c->over && !c->deaf)
			busy = true;
	}
	if (busy && clock_now() < p->wait_until)
		return true;
	p->wait_until = 0;
	return false;
}

static bool is_patient;

void play_patiently(bool yes)
{
	is_patient = yes;
}

static int settle_ms(void)
{
	return is_patient ? PATIENT_MS : SETTLE_MS;
}

/*
 * After a refusal, or when it breaks off, children may be in the middle of
 * something that nobody waits for.  What they hear of it should be known to
 * belong to the command that caused it, so the MTA takes its time then.
 * FAST: it does not.
 */
static bool mta_takes_time(const struct player *p, const struct op *o)
{
	const struct exchange *x;

	if (p->run->exchange_count == 0 || p->settled || getenv("FAST"))
		return false;
	if (is_patient)
		return true;
	x = &p->run->exchanges[p->run->exchange_count - 1];
	if (x->op->rejected || x->op->letter == SMFIC_ABORT)
		return true;
	if (x->owed && x->answer != SMFIR_CONTINUE)
		return true;
	return strchr("MHAQ", o->letter) && strchr("MRTLNBU", x->op->letter);
}

static void mta_leave(struct player *p)
{
	/* Its answer, the end of the line, says that it is done with us. */
	shutdown(p->fd, SHUT_WR);
	p->done = true;
	p->deadline = clock_now() + END_LIMIT;
}

static void mta_advance(struct player *p)
{
	while (p->negotiated && !p->waiting && !p->done && !p->unsettled &&
	       !evaluate_waits(p) && buf_len(&p->out) < 200000) {
		const struct op *o;

		if (p->next_op == p->c->op_count) {
			mta_flush(p);
			if (buf_len(&p->out) == 0)
				mta_leave(p);
			break;
		}
		o = &p->c->ops[p->next_op];
		if (mta_takes_time(p, o)) {
			p->unsettled = true;
			break;
		}
		p->settled = false;
		p->next_op++;
		if (mta_gives(p, o))
			mta_say(p, o);
	}
	mta_flush(p);
}

static void mta_conclude(struct player *p, struct exchange *x)
{
	char l = x->op->letter;
	bool yes = x->answer == SMFIR_CONTINUE;

	x->answer_seq = ++p->run->seq;
	p->waiting = NULL;
	if (l == SMFIC_CONNECT || l == SMFIC_HELO)
		p->session_refused |= !yes;
	else if (l == SMFIC_RCPT && x->answer == SMFIR_DISCARD)
		p->message_over = true;
	else if (l == SMFIC_RCPT && yes && !x->op->rejected)
		p->accepted++;
	else if (strchr("MTE", l))
		p->message_over = !yes || l == SMFIC_BODYEOB;
	if (l == SMFIC_BODYEOB)
		p->wait_until = clock_now() + EVALUATE_WAIT;
}

static struct edit *mta_new_edit(struct player *p, struct exchange *x)
{
	if (x->edit_count == x->edit_room) {
		unsigned room = x->edit_room ? x->edit_room * 2 : 8;
		struct edit *e = take(p->run->arena, room, sizeof(*e));

		if (x->edit_count)
			memcpy(e, x->edits, x->edit_count * sizeof(*e));
		x->edits = e;
		x->edit_room = room;
	}
	return &x->edits[x->edit_count++];
}

/* Lists 5 and 6 only together: Sendmail's bug (milter-protocol 2.6). */
static void mta_negotiated(struct player *p, struct slice payload)
{
	unsigned lists = 0;

	if (payload.len < 12) {
		p->run->broken = "a negotiation that is too short";
		return;
	}
	p->run->got_version = get_u32(payload.data);
	p->run->got_actions = get_u32(payload.data + 4);
	p->run->got_protocol = get_u32(payload.data + 8);
	for (payload = slice_from(payload, 12); payload.len > 4;) {
		lists |= 1u << (get_u32(payload.data) & 31);
		payload = slice_from(payload, 4);
		take_str(&payload);
	}
	if (!(lists & 1u << LIST_EOM) != !(lists & 1u << LIST_EOH))
		p->run->broken = "only one list of end of message and headers";
	p->negotiated = true;
}

static void mta_hear(struct player *p, char letter, struct slice payload)
{
	struct exchange *x = p->waiting;

	if (!p->negotiated && letter == SMFIC_OPTNEG) {
		mta_negotiated(p, payload);
		return;
	}
	if (!x) {
		p->run->broken = "the MTA got an answer it did not wait for";
		return;
	}
	if (letter == SMFIR_PROGRESS) {
		x->progress++;
	} else if (strchr("himb+-2eq", letter)) {
		get_edit(p->run->arena, letter, payload, mta_new_edit(p, x));
	} else {
		x->answer = letter;
		if (payload.len > 0)
			x->text = keep(p->run->arena,
				       slice_head(payload, payload.len - 1));
		mta_conclude(p, x);
	}
}

static void mta_read(struct player *p)
{
	char letter;
	struct slice payload;
	char *room = buf_room(&p->in, 70000);
	ssize_t n;

	if (!room)
		die("no room in a buffer");
	n = recv(p->fd, room, 70000, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (!p->done &&
		    (p->waiting || p->next_op < p->c->op_count))
			p->run->broken = "sekishod closed the MTA's connection";
		p->done = true;
		close(p->fd);
		p->fd = -1;
		return;
	}
	buf_added(&p->in, (size_t)n);
	while (!p->run->broken && get_packet(&p->in, &letter, &payload)) {
		mta_hear(p, letter, payload);
		buf_skip(&p->in, payload.len + 5);
	}
}

/* --------------------------------------------------------------- the loop */

static bool all_closed(const struct player *p)
{
	const struct run *run = p->run;

	if (!p->done || p->fd >= 0)
		return false;
	for (unsigned i = 0; i < run->conn_count; i++)
		if (run->conns[i].fd >= 0)
			return false;
	return true;
}

/* A child that is slow to read lets the others answer first. */
static bool naps(struct player *p, struct conn *c)
{
	if (c->nap > 0)
		c->nap--;
	else if (p->c->shuffled && rng_once_in(&p->r, 3))
		c->nap = 1 + rng_below(&p->r, 3);
	return c->nap > 0;
}

static int fill_poll(struct player *p, struct pollfd *fds, unsigned *count_out)
{
	unsigned n = 0;
	int wait_ms = 1000;

	for (unsigned i = 0; i < p->c->kid_count; i++)
		fds[n++] = (struct pollfd){ stage_listener(p->set, i), POLLIN, 0 };
	fds[n++] = (struct pollfd){
		p->fd, buf_len(&p->out) ? POLLIN | POLLOUT : POLLIN, 0
	};
	for (unsigned i = 0; i < p->run->conn_count; i++) {
		const struct conn *c = &p->run->conns[i];
		short events = c->nap ? 0 : POLLIN;

		if (buf_len(&c->out))
			events |= POLLOUT;
		if (c->nap)
			wait_ms = 1;
		fds[n++] = (struct pollfd){ c->nap && !events ? -1 : c->fd,
					    events, 0 };
	}
	if (p->wait_until)
		wait_ms = 1;
	if (p->unsettled && wait_ms > settle_ms())
		wait_ms = settle_ms();
	*count_out = n;
	return wait_ms;
}

static void serve(struct player *p, const struct pollfd *fds, unsigned count)
{
	unsigned kids = p->c->kid_count;
	unsigned conns = count - kids - 1;
	unsigned first = conns ? rng_below(&p->r, conns) : 0;

	for (unsigned j = 0; j < conns; j++) {
		unsigned i = (first + j) % conns;
		struct conn *c = &p->run->conns[i];
		short got = fds[kids + 1 + i].revents;

		if (c->nap || (got & (POLLIN | POLLHUP | POLLERR))) {
			if (c->fd >= 0 && !naps(p, c))
				conn_read(p, c);
		}
		if (got & POLLOUT)
			conn_flush(c);
	}
	for (unsigned i = 0; i < kids; i++)
		if (fds[i].revents)
			conn_accept(p, i);
	if (p->fd >= 0 && fds[kids].revents)
		mta_read(p);
}

static void play_on(struct player *p)
{
	struct pollfd fds[KIDS_MAX + 1 + CONNS_MAX];
	unsigned count;
	bool was_quiet = false;

	while (!p->run->broken) {
		int wait_ms;
		int n;

		mta_advance(p);
		wait_ms = fill_poll(p, fds, &count);
		if (all_closed(p))
			wait_ms = 0;
		n = poll(fds, count, wait_ms);
		if (n < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (n == 0 && p->unsettled && wait_ms == settle_ms()) {
			p->unsettled = false;
			p->settled = true;
		}
		serve(p, fds, count);
		if (all_closed(p) && n == 0) {
			if (was_quiet)
				return;
			was_quiet = true;
		}
		if (clock_now() < p->deadline)
			continue;
		p->run->broken = p->done ?
					 "a child's connection stays open "
					 "although the MTA has gone" :
					 "no answer to the MTA";
	}
}

static void reset_reactions(struct prop_case *c)
{
	for (unsigned i = 0; i < c->kid_count; i++) {
		struct kid_plan *k = &c->kids[i];

		k->optneg.used = k->connect.used = k->unknown.used = 0;
		for (unsigned h = 0; h < HELOS_MAX; h++)
			k->helo[h].used = 0;
		for (unsigned m = 0; m < MESSAGES_MAX; m++) {
			struct kid_message *km = &k->messages[m];

			km->mail.used = km->data.used = km->header.used = 0;
			km->eoh.used = km->body.used = km->eom.used = 0;
			for (unsigned r = 0; r < RCPTS_MAX; r++)
				km->rcpt[r].used = 0;
		}
	}
}

void play(struct stage_set *s, struct prop_case *c, struct run *run)
{
	struct player p = { .set = s, .c = c, .run = run };

	reset_reactions(c);
	p.r.state = c->seed ^ ((uint64_t)c->number << 32);
	buf_init(&p.in, BUF_CEILING);
	buf_init(&p.out, BUF_CEILING);
	p.fd = stage_connect(s);
	if (p.fd < 0) {
		run->broken = "sekishod takes no connection";
		return;
	}
	put_u32(&p.out, 13);
	put(&p.out, SLICE_LIT("O"));
	put_u32(&p.out, c->version);
	put_u32(&p.out, c->actions);
	put_u32(&p.out, c->protocol);
	p.deadline = clock_now() + ANSWER_LIMIT;
	play_on(&p);
	if (p.fd >= 0)
		close(p.fd);
	buf_deinit(&p.in);
	buf_deinit(&p.out);
	for (unsigned i = 0; i < run->conn_count; i++) {
		conn_close(&run->conns[i]);
		buf_deinit(&run->conns[i].in);
		buf_deinit(&run->conns[i].out);
	}
}
