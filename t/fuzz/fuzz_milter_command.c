/*
 * fuzz_milter_command - one packet of an MTA, letter and payload
 *
 * What decodes can be encoded, and the result says the same: it is the form
 * without the bytes an MTA should not have sent.
 */
#include <stddef.h>
#include <stdint.h>

#include "shared/log.h"
#include "shared/macro.h"
#include "shared/milter_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const struct command *a, const struct command *b)
{
	switch (a->kind) {
	case CMD_OPTNEG:
		return a->option.version == b->option.version &&
		       a->option.actions == b->option.actions &&
		       a->option.protocol == b->option.protocol;
	case CMD_MACRO:
		return a->macro.letter == b->macro.letter &&
		       slice_equal(a->macro.pairs, b->macro.pairs);
	case CMD_CONNECT:
		return slice_equal(a->connect.host, b->connect.host) &&
		       a->connect.family == b->connect.family &&
		       a->connect.port == b->connect.port &&
		       slice_equal(a->connect.address, b->connect.address);
	case CMD_HELO:
	case CMD_UNKNOWN:
		return slice_equal(a->text, b->text);
	case CMD_MAIL:
	case CMD_RCPT:
		return slice_equal(a->envelope.address, b->envelope.address) &&
		       slice_equal(a->envelope.args, b->envelope.args);
	case CMD_HEADER:
		return slice_equal(a->header.name, b->header.name) &&
		       slice_equal(a->header.value, b->header.value);
	case CMD_BODY:
	case CMD_EOM:
		return slice_equal(a->body, b->body);
	case CMD_DATA:
	case CMD_EOH:
	case CMD_ABORT:
	case CMD_QUIT:
	case CMD_QUIT_NC:
		return true;
	case CMD_COUNT:
		break;
	}
	return false;
}

static void try_offer(const struct option *raw)
{
	struct option offer, child, mta;
	const char *why;

	if (!option_read_offer(raw, &offer, &why))
		return;
	child = option_for_child(&offer);
	mta = option_for_mta(&offer);
	BUG_IF(child.version != MILTER_VERSION);
	BUG_IF(child.actions & ~offer.actions);
	BUG_IF(mta.version > offer.version);
	BUG_IF(mta.protocol & ~offer.protocol);
	BUG_IF(raw->actions && (mta.actions & ~raw->actions));
	BUG_IF(raw->protocol && (mta.protocol & ~raw->protocol));
}

static void try_macros(struct slice pairs)
{
	struct slice rest = pairs, name, value, found;
	struct buf b;
	unsigned dropped;

	BUG_IF(macro_whole_pairs(pairs).len != pairs.len);
	while (macro_next(&rest, &name, &value))
		BUG_IF(!macro_find(pairs, name, &found));
	BUG_IF(rest.len);
	buf_init(&b, pairs.len + 1);
	BUG_IF(!macro_filter(pairs, false, SLICE_EMPTY, pairs.len / 2, &b,
			     &dropped));
	BUG_IF(buf_len(&b) > pairs.len / 2);
	BUG_IF(macro_whole_pairs(buf_slice(&b)).len != buf_len(&b));
	buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command first, second;
	const char *why;
	struct buf b;

	if (!command_decode(slice_of(data, size), &first, &why)) {
		BUG_IF(!why);
		return 0;
	}
	if (first.kind == CMD_OPTNEG)
		try_offer(&first.option);
	if (first.kind == CMD_MACRO)
		try_macros(first.macro.pairs);
	buf_init(&b, size + 4);
	if (command_encode(&b, &first)) {
		BUG_IF(!command_decode(slice_from(buf_slice(&b), 4), &second,
				       &why));
		BUG_IF(first.kind != second.kind || !is_same(&first, &second));
	} else {
		/* Never longer than it came; what is too long was so before. */
		BUG_IF(size <= MILTER_PAYLOAD_MAX);
	}
	buf_deinit(&b);
	return 0;
}
