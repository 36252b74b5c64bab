#include "server/limits.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define NONE LIMITS_NONE

static const struct limits_wish wish = { 500, 2, 4, 0 };

Test(limits, each_one_cuts_and_is_named)
{
	static const struct {
		const char *name;
		struct limits l; /* nofile nproc pid_max pids_free somaxconn */
		unsigned workers;
		const char *words;
	} cases[] = {
		/* clang-format off */
		{ "none",             { NONE, NONE, NONE, NONE, NONE },    500, "" },
		{ "plenty",           { 20000, 4000, 32768, 9000, 4096 },  500, "" },
		{ "just enough",      { 526, 501, 1012, 501, 1 },          500, "" },
		{ "open files",       { 525, NONE, NONE, NONE, NONE },     499, "RLIMIT_NOFILE): 525, enough for 499 workers" },
		{ "processes",        { NONE, 100, NONE, NONE, NONE },      99, "RLIMIT_NPROC): 100, enough for 99 workers" },
		{ "process ids",      { NONE, NONE, 612, NONE, NONE },     100, "kernel.pid_max): 612, enough for 100 workers" },
		{ "control group",    { NONE, NONE, NONE, 51, NONE },       50, "pids.max): 51, enough for 50 workers" },
		{ "the least counts", { 126, 100, 32768, 51, 4096 },        50, "workers_max is 50 instead of 500" },
		{ "never none",       { 3, 0, 100, 0, 0 },                   1, "workers_max is 1 instead of 500" },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf words;
		bool is_short;
		unsigned workers;
		char text[2000];

		buf_init(&words, sizeof(text) - 1);
		workers = limits_cap(&cases[i].l, &wish, &words, &is_short);
		snprintf(text, sizeof(text), "%.*s",
			 SLICE_ARG(buf_slice(&words)));
		cr_expect_eq(workers, cases[i].workers, "%s: %u",
			     cases[i].name, workers);
		cr_expect_not_null(strstr(text, cases[i].words), "%s: %s",
				   cases[i].name, text);
		cr_expect_eq(is_short, *cases[i].words != '\0', "%s",
			     cases[i].name);
		cr_expect_eq(*text == '\0', !is_short, "%s", cases[i].name);
		buf_deinit(&words);
	}
}

Test(limits, a_worker_may_need_more_than_the_supervisor)
{
	static const struct limits_wish crowd = { 2, 1, 64, 0 };
	static const struct limits l = { 100, NONE, NONE, NONE, NONE };
	struct buf words;
	bool is_short;
	char text[1000];

	buf_init(&words, sizeof(text) - 1);
	cr_assert_eq(limits_cap(&l, &crowd, &words, &is_short), 2);
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(buf_slice(&words)));
	cr_assert(is_short);
	cr_assert_not_null(
		strstr(text, "a worker with 64 milters may need 153"), "%s",
		text);
	buf_deinit(&words);
}

Test(limits, printed_in_one_line)
{
	static const struct limits l = { 1024, NONE, 32768, 77, 4096 };
	struct buf words;

	buf_init(&words, 1000);
	limits_print(&l, &wish, &words);
	cr_assert(slice_is(
		buf_slice(&words),
		"needed: 501 processes, 526 open files in the supervisor, 34 in a worker; the machine has: open files 1024; processes of the user unlimited; process ids 32768; left in the control group 77; queue of a listener 4096\n"));
	buf_deinit(&words);
}

Test(limits, reads_this_machine)
{
	struct limits l;
	struct rlimit r;

	limits_read(&l, true);
	cr_assert_eq(l.nproc, NONE);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	cr_assert_eq(l.nofile,
		     r.rlim_cur == RLIM_INFINITY ? NONE : r.rlim_cur);
	cr_assert_gt(l.pid_max, 300);
	cr_assert_neq(l.pid_max, NONE);
	cr_assert_gt(l.somaxconn, 0);
}

Test(limits, raises_open_files_as_far_as_it_may)
{
	static const struct limits_wish small = { 100, 1, 1, 0 };
	struct rlimit r;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	cr_assert_geq(r.rlim_max, 285);
	r.rlim_cur = 64;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
	limits_raise(&small);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	cr_assert_eq(r.rlim_cur, 285);
	/* And never lowers. */
	limits_raise(&(struct limits_wish){ 1, 1, 1, 0 });
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	cr_assert_eq(r.rlim_cur, 285);
}

/* Reserve workers need what a worker needs of processes and pairs. */
Test(limits, keep_room_for_the_reserve)
{
	static const struct limits_wish two = { 500, 2, 4, 2 };
	static const struct limits cuts[] = {
		{ 527, NONE, NONE, NONE, NONE },
		{ NONE, 502, NONE, NONE, NONE },
		{ NONE, NONE, 1013, NONE, NONE },
		{ NONE, NONE, NONE, 502, NONE },
	};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct limits enough = cuts[i];
		struct buf words;
		bool is_short;

		buf_init(&words, 1000);
		cr_expect_eq(limits_cap(&cuts[i], &two, &words, &is_short),
			     499, "%zu", i);
		enough.nofile += enough.nofile != NONE;
		enough.nproc += enough.nproc != NONE;
		enough.pid_max += enough.pid_max != NONE;
		enough.pids_free += enough.pids_free != NONE;
		cr_expect_eq(limits_cap(&enough, &two, &words, &is_short), 500,
			     "%zu", i);
		buf_deinit(&words);
	}
}
