#include "shared/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* The longest text of an address, and room for a zone. */
#define TEXT_MAX 63

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void unmap(struct ip *ip)
{
	if (!ip->is_v6 || memcmp(ip->bytes, mapped, sizeof(mapped)) != 0)
		return;
	memmove(ip->bytes, ip->bytes + 12, 4);
	memset(ip->bytes + 4, 0, 12);
	ip->is_v6 = false;
}

/* As written, IPv4 inside IPv6 not yet taken for what it is. */
static bool parse_raw(struct slice text, struct ip *ip_out)
{
	char buf[TEXT_MAX + 1];
	ptrdiff_t zone;

	if (text.len >= 2 && text.data[0] == '[' &&
	    text.data[text.len - 1] == ']')
		text = slice_of(text.data + 1, text.len - 2);
	if (text.len > 5 && slice_is_case(slice_head(text, 5), "IPv6:"))
		text = slice_from(text, 5);
	zone = slice_find(text, '%');
	if (zone >= 0 && slice_find(text, ':') >= 0)
		text = slice_head(text, (size_t)zone);
	if (text.len == 0 || text.len > TEXT_MAX || slice_find(text, '\0') >= 0)
		return false;
	memcpy(buf, text.data, text.len);
	buf[text.len] = '\0';
	*ip_out = (struct ip){ .is_v6 = strchr(buf, ':') != NULL };
	return inet_pton(ip_out->is_v6 ? AF_INET6 : AF_INET, buf,
			 ip_out->bytes) == 1;
}

bool ip_parse(struct slice text, struct ip *ip_out)
{
	struct ip ip;

	if (!parse_raw(text, &ip))
		return false;
	unmap(&ip);
	*ip_out = ip;
	return true;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->is_v6 == b->is_v6 &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Clears what stands behind the prefix; true when there was something. */
static bool clear_host_bits(struct network *n)
{
	bool any = false;

	for (unsigned bit = n->prefix; bit < (n->ip.is_v6 ? 128u : 32u);
	     bit++) {
		uint8_t mask = (uint8_t)(0x80u >> (bit % 8));

		if (n->ip.bytes[bit / 8] & mask)
			any = true;
		n->ip.bytes[bit / 8] &= (uint8_t)~mask;
	}
	return any;
}

enum network_parse network_parse(struct slice text, struct network *network_out)
{
	struct network n;
	struct slice addr = text;
	ptrdiff_t at = slice_find(text, '/');
	uint64_t prefix;
	bool any;

	if (at >= 0)
		addr = slice_head(text, (size_t)at);
	if (!parse_raw(addr, &n.ip))
		return NETWORK_BAD;
	prefix = n.ip.is_v6 ? 128 : 32;
	if (at >= 0 &&
	    !slice_to_u64(slice_from(text, (size_t)at + 1), prefix, &prefix))
		return NETWORK_BAD;
	n.prefix = (unsigned)prefix;
	any = clear_host_bits(&n);
	if (n.ip.is_v6 && n.prefix >= 96 &&
	    memcmp(n.ip.bytes, mapped, sizeof(mapped)) == 0) {
		unmap(&n.ip);
		n.prefix -= 96;
	}
	*network_out = n;
	return any ? NETWORK_HOST_BITS : NETWORK_OK;
}

bool network_has(const struct network *network, const struct ip *ip)
{
	unsigned whole = network->prefix / 8;
	unsigned bits = network->prefix % 8;
	uint8_t mask = (uint8_t)(0xff00u >> bits);

	if (network->ip.is_v6 != ip->is_v6 ||
	    memcmp(network->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return bits == 0 ||
	       (ip->bytes[whole] & mask) == network->ip.bytes[whole];
}

void network_print(const struct network *network, char *out, size_t room)
{
	char addr[INET6_ADDRSTRLEN];

	if (!inet_ntop(network->ip.is_v6 ? AF_INET6 : AF_INET,
		       network->ip.bytes, addr, sizeof(addr)))
		addr[0] = '\0';
	snprintf(out, room, "%s/%u", addr, network->prefix);
}
