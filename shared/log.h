/*
 * log - one line per happening
 *
 * Lines are lower case, without full stop or function names; values that
 * come from mail or peers go through log_quote().  The context (session,
 * queue id, child) is set once by who knows it, not repeated in each call.
 * Warnings of the same kind (their first words) beyond 10 in 10 s are
 * counted, and the count is told when the 10 s are over.
 * Never fails and never blocks for long: a line that cannot be written is
 * lost and counted, but for syslog, which tells nobody; a file says so itself
 * when it can be written again (see log_file.h).  Keeps state of its own: sink
 * and context.
 */
#ifndef SHARED_LOG_H
#define SHARED_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/slice.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_sink { LOG_SINK_STDERR, LOG_SINK_SYSLOG, LOG_SINK_JOURNAL, LOG_SINK_FILE };

/*
 * program: name for syslog and the journal, kept as a pointer.  facility: as
 * syslog(3) wants it.  The journal falls back to syslog when its socket
 * does not exist.  file: of LOG_SINK_FILE alone, copied; may be NULL else.
 * False with errno: the file could not be opened; that is tried again when
 * lines come, and they are lost until then.  May be called again.
 */
bool log_open(enum log_sink sink, const char *program, int facility,
	      const char *file);
/* Nothing of ours stays open, but for standard error. */
void log_close(void);
/*
 * Opens the file anew, for it may have been renamed.  False with errno: the old
 * one stays in use.  Other sinks have nothing to do.
 */
bool log_reopen(void);
/*
 * From now on the file is opened anew before the first line after this word
 * has changed.  NULL: no more.  Call it again when the word has moved.
 */
void log_follow(const _Atomic uint32_t *word);
/*
 * From now on every line that is lost adds one to this word.  NULL: no more.
 * It is shared by all processes that are forked later.
 */
void log_count_lost(_Atomic uint64_t *word);
/* Lines below this level are not written (default: info). */
void log_level(enum log_level level);
/*
 * What every line of this process begins with from now on, for example the
 * queue id; "" for nothing.  Copied, 128 bytes at most.
 */
void log_context(const char *context);
/*
 * A field of the next line, for the journal alone: other sinks have only the
 * line.  name: capitals and _; the value is copied, 256 bytes at most, bytes
 * that are not printable as '?'.  At most 8 fields.
 */
void log_field(const char *name, struct slice value);
/* Tests get every line here (NUL-terminated, no newline) instead of a sink. */
void log_capture(void (*take)(enum log_level level, const char *line));

void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Appends s in double quotes; quote, backslash and bytes outside 0x20-0x7e as
 * \xNN, at most 256 bytes of it, then "...".  False: no room in the buf.
 */
bool log_quote(struct buf *out, struct slice s);

/* Our own bug: one line, then abort() and a core.  Kept in release builds. */
#define BUG_IF(condition)                                            \
	do {                                                         \
		if (__builtin_expect(!!(condition), 0))              \
			log_bug(__FILE__, __LINE__, "" #condition ""); \
	} while (0)
void log_bug(const char *file, int line, const char *what)
	__attribute__((noreturn));

#endif
