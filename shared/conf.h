/*
 * conf - the settings, read once and then const
 *
 * One struct per generation of settings, in one arena of its own.  Every
 * parameter is declared in one row of conf_table.c, and only there: the
 * loader, `sekishod -t`, the sample file and the check of the manual read
 * that row.  Problems are collected, all of them, with file, line and key.
 */
#ifndef SHARED_CONF_H
#define SHARED_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/endpoint_cache.h"
#include "shared/log.h"
#include "shared/milter.h"
#include "shared/slice.h"

#define CONF_MILTERS_MAX    64
#define CONF_LISTEN_MAX	    16
/* Sockets of one milter; the board knows as many. */
#define CONF_SOCKETS_MAX    8
#define CONF_CONDITIONS_MAX 1000
#define CONF_TABLES_MAX	    200
#define CONF_RULES_MAX	    1000
/* `action =` of one rule. */
#define CONF_ACTIONS_MAX    32

enum conf_order { ORDER_CHAIN, ORDER_FREE, ORDER_STRICT };
/* PERCENT: on for that share of the clients, evaluate for the others. */
enum conf_mode { MODE_ON, MODE_OFF, MODE_EVALUATE, MODE_PERCENT };
enum conf_policy {
	POLICY_TEMPFAIL,
	POLICY_ACCEPT,
	POLICY_REJECT,
	POLICY_DISCARD,
	POLICY_QUARANTINE,
};
enum conf_late_refusal { LATE_VERDICT, LATE_KEEP };
/* Of several recipients, which ones must the milter's condition be true for? */
enum conf_recipients {
	RECIPIENTS_ANY, /* one is enough, and it is shown all of them */
	RECIPIENTS_ALL,
	RECIPIENTS_OWN, /* one is enough, and it is shown only those */
};
/* What becomes of recipients whose milters differ from the first one's. */
enum conf_mixed { MIXED_SHARE, MIXED_DEFER };
/* What mail gets that no worker has time for. */
enum conf_overload { OVERLOAD_TEMPFAIL, OVERLOAD_ACCEPT };

struct cond;
struct conf_line;
struct rules;
struct table;

/* Text that is compiled when all sections are read, and where it stands. */
struct conf_text {
	struct slice text;	      /* empty: not given */
	const struct conf_line *line; /* NULL: built in, nobody wrote it */
};

struct conf_texts {
	struct conf_text *items;
	size_t count;
};

/* One address of `listen =`, `status =`, `control =`, with its options. */
struct conf_listen {
	struct endpoint endpoint;
	const char *owner; /* "" : not changed */
	const char *group;
	mode_t mode;	   /* 0: 0600 as bound */
	bool has_mta;	   /* mta=postfix|sendmail was given */
	enum mta mta;
};

struct conf_listeners {
	struct conf_listen at[CONF_LISTEN_MAX];
	size_t count;
};

/* `mode = percent 5`; percent counts with MODE_PERCENT only. */
struct conf_switch {
	enum conf_mode mode;
	unsigned percent; /* 0 to 100 */
};

struct conf_sockets {
	struct endpoint *at; /* in the arena of the settings */
	unsigned count;	     /* at least 1 */
};

struct conf_milter {
	const char *name;
	struct conf_sockets socket;
	enum conf_order order;
	struct conf_switch mode;
	enum conf_policy on_failure;
	enum conf_late_refusal late_refusal;
	bool rcpt_serial;	  /* rcpt = serial */
	bool reuse;
	enum stage join;	  /* for tests: STAGE_CONNECT to _EOM */
	uint64_t timeout_connect; /* microseconds, as all times */
	uint64_t timeout_command;
	uint64_t timeout_eom;
	unsigned breaker_failures; /* in a row; 0: never left alone */
	uint64_t breaker_pause;
	unsigned connections_max; /* of all workers together; 0: no limit */
	enum conf_recipients recipients;
	enum conf_mixed mixed;
	struct conf_text when_text;
	const struct cond *when; /* NULL: always */
};

/* [condition NAME] */
struct conf_condition {
	const char *name;
	bool is_builtin; /* nobody wrote a section, but somebody names it */
	struct conf_text is;
	const struct cond *cond; /* as it is by itself; built into its users */
};

/* [table NAME] */
struct conf_table {
	const char *name;
	bool is_builtin;
	struct conf_text source;
	struct table *table;
};

/* [rule NAME]; compiled it is in conf.rules, in the same place. */
struct conf_rule {
	const char *name;
	struct conf_text when;
	struct conf_texts action;
	struct conf_text on_unknown;
};

struct conf {
	/* [server] */
	struct conf_listeners listen;
	struct conf_listeners status;  /* asks; none: count is 0 */
	struct conf_listeners control; /* changes, too; unix only */
	const char *control_group; /* "" : root and `user` alone */
	const char *user;  /* "" : stay who we are */
	const char *group; /* "" : the user's own */
	unsigned workers_min;
	unsigned workers_max;
	unsigned spare_min;
	unsigned spare_max;
	unsigned sessions_max;
	uint64_t drain_timeout;
	uint64_t message_memory; /* bytes */
	uint64_t message_max;	 /* bytes of body */
	const char *spool_directory;
	enum log_sink log;
	int syslog_facility;
	enum log_level log_level;
	const char *log_file;	/* of LOG_SINK_FILE */
	const char *state_file; /* "" : switches are lost at the end */
	unsigned history;	/* messages that `why` remembers */
	enum conf_overload on_overload;
	const char *pid_file; /* "" : none */
	bool core_dumps;
	uint64_t step_deadline;		/* 8 s */
	uint64_t step_deadline_postfix; /* 25 s */
	uint64_t message_deadline;	/* 240 s */
	uint64_t progress_interval;	/* 3 s */
	uint64_t evaluate_grace;	/* 5 s */
	uint64_t test_clock;		/* how far it is ahead; 0 s */
	uint64_t mta_timeout;	  /* MTA silent inside a message; 300 s */
	uint64_t mta_idle_timeout; /* MTA silent between messages; 2 h */
	unsigned headers_max;		/* 5000 */
	uint64_t headers_size_max;	/* 1 MiB */
	unsigned recipients_max;	/* 10000 */
	uint64_t macros_max;		/* 64 KiB a stage */
	/* macros_extra: names asked of the MTA beyond what children want. */
	struct slice macros_extra[LIST_COUNT];

	/* [milter NAME], in the order of the file */
	struct conf_milter milters[CONF_MILTERS_MAX];
	size_t milter_count;

	/* In the order of the file, those built in and used behind them. */
	struct conf_condition *conditions;
	size_t condition_count;
	struct conf_table *tables;
	size_t table_count;
	/* In the order of the file, which is that of carrying them out. */
	struct conf_rule *rule_texts;
	size_t rule_count;
	const struct rules *rules; /* never NULL; see rule.h */
};

/* What is wrong with the settings: file by file, each by line. */
struct conf_problem {
	const char *file; /* as given or included */
	unsigned line;	  /* 0: the file as a whole */
	unsigned column;  /* from 1, in bytes; 0: the line as a whole */
	const char *text; /* in words, with the key and the nearest name */
	struct conf_problem *next;
};

struct conf_problems {
	struct arena *arena;
	struct conf_problem *first;
	struct conf_problem **tail;
	unsigned count;
};

/*
 * Reads the file and everything it includes, checks it, resolves names (may
 * wait for the resolver).  Everything is taken from the arena.  Returns NULL
 * when there is at least one problem.
 */
const struct conf *conf_read(struct arena *arena, const char *path,
			     struct conf_problems *problems_out);
/*
 * The same for a process that may not wait: addresses are taken from what is
 * known, and what is not known is a problem.
 */
const struct conf *conf_read_known(struct arena *arena, const char *path,
				   const struct endpoint_cache *known,
				   struct conf_problems *problems_out);
/*
 * For fuzzing and tests: the same from memory; `include` and tables in files
 * are refused.
 */
const struct conf *conf_read_text(struct arena *arena, const char *name,
				  struct slice text,
				  struct conf_problems *problems_out);
/*
 * Gives back what is not the arena's: the memory of tables.  For a process
 * that lives on after these settings, before their arena ends.
 */
void conf_close(const struct conf *conf);
/* Adds a problem (used by conf_read and conf_check); text is copied. */
void conf_problem_add(struct conf_problems *p, const char *file, unsigned line,
		      const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The same with a column. */
void conf_problem_at(struct conf_problems *p, const char *file, unsigned line,
		     unsigned column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* "file:line: text" or "file:line:column: text" lines into out. */
void conf_problems_print(const struct conf_problems *p, struct buf *out);

/* All settings in force as a settings file; with_defaults: else only those
 * that differ from their default. */
bool conf_print(const struct conf *conf, bool with_defaults, struct buf *out);
/* The sample file etc/sekisho.conf: every parameter with its sentence. */
bool conf_print_sample(struct buf *out);

/*
 * "on", "off", "evaluate", "percent 5": what stands behind `mode =`, and what
 * an administrator says to the control socket.  False: why_out in words.
 */
#define CONF_SWITCH_WHY 512
bool conf_switch_parse(struct slice text, struct conf_switch *switch_out,
		       char why_out[CONF_SWITCH_WHY])
	__attribute__((warn_unused_result));
#define CONF_SWITCH_TEXT 16
void conf_switch_print(const struct conf_switch *s, char *text, size_t size);

const char *conf_order_name(enum conf_order order);
const char *conf_mode_name(enum conf_mode mode);
const char *conf_policy_name(enum conf_policy policy);
const char *conf_recipients_name(enum conf_recipients recipients);
const char *conf_mixed_name(enum conf_mixed mixed);

#endif
