/*
 * cond_tree - what a parsed condition looks like inside
 *
 * Between cond_parse.c, which makes it, and cond_eval.c and cond_explain.c,
 * which walk it; nobody else's.  All of it is const once parsed, in one arena.
 * Depth and number of nodes are bounded by the parser, so walking may recurse.
 */
#ifndef SHARED_COND_TREE_H
#define SHARED_COND_TREE_H

#include "shared/cond.h"

enum cond_kind {
	COND_CONST, /* true, false */
	COND_AND,   /* any number of parts */
	COND_OR,
	COND_NOT,  /* one part */
	COND_NAMED, /* one part: the tree of a condition */
	COND_TEST,
};

enum cond_op {
	COND_IS, /* no operator: it is there, or it is so */
	COND_EQ,
	COND_LT,
	COND_LE,
	COND_GT,
	COND_GE,
	COND_MATCH,   /* ~ */
	COND_RANGES,  /* in, of numbers */
	COND_NETWORK, /* in, of one network */
	COND_TABLE,   /* in, of a table or { } */
};

/* Both ends belong to it. */
struct cond_range {
	int64_t low;
	int64_t high;
};

struct cond_test {
	enum fact fact;
	enum fact_type type; /* of what is compared: of a lookup, its value */
	enum stage first;
	enum stage from;
	struct slice name;  /* of the header or macro */
	size_t milter;	    /* FACT_MILTER, FACT_MILTER_HEADER */
	enum stage stage;   /* FACT_MACRO: that it comes with */
	const struct table *lookup; /* lookup(): the fact is its key */

	enum cond_op op;
	bool negated;	 /* !=, !~, not in */
	bool as_number;	 /* text is read as a number */
	int64_t number;
	struct slice word;
	const struct cond_regex *regex;
	const struct cond_range *ranges;
	size_t range_count;
	struct network network;
	const struct table *table;
	size_t memo;
};

struct cond_node {
	enum cond_kind kind;
	struct slice text; /* as written */
	struct slice condition;
	size_t column;
	bool value; /* COND_CONST */
	struct cond_node *parts;
	struct cond_node *next; /* the next part of what this is a part of */
	struct cond_test test;
};

struct cond {
	struct cond_node *root;
	struct slice text;
	size_t memos;
	enum stage first;
	enum stage from;
	uint64_t facts; /* bit by enum fact */
	uint64_t milters;
	bool tables;
};

_Static_assert(FACT_COUNT <= 64, "a fact has no bit");

/* ---- cond_value.c: operands, for the parser ---- */

/*
 * Numbers as the fact's type has them: "5.5", "10M", "30s", "08:00", "mon",
 * "reject".  False: it is none.
 */
bool cond_value_number(enum fact_type type, struct slice text,
		       int64_t *number_out);
/*
 * "1-5", "22:00-06:00", "fri-mon", or one number; two ranges when it goes
 * over midnight or the week's end.  0: it is none.
 */
size_t cond_value_ranges(enum fact_type type, struct slice text,
			 struct cond_range ranges_out[2]);
/* A number at the front of a text, in thousandths. */
bool cond_value_leading(struct slice text, int64_t *number_out);
/* How such a value is written, for messages. */
const char *cond_value_example(enum fact_type type);

/* ---- cond_eval.c ---- */

enum tri cond_eval_node(const struct cond_node *n, const struct facts *facts,
			struct cond_run *run);

#endif
