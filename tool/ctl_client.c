#include "tool/ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/io.h"
#include "tool/ctl.h"
#include "tool/ctl_find.h"

#define READ_SIZE ((size_t)64 * 1024)
/* "error " and a number; a peer that sends more is not our server. */
#define HEAD_MAX       32
#define LINE_MAX_BYTES 1000

/* ---- options ---- */

bool ctl_client_option(struct ctl_client_options *o, int id, const char *value)
{
	if (id == CTL_CLIENT_CONF)
		o->conf = value;
	else if (id == CTL_CLIENT_ADDRESS)
		o->address = value;
	else if (id == CTL_CLIENT_JSON)
		o->is_json = true;
	else if (id == CTL_CLIENT_TIMEOUT)
		return ctl_seconds("-t", value, &o->timeout);
	else
		return false;
	return true;
}

/* ---- connecting ---- */

static const char *why_not(int reason, bool changes)
{
	switch (reason) {
	case ENOENT:
		return "there is no such socket: is sekishod running?";
	case ECONNREFUSED:
		return "nobody listens there: sekishod is not running";
	case EACCES:
		return changes ?
			       "no permission: this takes root, the user of "
			       "sekishod or a member of control_group" :
			       "no permission: see the mode of the socket and "
			       "of the folders above it";
	default:
		return strerror(reason);
	}
}

static int connect_to(const struct endpoint *e, unsigned i, uint64_t timeout)
{
	int fd;
	enum io_result r = io_connect(&e->addr[i].any, e->addr_len[i], &fd);

	if (r == IO_AGAIN) {
		r = io_wait(fd, POLLOUT, clock_now() + timeout);
		if (r == IO_OK)
			r = io_connected(fd);
		else if (r == IO_TIMEOUT)
			errno = ETIMEDOUT;
	}
	if (r == IO_OK)
		return fd;
	if (fd >= 0) {
		int reason = errno;

		close(fd);
		errno = reason;
	}
	return -1;
}

/* Tries all addresses; 0 or the reason of the last one. */
static int try_endpoint(struct ctl_client *c, struct endpoint *e)
{
	const char *why = NULL;

	endpoint_print(e, c->where, sizeof(c->where));
	/* What listens everywhere is found here. */
	if (strcmp(e->host, "*") == 0)
		e->host[0] = '\0';
	if (!endpoint_resolve(e, false, &why))
		return EADDRNOTAVAIL;
	for (unsigned i = 0; c->fd < 0 && i < e->addr_count; i++)
		c->fd = connect_to(e, i, c->timeout);
	return c->fd >= 0 ? 0 : errno;
}

static int open_address(struct ctl_client *c, const char *address, bool changes)
{
	struct endpoint e;
	const char *why = NULL;
	int reason;

	if (!endpoint_parse(slice_str(address), &e, &why)) {
		ctl_say("-s \"%s\": %s", address, why);
		return CTL_USAGE;
	}
	reason = try_endpoint(c, &e);
	if (reason && !c->is_quiet)
		ctl_say("could not reach the server at \"%s\": %s", c->where,
			why_not(reason, changes));
	return reason ? CTL_UNREACHABLE : CTL_OK;
}

/* The one that is told of: the first unix socket, or the first of all. */
struct missed {
	int reason; /* 0: there was none */
	bool is_unix;
	char where[CTL_CLIENT_WHERE];
};

static void say_unreached(const struct missed *m, const char *conf,
			  const struct ctl_find *found, bool changes)
{
	if (found->unread)
		ctl_say("could not read the settings \"%s\": %s; tried the "
			"usual socket",
			conf, found->unread);
	if (m->reason)
		ctl_say("could not reach the server at \"%s\": %s "
			"(settings: \"%s\")",
			m->where, why_not(m->reason, changes), conf);
	else
		ctl_say("the settings \"%s\" name no %s socket: set \"%s\" in "
			"[server] and start the server again, or give its "
			"address with -s",
			conf, changes ? "control" : "status",
			changes ? "control" : "status");
}

static void try_list(struct ctl_client *c, struct conf_listeners *list,
		     struct missed *m)
{
	for (size_t i = 0; c->fd < 0 && i < list->count; i++) {
		struct endpoint *e = &list->at[i].endpoint;
		bool is_unix = e->kind == ENDPOINT_UNIX;
		int reason = try_endpoint(c, e);

		if (!reason || (m->reason && (m->is_unix || !is_unix)))
			continue;
		m->reason = reason;
		m->is_unix = is_unix;
		memcpy(m->where, c->where, sizeof(m->where));
	}
}

static int open_from_conf(struct ctl_client *c, const char *conf, bool changes)
{
	struct ctl_find *found;
	struct arena arena;
	struct missed m = { 0 };
	int status = CTL_UNREACHABLE;

	arena_init(&arena, CTL_CONF_CEILING);
	found = arena_take(&arena, sizeof(*found));
	if (!found || !ctl_find(&arena, conf, found)) {
		arena_deinit(&arena);
		return ctl_no_memory();
	}
	/* The control socket answers everything, but not everybody may. */
	if (!changes)
		try_list(c, &found->status, &m);
	if (c->fd < 0 && (changes || !found->status.count))
		try_list(c, &found->control, &m);
	if (c->fd >= 0)
		status = CTL_OK;
	else if (!c->is_quiet)
		say_unreached(&m, conf, found, changes);
	arena_deinit(&arena);
	return status;
}

int ctl_client_open(struct ctl_client *c, const struct ctl_client_options *o,
		    bool changes, uint64_t timeout)
{
	*c = (struct ctl_client){ .fd = -1,
				  .is_quiet = o->is_quiet,
				  .timeout =
					  o->timeout ? o->timeout : timeout };
	buf_init(&c->in, CTL_TEXT_CEILING);
	buf_init(&c->out, LINE_MAX_BYTES + 1);
	if (o->address)
		return open_address(c, o->address, changes);
	return open_from_conf(c, o->conf, changes);
}

void ctl_client_close(struct ctl_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_deinit(&c->in);
	buf_deinit(&c->out);
}

/* ---- asking ---- */

static int lost(const struct ctl_client *c, const char *why)
{
	if (!c->is_quiet)
		ctl_say("no answer from \"%s\": %s", c->where, why);
	return CTL_UNREACHABLE;
}

static int lost_by(const struct ctl_client *c, enum io_result r)
{
	char words[80];

	if (r == IO_EOF)
		return lost(c, "the server closed the connection");
	if (r != IO_TIMEOUT)
		return lost(c, strerror(errno));
	snprintf(words, sizeof(words), "nothing came within %.3g s",
		 (double)c->timeout / 1e6);
	return lost(c, words);
}

/* "ok 17\n": false when it is nothing of the kind. */
static bool read_head(struct slice head, bool *ok_out, uint64_t *len_out)
{
	struct slice word;

	if (!slice_split(&head, ' ', &word))
		return false;
	*ok_out = slice_is(word, "ok");
	return (*ok_out || slice_is(word, "error")) &&
	       slice_to_u64(head, CTL_TEXT_CEILING - HEAD_MAX, len_out);
}

/* Is the whole answer there?  IO_AGAIN: not yet; IO_ERROR: it is none. */
static enum io_result parse_answer(struct ctl_client *c, bool *ok_out,
				   struct slice *text_out)
{
	struct slice all = buf_slice(&c->in);
	ptrdiff_t end = slice_find(slice_head(all, HEAD_MAX), '\n');
	uint64_t len = 0;
	size_t from;

	if (end < 0) {
		errno = EPROTO;
		return all.len < HEAD_MAX ? IO_AGAIN : IO_ERROR;
	}
	if (!read_head(slice_head(all, (size_t)end), ok_out, &len)) {
		errno = EPROTO;
		return IO_ERROR;
	}
	from = (size_t)end + 1;
	if (all.len < from + len)
		return IO_AGAIN;
	*text_out = slice_head(slice_from(all, from), (size_t)len);
	c->answer_len = from + (size_t)len;
	return IO_OK;
}

static enum io_result await(struct ctl_client *c, bool *ok_out,
			    struct slice *text_out)
{
	uint64_t deadline = clock_now() + c->timeout;
	enum io_result r = io_write_all(c->fd, &c->out, deadline);

	/* A server that refuses may have said why before it closed. */
	if (r != IO_OK && (r != IO_ERROR || errno != EPIPE))
		return r;
	while ((r = parse_answer(c, ok_out, text_out)) == IO_AGAIN) {
		r = io_wait(c->fd, POLLIN, deadline);
		if (r == IO_OK)
			r = io_read(c->fd, &c->in, READ_SIZE);
		if (r != IO_OK && r != IO_AGAIN)
			return r;
	}
	return r;
}

int ctl_client_ask(struct ctl_client *c, const char *line,
		   struct slice *text_out)
{
	enum io_result r;
	bool is_ok = false;

	buf_skip(&c->in, c->answer_len);
	c->answer_len = 0;
	buf_clear(&c->out);
	if (!buf_printf(&c->out, "%s\n", line)) {
		ctl_say("a request may have no more than %d bytes",
			LINE_MAX_BYTES);
		return CTL_USAGE;
	}
	r = await(c, &is_ok, text_out);
	if (r == IO_ERROR && errno == EPROTO)
		return lost(c,
			    "what listens there does not speak our language");
	if (r != IO_OK)
		return lost_by(c, r);
	return is_ok ? CTL_OK : CTL_REFUSED;
}
