/*
 * request - one line of a client of the status sockets, taken apart; pure
 *
 * Words with blanks between them; `json` before the others asks for the same
 * as JSON.  Slices look into the line.  Fails by static words that say why.
 */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/slice.h"

#define REQUEST_LINE_MAX  1000 /* bytes, its end left out */
#define REQUEST_WORDS_MAX 8

struct request {
	bool json;
	unsigned count; /* of words; 0 only with json: everything */
	struct slice words[REQUEST_WORDS_MAX];
};

/* line: without its LF; a CR before it is left out here. */
bool request_parse(struct slice line, struct request *request_out,
		   const char **why_out) __attribute__((warn_unused_result));
/* The word at this place; empty when there are fewer. */
struct slice request_word(const struct request *r, unsigned at);
/*
 * `for 15m` from this place to the end of the request (word: "for").  True:
 * it is there and right, or nothing is left, which gives 0.
 */
bool request_duration(const struct request *r, unsigned at, const char *word,
		      uint64_t *us_out) __attribute__((warn_unused_result));

#endif
