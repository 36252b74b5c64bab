#include "tool/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong(const struct options *o, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", o->program, what, why);
	return OPTIONS_WRONG;
}

static int take_value(struct options *o, const struct options_row *row,
		      const char *what, const char **value_out)
{
	*value_out = NULL;
	if (!row->has_value)
		return row->id;
	*value_out = *o->args;
	if (!*o->args)
		return wrong(o, what, "needs a value");
	o->args++;
	return row->id;
}

static int next_letter(struct options *o, const char **value_out)
{
	char letter = *o->letters++;

	for (size_t i = 0; i < o->row_count; i++) {
		const struct options_row *row = &o->rows[i];

		if (!row->letter || row->letter != letter)
			continue;
		if (row->has_value && *o->letters) {
			*value_out = o->letters;
			o->letters = "";
			return row->id;
		}
		return take_value(o, row, row->name, value_out);
	}
	fprintf(stderr, "%s: unknown option -%c\n", o->program, letter);
	return OPTIONS_WRONG;
}

static int next_name(struct options *o, const char *name,
		     const char **value_out)
{
	size_t len = strcspn(name, "=");

	for (size_t i = 0; i < o->row_count; i++) {
		const struct options_row *row = &o->rows[i];

		if (strlen(row->name) != len ||
		    strncmp(row->name, name, len) != 0)
			continue;
		if (!name[len])
			return take_value(o, row, name, value_out);
		if (!row->has_value)
			return wrong(o, row->name, "takes no value");
		*value_out = name + len + 1;
		return row->id;
	}
	return wrong(o, name, "unknown option");
}

int options_next(struct options *o, const char **value_out)
{
	const char *arg;

	if (o->letters && *o->letters)
		return next_letter(o, value_out);
	arg = *o->args;
	if (!arg)
		return OPTIONS_END;
	o->args++;
	if (o->is_over || arg[0] != '-' || !arg[1]) {
		*value_out = arg;
		return OPTIONS_OTHER;
	}
	if (arg[1] != '-') {
		o->letters = arg + 1;
		return next_letter(o, value_out);
	}
	if (arg[2])
		return next_name(o, arg + 2, value_out);
	o->is_over = true;
	return options_next(o, value_out);
}

bool options_number(const struct options *o, const char *text, int base,
		    uint64_t max, uint64_t *number_out)
{
	char *end;

	errno = 0;
	*number_out = strtoull(text, &end, base);
	if (*text >= '0' && *text <= '9' && !*end && !errno &&
	    *number_out <= max)
		return true;
	wrong(o, text, "not a number that fits there");
	return false;
}
