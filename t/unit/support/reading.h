/*
 * reading - one reading of settings, and the words about it
 *
 * For the tests of the conf_*.c files.  What was read lives until
 * reading_done().
 */
#ifndef T_UNIT_SUPPORT_READING_H
#define T_UNIT_SUPPORT_READING_H

#include "shared/conf.h"

/* As little as there has to be. */
#define MILTER "[milter m]\nsocket = unix:/m\n"

struct reading {
	struct arena arena;
	struct conf_problems problems;
	const struct conf *conf; /* NULL: they are not good */
	struct buf words;
};

void reading_slice(struct reading *r, struct slice text);
void reading_text(struct reading *r, const char *text);
void reading_done(struct reading *r);
const char *reading_words(const struct reading *r);
/* The settings are good. */
void reading_good(struct reading *r, const char *text);
/* They are not, and exactly this is said. */
void reading_says(const char *text, const char *wanted);

#endif
