#include "shared/cond.h"

#include <stdio.h>
#include <criterion/criterion.h>

#include "t/unit/support/cond_play.h"

/*
 * What each expression answers at connect, helo, mail, rcpt (while recipients
 * come), data, header (while they come), end of headers, body (while it
 * comes), end of message.  The session is that of cond_play.c.
 */
/* clang-format off */
static const struct {
	const char *text;
	const char *answers;
} cases[] = {
	/* constants and logic */
	{ "true",                                           "TTTTTTTTT" },
	{ "false",                                          "FFFFFFFFF" },
	{ "not true",                                       "FFFFFFFFF" },
	{ "not not true",                                   "TTTTTTTTT" },
	{ "TRUE And nOt FALSE",                             "TTTTTTTTT" },
	{ "true or authenticated",                          "TTTTTTTTT" },
	{ "authenticated or true",                          "TTTTTTTTT" },
	{ "false and authenticated",                        "FFFFFFFFF" },
	{ "authenticated and false",                        "FFFFFFFFF" },
	{ "true and authenticated",                         "??TTTTTTT" },
	{ "false or authenticated",                         "??TTTTTTT" },
	{ "false or true and false",                        "FFFFFFFFF" },
	{ "true or false and false",                        "TTTTTTTTT" },
	{ "(true or false) and false",                      "FFFFFFFFF" },
	{ "not (true and false)",                           "TTTTTTTTT" },
	{ "not true or true",                               "TTTTTTTTT" },
	{ "not(true)or(true)",                              "TTTTTTTTT" },

	/* the client */
	{ "client_addr = 192.0.2.7",                        "TTTTTTTTT" },
	{ "client_addr = 192.0.2.8",                        "FFFFFFFFF" },
	{ "client_addr != 192.0.2.8",                       "TTTTTTTTT" },
	{ "client_addr = ::ffff:192.0.2.7",                 "TTTTTTTTT" },
	{ "client_addr in 192.0.2.0/24",                    "TTTTTTTTT" },
	{ "client_addr in 192.0.2.4/30",                    "TTTTTTTTT" },
	{ "client_addr in 192.0.2.0/30",                    "FFFFFFFFF" },
	{ "client_addr in 0.0.0.0/0",                       "TTTTTTTTT" },
	{ "client_addr in ::/0",                            "FFFFFFFFF" },
	{ "client_addr in ::ffff:0:0/96",                   "TTTTTTTTT" },
	{ "client_addr in { 10.0.0.0/8, 192.0.2.0/24 }",    "TTTTTTTTT" },
	{ "client_addr in {10.0.0.0/8,127.0.0.1,::1}",      "FFFFFFFFF" },
	{ "client_addr not in {10.0.0.0/8,127.0.0.1,::1}",  "TTTTTTTTT" },
	{ "client_addr in nets",                            "TTTTTTTTT" },
	{ "not client_addr in nets",                        "FFFFFFFFF" },
	{ "client_addr not in nets",                        "FFFFFFFFF" },
	{ "client_addr",                                    "TTTTTTTTT" },
	{ "client_addr ~ /^192\\./",                        "TTTTTTTTT" },
	{ "client_addr !~ /^192\\./",                       "FFFFFFFFF" },
	{ "client_name = mx.example.org",                   "TTTTTTTTT" },
	{ "client_name = MX.EXAMPLE.ORG",                   "TTTTTTTTT" },
	{ "client_name = example.org",                      "FFFFFFFFF" },
	{ "client_name in { .example.org }",                "TTTTTTTTT" },
	{ "client_name in { example.org }",                 "FFFFFFFFF" },
	{ "client_name in { .org }",                        "TTTTTTTTT" },
	{ "client_name in { .ample.org }",                  "FFFFFFFFF" },
	{ "client_name in domains",                         "TTTTTTTTT" },
	{ "client_name in patterns",                        "TTTTTTTTT" },
	{ "client_name ~ /^mx\\.example/",                  "FFFFFFFFF" },
	{ "client_name ~ /^mx\\.example/i",                 "TTTTTTTTT" },
	{ "client_name ~ /[0-9]/",                          "FFFFFFFFF" },
	{ "client_name",                                    "TTTTTTTTT" },
	{ "client_port = 4711",                             "TTTTTTTTT" },
	{ "client_port < 1024",                             "FFFFFFFFF" },
	{ "client_port >= 4711",                            "TTTTTTTTT" },
	{ "client_port in 4000-5000",                       "TTTTTTTTT" },
	{ "client_port in { 25, 587, 4711 }",               "TTTTTTTTT" },
	{ "client_port in { 25, 587, 100-200 }",            "FFFFFFFFF" },
	{ "daemon_name = smtpd",                            "TTTTTTTTT" },
	{ "daemon_name = SMTPD",                            "FFFFFFFFF" },
	{ "daemon_name in { SMTPD, submission }",           "TTTTTTTTT" },

	/* helo and mail */
	{ "helo = mx.example.org",                          "??TTTTTTT" },
	{ "helo ~ /^\\[/",                                  "??FFFFFFF" },
	{ "helo = client_name",                             "??FFFFFFF" },
	{ "authenticated",                                  "??TTTTTTT" },
	{ "not authenticated",                              "??FFFFFFF" },
	{ "authenticated = yes",                            "??TTTTTTT" },
	{ "authenticated = no",                             "??FFFFFFF" },
	{ "authenticated != no",                            "??TTTTTTT" },
	{ "auth_user = bob",                                "??TTTTTTT" },
	{ "auth_user = Bob",                                "??FFFFFFF" },
	{ "auth_user in words",                             "??TTTTTTT" },
	{ "auth_user in { Alice, BOB }",                    "??TTTTTTT" },
	{ "auth_type = plain",                              "??TTTTTTT" },
	{ "tls_version",                                    "??TTTTTTT" },
	{ "tls_version = tlsv1.3",                          "??TTTTTTT" },
	{ "tls_version in { TLSv1, TLSv1.1 }",              "??FFFFFFF" },
	{ "sender = Bob@Example.COM",                       "??TTTTTTT" },
	{ "sender = Bob@example.com",                       "??TTTTTTT" },
	{ "sender = bob@example.com",                       "??FFFFFFF" },
	{ "sender in { bob@example.com }",                  "??TTTTTTT" },
	{ "sender in { bob@ }",                             "??TTTTTTT" },
	{ "sender in { example.com }",                      "??TTTTTTT" },
	{ "sender in { .example.com }",                     "??TTTTTTT" },
	{ "sender in { .com }",                             "??TTTTTTT" },
	{ "sender in { ample.com }",                        "??FFFFFFF" },
	{ "sender in domains",                              "??TTTTTTT" },
	{ "sender = \"\"",                                  "??FFFFFFF" },
	{ "sender in { '<>' }",                             "??FFFFFFF" },
	{ "sender",                                         "??TTTTTTT" },
	{ "sender ~ /@example\\.com$/i",                    "??TTTTTTT" },
	{ "sender_domain = example.com",                    "??TTTTTTT" },
	{ "sender_domain in domains",                       "??TTTTTTT" },
	{ "sender_args = body=8bitmime",                    "??TTTTTTT" },
	{ "sender_args = SMTPUTF8",                         "??FFFFFFF" },
	{ "sender_args ~ /^SIZE=/",                         "??TTTTTTT" },
	{ "sender_args",                                    "??TTTTTTT" },
	{ "declared_size",                                  "??TTTTTTT" },
	{ "declared_size > 4K",                             "??TTTTTTT" },
	{ "declared_size < 10M",                            "??TTTTTTT" },
	{ "declared_size = 5000",                           "??TTTTTTT" },
	{ "declared_size in 4K-5K",                         "??TTTTTTT" },
	{ "declared_size >= 1G",                            "??FFFFFFF" },

	/* once per message */
	{ "time in 20:00-22:00",                            "??TTTTTTT" },
	{ "time in 20:00-06:00",                            "??TTTTTTT" },
	{ "time in 22:00-06:00",                            "??FFFFFFF" },
	{ "time in 06:00-21:30",                            "??FFFFFFF" },
	{ "time in 21:30-06:00",                            "??TTTTTTT" },
	{ "time in { 08:00-12:00, 21:00-24:00 }",           "??TTTTTTT" },
	{ "time = 21:30",                                   "??TTTTTTT" },
	{ "time = 21:30:01",                                "??FFFFFFF" },
	{ "time >= 21:30",                                  "??TTTTTTT" },
	{ "time < 8:00",                                    "??FFFFFFF" },
	{ "time not in 08:00-20:00",                        "??TTTTTTT" },
	{ "weekday = sat",                                  "??TTTTTTT" },
	{ "weekday = Saturday",                             "??TTTTTTT" },
	{ "weekday in mon-fri",                             "??FFFFFFF" },
	{ "weekday in fri-mon",                             "??TTTTTTT" },
	{ "weekday in { wed, sat }",                        "??TTTTTTT" },
	{ "weekday != sun",                                 "??TTTTTTT" },
	{ "load >= 75",                                     "??TTTTTTT" },
	{ "load > 80",                                      "??FFFFFFF" },
	{ "load > 79.9",                                    "??TTTTTTT" },
	{ "sessions <= 12",                                 "??TTTTTTT" },
	{ "session_age > 30s",                              "??TTTTTTT" },
	{ "session_age > 1m",                               "??FFFFFFF" },
	{ "session_age in 40s-1h",                          "??TTTTTTT" },

	/* recipients: true at the first, none of them at data */
	{ "recipient = boss@example.net",                   "???TTTTTT" },
	{ "recipient = list@sub.example.com",               "???TTTTTT" },
	{ "recipient = nobody@example.net",                 "????FFFFF" },
	{ "recipient != nobody@example.net",                "????TTTTT" },
	{ "recipient != boss@example.net",                  "???FFFFFF" },
	{ "not recipient = nobody@example.net",             "????TTTTT" },
	{ "recipient in domains",                           "???TTTTTT" },
	{ "recipient in { .example.edu }",                  "????FFFFF" },
	{ "recipient ~ /^list/",                            "???TTTTTT" },
	{ "recipient !~ /^list/",                           "???FFFFFF" },
	{ "recipient",                                      "???TTTTTT" },
	{ "recipient_count > 1",                            "???TTTTTT" },
	{ "recipient_count >= 2",                           "???TTTTTT" },
	{ "recipient_count = 2",                            "????TTTTT" },
	{ "recipient_count = 1",                            "???FFFFFF" },
	{ "recipient_count <= 1",                           "???FFFFFF" },
	{ "recipient_count < 100",                          "????TTTTT" },
	{ "recipient_count in 1-5",                         "????TTTTT" },
	{ "recipient_count != 2",                           "????FFFFF" },
	{ "lookup(domains, recipient) = vip",               "???TTTTTT" },
	{ "lookup(domains, recipient) = other",             "????FFFFF" },

	/* headers: true at the first, none of them at the end */
	{ "header(\"Subject\") ~ /viagra/i",                "?????TTTT" },
	{ "header(subject) ~ /Gr\xc3\xbc\xc3\x9f" "e and Viagra$/", "?????TTTT" },
	{ "header(subject) ~ /GR\xc3\x9c\xc3\x9f" "E/iu",   "?????TTTT" },
	{ "header(\"X-Dup\") = three",                      "?????TTTT" },
	{ "header(\"X-Dup\") = Three",                      "??????FFF" },
	{ "header(\"X-Dup\") in words",                     "?????TTTT" },
	{ "header(\"X-Dup\") = four",                       "??????FFF" },
	{ "header(\"X-Dup\") != one",                       "?????FFFF" },
	{ "header(\"X-None\")",                             "??????FFF" },
	{ "not header(\"X-None\")",                         "??????TTT" },
	{ "header('x-dup')",                                "?????TTTT" },
	{ "header(\"X-Spam-Score\") > 5",                   "?????TTTT" },
	{ "header(\"X-Spam-Score\") > 7.25",                "?????TTTT" },
	{ "header(\"X-Spam-Score\") > 7.3",                 "??????FFF" },
	{ "header(\"Subject\") > 0",                        "??????FFF" },
	{ "header(subject) in patterns",                    "?????TTTT" },
	{ "authenticated and header(\"X-None\")",           "??????FFF" },
	{ "not authenticated and header(\"X-None\")",       "??FFFFFFF" },

	/* size and body */
	{ "size > 100",                                     "?????TTTT" },
	{ "size > 1K",                                      "???????TT" },
	{ "size > 10M",                                     "????????F" },
	{ "size < 10M",                                     "????????T" },
	{ "size < 200",                                     "?????FFFF" },
	{ "size <= 300",                                    "???????FF" },
	{ "size = 2300",                                    "????????T" },
	{ "size in 1K-2K",                                  "???????FF" },
	{ "size in 1K-3K",                                  "????????T" },
	{ "body ~ /cheap viagra/i",                         "????????T" },
	{ "body ~ /^cheap/m",                               "????????T" },
	{ "body ~ /casino/",                                "????????F" },

	/* macros: known from the stage they come with */
	{ "macro(j) = mail.example.net",                    "TTTTTTTTT" },
	{ "macro(\"{j}\")",                                 "TTTTTTTTT" },
	{ "macro({client_ptr})",                            "FFFFFFFFF" },
	{ "macro({client_ptr}) = ''",                       "TTTTTTTTT" },
	{ "macro({tls_version}) ~ /^TLSv1\\.[23]$/",        "??TTTTTTT" },
	{ "macro({auth_authen}) = bob",                     "??TTTTTTT" },
	{ "macro({auth_author})",                           "??FFFFFFF" },
	{ "macro({rcpt_host}) = sub.example.com",           "????TTTTT" },
	{ "macro(i) = 4FxYz1",                              "????TTTTT" },
	{ "macro({x_own}) = 1",                             "????????T" },
	{ "macro({x_own}, connect) = 1",                    "TTTTTTTTT" },
	{ "macro({x_own}, mail) > 0",                       "??TTTTTTT" },
	{ "macro({x_other})",                               "????????F" },
	{ "queue_id = 4FxYz1",                              "????TTTTT" },
	{ "queue_id",                                       "????TTTTT" },

	/* other milters, points */
	{ "milter(opendkim) = accept",                      "??TTTTTTT" },
	{ "milter(\"OpenDKIM\") != reject",                 "??TTTTTTT" },
	{ "milter(spamass) = reject",                       "????????T" },
	{ "milter(spamass) in { reject, tempfail }",        "????????T" },
	{ "milter(spamass) in { accept, skipped }",         "????????F" },
	{ "milter(clamav) = failed",                        "?????????" },
	{ "milter(clamav) = failed or true",                "TTTTTTTTT" },
	{ "milter_header(spamass, 'X-Virus') ~ /eicar/i",   "????????T" },
	{ "milter_header(spamass, X-Clean)",                "????????F" },
	{ "milter_header(opendkim, X-Virus)",               "??FFFFFFF" },
	{ "header_now(\"Authentication-Results\") ~ /spf=fail/", "????????T" },
	{ "header_now(Subject) = changed",                  "????????T" },
	{ "header_now(X-Dup)",                              "????????F" },
	{ "score >= 3",                                     "??TTTTTTT" },
	{ "score >= 6.5",                                   "????????T" },
	{ "score > 6.5",                                    "????????F" },
	{ "score < 3",                                      "??FFFFFFF" },

	/* lookups */
	{ "lookup(domains, sender) = partner",              "??TTTTTTT" },
	{ "lookup(domains, sender)",                        "??TTTTTTT" },
	{ "lookup(nets, client_addr) = test",               "TTTTTTTTT" },
	{ "lookup(nets, client_addr) != test",              "FFFFFFFFF" },
	{ "lookup(patterns, client_name) = mx",             "TTTTTTTTT" },
	{ "lookup(domains, helo) ~ /^o/",                   "??TTTTTTT" },
	{ "lookup(words, auth_user) = ''",                  "??TTTTTTT" },
	{ "lookup(words, auth_user) in { x, y }",           "??FFFFFFF" },
	{ "lookup(words, header(X-Dup))",                   "?????TTTT" },
	{ "lookup(words, macro({auth_authen}))",            "??TTTTTTT" },
	{ "lookup(domains, sender_domain) in { Partner }",  "??TTTTTTT" },

	/* named conditions */
	{ "s25r_like",                                      "FFFFFFFFF" },
	{ "not s25r_like",                                  "TTTTTTTTT" },
	{ "night",                                          "??TTTTTTT" },
	{ "Night and deep",                                 "??TTTTTTT" },
	{ "s25r_like and not authenticated and not client_addr in nets",
	                                                    "FFFFFFFFF" },
	{ "not s25r_like and size < 10M",                   "????????T" },

	/* words that look like others */
	{ "auth_user = 'bob'",                              "??TTTTTTT" },
	{ "auth_user = \"bo\" or auth_user=bob",            "??TTTTTTT" },
	{ "auth_user = and or true",                        "TTTTTTTTT" },
	{ "auth_user='b)b'",                                "??FFFFFFF" },
	{ "header(subject) ~ /a\\/b|Viagra/",               "?????TTTT" },
	{ "  \t true \n and\n\ttrue ",                      "TTTTTTTTT" },
};
/* clang-format on */

Test(cond_eval, cases)
{
	struct cond_play p;

	cond_play_open(&p);
	cr_assert_geq(sizeof(cases) / sizeof(cases[0]), 150);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cond *c = cond_play_parse(&p, cases[i].text);
		char answers[16] = "";

		cr_expect_not_null(c, "%s: column %zu: %s", cases[i].text,
				   p.problem.column, p.problem.text);
		if (!c)
			continue;
		cond_play_answers(&p, c, answers);
		cr_expect_str_eq(answers, cases[i].answers, "%s: %s, not %s",
				 cases[i].text, answers, cases[i].answers);
	}
	cond_play_close(&p);
}

/* Known from a stage on means so; and nothing is known before the first. */
Test(cond_eval, stages_are_kept)
{
	struct cond_play p;

	cond_play_open(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cond *c = cond_play_parse(&p, cases[i].text);
		const char *a = cases[i].answers;

		if (!c || cond_milters(c))
			continue;
		for (size_t s = cond_known_from(c); s < COND_PLAY_STAGES; s++)
			cr_expect_neq(a[s], '?', "%s at %zu", cases[i].text, s);
		for (size_t s = 0; s < cond_first(c); s++)
			cr_expect_eq(a[s], '?', "%s at %zu", cases[i].text, s);
		for (size_t s = 1; s < COND_PLAY_STAGES; s++)
			cr_expect(a[s - 1] == '?' || a[s - 1] == a[s], "%s",
				  cases[i].text);
	}
	cond_play_close(&p);
}

/* Plays up to the end of message, and evaluates there. */
static enum tri at_end(struct cond_play *p, const char *text,
		       struct cond_run *run)
{
	const struct cond *c = cond_play_parse(p, text);

	cr_assert_not_null(c, "%s: %s", text, p->problem.text);
	cond_play_begin(p);
	for (int i = 0; i < COND_PLAY_STAGES; i++)
		cond_play_stage(p, (enum stage)i);
	*run = cond_play_run(p);
	return cond_eval(c, &p->facts, run);
}

/* In a rule at RCPT, recipient is the one at hand, and known at once. */
Test(cond_eval, the_recipient_at_hand)
{
	struct slice boss = SLICE_LIT("boss@example.net");
	struct slice other = SLICE_LIT("other@example.net");
	struct cond_memo memo[1] = { { .answer = 0 } };
	const struct cond *c;
	struct cond_run run;
	struct cond_play p;

	cond_play_open(&p);
	cond_play_begin(&p);
	for (int i = 0; i <= STAGE_RCPT; i++)
		cond_play_stage(&p, (enum stage)i);
	c = cond_play_parse(&p, "recipient = boss@example.net");
	run = cond_play_run(&p);
	run.memos = memo;
	run.recipient = &other;
	cr_assert_eq(cond_eval(c, &p.facts, &run), TRI_FALSE);
	run.recipient = &boss;
	cr_assert_eq(cond_eval(c, &p.facts, &run), TRI_TRUE);
	run.recipient = NULL;
	cr_assert_eq(cond_eval(c, &p.facts, &run), TRI_TRUE);
	c = cond_play_parse(&p, "macro({rcpt_host}) = sub.example.com");
	memo[0].answer = 0;
	cr_assert_eq(cond_eval(c, &p.facts, &run), TRI_UNKNOWN);
	run.recipient = &boss;
	cr_assert_eq(cond_eval(c, &p.facts, &run), TRI_TRUE);
	cond_play_close(&p);
}

/* With rules that take points away, a score may fall again. */
Test(cond_eval, a_score_that_may_fall_is_known_at_the_end)
{
	struct cond_play p;
	struct cond_run run;
	const struct cond *c;

	cond_play_open(&p);
	c = cond_play_parse(&p, "score >= 3");
	cond_play_begin(&p);
	facts_init(&p.facts, false);
	for (int i = 0; i < STAGE_EOM; i++)
		cond_play_stage(&p, (enum stage)i);
	run = cond_play_run(&p);
	cr_assert_eq(cond_eval(c, &p.facts, &run), TRI_UNKNOWN);
	cond_play_stage(&p, STAGE_EOM);
	cr_assert_eq(cond_eval(c, &p.facts, &run), TRI_TRUE);
	cond_play_close(&p);
}

/* What is lacking compares with nothing. */
Test(cond_eval, a_size_that_was_not_declared)
{
	static const struct {
		const char *text;
		enum tri is;
	} cases[] = {
		{ "declared_size", TRI_FALSE },
		{ "declared_size < 10M", TRI_FALSE },
		{ "declared_size > 0", TRI_FALSE },
		{ "declared_size = 0", TRI_FALSE },
		{ "declared_size != 0", TRI_TRUE },
		{ "not declared_size", TRI_TRUE },
		{ "sender = ''", TRI_TRUE },
		{ "sender", TRI_FALSE },
		{ "sender in { '<>' }", TRI_TRUE },
		{ "not sender_domain", TRI_TRUE },
		{ "sender_args", TRI_FALSE },
		{ "client_addr in 0.0.0.0/0", TRI_FALSE },
		{ "client_addr != 192.0.2.1", TRI_TRUE },
		{ "client_addr in nets", TRI_FALSE },
		{ "client_addr", TRI_FALSE },
		{ "client_addr ~ /unix/", TRI_TRUE },
		{ "client_port = 0", TRI_FALSE },
	};
	struct cond_play p;

	cond_play_open(&p);
	cond_play_begin(&p);
	facts_set_client(&p.facts, SLICE_LIT("unix:/run/x"));
	facts_begin_message(&p.facts, &p.message);
	cr_assert(facts_set_mail(&p.facts, SLICE_LIT("<>"), SLICE_EMPTY));
	facts_reach(&p.facts, STAGE_EOM);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cond *c = cond_play_parse(&p, cases[i].text);
		struct cond_run run = cond_play_run(&p);

		cr_assert_not_null(c, "%s", p.problem.text);
		cr_expect_eq(cond_eval(c, &p.facts, &run), cases[i].is, "%s",
			     cases[i].text);
	}
	cond_play_close(&p);
}

/* A hit limit is unknown, counted once, and others may still decide. */
Test(cond_eval, failures_are_unknown_and_counted)
{
	struct cond_play p;
	struct cond_run run;

	cond_play_open(&p);
	cr_assert_eq(at_end(&p, "header(subject) ~ /^((.+)+)+[^a]$/", &run),
		     TRI_UNKNOWN);
	cr_assert_eq(run.limit_hits, 1);
	cr_assert_eq(at_end(&p, "header(subject) !~ /^((.+)+)+[^a]$/ or true",
			    &run),
		     TRI_TRUE);
	cr_assert_eq(at_end(&p, "header(subject) !~ /^((.+)+)+[^a]$/", &run),
		     TRI_UNKNOWN);
	/* No matcher and no memory are failures, and no crash. */
	cond_matcher_free(&p.matcher);
	cr_assert_eq(at_end(&p, "helo ~ /x/", &run), TRI_UNKNOWN);
	cr_assert_eq(run.failed_lookups, 1);
	cr_assert_eq(at_end(&p, "client_name in patterns", &run), TRI_UNKNOWN);
	cr_assert_geq(run.failed_lookups, 1);
	p.matcher = cond_matcher_new();
	p.scratch.ceiling = 0;
	arena_deinit(&p.scratch);
	cr_assert_eq(at_end(&p, "header(subject) ~ /x/", &run), TRI_UNKNOWN);
	cr_assert_eq(run.failed_lookups, 1);
	cr_assert_eq(at_end(&p, "header(x-dup) = one", &run), TRI_TRUE);
	cond_play_close(&p);
}

/*
 * Five thousand headers that each hit the limit, evaluated as each of them
 * comes: sixteen are tried, no more, and each header is looked at once.
 */
Test(cond_eval, hostile_headers_cost_a_bounded_time)
{
	static char value[1 << 16];
	struct cond_memo memos[2] = { { .answer = 0 } };
	struct cond_play p;
	struct cond_run run;
	const struct cond *c;

	cond_play_open(&p);
	memset(value, 'a', sizeof(value) - 1);
	c = cond_play_parse(&p, "header(x) ~ /^(a+)+$/ or header(x) = b");
	cond_play_begin(&p);
	cr_assert_not_null(c);
	for (int i = 0; i <= STAGE_DATA; i++)
		cond_play_stage(&p, (enum stage)i);
	run = cond_play_run(&p);
	cr_assert_eq(cond_memos(c), 2);
	run.memos = memos;
	value[30] = 'b';
	for (int i = 0; i < 5000; i++) {
		header_list_append(&p.headers, SLICE_LIT("X"),
				   slice_of(value, i % 2 ? 31 : sizeof(value)));
		cr_assert_eq(cond_eval(c, &p.facts, &run), TRI_UNKNOWN);
		arena_reset(&p.scratch);
	}
	cr_assert_eq(memos[0].seen, p.headers.count);
	cr_assert_eq(memos[1].seen, p.headers.count);
	cr_assert_geq(run.limit_hits, COND_LIMIT_HITS_MAX);
	cr_assert_leq(run.regex_time, 2 * COND_REGEX_TIME_MAX);
	facts_reach(&p.facts, STAGE_EOM);
	cr_assert_eq(cond_eval(c, &p.facts, &run), TRI_UNKNOWN);
	cond_play_close(&p);
}
