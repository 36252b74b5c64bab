#include "server/http.h"

#include <string.h>

/* A line up to LF, the CR before it left out. */
static bool take_line(struct slice *rest, struct slice *line_out)
{
	if (!rest->len || !slice_split(rest, '\n', line_out))
		return false;
	if (line_out->len && line_out->data[line_out->len - 1] == '\r')
		line_out->len--;
	return true;
}

static struct slice take_word(struct slice *rest)
{
	struct slice word;

	if (!slice_split(rest, ' ', &word))
		return SLICE_EMPTY;
	return word;
}

static bool is_upper_word(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] < 'A' || s.data[i] > 'Z')
			return false;
	return s.len > 0;
}

bool http_is_request(struct slice line)
{
	struct slice method, version = SLICE_EMPTY;

	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	method = take_word(&line);
	if (!is_upper_word(method))
		return false;
	while (line.len)
		version = take_word(&line);
	return slice_starts(version, "HTTP/");
}

size_t http_head_len(struct slice text)
{
	struct slice rest = text, line;

	while (memchr(rest.data, '\n', rest.len) && take_line(&rest, &line))
		if (!line.len)
			return text.len - rest.len;
	return 0;
}

/* `http://host:port/path?query` and `/path?query` to `/path`. */
static struct slice path_of(struct slice target)
{
	ptrdiff_t at;

	if (slice_starts(target, "http://")) {
		target = slice_from(target, 7);
		at = slice_find(target, '/');
		target = at < 0 ? SLICE_LIT("/") :
				  slice_from(target, (size_t)at);
	}
	at = slice_find(target, '?');
	return at < 0 ? target : slice_head(target, (size_t)at);
}

static unsigned read_first(struct slice line, struct http_request *r,
			   bool *needs_host_out)
{
	struct slice method = take_word(&line), target = take_word(&line);

	*needs_host_out = slice_is(line, "HTTP/1.1");
	if (!is_upper_word(method) || !target.len)
		return 400;
	if (!slice_starts(line, "HTTP/"))
		return 400;
	if (!*needs_host_out && !slice_is(line, "HTTP/1.0"))
		return 505;
	r->head = slice_is(method, "HEAD");
	if (!r->head && !slice_is(method, "GET"))
		return 405;
	r->path = path_of(target);
	return r->path.len && r->path.data[0] == '/' ? 200 : 400;
}

/* One of the comma-separated types; `;q=0` refuses it. */
static bool accepts_openmetrics(struct slice value)
{
	struct slice type, name, parameter;

	while (slice_split(&value, ',', &type)) {
		bool refused = false;

		(void)slice_split(&type, ';', &name);
		while (slice_split(&type, ';', &parameter)) {
			parameter = slice_trim(parameter);
			refused = refused || slice_is(parameter, "q=0") ||
				  slice_is(parameter, "q=0.0");
		}
		if (slice_is_case(slice_trim(name),
				  "application/openmetrics-text"))
			return !refused;
	}
	return false;
}

/* 0: nothing is wrong with it. */
static unsigned read_field(struct slice line, struct http_request *r,
			   bool *has_host)
{
	ptrdiff_t colon = slice_find(line, ':');
	struct slice name, value;

	if (colon <= 0)
		return 400;
	name = slice_head(line, (size_t)colon);
	value = slice_trim(slice_from(line, (size_t)colon + 1));
	/* Neither a folded line nor a blank before the colon is allowed. */
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] > '~')
			return 400;
	if (slice_is_case(name, "Host"))
		*has_host = true;
	else if (slice_is_case(name, "Accept"))
		r->wants_openmetrics = r->wants_openmetrics ||
				       accepts_openmetrics(value);
	return 0;
}

void http_parse(struct slice head, struct http_request *request_out)
{
	struct http_request *r = request_out;
	bool needs_host, has_host = false;
	unsigned wrong = 0;
	struct slice line;

	*r = (struct http_request){ .code = 400, .path = SLICE_EMPTY };
	if (!take_line(&head, &line))
		return;
	r->code = read_first(line, r, &needs_host);
	while (take_line(&head, &line) && line.len && !wrong)
		wrong = read_field(line, r, &has_host);
	if (wrong || (needs_host && !has_host))
		r->code = 400;
}

const char *http_reason(unsigned code)
{
	switch (code) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Internal Server Error";
	}
}

bool http_print_head(unsigned code, const char *type, size_t body_len,
		     struct buf *out)
{
	return buf_printf(out,
			  "HTTP/1.1 %u %s\r\n"
			  "Content-Type: %s\r\n"
			  "Content-Length: %zu\r\n"
			  "Cache-Control: no-store\r\n"
			  "X-Content-Type-Options: nosniff\r\n"
			  "%s"
			  "Connection: close\r\n\r\n",
			  code, http_reason(code), type, body_len,
			  code == 405 ? "Allow: GET, HEAD\r\n" : "");
}
