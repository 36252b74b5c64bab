#include "shared/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <syslog.h>

#include "shared/conf_lines.h"
#include "shared/conf_table.h"
#include "shared/table.h"
#include "t/unit/support/reading.h"

/* Only milters stand in the log as NAME=, and only whole words count. */
Test(conf, words_of_the_log_are_names_elsewhere)
{
	struct reading r;

	reading_good(&r, MILTER "[milter time2]\nsocket = unix:/x\n"
			"[milter a-by]\nsocket = unix:/y\n"
			"[rule verdict]\nwhen = true\naction = accept\n");
	cr_expect_eq(r.conf->milter_count, 3);
	reading_done(&r);
}

Test(conf, has_the_defaults_of_the_design)
{
	struct reading r;
	const struct conf *c;

	reading_good(&r, MILTER);
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
	reading_done(&r);
}

Test(conf, takes_every_kind_of_value)
{
	struct reading r;
	const struct conf *c;

	reading_good(&r, "[server]\n"
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
	reading_done(&r);
}

Test(conf, takes_listeners_with_options)
{
	struct reading r;
	const struct conf_listen *l;

	reading_good(&r, "[server]\n"
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
	reading_done(&r);
}

Test(conf, keeps_the_order_of_the_milters)
{
	struct reading r;

	reading_good(&r, "[Milter z]\nSOCKET = unix:/z\n[milter a]\nsocket=unix:/a\n"
		 "[ milter   M ] ; trailing\nsocket = unix:/m\n");
	cr_assert_eq(r.conf->milter_count, 3);
	cr_expect_str_eq(r.conf->milters[0].name, "z");
	cr_expect_str_eq(r.conf->milters[1].name, "a");
	cr_expect_str_eq(r.conf->milters[2].name, "M");
	reading_done(&r);
}

Test(conf, takes_comments_continuations_crlf_and_a_bom)
{
	struct reading r;

	reading_good(&r, "\xef\xbb\xbf; a comment\r\n"
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
	reading_done(&r);
}

Test(conf, takes_a_last_line_without_newline)
{
	struct reading r;

	reading_good(&r, "[milter m]\nsocket = unix:/m");
	reading_done(&r);
}

Test(conf, may_open_server_again)
{
	struct reading r;

	reading_good(&r, "[server]\nuser = a\n" MILTER "[SERVER]\ngroup = b\n");
	cr_expect_str_eq(r.conf->user, "a");
	cr_expect_str_eq(r.conf->group, "b");
	reading_done(&r);
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
		reading_good(&r, text);
		cr_expect_str_eq(r.conf->user, values[i]);
		reading_done(&r);
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
		reading_good(&r, text);
		cr_expect_eq(strlen(r.conf->user), lengths[i]);
		reading_done(&r);
	}
}

Test(conf, refuses_lines_and_values_that_are_too_long)
{
	static char text[64 * 1024], part[CONF_LINE_MAX + 10];
	size_t used;

	memset(part, 'x', sizeof(part));
	snprintf(text, sizeof(text), MILTER "[server]\nuser = %.*s\n",
		 CONF_LINE_MAX, part);
	reading_says(text, "t.conf:4: the line is longer than 4096 bytes: continue it "
		   "on indented lines\n");
	used = (size_t)snprintf(text, sizeof(text), MILTER
				"[server]\nuser = x\n");
	for (int i = 0; i < 5; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "  %.*s\n", 4000, part);
	reading_says(text, "t.conf:9: the value of \"user\" is longer than 16384 "
		   "bytes\n");
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
	reading_good(&r, text);
	cr_expect_eq(r.conf->milter_count, CONF_MILTERS_MAX);
	cr_expect_str_eq(r.conf->milters[63].name, "m63");
	reading_done(&r);
	snprintf(text + used, sizeof(text) - used,
		 "[milter more]\nsocket=unix:/x\nbad = y\n");
	reading_says(text, "t.conf:129: milter \"more\": more than 64 milters\n");

	used = (size_t)snprintf(text, sizeof(text), "%s",
				MILTER "[server]\nlisten = unix:/0");
	for (int i = 1; i <= CONF_LISTEN_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 ",\n unix:/%d", i);
	reading_text(&r, text);
	cr_expect(strstr(reading_words(&r), "more than 16 addresses"));
	reading_done(&r);
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
