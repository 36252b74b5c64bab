#include "server/answer_http.h"

#include "server/answer.h"
#include "server/http.h"

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_OPEN \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TYPE_OLD "text/plain; version=0.0.4; charset=utf-8"

static const char front[] =
	"sekisho: /metrics has the metrics for Prometheus; everything else is on the\n"
	"status socket: see sekisho-status(7)\n";

static bool put(unsigned code, const char *type, bool head_only,
		struct slice body, struct buf *out)
{
	return http_print_head(code, type, body.len, out) &&
	       (head_only || buf_add(out, body));
}

static bool put_error(unsigned code, bool head_only, struct buf *out)
{
	struct buf words;
	bool ok;

	buf_init(&words, 128);
	ok = buf_printf(&words, "%u %s\n", code, http_reason(code)) &&
	     put(code, TYPE_TEXT, head_only, buf_slice(&words), out);
	buf_deinit(&words);
	return ok;
}

static bool put_metrics(const struct status_view *v,
			const struct http_request *r, struct buf *out)
{
	struct buf body;
	bool ok;

	buf_init(&body, out->ceiling / 2);
	answer_print_metrics(v, r->wants_openmetrics, &body);
	/* What found no room is missing. */
	ok = body.ceiling - buf_len(&body) >= ANSWER_SPARE;
	ok = ok ? put(200, r->wants_openmetrics ? TYPE_OPEN : TYPE_OLD,
		      r->head, buf_slice(&body), out) :
		  put_error(500, r->head, out);
	buf_deinit(&body);
	return ok;
}

bool answer_http(const struct status_view *v, struct slice head,
		 bool is_too_long, struct buf *out)
{
	struct http_request r = { .code = 431, .path = SLICE_EMPTY };

	if (!is_too_long)
		http_parse(head, &r);
	if (r.code != 200)
		return put_error(r.code, r.head, out);
	if (slice_is(r.path, "/metrics"))
		return put_metrics(v, &r, out);
	if (slice_is(r.path, "/"))
		return put(200, TYPE_TEXT, r.head, slice_str(front), out);
	return put_error(404, r.head, out);
}
