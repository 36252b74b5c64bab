#include "shared/builtin.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "shared/cond.h"
#include "shared/conf.h"
#include "shared/rule.h"

/* ---- asking a condition about a client ---- */

struct ask {
	struct arena settings, message;
	const struct conf *conf;
	struct facts facts;
	struct cond_run run;
};

/* A milter with this condition, and whatever sections stand behind. */
static void begin(struct ask *a, const char *when, const char *more)
{
	struct conf_problems problems;
	char text[4000];

	*a = (struct ask){ .conf = NULL };
	arena_init(&a->settings, 16u << 20);
	arena_init(&a->message, 1u << 20);
	snprintf(text, sizeof(text),
		 "[milter m]\nsocket = unix:/m\nwhen = %s\n%s", when, more);
	a->conf = conf_read_text(&a->settings, "t.conf", slice_str(text),
				 &problems);
	cr_assert_not_null(a->conf, "%s: %s", when,
			   problems.first ? problems.first->text : "?");
	a->run.scratch = &a->message;
	a->run.matcher = cond_matcher_new();
	facts_init(&a->facts, true);
}

static void end(struct ask *a)
{
	cond_matcher_free(&a->run.matcher);
	conf_close(a->conf);
	arena_deinit(&a->message);
	arena_deinit(&a->settings);
}

static enum tri ask_client(struct ask *a, const char *addr, const char *name)
{
	facts_init(&a->facts, true);
	facts_set_client(&a->facts, slice_str(addr));
	facts_set_text(&a->facts, FACT_CLIENT_NAME, slice_str(name));
	facts_reach(&a->facts, STAGE_CONNECT);
	return cond_eval(a->conf->milters[0].when, &a->facts, &a->run);
}

/* ---- S25R ---- */

/* Names as they are seen in logs; in which pattern they are caught. */
static const struct {
	const char *name;
	bool suspicious;
} hosts[] = {
	/* none, or none that leads back */
	{ "unknown", true },
	{ "", true },
	{ "[192.0.2.44]", true },
	{ "UNKNOWN", true },
	/* 1: two numbers with something between them in the first label */
	{ "220-139-165-188.dynamic.hinet.net", true },
	{ "p1234-ipad5sasajima.aichi.ocn.ne.jp", true },
	{ "evrtwa1-ar3-4-65-157-048.evrtwa1.dsl-verizon.net", true },
	{ "a12a190.neo.lrun.com", true },
	{ "c-24-6-12-34.hsd1.ca.comcast.net", true },
	{ "host-84-220-1-2.cust-adsl.tiscali.it", true },
	{ "ec2-54-240-8-15.compute-1.amazonaws.com", true },
	{ "mx1-out2.example.com", true },
	{ "pool-71-163-10-1.washdc.fios.verizon.net", true },
	/* 2: five digits in a row in the first label */
	{ "yahoobb220030220074.bbtec.net", true },
	{ "mail12345.example.org", true },
	{ "d54c2a1b5.access.telenet.be", true },
	{ "x00000.example.net", true },
	{ "node1234.example.org", false },
	/* 3: the first or second label begins with a digit, three behind it */
	{ "398pkj.cm.chello.no", true },
	{ "host.101.169.23.62.rev.coltfrance.com", true },
	{ "1.2.3.4.in-addr.example.net", true },
	{ "mail.3com.example.com", false },
	{ "mail.3com.example.co.uk", true },
	{ "3com.example.com", false },
	{ "host.101.169.23.62", false },
	/* 4: digit at the end of the first, digit-digit in the second */
	{ "wbar9.chi1-4-11-085-222.dsl-verizon.net", true },
	{ "m3.pool2-7.example.net", true },
	{ "m3.pool27.example.net", false },
	/* 5: two labels that end with digits, five labels */
	{ "d5.GtokyoFL27.vectant.ne.jp", true },
	{ "h1.rev2.example.co.uk", true },
	{ "h1.rev2.example.com", false },
	/* 6: a word of the trade in front */
	{ "dhcp0339.vpm.resnet.group.upenn.edu", true },
	{ "PPP46.ce-net.ne.jp", true },
	{ "dialup7.example.net", true },
	{ "adsl-1.example.net", true },
	{ "xdsl9.example.net", true },
	{ "hdsl3.example.org", true },
	{ "dsl5.example.org", true },
	{ "qdsl5.example.org", false },
	{ "dhcp.example.org", false },
	/* mail servers */
	{ "mail.example.com", false },
	{ "mx1.example.org", false },
	{ "smtp-out.example.co.jp", false },
	{ "relay3.isp.example.net", false },
	{ "mta01.mail.example.com", false },
	{ "mx-in-07.example.de", false },
	{ "lists.debian.org", false },
	{ "english-breakfast.cloud9.net", false },
	{ "mailout1234.example.org", false },
	{ "gw.uni-example.ac.at", false },
	{ "localhost", false },
	/* allowed by the table */
	{ "mail-pl1-f182.google.com", false },
	{ "mail-qk1-f12345.google.com", false },
	{ "exprod5og112.obsmtp.com", false },
	{ "s12a34.psmtp.com", true },
	{ "mail-1-2.google.com.evil.example", true },
	/* blocked by the table */
	{ "mail.dialin.invalid", true },
};

Test(builtin, s25r_tells_dial_up_machines_by_their_names)
{
	struct ask a;

	cr_assert_geq(sizeof(hosts) / sizeof(hosts[0]), 40);
	begin(&a, "s25r", "");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		cr_expect_eq(ask_client(&a, "203.0.113.9", hosts[i].name),
			     tri_of(hosts[i].suspicious), "%s", hosts[i].name);
		/* IPv6 clients are not looked at, and local ones have none. */
		cr_expect_eq(ask_client(&a, "2001:db8::9", hosts[i].name),
			     TRI_FALSE, "%s", hosts[i].name);
		cr_expect_eq(ask_client(&a, "", hosts[i].name), TRI_FALSE,
			     "%s", hosts[i].name);
	}
	end(&a);
}

Test(builtin, s25r_takes_tables_of_ones_own)
{
	struct ask a;

	begin(&a, "s25r",
	      "[table s25r_allow]\nsource = inline: .hinet.net, both.example\n"
	      "[table s25r_block]\nsource = inline: mail.example.com, "
	      "both.example\n"
	      "[table s25r_networks]\nsource = inline: 0.0.0.0/0, ::/0\n");
	cr_expect_eq(ask_client(&a, "192.0.2.1", "1-2-3-4.dynamic.hinet.net"),
		     TRI_FALSE);
	cr_expect_eq(ask_client(&a, "192.0.2.1", "mail.example.com"), TRI_TRUE);
	cr_expect_eq(ask_client(&a, "192.0.2.1", "both.example"), TRI_FALSE);
	cr_expect_eq(ask_client(&a, "192.0.2.1", "mail-pl1-f182.google.com"),
		     TRI_TRUE);
	cr_expect_eq(ask_client(&a, "2001:db8::1", "unknown"), TRI_TRUE);
	end(&a);
}

Test(builtin, a_condition_of_ones_own_takes_the_place)
{
	struct ask a;

	begin(&a, "S25R", "[condition s25r]\nis = s25r_no_name\n");
	cr_expect_eq(ask_client(&a, "192.0.2.1", "1-2-3-4.example.net"),
		     TRI_FALSE);
	cr_expect_eq(ask_client(&a, "192.0.2.1", "unknown"), TRI_TRUE);
	end(&a);
}

/* ---- networks ---- */

static const struct {
	const char *addr;
	bool remote;
} networks[] = {
	{ "192.0.2.1", true },	     { "8.8.8.8", true },
	{ "127.0.0.1", false },	     { "127.255.0.9", false },
	{ "10.1.2.3", false },	     { "11.0.0.1", true },
	{ "172.15.255.255", true },  { "172.16.0.0", false },
	{ "172.31.255.255", false }, { "172.32.0.0", true },
	{ "192.168.0.1", false },    { "192.169.0.1", true },
	{ "169.254.3.4", false },    { "::1", false },
	{ "::ffff:10.0.0.1", false }, { "IPv6:2001:db8::1", true },
	{ "2001:db8::1", true },     { "fe80::1", false },
	{ "fd00::1", false },	     { "", false },
	{ "unknown", false },
};

Test(builtin, remote_network_is_neither_private_nor_ours)
{
	struct ask a;

	begin(&a, "remote_network", "");
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		cr_expect_eq(ask_client(&a, networks[i].addr, "x"),
			     tri_of(networks[i].remote), "%s",
			     networks[i].addr);
	end(&a);
	begin(&a, "remote_network",
	      "[table local_networks]\nsource = inline: 192.0.2.0/24\n");
	cr_expect_eq(ask_client(&a, "192.0.2.1", "x"), TRI_FALSE);
	cr_expect_eq(ask_client(&a, "10.0.0.1", "x"), TRI_FALSE);
	cr_expect_eq(ask_client(&a, "198.51.100.1", "x"), TRI_TRUE);
	end(&a);
}

/* ---- what is known at MAIL and RCPT ---- */

static enum tri ask_mail(struct ask *a, const char *sender, bool is_logged_in,
			 unsigned load)
{
	ask_client(a, "192.0.2.1", "mx.example.net");
	facts_begin_message(&a->facts, &a->message);
	cr_assert(facts_set_mail(&a->facts, slice_str(sender), SLICE_EMPTY));
	facts_set_bool(&a->facts, FACT_AUTHENTICATED, is_logged_in);
	facts_set_number(&a->facts, FACT_LOAD, load);
	facts_set_number(&a->facts, FACT_SESSIONS, load * 2);
	facts_reach(&a->facts, STAGE_MAIL);
	return cond_eval(a->conf->milters[0].when, &a->facts, &a->run);
}

Test(builtin, unauthenticated_is_who_has_not_logged_in)
{
	struct ask a;

	begin(&a, "unauthenticated", "");
	cr_expect_eq(ask_client(&a, "192.0.2.1", "x"), TRI_UNKNOWN);
	cr_expect_eq(ask_mail(&a, "<>", true, 0), TRI_FALSE);
	cr_expect_eq(ask_mail(&a, "<>", false, 0), TRI_TRUE);
	end(&a);
}

Test(builtin, stress_has_a_threshold)
{
	struct ask a;

	begin(&a, "stress", "");
	cr_expect_eq(ask_mail(&a, "<>", false, 74), TRI_FALSE);
	cr_expect_eq(ask_mail(&a, "<>", false, 75), TRI_TRUE);
	end(&a);
	begin(&a, "not stress", "[condition stress]\nis = sessions >= 100\n");
	cr_expect_eq(ask_mail(&a, "<>", false, 49), TRI_TRUE);
	cr_expect_eq(ask_mail(&a, "<>", false, 50), TRI_FALSE);
	end(&a);
}

static const struct {
	const char *sender;
	bool trusted;
} senders[] = {
	{ "<a@gmail.com>", true },	{ "<a@GMail.Com>", true },
	{ "<a@hotmail.com>", true },	{ "<a@msn.com>", true },
	{ "<a@yahoo.co.jp>", true },	{ "<a@softbank.ne.jp>", true },
	{ "<a@clear-code.com>", true },	{ "<a@x.gmail.com>", false },
	{ "<a@example.com>", false },	{ "<>", false },
	{ "<gmail.com>", false },	{ "<a@gmail.com.example>", false },
};

Test(builtin, trust_knows_domains)
{
	struct ask a;

	begin(&a, "trust", "");
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++)
		cr_expect_eq(ask_mail(&a, senders[i].sender, false, 0),
			     tri_of(senders[i].trusted), "%s",
			     senders[i].sender);
	end(&a);
}

Test(builtin, restrict_accounts_looks_at_recipients)
{
	static const char table[] =
		"recipients = all\n[table restricted_accounts]\n"
		"source = inline: ann@example.org, bob@example.org\n";
	struct slice joe = SLICE_LIT("joe@example.org");
	struct slice ann = SLICE_LIT("ann@example.org");
	struct ask a;

	begin(&a, "restrict_accounts", table);
	cr_expect_eq(ask_mail(&a, "<>", false, 0), TRI_UNKNOWN);
	a.run.recipient = &joe;
	cr_expect_eq(cond_eval(a.conf->milters[0].when, &a.facts, &a.run),
		     TRI_FALSE);
	a.run.recipient = &ann;
	cr_expect_eq(cond_eval(a.conf->milters[0].when, &a.facts, &a.run),
		     TRI_TRUE);
	cr_expect_eq(a.conf->milters[0].recipients, RECIPIENTS_ALL);
	end(&a);
}

/* ---- the table itself ---- */

Test(builtin, is_good_settings_in_order)
{
	struct arena arena;
	struct conf_problems problems;
	struct buf out;
	size_t n;
	const struct builtin *all = builtin_all(&n);
	const struct conf *conf;

	buf_init(&out, 1u << 20);
	cr_assert(builtin_print(&out));
	/* The one table that has to be written by whoever wants it. */
	cr_assert(buf_add(&out, SLICE_LIT("[table restricted_accounts]\n"
					  "source = inline: a@example.org\n"
					  "[milter m]\nsocket = unix:/m\n")));
	arena_init(&arena, 16u << 20);
	conf = conf_read_text(&arena, "builtin", buf_slice(&out), &problems);
	cr_assert_not_null(conf, "%s",
			   problems.first ? problems.first->text : "?");
	cr_expect_eq(conf->condition_count + conf->table_count +
			     conf->rule_count, n + 1);
	for (size_t i = 0; i < n; i++) {
		cr_expect(all[i].what && all[i].what[0]);
		cr_expect_eq(builtin_find(all[i].section,
					  slice_str(all[i].name)), &all[i]);
		cr_expect(i == 0 || all[i].section != all[i - 1].section ||
				  strcmp(all[i - 1].name, all[i].name) < 0,
			  "%s is not in order", all[i].name);
		cr_expect(all[i].section == CONF_RULE ||
				  all[i].section == CONF_TABLE ||
				  !cond_reserved(slice_str(all[i].name)),
			  "%s", all[i].name);
	}
	conf_close(conf);
	buf_deinit(&out);
	arena_deinit(&arena);
}

Test(builtin, costs_nothing_where_nothing_names_it)
{
	struct ask a;

	begin(&a, "client_name = x", "");
	cr_expect_eq(a.conf->condition_count, 0);
	cr_expect_eq(a.conf->table_count, 0);
	cr_expect_eq(rules_count(a.conf->rules), 0);
	end(&a);
	begin(&a, "s25r", "");
	cr_expect_eq(a.conf->condition_count, 3);
	cr_expect_eq(a.conf->table_count, 3);
	end(&a);
}
