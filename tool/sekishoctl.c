/*
 * sekishoctl - the administrator's side: see, steer, check, explain
 *
 * See sekishoctl(8).
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdio.h>
#include <string.h>

#include "tool/ctl.h"

#ifdef PACKAGE_VERSION
#define VERSION_TEXT PACKAGE_VERSION
#else
#define VERSION_TEXT "unversioned"
#endif

struct verb {
	const char *name;
	/* NULL: the server is asked. */
	int (*run)(char *const *args);
	bool changes; /* only the control socket will do that */
	const char *args;
	const char *what;
};

/* In the order in which one needs them. */
/* clang-format off */
static const struct verb verbs[] = {
	{ "status",   NULL,        false, "",               "what the server is doing" },
	{ "milters",  NULL,        false, "",               "all milters: mode, breaker, answers, times" },
	{ "milter",   NULL,        false, "NAME",           "one of them, whole" },
	{ "workers",  NULL,        false, "",               "who does what, and waits for whom" },
	{ "top",      ctl_top,     false, "[-1] [-i SECONDS] [-n COUNT]", "the same, again and again" },
	{ "why",      NULL,        false, "[QUEUE-ID]",     "what became of a message" },
	{ "report",   ctl_report,  false, "[--since TIME|FILE] [--csv|-j]", "counts, shares and times of milters" },
	{ "metrics",  NULL,        false, "",               "the same for Prometheus" },
	{ "numbers",  NULL,        false, "[since TIME]",   "all counters; report --since reads them" },
	{ "off",      NULL,        true,  "NAME [for TIME]", "do not ask this milter" },
	{ "on",       NULL,        true,  "NAME [for TIME]", "ask it" },
	{ "evaluate", NULL,        true,  "NAME [for TIME]", "ask it, and do not do what it says" },
	{ "percent",  NULL,        true,  "NAME N [for TIME]", "do what it says for this share of clients" },
	{ "default",  NULL,        true,  "NAME",           "as the settings have it" },
	{ "reload",   NULL,        true,  "",               "read the settings again" },
	{ "reopen",   NULL,        true,  "",               "open the log files again" },
	{ "upgrade",  NULL,        true,  "",               "become the program that is installed now" },
	{ "drain",    NULL,        true,  "",               "finish what is there, take nothing new" },
	{ "check",    ctl_check,   false, "[--online]",     "are the settings good, and what they name?" },
	{ "config",   ctl_config,  false, "[-bn] [--running]", "all settings" },
	{ "explain",  ctl_explain, false, "[options] [message]", "which milters and rules would apply, and why" },
	{ "ping",     ctl_ping,    false, "[-w S] [-c S] [ENDPOINT]", "does it speak? for Nagios and Icinga" },
};
/* clang-format on */

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void usage(FILE *to)
{
	fprintf(to, "usage: sekishoctl verb [options]\n");
	for (size_t i = 0; i < VERBS; i++)
		fprintf(to, "  %-8s %-31s %s\n", verbs[i].name, verbs[i].args,
			verbs[i].what);
	fprintf(to,
		"of most verbs: -c FILE (settings), -s ADDRESS, -t SECONDS, "
		"-j (JSON)\n"
		"settings: %s\n",
		SEKISHO_CONF);
}

/* `VERB -h`: only as the first, since explain and ping have values. */
static bool is_help(const char *arg)
{
	return arg && (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0);
}

static int run(const struct verb *v, char *const *args)
{
	if (is_help(args[0])) {
		printf("usage: sekishoctl %s%s%s\n%s; see sekishoctl(8)\n",
		       v->name, v->args[0] ? " " : "", v->args, v->what);
		return fflush(stdout) == 0 ? CTL_OK : CTL_FAILURE;
	}
	return v->run ? v->run(args) : ctl_ask(v->name, v->changes, args);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(verb, verbs[i].name) == 0)
			return run(&verbs[i], argv + 2);
	if (strcmp(verb, "-h") == 0 || strcmp(verb, "--help") == 0) {
		usage(stdout);
		return CTL_OK;
	}
	if (strcmp(verb, "-V") == 0 || strcmp(verb, "--version") == 0) {
		printf("sekishoctl %s\n", VERSION_TEXT);
		return CTL_OK;
	}
	if (verb[0])
		ctl_say("unknown verb \"%s\"", verb);
	usage(stderr);
	return CTL_USAGE;
}
