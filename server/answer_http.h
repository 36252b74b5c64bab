/*
 * answer_http - the answer to a browser, curl or Prometheus
 */
#ifndef SERVER_ANSWER_HTTP_H
#define SERVER_ANSWER_HTTP_H

#include <stdbool.h>

#include "server/status.h"
#include "shared/buf.h"
#include "shared/slice.h"

/* All bytes of the answer into out, which is empty.  False: no room. */
bool answer_http(const struct status_view *v, struct slice head,
		 bool is_too_long, struct buf *out);

#endif
