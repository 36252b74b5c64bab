/*
 * cond_parser - the parser's own parts, shared by its three files
 *
 *	cond_words.c	problems, nearest names, words and quoted text
 *	cond_test.c	one test: fact, operator, operand
 *	cond_parse.c	and, or, not, named conditions
 *
 * Nobody else's.  The first problem ends parsing; each function answers NULL
 * or false then, and nobody says more.
 */
#ifndef SHARED_COND_PARSER_H
#define SHARED_COND_PARSER_H

#include "shared/cond_tree.h"

struct cond_parser {
	struct arena *arena;
	const struct cond_names *names;
	struct cond_problem *problem;
	struct cond *cond;
	struct slice text;	/* of the expression at hand */
	struct slice condition; /* whose it is */
	size_t at;
	unsigned depth;
	unsigned nodes;
	/* Conditions that are being built in, to see a circle. */
	const struct cond_named *inside[COND_DEPTH_MAX];
	unsigned inside_count;
};

/* ---- cond_words.c ---- */

/* Notes the problem, at this byte of the text; false, to be passed on. */
bool cond_fails(struct cond_parser *p, size_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool cond_no_memory(struct cond_parser *p);

/* The name that may have been meant. */
struct cond_near {
	struct slice wanted;
	struct slice name; /* "" : none is near enough */
	size_t distance;
};

struct cond_near cond_near_to(struct slice wanted);
void cond_near_try(struct cond_near *n, struct slice name);
/* "there is no WHAT of that name", and which may have been meant. */
bool cond_no_such(struct cond_parser *p, size_t at, const char *what,
		  const struct cond_near *n);

/* The byte at hand behind blanks; NUL at the end. */
char cond_peek(struct cond_parser *p);
bool cond_take_char(struct cond_parser *p, char c);
/* Letters, digits and . _ - @ behind blanks; empty when there are none. */
struct slice cond_peek_word(struct cond_parser *p);
bool cond_take_keyword(struct cond_parser *p, const char *word);
/* What stands here, for a message. */
struct slice cond_here(struct cond_parser *p);
/* Does this byte end a word without quotes? */
bool cond_is_value_end(char c);
/* Text in quotes or a bare word; there has to be one, such as `example`. */
bool cond_take_operand(struct cond_parser *p, const char *example,
		       struct slice *value_out);

/* ---- cond_test.c ---- */

/*
 * Behind the name of the fact (FACT_COUNT: lookup), which stood at `at`: reads
 * the test and notes in the tree what it looks at.
 */
bool cond_take_test(struct cond_parser *p, size_t at, enum fact fact,
		    struct cond_test *t);

#endif
