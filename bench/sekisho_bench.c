/*
 * sekisho-bench - load: an MTA in front of one or several milters
 *
 *	sekisho-bench [OPTION...] SOCKET...
 *
 *	--sessions N	 sessions in all (100)
 *	--messages N	 in each session (1)
 *	--concurrency N	 so many at once, each a process as smtpd is (1)
 *	--size BYTES	 of headers and body (4096)
 *	--headers N	 (20)
 *	--recipients N	 (2)
 *	--helos N	 how often a session says HELO (1)
 *	--pause MS	 about so long before each of them (0)
 *	--stranger N	 every N'th session comes from 198.51.100.7 (0: none)
 *	--hold N	 opens N sessions, says all up to the recipients, prints
 *			 and holds them until standard input ends
 *	--limit SECONDS	 for all of it (30)
 *
 * With one SOCKET it speaks to a manager; with several it is the MTA that has
 * all of them in its own list.  Prints one line of name=value: what passed,
 * messages per second, own CPU, and the time of each step in microseconds.
 * Exit status: 0 when every message passed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/load_session.h"
#include "shared/clock.h"

#define MANY UINT64_C(10000000)
/* Descriptors that one holding process uses at most, and some to spare. */
#define HOLD_FDS  16000
#define SPARE_FDS 64

struct run {
	const struct load_plan *plan;
	struct load_tally *tally;
	int start_fd; /* ends when all may begin */
	int end_fd;   /* ends when those that hold shall close */
	uint64_t begin;
};

/* ------------------------------------------------------------ one process */

/* Takes a session if there is one left. */
static bool one_session(const struct run *run, struct load_session *s)
{
	const uint64_t number = atomic_fetch_add(&run->tally->taken, 1);
	const uint64_t begin = clock_now();
	bool good;

	if (number >= run->plan->sessions)
		return false;
	good = load_session_begin(s, number);
	for (uint64_t i = 0; i < run->plan->messages && good; i++)
		good = load_session_message(s);
	if (good)
		load_note(run->tally, LOAD_SESSION, begin);
	else
		atomic_fetch_add(&run->tally->failed, 1);
	load_session_end(s);
	return true;
}

/* Blocks until the other end of a pipe is closed everywhere. */
static void await_end(int fd)
{
	char byte;

	while (read(fd, &byte, 1) > 0 || errno == EINTR)
		errno = 0;
}

static uint64_t own_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* The life of an smtpd: waits for the start, sends, notes, goes. */
static void send_all(const struct run *run)
{
	struct load_session *s = load_session_new(run->plan, run->tally);
	uint64_t before;

	if (!s)
		_exit(1);
	srandom((unsigned)getpid());
	await_end(run->start_fd);
	before = own_cpu();
	while (one_session(run, s))
		continue;
	atomic_fetch_add(&run->tally->cpu, own_cpu() - before);
	load_raise(&run->tally->end, clock_now());
	_exit(0);
}

/* Opens its part of the sessions and holds them. */
static void hold(const struct run *run, uint64_t count)
{
	struct load_session *s;
	bool refused, good = true;

	await_end(run->start_fd);
	for (uint64_t i = 0; i < count; i++) {
		s = load_session_new(run->plan, run->tally);
		good = s && load_session_begin(s, i) &&
		       load_session_envelope(s, &refused) && !refused;
		atomic_fetch_add(good ? &run->tally->held : &run->tally->failed,
				 1);
	}
	load_raise(&run->tally->end, clock_now());
	await_end(run->end_fd);
	_exit(0); /* closes them all */
}

/* ------------------------------------------------------------ many of them */

/* False: one could not be started. */
static bool start(const struct run *run, int start_write, int end_write,
		  uint64_t hold_count)
{
	const pid_t pid = fork();

	if (pid != 0)
		return pid > 0;
	alarm((unsigned)run->plan->limit);
	close(start_write);
	close(end_write);
	if (hold_count)
		hold(run, hold_count);
	send_all(run);
	_exit(1);
}

static bool start_all(const struct run *run, int start_write, int end_write)
{
	const struct load_plan *plan = run->plan;
	const uint64_t each = HOLD_FDS / plan->peer_count;
	bool good = true;

	for (uint64_t left = plan->hold; left && good;) {
		const uint64_t n = left < each ? left : each;

		good = start(run, start_write, end_write, n);
		left -= n;
	}
	for (uint64_t i = 0; i < plan->concurrency && good && !plan->hold; i++)
		good = start(run, start_write, end_write, 0);
	return good;
}

/* Until all sessions stand, or broke off, or the time is over. */
static void await_held(const struct run *run)
{
	const struct timespec t = { 0, 20000000 };
	const uint64_t last = run->begin + run->plan->limit * CLOCK_S;

	while (atomic_load(&run->tally->held) +
			       atomic_load(&run->tally->failed) <
		       run->plan->hold &&
	       clock_now() < last)
		nanosleep(&t, NULL);
}

static void print(const struct run *run)
{
	load_tally_print(run->tally,
			 (double)(run->tally->end - run->begin) / 1e6);
}

/* Starts all, lets them go at once, waits.  False: one did not come back. */
static bool run_all(struct run *run)
{
	int begin[2], end[2], status;
	bool good;

	if (pipe(begin) != 0 || pipe(end) != 0)
		return false;
	run->start_fd = begin[0];
	run->end_fd = end[0];
	good = start_all(run, begin[1], end[1]);
	run->begin = clock_now();
	close(begin[1]);
	if (run->plan->hold) {
		await_held(run);
		print(run);
		await_end(STDIN_FILENO);
	}
	close(end[1]);
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			good = false;
	if (!run->plan->hold)
		print(run);
	return good;
}

static bool all_passed(const struct load_plan *plan, const struct load_tally *t)
{
	if (plan->hold)
		return t->held == plan->hold;
	return !t->failed && t->passed == plan->sessions * plan->messages;
}

/* --------------------------------------------------------------- to begin */

static void die(const char *what, const char *why)
{
	fprintf(stderr, "sekisho-bench: %s: %s\n", what, why);
	exit(2);
}

/* Two long headers of twenty, as signatures are, the others of 57 bytes. */
static struct slice header_value(uint64_t i)
{
	static const char text[] =
		"from client.example.net by mx.example.org with ESMTPS id "
		"4FxYz12345z9\n\tfor <bert@example.org>; Sat, 21 Nov 2026 "
		"10:00:00 +0000 (UTC); b=aGVsbG8gd29ybGQgdGhpcyBpcyBub3QgYSBz"
		"aWduYXR1cmUgYnV0IGl0IGlzIGFzIGxvbmc=";

	return slice_of(text, i % 10 == 3 ? sizeof(text) - 1 : 57);
}

static void make_message(struct load_plan *plan)
{
	static const char line[] = "The quick brown fox jumps over the lazy "
				   "dog, as it does in every body.\r\n";
	uint64_t left = plan->size;
	char *body = malloc(plan->size + 1);

	plan->header = calloc(plan->headers + 1, sizeof(plan->header[0]));
	if (!plan->header || !body)
		die("message", "no memory");
	for (uint64_t i = 0; i < plan->headers; i++) {
		struct command_header *h = &plan->header[i];
		uint64_t len;

		h->name = SLICE_LIT("X-Bench-Header");
		h->value = header_value(i);
		len = h->name.len + h->value.len + 4;
		left = left > len ? left - len : 0;
	}
	for (uint64_t i = 0; i < left; i++)
		body[i] = line[i % (sizeof(line) - 1)];
	plan->body = slice_of(body, left);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
	uint64_t n;

	if (!slice_to_u64(slice_str(text), max, &n) || n < min)
		die(text, "not a number that makes sense here");
	return n;
}

static void add_peer(struct load_plan *plan, const char *text)
{
	struct endpoint *e = &plan->peers[plan->peer_count];
	const char *why;

	if (plan->peer_count == LOAD_PEERS_MAX)
		die(text, "too many milters");
	if (!endpoint_parse(slice_str(text), e, &why) ||
	    !endpoint_resolve(e, false, &why))
		die(text, why);
	plan->peer_count++;
}

struct option_row {
	const char *name;
	uint64_t min, max;
	uint64_t *value;
};

static void read_option(const struct option_row *row, const char *name,
			const char *text)
{
	while (row->name && strcmp(row->name, name) != 0)
		row++;
	if (!row->name || !text)
		die(name, row->name ? "needs a number" : "no such option");
	*row->value = number(text, row->min, row->max);
}

/* By hand: getopt_long()'s struct option has the name of the milter's. */
static void read_options(char **argv, struct load_plan *plan)
{
	const struct option_row rows[] = {
		{ "--sessions", 1, MANY, &plan->sessions },
		{ "--messages", 0, MANY, &plan->messages },
		{ "--concurrency", 1, 20000, &plan->concurrency },
		{ "--size", 0, 1 << 28, &plan->size },
		{ "--headers", 0, 1000, &plan->headers },
		{ "--recipients", 1, 1000, &plan->recipients },
		{ "--helos", 1, MANY, &plan->helos },
		{ "--pause", 0, 60000, &plan->pause },
		{ "--stranger", 0, MANY, &plan->stranger },
		{ "--hold", 0, 100000, &plan->hold },
		{ "--limit", 1, 3600, &plan->limit },
		{ NULL, 0, 0, NULL },
	};

	for (argv++; *argv && strncmp(*argv, "--", 2) == 0; argv += 2)
		read_option(rows, argv[0], argv[1]);
	for (; *argv; argv++)
		add_peer(plan, *argv);
	if (!plan->peer_count)
		die("SOCKET", "at least one is needed");
}

/* Those that hold need many descriptors. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < HOLD_FDS + SPARE_FDS)
		fprintf(stderr, "sekisho-bench: at most %lu descriptors\n",
			(unsigned long)limit.rlim_max);
}

int main(int argc, char **argv)
{
	static struct load_plan plan = { .sessions = 100,
					 .messages = 1,
					 .concurrency = 1,
					 .headers = 20,
					 .size = 4096,
					 .recipients = 2,
					 .helos = 1,
					 .limit = 30 };
	struct run run = { .plan = &plan };
	bool good;

	signal(SIGPIPE, SIG_IGN);
	(void)argc;
	read_options(argv, &plan);
	make_message(&plan);
	if (plan.hold)
		raise_limits();
	run.tally = load_tally_new();
	if (!run.tally)
		die("memory", "there is none");
	good = run_all(&run) && all_passed(&plan, run.tally);
	free(plan.header);
	free((char *)(uintptr_t)plan.body.data);
	return good ? 0 : 1;
}
