#include "shared/mime_text.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>

/* So often one value may make us look for another charset. */
#define CHARSETS_MAX 4

/* ---- where text goes ---- */

struct out {
	char *data;
	size_t len;
	size_t max;
	/* The charset that is open; (iconv_t)-1: none. */
	iconv_t converter;
	struct slice charset;
	unsigned opened;
};

static bool out_begin(struct out *o, struct arena *arena, size_t max)
{
	*o = (struct out){ .data = arena_take(arena, max + 1),
			   .max = max,
			   .converter = (iconv_t)-1 };
	return o->data != NULL;
}

static void out_end(struct out *o)
{
	if (o->converter != (iconv_t)-1)
		iconv_close(o->converter);
	o->converter = (iconv_t)-1;
}

static void put(struct out *o, struct slice s)
{
	s = slice_head(s, o->max - o->len);
	if (s.len)
		memcpy(o->data + o->len, s.data, s.len);
	o->len += s.len;
}

static void put_byte(struct out *o, char c)
{
	if (o->len < o->max)
		o->data[o->len++] = c;
}

/* ---- charsets ---- */

/*
 * The charsets mail is written in, and no others: the names come from the
 * sender, and converters nobody uses are where old holes are found.
 */
static const char *const charsets[] = {
	"ISO-8859-2",	"ISO-8859-3",	"ISO-8859-4",	"ISO-8859-5",
	"ISO-8859-6",	"ISO-8859-7",	"ISO-8859-8",	"ISO-8859-9",
	"ISO-8859-10",	"ISO-8859-13",	"ISO-8859-14",	"ISO-8859-15",
	"ISO-8859-16",	"WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252",
	"WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256",
	"WINDOWS-1257", "WINDOWS-1258", "WINDOWS-874",	"TIS-620",
	"KOI8-R",	"KOI8-U",	"ISO-2022-JP",	"EUC-JP",
	"SHIFT_JIS",	"EUC-KR",	"GB2312",	"GBK",
	"GB18030",	"BIG5",		"UTF-16",	"UTF-16BE",
	"UTF-16LE",
};

static const struct {
	const char *name;
	const char *means;
} aliases[] = {
	{ "KS_C_5601-1987", "EUC-KR" },
	{ "SJIS", "SHIFT_JIS" },
	{ "X-SJIS", "SHIFT_JIS" },
	{ "CP932", "SHIFT_JIS" },
	{ "CP1251", "WINDOWS-1251" },
	{ "CP1252", "WINDOWS-1252" },
	/* What says Latin 1 is, as everybody reads it, the larger set. */
	{ "ISO-8859-1", "WINDOWS-1252" },
	{ "LATIN1", "WINDOWS-1252" },
};

static const char *charset_name(struct slice charset)
{
	for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++)
		if (slice_is_case(charset, charsets[i]))
			return charsets[i];
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (slice_is_case(charset, aliases[i].name))
			return aliases[i].means;
	return NULL;
}

static bool charset_open(struct out *o, struct slice charset)
{
	const char *name;

	if (slice_equal_case(o->charset, charset))
		return o->converter != (iconv_t)-1;
	out_end(o);
	o->charset = charset;
	name = charset_name(charset);
	if (!name || o->opened == CHARSETS_MAX)
		return false;
	o->opened++;
	o->converter = iconv_open("UTF-8", name);
	return o->converter != (iconv_t)-1;
}

/* As UTF-8; bytes that mean nothing in the charset become question marks. */
static void put_converted(struct out *o, struct slice text)
{
	/* iconv() does not write there, but its argument is not const. */
	char *from = (char *)(uintptr_t)text.data;
	size_t left = text.len;

	iconv(o->converter, NULL, NULL, NULL, NULL);
	while (left && o->len < o->max) {
		char *to = o->data + o->len;
		size_t room = o->max - o->len;
		size_t n = iconv(o->converter, &from, &left, &to, &room);

		o->len = o->max - room;
		if (n != (size_t)-1 || errno == E2BIG)
			break;
		put_byte(o, '?');
		from++;
		left--;
	}
}

static void put_charset(struct out *o, struct slice charset, struct slice text)
{
	if (charset.len && text.len && charset_open(o, charset))
		put_converted(o, text);
	else
		put(o, text);
}

/* ---- base64 and quoted-printable ---- */

static int base64_digit(char c)
{
	/* clang-format off */
	if (c >= 'A' && c <= 'Z') return c - 'A';
	if (c >= 'a' && c <= 'z') return c - 'a' + 26;
	if (c >= '0' && c <= '9') return c - '0' + 52;
	if (c == '+') return 62;
	if (c == '/') return 63;
	/* clang-format on */
	return -1;
}

/* to has room for from.len bytes; anything that is no digit is passed over. */
static size_t base64_decode(struct slice from, char *to)
{
	uint32_t bits = 0;
	unsigned count = 0;
	size_t len = 0;

	for (size_t i = 0; i < from.len; i++) {
		int digit = base64_digit(from.data[i]);

		/* Behind = a new text may begin. */
		if (from.data[i] == '=')
			count = 0;
		if (digit < 0)
			continue;
		bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
		count += 6;
		if (count >= 8) {
			count -= 8;
			to[len++] = (char)(bits >> count & 0xff);
		}
	}
	return len;
}

static int hex_digit(char c)
{
	/* clang-format off */
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	/* clang-format on */
	return -1;
}

/* =XY at i; in a header _ is a blank, in a body = at the end of line joins. */
static size_t quoted_decode(struct slice from, bool header, char *to)
{
	size_t len = 0, i = 0;

	while (i < from.len) {
		char c = from.data[i++];
		int high = i + 1 < from.len ? hex_digit(from.data[i]) : -1;
		int low = i + 1 < from.len ? hex_digit(from.data[i + 1]) : -1;

		if (header && c == '_') {
			c = ' ';
		} else if (c == '=' && high >= 0 && low >= 0) {
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '=' && !header) {
			size_t end = i;

			while (end < from.len && (from.data[end] == ' ' ||
						  from.data[end] == '\r'))
				end++;
			if (end < from.len && from.data[end] == '\n') {
				i = end + 1;
				continue;
			}
		}
		to[len++] = c;
	}
	return len;
}

/* ---- headers ---- */

struct encoded_word {
	struct slice charset;
	char encoding; /* b or q */
	struct slice text;
	size_t len; /* of all of it */
};

/* Up to the next question mark, in printable ASCII. */
static bool take_field(struct slice s, size_t *at, struct slice *field_out)
{
	size_t start = *at;

	while (*at < s.len && s.data[*at] != '?') {
		if (s.data[*at] <= ' ' || s.data[*at] > '~')
			return false;
		(*at)++;
	}
	if (*at >= s.len)
		return false;
	*field_out = slice_of(s.data + start, *at - start);
	(*at)++;
	return true;
}

/* =?charset*language?encoding?text?= at the front of s. */
static bool is_encoded_word(struct slice s, struct encoded_word *w)
{
	struct slice encoding;
	ptrdiff_t star;
	size_t at = 2;

	/* RFC 2047 allows 75 bytes; senders do not always count. */
	s = slice_head(s, 1024);
	if (!slice_starts(s, "=?") || !take_field(s, &at, &w->charset) ||
	    !take_field(s, &at, &encoding) || !take_field(s, &at, &w->text) ||
	    at >= s.len || s.data[at] != '=' || encoding.len != 1)
		return false;
	star = slice_find(w->charset, '*');
	if (star >= 0)
		w->charset = slice_head(w->charset, (size_t)star);
	w->encoding = (char)(encoding.data[0] | 0x20);
	w->len = at + 1;
	return w->encoding == 'b' || w->encoding == 'q';
}

static void put_encoded_word(struct out *o, const struct encoded_word *w)
{
	char decoded[1024];
	size_t len;

	if (w->encoding == 'b')
		len = base64_decode(w->text, decoded);
	else
		len = quoted_decode(w->text, true, decoded);
	put_charset(o, w->charset, slice_of(decoded, len));
}

/* White space at the front of s. */
static size_t blanks(struct slice s)
{
	size_t n = 0;

	while (n < s.len && is_space(s.data[n]))
		n++;
	return n;
}

/* A fold, line end and all blanks about it, is one blank; others stay. */
static void put_blanks(struct out *o, struct slice s)
{
	if (slice_find(s, '\n') >= 0 || slice_find(s, '\r') >= 0)
		put_byte(o, ' ');
	else
		put(o, s);
}

static void put_header(struct out *o, struct slice s)
{
	bool behind_encoded = false;

	while (s.len && o->len < o->max) {
		size_t n = blanks(s);
		struct encoded_word w;

		if (is_encoded_word(slice_from(s, n), &w)) {
			/* Between two of them blanks mean nothing. */
			if (!behind_encoded)
				put_blanks(o, slice_head(s, n));
			put_encoded_word(o, &w);
			s = slice_from(s, n + w.len);
			behind_encoded = true;
			continue;
		}
		put_blanks(o, slice_head(s, n));
		s = slice_from(s, n);
		n = s.len > 0;
		while (n < s.len && !is_space(s.data[n]) && s.data[n] != '=')
			n++;
		put(o, slice_head(s, n));
		s = slice_from(s, n);
		behind_encoded = false;
	}
}

static bool needs_work(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] == '\n' || s.data[i] == '\r' ||
		    (s.data[i] == '=' && i + 1 < s.len && s.data[i + 1] == '?'))
			return true;
	return false;
}

bool mime_header_text(struct arena *arena, struct slice value, size_t max,
		      struct slice *text_out)
{
	struct out o;
	size_t room;

	value = slice_trim(value);
	*text_out = slice_head(value, max);
	if (!needs_work(*text_out))
		return true;
	/* Three bytes of UTF-8 for each of the charset are the worst. */
	room = value.len > max / 3 ? max : value.len * 3;
	if (!out_begin(&o, arena, room)) {
		*text_out = SLICE_EMPTY;
		return false;
	}
	put_header(&o, value);
	out_end(&o);
	*text_out = slice_trim(slice_of(o.data, o.len));
	return true;
}

/* ---- bodies ---- */

struct part {
	struct slice type; /* value of Content-Type */
	struct slice encoding;
	struct slice body;
};

struct bodies {
	struct arena *arena;
	struct out out;
	unsigned parts;
	bool failed;
};

/* The value up to the first semicolon or blank. */
static struct slice first_word(struct slice value)
{
	size_t n = 0;

	value = slice_trim(value);
	while (n < value.len && value.data[n] != ';' &&
	       !is_space(value.data[n]))
		n++;
	return slice_head(value, n);
}

static bool type_is(struct slice type, const char *major)
{
	return slice_is_case(slice_head(type, strlen(major)), major);
}

static struct slice unquote(struct slice s)
{
	ptrdiff_t end;

	s = slice_trim(s);
	if (s.len == 0 || s.data[0] != '"')
		return first_word(s);
	s = slice_from(s, 1);
	end = slice_find(s, '"');
	return end < 0 ? s : slice_head(s, (size_t)end);
}

/* A parameter of Content-Type; empty when there is none. */
static struct slice parameter(struct slice value, const char *name)
{
	size_t n = strlen(name);

	while (value.len) {
		ptrdiff_t semicolon = slice_find(value, ';');
		struct slice rest;

		if (semicolon < 0)
			break;
		value = slice_trim(slice_from(value, (size_t)semicolon + 1));
		if (!slice_is_case(slice_head(value, n), name))
			continue;
		rest = slice_trim(slice_from(value, n));
		if (rest.len && rest.data[0] == '=')
			return unquote(slice_from(rest, 1));
	}
	return SLICE_EMPTY;
}

static bool take_line(struct slice *rest, struct slice *line_out)
{
	return rest->len && slice_split(rest, '\n', line_out);
}

/* Is the rest of a header's line and those that continue it. */
static struct slice folded_value(struct slice line, struct slice *rest)
{
	const char *end = line.data + line.len;
	struct slice next;

	while (rest->len && (rest->data[0] == ' ' || rest->data[0] == '\t') &&
	       take_line(rest, &next))
		end = next.data + next.len;
	return slice_of(line.data, (size_t)(end - line.data));
}

static void note_header(struct part *p, struct slice field)
{
	ptrdiff_t colon = slice_find(field, ':');
	struct slice name, value;

	if (colon < 0)
		return;
	name = slice_trim(slice_head(field, (size_t)colon));
	value = slice_from(field, (size_t)colon + 1);
	if (slice_is_case(name, "Content-Type") && !p->type.len)
		p->type = slice_trim(value);
	else if (slice_is_case(name, "Content-Transfer-Encoding"))
		p->encoding = slice_trim(value);
}

/* Headers, an empty line, a body. */
static struct part part_of(struct slice s)
{
	struct part p = { SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY };
	struct slice line;

	while (take_line(&s, &line)) {
		if (slice_trim(line).len == 0)
			break;
		note_header(&p, folded_value(line, &s));
	}
	p.body = s.data ? s : SLICE_EMPTY;
	return p;
}

static void put_lines(struct out *o, struct slice charset, struct slice text)
{
	size_t start = o->len, to;

	put_charset(o, charset, text);
	to = start;
	for (size_t i = start; i < o->len; i++)
		if (o->data[i] != '\r' || i + 1 == o->len ||
		    o->data[i + 1] != '\n')
			o->data[to++] = o->data[i];
	o->len = to;
}

static void put_text(struct bodies *b, const struct part *p)
{
	struct slice encoding = first_word(p->encoding);
	struct slice text = p->body;
	char *decoded;
	size_t len = 0;
	bool base64 = slice_is_case(encoding, "base64");

	if (b->out.len && b->out.data[b->out.len - 1] != '\n')
		put_byte(&b->out, '\n');
	if (base64 || slice_is_case(encoding, "quoted-printable")) {
		decoded = arena_take(b->arena, p->body.len + 1);
		if (!decoded) {
			b->failed = true;
			return;
		}
		len = base64 ? base64_decode(p->body, decoded) :
			       quoted_decode(p->body, false, decoded);
		text = slice_of(decoded, len);
	}
	put_lines(&b->out, parameter(p->type, "charset"), text);
}

static void put_part(struct bodies *b, const struct part *p, unsigned depth);

/* 0: another line, 1: a part begins behind it, 2: the last one has ended. */
static int is_boundary(struct slice line, struct slice boundary)
{
	line = slice_trim(line);
	if (!slice_starts(line, "--") ||
	    !slice_equal(slice_head(slice_from(line, 2), boundary.len),
			 boundary))
		return 0;
	line = slice_from(line, boundary.len + 2);
	return line.len == 0 ? 1 : slice_is(line, "--") ? 2 : 0;
}

static void put_multipart(struct bodies *b, const struct part *p,
			  struct slice boundary, unsigned depth)
{
	struct slice rest = p->body, line;
	const char *start = NULL;
	int is = 0;

	while (is != 2 && take_line(&rest, &line)) {
		const char *line_start = line.data;

		is = is_boundary(line, boundary);
		if (is == 0)
			continue;
		if (start) {
			struct part inner = part_of(
				slice_of(start, (size_t)(line_start - start)));

			put_part(b, &inner, depth + 1);
		}
		start = rest.data ? rest.data : line.data + line.len;
	}
	/* The body was cut, or the sender forgot the end. */
	if (start && is != 2) {
		struct part inner = part_of(slice_of(
			start, (size_t)(p->body.data + p->body.len - start)));

		put_part(b, &inner, depth + 1);
	}
}

static void put_part(struct bodies *b, const struct part *p, unsigned depth)
{
	struct slice type = first_word(p->type);
	struct slice boundary = parameter(p->type, "boundary");
	struct part inner;

	if (depth > MIME_DEPTH_MAX || b->parts++ >= MIME_PARTS_MAX ||
	    b->failed || b->out.len == b->out.max)
		return;
	if (type_is(type, "multipart/") && boundary.len) {
		put_multipart(b, p, boundary, depth);
	} else if (type_is(type, "message/rfc822")) {
		inner = part_of(p->body);
		put_part(b, &inner, depth + 1);
	} else if (type.len == 0 || type_is(type, "text/") ||
		   type_is(type, "multipart/")) {
		put_text(b, p);
	}
}

bool mime_body_text(struct arena *arena, struct slice content_type,
		    struct slice encoding, struct slice body, size_t max,
		    struct slice *text_out)
{
	struct bodies b = { .arena = arena };
	struct part whole = { content_type, encoding, body };

	*text_out = SLICE_EMPTY;
	if (!out_begin(&b.out, arena, max))
		return false;
	put_part(&b, &whole, 0);
	out_end(&b.out);
	if (!b.failed)
		*text_out = slice_of(b.out.data, b.out.len);
	return !b.failed;
}
