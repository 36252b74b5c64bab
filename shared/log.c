#include "shared/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log_file.h"

#define LINE_MAX_BYTES 8192
#define QUOTE_MAX      256
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* Warnings of one kind: this many in this time, then they are counted. */
#define OFTEN	    10
#define OFTEN_TIME  (10 * CLOCK_S)
#define OFTEN_KINDS 32
/* Bytes at the beginning that make the kind. */
#define OFTEN_HEAD 48

struct often {
	char head[OFTEN_HEAD];
	uint64_t since;
	unsigned count;
};

static struct log_file the_file = { .fd = -1 };
static struct often often[OFTEN_KINDS];

/*
 * What every worker writes is on one page, which becomes its own: here and in
 * the little that log_file.c has, behind it.
 */
static struct {
	enum log_sink sink;
	enum log_level level;
	const char *program;
	int journal_fd;
	const _Atomic uint32_t *generation; /* see log_follow(); or NULL */
	uint32_t followed;
	_Atomic uint64_t *lost; /* see log_count_lost(); or NULL */
	char context[130];
	char fields[2400]; /* NAME=value, each with its newline */
	size_t fields_len;
	void (*capture)(enum log_level level, const char *line);
} state __attribute__((aligned(4096))) = { .level = LOG_LEVEL_INFO,
					   .program = "sekisho",
					   .journal_fd = -1 };

static const char *const level_words[] = {
	[LOG_LEVEL_DEBUG] = "debug: ",
	[LOG_LEVEL_INFO] = "",
	[LOG_LEVEL_WARN] = "warning: ",
	[LOG_LEVEL_ERROR] = "error: ",
};
static const int level_priority[] = {
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
	[LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_WARN] = LOG_WARNING,
	[LOG_LEVEL_ERROR] = LOG_ERR,
};

static int journal_connect(void)
{
	static const struct sockaddr_un addr = { .sun_family = AF_UNIX,
						 .sun_path = JOURNAL_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void log_close(void)
{
	if (state.journal_fd >= 0)
		close(state.journal_fd);
	state.journal_fd = -1;
	log_file_close(&the_file);
	if (state.sink == LOG_SINK_SYSLOG)
		closelog();
}

/* What a file has lost is told where the log goes now. */
static void tell_lost(void)
{
	uint64_t lost = log_file_lost(&the_file);

	/* Its page stays shared where there is nothing to forget. */
	if (the_file.lost)
		the_file.lost = 0;
	if (lost)
		log_warn("%llu lines of this process were lost: %s",
			 (unsigned long long)lost, strerror(the_file.reason));
}

bool log_open(enum log_sink sink, const char *program, int facility,
	      const char *file)
{
	state.program = program;
	log_close();
	if (sink == LOG_SINK_JOURNAL) {
		state.journal_fd = journal_connect();
		if (state.journal_fd < 0)
			sink = LOG_SINK_SYSLOG;
	}
	if (sink == LOG_SINK_SYSLOG)
		openlog(program, LOG_PID | LOG_NDELAY, facility);
	state.sink = sink;
	if (sink == LOG_SINK_FILE)
		return log_file_open(&the_file, file);
	tell_lost();
	return true;
}

static uint32_t generation(void)
{
	return atomic_load_explicit(state.generation, memory_order_relaxed);
}

bool log_reopen(void)
{
	if (state.generation)
		state.followed = generation();
	return state.sink != LOG_SINK_FILE || log_file_reopen(&the_file);
}

void log_follow(const _Atomic uint32_t *word)
{
	state.generation = word;
	if (word)
		state.followed = generation();
}

void log_count_lost(_Atomic uint64_t *word)
{
	state.lost = word;
}

static void count_lost(void)
{
	if (state.lost)
		atomic_fetch_add_explicit(state.lost, 1, memory_order_relaxed);
}

/* Told into the old file, which is where somebody will look. */
static void follow(void)
{
	char words[LINE_MAX_BYTES];

	if (!state.generation || generation() == state.followed)
		return;
	if (log_reopen())
		return;
	snprintf(words, sizeof(words),
		 "error: log_file \"%s\" could not be opened anew: %s",
		 the_file.path, strerror(errno));
	if (!log_file_write(&the_file, state.program, words))
		count_lost();
}

void log_level(enum log_level level)
{
	state.level = level;
}

void log_context(const char *context)
{
	snprintf(state.context, sizeof(state.context), "%.127s%s", context,
		 *context ? ": " : "");
}

void log_field(const char *name, struct slice value)
{
	struct slice head = slice_head(value, QUOTE_MAX);
	size_t room = sizeof(state.fields) - state.fields_len;
	int len = snprintf(state.fields + state.fields_len, room, "%s=%.*s\n",
			   name, SLICE_ARG(head));

	if (len < 0 || (size_t)len >= room)
		return;
	for (size_t i = strlen(name) + 1; i + 1 < (size_t)len; i++) {
		char *c = &state.fields[state.fields_len + i];

		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	state.fields_len += (size_t)len;
}

void log_capture(void (*take)(enum log_level level, const char *line))
{
	state.capture = take;
}

/* The journal's own protocol: FIELD=value lines in one datagram. */
static bool to_journal(enum log_level level, const char *line)
{
	char fields[LINE_MAX_BYTES + sizeof(state.fields) + 256];
	int len = snprintf(fields, sizeof(fields),
			   "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%d\n%"
			   ".*sMESSAGE=%s\n",
			   level_priority[level], state.program, (int)log_pid(),
			   (int)state.fields_len, state.fields, line);
	struct iovec iov = { fields, (size_t)len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return len >= 0 && (size_t)len < sizeof(fields) &&
	       sendmsg(state.journal_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		       len;
}

static bool to_stderr(const char *line)
{
	char whole[LINE_MAX_BYTES + 64];
	int len = snprintf(whole, sizeof(whole), "%s[%d]: %s\n", state.program,
			   (int)log_pid(), line);

	return len > 0 && (size_t)len < sizeof(whole) &&
	       write(STDERR_FILENO, whole, (size_t)len) == len;
}

static bool to_file(const char *line)
{
	follow();
	return log_file_write(&the_file, state.program, line);
}

/* What becomes of it, nobody is told. */
static bool to_syslog(enum log_level level, const char *line)
{
	syslog(level_priority[level], "%s", line);
	return true;
}

static bool to_sink(enum log_level level, const char *line)
{
	switch (state.sink) {
	case LOG_SINK_JOURNAL:
		return to_journal(level, line);
	case LOG_SINK_SYSLOG:
		return to_syslog(level, line);
	case LOG_SINK_FILE:
		return to_file(line);
	case LOG_SINK_STDERR:
		break;
	}
	return to_stderr(line);
}

static void put(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void put(enum log_level level, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];
	int head, len;

	head = snprintf(line, sizeof(line), "%s%s", level_words[level],
			state.context);
	len = vsnprintf(line + head, sizeof(line) - (size_t)head, format, args);
	for (char *p = line; len > 0 && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (state.capture)
		state.capture(level, line);
	else if (!to_sink(level, line))
		count_lost();
	state.fields_len = 0;
}

static void put_words(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put_words(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(level, format, args);
	va_end(args);
}

/* Warnings are of one kind when they begin alike: the child's name counts. */
static struct often *often_of(const char *head)
{
	uint32_t hash = slice_hash(SLICE_HASH, slice_str(head));

	return &often[hash % OFTEN_KINDS];
}

/* True when this kind of warning has been written often enough for now. */
static bool is_too_often(const char *head)
{
	struct often *o = often_of(head);
	uint64_t now = clock_now();

	if (strcmp(o->head, head) != 0 || now - o->since > OFTEN_TIME) {
		if (o->count > OFTEN)
			put_words(LOG_LEVEL_WARN,
				  "%u more lines like \"%s...\" left out",
				  o->count - OFTEN, o->head);
		*o = (struct often){ .since = now };
		memcpy(o->head, head, strlen(head) + 1);
	}
	return ++o->count > OFTEN;
}

#define LOG_AT(level_)                                                         \
	do {                                                                   \
		va_list args;                                                  \
		if ((level_) < state.level)                                    \
			return;                                                \
		va_start(args, format);                                        \
		put((level_), format, args);                                   \
		va_end(args);                                                  \
	} while (0)

void log_debug(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_DEBUG);
}

void log_info(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_INFO);
}

void log_warn(const char *format, ...)
{
	char head[OFTEN_HEAD];
	va_list args;

	va_start(args, format);
	vsnprintf(head, sizeof(head), format, args);
	va_end(args);
	if (LOG_LEVEL_WARN < state.level || is_too_often(head))
		return;
	va_start(args, format);
	put(LOG_LEVEL_WARN, format, args);
	va_end(args);
}

void log_error(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_ERROR);
}

bool log_quote(struct buf *out, struct slice s)
{
	struct slice head = slice_head(s, QUOTE_MAX);
	bool ok = buf_add_byte(out, '"');

	for (size_t i = 0; i < head.len; i++) {
		unsigned char c = (unsigned char)head.data[i];

		if (c >= 0x20 && c <= 0x7e && c != '"' && c != '\\')
			ok = ok && buf_add_byte(out, (char)c);
		else
			ok = ok && buf_printf(out, "\\x%02x", c);
	}
	return ok && buf_add(out, s.len > QUOTE_MAX ? SLICE_LIT("...\"") :
						      SLICE_LIT("\""));
}

void log_bug(const char *file, int line, const char *what)
{
	put_words(LOG_LEVEL_ERROR, "bug: %s:%d: %s", file, line, what);
	abort();
}
