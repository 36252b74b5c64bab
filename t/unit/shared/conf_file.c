#include "shared/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/conf_lines.h"
#include "t/unit/support/reading.h"

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
	cr_expect_str_eq(reading_words(&r), wanted);
	reading_done(&r);
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
	cr_assert_not_null(r.conf, "%s", reading_words(&r));
	cr_expect_str_eq(r.conf->user, "a");
	cr_expect_str_eq(r.conf->group, "b"); /* still in [server] */
	cr_assert_eq(r.conf->milter_count, 3);
	cr_expect_str_eq(r.conf->milters[0].name, "a");
	cr_expect_str_eq(r.conf->milters[1].name, "b");
	cr_expect_str_eq(r.conf->milters[2].name, "last");
	cr_expect_eq(r.conf->milters[0].socket.at[0].addr_count, 1);
	cr_expect_eq(r.conf->listen.at[0].endpoint.addr_count, 1);
	reading_done(&r);
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
	cr_assert_not_null(r.conf, "%s", reading_words(&r));
	cr_expect_eq(r.conf->milter_count, 1);
	reading_done(&r);
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
	cr_expect_not_null(r.conf, "%s", reading_words(&r));
	reading_done(&r);
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
	cr_expect(strstr(reading_words(&r), "main.conf:2: listener "
				    "\"inet:10025@nobody.invalid\": "));
	cr_expect(strstr(reading_words(&r), "main.conf:5: milter \"m\": could not look "
				    "up \"inet:25@nobody.invalid\": "));
	cr_expect(strstr(reading_words(&r), "main.conf:7: milter \"n\": could not look "
				    "up \"inet:25\": a host is needed"));
	reading_done(&r);
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
	cr_expect(strstr(reading_words(&r), "more than 10000 settings"));
	reading_done(&r);
}
