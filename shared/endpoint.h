/*
 * endpoint - where something listens: `inet:port@host`, `unix:path`
 *
 * Both spellings are taken: Sendmail's and libmilter's `inet:10025@127.0.0.1`
 * and Postfix's `inet:127.0.0.1:10025`; `inet6:` likewise (`inet6:[::1]:port`
 * or `inet6:port@::1`); `unix:/path` and `local:/path`.
 * Names are looked up by endpoint_resolve() before fork, never in a worker.
 */
#ifndef SHARED_ENDPOINT_H
#define SHARED_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared/slice.h"

#define ENDPOINT_ADDRS 8

enum endpoint_kind { ENDPOINT_UNIX, ENDPOINT_INET, ENDPOINT_INET6 };

union endpoint_addr {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct endpoint {
	enum endpoint_kind kind;
	uint16_t port;
	char host[256]; /* inet: a name or an address; "" with kind unix */
	char path[108]; /* unix: NUL-terminated */
	/* Filled by endpoint_resolve(). */
	unsigned addr_count;
	union endpoint_addr addr[ENDPOINT_ADDRS];
	socklen_t addr_len[ENDPOINT_ADDRS];
};

/* False: *why_out says in words what is wrong (static text). */
bool endpoint_parse(struct slice text, struct endpoint *endpoint_out,
		    const char **why_out);
/*
 * Looks the host up; may wait for the resolver.  passive: for listening, an
 * empty host or "*" means every address.  False: *why_out (static text).
 */
bool endpoint_resolve(struct endpoint *e, bool passive, const char **why_out);
/*
 * Do both lead to the same place?  As they are written, and by the addresses
 * that were found, in whatever order a resolver gave them.
 */
bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b);
/* `inet:port@host` or `unix:path`; size 400 is enough for every endpoint. */
void endpoint_print(const struct endpoint *e, char *text, size_t size);

#endif
