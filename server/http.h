/*
 * http - the little of HTTP/1.1 that a browser and Prometheus need; pure
 *
 * One request to a connection: its head is read, a body is not; the answer
 * says `Connection: close`.  Fails with the status code to answer.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/slice.h"

#define HTTP_HEAD_MAX 8192 /* bytes of a request's head */

struct http_request {
	unsigned code; /* 200, or what is wrong: 400, 405 */
	bool head;     /* HEAD: the answer's head alone */
	struct slice path; /* without host and query */
	bool wants_openmetrics;
};

/* Is this the first line of an HTTP request? */
bool http_is_request(struct slice line);
/* Bytes up to and with the empty line that ends the head; 0: not yet. */
size_t http_head_len(struct slice text);
/* head: with its first line, complete. */
void http_parse(struct slice head, struct http_request *request_out);

/*
 * Everything of an answer in front of its body; with 405 it says what would
 * be allowed.
 */
bool http_print_head(unsigned code, const char *type, size_t body_len,
		     struct buf *out) __attribute__((warn_unused_result));
/* "Not Found" */
const char *http_reason(unsigned code);

#endif
