#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "shared/conf_table.h"

#define S UINT64_C(1000000)
/*
 * Sendmail waits 10 s for an answer unless its R: says otherwise, and then
 * does without us, for good.  Half a second is for the way.
 */
#define SENDMAIL_STEP_MAX (9 * S + S / 2)

struct check {
	const struct conf *conf;
	const struct conf_places *places;
	struct conf_problems *problems;
};

/* A place without a file is a default: then the file as a whole is meant. */
__attribute__((format(printf, 3, 4))) static void
problem(const struct check *c, struct conf_place place, const char *format, ...)
{
	char text[1000];
	va_list args;

	if (!place.file)
		place = c->places->file;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	conf_problem_add(c->problems, place.file, place.line, "%s", text);
}

static struct conf_place server_place(const struct check *c, const char *key)
{
	size_t n;
	const struct conf_row *rows = conf_rows(CONF_SERVER, &n);

	return c->places->server[conf_row_find(CONF_SERVER, slice_str(key)) -
				 rows];
}

static struct conf_place milter_place(const struct check *c, size_t milter,
				      const char *key)
{
	size_t n;
	const struct conf_row *rows = conf_rows(CONF_MILTER, &n);

	return c->places->keys[CONF_MILTER][milter][conf_row_find(CONF_MILTER,
							   slice_str(key)) -
					     rows];
}

static const char *or_default(struct conf_place place)
{
	return place.file ? "" : " (the default)";
}

/* Two keys of which the first may not be above the second. */
static void check_order(const struct check *c, const char *low,
			uint64_t low_value, const char *high,
			uint64_t high_value)
{
	struct conf_place low_place = server_place(c, low);
	struct conf_place high_place = server_place(c, high);

	if (low_value <= high_value)
		return;
	problem(c, low_place.file ? low_place : high_place,
		"%s = %llu%s is above %s = %llu%s", low,
		(unsigned long long)low_value, or_default(low_place), high,
		(unsigned long long)high_value, or_default(high_place));
}

static void check_pool(const struct check *c)
{
	const struct conf *conf = c->conf;

	check_order(c, "workers_min", conf->workers_min, "workers_max",
		    conf->workers_max);
	check_order(c, "spare_min", conf->spare_min, "spare_max",
		    conf->spare_max);
	/* The pool never grows past workers_max, whatever the defaults say. */
	if (server_place(c, "spare_min").file)
		check_order(c, "spare_min", conf->spare_min, "workers_max",
			    conf->workers_max);
	check_order(c, "message_memory", conf->message_memory, "message_max",
		    conf->message_max);
}

/* Could an MTA of this kind be behind one of the listeners? */
static bool may_serve(const struct conf *conf, enum mta mta)
{
	for (size_t i = 0; i < conf->listen.count; i++)
		if (!conf->listen.at[i].has_mta ||
		    conf->listen.at[i].mta == mta)
			return true;
	return false;
}

static uint64_t longest_step(const struct conf *conf)
{
	uint64_t step = 0;

	if (may_serve(conf, MTA_SENDMAIL))
		step = conf->step_deadline;
	if (may_serve(conf, MTA_POSTFIX) && conf->step_deadline_postfix > step)
		step = conf->step_deadline_postfix;
	return step;
}

static double seconds(uint64_t time)
{
	return (double)time / (double)S;
}

static void check_times(const struct check *c)
{
	const struct conf *conf = c->conf;

	if (conf->step_deadline > SENDMAIL_STEP_MAX &&
	    may_serve(conf, MTA_SENDMAIL))
		problem(c, server_place(c, "step_deadline"),
			"step_deadline = %gs is longer than Sendmail waits "
			"(10s): 9500ms at most, unless every address in "
			"listen has mta=postfix",
			seconds(conf->step_deadline));
	if (conf->progress_interval >= conf->message_deadline)
		problem(c, server_place(c, "progress_interval"),
			"progress_interval = %gs is not below "
			"message_deadline = %gs",
			seconds(conf->progress_interval),
			seconds(conf->message_deadline));
	if (conf->evaluate_grace > conf->message_deadline)
		problem(c, server_place(c, "evaluate_grace"),
			"evaluate_grace = %gs is above message_deadline = %gs",
			seconds(conf->evaluate_grace),
			seconds(conf->message_deadline));
	if (server_place(c, "mta_timeout").file &&
	    conf->mta_timeout > conf->mta_idle_timeout)
		problem(c, server_place(c, "mta_timeout"),
			"mta_timeout = %gs is above mta_idle_timeout = %gs: "
			"an MTA would have less time between messages than "
			"inside one", seconds(conf->mta_timeout),
			seconds(conf->mta_idle_timeout));
}

/*
 * A timeout of a milter that a deadline always cuts short never does what it
 * says.  Only if somebody wrote it: a default is cut in silence.
 */
static void check_timeout(const struct check *c, size_t milter, const char *key,
			  uint64_t timeout, uint64_t deadline,
			  const char *deadline_key)
{
	struct conf_place place = milter_place(c, milter, key);

	if (place.file && timeout > deadline)
		problem(c, place,
			"milter \"%s\": %s = %gs is above %s = %gs, which "
			"always ends first", c->conf->milters[milter].name,
			key, seconds(timeout), deadline_key,
			seconds(deadline));
}

static bool same_host(const char *a, const char *b)
{
	bool any_a = a[0] == '\0' || strcmp(a, "*") == 0;
	bool any_b = b[0] == '\0' || strcmp(b, "*") == 0;

	return any_a || any_b || strcasecmp(a, b) == 0;
}

/* Would both want the same address?  "*" is every address. */
static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == ENDPOINT_UNIX)
		return a->path[0] && strcmp(a->path, b->path) == 0;
	return a->port == b->port && same_host(a->host, b->host);
}

/* The address at hand, among all we listen on: for MTAs and for people. */
struct listener {
	const char *key;
	const struct endpoint *endpoint;
};

#define LISTENERS_MAX (3 * CONF_LISTEN_MAX)

static size_t add_listeners(struct listener *all, size_t n, const char *key,
			    const struct conf_listeners *list)
{
	for (size_t i = 0; i < list->count; i++)
		all[n++] = (struct listener){ key, &list->at[i].endpoint };
	return n;
}

static size_t all_listeners(const struct conf *conf, struct listener *all)
{
	size_t n = add_listeners(all, 0, "listen", &conf->listen);

	n = add_listeners(all, n, "status", &conf->status);
	return add_listeners(all, n, "control", &conf->control);
}

static void check_listeners(const struct check *c)
{
	struct listener all[LISTENERS_MAX];
	size_t n = all_listeners(c->conf, all);
	char text[400];

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (!same_endpoint(all[i].endpoint, all[j].endpoint))
				continue;
			endpoint_print(all[i].endpoint, text, sizeof(text));
			problem(c, server_place(c, all[i].key),
				"two listeners want the same address: \"%s\"",
				text);
			break;
		}
	}
}

/* Whoever asks over TCP has no user id, so he may not change anything. */
static void check_control(const struct check *c)
{
	const struct conf_listeners *list = &c->conf->control;

	for (size_t i = 0; i < list->count; i++)
		if (list->at[i].endpoint.kind != ENDPOINT_UNIX)
			problem(c, server_place(c, "control"),
				"control takes unix sockets only: over inet "
				"nobody can be told from anybody");
}

static void check_log(const struct check *c)
{
	if (c->conf->log == LOG_SINK_FILE && !c->conf->log_file[0])
		problem(c, server_place(c, "log"),
			"log = file needs log_file");
}

static void check_socket(const struct check *c, size_t i,
			 const struct endpoint *e)
{
	const struct conf_milter *m = &c->conf->milters[i];
	struct listener all[LISTENERS_MAX];
	size_t n = all_listeners(c->conf, all);

	/* Nothing listens on the host "*": it is not a wildcard here. */
	for (size_t j = 0; j < n; j++)
		if (same_endpoint(e, all[j].endpoint) &&
		    (e->kind == ENDPOINT_UNIX ||
		     strcasecmp(e->host, all[j].endpoint->host) == 0))
			problem(c, milter_place(c, i, "socket"),
				"milter \"%s\": this is an address we listen "
				"on ourselves", m->name);
}

static void check_sockets(const struct check *c, size_t i)
{
	const struct conf_sockets *list = &c->conf->milters[i].socket;
	char text[400];

	for (unsigned j = 0; j < list->count; j++) {
		check_socket(c, i, &list->at[j]);
		for (unsigned k = 0; k < j; k++) {
			if (!same_endpoint(&list->at[j], &list->at[k]))
				continue;
			endpoint_print(&list->at[j], text, sizeof(text));
			problem(c, milter_place(c, i, "socket"),
				"milter \"%s\": the same address twice: "
				"\"%s\"", c->conf->milters[i].name, text);
			break;
		}
	}
}

static void check_milter(const struct check *c, size_t i)
{
	const struct conf *conf = c->conf;
	const struct conf_milter *m = &conf->milters[i];
	uint64_t step = longest_step(conf);
	const char *step_key = step == conf->step_deadline ?
				       "step_deadline" :
				       "step_deadline_postfix";

	check_sockets(c, i);
	check_timeout(c, i, "timeout_connect", m->timeout_connect, step,
		      step_key);
	check_timeout(c, i, "timeout_command", m->timeout_command, step,
		      step_key);
	check_timeout(c, i, "timeout_eom", m->timeout_eom,
		      conf->message_deadline, "message_deadline");
}

void conf_check(const struct conf *conf, const struct conf_places *places,
		struct conf_problems *problems)
{
	struct check c = { conf, places, problems };

	/* A section that was refused is no reason to say this, too. */
	if (conf->milter_count == 0 && problems->count == 0)
		problem(&c, places->file,
			"no milter: at least one [milter NAME] is needed");
	check_pool(&c);
	check_times(&c);
	check_listeners(&c);
	check_control(&c);
	check_log(&c);
	for (size_t i = 0; i < conf->milter_count; i++)
		check_milter(&c, i);
}
