#include "shared/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <criterion/criterion.h>

#include "shared/clock.h"

/* A table's file, a place for problems, and what asking needs. */
struct bench {
	struct arena arena;
	struct cond_matcher *matcher;
	char path[64];
	char source[128];
	char problems[4096];
	unsigned count;
	struct table_report report;
	struct table *t;
};

static void note(void *context, const char *file, unsigned line,
		 const char *text)
{
	struct bench *b = context;
	size_t len = strlen(b->problems);

	cr_assert(strcmp(file, "") == 0 || strcmp(file, b->path) == 0);
	b->count++;
	snprintf(b->problems + len, sizeof(b->problems) - len, "%u: %s\n", line,
		 text);
}

/* Each write is a file of its own, as editors and mv make it. */
static void write_file(struct bench *b, struct slice text)
{
	char aside[128];
	FILE *f;

	snprintf(aside, sizeof(aside), "%s.new", b->path);
	f = fopen(aside, "wb");
	cr_assert_not_null(f);
	cr_assert_eq(fwrite(text.data, 1, text.len, f), text.len);
	cr_assert_eq(fclose(f), 0);
	cr_assert_eq(rename(aside, b->path), 0);
}

static void bench_open(struct bench *b, const char *kind, struct slice text)
{
	int fd;

	memset(b, 0, sizeof(*b));
	arena_init(&b->arena, (size_t)64 << 20);
	b->matcher = cond_matcher_new();
	snprintf(b->path, sizeof(b->path), "/tmp/table_test.XXXXXX");
	fd = mkstemp(b->path);
	cr_assert(fd >= 0);
	close(fd);
	write_file(b, text);
	snprintf(b->source, sizeof(b->source), "%s:%s", kind, b->path);
	b->report = (struct table_report){ note, b };
	b->t = table_open(&b->arena, SLICE_LIT("name"), slice_str(b->source),
			  &b->report);
}

static void bench_close(struct bench *b)
{
	table_close(&b->t);
	cr_assert_null(b->t);
	cond_matcher_free(&b->matcher);
	arena_deinit(&b->arena);
	unlink(b->path);
}

/* "-" no, "?" unknown, else the value. */
static struct slice ask(struct bench *b, enum table_key_kind kind,
			const char *text)
{
	struct table_ask a = {
		.key = { .kind = kind, .text = slice_str(text) },
		.matcher = b->matcher,
		.scratch = &b->arena,
	};

	if (kind == KEY_IP)
		cr_assert(ip_parse(a.key.text, &a.key.ip), "%s", text);
	switch (table_lookup(b->t, &a)) {
	case TABLE_YES:
		return a.value;
	case TABLE_NO:
		return SLICE_LIT("-");
	case TABLE_UNKNOWN:
		break;
	}
	return SLICE_LIT("?");
}

struct question {
	enum table_key_kind kind;
	const char *text;
	const char *answer;
};

static void ask_all(struct bench *b, const struct question *q, size_t count)
{
	cr_assert_not_null(b->t, "%s", b->problems);
	for (size_t i = 0; i < count; i++) {
		struct slice answer = ask(b, q[i].kind, q[i].text);

		cr_expect(slice_is(answer, q[i].answer), "%d %s: %.*s",
			  q[i].kind, q[i].text, SLICE_ARG(answer));
	}
}

#define ASK_ALL(b, q) ask_all(b, q, sizeof(q) / sizeof((q)[0]))

Test(table, lists)
{
	static const struct question q[] = {
		{ KEY_WORD, "word", "" },
		{ KEY_WORD, "WORD", "" },
		{ KEY_WORD, "wor", "-" },
		{ KEY_WORD, "", "-" },
		{ KEY_WORD, "example.com", "-" },
		{ KEY_DOMAIN, "example.com", "all below" },
		{ KEY_DOMAIN, "Mail.Example.COM", "all below" },
		{ KEY_DOMAIN, "example.com.", "all below" },
		{ KEY_DOMAIN, "anexample.com", "-" },
		{ KEY_DOMAIN, "a.b.c.example.com", "all below" },
		{ KEY_DOMAIN, "own.example.com", "own" },
		{ KEY_DOMAIN, "x.own.example.com", "all below" },
		{ KEY_DOMAIN, "example.org", "only" },
		{ KEY_DOMAIN, "www.example.org", "-" },
		{ KEY_DOMAIN, "", "-" },
		{ KEY_DOMAIN, ".", "-" },
		{ KEY_MAILBOX, "joe@example.net", "full" },
		{ KEY_MAILBOX, "Joe@Example.NET", "full" },
		{ KEY_MAILBOX, "jim@example.net", "-" },
		{ KEY_MAILBOX, "jim@example.org", "only" },
		{ KEY_MAILBOX, "jim@www.example.org", "-" },
		{ KEY_MAILBOX, "jim@www.example.com", "all below" },
		{ KEY_MAILBOX, "abuse@anywhere.test", "role" },
		{ KEY_MAILBOX, "\"a@b\"@example.org", "only" },
		{ KEY_MAILBOX, "", "null" },
		{ KEY_MAILBOX, "nodomain", "-" },
		{ KEY_MAILBOX, "word", "" },
		{ KEY_MAILBOX, "@", "-" },
		{ KEY_IP, "192.0.2.1", "as text" },
		{ KEY_IP, "192.0.2.2", "-" },
	};
	struct bench b;

	bench_open(&b, "list",
		   SLICE_LIT("\xef\xbb\xbf# a comment\r\n\r\nword\r\n"
			     "  .example.com all below # comment\n"
			     "own.example.com\town\nexample.org   only\n"
			     "Joe@example.net full\nabuse@ role # a # comment\n"
			     "<> null\nword twice\n192.0.2.1 as text"));
	ASK_ALL(&b, q);
	cr_assert_eq(table_kind(b.t), TABLE_LIST);
	cr_assert_eq(table_count(b.t), 8);
	cr_assert(slice_is(table_name(b.t), "name"));
	cr_assert_str_eq(table_path(b.t), b.path);
	cr_assert(table_has_text(b.t));
	cr_assert_not(table_has_networks(b.t));
	bench_close(&b);
}

Test(table, networks)
{
	static const struct question q[] = {
		{ KEY_IP, "10.0.0.0", "ten" },
		{ KEY_IP, "10.255.255.255", "ten" },
		{ KEY_IP, "11.0.0.0", "-" },
		{ KEY_IP, "9.255.255.255", "-" },
		{ KEY_IP, "10.1.0.0", "inner" },
		{ KEY_IP, "10.1.2.3", "-" },
		{ KEY_IP, "10.1.2.4", "inner" },
		{ KEY_IP, "10.1.255.255", "inner" },
		{ KEY_IP, "10.2.0.0", "ten" },
		{ KEY_IP, "255.255.255.255", "last" },
		{ KEY_IP, "255.255.255.254", "-" },
		{ KEY_IP, "0.0.0.0", "first" },
		{ KEY_IP, "::ffff:10.1.0.1", "inner" },
		{ KEY_IP, "2001:db8::1", "six" },
		{ KEY_IP, "2001:db9::", "-" },
		{ KEY_IP, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "end" },
		{ KEY_IP, "::1", "-" },
		{ KEY_WORD, "10.0.0.0", "-" },
	};
	struct bench b;

	bench_open(&b, "cidr",
		   SLICE_LIT("10.0.0.0/8 ten\n10.1.0.0/16 inner\n!10.1.2.3\n"
			     "255.255.255.255 last\n0.0.0.0/31 first\n"
			     "2001:db8::/32 six\nff00::/8 end # x\n"
			     "10.1.0.0/16 again\n"));
	ASK_ALL(&b, q);
	cr_assert_eq(table_count(b.t), 7);
	cr_assert(table_has_networks(b.t));
	cr_assert_not(table_has_text(b.t));
	bench_close(&b);
}

/* Against the plain way: the longest prefix of all that hold the address. */
Test(table, networks_as_one_by_one)
{
	static char text[65536];
	static struct network all[600];
	struct bench b;
	unsigned seed = 4711;
	size_t len = 0;

	for (size_t i = 0; i < 600; i++) {
		char printed[64];
		struct network *n = &all[i];

		seed = seed * 1103515245u + 12345u;
		n->ip.is_v6 = seed >> 16 & 1;
		n->prefix = (seed >> 20) % (n->ip.is_v6 ? 21u : 17u);
		for (size_t k = 0; k < 3; k++) {
			seed = seed * 1103515245u + 12345u;
			/* Few values, so that they lie inside each other. */
			n->ip.bytes[k] = (uint8_t)(seed >> 16 & 0x91);
		}
		network_print(n, printed, sizeof(printed));
		/* Clears the host bits. */
		network_parse(slice_str(printed), n);
		network_print(n, printed, sizeof(printed));
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s p%u\n", printed, n->prefix);
	}
	bench_open(&b, "cidr", slice_of(text, len));
	cr_assert_not_null(b.t, "%s", b.problems);
	for (unsigned i = 0; i < 65536; i++) {
		struct table_ask a = { .key = { .kind = KEY_IP } };
		const struct network *best = NULL;
		char expected[16] = "";

		a.key.ip.is_v6 = i & 1;
		a.key.ip.bytes[0] = (uint8_t)(i >> 8);
		a.key.ip.bytes[1] = (uint8_t)i;
		a.key.ip.bytes[2] = (uint8_t)(i * 7);
		for (size_t k = 0; k < 600; k++)
			if (network_has(&all[k], &a.key.ip) &&
			    (!best || all[k].prefix > best->prefix))
				best = &all[k];
		cr_assert_eq(table_lookup(b.t, &a) == TABLE_YES, best != NULL);
		if (best)
			snprintf(expected, sizeof(expected), "p%u",
				 best->prefix);
		cr_assert(slice_is(a.value, expected));
	}
	bench_close(&b);
}

Test(table, a_hundred_thousand_networks_in_few_steps)
{
	size_t room = (size_t)3 << 20, len = 0;
	char *text = malloc(room);
	unsigned steps = 0;
	struct bench b;

	cr_assert_not_null(text);
	for (unsigned i = 0; i < 100000; i++)
		len += (size_t)snprintf(text + len, room - len,
					"%u.%u.%u.0/%u\n", i % 200 + 1,
					i / 200 % 250, i / 50000 * 16 + i % 16,
					24 + i % 2);
	bench_open(&b, "cidr", slice_of(text, len));
	cr_assert_not_null(b.t, "%s", b.problems);
	cr_assert_gt(table_count(b.t), 99000);
	for (unsigned i = 0; i < 100000; i++) {
		struct table_ask a = { .key = { .kind = KEY_IP } };

		a.key.ip.bytes[0] = (uint8_t)(i % 256);
		a.key.ip.bytes[1] = (uint8_t)(i / 256);
		a.key.ip.bytes[2] = (uint8_t)(i * 31);
		table_lookup(b.t, &a);
		cr_assert_leq(a.steps, 18);
		steps += a.steps;
	}
	cr_assert_gt(steps, 100000);
	bench_close(&b);
	free(text);
}

Test(table, regexps_in_the_syntax_of_postfix)
{
	static const struct question q[] = {
		{ KEY_WORD, "mx12.example.org", "host 12 of example.org $" },
		{ KEY_WORD, "MX12.example.org", "host 12 of example.org $" },
		{ KEY_WORD, "Case", "case" },
		{ KEY_WORD, "case", "none of these" },
		{ KEY_WORD, "in-a", "a after in-" },
		{ KEY_WORD, "in-b", "b goes on here" },
		{ KEY_WORD, "in-bc", "bc in both" },
		{ KEY_WORD, "b", "none of these" },
		{ KEY_WORD, "x|y", "bar" },
		{ KEY_WORD, "/path", "slash" },
		{ KEY_WORD, "keep", "-" },
		{ KEY_MAILBOX, "joe@example.net", "none of these" },
	};
	struct bench b;

	bench_open(&b, "regexp",
		   SLICE_LIT("# a comment\n"
			     "/^mx([0-9]+)\\.(.*)$/ host $1 of ${2} $$\n"
			     "/^Case$/i case\n"
			     "if /^in-/\n"
			     "/a$/ a after in-\n"
			     "/b$/\n"
			     "   b goes\n"
			     "\ton here\n"
			     "if !/z/\n"
			     "/(bc)$/ $(1) in both\n"
			     "endif\n"
			     "endif\n"
			     "|x\\|y| bar\n"
			     "/^\\// slash\n"
			     "!/^keep$/ none of these\n"));
	ASK_ALL(&b, q);
	cr_assert(table_has_text(b.t));
	bench_close(&b);
}

Test(table, inline_sources)
{
	struct bench b;
	struct table *t;

	bench_open(&b, "list", SLICE_LIT("x\n"));
	table_close(&b.t);
	b.t = table_open(&b.arena, SLICE_LIT("i"),
			 SLICE_LIT("inline: a, .example.org  \"c d\",'e'"),
			 &b.report);
	cr_assert_not_null(b.t, "%s", b.problems);
	cr_assert_eq(table_count(b.t), 4);
	cr_assert(slice_is(ask(&b, KEY_WORD, "C D"), ""));
	cr_assert(slice_is(ask(&b, KEY_WORD, "e"), ""));
	cr_assert(slice_is(ask(&b, KEY_DOMAIN, "x.example.org"), ""));
	cr_assert(slice_is(ask(&b, KEY_WORD, "b"), "-"));
	cr_assert_not(table_has_networks(b.t));
	cr_assert_not(table_changed(b.t));
	cr_assert(table_reload(b.t, &b.report));
	b.t = table_open(&b.arena, SLICE_LIT("n"),
			 SLICE_LIT("inline:192.0.2.0/24 , ::1"), &b.report);
	cr_assert(table_has_networks(b.t));
	cr_assert(slice_is(ask(&b, KEY_IP, "192.0.2.9"), ""));
	cr_assert(slice_is(ask(&b, KEY_IP, "192.0.3.9"), "-"));
	b.t = table_open(&b.arena, SLICE_LIT("e"), SLICE_LIT("inline:"),
			 &b.report);
	cr_assert_not_null(b.t);
	cr_assert(slice_is(ask(&b, KEY_WORD, ""), "-"));
	t = table_open(&b.arena, SLICE_LIT("o"), SLICE_LIT("inline:a"),
		       &b.report);
	cr_assert_not_null(t);
	cr_assert_eq(b.count, 0, "%s", b.problems);
	bench_close(&b);
}

/* clang-format off */
static const struct {
	const char *kind;
	struct slice text;
	const char *says;
} broken[] = {
	{ "list",   SLICE_LIT("ok\n*.example.org\n@example.org\n192.0.2.0/24\na\x01" "b\n"),
	  "5: a control byte in it\n"
	  "2: write \".example.org\" for a domain with all below it, without the star\n" },
	{ "list",   SLICE_LIT("@example.org\n"),  "1: write \"example.org\" for all addresses" },
	{ "list",   SLICE_LIT("\n192.0.2.0/24\n"), "2: \"192.0.2.0/24\" is a network" },
	{ "cidr",   SLICE_LIT("10.0.0.1/8\n"),    "1: \"10.0.0.1/8\" has bits behind the prefix; is 10.0.0.0/8 meant?" },
	{ "cidr",   SLICE_LIT("#\n\nhost x\n"),   "3: \"host\" is no address or network" },
	{ "cidr",   SLICE_LIT("10.0.0.0/8\n!10.0.0.0/8\n"), "2: the same network stands in line 1" },
	{ "regexp", SLICE_LIT("abc\n"),           "1: a line begins with" },
	{ "regexp", SLICE_LIT("/abc\n"),          "1: the regex has no closing" },
	{ "regexp", SLICE_LIT("/a(/ x\n"),        "1: regex, at byte 3" },
	{ "regexp", SLICE_LIT("/a/q x\n"),        "1: \"q\" is no flag" },
	{ "regexp", SLICE_LIT("endif\n"),         "1: endif without if" },
	{ "regexp", SLICE_LIT("\nif /a/\n/b/ x\n"), "2: if without endif" },
	{ "regexp", SLICE_LIT("if /a/ x\nendif y\n"), "1: nothing stands behind the regex" },
};
/* clang-format on */

static bool has_line(const char *all, const char *says)
{
	return strstr(all, says) != NULL;
}

Test(table, problems_are_told_with_their_lines)
{
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct bench b;

		bench_open(&b, broken[i].kind, broken[i].text);
		cr_expect_null(b.t, "case %zu", i);
		cr_expect_gt(b.count, 0);
		if (i == 0) {
			/* All at once. */
			cr_expect_eq(b.count, 4, "%s", b.problems);
			cr_expect(has_line(b.problems, "2: write"));
			cr_expect(has_line(b.problems, "3: write"));
			cr_expect(has_line(b.problems, "4: "));
			cr_expect(has_line(b.problems, "5: a control"));
		} else {
			cr_expect(has_line(b.problems, broken[i].says), "%s",
				  b.problems);
		}
		bench_close(&b);
	}
}

Test(table, sources_that_are_none)
{
	static const struct {
		const char *source, *says;
	} cases[] = {
		{ "", "is no source" },
		{ "file:/x", "is no source" },
		{ "list", "is no source" },
		{ "list:", "no path" },
		{ "list:relative", "no path" },
		{ "list:/nonexistent/table", "could not be opened" },
		{ "cidr:/tmp", "is not a file" },
		{ "regexp:/dev/null", "is not a file" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;

		bench_open(&b, "list", SLICE_LIT("x\n"));
		table_close(&b.t);
		snprintf(b.path, sizeof(b.path), "%s",
			 strchr(cases[i].source, '/') ?
				 strchr(cases[i].source, '/') :
				 "");
		b.t = table_open(&b.arena, SLICE_LIT("n"),
				 slice_str(cases[i].source), &b.report);
		cr_expect_null(b.t);
		cr_expect(has_line(b.problems, cases[i].says), "%s: %s",
			  cases[i].source, b.problems);
		b.path[0] = '\0';
		bench_close(&b);
	}
}

Test(table, a_broken_version_leaves_the_old_one_in_force)
{
	struct bench b;

	bench_open(&b, "list", SLICE_LIT("one first\n"));
	cr_assert_not(table_changed(b.t));
	cr_assert_eq(table_generation(b.t), 1);

	write_file(&b, SLICE_LIT("one second\ntwo\n"));
	cr_assert(table_changed(b.t));
	cr_assert(slice_is(ask(&b, KEY_WORD, "one"), "first"));
	cr_assert(table_reload(b.t, &b.report));
	cr_assert_not(table_changed(b.t));
	cr_assert_eq(table_generation(b.t), 2);
	cr_assert(slice_is(ask(&b, KEY_WORD, "one"), "second"));

	write_file(&b, SLICE_LIT("one third\n*.two\n@three\n"));
	cr_assert(table_changed(b.t));
	cr_assert_not(table_reload(b.t, &b.report));
	cr_assert_eq(b.count, 2);
	cr_assert_not(table_changed(b.t));
	cr_assert_eq(table_generation(b.t), 2);
	cr_assert(slice_is(ask(&b, KEY_WORD, "one"), "second"));

	/* An editor that has moved it away for a moment. */
	unlink(b.path);
	cr_assert_not(table_changed(b.t));
	cr_assert_not(table_reload(b.t, &b.report));
	cr_assert(slice_is(ask(&b, KEY_WORD, "one"), "second"));

	write_file(&b, SLICE_LIT("one fourth\n"));
	cr_assert(table_changed(b.t));
	cr_assert(table_reload(b.t, &b.report));
	cr_assert(slice_is(ask(&b, KEY_WORD, "one"), "fourth"));
	bench_close(&b);
}

/*
 * The worker's side, in a process of its own: told by a byte in a pipe to
 * look again, it answers with the letter that "x" stands for.
 */
static void be_worker(struct bench *b, int in, int out)
{
	char c;

	if (!table_in_worker(b->t))
		_exit(2);
	while (read(in, &c, 1) == 1) {
		struct slice before = ask(b, KEY_WORD, "x"), after;
		char answer[3] = { before.data[0], 'n', '-' };

		if (c == 'f') {
			answer[1] = table_follow(b->t) ? 'y' : 'n';
			after = ask(b, KEY_WORD, "x");
			answer[2] = after.data[0];
		}
		if (write(out, answer, 3) != 3)
			_exit(3);
	}
	_exit(0);
}

static void tell_worker(int to, int from, char what, const char *expected)
{
	char answer[4] = "";

	cr_assert_eq(write(to, &what, 1), 1);
	cr_assert_eq(read(from, answer, 3), 3);
	cr_assert_str_eq(answer, expected);
}

/* "x", or a regex for it, with this letter behind it. */
static void write_letter(struct bench *b, const char *key, char letter)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%s %c\n", key, letter);

	write_file(b, slice_of(text, (size_t)len));
}

static void follow(const char *kind, const char *key)
{
	int to[2], from[2], status;
	struct bench b;
	pid_t pid;

	bench_open(&b, kind, SLICE_LIT("# nothing yet\n"));
	write_letter(&b, key, 'a');
	cr_assert(table_reload(b.t, &b.report));
	cr_assert_not_null(b.t, "%s", b.problems);
	cr_assert_eq(pipe(to), 0);
	cr_assert_eq(pipe(from), 0);
	pid = fork();
	if (pid == 0) {
		close(to[1]);
		be_worker(&b, to[0], from[1]);
	}
	close(to[0]);
	tell_worker(to[1], from[0], 'f', "ana");
	write_letter(&b, key, 'b');
	cr_assert(table_reload(b.t, &b.report));
	/* Nothing changes within a message. */
	tell_worker(to[1], from[0], 'l', "an-");
	tell_worker(to[1], from[0], 'f', "ayb");
	tell_worker(to[1], from[0], 'f', "bnb");
	/* One that slept over many of them. */
	for (char c = 'c'; c <= 'z'; c++) {
		write_letter(&b, key, c);
		cr_assert(table_reload(b.t, &b.report));
	}
	/* Its own was given back: that is unknown, and no crash. */
	tell_worker(to[1], from[0], 'f', "?yz");
	close(to[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	close(from[0]);
	close(from[1]);
	bench_close(&b);
}

Test(table, a_worker_follows_between_messages)
{
	follow("list", "x");
	follow("regexp", "/x/");
}

Test(table, generations_come_and_go)
{
	struct bench b;

	bench_open(&b, "regexp", SLICE_LIT("/x/ 0\n"));
	clock_set(CLOCK_S);
	for (unsigned i = 1; i < 100; i++) {
		char text[32], answer[16];

		snprintf(text, sizeof(text), "/x/ %u\n", i);
		snprintf(answer, sizeof(answer), "%u", i);
		write_file(&b, slice_str(text));
		clock_set(CLOCK_S + i * TABLE_KEEP / 4);
		cr_assert(table_reload(b.t, &b.report));
		cr_assert(slice_is(ask(&b, KEY_WORD, "x"), answer));
		cr_assert_not(table_follow(b.t));
	}
	cr_assert_eq(table_generation(b.t), 100);
	clock_set(0);
	bench_close(&b);
}

Test(table, limits_are_unknown_and_not_no)
{
	struct bench b;

	bench_open(&b, "regexp", SLICE_LIT("/^(a+)+$/ x\n/b/ found\n"));
	cr_assert_not_null(b.t, "%s", b.problems);
	cr_assert(slice_is(ask(&b, KEY_WORD, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
			   "?"));
	cr_assert(slice_is(ask(&b, KEY_WORD, "b"), "found"));
	cond_matcher_free(&b.matcher);
	cr_assert(slice_is(ask(&b, KEY_WORD, "b"), "?"));
	bench_close(&b);
}

Test(table, no_memory_is_a_problem)
{
	struct bench b;
	struct arena small;

	bench_open(&b, "list", SLICE_LIT("x\n"));
	table_close(&b.t);
	arena_init(&small, 0);
	b.t = table_open(&small, SLICE_LIT("n"), slice_str(b.source),
			 &b.report);
	cr_assert_null(b.t);
	cr_assert_eq(b.count, 1);
	cr_assert_null(table_of_words(&small, &SLICE_LIT("x"), 1));
	bench_close(&b);
}
