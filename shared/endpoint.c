#include "shared/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT_MAX 65535

static bool says(const char **why_out, const char *why)
{
	*why_out = why;
	return false;
}

/* Takes the word and its colon off the front, in any case of letters. */
static bool take_word(struct slice *s, const char *word)
{
	size_t n = strlen(word);

	if (!slice_is_case(slice_head(*s, n), word))
		return false;
	*s = slice_from(*s, n);
	return true;
}

static bool parse_path(struct slice path, struct endpoint *e,
		       const char **why_out)
{
	if (path.len == 0 || path.data[0] != '/')
		return says(why_out, "the path of a unix socket must begin with "
				     "\"/\"");
	if (path.len >= sizeof(e->path))
		return says(why_out, "the path of a unix socket may have no more "
				     "than 107 bytes");
	if (slice_find(path, '\0') >= 0)
		return says(why_out, "a NUL byte in the path");
	e->kind = ENDPOINT_UNIX;
	memcpy(e->path, path.data, path.len);
	return true;
}

/*
 * Splits `port@host`, `[host]:port`, `host:port` and `port`.  An IPv6 address
 * without brackets in front of a port could be read in two ways: refused.
 */
static bool split_inet(struct slice s, struct slice *host_out,
		       struct slice *port_out, const char **why_out)
{
	struct slice host;
	ptrdiff_t at = slice_find(s, '@');

	if (at >= 0) {
		*port_out = slice_head(s, (size_t)at);
		host = slice_from(s, (size_t)at + 1);
		if (host.len >= 2 && host.data[0] == '[' &&
		    host.data[host.len - 1] == ']')
			host = slice_of(host.data + 1, host.len - 2);
		*host_out = host;
		return true;
	}
	if (s.len && s.data[0] == '[') {
		at = slice_find(s, ']');
		if (at < 0)
			return says(why_out, "the bracket is not closed");
		*host_out = slice_of(s.data + 1, (size_t)at - 1);
		s = slice_from(s, (size_t)at + 1);
		if (s.len == 0 || s.data[0] != ':')
			return says(why_out, "no \":port\" behind the bracket");
		*port_out = slice_from(s, 1);
		return true;
	}
	at = slice_find(s, ':');
	if (at < 0) {
		*host_out = SLICE_EMPTY;
		*port_out = s;
		return true;
	}
	*host_out = slice_head(s, (size_t)at);
	*port_out = slice_from(s, (size_t)at + 1);
	if (slice_find(*port_out, ':') >= 0)
		return says(why_out, "an IPv6 address needs brackets: "
				     "[address]:port, or port@address");
	return true;
}

static bool host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || strchr(".-_:%*", c) != NULL;
}

static bool is_address(int family, const char *host)
{
	struct in6_addr room;

	return inet_pton(family, host, &room) == 1;
}

static bool parse_inet(struct slice s, struct endpoint *e, const char **why_out)
{
	struct slice host, port;
	uint64_t number;

	if (!split_inet(s, &host, &port, why_out))
		return false;
	if (!slice_to_u64(port, PORT_MAX, &number) || number == 0)
		return says(why_out, "the port must be a number from 1 to 65535");
	if (host.len >= sizeof(e->host))
		return says(why_out, "the host name is too long");
	for (size_t i = 0; i < host.len; i++)
		if (host.data[i] == '\0' || !host_byte(host.data[i]))
			return says(why_out, "a byte that no host name has");
	e->port = (uint16_t)number;
	memcpy(e->host, host.data, host.len);
	if (is_address(AF_INET6, e->host))
		/* Postfix writes inet:[::1]:10025 and means IPv6. */
		e->kind = ENDPOINT_INET6;
	else if (strchr(e->host, ':') && !strchr(e->host, '%'))
		return says(why_out, "this is no IPv6 address");
	else if (e->kind == ENDPOINT_INET6 && is_address(AF_INET, e->host))
		return says(why_out, "an IPv4 address needs \"inet:\"");
	return true;
}

bool endpoint_parse(struct slice text, struct endpoint *endpoint_out,
		    const char **why_out)
{
	*endpoint_out = (struct endpoint){ .kind = ENDPOINT_UNIX };
	if (text.len == 0)
		return says(why_out, "an empty address");
	if (take_word(&text, "unix:") || take_word(&text, "local:") ||
	    text.data[0] == '/')
		return parse_path(text, endpoint_out, why_out);
	if (take_word(&text, "inet:")) {
		endpoint_out->kind = ENDPOINT_INET;
		return parse_inet(text, endpoint_out, why_out);
	}
	if (take_word(&text, "inet6:")) {
		endpoint_out->kind = ENDPOINT_INET6;
		return parse_inet(text, endpoint_out, why_out);
	}
	return says(why_out, "an address begins with \"unix:\", \"local:\", "
			     "\"inet:\" or \"inet6:\"");
}

static void resolve_unix(struct endpoint *e)
{
	struct sockaddr_un *un = &e->addr[0].un;

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	_Static_assert(sizeof(un->sun_path) == sizeof(e->path),
		       "a path that parses fits the address");
	memcpy(un->sun_path, e->path, sizeof(e->path));
	e->addr_len[0] = sizeof(*un);
	e->addr_count = 1;
}

static const char *resolver_word(int error)
{
	switch (error) {
	case EAI_NONAME:
	case EAI_NODATA:
		return "the resolver knows no address of this family for the host";
	case EAI_AGAIN:
		return "the resolver could not answer now";
	default:
		return gai_strerror(error);
	}
}

bool endpoint_resolve(struct endpoint *e, bool passive, const char **why_out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICSERV };
	struct addrinfo *list;
	char port[8];
	bool any = e->host[0] == '\0' || strcmp(e->host, "*") == 0;
	int error;

	e->addr_count = 0;
	if (e->kind == ENDPOINT_UNIX) {
		resolve_unix(e);
		return true;
	}
	if (any && !passive)
		return says(why_out, "a host is needed to connect to");
	if (passive)
		hints.ai_flags |= AI_PASSIVE;
	hints.ai_family = e->kind == ENDPOINT_INET6 ? AF_INET6 : AF_INET;
	snprintf(port, sizeof(port), "%u", (unsigned)e->port);
	error = getaddrinfo(any ? NULL : e->host, port, &hints, &list);
	if (error)
		return says(why_out, resolver_word(error));
	for (struct addrinfo *a = list; a && e->addr_count < ENDPOINT_ADDRS;
	     a = a->ai_next) {
		if (a->ai_addrlen > sizeof(e->addr[0]))
			continue;
		memcpy(&e->addr[e->addr_count], a->ai_addr, a->ai_addrlen);
		e->addr_len[e->addr_count++] = a->ai_addrlen;
	}
	freeaddrinfo(list);
	return e->addr_count > 0 ||
	       says(why_out, "the resolver gave no usable address");
}

static bool has_address(const struct endpoint *e,
			const union endpoint_addr *addr, socklen_t len)
{
	for (unsigned i = 0; i < e->addr_count; i++)
		if (e->addr_len[i] == len &&
		    memcmp(&e->addr[i], addr, len) == 0)
			return true;
	return false;
}

bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind != b->kind || a->port != b->port ||
	    strcmp(a->host, b->host) != 0 || strcmp(a->path, b->path) != 0 ||
	    a->addr_count != b->addr_count)
		return false;
	for (unsigned i = 0; i < a->addr_count; i++)
		if (!has_address(b, &a->addr[i], a->addr_len[i]))
			return false;
	return true;
}

void endpoint_print(const struct endpoint *e, char *text, size_t size)
{
	if (e->kind == ENDPOINT_UNIX)
		snprintf(text, size, "unix:%s", e->path);
	else
		snprintf(text, size, "%s:%u%s%s",
			 e->kind == ENDPOINT_INET6 ? "inet6" : "inet",
			 (unsigned)e->port, e->host[0] ? "@" : "", e->host);
}
