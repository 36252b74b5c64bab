#include "shared/milter_frame.h"

#include "shared/log.h"

#define LENGTH_SIZE ((size_t)4)

enum frame_result frame_peek(const struct buf *b, uint32_t length_max,
			     struct slice *packet_out)
{
	struct reader r = reader_of(buf_slice(b));
	uint32_t length;

	if (!reader_u32(&r, &length))
		return FRAME_MORE;
	if (length == 0 || length > length_max)
		return FRAME_BAD_LENGTH;
	if (r.rest.len < length)
		return FRAME_MORE;
	*packet_out = slice_head(r.rest, length);
	return FRAME_OK;
}

void frame_skip(struct buf *b, struct slice packet)
{
	buf_skip(b, LENGTH_SIZE + packet.len);
}

bool frame_begin(struct buf *b, char letter, size_t *mark_out)
{
	size_t mark = buf_len(b);

	*mark_out = mark;
	if (buf_add_u32(b, 0) && buf_add_byte(b, letter))
		return true;
	frame_undo(b, mark);
	return false;
}

void frame_end(struct buf *b, size_t mark)
{
	size_t len = buf_len(b);
	char *at;

	BUG_IF(len < mark + LENGTH_SIZE + 1);
	len -= mark + LENGTH_SIZE;
	BUG_IF(len > UINT32_MAX);
	at = b->data + b->start + mark;
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (char)(unsigned char)(len >> shift);
}

bool frame_end_within(struct buf *b, size_t mark, size_t payload_max)
{
	if (buf_len(b) - mark > LENGTH_SIZE + 1 + payload_max)
		return false;
	frame_end(b, mark);
	return true;
}

void frame_undo(struct buf *b, size_t mark)
{
	buf_cut(b, mark);
}

bool frame_put(struct buf *b, char letter)
{
	size_t mark;

	if (!frame_begin(b, letter, &mark))
		return false;
	frame_end(b, mark);
	return true;
}

/*
 * What people point a milter port at by mistake, and what answers when a
 * child's address is wrong.  A milter's own first bytes are two zero bytes
 * of a length, so none of these can be one.  Longer beginnings come first.
 */
static const struct {
	const char *begin;
	const char *who;
} strangers[] = {
	/* clang-format off */
	{ "\r\n\r\n",      "a proxy (PROXY protocol, version 2)" },
	{ "PROXY ",        "a proxy (PROXY protocol)" },
	{ "GET ",          "an HTTP client" },
	{ "HEAD ",         "an HTTP client" },
	{ "POST ",         "an HTTP client" },
	{ "PUT ",          "an HTTP client" },
	{ "OPTIONS ",      "an HTTP client" },
	{ "CONNECT ",      "an HTTP client" },
	{ "PRI * HTTP/2",  "an HTTP client" },
	{ "HTTP/",         "an HTTP server" },
	{ "EHLO ",         "an SMTP client" },
	{ "HELO ",         "an SMTP client" },
	{ "LHLO ",         "an LMTP client" },
	{ "220 ",          "an SMTP server" },
	{ "220-",          "an SMTP server" },
	{ "421 ",          "an SMTP server" },
	{ "554 ",          "an SMTP server" },
	{ "SPAMD/",        "spamd" },
	{ "SSH-",          "an SSH server" },
	{ "* OK",          "an IMAP server" },
	{ "+OK",           "a POP3 server" },
	{ "-ERR ",         "Redis" },
	{ "-NOAUTH ",      "Redis" },
	{ "-DENIED ",      "Redis" },
	{ "*1\r\n",        "a Redis client" },
	{ "PING\r\n",      "a Redis client" },
	{ "UNKNOWN COMMAND", "clamd" },
	{ "request=",      "a Postfix policy client" },
	{ "\x16\x03",      "TLS" },
	{ "\x15\x03",      "TLS" },
	/* clang-format on */
};

const char *frame_guess_peer(struct slice first_bytes)
{
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (slice_starts(first_bytes, strangers[i].begin))
			return strangers[i].who;
	return NULL;
}
