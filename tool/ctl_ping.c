#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/probe.h"
#include "tool/ctl.h"
#include "tool/ctl_find.h"

/* Thresholds are seconds everywhere in monitoring. */
#define PING_WARNING  CLOCK_S
#define PING_CRITICAL (5 * CLOCK_S)
#define PING_TIMEOUT  (10 * CLOCK_S)

/* What monitoring plugins end with; not those of the other verbs. */
enum ping_status { PING_OK, PING_WARN, PING_CRIT, PING_UNKNOWN };

enum ping_option { OPT_CONF = 1, OPT_WARNING, OPT_CRITICAL, OPT_TIMEOUT };

/* -c is the plugins' critical here; settings are --config only. */
static const struct options_row rows[] = {
	{ OPT_CONF, "config", 0, true },
	{ OPT_WARNING, "warning", 'w', true },
	{ OPT_CRITICAL, "critical", 'c', true },
	{ OPT_TIMEOUT, "timeout", 't', true },
};

struct ping_options {
	const char *conf;
	const char *address; /* NULL: the first of the settings */
	uint64_t warning, critical, timeout;
};

/* The line that monitoring shows. */
static int say(enum ping_status status, const char *what)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL",
					     "UNKNOWN" };

	printf("SEKISHO %s - %s\n", words[status], what);
	return fflush(stdout) == 0 ? (int)status : (int)PING_UNKNOWN;
}

static bool read_args(char *const *args, struct ping_options *o)
{
	struct options opt = CTL_OPTIONS(rows, args);
	const char *value = NULL;
	bool ok = true;
	int id;

	while (ok && (id = options_next(&opt, &value)) != OPTIONS_END) {
		if (id == OPTIONS_WRONG)
			return false;
		if (id == OPT_CONF)
			o->conf = value;
		else if (id == OPT_WARNING)
			ok = ctl_seconds("-w", value, &o->warning);
		else if (id == OPT_CRITICAL)
			ok = ctl_seconds("-c", value, &o->critical);
		else if (id == OPT_TIMEOUT)
			ok = ctl_seconds("-t", value, &o->timeout);
		else if (o->address)
			return false;
		else
			o->address = value;
	}
	return ok;
}

/* The first address of `listen =`; a wildcard is found on this machine. */
static bool first_listener(const char *conf, struct endpoint *e_out, char *why,
			   size_t size)
{
	struct ctl_find *found;
	struct arena arena;
	bool ok = false;

	arena_init(&arena, CTL_CONF_CEILING);
	found = arena_take(&arena, sizeof(*found));
	if (!found || !ctl_find(&arena, conf, found))
		snprintf(why, size, "no memory");
	else if (found->unread)
		snprintf(why, size, "could not read \"%s\": %s", conf,
			 found->unread);
	else if (found->listen.count == 0)
		snprintf(why, size, "\"%s\" names no address to listen on",
			 conf);
	else
		ok = true;
	if (ok)
		*e_out = found->listen.at[0].endpoint;
	arena_deinit(&arena);
	return ok;
}

static bool find_endpoint(const struct ping_options *o, struct endpoint *e_out,
			  char *words, size_t size)
{
	const char *why = NULL;
	char text[400];

	if (!o->address) {
		if (!first_listener(o->conf, e_out, words, size))
			return false;
	} else if (!endpoint_parse(slice_str(o->address), e_out, &why)) {
		snprintf(words, size, "\"%s\": %s", o->address, why);
		return false;
	}
	endpoint_print(e_out, text, sizeof(text));
	if (strcmp(e_out->host, "*") == 0)
		e_out->host[0] = '\0';
	if (endpoint_resolve(e_out, false, &why))
		return true;
	snprintf(words, size, "could not look up \"%s\": %s", text, why);
	return false;
}

static int ping(const struct ping_options *o, const struct endpoint *e)
{
	struct probe_result probe;
	char words[800], text[400];
	uint64_t us;
	double s;

	endpoint_print(e, text, sizeof(text));
	if (!probe_milter(e, PROBE_ALL, o->timeout, &probe)) {
		snprintf(words, sizeof(words), "\"%s\": %s", text, probe.why);
		return say(PING_CRIT, words);
	}
	us = probe.connect_time + probe.negotiate_time;
	s = (double)us / 1e6;
	snprintf(words, sizeof(words),
		 "negotiated in %.1f ms | time=%.6fs;%g;%g;0;%g", s * 1e3, s,
		 (double)o->warning / 1e6, (double)o->critical / 1e6,
		 (double)o->timeout / 1e6);
	return say(us >= o->critical ? PING_CRIT :
		   us >= o->warning  ? PING_WARN :
				       PING_OK,
		   words);
}

int ctl_ping(char *const *args)
{
	struct ping_options o = { .conf = SEKISHO_CONF,
				  .warning = CLOCK_NEVER,
				  .critical = PING_CRITICAL,
				  .timeout = PING_TIMEOUT };
	struct endpoint e;
	char words[800];

	if (!read_args(args, &o))
		return say(PING_UNKNOWN, "wrong options: sekishoctl ping "
					 "[-w seconds] [-c seconds] [-t "
					 "seconds] [endpoint]");
	/* The usual one steps back behind a stricter -c. */
	if (o.warning == CLOCK_NEVER)
		o.warning = clock_earlier(PING_WARNING, o.critical);
	if (o.warning > o.critical)
		return say(PING_UNKNOWN, "-w is above -c: no warning would "
					 "ever come");
	if (!find_endpoint(&o, &e, words, sizeof(words)))
		return say(PING_UNKNOWN, words);
	return ping(&o, &e);
}
