#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "tool/ctl.h"
#include "tool/ctl_client.h"

#define ASK_TIMEOUT (10 * CLOCK_S)
/* New settings may look up names, and read tables. */
#define CHANGE_TIMEOUT (60 * CLOCK_S)

static const struct options_row rows[] = { CTL_CLIENT_ROWS };

/* A word that is one there, too. */
static bool is_word(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	return *s;
}

/* Options, and the words of the request into line. */
static bool read_args(char *const *args, struct ctl_client_options *o,
		      struct buf *line)
{
	struct options opt = CTL_OPTIONS(rows, args);
	const char *value = NULL;
	int id;

	while ((id = options_next(&opt, &value)) != OPTIONS_END) {
		if (id == OPTIONS_WRONG)
			return false;
		if (id != OPTIONS_OTHER) {
			if (!ctl_client_option(o, id, value))
				return false;
		} else if (!is_word(value)) {
			ctl_say("\"%s\": blanks do not belong there", value);
			return false;
		} else if (!buf_printf(line, " %s", value)) {
			ctl_say("that is too long");
			return false;
		}
	}
	return true;
}

/*
 * The answer to a change is a sentence for people; what a script wants to
 * know of it is whether it was done.
 */
static bool print_json(struct buf *out, const char *line, int status,
		       struct slice text)
{
	struct json j = json_begin(out);

	json_object(&j, NULL);
	json_number(&j, "schema", 1);
	json_word(&j, "request", line);
	json_bool(&j, "ok", status == CTL_OK);
	json_text(&j, "text", slice_trim(text));
	json_object_end(&j);
	return json_end(&j) && buf_add_byte(out, '\n');
}

static int show(const char *line, int status, bool as_json, struct slice text)
{
	struct buf out;
	bool ok;

	if (status == CTL_REFUSED && !as_json) {
		ctl_say("refused: %.*s", SLICE_ARG(slice_trim(text)));
		return status;
	}
	buf_init(&out, CTL_TEXT_CEILING * 6);
	ok = as_json ? print_json(&out, line, status, text) :
		       buf_add(&out, text);
	status = ok ? ctl_write_out(&out, status) : ctl_no_memory();
	buf_deinit(&out);
	return status;
}

/* Has the server a JSON of its own for that? */
static bool has_json(const char *name, bool changes)
{
	return !changes && strcmp(name, "metrics") != 0 &&
	       strcmp(name, "numbers") != 0;
}

static int ask(const char *name, bool changes, const char *line,
	       const struct ctl_client_options *o)
{
	bool theirs = o->is_json && has_json(name, changes);
	char request[1100];
	struct ctl_client client;
	struct slice text = SLICE_EMPTY;
	int status;

	snprintf(request, sizeof(request), "%s%s", theirs ? "json " : "", line);
	status = ctl_client_open(&client, o, changes,
				 changes ? CHANGE_TIMEOUT : ASK_TIMEOUT);
	if (status == CTL_OK)
		status = ctl_client_ask(&client, request, &text);
	if (status == CTL_OK || status == CTL_REFUSED)
		status =
			show(line, status,
			     o->is_json && (!theirs || status != CTL_OK), text);
	ctl_client_close(&client);
	return status;
}

int ctl_ask_line(const char *line, const struct ctl_client_options *o)
{
	return ask(line, false, line, o);
}

int ctl_ask(const char *name, bool changes, char *const *args)
{
	struct ctl_client_options o = CTL_CLIENT_DEFAULTS;
	struct buf line;
	int status = CTL_USAGE;

	buf_init(&line, 1000);
	if (!buf_printf(&line, "%s", name))
		status = ctl_no_memory();
	else if (read_args(args, &o, &line))
		status = buf_add_byte(&line, '\0') ?
				 ask(name, changes, buf_slice(&line).data, &o) :
				 ctl_no_memory();
	buf_deinit(&line);
	return status;
}
