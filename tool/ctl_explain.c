#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tool/ctl.h"
#include "tool/eml.h"
#include "tool/explain.h"

#define PLAY_CEILING ((size_t)512 << 20)

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
		ctl_say("--milter %.*s=%.*s: %s", SLICE_ARG(m->name),
			SLICE_ARG(m->value),
			found ? "this is no word of a milter: continue, "
				"accept, "
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
			ctl_say("there is no milter or rule \"%s\"", set->of);
			return EXPLAIN_USAGE;
		}
	}
	buf_init(&out, CTL_TEXT_CEILING);
	ok = set->is_json ? explain_print_json(e, of, &out) :
			    explain_print(e, of, &out);
	status = ok ? ctl_write_out(&out, (int)explain_status(e, of)) :
		      ctl_no_memory();
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
	buf_init(&message, CTL_TEXT_CEILING);
	if (set->file && !eml_read(set->file, &message)) {
		ctl_say("could not read \"%s\": %s", set->file,
			strerror(errno));
		status = EXPLAIN_FAILURE;
	} else if (!explain_play(&arena, conf, set, buf_slice(&message), &e)) {
		status = ctl_no_memory();
	} else {
		status = print_explained(&e);
	}
	buf_deinit(&message);
	arena_deinit(&arena);
	return status;
}

int ctl_explain(char *const *args)
{
	struct explain_settings set;
	struct arena arena;
	const struct conf *conf;
	int status = EXPLAIN_SETTINGS;

	if (!explain_options(args, &set))
		return EXPLAIN_USAGE;
	arena_init(&arena, CTL_CONF_CEILING);
	conf = ctl_read_conf(&arena, set.conf);
	if (conf) {
		status = names_are_good(conf, &set) ?
				 explain_message(conf, &set) :
				 EXPLAIN_USAGE;
		conf_close(conf);
	}
	arena_deinit(&arena);
	return status;
}
