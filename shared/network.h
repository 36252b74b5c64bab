/*
 * network - client addresses and the networks they may be in
 *
 * An IPv4 address that comes mapped into IPv6 (::ffff:192.0.2.1) is the IPv4
 * address: MTAs that listen on one IPv6 socket write it so.  Pure; a text
 * that is no address or network is answered by false.
 */
#ifndef SHARED_NETWORK_H
#define SHARED_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/slice.h"

struct ip {
	uint8_t bytes[16]; /* IPv4: the first four, the others are zero */
	bool is_v6;
};

struct network {
	struct ip ip;	 /* host bits are zero */
	unsigned prefix; /* 0-32 or 0-128 */
};

/*
 * "192.0.2.1", "2001:db8::1", also in [brackets], behind "IPv6:" and with a
 * %zone, which is left out.
 */
bool ip_parse(struct slice text, struct ip *ip_out);
bool ip_equal(const struct ip *a, const struct ip *b);

enum network_parse { NETWORK_OK = 0, NETWORK_BAD, NETWORK_HOST_BITS };

/*
 * An address or "address/prefix".  NETWORK_HOST_BITS: bits are set behind the
 * prefix; *network_out is then the network without them, for a hint.
 */
enum network_parse network_parse(struct slice text,
				 struct network *network_out);
bool network_has(const struct network *network, const struct ip *ip);
/* "192.0.2.0/24" as a C string. */
void network_print(const struct network *network, char *out, size_t room);

#endif
