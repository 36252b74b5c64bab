#include "server/http.h"

#include <criterion/criterion.h>

#define HOST "Host: a\r\n"
#define OPEN "application/openmetrics-text"

Test(http, heads)
{
	static const struct {
		const char *head;
		unsigned code;
		bool is_head;
		bool wants_open;
		const char *path; /* with 200 */
	} cases[] = {
		/* clang-format off */
		{ "GET /metrics HTTP/1.1\r\n" HOST "\r\n",                  200, false, false, "/metrics" },
		{ "GET /metrics HTTP/1.1\n" "Host: a\n\n",                  200, false, false, "/metrics" },
		{ "HEAD / HTTP/1.0\r\n\r\n",                                200, true,  false, "/" },
		{ "GET /metrics?x=y HTTP/1.0\r\n\r\n",                      200, false, false, "/metrics" },
		{ "GET http://h:9/metrics?x HTTP/1.1\r\n" HOST "\r\n",      200, false, false, "/metrics" },
		{ "GET http://h HTTP/1.1\r\n" HOST "\r\n",                  200, false, false, "/" },
		{ "GET / HTTP/1.1\r\n" HOST "Accept: " OPEN ";version=1.0.0;q=0.5,text/plain;q=0.2\r\n\r\n", 200, false, true, "/" },
		{ "GET / HTTP/1.1\r\n" HOST "aCCEPT: text/plain, " OPEN "\r\n\r\n", 200, false, true, "/" },
		{ "GET / HTTP/1.1\r\n" HOST "Accept: " OPEN ";q=0\r\n\r\n", 200, false, false, "/" },
		{ "GET / HTTP/1.1\r\n" HOST "Accept: */*\r\n\r\n",          200, false, false, "/" },
		{ "GET / HTTP/1.1\r\n\r\n",                                 400, false, false, NULL },
		{ "GET / HTTP/1.1\r\n" HOST "nonsense\r\n\r\n",             400, false, false, NULL },
		{ "GET / HTTP/1.1\r\n" HOST " folded: x\r\n\r\n",           400, false, false, NULL },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n",                     400, false, false, NULL },
		{ "GET metrics HTTP/1.0\r\n\r\n",                           400, false, false, NULL },
		{ "GET  / HTTP/1.0\r\n\r\n",                                400, false, false, NULL },
		{ "GET / x HTTP/1.0\r\n\r\n",                               400, false, false, NULL },
		{ "get / HTTP/1.0\r\n\r\n",                                 400, false, false, NULL },
		{ "GET / HTTP/2.0\r\n\r\n",                                 505, false, false, NULL },
		{ "POST / HTTP/1.1\r\n" HOST "\r\n",                        405, false, false, NULL },
		{ "\r\n",                                                   400, false, false, NULL },
		{ "",                                                       400, false, false, NULL },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request r;

		http_parse(slice_str(cases[i].head), &r);
		cr_expect_eq(r.code, cases[i].code, "%u of %s", r.code,
			     cases[i].head);
		if (r.code != 200)
			continue;
		cr_expect_eq(r.head, cases[i].is_head, "%s", cases[i].head);
		cr_expect_eq(r.wants_openmetrics, cases[i].wants_open, "%s",
			     cases[i].head);
		cr_expect(slice_is(r.path, cases[i].path), "%s",
			  cases[i].head);
	}
}

Test(http, first_lines)
{
	cr_expect(http_is_request(SLICE_LIT("GET / HTTP/1.1\r")));
	cr_expect(http_is_request(SLICE_LIT("PRI * HTTP/2.0")));
	cr_expect_not(http_is_request(SLICE_LIT("off spam")));
	cr_expect_not(http_is_request(SLICE_LIT("why HTTP/1.1")));
	cr_expect_not(http_is_request(SLICE_LIT("GET /")));
	cr_expect_not(http_is_request(SLICE_LIT("")));
}

Test(http, the_head_ends_at_an_empty_line)
{
	struct slice s = SLICE_LIT("GET / HTTP/1.0\r\nA: b\r\n\r\nbody\n\n");

	cr_expect_eq(http_head_len(s), 24);
	for (size_t i = 0; i < 24; i++)
		cr_expect_eq(http_head_len(slice_head(s, i)), 0, "%zu", i);
}

Test(http, answers)
{
	struct buf b;

	buf_init(&b, 1024);
	cr_assert(http_print_head(405, "text/plain", 7, &b));
	cr_expect(slice_starts(buf_slice(&b),
			       "HTTP/1.1 405 Method Not Allowed\r\n"
			       "Content-Type: text/plain\r\n"
			       "Content-Length: 7\r\n"));
	cr_expect(memmem(b.data, buf_len(&b), "Allow: GET, HEAD\r\n", 18));
	cr_expect(memmem(b.data, buf_len(&b), "Connection: close\r\n\r\n", 21));
	buf_deinit(&b);
}
