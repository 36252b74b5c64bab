#include "shared/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "shared/clock.h"
#include "t/unit/support/expect_log.h"

static void begin(void)
{
	expect_log_begin();
	clock_set(100 * CLOCK_S);
}

static void end(void)
{
	expect_log_end();
	clock_set(0);
	log_context("");
	log_level(LOG_LEVEL_INFO);
}

TestSuite(log, .init = begin, .fini = end);

Test(log, levels_have_words_and_a_threshold)
{
	log_debug("too low");
	cr_assert_eq(expect_log_count(), 0);
	log_info("a line of %d", 1);
	cr_assert_str_eq(expect_log_last(), "a line of 1");
	expect_log(LOG_LEVEL_WARN, "warning: mind this");
	log_warn("mind this");
	expect_log(LOG_LEVEL_ERROR, "error: broken");
	log_error("broken");
	log_level(LOG_LEVEL_DEBUG);
	log_debug("now");
	cr_assert_str_eq(expect_log_last(), "debug: now");
	log_level(LOG_LEVEL_ERROR);
	log_warn("below the threshold");
	cr_assert_eq(expect_log_count(), 4);
}

Test(log, lines_begin_with_the_context)
{
	log_context("4FxYz1");
	log_info("from=<>");
	cr_assert_str_eq(expect_log_last(), "4FxYz1: from=<>");
	expect_log(LOG_LEVEL_WARN, "warning: 4FxYz1: x");
	log_warn("x");
	log_context("");
	log_info("bare");
	cr_assert_str_eq(expect_log_last(), "bare");
}

Test(log, a_long_context_is_cut)
{
	char context[300];

	memset(context, 'c', sizeof(context) - 1);
	context[sizeof(context) - 1] = '\0';
	log_context(context);
	log_info("line");
	cr_assert_leq(strlen(expect_log_last()), 128 + 2 + 4);
	cr_assert_geq(strlen(expect_log_last()), 120);
}

Test(log, no_control_bytes_in_a_line)
{
	log_info("a\nb\tc\x7f"
		 "d\x1b[1m");
	cr_assert_str_eq(expect_log_last(), "a?b?c?d?[1m");
}

Test(log, long_lines_are_cut)
{
	char text[20000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	cr_assert_geq(strlen(expect_log_last()), 4000);
	cr_assert_lt(strlen(expect_log_last()), 10000);
}

static void warn_of_a_kind(int n)
{
	log_warn("child \"%s\": a kind of warning, long enough to be told by "
		 "its first words, number %d", "one", n);
}

Test(log, warnings_of_a_kind_are_counted_beyond_ten)
{
	for (int i = 0; i < 10; i++)
		expect_log(LOG_LEVEL_WARN, "a kind of warning");
	for (int i = 0; i < 25; i++)
		warn_of_a_kind(i);
	cr_assert_eq(expect_log_count(), 10);
	clock_set(111 * CLOCK_S);
	expect_log(LOG_LEVEL_WARN,
		   "15 more lines like \"child \"one\": a kind of warning");
	expect_log(LOG_LEVEL_WARN, "number 99");
	warn_of_a_kind(99);
	cr_assert_eq(expect_log_count(), 12);
}

Test(log, quoting)
{
	static const struct {
		struct slice text;
		const char *want;
	} cases[] = {
		{ SLICE_LIT(""), "\"\"" },
		{ SLICE_LIT("plain text"), "\"plain text\"" },
		{ SLICE_LIT("a\"b\\c"), "\"a\\x22b\\x5cc\"" },
		{ SLICE_LIT("\0\n\x7f\xff"), "\"\\x00\\x0a\\x7f\\xff\"" },
		{ SLICE_LIT(" ~"), "\" ~\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 1000);
		cr_assert(log_quote(&b, cases[i].text));
		cr_expect(slice_is(buf_slice(&b), cases[i].want), "%.*s",
			  SLICE_ARG(buf_slice(&b)));
		buf_deinit(&b);
	}
}

Test(log, quoting_cuts_at_256_bytes)
{
	char text[257];
	struct buf b;

	memset(text, 'x', sizeof(text));
	buf_init(&b, 1000);
	cr_assert(log_quote(&b, slice_of(text, 256)));
	cr_assert_eq(buf_len(&b), 258);
	buf_clear(&b);
	cr_assert(log_quote(&b, slice_of(text, 257)));
	cr_assert_eq(buf_len(&b), 256 + 5);
	cr_assert(slice_is(slice_from(buf_slice(&b), 256), "x...\""));
	buf_deinit(&b);
	buf_init(&b, 10);
	cr_assert_not(log_quote(&b, slice_of(text, 257)));
	buf_deinit(&b);
}

/* What this process writes to stderr until stderr_end(). */
static int saved_stderr, stderr_pipe[2];

static void stderr_begin(void)
{
	cr_assert_eq(pipe(stderr_pipe), 0);
	saved_stderr = dup(STDERR_FILENO);
	cr_assert_eq(dup2(stderr_pipe[1], STDERR_FILENO), STDERR_FILENO);
	close(stderr_pipe[1]);
}

static void stderr_end(char *text, size_t size)
{
	ssize_t len;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	len = read(stderr_pipe[0], text, size - 1);
	text[len > 0 ? len : 0] = '\0';
	close(stderr_pipe[0]);
}

Test(log, stderr_gets_whole_lines_with_program_and_pid)
{
	char text[500], want[100];

	log_capture(NULL);
	(void)log_open(LOG_SINK_STDERR, "sekishod", LOG_MAIL, NULL);
	stderr_begin();
	log_warn("one");
	log_info("two");
	stderr_end(text, sizeof(text));
	snprintf(want, sizeof(want),
		 "sekishod[%d]: warning: one\nsekishod[%d]: two\n",
		 (int)getpid(), (int)getpid());
	cr_assert_str_eq(text, want);
}

/* No daemon listens in a test: the line is lost, and that is all. */
Test(log, a_sink_that_is_not_there_does_no_harm)
{
	char text[500];

	log_capture(NULL);
	stderr_begin();
	(void)log_open(LOG_SINK_JOURNAL, "sekisho-test", LOG_MAIL, NULL);
	log_debug("below the threshold, written nowhere");
	(void)log_open(LOG_SINK_STDERR, "sekisho-test", LOG_MAIL, NULL);
	stderr_end(text, sizeof(text));
	cr_assert_str_eq(text, "");
}

/* The word is looked at before each line, in every process that follows. */
Test(log, the_file_is_opened_anew_when_the_word_changes)
{
	char directory[] = "/tmp/sekisho-log.XXXXXX", path[100], old[100];
	static _Atomic uint32_t word;
	struct stat st;
	off_t size;

	log_capture(NULL);
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(old, sizeof(old), "%s/old", directory);
	cr_assert(log_open(LOG_SINK_FILE, "sekishod", LOG_MAIL, path));
	log_follow(&word);
	log_info("one");
	cr_assert_eq(rename(path, old), 0);
	log_info("two");
	cr_expect_neq(access(path, F_OK), 0);
	word++;
	log_info("three");
	cr_assert_eq(stat(path, &st), 0);
	size = st.st_size;
	cr_expect_gt(size, 0);
	log_info("seven");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_size, 2 * size);
	log_follow(NULL);
	cr_assert(log_open(LOG_SINK_STDERR, "sekishod", LOG_MAIL, NULL));
	unlink(path);
	unlink(old);
	rmdir(directory);
}

/* The word may lie in shared memory; here it does not. */
Test(log, what_is_lost_is_counted)
{
	static _Atomic uint64_t lost;
	int full = open("/dev/full", O_WRONLY), before = dup(STDERR_FILENO);

	log_capture(NULL);
	cr_assert(full >= 0 && before >= 0);
	log_count_lost(&lost);
	cr_assert(log_open(LOG_SINK_FILE, "sekishod", LOG_MAIL, "/dev/full"));
	log_info("one");
	log_info("two");
	cr_expect_eq(lost, 2);
	cr_assert(log_open(LOG_SINK_STDERR, "sekishod", LOG_MAIL, NULL));
	cr_expect_eq(lost, 2, "not those that are written");
	dup2(full, STDERR_FILENO);
	log_info("three");
	log_debug("below the level: nobody wants it");
	dup2(before, STDERR_FILENO);
	cr_expect_eq(lost, 3);
	log_count_lost(NULL);
	cr_assert(log_open(LOG_SINK_FILE, "sekishod", LOG_MAIL, "/dev/full"));
	log_info("four");
	cr_expect_eq(lost, 3);
	cr_assert(log_open(LOG_SINK_STDERR, "sekishod", LOG_MAIL, NULL));
	close(full);
	close(before);
}

Test(log, our_own_bug_aborts, .signal = SIGABRT)
{
	int two = 2;

	expect_log(LOG_LEVEL_ERROR, "two == 2");
	BUG_IF(two == 3);
	BUG_IF(two == 2);
}
