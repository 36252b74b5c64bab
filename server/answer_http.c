#include "server/answer_http.h"

#include "server/http.h"

#define TYPE_TEXT "text/plain; charset=utf-8"

static bool put(unsigned code, const char *type, bool head_only,
		struct slice body, struct buf *out)
{
	return http_print_head(code, type, body.len, out) &&
	       (head_only || buf_add(out, body));
}

bool answer_http(const struct status_view *v, struct slice head,
		 bool is_too_long, struct buf *out)
{
	struct http_request r = { .code = 431 };

	(void)v;
	if (!is_too_long)
		http_parse(head, &r);
	if (r.code == 200)
		r.code = 404;
	return put(r.code, TYPE_TEXT, r.head, SLICE_LIT("sorry\n"), out);
}
