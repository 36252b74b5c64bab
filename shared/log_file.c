#include "shared/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/clock.h"

/* What log.c gives at most, and what stands before it. */
#define WHOLE_MAX 8400
#define FILE_MODE 0640
#define TRY_AGAIN (1 * CLOCK_S)

/*
 * The last write ended within a line.  Workers share the file, so they share
 * this: the one that finds room again is seldom the one that found none.
 */
static _Atomic bool torn_alone;
static _Atomic bool *torn = &torn_alone;

/* Not zero: so it lies with what log.c writes. */
static pid_t known_pid = -1;

void log_forget_pid(void)
{
	known_pid = -1;
}

pid_t log_pid(void)
{
	static bool is_watched;

	if (!is_watched)
		is_watched = pthread_atfork(NULL, NULL, log_forget_pid) == 0;
	if (known_pid < 0 || !is_watched)
		known_pid = getpid();
	return known_pid;
}

static void share_torn(void)
{
	void *page;

	if (torn != &torn_alone)
		return;
	page = mmap(NULL, sizeof(*torn), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED)
		torn = page;
}

/*
 * Non-blocking for what is no plain file: a pipe whose reader sleeps loses
 * lines rather than keep mail waiting.
 */
static int open_path(const char *path)
{
	mode_t before = umask(0777 & ~FILE_MODE);
	int fd = open(path,
		      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC |
			      O_NOCTTY | O_NONBLOCK,
		      FILE_MODE);
	int reason = errno;

	umask(before);
	errno = reason;
	return fd;
}

uint64_t log_file_lost(const struct log_file *f)
{
	return f->owner == log_pid() ? f->lost : 0;
}

bool log_file_open(struct log_file *f, const char *path)
{
	*f = (struct log_file){ .fd = -1,
				.lost = f->lost,
				.reason = f->reason,
				.owner = f->owner };
	share_torn();
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->fd = open_path(f->path);
	return f->fd >= 0;
}

bool log_file_reopen(struct log_file *f)
{
	int fd = open_path(f->path);
	bool ok;

	if (fd < 0)
		return false;
	if (f->fd < 0) {
		f->fd = fd;
		return true;
	}
	/* Under the old number: it lies where no worker closes it. */
	ok = dup3(fd, f->fd, O_CLOEXEC) >= 0;
	close(fd);
	return ok;
}

void log_file_close(struct log_file *f)
{
	/* Not even written: its page stays shared. */
	if (f->fd < 0)
		return;
	close(f->fd);
	f->fd = -1;
}

/* "2026-11-28T19:03:48.123456+01:00", as RFC 3339 has it. */
static void print_time(char *out, size_t size)
{
	char day[40];
	struct timespec now;
	struct tm tm;
	long east;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	east = tm.tm_gmtoff / 60;
	snprintf(out, size, "%s.%06ld%c%02ld:%02ld", day, now.tv_nsec / 1000,
		 east < 0 ? '-' : '+', labs(east) / 60, labs(east) % 60);
}

static bool lose(struct log_file *f, int reason)
{
	f->lost = log_file_lost(f) + 1;
	f->reason = reason;
	f->owner = log_pid();
	return false;
}

static bool write_line(struct log_file *f, const char *program,
		       const char *text)
{
	bool mends = atomic_exchange(torn, false);
	char whole[WHOLE_MAX], when[80];
	ssize_t n;
	int len;

	print_time(when, sizeof(when));
	/* What a full disk has cut in the middle shall not grow on. */
	len = snprintf(whole, sizeof(whole), "%s%s %s[%d]: %s\n",
		       mends ? "\n" : "", when, program, (int)log_pid(), text);
	if (len < 0) {
		atomic_store(torn, mends);
		return lose(f, EINVAL);
	}
	if ((size_t)len >= sizeof(whole)) {
		len = sizeof(whole) - 1;
		whole[len - 1] = '\n';
	}
	do {
		n = write(f->fd, whole, (size_t)len);
	} while (n < 0 && errno == EINTR);
	if (n == len)
		return true;
	if (n > 0 || mends)
		atomic_store(torn, true);
	return lose(f, n < 0 ? errno : ENOSPC);
}

static bool tell_lost(struct log_file *f, const char *program)
{
	uint64_t lost = log_file_lost(f);
	char text[200];

	if (!lost)
		return true;
	snprintf(text, sizeof(text),
		 "warning: %llu lines of this process were lost: %s",
		 (unsigned long long)lost, strerror(f->reason));
	f->lost = 0;
	if (write_line(f, program, text))
		return true;
	f->lost = lost; /* this one was not of the log before */
	return false;
}

static bool is_open(struct log_file *f)
{
	uint64_t now;

	if (f->fd >= 0)
		return true;
	now = clock_now();
	if (now < f->next_try)
		return false;
	f->next_try = now + TRY_AGAIN;
	if (log_file_reopen(f))
		return true;
	f->reason = errno;
	return false;
}

bool log_file_write(struct log_file *f, const char *program, const char *text)
{
	if (!is_open(f) || !tell_lost(f, program))
		return lose(f, f->reason);
	return write_line(f, program, text);
}
