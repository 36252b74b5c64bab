/*
 * ctl - what all verbs of sekishoctl share: exit statuses, settings, output
 *
 * Complaints go to stderr, with the program's name before them.  Nothing is
 * kept between two calls.  Fails by answering a status, which becomes that of
 * the process.
 */
#ifndef TOOL_CTL_H
#define TOOL_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/conf_table.h"
#include "tool/options.h"

#ifndef SEKISHO_CONF
#define SEKISHO_CONF "/etc/sekisho/sekisho.conf"
#endif

#define CTL_CONF_CEILING ((size_t)64 << 20)
#define CTL_TEXT_CEILING ((size_t)64 << 20)

/* Exit statuses; listed in sekishoctl(8).  explain has more: explain.h. */
enum ctl_status {
	CTL_OK = 0,
	CTL_SETTINGS = 1, /* they are not good */
	CTL_USAGE = 2,
	CTL_FAILURE = 3,     /* could not read or write, no memory */
	CTL_UNREACHABLE = 4, /* nobody there, no right, no answer in time */
	CTL_REFUSED = 5,     /* the server answered that it will not */
	CTL_UNWELL = 6,	     /* check --online found something */
};

/* To begin with what stands behind a verb; rows_ is an array. */
#define CTL_OPTIONS(rows_, args_)                              \
	{ .program = "sekishoctl", .rows = (rows_),            \
	  .row_count = sizeof(rows_) / sizeof((rows_)[0]),     \
	  .args = (args_) }

/* A line on stderr. */
void ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
int ctl_no_memory(void);
/* NULL: it was said why. */
const struct conf *ctl_read_conf(struct arena *arena, const char *path);
/*
 * Writes everything at once and notices a full disk; the status given, or
 * CTL_FAILURE.
 */
int ctl_write_out(const struct buf *b, int status);
/* "10", "0.5", "500ms", "2m", "1h", "1d": microseconds; else it complains. */
bool ctl_seconds(const char *what, const char *text, uint64_t *us_out);
/* The verbs; args is what stands behind the verb, NULL at the end. */
int ctl_check(char *const *args);
int ctl_config(char *const *args);
int ctl_explain(char *const *args);
int ctl_ping(char *const *args);
int ctl_report(char *const *args);
int ctl_top(char *const *args);
/*
 * A request that is passed on with its words: name is the verb's, changes
 * says whether it needs the control socket.
 */
int ctl_ask(const char *name, bool changes, char *const *args);

#endif
