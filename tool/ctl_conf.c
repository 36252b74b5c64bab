#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/builtin.h"
#include "tool/ctl.h"
#include "tool/ctl_client.h"
#include "tool/ctl_online.h"

enum conf_option {
	OPT_CHANGED = CTL_CLIENT_OTHER,
	OPT_BUILTIN,
	OPT_RUNNING,
	OPT_ONLINE,
};

/* clang-format off */
static const struct options_row check_rows[] = {
	{ CTL_CLIENT_CONF,    "config",  'c', true },
	{ CTL_CLIENT_TIMEOUT, "timeout", 't', true },
	{ OPT_ONLINE, "online", 0, false },
};
static const struct options_row config_rows[] = {
	CTL_CLIENT_ROWS,
	{ OPT_CHANGED, "changed", 'n', false },
	{ OPT_BUILTIN, "builtin", 'b', false },
	{ OPT_RUNNING, "running", 'r', false },
};
/* clang-format on */

/* What check and config take. */
struct conf_options {
	struct ctl_client_options client;
	bool changed_only;
	bool builtin;
	bool running;
	bool online;
};

static bool conf_options(struct options *opt, struct conf_options *o)
{
	const char *value = NULL;
	int id;

	*o = (struct conf_options){ .client = CTL_CLIENT_DEFAULTS };
	while ((id = options_next(opt, &value)) != OPTIONS_END) {
		if (id == OPT_CHANGED)
			o->changed_only = true;
		else if (id == OPT_BUILTIN)
			o->builtin = true;
		else if (id == OPT_RUNNING)
			o->running = true;
		else if (id == OPT_ONLINE)
			o->online = true;
		else if (id == OPTIONS_OTHER)
			ctl_say("%s: one argument too many", value);
		if (id < 0 || (id < CTL_CLIENT_OTHER &&
			       !ctl_client_option(&o->client, id, value)))
			return false;
	}
	return true;
}

int ctl_check(char *const *args)
{
	struct options opt = CTL_OPTIONS(check_rows, args);
	struct conf_options o;
	struct arena arena;
	const struct conf *conf;
	int status = CTL_SETTINGS;

	if (!conf_options(&opt, &o))
		return CTL_USAGE;
	arena_init(&arena, CTL_CONF_CEILING);
	conf = ctl_read_conf(&arena, o.client.conf);
	if (conf) {
		status = CTL_OK;
		if (o.online)
			status = ctl_online(conf, o.client.timeout);
		else
			printf("ok\n");
		conf_close(conf);
		if (fflush(stdout) != 0 || ferror(stdout)) {
			ctl_say("could not write: %s", strerror(errno));
			status = CTL_FAILURE;
		}
	}
	arena_deinit(&arena);
	return status;
}

static int print_config(const struct conf_options *o)
{
	struct arena arena;
	const struct conf *conf = NULL;
	struct buf out;
	int status = CTL_OK;

	arena_init(&arena, CTL_CONF_CEILING);
	buf_init(&out, CTL_TEXT_CEILING);
	if (!o->builtin)
		conf = ctl_read_conf(&arena, o->client.conf);
	if (!o->builtin && !conf)
		status = CTL_SETTINGS;
	else if (o->builtin ? !builtin_print(&out) :
			      !conf_print(conf, !o->changed_only, &out))
		status = ctl_no_memory();
	else
		status = ctl_write_out(&out, status);
	if (conf)
		conf_close(conf);
	buf_deinit(&out);
	arena_deinit(&arena);
	return status;
}

static bool are_at_odds(const struct conf_options *o)
{
	if (o->builtin && o->running)
		ctl_say("what is built in does not depend on who runs");
	else if (o->client.is_json && !o->running)
		ctl_say("-j goes with --running");
	else
		return false;
	return true;
}

int ctl_config(char *const *args)
{
	struct options opt = CTL_OPTIONS(config_rows, args);
	struct conf_options o;

	if (!conf_options(&opt, &o) || are_at_odds(&o))
		return CTL_USAGE;
	if (!o.running)
		return print_config(&o);
	return ctl_ask_line(o.changed_only ? "config -n" : "config", &o.client);
}
