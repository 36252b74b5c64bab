/*
 * options - the command line of the players, long and short
 *
 * getopt_long() is not used because its header takes the name `struct option`,
 * which the protocol needs.  Options and other arguments may be mixed; `--`
 * ends the options.  Complaints go to stderr.  Nothing is copied.
 */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options_row {
	int id; /* above 0 */
	const char *name;
	char letter; /* 0: none */
	bool has_value;
};

struct options {
	const char *program;
	const struct options_row *rows;
	size_t row_count;
	char *const *args;   /* NULL at the end; begins behind the program */
	const char *letters; /* the rest of "-abc" */
	bool is_over;	     /* after `--` */
};

#define OPTIONS_END   0
#define OPTIONS_WRONG (-1)
#define OPTIONS_OTHER (-2) /* no option: *value_out is the argument */

/* The id of the next option, or one of the words above. */
int options_next(struct options *o, const char **value_out);
/* A whole number from min to max; else it complains and gives false. */
bool options_number(const struct options *o, const char *text, int base,
		    uint64_t max, uint64_t *number_out);

#endif
