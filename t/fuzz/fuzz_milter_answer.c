/*
 * fuzz_milter_answer - one packet of a milter, letter and payload
 *
 * What decodes can be encoded, and the result says the same.  A reply text
 * that may go to an MTA keeps the promises of answer_reply_ok().
 */
#include <stddef.h>
#include <stdint.h>

#include "shared/log.h"
#include "shared/milter_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same_option(const struct option *a, const struct option *b)
{
	for (unsigned i = 0; i < LIST_COUNT; i++)
		if (a->has_list[i] != b->has_list[i] ||
		    (a->has_list[i] && !slice_equal(a->list[i], b->list[i])))
			return false;
	return a->version == b->version && a->actions == b->actions &&
	       a->protocol == b->protocol;
}

static bool is_same(const struct answer *a, const struct answer *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case ANSWER_OPTNEG:
		return is_same_option(&a->option, &b->option);
	case ANSWER_REPLYCODE:
	case ANSWER_QUARANTINE:
		return slice_equal(a->text, b->text);
	case ANSWER_ADDHEADER:
	case ANSWER_INSHEADER:
	case ANSWER_CHGHEADER:
		return a->header.index == b->header.index &&
		       slice_equal(a->header.name, b->header.name) &&
		       slice_equal(a->header.value, b->header.value);
	case ANSWER_REPLBODY:
		return slice_equal(a->body, b->body);
	case ANSWER_ADDRCPT:
	case ANSWER_DELRCPT:
	case ANSWER_ADDRCPT_PAR:
	case ANSWER_CHGFROM:
		return a->address.has_args == b->address.has_args &&
		       slice_equal(a->address.address, b->address.address) &&
		       slice_equal(a->address.args, b->address.args);
	case ANSWER_CONTINUE:
	case ANSWER_ACCEPT:
	case ANSWER_REJECT:
	case ANSWER_TEMPFAIL:
	case ANSWER_DISCARD:
	case ANSWER_SKIP:
	case ANSWER_PROGRESS:
	case ANSWER_SHUTDOWN:
	case ANSWER_CONN_FAIL:
		return true;
	case ANSWER_COUNT:
		break;
	}
	return false;
}

static void try_reply(struct slice text)
{
	size_t percents = 0;

	if (!answer_reply_ok(text))
		return;
	BUG_IF(text.len < 5 || (text.data[0] != '4' && text.data[0] != '5'));
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		BUG_IF(c == 0x7f || (c < 0x20 && c != '\r' && c != '\n'));
		BUG_IF(c == '\n' && text.data[i - 1] != '\r');
		BUG_IF(c == '\r' &&
		       (i + 2 >= text.len || text.data[i + 1] != '\n' ||
			text.data[i + 2] != text.data[0]));
		percents += c == '%';
	}
	BUG_IF(percents % 2);
}

static void try_answer(const struct option *raw)
{
	static const struct option offered = {
		.version = MILTER_VERSION,
		.actions = SMFIF_ADDHDRS,
		.protocol = SMFIP_NO_ALL | SMFIP_NR_ALL | SMFIP_SKIP,
	};
	struct option got;
	const char *why;

	if (!option_read_answer(raw, &offered, &got, &why))
		return;
	BUG_IF(got.version > offered.version);
	BUG_IF(got.actions & ~offered.actions);
	BUG_IF(got.protocol & ~offered.protocol);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer first, second;
	const char *why;
	struct buf b;

	if (!answer_decode(slice_of(data, size), &first, &why)) {
		BUG_IF(!why);
		return 0;
	}
	if (first.kind == ANSWER_REPLYCODE)
		try_reply(first.text);
	if (first.kind == ANSWER_OPTNEG)
		try_answer(&first.option);
	/* A quarantine gains the NUL it came without. */
	buf_init(&b, size + 5);
	if (answer_encode(&b, &first)) {
		BUG_IF(!answer_decode(slice_from(buf_slice(&b), 4), &second,
				      &why));
		BUG_IF(!is_same(&first, &second));
	} else {
		BUG_IF(size < MILTER_PAYLOAD_MAX);
	}
	buf_deinit(&b);
	return 0;
}
