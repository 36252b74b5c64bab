/*
 * log_file - a log in a file of its own: one write for each line
 *
 * For log.c.  Owns the descriptor, whose number stays the same when the file
 * is opened anew.  A line that cannot be written (no space, no rights) is lost
 * and counted; the count is the first line when it works again.  A line cut in
 * the middle is ended by whoever writes next, of all processes forked since
 * the first file was opened.  Nothing here fails a caller.
 */
#ifndef SHARED_LOG_FILE_H
#define SHARED_LOG_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct log_file {
	int fd; /* -1: not open; tried again when lines come */
	uint64_t next_try;
	uint64_t lost; /* lines since the last that was written */
	int reason;    /* errno of the last one lost */
	pid_t owner;   /* who lost them; a process forked from it did not */
	char path[PATH_MAX];
};

/* Our own process id, which stands in each line: the kernel is asked once. */
pid_t log_pid(void);
/* After a _Fork(), which unlike fork() does not do it. */
void log_forget_pid(void);
/*
 * False with errno: could not be opened now; *f knows its path all the same.
 * Lines that *f has lost before, in whatever file, stay counted.
 */
bool log_file_open(struct log_file *f, const char *path);
/*
 * The path again, for it may be another file by now.  False with errno: the
 * old one stays in use.
 */
bool log_file_reopen(struct log_file *f);
void log_file_close(struct log_file *f);
/* How many lines this process has lost and not told. */
uint64_t log_file_lost(const struct log_file *f);
/* text: one line without its newline.  False: it is lost. */
bool log_file_write(struct log_file *f, const char *program, const char *text);

#endif
