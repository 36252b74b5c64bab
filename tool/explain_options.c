#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "shared/network.h"
#include "tool/explain.h"
#include "tool/options.h"

#ifndef SEKISHO_CONF
#define SEKISHO_CONF "/etc/sekisho/sekisho.conf"
#endif

enum option_id {
	OPT_CONF = 1,
	OPT_CLIENT,
	OPT_NAME,
	OPT_HELO,
	OPT_FROM,
	OPT_RCPT,
	OPT_AUTH,
	OPT_TLS,
	OPT_DAEMON,
	OPT_QUEUE_ID,
	OPT_MACRO,
	OPT_ARG,
	OPT_MILTER,
	OPT_AT,
	OPT_LOAD,
	OPT_SESSIONS,
	OPT_PORT,
	OPT_AGE,
	OPT_OF,
	OPT_JSON,
};

/* clang-format off */
static const struct options_row rows[] = {
	{ OPT_CONF,     "config",   'c', true },
	{ OPT_CLIENT,   "client",   0,   true },
	{ OPT_NAME,     "name",     0,   true },
	{ OPT_HELO,     "helo",     0,   true },
	{ OPT_FROM,     "from",     0,   true },
	{ OPT_RCPT,     "rcpt",     0,   true },
	{ OPT_AUTH,     "auth",     0,   true },
	{ OPT_TLS,      "tls",      0,   true },
	{ OPT_DAEMON,   "daemon",   0,   true },
	{ OPT_QUEUE_ID, "queue-id", 0,   true },
	{ OPT_MACRO,    "macro",    0,   true },
	{ OPT_ARG,      "arg",      0,   true },
	{ OPT_MILTER,   "milter",   0,   true },
	{ OPT_AT,       "at",       0,   true },
	{ OPT_LOAD,     "load",     0,   true },
	{ OPT_SESSIONS, "sessions", 0,   true },
	{ OPT_PORT,     "port",     0,   true },
	{ OPT_AGE,      "age",      0,   true },
	{ OPT_OF,       "of",       0,   true },
	{ OPT_JSON,     "json",     0,   false },
};
/* clang-format on */

static bool wrong(const char *what, const char *why)
{
	fprintf(stderr, "sekishoctl: %s: %s\n", what, why);
	return false;
}

static bool add(struct slice *list, size_t *count, const char *value)
{
	if (*count == EXPLAIN_LIST_MAX)
		return wrong(value, "too many of them");
	list[(*count)++] = slice_str(value);
	return true;
}

static bool add_pair(struct explain_pair *list, size_t *count,
		     const char *value)
{
	struct slice rest = slice_str(value);
	ptrdiff_t equals = slice_find(rest, '=');

	if (equals < 1)
		return wrong(value, "write NAME=VALUE");
	if (*count == EXPLAIN_LIST_MAX)
		return wrong(value, "too many of them");
	list[(*count)++] = (struct explain_pair){
		slice_head(rest, (size_t)equals),
		slice_from(rest, (size_t)equals + 1)
	};
	return true;
}

/* "03:00" or "03:00:59". */
static bool set_clock(const char *text, struct explain_settings *set)
{
	unsigned h, m, s = 0;
	int end = 0;

	if (sscanf(text, "%2u:%2u%n", &h, &m, &end) != 2)
		return false;
	if (text[end] == ':') {
		int more = 0;

		if (sscanf(text + end, ":%2u%n", &s, &more) != 1)
			return false;
		end += more;
	}
	if (text[end] || h > 23 || m > 59 || s > 59)
		return false;
	set->second = h * 3600 + m * 60 + s;
	return true;
}

static bool set_weekday(struct slice word, struct explain_settings *set)
{
	static const char days[7][4] = { "sun", "mon", "tue", "wed",
					 "thu", "fri", "sat" };

	for (unsigned i = 0; i < 7; i++) {
		if (!slice_is_case(word, days[i]))
			continue;
		set->weekday = i;
		return true;
	}
	return false;
}

/* 2026-11-21T03:00, also with a blank; what follows the date is *rest_out. */
static bool set_date(const char *text, struct explain_settings *set,
		     const char **rest_out)
{
	unsigned year, month, day;
	struct tm tm = { .tm_hour = 12 };
	int end = 0;

	if (sscanf(text, "%4u-%2u-%2u%n", &year, &month, &day, &end) != 3 ||
	    year < 1900 || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day;
	if (timegm(&tm) == (time_t)-1 || tm.tm_mday != (int)day)
		return false;
	set->weekday = (unsigned)tm.tm_wday;
	*rest_out = text + end;
	return true;
}

static void set_now(struct explain_settings *set)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return;
	set->weekday = (unsigned)tm.tm_wday;
	set->second = (unsigned)(tm.tm_hour * 3600 + tm.tm_min * 60 +
				 (tm.tm_sec > 59 ? 59 : tm.tm_sec));
}

static bool set_at(const char *text, struct explain_settings *set)
{
	struct slice rest = slice_str(text), word;
	const char *clock = text;

	set_now(set);
	if (set_date(text, set, &clock)) {
		if (*clock == '\0')
			return true;
		if ((*clock == 'T' || *clock == ' ') &&
		    set_clock(clock + 1, set))
			return true;
	} else if (slice_split(&rest, ' ', &word) && set_weekday(word, set)) {
		if (rest.len == 0 || set_clock(rest.data, set))
			return true;
	} else if (set_clock(text, set)) {
		return true;
	}
	return wrong(text, "write 'Mon 03:00', '03:00' or '2026-11-21T03:00'");
}

/* A slip of the finger would be a client without address. */
static bool set_client(const char *value, struct explain_settings *set)
{
	struct ip ip;

	set->client = slice_str(value);
	return set->client.len == 0 || ip_parse(set->client, &ip) ||
	       wrong(value, "this is no address");
}

static bool set_number(const struct options *o, const char *value,
		       uint64_t *number)
{
	return options_number(o, value, 10, UINT32_MAX, number);
}

static bool apply(const struct options *o, int id, const char *value,
		  struct explain_settings *set)
{
	struct slice s = id == OPT_JSON ? SLICE_EMPTY : slice_str(value);

	/* clang-format off */
	switch ((enum option_id)id) {
	case OPT_CONF:     set->conf = value; return true;
	case OPT_CLIENT:   return set_client(value, set);
	case OPT_NAME:     set->name = s; return true;
	case OPT_HELO:     set->helo = s; return true;
	case OPT_FROM:     set->from = s; set->has_from = true; return true;
	case OPT_AUTH:     set->auth = s; return true;
	case OPT_TLS:      set->tls = s; return true;
	case OPT_DAEMON:   set->daemon = s; return true;
	case OPT_QUEUE_ID: set->queue_id = s; return true;
	case OPT_OF:       set->of = value; return true;
	case OPT_JSON:     set->is_json = true; return true;
	case OPT_RCPT:     return add(set->rcpt, &set->rcpt_count, value);
	case OPT_ARG:      return add(set->arg, &set->arg_count, value);
	case OPT_MACRO:    return add_pair(set->macro, &set->macro_count, value);
	case OPT_MILTER:   return add_pair(set->milter, &set->milter_count, value);
	case OPT_AT:       return set_at(value, set);
	case OPT_LOAD:     return set_number(o, value, &set->load);
	case OPT_SESSIONS: return set_number(o, value, &set->sessions);
	case OPT_PORT:     return set_number(o, value, &set->port);
	case OPT_AGE:      return set_number(o, value, &set->age);
	}
	/* clang-format on */
	return false;
}

/* Whatever is known from MAIL on only was given, so there has to be one. */
static bool needs_mail(int id)
{
	return id == OPT_RCPT || id == OPT_AUTH || id == OPT_ARG ||
	       id == OPT_AT || id == OPT_LOAD || id == OPT_SESSIONS ||
	       id == OPT_AGE || id == OPT_HELO || id == OPT_TLS ||
	       id == OPT_MILTER || id == OPT_QUEUE_ID || id == OPTIONS_OTHER;
}

static void make_up(struct explain_settings *set, bool mail)
{
	if (mail && !set->has_from) {
		set->from = SLICE_LIT("<sender@example.org>");
		set->has_from = set->made_up_from = true;
	}
	if (set->file && set->rcpt_count == 0) {
		set->rcpt[set->rcpt_count++] =
			SLICE_LIT("<recipient@example.net>");
		set->made_up_rcpt = true;
	}
}

bool explain_options(char *const *args, struct explain_settings *set_out)
{
	struct options o = { .program = "sekishoctl",
			     .rows = rows,
			     .row_count = sizeof(rows) / sizeof(rows[0]),
			     .args = args };
	const char *value = NULL;
	bool mail = false;
	int id;

	*set_out = (struct explain_settings){ .conf = SEKISHO_CONF,
					      .sessions = 1 };
	set_now(set_out);
	while ((id = options_next(&o, &value)) != OPTIONS_END) {
		if (id == OPTIONS_WRONG)
			return false;
		mail |= needs_mail(id);
		if (id == OPTIONS_OTHER && set_out->file)
			return wrong(value, "one message at a time");
		if (id == OPTIONS_OTHER)
			set_out->file = value;
		else if (!apply(&o, id, value, set_out))
			return false;
	}
	make_up(set_out, mail);
	return true;
}
