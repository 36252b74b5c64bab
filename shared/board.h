/*
 * board - shared memory: what the processes know of each other
 *
 * Two sealed memfds made by the supervisor.  *control* is written by the
 * supervisor alone and mapped read-only in workers: the milters by name, how
 * each is switched, and what it wanted when it last negotiated.  *numbers* is
 * written by workers with relaxed atomics: counters and latencies sharded by
 * worker index, a breaker per milter, a slot per worker, a ring of the last
 * messages.
 * No locks and no pointers; a SIGKILL at any instruction leaves both sane.
 * The supervisor waits for nothing in here and trusts nothing in here: pids
 * are kept in a private copy too.  Byte map: doc/board.md.
 *
 * A milter is known here by its *cell*, which it keeps over reloads, while
 * its place in the settings may change: worker_env.cells leads from one to
 * the other.
 */
#ifndef SHARED_BOARD_H
#define SHARED_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/breaker.h"
#include "shared/conf.h"
#include "shared/histogram.h"
#include "shared/milter.h"
#include "shared/slice.h"

#define BOARD_VERSION  3
#define BOARD_MILTERS  64
#define BOARD_SHARDS   8
#define BOARD_LIST_MAX 1024 /* bytes of one remembered macro list */
#define BOARD_NO_CHILD 0xff
#define BOARD_NAME_MAX 72 /* bytes of the name of a milter, with its NUL */

enum board_state {
	SLOT_FREE = 0,
	SLOT_STARTING, /* forked, not yet waiting for connections */
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_LEAVING, /* has served its last session, is on its way out */
	SLOT_RESERVE, /* takes what nobody has time for: overload */
	SLOT_STATES
};

/* Does a milter take one session after the other on a connection? */
enum board_reuse {
	REUSE_UNKNOWN = 0, /* it has not been tried */
	REUSE_WORKS,
	REUSE_FAILS,
};

/*
 * What a slot holds of a message: how it has been counted so far, so that the
 * supervisor books a killed worker's message once and only once.
 */
enum board_message {
	MESSAGE_NONE = 0,
	MESSAGE_OPEN, /* counted as begun; its outcome is not */
	/* Its outcome is counted, its line may not be written: this + the
	 * enum board_outcome. */
	MESSAGE_SETTLED,
};

/* What became of a message; one of these, once, for each that began. */
enum board_outcome {
	OUTCOME_ACCEPT,
	OUTCOME_REJECT,
	OUTCOME_TEMPFAIL,
	OUTCOME_DISCARD,
	OUTCOME_QUARANTINE,
	OUTCOME_ABORT, /* the MTA took it back, or went away */
	OUTCOME_LOST,  /* with its worker */
	OUTCOMES
};

/* Why it became that. */
enum board_cause {
	CAUSE_NONE,   /* all let it pass; or nobody decided (abort, lost) */
	CAUSE_MILTER, /* a milter's word */
	CAUSE_POLICY, /* the on_failure of one */
	CAUSE_RULE,
	CAUSE_OWN, /* limits, resources, overload */
	CAUSES
};

/* What a milter answers, as far as it is final for a stage. */
enum board_answer {
	ANSWERED_CONTINUE,
	ANSWERED_ACCEPT,
	ANSWERED_REJECT,
	ANSWERED_TEMPFAIL,
	ANSWERED_DISCARD,
	ANSWERED_SKIP,
	BOARD_ANSWERS
};

/* What a child wanted at its last negotiation; written by the supervisor. */
struct board_wish {
	_Atomic uint32_t changes; /* odd while being written; 0: nothing known */
	uint32_t actions;
	uint32_t protocol;
	uint8_t has_list[LIST_COUNT];
	uint16_t list_len[LIST_COUNT];
	char list[LIST_COUNT][BOARD_LIST_MAX];
};

/* The words in a slot about the present session, written between two steps
 * of `changes`; readers copy, compare, and give up after three tries. */
struct board_text {
	_Atomic uint32_t changes;
	char peer[64];	   /* "name[address]" of the SMTP client */
	char queue_id[32]; /* "" while unknown */
	char sender[96];   /* cut */
};

struct board_slot {
	_Atomic uint32_t message; /* enum board_message */
	_Atomic uint32_t stage; /* enum stage; STAGE_COUNT: between messages */
	_Atomic uint32_t child; /* index waited for, or BOARD_NO_CHILD */
	_Atomic uint32_t sessions; /* served by this process */
	_Atomic uint64_t since; /* when state, stage or child changed last */
	_Atomic uint64_t generation;
	struct board_text text;
	_Atomic uint32_t settings; /* generation of the settings it runs with */
	_Atomic uint32_t listener; /* index into `listen =` */
	/*
	 * By cell: 0, or 1 + the index of the socket that a connection is
	 * open to.  Counted by scanning, so that a killed worker's end with
	 * its slot.
	 */
	_Atomic uint8_t held[BOARD_MILTERS];
	_Atomic uint32_t guests; /* connections of a reserve worker */
};

/* Counters of one shard; every word is valid alone. */
enum board_counter {
	COUNT_SESSIONS,
	COUNT_SESSIONS_REFUSED, /* got a no as a whole, at connect or helo */
	COUNT_SESSIONS_LOST,	/* with their worker; by the supervisor */
	COUNT_MESSAGES,		/* begun: MAIL */
	COUNT_RECIPIENTS,
	COUNT_RECIPIENTS_REFUSED,
	COUNT_BYTES,
	COUNT_PROTOCOL_ERRORS, /* of MTAs */
	COUNT_RESOURCE_FAILURES,
	COUNT_EDITS_DROPPED, /* of free children, taken over by others */
	COUNT_CUT_PACKETS,   /* header values or macros cut for a child */
	COUNT_LIMIT_HITS,    /* match limits of conditions and rules */
	COUNT_FAILED_LOOKUPS,
	COUNT_OVERLOADED_SESSIONS, /* taken by a reserve worker */
	COUNT_OVERLOADED_MESSAGES,
	COUNT_WORKER_STARTS, /* these three by the supervisor */
	COUNT_WORKER_DEATHS, /* unexpected ones */
	COUNT_RELOADS,
	COUNT_LOG_LINES_LOST, /* by log.c, see board_lost_lines() */
	BOARD_COUNTERS
};

enum board_milter_counter {
	MILTER_APPLIED,	  /* messages it was asked about */
	MILTER_EVALUATED, /* ... of these, without effect */
	MILTER_DECIDED,	  /* messages that got their verdict from its no */
	MILTER_SKIPPED_CONDITION, /* messages it was not asked about, and why */
	MILTER_SKIPPED_RULE,
	MILTER_SKIPPED_SWITCH,
	MILTER_SKIPPED_BREAKER, /* its policy held at once */
	MILTER_SKIPPED_OTHER,	/* decided before, or accepted at connect */
	MILTER_CONNECTS,
	MILTER_WAITS, /* for one of its connections_max */
	MILTER_QUARANTINED,
	MILTER_EDITS,
	MILTER_FAILED_CONNECT,
	MILTER_FAILED_TIMEOUT,
	MILTER_FAILED_EOF,
	MILTER_FAILED_PROTOCOL,
	MILTER_LATE,
	MILTER_PASSED_WITHOUT, /* messages let through although it had failed */
	MILTER_REJOINED,
	MILTER_OPENED, /* how often its breaker opened */
	BOARD_MILTER_COUNTERS
};

struct board; /* opaque: the two mappings and their descriptors */

/*
 * Makes both memfds for this many worker slots and remembered messages, seals
 * them, maps both writable.  NULL with errno when that fails.
 */
struct board *board_new(unsigned slots, unsigned history);
/*
 * The same board in a process that was made from the one that owned it, by
 * exec: takes over the descriptors.  NULL: it is none of this version, which
 * is no error (errno 0), or could not be mapped; the descriptors are closed.
 */
struct board *board_adopt(int control_fd, int numbers_fd);
/* For a process to come: exec closes them unless told otherwise. */
int board_control_fd(const struct board *b);
int board_numbers_fd(const struct board *b);
/*
 * In a worker, after fork: control is mapped read-only, for good, and both
 * descriptors are closed, though their numbers stay in *b: it is not to be
 * freed.  False with errno: this process should end.
 */
bool board_become_reader(const struct board *b);
void board_free(struct board **b);

unsigned board_slots(const struct board *b);
unsigned board_history(const struct board *b);
struct board_slot *board_slot(struct board *b, unsigned index);
/*
 * The supervisor, for a slot nobody writes any more (before its first worker
 * and after reaping one): free, no text, and `changes` even again even if the
 * worker was killed between its two steps.
 */
void board_slot_reset(struct board *b, unsigned slot, uint64_t generation);

/* Adds n to a counter of the worker's shard; never fails. */
void board_count(struct board *b, unsigned slot, enum board_counter counter,
		 uint64_t n);
void board_count_milter(struct board *b, unsigned slot, unsigned milter,
			enum board_milter_counter counter, uint64_t n);
/* A milter gave its final answer to a stage, after so many microseconds. */
void board_count_answer(struct board *b, unsigned slot, unsigned milter,
			enum stage stage, enum board_answer answer,
			uint64_t us);
/*
 * The MTA got its answer to a stage after so many microseconds; STAGE_COUNT:
 * the message as a whole, from MAIL to its verdict.
 */
void board_count_wait(struct board *b, unsigned slot, enum stage stage,
		      uint64_t us);
/*
 * A message begins; and its outcome is known.  Each counts and marks the slot
 * in two neighbouring instructions, so that messages = outcomes + those in
 * work, whatever dies.
 */
void board_message_begin(struct board *b, unsigned slot);
void board_message_settle(struct board *b, unsigned slot, enum stage stage,
			  enum board_outcome outcome, enum board_cause cause);
/* Its line is written: nothing is left of it. */
void board_message_end(struct board *b, unsigned slot);

/* Sums over the shards. */
uint64_t board_sum(const struct board *b, enum board_counter counter);
uint64_t board_sum_milter(const struct board *b, unsigned milter,
			  enum board_milter_counter counter);
uint64_t board_sum_answer(const struct board *b, unsigned milter,
			  enum stage stage, enum board_answer answer);
uint64_t board_sum_outcome(const struct board *b, enum board_outcome outcome);
uint64_t board_sum_verdict(const struct board *b, enum stage stage,
			   enum board_outcome outcome, enum board_cause cause);
void board_sum_latency(const struct board *b, unsigned milter,
		       enum stage stage, struct histogram *sum_out);
/* STAGE_COUNT: messages as a whole. */
void board_sum_wait(const struct board *b, enum stage stage,
		    struct histogram *sum_out);
/* All that belongs to a milter becomes zero, for another one; its breaker too. */
void board_clear_milter(struct board *b, unsigned milter);

/*
 * States lie apart from the rest of the slots, side by side: whoever counts
 * them looks at few pages, and has few of them in his page tables.
 */
void board_note_state(struct board *b, unsigned slot, enum board_state state);
uint32_t board_state(const struct board *b, unsigned slot);
/* How many slots are in this state; counts no further than `enough`. */
unsigned board_count_state(const struct board *b, enum board_state state,
			   unsigned enough);
/* The worker's notes in its own slot. */
void board_note_stage(struct board_slot *s, enum stage stage, unsigned child);
/* A connection to this milter is open: socket is its index; or is closed. */
void board_note_held(struct board_slot *s, unsigned milter, unsigned socket);
void board_note_released(struct board_slot *s, unsigned milter);
/* A reserve worker has so many connections. */
void board_note_guests(struct board_slot *s, unsigned guests);
/* How many workers hold a connection to this milter, by socket of it. */
unsigned board_held(const struct board *b, unsigned milter,
		    unsigned by_socket_out[CONF_SOCKETS_MAX]);
void board_note_text(struct board_slot *s, struct slice peer,
		     struct slice queue_id, struct slice sender);
/* A steady copy; false after three tries (all fields then "?"). */
bool board_read_text(const struct board_slot *s, struct board_text *copy_out);

/* The supervisor remembers what a child wanted (lists cut to their limit:
 * a list that does not fit is remembered as not given). */
struct board_wanted {
	uint32_t actions;
	uint32_t protocol;
	bool has_list[LIST_COUNT];
	struct slice list[LIST_COUNT];
};
void board_remember(struct board *b, unsigned milter,
		    const struct board_wanted *wanted);
/*
 * What is remembered; false: nothing, or not steady.  Lists are copied to
 * room (at least LIST_COUNT * BOARD_LIST_MAX bytes).
 */
bool board_recall(const struct board *b, unsigned milter, char *room,
		  struct board_wanted *wanted_out);

/* ---- switches: control, written by the supervisor ---- */

/* The milter of a cell; "" : nobody.  A longer name is cut (and refused when
 * settings are read). */
void board_name_milter(struct board *b, unsigned milter, const char *name);
const char *board_milter_name(const struct board *b, unsigned milter);
/* How an administrator has switched it; NULL: as the settings say. */
void board_switch(struct board *b, unsigned milter,
		  const struct conf_switch *to);
/* What is in force now for these settings; read at each MAIL. */
struct conf_switch board_switched(const struct board *b, unsigned milter,
				  const struct conf_switch *settings);
bool board_is_switched(const struct board *b, unsigned milter);
/* Logs are to be opened anew: goes up by one.  See log_follow(). */
void board_reopen_logs(struct board *b);
const _Atomic uint32_t *board_log_generation(const struct board *b);
/* COUNT_LOG_LINES_LOST in the worker's shard, for log_count_lost(). */
_Atomic uint64_t *board_lost_lines(struct board *b, unsigned slot);

/* ---- breakers: numbers, one word that all swap ---- */

/* May a session ask the milter now?  True may mean that it took the lease. */
bool board_may_ask(struct board *b, unsigned milter,
		   const struct breaker_limits *limits);
/* Is it open, for everybody but the one with the lease?  Looks only. */
bool board_is_open(const struct board *b, unsigned milter,
		   const struct breaker_limits *limits);
/*
 * A failure; `kind` is kept as its cause (a milter counter MILTER_FAILED_*).
 * When the client may have caused it (a crash or garbage, or anything after
 * content was sent), suspect is a hash of its address, else 0: it counts only
 * when another client's message failed likewise not long ago, so that one
 * crafted message cannot switch a scanner off.
 * True: the breaker opened by it.
 */
bool board_failed(struct board *b, unsigned slot, unsigned milter,
		  const struct breaker_limits *limits,
		  enum board_milter_counter kind, uint32_t suspect);
/* A success; true: the breaker closed by it. */
bool board_succeeded(struct board *b, unsigned milter);
/* The lease that began then is given back: see breaker_after_nothing(). */
void board_learned_nothing(struct board *b, unsigned milter,
			   const struct breaker_limits *limits,
			   uint64_t lease);
/* The supervisor's probe has asked it; see breaker_after_probe(). */
void board_probed(struct board *b, unsigned milter,
		  const struct breaker_limits *limits, bool answered);

struct board_breaker_copy {
	struct breaker breaker;
	uint64_t opened_at; /* clock_now(); of the last time */
	uint64_t failed_at; /* of the last failure; 0: never */
	enum board_milter_counter cause; /* MILTER_FAILED_* of it */
};
/*
 * The milter is asked somewhere else from now on: as if it had never failed,
 * none of its sockets is left alone, and nothing is known of its reuse.
 */
void board_clear_breaker(struct board *b, unsigned milter);
void board_read_breaker(const struct board *b, unsigned milter,
			struct board_breaker_copy *copy_out);

enum board_reuse board_reuse(const struct board *b, unsigned milter);
/*
 * What was seen of it; REUSE_UNKNOWN is a doubt: it has to show once more that
 * it works, and the third within an hour means that it does not.  Once it
 * fails, it fails for good.  True: board_reuse() has changed by it.
 */
bool board_note_reuse(struct board *b, unsigned milter, enum board_reuse seen);

/* A socket of a milter with several: left alone until then. */
void board_socket_down(struct board *b, unsigned milter, unsigned socket,
		       uint64_t until);
bool board_socket_is_down(const struct board *b, unsigned milter,
			  unsigned socket, uint64_t now);

/* ---- the ring of the last messages ---- */

#define BOARD_LINE_MAX 1980 /* bytes of a line; a longer one is cut */

struct board_entry {
	uint64_t number; /* from 1 */
	uint64_t at;	 /* wall clock, microseconds since 1970 */
	char queue_id[32];
	uint16_t len;
	char line[BOARD_LINE_MAX];
};

/* The message's one line, as the log has it. */
void board_remember_line(struct board *b, struct slice queue_id,
			 struct slice line);
/* How many were ever remembered: the number of the newest. */
uint64_t board_newest(const struct board *b);
/* False: it is forgotten, was never there, or is being written. */
bool board_read_entry(const struct board *b, uint64_t number,
		      struct board_entry *copy_out);
/*
 * The newest line with this queue id that is older than the number `before`
 * (UINT64_MAX: of all).  Looks at the ids only, so it is quick.
 */
bool board_find_entry(const struct board *b, struct slice queue_id,
		      uint64_t before, struct board_entry *copy_out);

/* ---- names, for people and for metrics; "?" for what is none ---- */

const char *board_state_name(unsigned state);
const char *board_outcome_name(unsigned outcome);
const char *board_cause_name(unsigned cause);
const char *board_answer_name(unsigned answer);
/* As the request `numbers` spells them. */
const char *board_counter_name(unsigned counter);
const char *board_milter_counter_name(unsigned counter);

#endif
