#include "shared/conf.h"

#include <criterion/criterion.h>

#include "t/unit/support/reading.h"

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

Test(conf_problem, names_every_problem_with_its_line)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		reading_says(wrong[i].text, wrong[i].wanted);
}

Test(conf_problem, takes_what_only_looks_contradictory)
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

		reading_good(&r, right[i]);
		reading_done(&r);
	}
}

Test(conf_problem, says_that_a_nul_byte_is_no_text)
{
	struct reading r;

	reading_slice(&r, SLICE_LIT(MILTER "[server]\nuser = a\0b\nx\n"));
	cr_expect_null(r.conf);
	cr_expect_str_eq(reading_words(&r),
			 "t.conf:4: a NUL byte: this is no text file\n");
	reading_done(&r);
}

Test(conf_problem, shows_a_hundred_problems_and_counts_the_rest)
{
	static char text[4096] = MILTER;
	struct reading r;

	for (int i = 0; i < 150; i++)
		memcpy(text + strlen(text), "x\n", 3);
	reading_text(&r, text);
	cr_expect_null(r.conf);
	cr_expect_eq(r.problems.count, 150);
	cr_expect(strstr(reading_words(&r), "t.conf:102: "));
	cr_expect(strstr(reading_words(&r), "and 50 more problems\n"));
	reading_done(&r);
}
