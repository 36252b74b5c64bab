/*
 * cond - conditions: text to tree, tree and facts to true, false or unknown
 *
 * The language is told in sekisho-conditions(7).  A tree lives in the arena
 * it was parsed into (that of the settings) and is const: any number of
 * processes evaluate it at once.  What one evaluation writes is in cond_run.
 *
 * Pure: the answer depends on the facts, the tables and the run alone, and
 * once it is true or false it stays so for the message.  (But for what is
 * told in cond_run: a recipient at hand.)
 * Evaluation cannot fail and does not end anything: what cannot be had (a
 * match limit, a lost table, no memory) is unknown, and counted.  What unknown
 * means in the end is the caller's: a milter applies, a rule does not fire.
 */
#ifndef SHARED_COND_H
#define SHARED_COND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/cond_match.h"
#include "shared/facts.h"
#include "shared/slice.h"
#include "shared/table.h"
#include "shared/tri.h"

/* Bytes of an expression. */
#define COND_TEXT_MAX	  16384
/* Tests and operators of one tree, conditions named in it included. */
#define COND_NODES_MAX	  10000
/* Parentheses, not, and named conditions inside each other. */
#define COND_DEPTH_MAX	  100
/* Of a header's value, decoded, no more is looked at. */
#define COND_VALUE_MAX	  ((size_t)64 * 1024)
/*
 * What one message may cost: so many hit limits, so much time for regexes
 * (microseconds).  Beyond that every further regex is unknown.
 */
#define COND_LIMIT_HITS_MAX 16
#define COND_REGEX_TIME_MAX UINT64_C(1000000)

struct cond;

/* ---- text to tree ---- */

/* [condition NAME] is = TEXT */
struct cond_named {
	struct slice name;
	struct slice text;
};

/* What may be named in an expression, and where it is asked. */
struct cond_names {
	const struct cond_named *conditions;
	size_t condition_count;
	struct table *const *tables; /* with their names */
	size_t table_count;
	const struct slice *milters; /* in chain order; index is the fact's */
	size_t milter_count;
	/*
	 * The first so many milters may be asked with milter(): those above
	 * the one that the expression is for; a rule may ask all.
	 */
	size_t milters_above;
	/* The last stage this place is asked at; STAGE_EOM: no restriction. */
	enum stage until;
};

struct cond_problem {
	/* "" : in the text itself; else in the condition of this name. */
	struct slice condition;
	size_t column; /* from 1, in bytes of that text */
	char text[256];
};

/*
 * Parses one expression; conditions named in it are parsed and built in, with
 * their own text.  The text is copied.  NULL: *problem_out tells the first
 * problem.
 */
const struct cond *cond_parse(struct arena *arena, struct slice text,
			      const struct cond_names *names,
			      struct cond_problem *problem_out)
	__attribute__((warn_unused_result));

/* May a condition not be called so, being a fact or a word of the language? */
bool cond_reserved(struct slice name);

/* ---- what a tree looks at ---- */

/*
 * From this stage on it can only be unknown for a failure, or because
 * header_now and milter() wait for others.
 */
enum stage cond_known_from(const struct cond *c);
/*
 * Before this stage nothing in it can be known, but for what no size or count
 * can be; STAGE_CONNECT for "true".
 */
enum stage cond_first(const struct cond *c);
bool cond_uses(const struct cond *c, enum fact fact);
bool cond_uses_tables(const struct cond *c);
/* Bit i: milter i is asked for its word or its headers. */
uint64_t cond_milters(const struct cond *c);
/* Calls fn for each macro looked at, with the stage it has to come with. */
void cond_each_macro(const struct cond *c,
		     void (*fn)(void *context, struct slice name,
				enum stage stage),
		     void *context);
/* The text it was parsed from. */
struct slice cond_text(const struct cond *c);

/* ---- tree and facts to an answer ---- */

/* What one test of a tree found out about this message. */
struct cond_memo {
	uint32_t seen;	  /* entries of a list that did not match */
	uint8_t answer;	  /* 0: none, else an enum tri + 1 */
	uint8_t doubtful; /* one of them could not be told */
};

/* How many memos a tree needs. */
size_t cond_memos(const struct cond *c);

struct cond_run {
	/* Decoded values; may be reset after each evaluation. */
	struct arena *scratch;
	struct cond_matcher *matcher;
	/*
	 * cond_memos() of them for this tree, zeroed at each MAIL: nothing is
	 * matched twice, so the many evaluations of one message cost what one
	 * costs.  NULL: every test is made anew.
	 */
	struct cond_memo *memos;
	/* In a rule at RCPT: only this one, without <>.  NULL: any accepted. */
	const struct slice *recipient;
	/*
	 * The headers as those above left them; NULL while they are still at
	 * it.  See facts.h for headers as the MTA sent them.
	 */
	const struct header_list *headers_now;

	/* Added up; the caller zeroes them at each MAIL. */
	unsigned limit_hits;	 /* of regexes, that of time included */
	unsigned failed_lookups; /* tables and memory */
	uint64_t regex_time;	 /* microseconds */
};

enum tri cond_eval(const struct cond *c, const struct facts *facts,
		   struct cond_run *run);

/* A part of the expression that the answer rests on. */
struct cond_reason {
	struct slice text;	/* as written */
	struct slice condition; /* in which it stands; "" : the text itself */
	size_t column;		/* from 1 */
	enum tri answer;	/* of this part */
};

/*
 * Evaluates and tells why: of an `or` that is true the first true part, of an
 * `and` that is false the first false one, else all that matter.  At most
 * `room` reasons are given; *count_out is how many there are.
 */
enum tri cond_explain(const struct cond *c, const struct facts *facts,
		      struct cond_run *run, struct cond_reason *reasons,
		      size_t room, size_t *count_out);

#endif
