/*
 * fuzz_status - any bytes from a client of the status sockets
 *
 * As a request of one line, as the head of an HTTP request, as a line of
 * state_file and as a message's line: whatever is taken, its parts lie inside
 * the input, and what is refused is refused with words or a code.
 */
#include <stdint.h>

#include "server/http.h"
#include "server/request.h"
#include "server/switches.h"
#include "server/why.h"
#include "shared/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct slice part, struct slice all)
{
	return !part.len || (part.data >= all.data &&
			     part.data + part.len <= all.data + all.len);
}

static void try_request(struct slice text)
{
	const char *why = NULL;
	struct request r;
	uint64_t us;

	if (!request_parse(text, &r, &why)) {
		BUG_IF(!why);
		return;
	}
	BUG_IF(!r.count && !r.json);
	for (unsigned i = 0; i < REQUEST_WORDS_MAX; i++)
		BUG_IF(!is_inside(request_word(&r, i), text));
	for (unsigned i = 0; i < r.count; i++)
		BUG_IF(!r.words[i].len);
	(void)!request_duration(&r, 1, "for", &us);
}

static void try_http(struct slice text)
{
	size_t len = http_head_len(text);
	struct http_request r;

	BUG_IF(len > text.len);
	(void)http_is_request(text);
	http_parse(len ? slice_head(text, len) : text, &r);
	BUG_IF(r.code != 200 && r.code != 400 && r.code != 405 &&
	       r.code != 505);
	BUG_IF(r.code == 200 && (!r.path.len || r.path.data[0] != '/'));
	BUG_IF(!is_inside(r.path, text) && r.path.len != 1);
}

/* What was taken is printed as lines that are taken again. */
static void try_switches(struct slice text)
{
	static const struct moment m = { .wall = UINT64_C(1795893730000000),
					 .now = UINT64_C(1000000000) };
	struct switches s = { 0 }, again = { 0 };
	struct buf words, printed;

	buf_init(&words, 1024 * 1024);
	buf_init(&printed, 1024 * 1024);
	switches_parse(&s, text, &m, &words);
	BUG_IF(!switches_print(&s, &m, &printed));
	buf_clear(&words);
	switches_parse(&again, buf_slice(&printed), &m, &words);
	BUG_IF(buf_len(&words));
	BUG_IF(again.count != s.count);
	buf_deinit(&words);
	buf_deinit(&printed);
}

static void try_why(struct slice text)
{
	struct buf plain;
	struct why w;

	(void)why_parse(text, &w);
	buf_init(&plain, text.len + 1);
	for (unsigned i = 0; i < WHY_FIELDS; i++) {
		BUG_IF(!is_inside(w.fields[i], text));
		buf_clear(&plain);
		BUG_IF(!why_unquote(w.fields[i], &plain));
	}
	for (unsigned i = 0; i < w.member_count; i++)
		BUG_IF(!w.members[i].name.len ||
		       !is_inside(w.members[i].word, text) ||
		       !is_inside(w.members[i].time, text));
	buf_deinit(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);

	if (size > 16384)
		return 0;
	try_request(text);
	try_http(text);
	try_switches(text);
	try_why(text);
	return 0;
}
