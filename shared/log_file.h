/*
 * log_file - a log in a file of its own: one write for each line
 *
 * For log.c.  Owns the descriptor, whose number stays the same when the file
 * is opened anew.  A line that cannot be written (no space, no rights) is lost
 * and counted; the count is the first line when it works again.  Nothing here
 * fails a caller.
 */
#ifndef SHARED_LOG_FILE_H
#define SHARED_LOG_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct log_file {
	int fd; /* -1: not open; tried again when lines come */
	char path[PATH_MAX];
	uint64_t next_try;
	uint64_t lost; /* lines since the last that was written */
	int reason;    /* errno of the last one lost */
	bool torn;     /* the last write ended within a line */
};

/* False with errno: could not be opened now; *f knows its path all the same. */
bool log_file_open(struct log_file *f, const char *path);
/*
 * The path again, for it may be another file by now.  False with errno: the
 * old one stays in use.
 */
bool log_file_reopen(struct log_file *f);
void log_file_close(struct log_file *f);
/* text: one line without its newline. */
void log_file_write(struct log_file *f, const char *program, const char *text);

#endif
