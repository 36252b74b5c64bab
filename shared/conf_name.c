#include "shared/conf_name.h"

#include "shared/conf_lines.h"

/* Where what is said is written. */
struct where {
	const struct conf_place *place;
	struct conf_problems *problems;
};

#define PROBLEM(w, ...)                                              \
	conf_problem_add((w)->problems, (w)->place->file, (w)->place->line, \
			 __VA_ARGS__)

struct slice conf_lower(struct arena *arena, struct slice s)
{
	char *copy = arena_take(arena, s.len + 1);

	if (!copy)
		return SLICE_EMPTY;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		copy[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	return slice_of(copy, s.len);
}

static bool name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' ||
	       c == '@';
}

/*
 * Conditions and tables are named in expressions, so their names are words of
 * the language: greylist-2 would be read as something else.
 */
static bool word_ok(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!name_byte(name.data[i]) || strchr(".-@", name.data[i]))
			return false;
	return name.data[0] < '0' || name.data[0] > '9';
}

static bool name_bytes_ok(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!name_byte(name.data[i]))
			return false;
	return true;
}

/*
 * The line about a message tells of a milter as NAME=..., between words of
 * its own: a milter of that name would be taken for one.
 */
static bool is_log_word(struct slice name)
{
	static const char *const words[] = {
		"by",	 "client",	   "edits",	 "from",  "messages",
		"nrcpt", "passed_without", "quarantine", "rcpt",  "reply",
		"rule",	 "sekisho",	   "size",	 "stage", "time",
		"to",	 "verdict",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_is_case(name, words[i]))
			return true;
	return false;
}

/* Where it is written but in settings: the log and command lines. */
static bool milter_name_ok(const struct where *w, struct slice name)
{
	if (name.data[0] == '-')
		PROBLEM(w,
			"bad milter name \"%.*s\": it would be taken for an "
			"option",
			SLICE_ARG(name));
	else if (is_log_word(name))
		PROBLEM(w,
			"bad milter name \"%.*s\": this is a word of the "
			"log",
			SLICE_ARG(name));
	else
		return true;
	return false;
}

static bool name_ok(const struct where *w, enum conf_section section,
		    struct slice name)
{
	const char *kind = conf_word_of(conf_section_words, (int)section);
	bool is_word = section == CONF_CONDITION || section == CONF_TABLE;

	if (name.len == 0) {
		PROBLEM(w, "a %s needs a name: %s", kind,
			conf_section_print(section));
	} else if (name.len > CONF_NAME_MAX) {
		PROBLEM(w, "the name of a %s may have no more than %d bytes",
			kind, CONF_NAME_MAX);
	} else if (is_word && !word_ok(name)) {
		PROBLEM(w, "bad %s name \"%.*s\": letters, digits and _ only, "
			"and no digit in front", kind, SLICE_ARG(name));
	} else if (!name_bytes_ok(name)) {
		PROBLEM(w, "bad %s name \"%.*s\": letters, digits and "
			". _ - @ only", kind, SLICE_ARG(name));
	} else {
		return section != CONF_MILTER || milter_name_ok(w, name);
	}
	return false;
}

static void unknown_section(const struct where *w, struct slice word)
{
	const char *words[CONF_SECTIONS];
	struct slice lower = conf_lower(w->problems->arena, word);
	const char *nearest;

	word = slice_head(word, 80);
	for (int i = 0; i < CONF_SECTIONS; i++)
		words[i] = conf_section_words[i].word;
	for (int i = CONF_MILTER; i < CONF_SECTIONS; i++) {
		if (!slice_starts(lower, words[i]))
			continue;
		PROBLEM(w, "unknown section [%.*s]: write %s with a blank "
			"between", SLICE_ARG(word),
			conf_section_print((enum conf_section)i));
		return;
	}
	nearest = conf_nearest(lower, words, CONF_SECTIONS);
	if (nearest)
		PROBLEM(w, "unknown section [%.*s]: did you mean [%s]?",
			SLICE_ARG(word), nearest);
	else
		PROBLEM(w, "unknown section [%.*s]: " CONF_SECTIONS_THERE_ARE,
			SLICE_ARG(word));
}

bool conf_name_ok(enum conf_section section, struct slice name,
		  const struct conf_place *place,
		  struct conf_problems *problems)
{
	const struct where w = { place, problems };

	return name_ok(&w, section, name);
}

enum conf_section conf_section_find(struct slice word,
				    const struct conf_place *place,
				    struct conf_problems *problems)
{
	const struct where where = { place, problems };

	for (const struct conf_word *w = conf_section_words; w->word; w++)
		if (slice_is_case(word, w->word))
			return (enum conf_section)w->value;
	unknown_section(&where, word);
	return CONF_SECTIONS;
}
