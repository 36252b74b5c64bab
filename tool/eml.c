#include "tool/eml.h"

#include <fcntl.h>
#include <unistd.h>

#include "shared/io.h"

/* One line without its end, LF or CRLF; false when nothing is left. */
static bool next_line(struct slice *rest, struct slice *line_out)
{
	ptrdiff_t end = slice_find(*rest, '\n');

	if (!rest->len)
		return false;
	if (end < 0) {
		*line_out = *rest;
		*rest = SLICE_EMPTY;
	} else {
		*line_out = slice_head(*rest, (size_t)end);
		*rest = slice_from(*rest, (size_t)end + 1);
	}
	if (line_out->len && line_out->data[line_out->len - 1] == '\r')
		line_out->len--;
	return true;
}

/* A header name: visible ASCII, blanks only just before the colon. */
static bool split_header(struct slice line, struct slice *name_out,
			 struct slice *raw_out)
{
	ptrdiff_t colon = slice_find(line, ':');
	size_t len;

	if (colon <= 0)
		return false;
	len = (size_t)colon;
	while (len && (line.data[len - 1] == ' ' || line.data[len - 1] == '\t'))
		len--;
	for (size_t i = 0; i < len; i++)
		if (line.data[i] < 0x21 || line.data[i] > 0x7e)
			return false;
	*name_out = slice_head(line, len);
	*raw_out = slice_from(line, (size_t)colon + 1);
	return len > 0;
}

static bool is_fold(struct slice rest)
{
	return rest.len && (rest.data[0] == ' ' || rest.data[0] == '\t');
}

/* Joins the folded lines behind the first, with LF between them. */
static bool join_folds(struct arena *arena, struct slice *rest,
		       struct slice *raw)
{
	struct slice after = *rest, line;
	size_t len = raw->len;
	char *to;

	if (!is_fold(*rest))
		return true;
	while (is_fold(after) && next_line(&after, &line))
		len += line.len + 1;
	to = arena_take(arena, len);
	if (!to)
		return false;
	if (raw->len)
		memcpy(to, raw->data, raw->len);
	*raw = slice_of(to, raw->len);
	while (is_fold(*rest) && next_line(rest, &line)) {
		to[raw->len++] = '\n';
		memcpy(to + raw->len, line.data, line.len);
		raw->len += line.len;
	}
	return true;
}

static bool push_header(struct arena *arena, struct eml *e,
			struct eml_header header)
{
	/* Full at every power of two: the array doubles. */
	if (!(e->count & (e->count - 1))) {
		struct eml_header *headers = arena_take_n(
			arena, e->count ? e->count * 2 : 1, sizeof(*headers));

		if (!headers)
			return false;
		if (e->count)
			memcpy(headers, e->headers,
			       e->count * sizeof(*headers));
		e->headers = headers;
	}
	e->headers[e->count++] = header;
	return true;
}

static bool read_headers(struct arena *arena, struct slice *rest, struct eml *e)
{
	struct slice before, line;

	if (slice_starts(*rest, "From "))
		next_line(rest, &line);
	for (before = *rest; next_line(rest, &line) && line.len;
	     before = *rest) {
		struct eml_header h;

		if (!split_header(line, &h.name, &h.raw)) {
			*rest = before;
			return true;
		}
		if (!join_folds(arena, rest, &h.raw) ||
		    !push_header(arena, e, h))
			return false;
	}
	return true;
}

static bool read_body(struct arena *arena, struct slice rest, struct eml *e)
{
	struct slice line, count = rest;
	size_t len = 0;
	char *to;

	while (next_line(&count, &line))
		len += line.len + 2;
	to = arena_take(arena, len ? len : 1);
	if (!to)
		return false;
	e->body = slice_of(to, len);
	while (next_line(&rest, &line)) {
		memcpy(to, line.data, line.len);
		memcpy(to + line.len, "\r\n", 2);
		to += line.len + 2;
	}
	return true;
}

bool eml_parse(struct arena *arena, struct slice text, struct eml *eml_out)
{
	*eml_out = (struct eml){ 0 };
	return read_headers(arena, &text, eml_out) &&
	       read_body(arena, text, eml_out);
}

bool eml_read(const char *path, struct buf *b)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	enum io_result r = IO_OK;

	if (fd < 0)
		return false;
	while (r == IO_OK)
		r = io_read(fd, b, (size_t)256 * 1024);
	if (!is_stdin)
		close(fd);
	return r == IO_EOF;
}

struct slice eml_unspaced(struct slice raw)
{
	return slice_starts(raw, " ") ? slice_from(raw, 1) : raw;
}

bool eml_print_header(struct buf *out, struct slice name, struct slice value,
		      bool is_raw)
{
	struct slice line;
	bool ok = buf_add(out, name) &&
		  buf_add(out, is_raw ? SLICE_LIT(":") : SLICE_LIT(": "));

	for (bool is_first = true; ok && slice_split(&value, '\n', &line);
	     is_first = false)
		ok = (is_first || buf_add(out, SLICE_LIT("\r\n"))) &&
		     buf_add(out, line);
	return ok && buf_add(out, SLICE_LIT("\r\n"));
}
