/*
 * milter_answer - milter to MTA: one answer, decoded or to be encoded
 *
 * Decoding gives slices into the packet.  As strict as Postfix: a stray byte
 * behind an answer without payload is an error (milter-protocol 1.2).  As
 * lenient as both MTAs where they are: a quarantine without reason or NUL, and
 * bytes behind the NUL of a reply text, which nobody sees.
 * Whether an answer is legal where it stands is the caller's question.
 */
#ifndef SHARED_MILTER_ANSWER_H
#define SHARED_MILTER_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/milter.h"
#include "shared/milter_option.h"

enum answer_kind {
	ANSWER_OPTNEG,
	ANSWER_CONTINUE,
	ANSWER_ACCEPT,
	ANSWER_REJECT,
	ANSWER_TEMPFAIL,
	ANSWER_REPLYCODE,
	ANSWER_DISCARD,
	ANSWER_SKIP,
	ANSWER_PROGRESS,
	ANSWER_SHUTDOWN,
	ANSWER_CONN_FAIL,
	/* The rest are edits: between end of message and the final answer. */
	ANSWER_ADDHEADER,
	ANSWER_INSHEADER,
	ANSWER_CHGHEADER,
	ANSWER_REPLBODY,
	ANSWER_ADDRCPT,
	ANSWER_DELRCPT,
	ANSWER_ADDRCPT_PAR,
	ANSWER_CHGFROM,
	ANSWER_QUARANTINE,
	ANSWER_COUNT
};

struct answer_header {
	uint32_t index; /* INSHEADER, CHGHEADER */
	struct slice name;
	struct slice value;
};

struct answer_address {
	struct slice address;
	struct slice args; /* one string with blanks; ADDRCPT_PAR, CHGFROM */
	bool has_args;	   /* the string was there, though perhaps empty */
};

struct answer {
	enum answer_kind kind;
	union {
		struct option option;	       /* OPTNEG */
		struct slice text;	       /* REPLYCODE, QUARANTINE */
		struct answer_header header;   /* ADD-, INS-, CHGHEADER */
		struct answer_address address; /* recipients, CHGFROM */
		struct slice body;	       /* REPLBODY */
	};
};

/* packet: letter and payload.  False: *why_out says what is wrong. */
bool answer_decode(struct slice packet, struct answer *answer_out,
		   const char **why_out);
/*
 * Appends the whole packet, length included; the slices may not point into b.
 * False: no room, or a payload above MILTER_PAYLOAD_MAX; b unchanged.
 */
bool answer_encode(struct buf *b, const struct answer *answer)
	__attribute__((warn_unused_result));
const char *answer_name(enum answer_kind kind);
bool answer_is_edit(enum answer_kind kind);
/* The action bit an edit needs; 0 for what is no edit. */
uint32_t answer_action(enum answer_kind kind);

/*
 * May this REPLYCODE text go to both MTAs as it is?  4xx or 5xx, the same
 * code on every line, '-' on all but the last, CRLF between, text behind each
 * code, an enhanced code (if any) of the same class, at most 32 lines of 980
 * bytes (codes apart), no control bytes, '%' only doubled (milter-protocol
 * 4.4).  A text that begins with a digit of another class is refused too:
 * Postfix takes that digit for an enhanced code.
 */
bool answer_reply_ok(struct slice text);

#endif
