/*
 * prop - what the parts of the property test of the chain share
 *
 * A case is a row of children, what each of them will do at every point, and
 * the commands of one MTA session.  It is made from a seed, played against a
 * real sekishod (play.c), and what everybody saw is recorded in a run.  The
 * model (model.c) then reads the run from beginning to end and says whether a
 * plain row of filters could have behaved like that.
 *
 * Everything hangs in arenas: the case in one, the run in another.  Running
 * out of memory ends the program; it is a test.
 */
#ifndef T_PROP_PROP_H
#define T_PROP_PROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/conf.h"
#include "shared/milter.h"

#define KIDS_MAX     5
#define MESSAGES_MAX 4
#define RCPTS_MAX    6
#define EDITS_MAX    6
#define OPS_MAX	     256
#define HELOS_MAX    4
#define CONNS_MAX    64

/* What a child does instead of answering. */
#define FAIL_CLOSE   'X' /* closes the connection */
#define FAIL_GARBAGE 'G' /* sends the bytes in `text`, then says no more */
#define FAIL_SILENT  'S' /* never answers */

/* One request for a change, as it travels (milter-protocol 4.5). */
struct edit {
	char kind;	    /* SMFIR_ letter */
	uint32_t index;	    /* INSHEADER, CHGHEADER */
	struct slice name;  /* header name, or address */
	struct slice value; /* header value, arguments, body, reason */
	bool has_args;
};

struct reaction {
	char kind; /* SMFIR_ letter of the answer, or FAIL_ */
	struct slice text;
	unsigned times; /* so often, then continue; 0: always */
	unsigned used;	/* counted while playing */
	bool progress;	/* says "still working" first */
};

/* What one child does in one message. */
struct kid_message {
	struct reaction mail;
	struct reaction rcpt[RCPTS_MAX];
	struct reaction data;
	struct reaction header; /* to the header_at-th header */
	struct reaction eoh;
	struct reaction body; /* to the chunk with byte body_at */
	struct reaction eom;
	unsigned header_at;
	size_t body_at;
	struct edit edits[EDITS_MAX];
	unsigned edit_count;
	bool leaves; /* closes after its final answer to end of message */
};

struct kid_plan {
	/* from the settings */
	enum conf_order order;
	enum conf_mode mode;
	enum conf_policy policy;
	enum conf_late_refusal late;
	enum stage join;
	bool serial;
	/* its answer to the offer: what is not offered is left out */
	uint32_t version;
	uint32_t actions;
	uint32_t protocol;
	bool has_list[LIST_COUNT];
	struct slice list[LIST_COUNT];
	struct reaction optneg;
	struct reaction connect;
	struct reaction helo[HELOS_MAX];
	struct reaction unknown;
	struct kid_message messages[MESSAGES_MAX];
};

/* One command of the MTA. */
struct op {
	char letter;
	unsigned message; /* which it belongs to; MESSAGES_MAX: none */
	unsigned number;  /* of the recipient or HELO */
	bool rejected;	  /* RCPT: by the MTA itself (RCPT_REJ) */
	bool has_macros;
	struct slice macros; /* pairs */
	struct slice payload;
};

struct prop_case {
	uint64_t seed;
	unsigned number;
	struct arena *arena;
	struct kid_plan kids[KIDS_MAX];
	unsigned kid_count;
	enum mta mta;
	uint32_t version;
	uint32_t actions;
	uint32_t protocol;
	struct op ops[OPS_MAX];
	unsigned op_count;
	bool shuffled;	  /* children answer late and in any order */
	bool small_memory; /* bodies go to the spool file */
};

/* What a child saw and said, in its order. */
struct event {
	uint64_t seq; /* of the whole run */
	char letter;
	struct slice payload;
	bool has_macros;     /* a MACRO packet for it came just before */
	struct slice macros; /* pairs */
	char answer;	     /* SMFIR_, FAIL_, or 0: none was owed */
	struct slice text;
	const struct edit *edits;
	unsigned edit_count;
	bool crowded; /* the next command was there before our answer */
	bool dropped; /* came after the final answer: no answer */
};

struct conn {
	unsigned kid;
	int fd;
	struct buf in;
	struct buf out;
	struct event *events;
	size_t count;
	size_t room;
	uint32_t protocol; /* as negotiated */
	uint32_t actions;
	uint32_t version;
	/* of the present message */
	bool over; /* final answer given */
	unsigned over_message; /* in this one */
	bool deaf; /* failed: listens no more, waits for the end */
	unsigned headers;
	size_t body;
	bool has_macros[256];
	struct slice macros[256];
	bool we_closed;
	bool they_closed;
	bool leave_when_written;
	unsigned nap; /* rounds of the loop before it reads on */
};

/* One command as the MTA gave it, and what came back. */
struct exchange {
	const struct op *op;
	uint64_t seq;
	uint64_t answer_seq;
	char answer; /* 0: none came */
	struct slice text;
	struct edit *edits;
	unsigned edit_count;
	unsigned edit_room;
	unsigned progress;
	bool owed;
};

struct run {
	struct arena *arena;
	struct conn conns[CONNS_MAX];
	unsigned conn_count;
	struct exchange exchanges[OPS_MAX];
	unsigned exchange_count;
	uint32_t got_version; /* what we were promised */
	uint32_t got_actions;
	uint32_t got_protocol;
	uint64_t seq;
	const char *broken; /* the play itself went wrong: words */
	unsigned watched;   /* evaluate children that saw a whole message */
};

/* random numbers */
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *r);
/* 0 .. n-1 */
unsigned rng_below(struct rng *r, unsigned n);
/* true once in n */
bool rng_once_in(struct rng *r, unsigned n);

/* memory and text; all end the program when memory is out */
void *take(struct arena *a, size_t n, size_t size);
struct slice keep(struct arena *a, struct slice s);
/* Formatted; "%c" with 0 puts a NUL. */
struct slice text(struct arena *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Appends; ends the program when there is no room. */
void put(struct buf *b, struct slice s);
_Noreturn void die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* generate.c: the children's settings are the same within a group of cases. */
#define CASES_PER_GROUP 25u
void generate(struct prop_case *c, struct arena *a, uint64_t seed,
	      unsigned number);

/* stage.c: one sekishod with its settings file and the children's sockets. */
struct stage_set; /* what is on the stage */
struct stage_set *stage_open(const struct prop_case *c, const char *program,
			     const char *directory);
/* False: *why_out tells of a bad end (crash, a bug line in the log). */
bool stage_close(struct stage_set **s, const char **why_out);
/* A new connection to sekishod as an MTA, or -1. */
int stage_connect(const struct stage_set *s);
int stage_listener(const struct stage_set *s, unsigned kid);

/* play.c */
/* Plays the case (reaction counters are reset first). */
void play(struct stage_set *s, struct prop_case *c, struct run *run);
/* From now on the MTA lets everybody settle after each command, or not. */
void play_patiently(bool yes);

/* model.c: NULL, or what is wrong, in words. */
const char *model_check(const struct prop_case *c, struct run *run);

/* model_edit.c: header lists of both MTAs as plain arrays */
#define HEADERS_MAX 128
struct mail_header {
	struct slice name;
	struct slice value;
	bool hidden;	     /* the MTA's own */
	unsigned id;	     /* who it is, in every copy */
	unsigned deleted_by; /* filter, 0: alive */
	unsigned changed_by; /* last filter that made or changed it */
};
struct mail_headers {
	enum mta mta;
	struct mail_header h[HEADERS_MAX];
	unsigned count;
	unsigned next_id;
	unsigned filter; /* whose turn it is, 1 ... */
};
void headers_begin(struct mail_headers *l, enum mta mta);
/* A header of the message as it came. */
void headers_append(struct mail_headers *l, struct slice name,
		    struct slice value);
/* The place of a visible header after place `from` (-1: first), or -1. */
int headers_next(const struct mail_headers *l, int from);
/* Carries one ADD-, INS- or CHGHEADER out for filter l->filter. */
void headers_edit(struct mail_headers *l, const struct edit *e);
/*
 * The same for a free child: `seen` is the list as it saw and edited it, all
 * is the list behind everybody else's changes.  An edit of an entry that
 * another filter changed is dropped (design 3).
 */
void headers_edit_free(struct mail_headers *seen, struct mail_headers *all,
		       const struct edit *e);
/* What both lists deliver is the same. */
bool headers_same(const struct mail_headers *a, const struct mail_headers *b);
void headers_print(const struct mail_headers *l, FILE *out);
/* design 4, checks: CR removed, LF without blank behind becomes LF TAB. */
struct slice clean_value(struct arena *a, struct slice value);

/* report.c */
void report_case(const struct prop_case *c, FILE *out);
void report_run(const struct prop_case *c, const struct run *run, FILE *out);

#endif
