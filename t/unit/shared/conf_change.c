#include "shared/conf_change.h"

#include <criterion/criterion.h>

#include "shared/conf_table.h"

#define MILTER "[milter a]\nsocket = unix:/a\n"

static const struct conf *conf_of(struct arena *arena, const char *text)
{
	struct conf_problems problems;
	const struct conf *conf;

	arena_init(arena, 16u << 20);
	conf = conf_read_text(arena, "t", slice_str(text), &problems);
	cr_assert_not_null(conf, "%s", text);
	return conf;
}

static void expect_difference(const char *before, const char *after,
			      const char *want)
{
	struct arena a, b;
	const struct conf *one = conf_of(&a, before);
	const struct conf *other = conf_of(&b, after);
	struct buf out;

	buf_init(&out, 65536);
	cr_assert(conf_difference(one, other, &out));
	cr_expect(slice_is(buf_slice(&out), want), "got \"%.*s\" for \"%s\"",
		  SLICE_ARG(buf_slice(&out)), want);
	buf_deinit(&out);
	conf_close(one);
	conf_close(other);
	arena_deinit(&a);
	arena_deinit(&b);
}

Test(conf_change, what_is_different)
{
	static const struct {
		const char *before, *after, *want;
	} cases[] = {
		{ MILTER, MILTER, "" },
		{ MILTER, "[server]\nspare_min = 5\nworkers_min = 9\n" MILTER,
		  "server: spare_min, workers_min" },
		{ MILTER, "[server]\nspare_min = 4\n" MILTER, "" },
		{ MILTER, MILTER "[milter b]\nsocket = unix:/b\n",
		  "milter b: added" },
		{ MILTER "[milter b]\nsocket = unix:/b\n", MILTER,
		  "milter b: removed" },
		{ MILTER "mode = off\n",
		  "[milter A]\nsocket = unix:/x\nmode = percent 5\n",
		  "milter A: mode, socket" },
		{ MILTER "[milter b]\nsocket = unix:/b\n",
		  "[milter b]\nsocket = unix:/b\n" MILTER,
		  "milter: other order" },
		{ MILTER "[condition x]\nis = helo = \"a\"\n",
		  MILTER "[condition x]\nis = helo = \"b\"\n",
		  "condition x: is" },
		{ MILTER "[rule r]\nwhen = helo = \"a\"\naction = accept\n",
		  MILTER "[rule r]\nwhen = helo = \"a\"\naction = tempfail\n", "rule r: action" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_difference(cases[i].before, cases[i].after,
				  cases[i].want);
}

Test(conf_change, what_needs_a_restart_keeps_its_value)
{
	struct arena a, b;
	const struct conf *running = conf_of(
		&a, "[server]\nlisten = unix:/l owner=mail mode=0660\n"
		    "user = mail\nworkers_max = 40\nhistory = 77\n"
		    "pid_file = /run/a\ncore_dumps = yes\n" MILTER);
	const struct conf *wanted = conf_of(
		&b, "[server]\nlisten = unix:/other\nuser = nobody\n"
		    "workers_max = 40\nhistory = 88\ncore_dumps = no\n"
		    "pid_file = /run/b\nspare_min = 9\n" MILTER);
	const struct conf *kept;
	struct buf restart;

	buf_init(&restart, 4096);
	kept = conf_keep_start(&b, wanted, running, &restart);
	cr_assert_not_null(kept);
	cr_expect(slice_is(buf_slice(&restart),
			   "core_dumps, history, listen, pid_file, user"));
	arena_deinit(&a); /* nothing may point there */
	cr_expect_eq(kept->listen.count, 1);
	cr_expect_str_eq(kept->listen.at[0].endpoint.path, "/l");
	cr_expect_str_eq(kept->listen.at[0].owner, "mail");
	cr_expect_str_eq(kept->user, "mail");
	cr_expect_str_eq(kept->pid_file, "/run/a");
	cr_expect_eq(kept->history, 77);
	cr_expect(kept->core_dumps);
	cr_expect_eq(kept->spare_min, 9);
	cr_expect_eq(kept->milter_count, 1);
	buf_deinit(&restart);
	arena_deinit(&b);
}
