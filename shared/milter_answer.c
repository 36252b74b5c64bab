#include "shared/milter_answer.h"

#include "shared/log.h"
#include "shared/milter_frame.h"

/* REPLYCODE: what libmilter can send at most (its MAXREPLIES, MAXREPLYLEN). */
#define REPLY_LINES_MAX 32
#define REPLY_TEXT_MAX	980

/*
 * One reader and one writer for each shape of payload.  A reader answers NULL
 * or what is wrong; bytes it leaves over make the answer bad.
 */

static const char *read_nothing(struct reader *r, struct answer *a)
{
	(void)r;
	(void)a;
	return NULL;
}

static const char *read_option(struct reader *r, struct answer *a)
{
	struct option *o = &a->option;

	reader_u32(r, &o->version);
	reader_u32(r, &o->actions);
	reader_u32(r, &o->protocol);
	if (r->failed)
		return "negotiation shorter than 12 bytes";
	while (!reader_at_end(r)) {
		struct slice names;
		uint32_t list;

		if (!reader_u32(r, &list) || !reader_str(r, &names))
			return "macro list without its end";
		if (list >= LIST_COUNT)
			continue; /* as Postfix */
		o->has_list[list] = true;
		o->list[list] = names;
	}
	return NULL;
}

/*
 * A text is a string for both MTAs, so what stands behind its first NUL is
 * not seen; only Postfix's reading on past a missing NUL does harm.
 */
static const char *read_reply(struct reader *r, struct answer *a)
{
	if (!reader_str(r, &a->text))
		return "reply text without its end";
	r->rest = SLICE_EMPTY;
	return NULL;
}

/* Neither MTA minds a missing reason or NUL: it is no ground to fail. */
static const char *read_reason(struct reader *r, struct answer *a)
{
	ptrdiff_t end = slice_find(r->rest, '\0');

	a->text = end < 0 ? r->rest : slice_head(r->rest, (size_t)end);
	r->rest = SLICE_EMPTY;
	return NULL;
}

static const char *read_header(struct reader *r, struct answer *a)
{
	reader_str(r, &a->header.name);
	reader_str(r, &a->header.value);
	return r->failed ? "header without its end" : NULL;
}

static const char *read_indexed_header(struct reader *r, struct answer *a)
{
	if (!reader_u32(r, &a->header.index))
		return "header without its index";
	return read_header(r, a);
}

static const char *read_body(struct reader *r, struct answer *a)
{
	a->body = r->rest;
	r->rest = SLICE_EMPTY;
	return NULL;
}

static const char *read_address(struct reader *r, struct answer *a)
{
	a->address.args = SLICE_EMPTY;
	return reader_str(r, &a->address.address) ? NULL :
						    "address without its end";
}

static const char *read_address_args(struct reader *r, struct answer *a)
{
	const char *why = read_address(r, a);

	if (why || reader_at_end(r))
		return why;
	a->address.has_args = true;
	return reader_str(r, &a->address.args) ? NULL :
						 "argument without its end";
}

static bool write_nothing(struct buf *b, const struct answer *a)
{
	(void)b;
	(void)a;
	return true;
}

static bool write_option(struct buf *b, const struct answer *a)
{
	const struct option *o = &a->option;

	if (!buf_add_u32(b, o->version) || !buf_add_u32(b, o->actions) ||
	    !buf_add_u32(b, o->protocol))
		return false;
	for (uint32_t i = 0; i < LIST_COUNT; i++)
		if (o->has_list[i] &&
		    (!buf_add_u32(b, i) || !buf_add_str(b, o->list[i])))
			return false;
	return true;
}

static bool write_text(struct buf *b, const struct answer *a)
{
	return buf_add_str(b, a->text);
}

static bool write_header(struct buf *b, const struct answer *a)
{
	return buf_add_str(b, a->header.name) &&
	       buf_add_str(b, a->header.value);
}

static bool write_indexed_header(struct buf *b, const struct answer *a)
{
	return buf_add_u32(b, a->header.index) && write_header(b, a);
}

static bool write_body(struct buf *b, const struct answer *a)
{
	return buf_add(b, a->body);
}

static bool write_address(struct buf *b, const struct answer *a)
{
	return buf_add_str(b, a->address.address);
}

static bool write_address_args(struct buf *b, const struct answer *a)
{
	if (!write_address(b, a))
		return false;
	return !a->address.has_args || buf_add_str(b, a->address.args);
}

/* One row per answer of a milter; from ADDHEADER on they are edits. */
static const struct row {
	char letter;
	const char *name;
	uint32_t action; /* what must have been negotiated; 0: nothing */
	const char *(*read)(struct reader *r, struct answer *a);
	bool (*write)(struct buf *b, const struct answer *a);
} rows[] = {
	/* clang-format off */
	[ANSWER_OPTNEG]      = { SMFIC_OPTNEG,      "optneg",      0,                 read_option,         write_option },
	[ANSWER_CONTINUE]    = { SMFIR_CONTINUE,    "continue",    0,                 read_nothing,        write_nothing },
	[ANSWER_ACCEPT]      = { SMFIR_ACCEPT,      "accept",      0,                 read_nothing,        write_nothing },
	[ANSWER_REJECT]      = { SMFIR_REJECT,      "reject",      0,                 read_nothing,        write_nothing },
	[ANSWER_TEMPFAIL]    = { SMFIR_TEMPFAIL,    "tempfail",    0,                 read_nothing,        write_nothing },
	[ANSWER_REPLYCODE]   = { SMFIR_REPLYCODE,   "replycode",   0,                 read_reply,          write_text },
	[ANSWER_DISCARD]     = { SMFIR_DISCARD,     "discard",     0,                 read_nothing,        write_nothing },
	[ANSWER_SKIP]        = { SMFIR_SKIP,        "skip",        0,                 read_nothing,        write_nothing },
	[ANSWER_PROGRESS]    = { SMFIR_PROGRESS,    "progress",    0,                 read_nothing,        write_nothing },
	[ANSWER_SHUTDOWN]    = { SMFIR_SHUTDOWN,    "shutdown",    0,                 read_nothing,        write_nothing },
	[ANSWER_CONN_FAIL]   = { SMFIR_CONN_FAIL,   "conn_fail",   0,                 read_nothing,        write_nothing },
	[ANSWER_ADDHEADER]   = { SMFIR_ADDHEADER,   "addheader",   SMFIF_ADDHDRS,     read_header,         write_header },
	[ANSWER_INSHEADER]   = { SMFIR_INSHEADER,   "insheader",   SMFIF_ADDHDRS,     read_indexed_header, write_indexed_header },
	[ANSWER_CHGHEADER]   = { SMFIR_CHGHEADER,   "chgheader",   SMFIF_CHGHDRS,     read_indexed_header, write_indexed_header },
	[ANSWER_REPLBODY]    = { SMFIR_REPLBODY,    "replbody",    SMFIF_CHGBODY,     read_body,           write_body },
	[ANSWER_ADDRCPT]     = { SMFIR_ADDRCPT,     "addrcpt",     SMFIF_ADDRCPT,     read_address,        write_address },
	[ANSWER_DELRCPT]     = { SMFIR_DELRCPT,     "delrcpt",     SMFIF_DELRCPT,     read_address,        write_address },
	[ANSWER_ADDRCPT_PAR] = { SMFIR_ADDRCPT_PAR, "addrcpt_par", SMFIF_ADDRCPT_PAR, read_address_args,   write_address_args },
	[ANSWER_CHGFROM]     = { SMFIR_CHGFROM,     "chgfrom",     SMFIF_CHGFROM,     read_address_args,   write_address_args },
	[ANSWER_QUARANTINE]  = { SMFIR_QUARANTINE,  "quarantine",  SMFIF_QUARANTINE,  read_reason,         write_text },
	/* clang-format on */
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) == ANSWER_COUNT,
	       "an answer has no row");

static const struct row *row_of(enum answer_kind kind)
{
	BUG_IF((unsigned)kind >= ANSWER_COUNT);
	return &rows[kind];
}

static const char *decode_row(const struct row *row, struct reader *r,
			      struct answer *a)
{
	const char *why = row->read(r, a);

	if (why || reader_at_end(r))
		return why;
	return row->read == read_nothing ?
		       "bytes behind an answer that has none" :
		       "bytes behind the end of an answer";
}

bool answer_decode(struct slice packet, struct answer *answer_out,
		   const char **why_out)
{
	struct reader r = reader_of(packet);
	char letter;

	memset(answer_out, 0, sizeof(*answer_out));
	*why_out = "empty packet";
	if (!reader_byte(&r, &letter))
		return false;
	*why_out = "unknown answer";
	for (unsigned kind = 0; kind < ANSWER_COUNT; kind++) {
		if (rows[kind].letter != letter)
			continue;
		answer_out->kind = (enum answer_kind)kind;
		*why_out = decode_row(&rows[kind], &r, answer_out);
		break;
	}
	return *why_out == NULL;
}

bool answer_encode(struct buf *b, const struct answer *answer)
{
	const struct row *row = row_of(answer->kind);
	size_t mark;

	if (!frame_begin(b, row->letter, &mark))
		return false;
	if (!row->write(b, answer) ||
	    !frame_end_within(b, mark, MILTER_PAYLOAD_MAX)) {
		frame_undo(b, mark);
		return false;
	}
	return true;
}

const char *answer_name(enum answer_kind kind)
{
	return row_of(kind)->name;
}

bool answer_is_edit(enum answer_kind kind)
{
	return kind >= ANSWER_ADDHEADER && kind < ANSWER_COUNT;
}

uint32_t answer_action(enum answer_kind kind)
{
	return row_of(kind)->action;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Length of one to three digits and, unless last, a dot; 0: not so. */
static size_t number_part(struct slice s, bool is_last)
{
	size_t n = 0;

	while (n < s.len && n < 3 && is_digit(s.data[n]))
		n++;
	if (n == 0 || (!is_last && (n == s.len || s.data[n] != '.')))
		return 0;
	return is_last ? n : n + 1;
}

/* Length of an enhanced status code and the blank behind it; 0: none. */
static size_t enhanced_code(struct slice s)
{
	size_t a, b, c;

	a = number_part(s, false);
	if (a != 2)
		return 0;
	b = number_part(slice_from(s, a), false);
	c = b ? number_part(slice_from(s, a + b), true) : 0;
	if (c == 0)
		return 0;
	a += b + c;
	if (a == s.len)
		return a;
	return s.data[a] == ' ' ? a + 1 : 0;
}

/*
 * The text behind code and separator.  Postfix compares its first byte with
 * the class when it is a digit, enhanced code or not; so do we, on all lines.
 */
static bool text_ok(struct slice text, char class)
{
	bool has_word = false;

	if (text.len && is_digit(text.data[0]) && text.data[0] != class)
		return false;
	if (text.len > enhanced_code(text) + REPLY_TEXT_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		if (c == '%' && (++i == text.len || text.data[i] != '%'))
			return false;
		has_word = has_word || c != ' ';
	}
	return has_word;
}

static bool reply_line_ok(struct slice line, struct slice code, bool is_last)
{
	return line.len > 4 && slice_equal(slice_head(line, 3), code) &&
	       line.data[3] == (is_last ? ' ' : '-') &&
	       text_ok(slice_from(line, 4), code.data[0]);
}

static bool code_ok(struct slice code)
{
	return code.len == 3 && (code.data[0] == '4' || code.data[0] == '5') &&
	       is_digit(code.data[1]) && is_digit(code.data[2]);
}

bool answer_reply_ok(struct slice text)
{
	struct slice code = slice_head(text, 3);
	ptrdiff_t end;

	if (!code_ok(code))
		return false;
	for (unsigned lines = 0; lines < REPLY_LINES_MAX; lines++) {
		end = slice_find(text, '\r');
		if (end < 0)
			return reply_line_ok(text, code, true);
		if (!reply_line_ok(slice_head(text, (size_t)end), code, false))
			return false;
		text = slice_from(text, (size_t)end + 1);
		if (text.len == 0 || text.data[0] != '\n')
			return false;
		text = slice_from(text, 1);
	}
	return false;
}
