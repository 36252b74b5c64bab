/*
 * sekisho-milter - plays a child milter from a script
 *
 * One process, one poll loop, any number of connections.  See
 * sekisho-milter(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/endpoint.h"
#include "shared/io.h"
#include "tool/listener.h"
#include "tool/milter_session.h"
#include "tool/options.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* Scripts may hold whole bodies. */
#define SCRIPT_MAX   ((size_t)1024 * 1024 * 1024)
#define EXIT_USAGE   2
#define SESSIONS_MAX 65536

struct settings {
	const char *socket;
	const char *script;
	const char *script_file;
	const char *log;
	const char *save;
	int ready_fd;
	mode_t mode;
};

struct loop {
	struct player player;
	struct endpoint endpoint;
	int listener;
	struct milter_session **sessions;
	struct pollfd *polls; /* of the sessions, and the listener behind */
	size_t count;
	size_t room;
	uint64_t accepted;
};

static volatile sig_atomic_t is_stopping;

static void on_stop(int sig)
{
	(void)sig;
	is_stopping = 1;
}

static const char usage[] =
	"usage: sekisho-milter -s SOCKET [-c SCRIPT | -f FILE] [--log FILE]\n"
	"           [--save DIRECTORY] [--ready-fd N] [--mode OCTAL] [--seed "
	"N]\n"
	"plays a child milter; see sekisho-milter(1)\n";

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "sekisho-milter: %s: %s\n", what, why);
	return 1;
}

/* --- the loop --- */

static bool grow(struct loop *l)
{
	size_t room = l->room ? l->room * 2 : 64;
	struct milter_session **sessions;
	struct pollfd *polls;

	sessions = reallocarray(l->sessions, room, sizeof(*sessions));
	if (!sessions)
		return false;
	l->sessions = sessions;
	polls = reallocarray(l->polls, room + 1, sizeof(*polls));
	if (!polls)
		return false;
	l->polls = polls;
	l->room = room;
	return true;
}

static void accept_all(struct loop *l)
{
	while (l->count < SESSIONS_MAX) {
		int fd;

		if (l->count == l->room && !grow(l))
			return;
		fd = accept4(l->listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		l->sessions[l->count] =
			milter_session_new(&l->player, fd, ++l->accepted);
		if (l->sessions[l->count])
			l->count++;
	}
}

/* One that waits for time alone is left out: its hang-up would spin us. */
static void fill_polls(struct loop *l, uint64_t *when_out)
{
	*when_out = CLOCK_NEVER;
	for (size_t i = 0; i < l->count; i++) {
		short events = milter_session_events(l->sessions[i]);
		int fd = milter_session_fd(l->sessions[i]);

		l->polls[i] = (struct pollfd){ events ? fd : -1, events, 0 };
		*when_out = clock_earlier(*when_out,
					  milter_session_when(l->sessions[i]));
	}
	l->polls[l->count] = (struct pollfd){ l->listener, POLLIN, 0 };
}

static void serve(struct loop *l)
{
	uint64_t now = clock_now();

	for (size_t i = 0; i < l->count; i++) {
		struct milter_session *s = l->sessions[i];

		if (!l->polls[i].revents && milter_session_when(s) > now)
			continue;
		if (!milter_session_go(s, l->polls[i].revents))
			milter_session_free(&l->sessions[i]);
	}
	/* The places of those that ended are filled from the end. */
	for (size_t i = 0; i < l->count;)
		if (l->sessions[i])
			i++;
		else
			l->sessions[i] = l->sessions[--l->count];
}

static int run(struct loop *l, const sigset_t *while_waiting)
{
	while (!is_stopping) {
		struct timespec wait;
		uint64_t when;
		int ms, n;

		if (!l->room && !grow(l))
			return complain("loop", "no memory");
		fill_polls(l, &when);
		ms = clock_poll_ms(when);
		wait = (struct timespec){ ms / 1000,
					  (long)(ms % 1000) * 1000000 };
		n = ppoll(l->polls, l->count + 1, ms < 0 ? NULL : &wait,
			  while_waiting);
		if (n < 0 && errno != EINTR)
			return complain("poll", strerror(errno));
		if (n < 0)
			continue;
		bool is_knocking = l->polls[l->count].revents;

		serve(l);
		if (is_knocking)
			accept_all(l);
	}
	return 0;
}

/* --- beginning --- */

static bool read_file(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum io_result r = IO_OK;

	if (fd < 0)
		return false;
	while (r == IO_OK)
		r = io_read(fd, b, (size_t)64 * 1024);
	close(fd);
	return r == IO_EOF;
}

static bool read_script(const struct settings *set, struct arena *arena,
			struct buf *text, struct rules *rules_out)
{
	struct slice script = slice_str(set->script);
	const char *name = set->script_file ? set->script_file : "script";
	struct script_error error = { 0 };

	if (set->script_file) {
		if (!read_file(set->script_file, text)) {
			complain(set->script_file, strerror(errno));
			return false;
		}
		script = buf_slice(text);
	}
	if (rules_parse(arena, script, rules_out, &error))
		return true;
	fprintf(stderr, "sekisho-milter: %s:%u:%u: %s\n", name, error.line,
		error.column, error.text);
	return false;
}

static bool open_log(const char *path, FILE **log_out)
{
	*log_out = NULL;
	if (!path)
		return true;
	*log_out = strcmp(path, "-") == 0 ? stdout : fopen(path, "ae");
	return *log_out != NULL;
}

static bool open_socket(struct loop *l, const struct settings *set)
{
	const char *why = "";

	if (!endpoint_parse(slice_str(set->socket), &l->endpoint, &why) ||
	    !endpoint_resolve(&l->endpoint, true, &why)) {
		complain(set->socket, why);
		return false;
	}
	l->listener = listener_open(&l->endpoint, set->mode, &why);
	if (l->listener < 0)
		complain(set->socket, why);
	return l->listener >= 0;
}

static void catch_signals(sigset_t *while_waiting)
{
	struct sigaction stop = { .sa_handler = on_stop };
	sigset_t stops;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	/* Only delivered in ppoll(): no signal is lost between two looks. */
	sigprocmask(SIG_BLOCK, &stops, while_waiting);
	sigdelset(while_waiting, SIGTERM);
	sigdelset(while_waiting, SIGINT);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
}

static void say_ready(const struct loop *l, int fd)
{
	char where[400], line[420];
	int n;

	endpoint_print(&l->endpoint, where, sizeof(where));
	n = snprintf(line, sizeof(line), "ready %s\n", where);
	(void)!write(fd, line, (size_t)n);
	if (fd != STDOUT_FILENO)
		close(fd);
}

static int play(struct loop *l, const struct settings *set)
{
	sigset_t while_waiting;
	int status;

	catch_signals(&while_waiting);
	if (!open_socket(l, set))
		return 1;
	say_ready(l, set->ready_fd);
	status = run(l, &while_waiting);
	for (size_t i = 0; i < l->count; i++)
		milter_session_free(&l->sessions[i]);
	free(l->sessions);
	free(l->polls);
	listener_close(&l->listener, &l->endpoint);
	return status;
}

enum {
	OPT_SOCKET = 1,
	OPT_SCRIPT,
	OPT_FILE,
	OPT_LOG,
	OPT_SAVE,
	OPT_READY,
	OPT_MODE,
	OPT_SEED,
	OPT_HELP,
	OPT_VERSION
};

static const struct options_row option_rows[] = {
	{ OPT_SOCKET, "socket", 's', true },
	{ OPT_SCRIPT, "script", 'c', true },
	{ OPT_FILE, "file", 'f', true },
	{ OPT_LOG, "log", 'l', true },
	{ OPT_SAVE, "save", 0, true },
	{ OPT_READY, "ready-fd", 0, true },
	{ OPT_MODE, "mode", 0, true },
	{ OPT_SEED, "seed", 0, true },
	{ OPT_HELP, "help", 'h', false },
	{ OPT_VERSION, "version", 'V', false },
};

static bool read_number(const struct options *o, int id, const char *value,
			struct settings *set)
{
	uint64_t n;

	if (!options_number(o, value, id == OPT_MODE ? 8 : 10,
			    id == OPT_MODE ? 07777 : INT32_MAX, &n))
		return false;
	if (id == OPT_MODE)
		set->mode = (mode_t)n;
	else if (id == OPT_READY)
		set->ready_fd = (int)n;
	else
		srandom((unsigned)n);
	return true;
}

/* -1: go on; else the exit status. */
static int read_option(const struct options *o, int id, const char *value,
		       struct settings *set)
{
	switch (id) {
	case OPT_SOCKET:
		set->socket = value;
		return -1;
	case OPT_SCRIPT:
		set->script = value;
		return -1;
	case OPT_FILE:
		set->script_file = value;
		return -1;
	case OPT_LOG:
		set->log = value;
		return -1;
	case OPT_SAVE:
		set->save = value;
		return -1;
	case OPT_HELP:
		fputs(usage, stdout);
		return 0;
	case OPT_VERSION:
		puts("sekisho-milter " PACKAGE_VERSION);
		return 0;
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	case OPTIONS_OTHER:
		complain(value, "what is this for?");
		return EXIT_USAGE;
	default:
		return read_number(o, id, value, set) ? -1 : EXIT_USAGE;
	}
}

static int read_options(char **argv, struct settings *set)
{
	struct options o = { .program = "sekisho-milter",
			     .rows = option_rows,
			     .row_count = sizeof(option_rows) /
					  sizeof(option_rows[0]),
			     .args = argv + 1 };
	const char *value;
	int id;

	while ((id = options_next(&o, &value)) != OPTIONS_END) {
		int status = read_option(&o, id, value, set);

		if (status >= 0)
			return status;
	}
	if (!set->socket || (set->script && set->script_file)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct settings set = { .ready_fd = STDOUT_FILENO };
	struct loop loop = { .listener = -1 };
	struct arena arena;
	struct buf text;
	int status;

	(void)argc;
	status = read_options(argv, &set);
	if (status >= 0)
		return status;
	arena_init(&arena, SCRIPT_MAX);
	buf_init(&text, SCRIPT_MAX);
	if (!read_script(&set, &arena, &text, &loop.player.rules)) {
		status = EXIT_USAGE;
	} else if (!open_log(set.log, &loop.player.log)) {
		status = complain(set.log, strerror(errno));
	} else {
		loop.player.save = set.save;
		status = play(&loop, &set);
		if (loop.player.log)
			fclose(loop.player.log);
	}
	buf_deinit(&text);
	arena_deinit(&arena);
	return status;
}
