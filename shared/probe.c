#include "shared/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "shared/milter_answer.h"
#include "shared/milter_command.h"
#include "shared/milter_frame.h"

/* A unix listener whose queue is full says so at once: ask again. */
#define RETRY	  (10 * CLOCK_MS)
#define READ_SIZE ((size_t)4096)
#define IN_MAX	  ((size_t)MILTER_CHILD_LENGTH_MAX + 4 + READ_SIZE)
#define OUT_MAX	  ((size_t)4096)

struct probe {
	int fd;
	uint64_t deadline;
	struct buf in;
	struct buf out;
	struct option offered;
	struct probe_result *result;
};

static bool fails(struct probe *p, const char *why, const char *more)
{
	snprintf(p->result->why, sizeof(p->result->why), "%s%s%s", why,
		 *more ? ": " : "", more);
	return false;
}

static enum io_result connect_once(struct probe *p, const struct endpoint *e,
				   unsigned addr)
{
	enum io_result r = io_connect(&e->addr[addr].any, e->addr_len[addr],
				      &p->fd);

	if (r != IO_AGAIN)
		return r;
	r = io_wait(p->fd, POLLOUT, p->deadline);
	return r == IO_OK ? io_connected(p->fd) : r;
}

static bool connect_to(struct probe *p, const struct endpoint *e, unsigned addr)
{
	enum io_result r;

	while ((r = connect_once(p, e, addr)) == IO_ERROR && errno == EAGAIN) {
		if (clock_now() >= p->deadline)
			return fails(p, "no connection in time",
				     "its queue is full");
		(void)poll(NULL, 0, RETRY / CLOCK_MS);
	}
	if (r == IO_TIMEOUT)
		return fails(p, "no connection in time", "");
	return r == IO_OK || fails(p, "could not connect", strerror(errno));
}

static bool offer(struct probe *p)
{
	const struct option all = {
		.version = MILTER_VERSION,
		.actions = SMFIF_ALL,
		.protocol = SMFIP_HDR_LEADSPC | SMFIP_RCPT_REJ,
	};
	struct command cmd = { .kind = CMD_OPTNEG };

	p->offered = cmd.option = option_for_child(&all);
	if (!command_encode(&p->out, &cmd))
		return fails(p, "no memory", "");
	return io_write_all(p->fd, &p->out, p->deadline) == IO_OK ||
	       fails(p, "closed instead of negotiating", "");
}

static bool is_nonsense(struct probe *p, const char *what)
{
	const char *guess = frame_guess_peer(buf_slice(&p->in));
	char more[80] = "";

	if (guess)
		snprintf(more, sizeof(more), "it looks like %s", guess);
	return fails(p, what, more);
}

static bool read_packet(struct probe *p, struct slice *packet_out)
{
	for (;;) {
		enum io_result r;

		switch (frame_peek(&p->in, MILTER_CHILD_LENGTH_MAX,
				   packet_out)) {
		case FRAME_OK:
			return true;
		case FRAME_BAD_LENGTH:
			return is_nonsense(p, "a packet of impossible length");
		case FRAME_MORE:
			break;
		}
		r = io_wait(p->fd, POLLIN, p->deadline);
		if (r == IO_OK)
			r = io_read(p->fd, &p->in, READ_SIZE);
		if (r == IO_TIMEOUT)
			return fails(p, "no answer to the negotiation", "");
		if (r != IO_OK && r != IO_AGAIN)
			return fails(p, "closed instead of negotiating", "");
	}
}

static bool negotiate(struct probe *p)
{
	struct slice packet;
	struct answer a;
	struct option got;
	const char *why;

	if (!offer(p) || !read_packet(p, &packet))
		return false;
	if (!answer_decode(packet, &a, &why))
		return is_nonsense(p, why);
	if (a.kind != ANSWER_OPTNEG)
		return is_nonsense(p, "another answer than OPTNEG");
	if (!option_read_answer(&a.option, &p->offered, &got, &why))
		return fails(p, why, "");
	p->result->version = got.version;
	p->result->actions = got.actions;
	p->result->protocol = got.protocol;
	return true;
}

static void say_quit(struct probe *p)
{
	if (frame_put(&p->out, SMFIC_QUIT))
		(void)!io_write(p->fd, &p->out);
}

static bool ask(struct probe *p, const struct endpoint *e, unsigned addr)
{
	struct probe_result *r = p->result;
	uint64_t began = clock_now(), connected;

	*r = (struct probe_result){ .addr = addr };
	p->fd = -1;
	r->connected = connect_to(p, e, addr);
	connected = clock_now();
	r->connect_time = connected - began;
	if (r->connected)
		r->negotiated = negotiate(p);
	r->negotiate_time = clock_now() - connected;
	if (r->negotiated)
		say_quit(p);
	if (p->fd >= 0)
		close(p->fd);
	return r->negotiated;
}

static bool ask_anew(const struct endpoint *e, unsigned addr, uint64_t timeout,
		     struct probe_result *result_out)
{
	struct probe p = { .result = result_out,
			   .deadline = clock_now() + timeout };
	bool answered;

	buf_init(&p.in, IN_MAX);
	buf_init(&p.out, OUT_MAX);
	answered = ask(&p, e, addr);
	buf_deinit(&p.in);
	buf_deinit(&p.out);
	return answered;
}

bool probe_milter(const struct endpoint *e, unsigned addr, uint64_t timeout,
		  struct probe_result *result_out)
{
	*result_out = (struct probe_result){ .why = "no address" };
	if (addr < e->addr_count)
		return ask_anew(e, addr, timeout, result_out);
	for (unsigned i = 0; addr == PROBE_ALL && i < e->addr_count; i++)
		if (ask_anew(e, i, timeout / e->addr_count, result_out))
			return true;
	return false;
}
