/*
 * sekishoctl - the administrator's side: settings, and what they mean
 *
 * See sekishoctl(8).
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/builtin.h"
#include "shared/conf.h"
#include "tool/eml.h"
#include "tool/explain.h"
#include "tool/options.h"

#ifndef SEKISHO_CONF
#define SEKISHO_CONF "/etc/sekisho/sekisho.conf"
#endif
#ifdef PACKAGE_VERSION
#define VERSION_TEXT PACKAGE_VERSION
#else
#define VERSION_TEXT "unversioned"
#endif

#define CONF_CEILING ((size_t)64 << 20)
#define TEXT_CEILING ((size_t)64 << 20)
#define PLAY_CEILING ((size_t)512 << 20)

struct verb {
	const char *name;
	const char *args;
	const char *what;
	int (*run)(char *const *args);
};

/* ---- settings ---- */

static void print_problems(const struct conf_problems *problems)
{
	struct buf words;

	buf_init(&words, TEXT_CEILING);
	conf_problems_print(problems, &words);
	fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&words)));
	fprintf(stderr, "sekishoctl: %u problem%s in the settings\n",
		problems->count, problems->count == 1 ? "" : "s");
	buf_deinit(&words);
}

/* NULL: it was said why. */
static const struct conf *read_conf(struct arena *arena, const char *path)
{
	struct conf_problems problems;
	const struct conf *conf = conf_read(arena, path, &problems);

	if (!conf)
		print_problems(&problems);
	return conf;
}

static int out_of_memory(void)
{
	fprintf(stderr, "sekishoctl: no memory\n");
	return EXPLAIN_FAILURE;
}

/* Everything at once, and a full disk is noticed. */
static int write_out(struct buf *b, int status)
{
	struct slice s = buf_slice(b);

	if (fwrite(s.data, 1, s.len, stdout) == s.len && fflush(stdout) == 0)
		return status;
	fprintf(stderr, "sekishoctl: could not write: %s\n", strerror(errno));
	return EXPLAIN_FAILURE;
}

/* What check and config take. */
struct conf_options {
	const char *conf;
	bool changed_only;
	bool builtin;
};

static bool conf_options(char *const *args, struct conf_options *o)
{
	static const struct options_row rows[] = {
		{ 1, "config", 'c', true },
		{ 2, "changed", 'n', false },
		{ 3, "builtin", 'b', false },
	};
	struct options opt = { .program = "sekishoctl", .rows = rows,
			       .row_count = 3, .args = args };
	const char *value = NULL;
	int id;

	*o = (struct conf_options){ .conf = SEKISHO_CONF };
	while ((id = options_next(&opt, &value)) != OPTIONS_END) {
		if (id == 1)
			o->conf = value;
		else if (id == 2)
			o->changed_only = true;
		else if (id == 3)
			o->builtin = true;
		else
			break;
	}
	if (id == OPTIONS_OTHER)
		fprintf(stderr, "sekishoctl: %s: one argument too many\n",
			value);
	return id == OPTIONS_END;
}

static int check(char *const *args)
{
	struct conf_options o;
	struct arena arena;
	const struct conf *conf;

	if (!conf_options(args, &o))
		return EXPLAIN_USAGE;
	arena_init(&arena, CONF_CEILING);
	conf = read_conf(&arena, o.conf);
	if (conf) {
		printf("ok\n");
		conf_close(conf);
	}
	arena_deinit(&arena);
	return conf ? EXPLAIN_YES : EXPLAIN_SETTINGS;
}

static int config(char *const *args)
{
	struct conf_options o;
	struct arena arena;
	const struct conf *conf = NULL;
	struct buf out;
	int status = EXPLAIN_YES;

	if (!conf_options(args, &o))
		return EXPLAIN_USAGE;
	arena_init(&arena, CONF_CEILING);
	buf_init(&out, TEXT_CEILING);
	if (!o.builtin)
		conf = read_conf(&arena, o.conf);
	if (!o.builtin && !conf)
		status = EXPLAIN_SETTINGS;
	else if (o.builtin ? !builtin_print(&out) :
			     !conf_print(conf, !o.changed_only, &out))
		status = out_of_memory();
	else
		status = write_out(&out, status);
	if (conf)
		conf_close(conf);
	buf_deinit(&out);
	arena_deinit(&arena);
	return status;
}

/* ---- explain ---- */

/* Names on the command line that the settings do not know. */
static bool names_are_good(const struct conf *conf,
			   const struct explain_settings *set)
{
	for (size_t i = 0; i < set->milter_count; i++) {
		const struct explain_pair *m = &set->milter[i];
		bool found = false;

		for (size_t j = 0; j < conf->milter_count; j++)
			found |= slice_is_case(m->name, conf->milters[j].name);
		if (found && facts_milter_find(m->value) != FACT_MILTER_COUNT)
			continue;
		fprintf(stderr, "sekishoctl: --milter %.*s=%.*s: %s\n",
			SLICE_ARG(m->name), SLICE_ARG(m->value),
			found ? "this is no word of a milter: continue, accept, "
				"reject, tempfail, discard, failed, skipped, "
				"none" :
				"there is no such milter");
		return false;
	}
	return true;
}

static int print_explained(const struct explain *e)
{
	const struct explain_settings *set = e->set;
	const struct explain_item *of = NULL;
	struct buf out;
	int status;
	bool ok;

	if (set->of) {
		of = explain_find(e, set->of);
		if (!of) {
			fprintf(stderr, "sekishoctl: there is no milter or rule "
				"\"%s\"\n", set->of);
			return EXPLAIN_USAGE;
		}
	}
	buf_init(&out, TEXT_CEILING);
	ok = set->is_json ? explain_print_json(e, of, &out) :
			    explain_print(e, of, &out);
	status = ok ? write_out(&out, (int)explain_status(e, of)) :
		      out_of_memory();
	buf_deinit(&out);
	return status;
}

static int explain_message(const struct conf *conf,
			   const struct explain_settings *set)
{
	struct arena arena;
	struct explain e;
	struct buf message;
	int status;

	arena_init(&arena, PLAY_CEILING);
	buf_init(&message, TEXT_CEILING);
	if (set->file && !eml_read(set->file, &message)) {
		fprintf(stderr, "sekishoctl: could not read \"%s\": %s\n",
			set->file, strerror(errno));
		status = EXPLAIN_FAILURE;
	} else if (!explain_play(&arena, conf, set, buf_slice(&message), &e)) {
		status = out_of_memory();
	} else {
		status = print_explained(&e);
	}
	buf_deinit(&message);
	arena_deinit(&arena);
	return status;
}

static int explain(char *const *args)
{
	struct explain_settings set;
	struct arena arena;
	const struct conf *conf;
	int status = EXPLAIN_SETTINGS;

	if (!explain_options(args, &set))
		return EXPLAIN_USAGE;
	arena_init(&arena, CONF_CEILING);
	conf = read_conf(&arena, set.conf);
	if (conf) {
		status = names_are_good(conf, &set) ?
				 explain_message(conf, &set) :
				 EXPLAIN_USAGE;
		conf_close(conf);
	}
	arena_deinit(&arena);
	return status;
}

/* ---- verbs ---- */

static const struct verb verbs[] = {
	{ "check", "[-c file]", "are the settings good?", check },
	{ "config", "[-bn] [-c file]", "all settings in force", config },
	{ "explain", "[-c file] [options] [message]",
	  "which milters and rules would apply, and why", explain },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void usage(FILE *to)
{
	fprintf(to, "usage: sekishoctl verb [options]\n");
	for (size_t i = 0; i < VERBS; i++)
		fprintf(to, "  %-8s %-30s %s\n", verbs[i].name, verbs[i].args,
			verbs[i].what);
	fprintf(to, "settings: %s\n", SEKISHO_CONF);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(verb, verbs[i].name) == 0)
			return verbs[i].run(argv + 2);
	if (strcmp(verb, "-h") == 0 || strcmp(verb, "--help") == 0) {
		usage(stdout);
		return EXPLAIN_YES;
	}
	if (strcmp(verb, "-V") == 0 || strcmp(verb, "--version") == 0) {
		printf("sekishoctl %s\n", VERSION_TEXT);
		return EXPLAIN_YES;
	}
	if (verb[0])
		fprintf(stderr, "sekishoctl: unknown verb \"%s\"\n", verb);
	usage(stderr);
	return EXPLAIN_USAGE;
}
