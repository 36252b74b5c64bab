#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tool/ctl.h"
#include "tool/ctl_client.h"
#include "tool/report.h"

#define REPORT_TIMEOUT (10 * CLOCK_S)
#define FILE_MAX       ((size_t)16 << 20)

enum report_option {
	OPT_SINCE = CTL_CLIENT_OTHER,
	OPT_CSV,
};

static const struct options_row rows[] = {
	CTL_CLIENT_ROWS,
	{ OPT_SINCE, "since", 0, true },
	{ OPT_CSV, "csv", 0, false },
};

struct report_options {
	struct ctl_client_options client;
	const char *since; /* NULL: all; a time or a file */
	bool is_csv;
};

static bool read_args(char *const *args, struct report_options *o)
{
	struct options opt = CTL_OPTIONS(rows, args);
	const char *value = NULL;
	int id;

	while ((id = options_next(&opt, &value)) != OPTIONS_END) {
		if (id == OPTIONS_OTHER)
			ctl_say("%s: one argument too many", value);
		if (id < 0)
			return false;
		if (id == OPT_SINCE)
			o->since = value;
		else if (id == OPT_CSV)
			o->is_csv = true;
		else if (!ctl_client_option(&o->client, id, value))
			return false;
	}
	if (o->is_csv && o->client.is_json) {
		ctl_say("--csv or -j, not both");
		return false;
	}
	return true;
}

static int parse(struct slice text, const char *from, struct numbers *out)
{
	char why[NUMBERS_WHY];

	if (numbers_parse(text, out, why))
		return CTL_OK;
	ctl_say("%s: %s", from, why);
	return CTL_FAILURE;
}

static int ask(struct ctl_client *c, const char *line, struct numbers *out)
{
	struct slice text = SLICE_EMPTY;
	int status = ctl_client_ask(c, line, &text);

	if (status == CTL_OK)
		return parse(text, c->where, out);
	if (status == CTL_REFUSED)
		ctl_say("refused: %.*s", SLICE_ARG(slice_trim(text)));
	return status;
}

/* What `sekishoctl numbers` wrote into a file some time ago. */
static int read_file(const char *path, struct numbers *out)
{
	FILE *f = fopen(path, "re");
	struct buf text;
	size_t n = 1;
	int status;

	if (!f) {
		ctl_say("could not read \"%s\": %s", path, strerror(errno));
		return CTL_FAILURE;
	}
	buf_init(&text, FILE_MAX);
	while (n) {
		char *room = buf_room(&text, 65536);

		n = room ? fread(room, 1, 65536, f) : 0;
		buf_added(&text, n);
	}
	status = ferror(f) ? CTL_FAILURE : parse(buf_slice(&text), path, out);
	fclose(f);
	buf_deinit(&text);
	return status;
}

/* "10m" is a time; "./10m" would be a file. */
static bool is_time(const char *since)
{
	return since[0] >= '0' && since[0] <= '9' && access(since, F_OK) != 0;
}

static int read_before(struct ctl_client *c, const char *since,
		       struct numbers *out)
{
	char line[80];

	if (!is_time(since))
		return read_file(since, out);
	snprintf(line, sizeof(line), "numbers since %.60s", since);
	return ask(c, line, out);
}

static int print(const struct report_options *o, const struct report *r)
{
	struct buf out;
	int status;
	bool ok;

	buf_init(&out, CTL_TEXT_CEILING);
	ok = o->client.is_json ? report_print_json(r, &out) :
	     o->is_csv	       ? report_print_csv(r, &out) :
				 report_print(r, &out);
	status = ok ? ctl_write_out(&out, CTL_OK) : ctl_no_memory();
	buf_deinit(&out);
	return status;
}

static int report(const struct report_options *o, struct numbers *now,
		  struct numbers *before)
{
	struct report r = { .n = now, .is_all = !o->since };
	struct ctl_client client;
	int status =
		ctl_client_open(&client, &o->client, false, REPORT_TIMEOUT);

	if (status == CTL_OK && o->since)
		status = read_before(&client, o->since, before);
	if (status == CTL_OK)
		status = ask(&client, "numbers", now);
	ctl_client_close(&client);
	if (status != CTL_OK)
		return status;
	r.from = before->time;
	/*
	 * Something counted down: a start.  A short uptime alone may also be
	 * an upgrade, which keeps what was counted.
	 */
	if (o->since && !numbers_subtract(now, before)) {
		ctl_say("the server was started anew since then: this tells "
			"of all since its start");
		r.is_all = true;
	} else if (o->since && r.from < now->time &&
		   (now->time - r.from) / CLOCK_S > now->uptime + 2)
		ctl_say("the server was started anew or upgraded since then: "
			"what it counted before a start is not in here");
	if (r.is_all)
		r.from = now->time - now->uptime * CLOCK_S;
	return print(o, &r);
}

int ctl_report(char *const *args)
{
	struct report_options o = { .client = CTL_CLIENT_DEFAULTS };
	struct numbers *both;
	int status;

	if (!read_args(args, &o))
		return CTL_USAGE;
	both = calloc(2, sizeof(*both));
	status = both ? report(&o, &both[0], &both[1]) : ctl_no_memory();
	free(both);
	return status;
}
