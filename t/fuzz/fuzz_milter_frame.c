/*
 * fuzz_milter_frame - a stream of packets, arriving in two pieces
 *
 * The first byte says how much arrives first.  However it is cut, the packets
 * are the same ones, and written again they are the bytes they came from.
 */
#include <stddef.h>
#include <stdint.h>

#include "shared/log.h"
#include "shared/milter.h"
#include "shared/milter_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool write_again(struct buf *out, struct slice packet)
{
	size_t mark;

	if (!frame_begin(out, packet.data[0], &mark) ||
	    !buf_add(out, slice_from(packet, 1)))
		return false;
	frame_end(out, mark);
	return true;
}

/* Takes all whole packets out of in. */
static enum frame_result take_all(struct buf *in, struct buf *out)
{
	struct slice packet;
	enum frame_result r;

	while ((r = frame_peek(in, MILTER_MTA_LENGTH_MAX, &packet)) ==
	       FRAME_OK) {
		BUG_IF(packet.len == 0 || packet.len + 4 > buf_len(in));
		BUG_IF(!write_again(out, packet));
		frame_skip(in, packet);
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in, out;
	struct slice stream, first;
	enum frame_result r;

	if (size == 0)
		return 0;
	stream = slice_of(data + 1, size - 1);
	first = slice_head(stream, stream.len * data[0] / 255);
	frame_guess_peer(stream);
	buf_init(&in, size);
	buf_init(&out, size);
	BUG_IF(!buf_add(&in, first));
	r = take_all(&in, &out);
	if (r == FRAME_MORE) {
		BUG_IF(!buf_add(&in, slice_from(stream, first.len)));
		r = take_all(&in, &out);
		/* All of it is accounted for, but for what is not whole. */
		BUG_IF(buf_len(&in) + buf_len(&out) != stream.len);
	}
	BUG_IF(!slice_equal(buf_slice(&out),
			    slice_head(stream, buf_len(&out))));
	BUG_IF(r == FRAME_BAD_LENGTH && buf_len(&in) < 4);
	buf_deinit(&in);
	buf_deinit(&out);
	return 0;
}
