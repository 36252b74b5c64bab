#include "worker/child.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "shared/log.h"
#include "shared/macro.h"
#include "shared/milter_frame.h"

/*
 * The largest packet a child may send, and what may lie behind it; one of
 * ours and a body chunk behind it.
 */
#define IN_MAX	  ((size_t)MILTER_CHILD_LENGTH_MAX + 4 + READ_SIZE)
#define OUT_MAX	  ((size_t)512 * 1024)
#define READ_SIZE ((size_t)16 * 1024)
/* The first words on a connection taken over: then a new one is tried. */
#define REUSED_PATIENCE (1 * CLOCK_S)
/* No answer is shorter: its length and its letter. */
#define ANSWER_SIZE ((size_t)5)
/* A unix listener whose queue is full says so at once: ask again. */
#define RETRY (10 * CLOCK_MS)
/* Who waits for its turn looks ever less often: each look reads all slots. */
#define RETRY_MAX (100 * CLOCK_MS)

void child_init(struct child *c, const struct conf_milter *conf)
{
	*c = (struct child){ .conf = conf, .fd = -1, .retry_at = CLOCK_NEVER };
	buf_init(&c->in, IN_MAX);
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->list_bytes, MILTER_CHILD_LENGTH_MAX);
}

void child_deinit(struct child *c)
{
	buf_deinit(&c->in);
	buf_deinit(&c->out);
	buf_deinit(&c->list_bytes);
}

void child_trim(struct child *c)
{
	if (!c->answer_len)
		buf_trim(&c->in);
	buf_trim(&c->out);
}

/* ---- opening and closing ---- */

static enum child_result connect_failed(struct child *c, int reason)
{
	if (reason == EMFILE || reason == ENFILE || reason == ENOMEM ||
	    reason == ENOBUFS) {
		c->why = "no descriptors or memory left";
		return CHILD_NO_SPACE;
	}
	snprintf(c->why_room, sizeof(c->why_room), "%s", strerror(reason));
	c->why = c->why_room;
	return CHILD_CONNECT;
}

static enum child_result send_offer(struct child *c)
{
	struct command offer = { .kind = CMD_OPTNEG, .option = c->offered };

	c->link = LINK_NEGOTIATING;
	c->alive_at = clock_now();
	if (!command_encode(&c->out, &offer))
		return CHILD_NO_SPACE;
	return child_flush(c);
}

/* All addresses of all sockets, one after the other. */
static unsigned address_count(const struct child *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->conf->socket.count; i++)
		n += c->conf->socket.at[i].addr_count;
	return n;
}

/* Turns to the socket of address i, which is its addr_out-th. */
static const struct endpoint *turn_to(struct child *c, unsigned i,
				      unsigned *addr_out)
{
	const struct endpoint *all = c->conf->socket.at;
	const uint8_t *socket = c->order;

	while (i >= all[*socket].addr_count)
		i -= all[*socket++].addr_count;
	c->socket = *socket;
	*addr_out = i;
	return &all[*socket];
}

static bool take(struct child *c)
{
	if (c->taken || !c->keeper)
		return true;
	c->taken = c->keeper->take(c->keeper_context, c->socket);
	/* What it waited for its turn is not the milter's time. */
	if (c->taken && c->waits)
		c->opened_at = clock_now();
	c->waits = !c->taken;
	return c->taken;
}

static void give_back(struct child *c)
{
	if (c->taken)
		c->keeper->give_back(c->keeper_context);
	c->taken = false;
}

/* Workers that wait for the same thing shall not come back together. */
static enum child_result retry_later(struct child *c)
{
	uint64_t now = clock_now(), wait = RETRY;

	if (c->waits && (now - c->opened_at) / 2 > RETRY)
		wait = clock_earlier((now - c->opened_at) / 2, RETRY_MAX);
	c->retry_at = now + wait / 2 + now % wait;
	return CHILD_OK;
}

/* The address tried last is of no use; was it the last of its socket? */
static void give_up_address(struct child *c)
{
	unsigned a;
	const struct endpoint *e = turn_to(c, c->addr_next - 1, &a);

	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->link = LINK_CONNECTING;
	buf_clear(&c->in);
	buf_clear(&c->out);
	c->run = (struct body_run){ 0 };
	c->answer_len = 0;
	give_back(c);
	if (c->keeper && a + 1 == e->addr_count)
		c->keeper->failed(c->keeper_context, c->socket);
}

/* CHILD_NOTHING: it is to be tried again. */
static enum child_result connect_to(struct child *c, const struct endpoint *e,
				    unsigned addr)
{
	switch (io_connect(&e->addr[addr].any, e->addr_len[addr], &c->fd)) {
	case IO_OK:
		return send_offer(c);
	case IO_AGAIN:
		return CHILD_OK;
	case IO_EOF:
	case IO_TIMEOUT:
	case IO_ERROR:
		break;
	}
	return errno == EAGAIN ? CHILD_NOTHING : connect_failed(c, errno);
}

/*
 * Tries to connect to one address after the other; r is the failure of the
 * last one, and the result when none is left.
 */
static enum child_result try_connect(struct child *c, enum child_result r)
{
	c->retry_at = CLOCK_NEVER;
	while (c->addr_next < address_count(c)) {
		unsigned addr;
		const struct endpoint *e = turn_to(c, c->addr_next, &addr);

		if (!take(c))
			return retry_later(c);
		r = connect_to(c, e, addr);
		if (r == CHILD_NOTHING)
			return retry_later(c);
		c->addr_next++;
		if (r == CHILD_OK || r == CHILD_NO_SPACE)
			return r;
		give_up_address(c);
	}
	return r;
}

/* It failed before it was open: another address may do. */
static enum child_result try_next(struct child *c, enum child_result r)
{
	if (r == CHILD_NO_SPACE)
		return r;
	give_up_address(c);
	return try_connect(c, r);
}

enum child_result child_open(struct child *c, const struct option *offer)
{
	struct option offered = option_for_child(offer);

	c->why = "";
	if (child_take_over(c, &offered))
		return CHILD_OK;
	c->offered = offered;
	c->sessions = 0;
	c->got = (struct option){ 0 };
	c->addr_next = 0;
	for (unsigned i = 0; i < CONF_SOCKETS_MAX; i++)
		c->order[i] = (uint8_t)i;
	if (c->keeper)
		c->keeper->order(c->keeper_context, c->order);
	c->link = LINK_CONNECTING;
	c->opened_at = c->alive_at = clock_now();
	c->owed_runs = 0;
	c->answer_len = 0;
	c->waits = false;
	return try_connect(c, connect_failed(c, EADDRNOTAVAIL));
}

static void stop_busy(struct child *c)
{
	if (c->busy_since)
		c->busy += clock_now() - c->busy_since;
	c->busy_since = 0;
}

void child_close(struct child *c)
{
	if (c->fd >= 0)
		close(c->fd);
	stop_busy(c);
	c->fd = -1;
	c->link = LINK_NONE;
	c->at_end = c->reused = false;
	c->retry_at = CLOCK_NEVER;
	c->owed_runs = 0;
	c->answer_len = 0;
	buf_clear(&c->in);
	buf_clear(&c->out);
	c->run = (struct body_run){ 0 };
	give_back(c);
}

void child_quit(struct child *c, bool in_message)
{
	if (c->link == LINK_PARKED)
		c->link = LINK_OPEN;
	/* A word in the middle of a packet would be none. */
	if (c->link == LINK_OPEN && !child_owes(c) && !child_has_run(c)) {
		if (!in_message || frame_put(&c->out, SMFIC_ABORT))
			(void)!frame_put(&c->out, SMFIC_QUIT);
		(void)!child_flush(c);
	}
	child_close(c);
}

/* ---- what is owed ---- */

bool child_owes(const struct child *c)
{
	return c->owed_runs > 0;
}

bool child_is_settled(const struct child *c)
{
	return c->link == LINK_NONE || c->link == LINK_PARKED ||
	       (c->link == LINK_OPEN && !child_is_writing(c));
}

static void owe(struct child *c, enum stage stage)
{
	struct child_owed *last =
		c->owed_runs ? &c->owed[c->owed_runs - 1] : NULL;

	if (!last) {
		c->alive_at = c->head_since = clock_now();
		if (!c->busy_since)
			c->busy_since = c->alive_at;
	}
	if (last && last->stage == stage) {
		last->count++;
		return;
	}
	BUG_IF(c->owed_runs == CHILD_OWED_RUNS);
	c->owed[c->owed_runs++] = (struct child_owed){ stage, 1 };
}

static void pay(struct child *c)
{
	uint64_t now = clock_now();

	c->answered_in = now - c->head_since;
	if (c->answered_in > CHILD_PATIENCE)
		c->slow_at |= 1u << c->owed[0].stage;
	else
		c->slow_at &= ~(1u << c->owed[0].stage);
	c->head_since = now;
	if (--c->owed[0].count)
		return;
	c->owed_runs--;
	memmove(&c->owed[0], &c->owed[1], c->owed_runs * sizeof(c->owed[0]));
	if (!c->owed_runs)
		stop_busy(c);
}

/* ---- time ---- */

short child_events(const struct child *c)
{
	if (c->fd < 0 || c->link == LINK_PARKED)
		return 0;
	if (c->link == LINK_CONNECTING)
		return POLLOUT;
	return (short)(POLLIN | (child_is_writing(c) ? POLLOUT : 0));
}

/* The time to connect is shared out over the addresses. */
static uint64_t address_deadline(const struct child *c, unsigned tried)
{
	uint64_t n = address_count(c) ? address_count(c) : 1;

	return c->opened_at + c->conf->timeout_connect * tried / n;
}

/* How long it waits for its turn, or tries again at a queue that is full. */
static uint64_t retry_deadline(const struct child *c)
{
	return c->waits ? c->opened_at + c->conf->timeout_connect :
			  address_deadline(c, c->addr_next + 1);
}

uint64_t child_deadline(const struct child *c)
{
	uint64_t wait = c->conf->timeout_command;

	switch (c->link) {
	case LINK_NONE:
	case LINK_PARKED:
		return CLOCK_NEVER;
	case LINK_CONNECTING:
		if (c->retry_at != CLOCK_NEVER)
			return c->retry_at;
		return address_deadline(c, c->addr_next);
	case LINK_NEGOTIATING:
		return address_deadline(c, c->addr_next);
	case LINK_OPEN:
		break;
	}
	if (!child_owes(c) && !child_is_writing(c))
		return CLOCK_NEVER;
	if (child_owes(c) && c->owed[0].stage == STAGE_EOM)
		wait = c->conf->timeout_eom;
	if (c->reused && child_owes(c) && c->owed[0].stage <= STAGE_HELO)
		wait = clock_earlier(wait, REUSED_PATIENCE);
	return c->alive_at + wait;
}

static enum child_result no_connection_in_time(struct child *c)
{
	if (c->waits) {
		c->why = "no connection free in time";
		return CHILD_LATE;
	}
	if (c->retry_at != CLOCK_NEVER)
		c->addr_next++;
	c->why = "no connection in time";
	return try_next(c, CHILD_CONNECT);
}

enum child_result child_too_late(struct child *c)
{
	switch (c->link) {
	case LINK_CONNECTING:
		if (c->retry_at != CLOCK_NEVER &&
		    clock_now() < retry_deadline(c))
			return try_connect(c, CHILD_CONNECT);
		return no_connection_in_time(c);
	case LINK_NEGOTIATING:
		c->why = "no answer to the negotiation";
		return try_next(c, CHILD_TIMEOUT);
	case LINK_NONE:
	case LINK_OPEN:
	case LINK_PARKED:
		break;
	}
	c->why = "no answer in time";
	return CHILD_TIMEOUT;
}

/* ---- reading and writing ---- */

static enum child_result lost(struct child *c)
{
	c->why = c->link == LINK_NEGOTIATING ? "closed instead of negotiating" :
					       "closed the connection";
	return c->link == LINK_NEGOTIATING ? CHILD_CONNECT : CHILD_EOF;
}

bool child_has_run(const struct child *c)
{
	return body_run_left(&c->run);
}

bool child_is_writing(const struct child *c)
{
	return buf_len(&c->out) || child_has_run(c);
}

/* What is queued in front goes with the first packets of the run. */
static enum io_result write_run(struct child *c)
{
	struct body_pieces p;
	size_t queued = buf_len(&c->out), gone;
	enum io_result r;

	p.count = 0;
	p.bytes = 0;
	if (queued) {
		p.iov[p.count++] =
			(struct iovec){ c->out.data + c->out.start, queued };
	}
	if (!body_run_pieces(&c->run, &p))
		return IO_ERROR;
	r = io_write_pieces(c->fd, p.iov, p.count, &gone);
	if (gone < queued)
		queued = gone;
	buf_skip(&c->out, queued);
	body_run_sent(&c->run, gone - queued);
	return r;
}

/* Writes as far as it goes; *progress_out: was anything written? */
static enum io_result write_queued(struct child *c, bool *progress_out)
{
	size_t before = buf_len(&c->out);
	uint64_t at = c->run.at;
	size_t sent = c->run.sent;
	enum io_result r = IO_OK;

	while (r == IO_OK && child_has_run(c))
		r = write_run(c);
	if (r == IO_OK)
		r = io_write(c->fd, &c->out);
	*progress_out = buf_len(&c->out) != before || c->run.at != at ||
			c->run.sent != sent;
	return r;
}

enum child_result child_flush(struct child *c)
{
	enum io_result r;
	bool progress;

	if (!child_is_writing(c) || c->link == LINK_CONNECTING || c->fd < 0)
		return CHILD_OK;
	r = write_queued(c, &progress);
	if (progress)
		c->alive_at = clock_now();
	c->at_end = false;
	if (r == IO_OK || r == IO_AGAIN)
		return CHILD_OK;
	if (errno == EFAULT || errno == ENOMEM) {
		c->why = errno == EFAULT ? "the spool cannot be read" :
					   "no memory";
		return CHILD_NO_SPACE;
	}
	return lost(c);
}

static bool keep_lists(struct child *c)
{
	buf_clear(&c->list_bytes);
	for (int i = 0; i < LIST_COUNT; i++)
		if (c->got.has_list[i] &&
		    !buf_add(&c->list_bytes, c->got.list[i]))
			return false;
	for (size_t i = 0, at = 0; i < LIST_COUNT; i++) {
		c->got.list[i] = slice_of(buf_slice(&c->list_bytes).data + at,
					  c->got.list[i].len);
		at += c->got.has_list[i] ? c->got.list[i].len : 0;
	}
	return true;
}

static enum child_result bad_packet(struct child *c, const char *what)
{
	const char *guess = c->link == LINK_NEGOTIATING ?
				    frame_guess_peer(buf_slice(&c->in)) :
				    NULL;

	snprintf(c->why_room, sizeof(c->why_room), "%s%s%s", what,
		 guess ? "; it looks like " : "", guess ? guess : "");
	c->why = c->why_room;
	return CHILD_PROTOCOL;
}

/* Shows the first whole packet; CHILD_NOTHING while there is none. */
static enum child_result next_packet(struct child *c, struct slice *packet_out)
{
	if (c->answer_len)
		buf_skip(&c->in, c->answer_len);
	c->answer_len = 0;
	switch (frame_peek(&c->in, MILTER_CHILD_LENGTH_MAX, packet_out)) {
	case FRAME_OK:
		c->answer_len = packet_out->len + 4;
		return CHILD_OK;
	case FRAME_MORE:
		return CHILD_NOTHING;
	case FRAME_BAD_LENGTH:
		break;
	}
	return bad_packet(c, "a packet of impossible length");
}

static enum child_result negotiate(struct child *c)
{
	struct slice packet;
	struct answer a;
	const char *why;
	enum child_result r = next_packet(c, &packet);

	if (r != CHILD_OK)
		return r == CHILD_NOTHING ? CHILD_OK : r;
	if (!answer_decode(packet, &a, &why))
		return bad_packet(c, why);
	if (a.kind != ANSWER_OPTNEG)
		return bad_packet(c, "another answer than OPTNEG");
	if (!option_read_answer(&a.option, &c->offered, &c->got, &why))
		return bad_packet(c, why);
	if (!keep_lists(c)) {
		c->why = "no memory";
		return CHILD_NO_SPACE;
	}
	c->link = LINK_OPEN;
	c->is_patient = io_be_patient(c->fd, CHILD_PATIENCE);
	if (c->keeper)
		c->keeper->works(c->keeper_context, c->socket);
	return CHILD_OK;
}

static enum child_result received(struct child *c, enum io_result r)
{
	switch (r) {
	case IO_OK:
		c->alive_at = clock_now();
		if (c->conf->socket.at[c->socket].kind != ENDPOINT_UNIX)
			io_quick_ack(c->fd);
		return CHILD_OK;
	case IO_AGAIN:
	case IO_TIMEOUT:
		return CHILD_OK;
	case IO_EOF:
		break;
	case IO_ERROR:
		if (errno == ENOMEM) {
			c->why = "no memory";
			return CHILD_NO_SPACE;
		}
		break;
	}
	return lost(c);
}

static enum child_result go_on(struct child *c, short revents)
{
	enum child_result r = CHILD_OK;

	if (c->link == LINK_CONNECTING) {
		if (io_connected(c->fd) == IO_OK)
			return send_offer(c);
		return connect_failed(c, errno);
	}
	/*
	 * Read first: an answer that is there counts, even when the peer
	 * has closed by now and our next write fails.
	 */
	if (revents & (POLLIN | POLLHUP | POLLERR))
		r = received(c, io_read(c->fd, &c->in, READ_SIZE));
	if (r == CHILD_OK && c->link == LINK_NEGOTIATING)
		r = negotiate(c);
	if (r == CHILD_OK)
		r = child_flush(c);
	return r;
}

enum child_result child_serve(struct child *c, short revents)
{
	enum child_result r;

	if (!revents || c->fd < 0)
		return CHILD_OK;
	r = go_on(c, revents);
	return r == CHILD_OK || c->link == LINK_OPEN ? r : try_next(c, r);
}

size_t child_debt(const struct child *c)
{
	size_t n = 0;

	for (unsigned i = 0; i < c->owed_runs; i++)
		n += c->owed[i].count;
	return n;
}

/*
 * libmilter writes each answer for itself, and would wake us for each of a
 * whole header: several that are owed are waited for together.
 */
enum child_result child_await(struct child *c)
{
	size_t n = child_debt(c), least = 0;
	enum io_result r;

	if (!c->is_patient || c->link != LINK_OPEN || !n || child_is_writing(c))
		return CHILD_NOTHING;
	/* As slow as last time, it would be a call for nothing. */
	if (c->slow_at & 1u << c->owed[0].stage)
		return CHILD_NOTHING;
	if (n > 1 && n < READ_SIZE / ANSWER_SIZE && !buf_len(&c->in))
		least = n * ANSWER_SIZE;
	r = io_await(c->fd, &c->in, READ_SIZE, least);
	return r == IO_TIMEOUT ? CHILD_NOTHING : received(c, r);
}

static bool is_final(enum answer_kind kind)
{
	return !answer_is_edit(kind) && kind != ANSWER_PROGRESS;
}

static void answered(struct child *c, enum answer_kind kind, enum stage stage)
{
	pay(c);
	c->at_end = stage == STAGE_EOM && kind == ANSWER_CONTINUE &&
		    child_in_step(c);
}

enum child_result child_answer(struct child *c, struct answer *answer_out,
			       enum stage *stage_out)
{
	struct slice packet;
	const char *why;
	enum child_result r;

	if (c->link != LINK_OPEN)
		return CHILD_NOTHING;
	r = next_packet(c, &packet);
	if (r != CHILD_OK)
		return r;
	if (!child_owes(c))
		return bad_packet(c, "an answer that was not asked for");
	if (!answer_decode(packet, answer_out, &why))
		return bad_packet(c, why);
	*stage_out = c->owed[0].stage;
	/* A greeting alone may have been meant for somebody else. */
	if (c->reused && *stage_out != STAGE_CONNECT) {
		c->reused = false;
		c->stale = 0;
	}
	if (is_final(answer_out->kind))
		answered(c, answer_out->kind, *stage_out);
	return CHILD_OK;
}

/* ---- telling ---- */

bool child_in_step(const struct child *c)
{
	return !child_owes(c) && !c->unanswered_tail && !child_is_writing(c);
}

bool child_is_quiet(const struct child *c)
{
	return child_owes(c) ||
	       (!buf_len(&c->in) && io_peek(c->fd) == IO_AGAIN);
}

bool child_wants(const struct child *c, enum stage stage)
{
	return !(c->got.protocol & milter_stage_no_bit(stage));
}

enum child_result child_tell(struct child *c, enum stage stage,
			     const struct command *command)
{
	if (!command_encode(&c->out, command)) {
		c->why = "no memory";
		return CHILD_NO_SPACE;
	}
	child_told(c, stage);
	return CHILD_OK;
}

void child_told(struct child *c, enum stage stage)
{
	c->unanswered_tail = c->got.protocol & milter_stage_nr_bit(stage);
	if (!c->unanswered_tail)
		owe(c, stage);
}

void child_tell_body(struct child *c, struct body *body, uint64_t from,
		     uint64_t end)
{
	BUG_IF(child_has_run(c));
	c->run = (struct body_run){ .body = body, .at = from, .end = end };
	for (; from < end; from += MILTER_PAYLOAD_MAX)
		child_told(c, STAGE_BODY);
}

enum child_result child_tell_macros(struct child *c, enum stage stage,
				    const struct journal_macros *macros,
				    unsigned *dropped_out)
{
	enum milter_list list = milter_stage_list(stage);
	bool has_list = list != LIST_COUNT && c->got.has_list[list];
	size_t mark;

	*dropped_out = 0;
	if (!macros->came)
		return CHILD_OK;
	if (!frame_begin(&c->out, SMFIC_MACRO, &mark))
		goto no_space;
	if (!buf_add_byte(&c->out, milter_stage_letter(stage)) ||
	    !macro_filter(macros->pairs, has_list,
			  has_list ? c->got.list[list] : SLICE_EMPTY,
			  MILTER_PAYLOAD_MAX - 1, &c->out, dropped_out)) {
		frame_undo(&c->out, mark);
		goto no_space;
	}
	frame_end(&c->out, mark);
	return CHILD_OK;

no_space:
	c->why = "no memory";
	return CHILD_NO_SPACE;
}

enum child_result child_abort(struct child *c)
{
	if (!frame_put(&c->out, SMFIC_ABORT)) {
		c->why = "no memory";
		return CHILD_NO_SPACE;
	}
	return child_flush(c);
}

const char *child_result_name(enum child_result r)
{
	static const char *const names[] = {
		[CHILD_OK] = "ok",
		[CHILD_NOTHING] = "nothing",
		[CHILD_CONNECT] = "connect",
		[CHILD_TIMEOUT] = "timeout",
		[CHILD_EOF] = "closed",
		[CHILD_PROTOCOL] = "protocol",
		[CHILD_LATE] = "late",
		[CHILD_BREAKER] = "breaker",
		[CHILD_NO_SPACE] = "resources",
	};

	return names[r];
}
