/*
 * conf_table - one row per parameter, the only place where it is declared
 *
 * For the conf_*.c files and their tests.  Everything in here is const and
 * lives as long as the program; nothing fails.
 */
#ifndef SHARED_CONF_TABLE_H
#define SHARED_CONF_TABLE_H

#include "shared/conf.h"

enum conf_section {
	CONF_SERVER,
	CONF_MILTER, /* from here on each has a name */
	CONF_CONDITION,
	CONF_TABLE,
	CONF_RULE,
	CONF_SECTIONS
};

enum conf_type {
	CONF_BOOL,     /* bool */
	CONF_UNSIGNED, /* unsigned */
	CONF_SIZE,     /* uint64_t, bytes: 64k 10M 1G */
	CONF_DURATION, /* uint64_t, microseconds: 500ms 10s 5m 2h 1d */
	CONF_STRING,   /* const char * */
	CONF_PATH,     /* const char *, absolute */
	CONF_WORD,     /* an enum or int: one of row->words */
	CONF_EITHER,   /* bool: one of the two row->words */
	CONF_SOCKETS,  /* struct conf_sockets */
	CONF_SWITCH,   /* struct conf_switch */
	CONF_LISTEN,   /* struct conf_listeners; may listen for MTAs */
	CONF_STATUS,   /* struct conf_listeners; nothing about MTAs */
	CONF_MACROS,   /* struct slice[LIST_COUNT] */
	CONF_TEXT,     /* struct conf_text: an expression, a table's source */
	CONF_TEXTS,    /* struct conf_texts: may be given again and again */
};

/* When a changed value comes into force. */
enum conf_when { CONF_AT_START, CONF_AT_RELOAD };

struct conf_word {
	const char *word; /* NULL ends the list */
	int value;
};

struct conf_row {
	enum conf_section section;
	enum conf_type type;
	enum conf_when when;
	const char *key;
	size_t offset;		/* in struct conf, or in that of the section */
	const char *standard;	/* the default as written; NULL: required */
	const char *sample;	/* the sample file sets this; NULL: nothing */
	uint64_t min, max;	/* of the number; of a duration in microseconds */
	const char *unit;	/* what the value counts, for people */
	const struct conf_word *words;
	const char *sentence;
};

/* Rows of a section, in alphabetical order. */
#define CONF_ROWS_MAX 48
const struct conf_row *conf_rows(enum conf_section section, size_t *count_out);
/* The row of that key in any case of letters, or NULL. */
const struct conf_row *conf_row_find(enum conf_section section,
				     struct slice key);
/* The key of that section that looks most like it; NULL: none does. */
const char *conf_row_nearest(enum conf_section section, struct slice key);
/* The word most like it, of n words; NULL: none is near enough. */
const char *conf_nearest(struct slice wrong, const char *const *words,
			 size_t n);
/* The word that stands for a value; "?" when none does. */
const char *conf_word_of(const struct conf_word *words, int value);

/* What stands between the brackets: "server", "milter", ... */
extern const struct conf_word conf_section_words[];
/* The same in brackets with a NAME: "[server]", "[milter NAME]", ... */
const char *conf_section_print(enum conf_section section);
extern const struct conf_word conf_order_words[];
extern const struct conf_word conf_mode_words[];
extern const struct conf_word conf_overload_words[];
extern const struct conf_word conf_policy_words[];
extern const struct conf_word conf_mta_words[];
extern const struct conf_word conf_list_words[];

/* Behind the number of a size or duration; what it is times. */
struct conf_unit {
	const char *word; /* NULL ends the list */
	uint64_t factor;
};
extern const struct conf_unit conf_sizes[];
extern const struct conf_unit conf_durations[];

/* Where something was written; file NULL: nowhere, it is the default. */
struct conf_place {
	const char *file;
	unsigned line;
};

/* Where each setting came from, for messages about what contradicts what. */
struct conf_places {
	struct conf_place file;
	struct conf_place server[CONF_ROWS_MAX]; /* by row */
	/* Of all sections with names, by section and number. */
	struct conf_place *named[CONF_SECTIONS];
	struct conf_place (*keys[CONF_SECTIONS])[CONF_ROWS_MAX];
};

/*
 * What rows cannot say: contradictions between settings.  Adds a problem for
 * each; names need not be resolved.
 */
void conf_check(const struct conf *conf, const struct conf_places *places,
		struct conf_problems *problems);

#endif
