#include "worker/mta.h"

#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "shared/milter.h"
#include "shared/milter_frame.h"

/*
 * A full body frame and its macros are 65,560 bytes (Postfix); a read takes
 * all that a socket holds, some three of them.  While a packet is unfinished
 * one more read must fit.  Small mail touches but the beginning of it.
 */
#define READ_SIZE	  ((size_t)256 * 1024)
#define IN_MAX		  (2 * READ_SIZE + MILTER_MTA_LENGTH_MAX + 4)
#define WRITE_SIZE	  ((size_t)64 * 1024)
#define OUT_MAX		  (4 * WRITE_SIZE)
#define MTA_WRITE_TIMEOUT (60 * CLOCK_S)

void mta_init(struct mta_line *m)
{
	*m = (struct mta_line){ .fd = -1 };
	buf_init(&m->in, IN_MAX);
	buf_init(&m->out, OUT_MAX);
}

void mta_open(struct mta_line *m, int fd, bool is_tcp)
{
	m->fd = fd;
	m->is_tcp = is_tcp;
	m->is_patient = m->lost = m->garbage = false;
	m->packet_len = 0;
}

void mta_be_patient(struct mta_line *m, uint64_t patience)
{
	m->is_patient = io_be_patient(m->fd, patience);
}

void mta_close(struct mta_line *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	m->packet_len = 0;
	buf_skip(&m->in, buf_len(&m->in));
	buf_skip(&m->out, buf_len(&m->out));
}

void mta_trim(struct mta_line *m)
{
	if (m->packet_len)
		return;
	buf_trim(&m->in);
	buf_trim(&m->out);
}

int mta_wants(const struct mta_line *m)
{
	return buf_len(&m->in) > READ_SIZE ? -1 : m->fd;
}

void mta_read(struct mta_line *m)
{
	enum io_result r;

	if (m->lost)
		return;
	r = io_read(m->fd, &m->in, READ_SIZE);
	if (r != IO_OK && r != IO_AGAIN)
		m->lost = true;
	else if (m->is_tcp)
		io_quick_ack(m->fd);
}

bool mta_await(struct mta_line *m)
{
	enum io_result r;

	if (!m->is_patient || m->lost || mta_wants(m) < 0)
		return false;
	r = io_await(m->fd, &m->in, READ_SIZE, 0);
	if (r == IO_TIMEOUT)
		return false;
	if (r != IO_OK)
		m->lost = true;
	else if (m->is_tcp)
		io_quick_ack(m->fd);
	return true;
}

bool mta_next(struct mta_line *m, struct slice *packet_out)
{
	if (m->packet_len)
		buf_skip(&m->in, m->packet_len);
	m->packet_len = 0;
	switch (frame_peek(&m->in, MILTER_MTA_LENGTH_MAX, packet_out)) {
	case FRAME_OK:
		m->packet_len = packet_out->len + 4;
		return true;
	case FRAME_MORE:
		return false;
	case FRAME_BAD_LENGTH:
		break;
	}
	m->garbage = true;
	return false;
}

char mta_peek(const struct mta_line *m)
{
	struct buf rest = m->in;
	struct slice packet;

	buf_skip(&rest, m->packet_len);
	if (frame_peek(&rest, MILTER_MTA_LENGTH_MAX, &packet) != FRAME_OK)
		return 0;
	return packet.data[0];
}

bool mta_flush(struct mta_line *m)
{
	if (!m->lost && io_write_all(m->fd, &m->out,
				     clock_now() + MTA_WRITE_TIMEOUT) != IO_OK)
		m->lost = true;
	return !m->lost;
}

bool mta_make_room(struct mta_line *m)
{
	return buf_len(&m->out) < WRITE_SIZE ? !m->lost : mta_flush(m);
}

bool mta_put(struct mta_line *m, const struct answer *answer)
{
	if (mta_make_room(m) && !answer_encode(&m->out, answer))
		m->lost = true;
	return !m->lost;
}
