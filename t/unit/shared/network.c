#include "shared/network.h"

#include <criterion/criterion.h>

Test(network, addresses)
{
	static const struct {
		const char *text;
		const char *same_as; /* NULL: no address */
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "[192.0.2.1]", "192.0.2.1" },
		{ "IPv6:2001:db8::1", "2001:db8::1" },
		{ "[IPv6:2001:DB8:0::1]", "2001:db8::1" },
		{ "fe80::1%eth0", "fe80::1" },
		{ "192.0.2.1%eth0", NULL },
		{ "", NULL },
		{ "[]", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.2.1 ", NULL },
		{ "localhost", NULL },
		{ "::g", NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL },
		{ "0000000000000000000000000000000000000000000000000000000"
		  "000000000000000000", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip a, b;
		bool ok = ip_parse(slice_str(cases[i].text), &a);

		cr_expect_eq(ok, cases[i].same_as != NULL, "%s", cases[i].text);
		if (!ok || !cases[i].same_as)
			continue;
		cr_assert(ip_parse(slice_str(cases[i].same_as), &b));
		cr_expect(ip_equal(&a, &b), "%s", cases[i].text);
	}
	cr_assert_not(ip_parse(SLICE_LIT("192.0.2.1\0"), &(struct ip){ 0 }));
}

Test(network, networks)
{
	static const struct {
		const char *text;
		enum network_parse is;
		const char *printed;
	} cases[] = {
		{ "192.0.2.0/24", NETWORK_OK, "192.0.2.0/24" },
		{ "192.0.2.1", NETWORK_OK, "192.0.2.1/32" },
		{ "192.0.2.1/24", NETWORK_HOST_BITS, "192.0.2.0/24" },
		{ "0.0.0.0/0", NETWORK_OK, "0.0.0.0/0" },
		{ "1.0.0.0/0", NETWORK_HOST_BITS, "0.0.0.0/0" },
		{ "2001:db8::/32", NETWORK_OK, "2001:db8::/32" },
		{ "2001:db8::1/32", NETWORK_HOST_BITS, "2001:db8::/32" },
		{ "[2001:db8::]/32", NETWORK_OK, "2001:db8::/32" },
		{ "::ffff:192.0.2.0/120", NETWORK_OK, "192.0.2.0/24" },
		{ "::ffff:0:0/96", NETWORK_OK, "0.0.0.0/0" },
		{ "::/0", NETWORK_OK, "::/0" },
		{ "192.0.2.0/33", NETWORK_BAD, NULL },
		{ "192.0.2.0/", NETWORK_BAD, NULL },
		{ "192.0.2.0/-1", NETWORK_BAD, NULL },
		{ "192.0.2.0/2x", NETWORK_BAD, NULL },
		{ "::/129", NETWORK_BAD, NULL },
		{ "/8", NETWORK_BAD, NULL },
		{ "10/8", NETWORK_BAD, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct network n;
		char printed[64];

		cr_expect_eq(network_parse(slice_str(cases[i].text), &n),
			     cases[i].is, "%s", cases[i].text);
		if (!cases[i].printed)
			continue;
		network_print(&n, printed, sizeof(printed));
		cr_expect_str_eq(printed, cases[i].printed);
	}
}

Test(network, who_is_in_one)
{
	static const struct {
		const char *network, *ip;
		bool in;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/25", "192.0.2.127", true },
		{ "192.0.2.0/25", "192.0.2.128", false },
		{ "192.0.2.4/30", "192.0.2.7", true },
		{ "192.0.2.4/30", "192.0.2.8", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "192.0.2.1", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct network n;
		struct ip ip;

		cr_assert_eq(network_parse(slice_str(cases[i].network), &n),
			     NETWORK_OK);
		cr_assert(ip_parse(slice_str(cases[i].ip), &ip));
		cr_expect_eq(network_has(&n, &ip), cases[i].in, "%s in %s",
			     cases[i].ip, cases[i].network);
	}
}
