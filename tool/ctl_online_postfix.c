#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "tool/ctl.h"
#include "tool/ctl_online.h"
#include "tool/run.h"

#define TEXT_MAX ((size_t)1 << 20)

/* What Postfix says of itself, as far as it touches us. */
struct postfix {
	struct buf main;   /* "name = value" lines */
	struct buf master; /* the same about smtpd on port 25 */
};

/* Empty: it does not say. */
static struct slice value_of(const struct buf *b, const char *name)
{
	struct slice rest = buf_slice(b), line;

	while (slice_split(&rest, '\n', &line)) {
		struct slice key;

		if (slice_split(&line, '=', &key) &&
		    slice_is(slice_trim(key), name))
			return slice_trim(line);
	}
	return SLICE_EMPTY;
}

static bool ask(struct ctl_online *o, struct postfix *p)
{
	char *const main_args[] = { (char[]){ "postconf" },
				    (char[]){ "-x" },
				    (char[]){ "milter_command_timeout" },
				    (char[]){ "milter_content_timeout" },
				    (char[]){ "milter_connect_timeout" },
				    (char[]){ "milter_default_action" },
				    (char[]){ "smtpd_milters" },
				    (char[]){ "default_process_limit" },
				    (char[]){ "queue_directory" },
				    NULL };
	char *const master_args[] = { (char[]){ "postconf" }, (char[]){ "-F" },
				      (char[]){ "smtp/inet/process_limit" },
				      (char[]){ "smtp/inet/chroot" }, NULL };

	if (!run(main_args, o->timeout, &p->main))
		return false;
	/* Without such a service there is no limit of its own. */
	if (!run(master_args, o->timeout, &p->master))
		buf_clear(&p->master);
	return true;
}

/* "30s", "5m", "300": microseconds; 0 for what is no time. */
static uint64_t time_of(struct slice s)
{
	static const struct conf_unit units[] = {
		{ "s", CLOCK_S },	   { "m", 60 * CLOCK_S },
		{ "h", 3600 * CLOCK_S },   { "d", 86400 * CLOCK_S },
		{ "w", 604800 * CLOCK_S }, { NULL, 0 },
	};
	uint64_t factor = CLOCK_S, n = 0;

	for (const struct conf_unit *u = units; s.len && u->word; u++)
		if (s.data[s.len - 1] == u->word[0]) {
			factor = u->factor;
			s = slice_head(s, s.len - 1);
			break;
		}
	return slice_to_u64(s, 1000000, &n) ? n * factor : 0;
}

/* We have to answer before Postfix gives up. */
static void check_time(struct ctl_online *o, const struct postfix *p,
		       const char *ours, uint64_t our_time, const char *theirs)
{
	uint64_t limit = time_of(value_of(&p->main, theirs));

	if (!limit)
		ctl_found(o, FOUND_NOTE, "postfix does not tell its %s",
			  theirs);
	else if (our_time < limit)
		ctl_found(o, FOUND_OK,
			  "%s is %g s, less than postfix's %s of "
			  "%g s",
			  ours, (double)our_time / 1e6, theirs,
			  (double)limit / 1e6);
	else
		ctl_found(o, FOUND_BAD,
			  "%s is %g s, but postfix gives up after %g s: set "
			  "%s higher, or %s lower",
			  ours, (double)our_time / 1e6, (double)limit / 1e6,
			  theirs, ours);
}

/* ---- smtpd_milters ---- */

static bool has_common_address(const struct endpoint *a,
			       const struct endpoint *b)
{
	for (unsigned i = 0; i < a->addr_count; i++)
		for (unsigned j = 0; j < b->addr_count; j++)
			if (a->addr_len[i] == b->addr_len[j] &&
			    memcmp(&a->addr[i], &b->addr[j], a->addr_len[i]) ==
				    0)
				return true;
	return false;
}

/* In a chroot, and without a / in front, paths begin at the queue. */
static bool is_same_path(const char *ours, const char *theirs,
			 struct slice queue)
{
	size_t n = queue.len;

	if (strcmp(ours, theirs) == 0)
		return true;
	if (strncmp(ours, queue.data, n) != 0 || n == 0 || ours[n] != '/')
		return false;
	return strcmp(ours + n + 1, theirs + (theirs[0] == '/')) == 0;
}

static bool is_ours(const struct conf_listen *l, struct endpoint *theirs,
		    struct slice queue)
{
	const struct endpoint *ours = &l->endpoint;
	const char *why;

	if (ours->kind == ENDPOINT_UNIX || theirs->kind == ENDPOINT_UNIX)
		return ours->kind == theirs->kind &&
		       is_same_path(ours->path, theirs->path, queue);
	if (ours->port != theirs->port)
		return false;
	if (!ours->host[0] || strcmp(ours->host, "*") == 0)
		return true;
	return endpoint_resolve(theirs, false, &why) &&
	       has_common_address(ours, theirs);
}

/* endpoint_parse() wants a / in front of what Postfix may write without. */
static bool parse_theirs(struct slice word, struct endpoint *e_out)
{
	const char *why;

	if (endpoint_parse(word, e_out, &why))
		return true;
	if (!slice_starts(word, "unix:"))
		return false;
	word = slice_from(word, 5);
	*e_out = (struct endpoint){ .kind = ENDPOINT_UNIX };
	snprintf(e_out->path, sizeof(e_out->path), "%.*s", SLICE_ARG(word));
	return true;
}

static bool is_one_of_ours(const struct ctl_online *o, struct slice word,
			   struct slice queue)
{
	struct endpoint theirs;

	if (!parse_theirs(word, &theirs))
		return false;
	for (size_t i = 0; i < o->conf->listen.count; i++)
		if (is_ours(&o->conf->listen.at[i], &theirs, queue))
			return true;
	return false;
}

/* "inet:h:1, { unix:/s, connect_timeout=10s }": the next address. */
static bool next_address(struct slice *rest, struct slice *word_out)
{
	static const char between[] = ", \t{}";
	size_t n = 0;

	for (;;) {
		while (rest->len && strchr(between, rest->data[0]))
			*rest = slice_from(*rest, 1);
		for (n = 0; n < rest->len && !strchr(between, rest->data[n]);)
			n++;
		*word_out = slice_head(*rest, n);
		*rest = slice_from(*rest, n);
		if (n == 0)
			return false;
		/* What is set for one of them is no address. */
		if (slice_find(*word_out, '=') < 0)
			return true;
	}
}

static void check_milters(struct ctl_online *o, const struct postfix *p)
{
	struct slice list = value_of(&p->main, "smtpd_milters"), rest = list;
	struct slice queue = value_of(&p->main, "queue_directory"), word;
	bool chrooted = slice_is(value_of(&p->master, "smtp/inet/chroot"), "y");

	while (next_address(&rest, &word)) {
		if (!is_one_of_ours(o, word, queue))
			continue;
		ctl_found(o, FOUND_OK, "postfix's smtpd_milters has us: %.*s",
			  SLICE_ARG(word));
		return;
	}
	ctl_found(o, FOUND_WARN,
		  "postfix's smtpd_milters has none of the addresses of "
		  "\"listen\": %s%.*s",
		  list.len ? "" : "it is empty", SLICE_ARG(list));
	if (!chrooted)
		return;
	ctl_found(o, FOUND_NOTE,
		  "smtpd lives in a chroot: it sees a unix socket only below "
		  "%.*s, and calls it by its path from there",
		  SLICE_ARG(queue));
}

static void check_chroot(struct ctl_online *o, const struct postfix *p)
{
	struct slice queue = value_of(&p->main, "queue_directory");

	if (!slice_is(value_of(&p->master, "smtp/inet/chroot"), "y"))
		return;
	for (size_t i = 0; i < o->conf->listen.count; i++) {
		const struct endpoint *e = &o->conf->listen.at[i].endpoint;

		if (e->kind == ENDPOINT_UNIX &&
		    (strncmp(e->path, queue.data, queue.len) != 0 ||
		     e->path[queue.len] != '/'))
			ctl_found(o, FOUND_WARN,
				  "listen unix:%s: smtpd lives in a chroot and "
				  "sees sockets below %.*s only",
				  e->path, SLICE_ARG(queue));
	}
}

static void check_limit(struct ctl_online *o, const struct postfix *p)
{
	struct slice limit = value_of(&p->master, "smtp/inet/process_limit");
	uint64_t n = 0;

	if (!slice_to_u64(limit, UINT32_MAX, &n))
		limit = value_of(&p->main, "default_process_limit");
	if (!slice_to_u64(limit, UINT32_MAX, &n) || n == 0)
		return;
	if (o->conf->workers_max < n)
		ctl_found(o, FOUND_WARN,
			  "workers_max is %u, but postfix may run %u smtpd, "
			  "each with a connection",
			  o->conf->workers_max, (unsigned)n);
	else
		ctl_found(o, FOUND_OK,
			  "workers_max is %u, enough for postfix's %u smtpd",
			  o->conf->workers_max, (unsigned)n);
}

void ctl_online_postfix(struct ctl_online *o)
{
	struct postfix p;
	struct slice action;

	buf_init(&p.main, TEXT_MAX);
	buf_init(&p.master, TEXT_MAX);
	if (!ask(o, &p)) {
		ctl_found(o, FOUND_NOTE,
			  "postconf does not answer: Postfix's "
			  "settings were not looked at");
	} else {
		check_time(o, &p, "step_deadline_postfix",
			   o->conf->step_deadline_postfix,
			   "milter_command_timeout");
		check_time(o, &p, "message_deadline", o->conf->message_deadline,
			   "milter_content_timeout");
		action = value_of(&p.main, "milter_default_action");
		ctl_found(o, FOUND_NOTE,
			  "when it cannot reach us postfix does: %.*s "
			  "(milter_default_action)",
			  SLICE_ARG(action));
		check_milters(o, &p);
		check_chroot(o, &p);
		check_limit(o, &p);
	}
	buf_deinit(&p.main);
	buf_deinit(&p.master);
}
