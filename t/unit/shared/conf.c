#include "shared/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "shared/cond.h"
#include "shared/conf_lines.h"
#include "shared/conf_table.h"
#include "shared/conf_value.h"
#include "shared/rule.h"
#include "shared/table.h"

/* One reading of settings; the words about it stay until the next. */
struct reading {
	struct arena arena;
	struct conf_problems problems;
	const struct conf *conf;
	struct buf words;
};

static void read_slice(struct reading *r, struct slice text)
{
	arena_init(&r->arena, 64u << 20);
	buf_init(&r->words, 1u << 20);
	r->conf = conf_read_text(&r->arena, "t.conf", text, &r->problems);
	conf_problems_print(&r->problems, &r->words);
	cr_assert(buf_add_byte(&r->words, '\0'));
	cr_expect_eq(r->conf == NULL, r->problems.count > 0);
}

static void read_str(struct reading *r, const char *text)
{
	read_slice(r, slice_str(text));
}

static void done(struct reading *r)
{
	buf_deinit(&r->words);
	arena_deinit(&r->arena);
}

static const char *words(const struct reading *r)
{
	return r->words.data + r->words.start;
}

#define MILTER "[milter m]\nsocket = unix:/m\n"

/* The settings are good. */
static void good(struct reading *r, const char *text)
{
	read_str(r, text);
	cr_assert_not_null(r->conf, "%s\n---\n%s", text, words(r));
}

/* They are not, and exactly this is said. */
static void says(const char *text, const char *wanted)
{
	struct reading r;

	read_str(&r, text);
	cr_expect_null(r.conf, "taken: %s", text);
	cr_expect_str_eq(words(&r), wanted);
	done(&r);
}

/* Only milters stand in the log as NAME=, and only whole words count. */
Test(conf, words_of_the_log_are_names_elsewhere)
{
	struct reading r;

	good(&r, MILTER "[milter time2]\nsocket = unix:/x\n"
			"[milter a-by]\nsocket = unix:/y\n"
			"[rule verdict]\nwhen = true\naction = accept\n");
	cr_expect_eq(r.conf->milter_count, 3);
	done(&r);
}

Test(conf, has_the_defaults_of_the_design)
{
	struct reading r;
	const struct conf *c;

	good(&r, MILTER);
	c = r.conf;
	cr_expect_eq(c->listen.count, 1);
	cr_expect_eq(c->listen.at[0].endpoint.kind, ENDPOINT_INET);
	cr_expect_eq(c->listen.at[0].endpoint.port, 10025);
	cr_expect_str_eq(c->listen.at[0].endpoint.host, "127.0.0.1");
	cr_expect_eq(c->listen.at[0].mode, 0);
	cr_expect_not(c->listen.at[0].has_mta);
	cr_expect_str_empty(c->user);
	cr_expect_str_empty(c->group);
	cr_expect_str_empty(c->pid_file);
	cr_expect_eq(c->workers_min, 8);
	cr_expect_eq(c->workers_max, 500);
	cr_expect_eq(c->spare_min, 4);
	cr_expect_eq(c->spare_max, 32);
	cr_expect_eq(c->sessions_max, 1000);
	cr_expect_eq(c->drain_timeout, 60000000);
	cr_expect_eq(c->message_memory, 1u << 20);
	cr_expect_eq(c->message_max, 100u << 20);
	cr_expect_str_eq(c->spool_directory, "/var/spool/sekisho");
	cr_expect_eq(c->log, LOG_SINK_STDERR);
	cr_expect_eq(c->syslog_facility, LOG_MAIL);
	cr_expect_eq(c->log_level, LOG_LEVEL_INFO);
	cr_expect_not(c->core_dumps);
	cr_expect_eq(c->step_deadline, 8000000);
	cr_expect_eq(c->step_deadline_postfix, 25000000);
	cr_expect_eq(c->message_deadline, 240000000);
	cr_expect_eq(c->progress_interval, 3000000);
	cr_expect_eq(c->evaluate_grace, 5000000);
	cr_expect_eq(c->mta_timeout, 300000000);
	cr_expect_eq(c->mta_idle_timeout, UINT64_C(7200000000));
	cr_expect_eq(c->headers_max, 5000);
	cr_expect_eq(c->headers_size_max, 1u << 20);
	cr_expect_eq(c->recipients_max, 10000);
	cr_expect_eq(c->macros_max, 65536);
	for (int i = 0; i < LIST_COUNT; i++)
		cr_expect_eq(c->macros_extra[i].len, 0);
	cr_assert_eq(c->milter_count, 1);
	cr_expect_str_eq(c->milters[0].name, "m");
	cr_expect_str_eq(c->milters[0].socket.at[0].path, "/m");
	cr_expect_eq(c->milters[0].order, ORDER_CHAIN);
	cr_expect_eq(c->milters[0].mode.mode, MODE_ON);
	cr_expect_eq(c->milters[0].on_failure, POLICY_TEMPFAIL);
	cr_expect_eq(c->milters[0].late_refusal, LATE_VERDICT);
	cr_expect_not(c->milters[0].rcpt_serial);
	cr_expect_eq(c->milters[0].join, STAGE_CONNECT);
	cr_expect_eq(c->milters[0].timeout_connect, 3000000);
	cr_expect_eq(c->milters[0].timeout_command, 7000000);
	cr_expect_eq(c->milters[0].timeout_eom, 120000000);
	cr_expect_eq(c->milters[0].recipients, RECIPIENTS_ANY);
	cr_expect_eq(c->milters[0].mixed, MIXED_SHARE);
	cr_expect_null(c->milters[0].when);
	cr_expect_eq(c->condition_count, 0);
	cr_expect_eq(c->table_count, 0);
	cr_expect_eq(c->rule_count, 0);
	done(&r);
}

Test(conf, takes_every_kind_of_value)
{
	struct reading r;
	const struct conf *c;

	good(&r, "[server]\n"
		 "core_dumps = YES\n"
		 "user = nobody\n"
		 "group = \"mail group\"\n"
		 "workers_min = 1\n"
		 "workers_max = 10000\n"
		 "drain_timeout = 0\n"
		 "mta_idle_timeout = 1d\n"
		 "progress_interval = 1500 ms\n"
		 "mta_timeout = 90\n"
		 "message_memory = 64K\n"
		 "message_max = 2g\n"
		 "macros_max = 2048\n"
		 "log = Journal\n"
		 "log_level = debug\n"
		 "syslog_facility = local3\n"
		 "spool_directory = '/var/spool dir'\n"
		 "pid_file = /run/s.pid\n"
		 "macros_extra = connect: {client_addr} {daemon_port},"
		 " mail: {auth_ssf}   i\n"
		 "[milter a.b_c-d@e]\n"
		 "socket = inet:localhost:25\n"
		 "order = strict\n"
		 "mode = evaluate\n"
		 "on_failure = quarantine\n"
		 "late_refusal = keep\n"
		 "rcpt = serial\n"
		 "join = eoh\n"
		 "timeout_connect = 10ms\n");
	c = r.conf;
	cr_expect(c->core_dumps);
	cr_expect_str_eq(c->user, "nobody");
	cr_expect_str_eq(c->group, "mail group");
	cr_expect_eq(c->workers_min, 1);
	cr_expect_eq(c->workers_max, 10000);
	cr_expect_eq(c->drain_timeout, 0);
	cr_expect_eq(c->mta_idle_timeout, UINT64_C(86400000000));
	cr_expect_eq(c->progress_interval, 1500000);
	cr_expect_eq(c->mta_timeout, 90000000);
	cr_expect_eq(c->message_memory, 65536);
	cr_expect_eq(c->message_max, UINT64_C(2) << 30);
	cr_expect_eq(c->macros_max, 2048);
	cr_expect_eq(c->log, LOG_SINK_JOURNAL);
	cr_expect_eq(c->log_level, LOG_LEVEL_DEBUG);
	cr_expect_eq(c->syslog_facility, LOG_LOCAL3);
	cr_expect_str_eq(c->spool_directory, "/var/spool dir");
	cr_expect_str_eq(c->pid_file, "/run/s.pid");
	cr_expect(slice_is(c->macros_extra[LIST_CONNECT],
			   "{client_addr} {daemon_port}"));
	cr_expect(slice_is(c->macros_extra[LIST_MAIL], "{auth_ssf} i"));
	cr_expect_eq(c->macros_extra[LIST_RCPT].len, 0);
	cr_expect_str_eq(c->milters[0].name, "a.b_c-d@e");
	cr_expect_eq(c->milters[0].socket.at[0].port, 25);
	cr_expect_eq(c->milters[0].order, ORDER_STRICT);
	cr_expect_eq(c->milters[0].mode.mode, MODE_EVALUATE);
	cr_expect_eq(c->milters[0].on_failure, POLICY_QUARANTINE);
	cr_expect_eq(c->milters[0].late_refusal, LATE_KEEP);
	cr_expect(c->milters[0].rcpt_serial);
	cr_expect_eq(c->milters[0].join, STAGE_EOH);
	cr_expect_eq(c->milters[0].timeout_connect, 10000);
	done(&r);
}

Test(conf, takes_listeners_with_options)
{
	struct reading r;
	const struct conf_listen *l;

	good(&r, "[server]\n"
		 "listen = inet:10025@127.0.0.1 mta=sendmail,\n"
		 "  ; between them\n"
		 "\n"
		 "  unix:/run/a.sock owner=sekisho group=postfix mode=0660"
		 " mta=Postfix, # the other\n"
		 "  \"unix:/with blank, comma\" owner='a b',inet6:[::1]:26\n"
		 MILTER);
	cr_assert_eq(r.conf->listen.count, 4);
	l = r.conf->listen.at;
	cr_expect(l[0].has_mta && l[0].mta == MTA_SENDMAIL);
	cr_expect_str_eq(l[1].endpoint.path, "/run/a.sock");
	cr_expect_str_eq(l[1].owner, "sekisho");
	cr_expect_str_eq(l[1].group, "postfix");
	cr_expect_eq(l[1].mode, 0660);
	cr_expect(l[1].has_mta && l[1].mta == MTA_POSTFIX);
	cr_expect_str_eq(l[2].endpoint.path, "/with blank, comma");
	cr_expect_str_eq(l[2].owner, "a b");
	cr_expect_eq(l[2].mode, 0);
	cr_expect_eq(l[3].endpoint.kind, ENDPOINT_INET6);
	done(&r);
}

Test(conf, keeps_the_order_of_the_milters)
{
	struct reading r;

	good(&r, "[Milter z]\nSOCKET = unix:/z\n[milter a]\nsocket=unix:/a\n"
		 "[ milter   M ] ; trailing\nsocket = unix:/m\n");
	cr_assert_eq(r.conf->milter_count, 3);
	cr_expect_str_eq(r.conf->milters[0].name, "z");
	cr_expect_str_eq(r.conf->milters[1].name, "a");
	cr_expect_str_eq(r.conf->milters[2].name, "M");
	done(&r);
}

Test(conf, takes_comments_continuations_crlf_and_a_bom)
{
	struct reading r;

	good(&r, "\xef\xbb\xbf; a comment\r\n"
		 "# another\r\n"
		 "   # an indented one\r\n"
		 "[server]# no blank needed here\r\n"
		 "user = a;b#c ; from here on\r\n"
		 "group =\t\"; # 'x'\" # behind quotes\r\n"
		 "pid_file = /run/it's.pid\t;it's gone\r\n"
		 "macros_extra =\r\n"
		 "\tconnect:\r\n"
		 "\r\n"
		 "# in between\r\n"
		 "\t {a} ; of this line\r\n"
		 "\t {b}\r\n"
		 MILTER);
	cr_expect_str_eq(r.conf->user, "a;b#c");
	cr_expect_str_eq(r.conf->group, "; # 'x'");
	cr_expect_str_eq(r.conf->pid_file, "/run/it's.pid");
	cr_expect(slice_is(r.conf->macros_extra[LIST_CONNECT], "{a} {b}"));
	done(&r);
}

Test(conf, takes_a_last_line_without_newline)
{
	struct reading r;

	good(&r, "[milter m]\nsocket = unix:/m");
	done(&r);
}

Test(conf, may_open_server_again)
{
	struct reading r;

	good(&r, "[server]\nuser = a\n" MILTER "[SERVER]\ngroup = b\n");
	cr_expect_str_eq(r.conf->user, "a");
	cr_expect_str_eq(r.conf->group, "b");
	done(&r);
}

/* What iniparser alone would cut, change or refuse arrives whole. */
Test(conf, carries_values_that_iniparser_cannot)
{
	static const char *const values[] = {
		"a=b", "a\\", "\\", "%41", "a;b#c", "[x]", "+", "=", "\xc3\xa4",
		"C:\\n", "{x}", "a'b\"c", "a:b:c", "<>|&*?!",
	};
	char text[200];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct reading r;

		snprintf(text, sizeof(text), "[server]\nuser = %s\n" MILTER,
			 values[i]);
		good(&r, text);
		cr_expect_str_eq(r.conf->user, values[i]);
		done(&r);
	}
}

Test(conf, carries_values_of_any_length_up_to_the_limit)
{
	static const size_t lengths[] = { 1,   255,  256,  257,	 511, 512,
					  513, 1000, 1022, 1024, 4000 };
	static char text[8192], value[4096];

	memset(value, 'x', sizeof(value));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct reading r;

		snprintf(text, sizeof(text), "[server]\nuser = %.*s\n" MILTER,
			 (int)lengths[i], value);
		good(&r, text);
		cr_expect_eq(strlen(r.conf->user), lengths[i]);
		done(&r);
	}
}

Test(conf, refuses_lines_and_values_that_are_too_long)
{
	static char text[64 * 1024], part[CONF_LINE_MAX + 10];
	size_t used;

	memset(part, 'x', sizeof(part));
	snprintf(text, sizeof(text), MILTER "[server]\nuser = %.*s\n",
		 CONF_LINE_MAX, part);
	says(text, "t.conf:4: the line is longer than 4096 bytes: continue it "
		   "on indented lines\n");
	used = (size_t)snprintf(text, sizeof(text), MILTER
				"[server]\nuser = x\n");
	for (int i = 0; i < 5; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "  %.*s\n", 4000, part);
	says(text, "t.conf:9: the value of \"user\" is longer than 16384 "
		   "bytes\n");
}

/* A file as a whole, and all that is said about it. */
static const struct {
	const char *text, *wanted;
} wrong[] = {
	{ "", "t.conf: the file is empty\n" },
	{ "\xef\xbb\xbf", "t.conf: the file is empty\n" },
	{ "# nothing\n",
	  "t.conf: no milter: at least one [milter NAME] is needed\n" },
	{ "[server]\n",
	  "t.conf: no milter: at least one [milter NAME] is needed\n" },
	{ "user = x\n" MILTER,
	  "t.conf:1: \"user\" stands before the first [section]\n" },
	{ MILTER "[server]\nuser\n",
	  "t.conf:4: neither KEY = VALUE nor a [section]: \"user\"\n" },
	{ MILTER "= x\n", "t.conf:3: no key before the \"=\"\n" },
	{ MILTER "[server\nuser = x\n",
	  "t.conf:3: the bracket of the section is not closed\n" },
	{ MILTER "[server] x\n",
	  "t.conf:3: text behind the bracket of the section\n" },
	{ MILTER "[server x]\n", "t.conf:3: [server] has no name\n" },
	{ MILTER "[]\n", "t.conf:3: the brackets are empty: there are "
			 "[server], [milter NAME], [condition NAME], "
			 "[table NAME] and [rule NAME]\n" },
	{ MILTER "[milters]\nx = y\n",
	  "t.conf:3: unknown section [milters]: write [milter NAME] with a "
	  "blank between\n" },
	{ MILTER "[sevrer]\n",
	  "t.conf:3: unknown section [sevrer]: did you mean [server]?\n" },
	{ MILTER "[qwertz x]\n",
	  "t.conf:3: unknown section [qwertz]: there are [server], "
	  "[milter NAME], [condition NAME], [table NAME] and [rule NAME]\n" },
	{ MILTER "[conditon x]\n",
	  "t.conf:3: unknown section [conditon]: did you mean [condition]?\n" },
	{ MILTER "[rulex]\n", "t.conf:3: unknown section [rulex]: write "
			      "[rule NAME] with a blank between\n" },
	{ MILTER "[table]\n",
	  "t.conf:3: a table needs a name: [table NAME]\n" },
	{ MILTER "[condition a-b]\nis = true\n",
	  "t.conf:3: bad condition name \"a-b\": letters, digits and _ only, "
	  "and no digit in front\n" },
	{ MILTER "[table 1a]\nsource = inline:a\n",
	  "t.conf:3: bad table name \"1a\": letters, digits and _ only, and "
	  "no digit in front\n" },
	{ MILTER "[rule a/b]\nwhen = true\n",
	  "t.conf:3: bad rule name \"a/b\": letters, digits and . _ - @ "
	  "only\n" },
	{ MILTER "[condition x]\n",
	  "t.conf:3: condition \"x\" has no \"is\"\n" },
	{ MILTER "[condition x]\nis =\n",
	  "t.conf:4: \"\" for \"is\" in [condition x]: must not be empty\n" },
	{ MILTER "[table x]\n", "t.conf:3: table \"x\" has no \"source\"\n" },
	{ MILTER "[rule x]\n", "t.conf:3: rule \"x\" has no \"action\"\n"
			       "t.conf:3: rule \"x\" has no \"when\"\n" },
	{ MILTER "[condition x]\nis = true\n[condition X]\nis = true\n",
	  "t.conf:5: condition \"X\" is there already: t.conf:3\n" },
	{ MILTER "[rule x]\nis = true\nwhen = true\naction = accept\n",
	  "t.conf:4: unknown key \"is\" in [rule x]: it belongs into a "
	  "[condition NAME]\n" },
	{ MILTER "mixed = defr\n",
	  "t.conf:3: \"defr\" for \"mixed\" in [milter m]: one of share, "
	  "defer; did you mean \"defer\"?\n" },
	{ "[milter]\n", "t.conf:1: a milter needs a name: [milter NAME]\n" },
	{ "[milter a/b]\n", "t.conf:1: bad milter name \"a/b\": letters, "
			    "digits and . _ - @ only\n" },
	{ "[milter verdict]\nsocket = unix:/m\n",
	  "t.conf:1: bad milter name \"verdict\": this is a word of the "
	  "log\n" },
	{ MILTER "[milter BY]\nsocket = unix:/x\n",
	  "t.conf:3: bad milter name \"BY\": this is a word of the log\n" },
	{ MILTER "[milter sekisho]\nsocket = unix:/x\n",
	  "t.conf:3: bad milter name \"sekisho\": this is a word of the "
	  "log\n" },
	{ "[milter --help]\nsocket = unix:/m\n",
	  "t.conf:1: bad milter name \"--help\": it would be taken for an "
	  "option\n" },
	{ "[milter m]\n", "t.conf:1: milter \"m\" has no \"socket\"\n" },
	{ MILTER "[milter M]\nsocket = unix:/x\n",
	  "t.conf:3: milter \"M\" is there already: t.conf:1\n" },
	{ "[milter spam]\nsokcet = unix:/m\n",
	  "t.conf:1: milter \"spam\" has no \"socket\"\n"
	  "t.conf:2: unknown key \"sokcet\" in [milter spam]: did you mean "
	  "\"socket\"?\n" },
	{ MILTER "user = x\n", "t.conf:3: unknown key \"user\" in [milter m]: "
			       "it belongs into [server]\n" },
	{ MILTER "[server]\norder = free\n",
	  "t.conf:4: unknown key \"order\" in [server]: it belongs into a "
	  "[milter NAME]\n" },
	{ MILTER "qqqqqq = x\n",
	  "t.conf:3: unknown key \"qqqqqq\" in [milter m]\n" },
	{ MILTER "mode = on\nMODE = off\n",
	  "t.conf:4: \"mode\" in [milter m] is given twice: t.conf:3\n" },
	{ MILTER "[server]\nuser = 'x\n",
	  "t.conf:4: the quote is not closed on this line\n" },
	{ MILTER "[server]\nuser = a ~ /b\n",
	  "t.conf:4: the regular expression is not closed on this line\n" },
	{ MILTER "[server]\nuser = a\001b\n",
	  "t.conf:4: a control byte (0x01)\n" },
	{ " user = x\n" MILTER,
	  "t.conf:1: a line that begins with a blank continues the one "
	  "before: remove the blanks before \"user\"\n"
	  "t.conf:1: \"user\" stands before the first [section]\n" },
	{ "[milter m]\n  x\nsocket = unix:/m\n",
	  "t.conf:2: a line that begins with a blank continues the one "
	  "before, but there is no setting to continue\n" },
	{ MILTER "  order = free\n",
	  "t.conf:3: a line that begins with a blank continues the one "
	  "before: remove the blanks before \"order\"\n" },
	{ MILTER "\tOrder = free\n",
	  "t.conf:3: a line that begins with a blank continues the one "
	  "before: remove the blanks before \"Order\"\n" },
	{ MILTER "  order=free\n",
	  "t.conf:2: \"unix:/m order=free\" for \"socket\" in [milter m]: more "
	  "than one word: a value with blanks needs quotes around all of "
	  "it\n" },
	{ MILTER "[server]\nuser = a\n  b\n",
	  "t.conf:4: \"a b\" for \"user\" in [server]: more than one word: a "
	  "value with blanks needs quotes around all of it\n" },
	{ MILTER "[server]\npid_file = \"/run/a\" b\n",
	  "t.conf:4: \"\"/run/a\" b\" for \"pid_file\" in [server]: more than "
	  "one word: a value with blanks needs quotes around all of it\n" },
	{ MILTER "include = x.conf\n",
	  "t.conf:3: include: only a file can include files\n" },
	{ MILTER "include =\n", "t.conf:3: include: no file is named\n" },
	{ "[milter m]\nsocket =\n",
	  "t.conf:2: \"\" for \"socket\" in [milter m]: \"\": an empty "
	  "address\n" },
	{ MILTER "order = fre\n",
	  "t.conf:3: \"fre\" for \"order\" in [milter m]: one of chain, free, "
	  "strict; did you mean \"free\"?\n" },
	{ MILTER "order = zzzzzzzz\n",
	  "t.conf:3: \"zzzzzzzz\" for \"order\" in [milter m]: must be one of "
	  "chain, free, strict\n" },
	{ MILTER "[server]\nworkers_max = 10 000\n",
	  "t.conf:4: \"10 000\" for \"workers_max\" in [server]: not a whole "
	  "number\n" },
	{ MILTER "[server]\nworkers_max = 99999999999999999999999\n",
	  "t.conf:4: \"99999999999999999999999\" for \"workers_max\" in "
	  "[server]: not a whole number\n" },
	{ MILTER "[server]\nworkers_max = 20001\n",
	  "t.conf:4: \"20001\" for \"workers_max\" in [server]: the largest "
	  "value is 20000\n" },
	{ MILTER "[server]\nheaders_max = 99\n",
	  "t.conf:4: \"99\" for \"headers_max\" in [server]: the smallest "
	  "value is 100\n" },
	{ MILTER "[server]\nmessage_max = 10T\n",
	  "t.conf:4: \"10T\" for \"message_max\" in [server]: not a size: a "
	  "whole number and k, M or G, for example 64k\n" },
	{ MILTER "[server]\nmessage_max = 99999999999999999G\n",
	  "t.conf:4: \"99999999999999999G\" for \"message_max\" in [server]: "
	  "not a size: a whole number and k, M or G, for example 64k\n" },
	{ MILTER "[server]\nmacros_max = 2M\n",
	  "t.conf:4: \"2M\" for \"macros_max\" in [server]: the largest value "
	  "is 1M\n" },
	{ MILTER "timeout_eom = 1.5s\n",
	  "t.conf:3: \"1.5s\" for \"timeout_eom\" in [milter m]: not a time: a "
	  "whole number and ms, s, m, h or d, for example 30s\n" },
	{ MILTER "timeout_eom = -1\n",
	  "t.conf:3: \"-1\" for \"timeout_eom\" in [milter m]: not a time: a "
	  "whole number and ms, s, m, h or d, for example 30s\n" },
	{ MILTER "timeout_connect = 0\n",
	  "t.conf:3: \"0\" for \"timeout_connect\" in [milter m]: the smallest "
	  "value is 10ms\n" },
	{ MILTER "[server]\ncore_dumps = maybe\n",
	  "t.conf:4: \"maybe\" for \"core_dumps\" in [server]: neither yes "
	  "nor no\n" },
	{ MILTER "[server]\npid_file = run/x\n",
	  "t.conf:4: \"run/x\" for \"pid_file\" in [server]: a path must begin "
	  "with \"/\"\n" },
	{ MILTER "[server]\nspool_directory =\n",
	  "t.conf:4: \"\" for \"spool_directory\" in [server]: must not be "
	  "empty\n" },
	{ MILTER "[server]\nlisten = inet:1@a,\n",
	  "t.conf:4: \"inet:1@a,\" for \"listen\" in [server]: no address "
	  "before or behind a comma\n" },
	{ MILTER "[server]\nlisten = ,inet:1@a\n",
	  "t.conf:4: \",inet:1@a\" for \"listen\" in [server]: no address "
	  "before or behind a comma\n" },
	{ MILTER "[server]\nlisten = unix:/a inet:1@a\n",
	  "t.conf:4: \"unix:/a inet:1@a\" for \"listen\" in [server]: "
	  "\"inet:1@a\" stands behind an address: a comma separates addresses, "
	  "options are owner=, group=, mode=, mta=\n" },
	{ MILTER "[server]\nlisten = inet:1@a mode=0660\n",
	  "t.conf:4: \"inet:1@a mode=0660\" for \"listen\" in [server]: "
	  "owner=, group= and mode= are for unix sockets only\n" },
	{ MILTER "[server]\nlisten = unix:/a mode=888\n",
	  "t.conf:4: \"unix:/a mode=888\" for \"listen\" in [server]: mode=888 "
	  "is not an octal mode like 0660\n" },
	{ MILTER "[server]\nlisten = unix:/a mode=1777\n",
	  "t.conf:4: \"unix:/a mode=1777\" for \"listen\" in [server]: "
	  "mode=1777 is not an octal mode like 0660\n" },
	{ MILTER "[server]\nlisten = unix:/a mta=exim\n",
	  "t.conf:4: \"unix:/a mta=exim\" for \"listen\" in [server]: must be "
	  "one of postfix, sendmail\n" },
	{ MILTER "[server]\nlisten = unix:/a colour=red\n",
	  "t.conf:4: \"unix:/a colour=red\" for \"listen\" in [server]: "
	  "unknown option \"colour\": there are owner=, group=, mode= and "
	  "mta=\n" },
	{ MILTER "[server]\nlisten = unix:/a owner=\n",
	  "t.conf:4: \"unix:/a owner=\" for \"listen\" in [server]: nothing "
	  "behind \"owner=\"\n" },
	{ MILTER "[server]\nmacros_extra = {a}\n",
	  "t.conf:4: \"{a}\" for \"macros_extra\" in [server]: needs STAGE: "
	  "NAME NAME, STAGE: NAME\n" },
	{ MILTER "[server]\nmacros_extra = mail: auth_ssf\n",
	  "t.conf:4: \"mail: auth_ssf\" for \"macros_extra\" in [server]: "
	  "\"auth_ssf\" is no macro name: one letter, or {name} in braces\n" },
	{ MILTER "[server]\nmacros_extra = mail: a, mail: b\n",
	  "t.conf:4: \"mail: a, mail: b\" for \"macros_extra\" in [server]: "
	  "stage \"mail\" is given twice\n" },
	{ MILTER "[server]\nmacros_extra = body: a\n",
	  "t.conf:4: \"body: a\" for \"macros_extra\" in [server]: must be one "
	  "of connect, helo, mail, rcpt, data, eoh, eom\n" },
	/* conf_check */
	{ MILTER "[server]\nworkers_max = 4\n",
	  "t.conf:4: workers_min = 8 (the default) is above workers_max = "
	  "4\n" },
	{ MILTER "[server]\nspare_min = 9\nspare_max = 5\n",
	  "t.conf:4: spare_min = 9 is above spare_max = 5\n" },
	{ MILTER "[server]\nworkers_min = 2\nworkers_max = 2\nspare_min = 3\n",
	  "t.conf:6: spare_min = 3 is above workers_max = 2\n" },
	{ MILTER "[server]\nmessage_memory = 2M\nmessage_max = 1M\n",
	  "t.conf:4: message_memory = 2097152 is above message_max = "
	  "1048576\n" },
	{ MILTER "[server]\nstep_deadline = 10s\n",
	  "t.conf:4: step_deadline = 10s is longer than Sendmail waits (10s): "
	  "9500ms at most, unless every address in listen has "
	  "mta=postfix\n" },
	{ MILTER "[server]\nmessage_deadline = 3s\n",
	  "t.conf: progress_interval = 3s is not below message_deadline = 3s\n"
	  "t.conf: evaluate_grace = 5s is above message_deadline = 3s\n" },
	{ MILTER "[server]\nmta_timeout = 2h\nmta_idle_timeout = 1h\n",
	  "t.conf:4: mta_timeout = 7200s is above mta_idle_timeout = 3600s: an "
	  "MTA would have less time between messages than inside one\n" },
	{ MILTER "timeout_command = 26s\n",
	  "t.conf:3: milter \"m\": timeout_command = 26s is above "
	  "step_deadline_postfix = 25s, which always ends first\n" },
	{ MILTER "timeout_connect = 9s\n[server]\n"
		 "listen = unix:/a mta=sendmail\n",
	  "t.conf:3: milter \"m\": timeout_connect = 9s is above "
	  "step_deadline = 8s, which always ends first\n" },
	{ MILTER "timeout_eom = 5m\n",
	  "t.conf:3: milter \"m\": timeout_eom = 300s is above "
	  "message_deadline = 240s, which always ends first\n" },
	{ MILTER "[server]\nlisten = unix:/a, inet:1@h, local:/a, inet:1\n",
	  "t.conf:4: two listeners want the same address: \"unix:/a\"\n"
	  "t.conf:4: two listeners want the same address: \"inet:1\"\n" },
	{ MILTER "[server]\nlisten = unix:/m\n",
	  "t.conf:2: milter \"m\": this is an address we listen on "
	  "ourselves\n" },
	/* everything at once, line by line */
	{ "[server]\nworkers_min = x\nuser\n[milter m]\nmode = oof\n",
	  "t.conf:2: \"x\" for \"workers_min\" in [server]: not a whole "
	  "number\n"
	  "t.conf:3: neither KEY = VALUE nor a [section]: \"user\"\n"
	  "t.conf:4: milter \"m\" has no \"socket\"\n"
	  "t.conf:5: \"oof\" for \"mode\" in [milter m]: one of on, off, "
	  "evaluate, percent; did you mean \"off\"?\n" },
};

Test(conf, names_every_problem_with_its_line)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		says(wrong[i].text, wrong[i].wanted);
}

Test(conf, takes_what_only_looks_contradictory)
{
	static const char *const right[] = {
		/* a long step is fine where only Postfix comes */
		MILTER "timeout_command = 25s\n[server]\nstep_deadline = 25s\n"
		       "listen = unix:/a mta=postfix, inet:1 mta=postfix\n",
		/* defaults beside small values are cut in silence */
		MILTER "[server]\nstep_deadline = 1s\n"
		       "step_deadline_postfix = 2s\n",
		MILTER "[server]\nworkers_min = 1\nworkers_max = 2\n",
		MILTER "[server]\nmessage_deadline = 6s\n",
		/* two milters may share a daemon */
		MILTER "[milter n]\nsocket = unix:/m\n",
		MILTER "[server]\nlisten = inet:1@127.0.0.1, inet:1@127.0.0.2,"
		       "inet6:1@::1\n",
		MILTER "[server]\n  \n\t; nothing\n",
	};

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct reading r;

		good(&r, right[i]);
		done(&r);
	}
}

Test(conf, says_that_a_nul_byte_is_no_text)
{
	struct reading r;

	read_slice(&r, SLICE_LIT(MILTER "[server]\nuser = a\0b\nx\n"));
	cr_expect_null(r.conf);
	cr_expect_str_eq(words(&r),
			 "t.conf:4: a NUL byte: this is no text file\n");
	done(&r);
}

Test(conf, counts_milters_and_listeners)
{
	static char text[16384];
	struct reading r;
	size_t used = 0;

	for (int i = 0; i < CONF_MILTERS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "[milter m%d]\nsocket=unix:/%d\n", i,
					 i);
	good(&r, text);
	cr_expect_eq(r.conf->milter_count, CONF_MILTERS_MAX);
	cr_expect_str_eq(r.conf->milters[63].name, "m63");
	done(&r);
	snprintf(text + used, sizeof(text) - used,
		 "[milter more]\nsocket=unix:/x\nbad = y\n");
	says(text, "t.conf:129: milter \"more\": more than 64 milters\n");

	used = (size_t)snprintf(text, sizeof(text), "%s",
				MILTER "[server]\nlisten = unix:/0");
	for (int i = 1; i <= CONF_LISTEN_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 ",\n unix:/%d", i);
	read_str(&r, text);
	cr_expect(strstr(words(&r), "more than 16 addresses"));
	done(&r);
}

Test(conf, shows_a_hundred_problems_and_counts_the_rest)
{
	static char text[4096] = MILTER;
	struct reading r;

	for (int i = 0; i < 150; i++)
		memcpy(text + strlen(text), "x\n", 3);
	read_str(&r, text);
	cr_expect_null(r.conf);
	cr_expect_eq(r.problems.count, 150);
	cr_expect(strstr(words(&r), "t.conf:102: "));
	cr_expect(strstr(words(&r), "and 50 more problems\n"));
	done(&r);
}

Test(conf, refuses_in_words_when_memory_runs_out)
{
	struct arena arena;
	struct conf_problems problems;

	for (size_t ceiling = 4096; ceiling <= 4u << 20; ceiling += 60000) {
		const struct conf *conf;

		arena_init(&arena, ceiling);
		conf = conf_read_text(&arena, "t.conf", slice_str(MILTER),
				      &problems);
		cr_expect_eq(conf == NULL, problems.count > 0);
		cr_expect_eq(conf == NULL, arena_failed(&arena));
		arena_deinit(&arena);
	}
}

/* ------------------------------------------------------------------ printing */

static void print_to(const struct conf *conf, bool all, struct buf *out)
{
	buf_init(out, 1u << 20);
	cr_assert(conf_print(conf, all, out));
	cr_assert(buf_add_byte(out, '\0'));
}

static const char *const printed[] = {
	MILTER,
	"[server]\nuser = 'a ; b'\ngroup = \"it's\"\n"
	"listen = 'unix:/a, \"b\"' owner='x y' mode=0640 mta=postfix, inet:26\n"
	"macros_extra = eom: i {a}, helo: {b}\ndrain_timeout = 1500ms\n"
	"message_max = 1048577\nmta_timeout = 90s\nlog = syslog\n"
	"pid_file = \"/a = 'b'\"\n" MILTER "rcpt = serial\njoin = body\n"
	"[milter N]\nsocket = inet:[::1]:25\nmode = off\n",
	MILTER "when = s25r and\n # not this\n  not helo ~ /;# x/ ; nor this\n"
	"[milter n]\nsocket = unix:/n\nwhen = recipient in t\n"
	"recipients = own\nmixed = defer\n"
	"[table t]\nsource = inline: a@example.org,\n  .example.net\n"
	"[condition c]\nis = lookup(t, sender) = \"x y\" or milter(m) = reject\n"
	"[rule r]\nwhen = c\naction = reject \"552 5.3.4 a; b\"\n"
	"action = macro {x}?=y\naction = score -2.5\n"
	"on_unknown = tempfail\n[rule trust]\n",
};

Test(conf, reads_again_what_it_prints)
{
	for (size_t i = 0; i < 2 * sizeof(printed) / sizeof(printed[0]); i++) {
		struct reading r, again;
		struct buf one, two;
		bool all = i % 2;

		good(&r, printed[i / 2]);
		print_to(r.conf, all, &one);
		good(&again, one.data);
		print_to(again.conf, all, &two);
		cr_expect_str_eq(one.data, two.data);
		buf_deinit(&one);
		buf_deinit(&two);
		print_to(r.conf, true, &one);
		print_to(again.conf, true, &two);
		cr_expect_str_eq(one.data, two.data);
		buf_deinit(&one);
		buf_deinit(&two);
		done(&r);
		done(&again);
	}
}

Test(conf, prints_only_what_differs)
{
	struct reading r;
	struct buf out;

	good(&r, "[server]\nworkers_min = 8\nworkers_max = 9\nspare_max = 32\n"
		 "drain_timeout = 1m\n" MILTER "mode = ON\n");
	print_to(r.conf, false, &out);
	cr_expect_str_eq(out.data, "[server]\nworkers_max = 9\n\n[milter m]\n"
				   "socket = unix:/m\n");
	buf_deinit(&out);
	done(&r);
}

Test(conf, prints_every_row)
{
	struct reading r;
	struct buf out;

	good(&r, MILTER "[condition c]\nis = true\n[table t]\nsource = inline:a\n"
		 "[rule r]\nwhen = true\naction = accept\n");
	print_to(r.conf, true, &out);
	for (int s = 0; s < CONF_SECTIONS; s++) {
		size_t n;
		const struct conf_row *rows =
			conf_rows((enum conf_section)s, &n);
		char line[64];

		for (size_t i = 0; i < n; i++) {
			snprintf(line, sizeof(line), "\n%s =", rows[i].key);
			cr_expect(strstr(out.data, line), "%s", rows[i].key);
		}
	}
	buf_deinit(&out);
	done(&r);
}

Test(conf, fails_to_print_where_there_is_no_room)
{
	struct reading r;
	struct buf out;
	bool ok = false;

	good(&r, printed[1]);
	for (size_t ceiling = 0; !ok; ceiling += 16) {
		buf_init(&out, ceiling);
		ok = conf_print(r.conf, true, &out);
		buf_deinit(&out);
		cr_assert_lt(ceiling, 1u << 16);
	}
	done(&r);
}

Test(conf, ships_the_sample_it_prints)
{
	struct buf out;
	static char file[65536];
	FILE *f = fopen(T_SRCDIR "/etc/sekisho.conf", "r");
	size_t n;
	struct reading r;

	cr_assert_not_null(f);
	n = fread(file, 1, sizeof(file) - 1, f);
	fclose(f);
	buf_init(&out, 1u << 20);
	cr_assert(conf_print_sample(&out));
	cr_expect(slice_equal(buf_slice(&out), slice_of(file, n)),
		  "etc/sekisho.conf is not what conf_print_sample() prints");
	good(&r, file);
	done(&r);
	buf_deinit(&out);
}

/* Every commented default of the sample, uncommented, changes nothing. */
Test(conf, has_a_sample_whose_comments_are_the_defaults)
{
	struct buf out, one, two;
	struct reading r, plain;
	char *text;

	buf_init(&out, 1u << 20);
	cr_assert(conf_print_sample(&out));
	cr_assert(buf_add_byte(&out, '\0'));
	good(&plain, out.data);
	text = out.data;
	for (char *p = text; (p = strstr(p, "\n#")) != NULL; p++)
		if (p[2] >= 'a' && p[2] <= 'z' &&
		    strncmp(p + 2, "include", 7) != 0)
			memmove(p + 1, p + 2, strlen(p + 2) + 1);
	good(&r, text);
	print_to(plain.conf, true, &one);
	print_to(r.conf, true, &two);
	cr_expect_str_eq(one.data, two.data);
	buf_deinit(&one);
	buf_deinit(&two);
	buf_deinit(&out);
	done(&r);
	done(&plain);
}

/* --------------------------------------------- conditions, tables and rules */

#define SECTIONS                                                        \
	"[rule r]\nwhen = c\naction = log x\naction = accept\n"        \
	"[condition c]\nis = sender in T\n"                            \
	"[table t]\nsource = inline: a\n"                              \
	MILTER "recipients = all\nwhen = recipient in t and s25r\n"

Test(conf, compiles_sections_in_any_order)
{
	struct reading r;
	const struct conf *c;

	good(&r, SECTIONS);
	c = r.conf;
	cr_assert_not_null(c->milters[0].when);
	cr_expect(slice_is(cond_text(c->milters[0].when),
			   "recipient in t and s25r"));
	cr_expect_eq(c->milters[0].recipients, RECIPIENTS_ALL);
	/* One was written, three are built in and named. */
	cr_expect_eq(c->condition_count, 4);
	cr_expect_not(c->conditions[0].is_builtin);
	cr_expect(c->conditions[1].is_builtin);
	cr_expect_not_null(c->conditions[0].cond);
	cr_expect_eq(c->table_count, 4);
	cr_assert_not_null(c->tables[0].table);
	cr_expect_eq(table_count(c->tables[0].table), 1);
	cr_assert_eq(c->rule_count, 1);
	cr_assert_eq(rules_count(c->rules), 1);
	cr_expect(slice_is(rules_at(c->rules, 0)->name, "r"));
	cr_expect_eq(rules_at(c->rules, 0)->action_count, 2);
	cr_expect_str_eq(conf_recipients_name(RECIPIENTS_OWN), "own");
	cr_expect_str_eq(conf_mixed_name(MIXED_DEFER), "defer");
	conf_close(c);
	done(&r);
}

Test(conf, tells_line_and_column_in_a_text)
{
	says(MILTER "when = true\n\tand\n # between\n  nonsense and true\n",
	     "t.conf:6:3: \"when\" in [milter m]: there is no fact or condition "
	     "\"nonsense\"\n");
	says(MILTER "[table t]\nsource = list:/etc/passwd\n",
	     "t.conf:4:10: table \"t\": only settings in a file can have tables "
	     "in files\n");
	says(MILTER "recipients = own\n",
	     "t.conf:3: recipients = own in [milter m]: \"when\" does not look at "
	     "recipient\n");
}

/* Wherever memory ends, settings are refused and nothing worse happens. */
Test(conf, refuses_sections_without_memory)
{
	bool ok = false;

	for (size_t ceiling = 64 * 1024; !ok; ceiling += 16 * 1024) {
		struct arena arena;
		struct conf_problems problems;
		const struct conf *c;

		arena_init(&arena, ceiling);
		c = conf_read_text(&arena, "t.conf", slice_str(SECTIONS),
				   &problems);
		ok = c != NULL;
		cr_expect_eq(ok, problems.count == 0);
		if (c)
			conf_close(c);
		arena_deinit(&arena);
		cr_assert_lt(ceiling, 16u << 20);
	}
}

/* ------------------------------------------------------------------ the rows */

Test(conf, has_rows_in_order_and_without_holes)
{
	for (int s = 0; s < CONF_SECTIONS; s++) {
		size_t n;
		const struct conf_row *rows =
			conf_rows((enum conf_section)s, &n);

		cr_expect_gt(n, s <= CONF_MILTER ? 5 : 0);
		for (size_t i = 0; i < n; i++) {
			const struct conf_row *row = &rows[i];
			bool word = row->type == CONF_WORD ||
				    row->type == CONF_EITHER ||
				    row->type == CONF_SWITCH;

			cr_assert_not_null(row->key);
			cr_expect_eq((int)row->section, s, "%s", row->key);
			cr_expect_lt(strlen(row->key), 32, "%s", row->key);
			cr_expect(row->sentence && row->sentence[0]);
			/* The sample file needs one of the two. */
			cr_expect(row->standard || row->sample ||
				  s > CONF_MILTER);
			cr_expect_eq(word, row->words != NULL, "%s", row->key);
			cr_expect_eq(row->max > 0, row->unit != NULL, "%s",
				     row->key);
			cr_expect(i == 0 ||
					  strcmp(rows[i - 1].key, row->key) < 0,
				  "%s is not in order", row->key);
			cr_expect_eq(conf_row_find((enum conf_section)s,
						   slice_str(row->key)),
				     row);
		}
	}
}

Test(conf, finds_the_nearest_name)
{
	static const struct {
		const char *wrong, *near;
	} cases[] = {
		{ "sokcet", "socket" },	    { "sockt", "socket" },
		{ "soket", "socket" },	    { "ordr", "order" },
		{ "on_fail", "on_failure" }, { "timeout", NULL },
		{ "timeout_com", "timeout_eom" }, { "", NULL },
		{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *near = conf_row_nearest(CONF_MILTER,
						    slice_str(cases[i].wrong));

		if (cases[i].near)
			cr_expect_str_eq(near ? near : "nothing",
					 cases[i].near);
		else
			cr_expect_null(near, "\"%s\": %s", cases[i].wrong,
				       near);
	}
}

Test(conf, names_orders_modes_and_policies)
{
	cr_expect_str_eq(conf_order_name(ORDER_FREE), "free");
	cr_expect_str_eq(conf_mode_name(MODE_EVALUATE), "evaluate");
	cr_expect_str_eq(conf_policy_name(POLICY_QUARANTINE), "quarantine");
	cr_expect_str_eq(conf_policy_name((enum conf_policy)99), "?");
}

Test(conf, knows_where_text_is_literal)
{
	static const struct {
		const char *text;
		size_t at;
		ptrdiff_t length;
	} cases[] = {
		{ "\"ab\" c", 0, 4 },	 { "'ab'", 0, 4 },
		{ "'a\"b'", 0, 5 },	 { "\"\"", 0, 2 },
		{ "a \"b\"", 2, 3 },	 { "a,'b'", 2, 3 },
		{ "a='b'", 2, 3 },	 { "it's 'x'", 2, 0 },
		{ "\"ab", 0, -1 },	 { "'", 0, -1 },
		{ "ab", 0, 0 },		 { "/a/", 0, 0 },
		{ "~ /a/", 2, 3 },	 { "~/a;#/i", 1, 5 },
		{ "~ /a\\/b/", 2, 6 },	 { "~ /a\\\\/b", 2, 5 },
		{ "~ /a", 2, -1 },	 { "~ /a\\", 2, -1 },
		{ "x ~ y /a/", 6, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(conf_literal(slice_str(cases[i].text),
					  cases[i].at),
			     cases[i].length, "%s", cases[i].text);
	cr_expect(slice_is(conf_unquote(SLICE_LIT("\"a b\"")), "a b"));
	cr_expect(slice_is(conf_unquote(SLICE_LIT("\"a\" b")), "\"a\" b"));
	cr_expect(slice_is(conf_unquote(SLICE_LIT("\"a\",\"b\"")),
			   "\"a\",\"b\""));
	cr_expect(slice_is(conf_unquote(SLICE_LIT("\"")), "\""));
	cr_expect_eq(conf_unquote(SLICE_LIT("''")).len, 0);
}

Test(conf, prints_numbers_with_their_largest_unit)
{
	static const struct {
		enum conf_type type;
		uint64_t number;
		const char *text;
	} cases[] = {
		{ CONF_UNSIGNED, 86400, "86400" },
		{ CONF_SIZE, 0, "0" },
		{ CONF_SIZE, 1023, "1023" },
		{ CONF_SIZE, 1024, "1k" },
		{ CONF_SIZE, 1536, "1536" },
		{ CONF_SIZE, UINT64_C(3) << 20, "3M" },
		{ CONF_SIZE, UINT64_C(16) << 30, "16G" },
		{ CONF_DURATION, 0, "0" },
		{ CONF_DURATION, 1000, "1ms" },
		{ CONF_DURATION, 1500000, "1500ms" },
		{ CONF_DURATION, 90000000, "90s" },
		{ CONF_DURATION, 120000000, "2m" },
		{ CONF_DURATION, UINT64_C(172800000000), "2d" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 64);
		cr_assert(conf_number_print(cases[i].type, cases[i].number,
					    &b));
		cr_expect(slice_is(buf_slice(&b), cases[i].text), "%s",
			  cases[i].text);
		buf_deinit(&b);
	}
}

/* -------------------------------------------------------------------- files */

static char folder[64];

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/sekisho-conf.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
	cr_assert_eq(mkdir("conf.d", 0700), 0);
}

static void remove_folder(void)
{
	char command[128];

	cr_assert_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_expect_eq(system(command), 0);
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	cr_assert_not_null(f);
	cr_assert(fputs(text, f) >= 0);
	cr_assert_eq(fclose(f), 0);
}

static void read_path(struct reading *r, const char *path)
{
	arena_init(&r->arena, 64u << 20);
	buf_init(&r->words, 1u << 20);
	r->conf = conf_read(&r->arena, path, &r->problems);
	conf_problems_print(&r->problems, &r->words);
	cr_assert(buf_add_byte(&r->words, '\0'));
	cr_expect_eq(r->conf == NULL, r->problems.count > 0);
}

static void says_of(const char *path, const char *wanted)
{
	struct reading r;

	read_path(&r, path);
	cr_expect_str_eq(words(&r), wanted);
	done(&r);
}

TestSuite(conf_file, .init = make_folder, .fini = remove_folder);

Test(conf_file, includes_files_in_the_order_of_their_names)
{
	struct reading r;

	put("main.conf", "[server]\nuser = a\ninclude = conf.d/*.conf ; all\n"
			 "group = b\n[milter last]\nsocket = unix:/last\n");
	put("conf.d/20-b.conf", "[milter b]\nsocket = unix:/b\n");
	put("conf.d/10-a.conf", "[milter a]\nsocket = unix:/a\n");
	put("conf.d/30-c.conf.off", "nonsense\n");
	put("conf.d/.hidden.conf", "nonsense\n");
	read_path(&r, "main.conf");
	cr_assert_not_null(r.conf, "%s", words(&r));
	cr_expect_str_eq(r.conf->user, "a");
	cr_expect_str_eq(r.conf->group, "b"); /* still in [server] */
	cr_assert_eq(r.conf->milter_count, 3);
	cr_expect_str_eq(r.conf->milters[0].name, "a");
	cr_expect_str_eq(r.conf->milters[1].name, "b");
	cr_expect_str_eq(r.conf->milters[2].name, "last");
	cr_expect_eq(r.conf->milters[0].socket.at[0].addr_count, 1);
	cr_expect_eq(r.conf->listen.at[0].endpoint.addr_count, 1);
	done(&r);
}

Test(conf_file, includes_beside_the_including_file)
{
	struct reading r;
	char path[128];

	put("main.conf", "include = \"conf.d/sub.conf\"\n");
	put("conf.d/sub.conf", "include = x.conf\n");
	put("conf.d/x.conf", MILTER);
	cr_assert_eq(chdir("/"), 0);
	snprintf(path, sizeof(path), "%s/main.conf", folder);
	read_path(&r, path);
	cr_assert_not_null(r.conf, "%s", words(&r));
	cr_expect_eq(r.conf->milter_count, 1);
	done(&r);
}

Test(conf_file, names_the_included_file_and_its_line)
{
	put("main.conf", MILTER "include = conf.d/*.conf\nmode = oof\n");
	put("conf.d/a.conf", "order = free\n[server]\n\nuzer = a\n");
	put("conf.d/b.conf", "[milter M]\nsocket = unix:/b\n");
	says_of("main.conf",
		"conf.d/a.conf:1: \"order\" stands before the first [section]\n"
		"conf.d/a.conf:4: unknown key \"uzer\" in [server]: did you "
		"mean \"user\"?\n"
		"conf.d/b.conf:1: milter \"M\" is there already: main.conf:1\n"
		"main.conf:4: \"oof\" for \"mode\" in [milter m]: one of on, "
		"off, evaluate, percent; did you mean \"off\"?\n");
}

Test(conf_file, takes_an_empty_folder_but_not_a_missing_file)
{
	struct reading r;

	put("main.conf", MILTER "include = conf.d/*.conf\n");
	read_path(&r, "main.conf");
	cr_expect_not_null(r.conf, "%s", words(&r));
	done(&r);
	put("main.conf", MILTER "include = conf.d/no.conf\n");
	says_of("main.conf", "main.conf:3: include \"conf.d/no.conf\": could "
			     "not open the file: No such file or directory\n");
}

Test(conf_file, ends_includes_that_go_in_circles)
{
	char name[32], text[64];

	put("main.conf", MILTER "include = main.conf\n");
	says_of("main.conf", "main.conf:3: include \"main.conf\": the file "
			     "includes itself\n");
	put("main.conf", MILTER "include = b.conf\n");
	put("b.conf", "# b\ninclude = main.conf\n");
	says_of("main.conf", "b.conf:2: include \"main.conf\": the file "
			     "includes itself\n");
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "deep%d.conf", i);
		snprintf(text, sizeof(text), "include = deep%d.conf\n", i + 1);
		put(name, text);
	}
	says_of("deep0.conf",
		"deep8.conf:1: include \"deep9.conf\": too many files, or too "
		"many that include each other\n");
}

Test(conf_file, refuses_what_is_no_file)
{
	static char big[CONF_FILE_MAX + 2];

	says_of("none.conf",
		"none.conf: could not open the file: No such file or "
		"directory\n");
	says_of("conf.d", "conf.d: this is a folder and no file\n");
	says_of("/dev/null",
		"/dev/null: this is a device or pipe and no file\n");
	cr_assert_eq(mkfifo("pipe", 0600), 0);
	says_of("pipe", "pipe: this is a device or pipe and no file\n");
	put("empty.conf", "");
	says_of("empty.conf", "empty.conf: the file is empty\n");
	memset(big, '\n', sizeof(big) - 1);
	put("big.conf", big);
	says_of("big.conf", "big.conf: the file is larger than 1 MiB\n");
	put("main.conf", MILTER "include = conf.d\ninclude = empty.conf\n");
	says_of("main.conf",
		"main.conf:3: include \"conf.d\": this is a folder and no "
		"file\nempty.conf: the file is empty\n");
}

Test(conf_file, looks_names_up_and_says_what_is_not_found)
{
	struct reading r;

	put("main.conf", "[server]\nlisten = inet:10025@nobody.invalid\n"
			 "[milter m]\n\nsocket = inet:25@nobody.invalid\n"
			 "[milter n]\nsocket = inet:25\n");
	read_path(&r, "main.conf");
	cr_expect_null(r.conf);
	cr_expect_eq(r.problems.count, 3);
	cr_expect(strstr(words(&r), "main.conf:2: listener "
				    "\"inet:10025@nobody.invalid\": "));
	cr_expect(strstr(words(&r), "main.conf:5: milter \"m\": could not look "
				    "up \"inet:25@nobody.invalid\": "));
	cr_expect(strstr(words(&r), "main.conf:7: milter \"n\": could not look "
				    "up \"inet:25\": a host is needed"));
	done(&r);
}

Test(conf_file, takes_many_settings_in_little_time)
{
	static char text[400000];
	struct reading r;
	size_t used = 0;

	/* Duplicates by the thousand: each is a setting of its own. */
	for (int i = 0; i < 11000; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%s", i ? "mode = on\n" : MILTER);
	put("main.conf", text);
	read_path(&r, "main.conf");
	cr_expect_null(r.conf);
	cr_expect(strstr(words(&r), "more than 10000 settings"));
	done(&r);
}
