#include "server/request.h"

#include "shared/conf_value.h"

static bool fail(const char *why, const char **why_out)
{
	*why_out = why;
	return false;
}

static bool is_printable(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];

		if (c != '\t' && (c < 0x20 || c > 0x7e))
			return false;
	}
	return true;
}

/* The next word off the front; empty: there is none. */
static struct slice take_word(struct slice *rest)
{
	struct slice s = slice_trim(*rest);
	size_t n = 0;

	while (n < s.len && !is_blank(s.data[n]))
		n++;
	*rest = slice_from(s, n);
	return slice_head(s, n);
}

bool request_parse(struct slice line, struct request *request_out,
		   const char **why_out)
{
	struct request *r = request_out;
	struct slice word;

	*r = (struct request){ 0 };
	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len > REQUEST_LINE_MAX)
		return fail("the line is too long: at most 1000 bytes",
			    why_out);
	if (!is_printable(line))
		return fail("the line holds bytes that are not printable",
			    why_out);
	while ((word = take_word(&line)).len) {
		if (!r->json && !r->count && slice_is(word, "json")) {
			r->json = true;
			continue;
		}
		if (r->count == REQUEST_WORDS_MAX)
			return fail("too many words: see help", why_out);
		r->words[r->count++] = word;
	}
	if (!r->count && !r->json)
		return fail("the line is empty: see help", why_out);
	return true;
}

struct slice request_word(const struct request *r, unsigned at)
{
	return at < r->count ? r->words[at] : SLICE_EMPTY;
}

bool request_duration(const struct request *r, unsigned at, const char *word,
		      uint64_t *us_out)
{
	*us_out = 0;
	if (r->count <= at)
		return true;
	return r->count == at + 2 && slice_is(r->words[at], word) &&
	       conf_duration_parse(r->words[at + 1], us_out) && *us_out > 0;
}
