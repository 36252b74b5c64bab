#include "worker/body.h"

#include <errno.h>

#include "shared/milter.h"

#define HEAD_SIZE ((size_t)5)

static struct spool *spool_of(struct body *b)
{
	return b->kept ? b->kept : &b->own;
}

void body_init(struct body *b, struct spool *kept, const struct conf *conf)
{
	*b = (struct body){ .conf = conf, .kept = kept };
}

void body_deinit(struct body *b)
{
	if (b->kept)
		spool_empty(b->kept);
	spool_release(&b->own);
	b->len = 0;
}

enum body_result body_add(struct body *b, struct slice bytes)
{
	if (b->failed || !bytes.len)
		return b->failed;
	if (bytes.len > b->conf->message_max - b->len)
		b->failed = BODY_TOO_LARGE;
	else if (!spool_add(spool_of(b), b->conf, bytes))
		b->failed = BODY_NO_SPACE;
	else
		b->len += bytes.len;
	return b->failed;
}

bool body_read(const struct body *b, uint64_t offset, size_t max,
	       struct buf *out, size_t *added_out)
{
	const struct spool *s = b->kept ? b->kept : &b->own;

	*added_out = 0;
	if (offset >= b->len)
		return true;
	if (max > b->len - offset)
		max = (size_t)(b->len - offset);
	while (*added_out < max) {
		size_t n;

		if (!spool_read(s, offset + *added_out, max - *added_out, out,
				&n))
			return false;
		*added_out += n;
	}
	return true;
}

/* ---- straight to a child ---- */

static size_t payload_of(const struct body_run *r)
{
	uint64_t left = r->end - r->at;

	return left < MILTER_PAYLOAD_MAX ? (size_t)left : MILTER_PAYLOAD_MAX;
}

bool body_run_left(const struct body_run *r)
{
	return r->at < r->end;
}

static void add_piece(struct body_pieces *p, struct slice s)
{
	/* What the kernel only reads is not const in its struct. */
	p->iov[p->count++] = (struct iovec){ (void *)(uintptr_t)s.data, s.len };
	p->bytes += s.len;
}

/* The length in front of a packet and its letter. */
static void write_head(char head[HEAD_SIZE], size_t payload)
{
	size_t len = payload + 1;

	for (unsigned i = 0; i < 4; i++)
		head[i] = (char)(unsigned char)(len >> (24 - 8 * i));
	head[4] = SMFIC_BODY;
}

/* The rest of one packet, of which r->sent bytes have gone. */
static bool add_packet(const struct body_run *r, struct body_pieces *p,
		       char head[HEAD_SIZE])
{
	size_t payload = payload_of(r), done = 0;

	write_head(head, payload);
	if (r->sent < HEAD_SIZE)
		add_piece(p, slice_from(slice_of(head, HEAD_SIZE), r->sent));
	else
		done = r->sent - HEAD_SIZE;
	while (done < payload) {
		struct slice s;

		if (!spool_place(spool_of(r->body), r->at + done,
				 payload - done, &s))
			return false;
		add_piece(p, s);
		done += s.len;
	}
	return true;
}

bool body_run_pieces(const struct body_run *r, struct body_pieces *p)
{
	struct body_run next = *r;

	for (unsigned i = 0; i < BODY_RUN_PACKETS && body_run_left(&next);
	     i++) {
		if (!add_packet(&next, p, p->heads[i]))
			return false;
		next.at += payload_of(&next);
		next.sent = 0;
	}
	return true;
}

void body_run_sent(struct body_run *r, size_t bytes)
{
	r->sent += bytes;
	while (body_run_left(r) && r->sent >= HEAD_SIZE + payload_of(r)) {
		r->sent -= HEAD_SIZE + payload_of(r);
		r->at += payload_of(r);
	}
}
