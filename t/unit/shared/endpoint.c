#include "shared/endpoint.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>

/* wrong: a part of the words; NULL: it parses and prints as `printed`. */
static const struct {
	const char *text, *printed, *wrong;
} cases[] = {
	{ "unix:/run/a.sock", "unix:/run/a.sock", NULL },
	{ "local:/run/a.sock", "unix:/run/a.sock", NULL },
	{ "UNIX:/run/A", "unix:/run/A", NULL },
	{ "/run/a.sock", "unix:/run/a.sock", NULL },
	{ "unix:/with blank", "unix:/with blank", NULL },
	{ "inet:10025@127.0.0.1", "inet:10025@127.0.0.1", NULL },
	{ "inet:127.0.0.1:10025", "inet:10025@127.0.0.1", NULL },
	{ "inet:localhost:8891", "inet:8891@localhost", NULL },
	{ "INET:8891@LocalHost", "inet:8891@LocalHost", NULL },
	{ "inet:8891", "inet:8891", NULL },
	{ "inet:8891@*", "inet:8891@*", NULL },
	{ "inet:[::1]:8891", "inet6:8891@::1", NULL },
	{ "inet:8891@::1", "inet6:8891@::1", NULL },
	{ "inet6:[::1]:8891", "inet6:8891@::1", NULL },
	{ "inet6:8891@::1", "inet6:8891@::1", NULL },
	{ "inet6:8891@[::1]", "inet6:8891@::1", NULL },
	{ "inet6:8891@host.example", "inet6:8891@host.example", NULL },
	{ "inet6:8891@fe80::1%lo", "inet6:8891@fe80::1%lo", NULL },
	{ "inet:65535@a", "inet:65535@a", NULL },
	{ "", NULL, "empty" },
	{ "unix:", NULL, "must begin with" },
	{ "unix:run/a", NULL, "must begin with" },
	{ "inet", NULL, "begins with" },
	{ "tcp:1@a", NULL, "begins with" },
	{ "127.0.0.1:25", NULL, "begins with" },
	{ "inet:", NULL, "port" },
	{ "inet:0@a", NULL, "port" },
	{ "inet:65536@a", NULL, "port" },
	{ "inet:smtp@a", NULL, "port" },
	{ "inet:host:", NULL, "port" },
	{ "inet:host:-1", NULL, "port" },
	{ "inet:1@a b", NULL, "host name" },
	{ "inet:1@a/b", NULL, "host name" },
	{ "inet:::1:25", NULL, "brackets" },
	{ "inet6:::1:25", NULL, "brackets" },
	{ "inet6:[::1:25", NULL, "not closed" },
	{ "inet6:[::1]25", NULL, ":port" },
	{ "inet6:25@::g", NULL, "no IPv6" },
	{ "inet6:25@:::", NULL, "no IPv6" },
	{ "inet6:25@127.0.0.1", NULL, "\"inet:\"" },
};

Test(endpoint, parses_both_spellings_and_prints_one)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct endpoint e;
		const char *why = "nothing";
		char text[400];
		bool ok = endpoint_parse(slice_str(cases[i].text), &e, &why);

		if (cases[i].wrong) {
			cr_expect(!ok, "\"%s\" parses", cases[i].text);
			cr_expect(strstr(why, cases[i].wrong),
				  "\"%s\": says: %s", cases[i].text, why);
			continue;
		}
		cr_expect(ok, "\"%s\": %s", cases[i].text, why);
		endpoint_print(&e, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].printed);
	}
}

Test(endpoint, parses_again_what_it_prints)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct endpoint e, again;
		const char *why;
		char text[400];

		if (cases[i].wrong)
			continue;
		cr_assert(endpoint_parse(slice_str(cases[i].text), &e, &why));
		endpoint_print(&e, text, sizeof(text));
		cr_assert(endpoint_parse(slice_str(text), &again, &why));
		cr_expect_eq(again.kind, e.kind);
		cr_expect_eq(again.port, e.port);
		cr_expect_str_eq(again.host, e.host);
		cr_expect_str_eq(again.path, e.path);
	}
}

Test(endpoint, knows_how_long_a_path_may_be)
{
	char text[200] = "unix:/";
	struct endpoint e;
	const char *why = "";

	memset(text + 6, 'a', 106);
	cr_expect(endpoint_parse(slice_of(text, 5 + 107), &e, &why));
	cr_expect_eq(strlen(e.path), 107);
	text[112] = 'a';
	cr_expect_not(endpoint_parse(slice_of(text, 5 + 108), &e, &why));
	cr_expect(strstr(why, "107"));
	text[8] = '\0';
	cr_expect_not(endpoint_parse(slice_of(text, 20), &e, &why));
	cr_expect(strstr(why, "NUL"));
}

Test(endpoint, knows_how_long_a_host_may_be)
{
	char text[400] = "inet:25@";
	struct endpoint e;
	const char *why = "";

	memset(text + 8, 'a', 300);
	cr_expect(endpoint_parse(slice_of(text, 8 + 255), &e, &why));
	cr_expect_eq(strlen(e.host), 255);
	cr_expect_not(endpoint_parse(slice_of(text, 8 + 256), &e, &why));
	cr_expect(strstr(why, "too long"));
	cr_expect_not(endpoint_parse(slice_of("inet:25@a\0b", 11), &e, &why));
}

static struct endpoint parsed(const char *text)
{
	struct endpoint e;
	const char *why;

	cr_assert(endpoint_parse(slice_str(text), &e, &why));
	return e;
}

Test(endpoint, resolves_a_path_to_itself)
{
	struct endpoint e = parsed("unix:/run/x");
	const char *why;

	cr_assert(endpoint_resolve(&e, false, &why));
	cr_expect_eq(e.addr_count, 1);
	cr_expect_eq(e.addr[0].un.sun_family, AF_UNIX);
	cr_expect_str_eq(e.addr[0].un.sun_path, "/run/x");
	cr_expect_eq(e.addr_len[0], sizeof(struct sockaddr_un));
}

Test(endpoint, resolves_addresses_of_its_own_family)
{
	struct endpoint e = parsed("inet:25@127.0.0.1");
	struct endpoint six = parsed("inet6:25@::1");
	const char *why;

	cr_assert(endpoint_resolve(&e, false, &why));
	cr_expect_eq(e.addr_count, 1);
	cr_expect_eq(e.addr[0].in.sin_family, AF_INET);
	cr_expect_eq(ntohs(e.addr[0].in.sin_port), 25);
	cr_expect_eq(ntohl(e.addr[0].in.sin_addr.s_addr), INADDR_LOOPBACK);
	cr_assert(endpoint_resolve(&six, false, &why));
	cr_expect_eq(six.addr[0].in6.sin6_family, AF_INET6);
	cr_expect_eq(ntohs(six.addr[0].in6.sin6_port), 25);
}

Test(endpoint, listens_on_every_address_without_a_host)
{
	struct endpoint e = parsed("inet:25"), star = parsed("inet6:25@*");
	const char *why = "";

	cr_assert(endpoint_resolve(&e, true, &why));
	cr_expect_eq(e.addr[0].in.sin_addr.s_addr, htonl(INADDR_ANY));
	cr_assert(endpoint_resolve(&star, true, &why));
	cr_expect(IN6_IS_ADDR_UNSPECIFIED(&star.addr[0].in6.sin6_addr));
	cr_expect_not(endpoint_resolve(&e, false, &why));
	cr_expect(strstr(why, "host is needed"));
}

Test(endpoint, says_when_a_host_is_not_found)
{
	struct endpoint e = parsed("inet:25@nobody.invalid");
	const char *why = "";

	cr_expect_not(endpoint_resolve(&e, false, &why));
	cr_expect_neq(why[0], '\0');
	cr_expect_eq(e.addr_count, 0);
}

Test(endpoint, is_the_same_place_whatever_the_order_of_its_addresses)
{
	struct endpoint a = parsed("inet:25@127.0.0.1"), b, c;
	const char *why;

	cr_assert(endpoint_resolve(&a, false, &why));
	a.addr[1] = a.addr[0];
	a.addr[1].in.sin_addr.s_addr++;
	a.addr_len[1] = a.addr_len[0];
	a.addr_count = 2;
	b = a;
	b.addr[0] = a.addr[1];
	b.addr[1] = a.addr[0];
	cr_expect(endpoint_is_same(&a, &a));
	cr_expect(endpoint_is_same(&a, &b), "another order");
	c = a;
	c.addr[1].in.sin_addr.s_addr++;
	cr_expect_not(endpoint_is_same(&a, &c), "the name has moved");
	c = a;
	c.addr_count = 1;
	cr_expect_not(endpoint_is_same(&a, &c));
	cr_expect_not(endpoint_is_same(&c, &a));
	c = parsed("unix:/run/x");
	cr_expect_not(endpoint_is_same(&a, &c));
	b = parsed("unix:/run/y");
	cr_expect_not(endpoint_is_same(&b, &c));
	b = parsed("local:/run/x");
	cr_expect(endpoint_is_same(&b, &c));
}
