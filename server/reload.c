#include "server/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "server/notify.h"
#include "server/settings.h"
#include "shared/clock.h"
#include "shared/log.h"

/* A resolver that is down takes up to ten seconds for each name. */
#define MAY_TAKE      (120 * CLOCK_S)
#define WORDS_CEILING (4u * 1024 * 1024)
#define READ_AT_ONCE  65536

/*
 * What the process says: 'n' and the problems as text, or 'y' and the
 * addresses as struct endpoint_known, one behind the other; then a full stop,
 * without which it died in the middle.
 */
#define SAYS_NO	 'n'
#define SAYS_YES 'y'
#define SAYS_END '.'

/* --- the process that reads ----------------------------------------------- */

static bool add_listeners(const struct conf_listeners *list, struct buf *out)
{
	struct endpoint_known known = { .passive = true };

	for (size_t i = 0; i < list->count; i++) {
		known.endpoint = list->at[i].endpoint;
		if (!buf_add(out, slice_of((char *)&known, sizeof(known))))
			return false;
	}
	return true;
}

static bool add_sockets(const struct conf_sockets *list, struct buf *out)
{
	struct endpoint_known known = { .passive = false };

	for (unsigned i = 0; i < list->count; i++) {
		known.endpoint = list->at[i];
		if (!buf_add(out, slice_of((char *)&known, sizeof(known))))
			return false;
	}
	return true;
}

static bool add_addresses(const struct conf *conf, struct buf *out)
{
	if (!add_listeners(&conf->listen, out) ||
	    !add_listeners(&conf->status, out) ||
	    !add_listeners(&conf->control, out))
		return false;
	for (size_t i = 0; i < conf->milter_count; i++)
		if (!add_sockets(&conf->milters[i].socket, out))
			return false;
	return true;
}

static bool write_all(int fd, struct slice bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = slice_from(bytes, (size_t)n);
	}
	return true;
}

/* It is nobody's worker and holds nobody's sockets. */
static void be_alone(int fd)
{
	sigset_t none;

	sigemptyset(&none);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "sekisho-reload", 0, 0, 0);
	log_open(LOG_SINK_STDERR, "sekishod", 0);
	if (fd != 3)
		(void)dup2(fd, 3);
	closefrom(4);
	notify_forget();
}

_Noreturn static void read_aside(const char *path, int fd)
{
	struct conf_problems problems;
	const struct conf *conf;
	struct arena arena;
	struct buf out;
	bool ok;

	be_alone(fd);
	arena_init(&arena, SETTINGS_CEILING);
	buf_init(&out, WORDS_CEILING);
	conf = conf_read(&arena, path, &problems);
	if (conf) {
		ok = buf_add_byte(&out, SAYS_YES) && add_addresses(conf, &out);
	} else {
		ok = buf_add_byte(&out, SAYS_NO);
		conf_problems_print(&problems, &out);
	}
	ok = ok && buf_add_byte(&out, SAYS_END) &&
	     write_all(3, buf_slice(&out));
	_exit(ok ? 0 : 1);
}

/* --- how it ended ----------------------------------------------------------- */

static void answer(const struct reload_wishes *list, bool ok,
		   struct slice words)
{
	for (unsigned i = 0; i < list->count; i++)
		list->at[i].done(list->at[i].context, ok, words);
}

static void log_lines(bool ok, struct slice words)
{
	struct slice line;

	while (slice_split(&words, '\n', &line)) {
		if (!line.len)
			continue;
		if (ok)
			log_info("%.*s", SLICE_ARG(line));
		else
			log_error("%.*s", SLICE_ARG(line));
	}
}

static void decide(struct reload *r, bool ok, struct slice words)
{
	struct reload_wishes list = r->now;

	r->now.count = 0;
	log_lines(ok, words);
	if (!ok)
		log_error("reload refused: the settings in force stay as they were");
	notify_ready();
	answer(&list, ok, words);
}

static void refuse(struct reload *r, const char *why)
{
	struct buf words;

	buf_init(&words, WORDS_CEILING);
	buf_printf(&words, "%s\n", why);
	decide(r, false, buf_slice(&words));
	buf_deinit(&words);
}

static void end_process(struct reload *r)
{
	if (r->fd >= 0)
		close(r->fd); /* leaves the epoll by itself */
	r->fd = -1;
	r->pid = 0; /* the supervisor reaps whoever dies */
}

/* --- the settings it found good -------------------------------------------- */

static bool use(struct reload *r, struct arena *arena,
		const struct endpoint_cache *known, struct buf *words)
{
	struct conf_problems problems;
	const struct conf *conf =
		conf_read_known(arena, r->path, known, &problems);
	bool ok;

	if (!conf) {
		conf_problems_print(&problems, words);
		return false;
	}
	ok = r->apply(r->owner, arena, conf, words);
	if (!ok)
		conf_close(conf);
	buf_printf(words, "\n");
	return ok;
}

static void read_ourselves(struct reload *r, struct slice addresses)
{
	size_t n = addresses.len / sizeof(struct endpoint_known);
	struct endpoint_known *known = calloc(n ? n : 1, sizeof(*known));
	struct endpoint_cache cache = { known, n };
	struct arena arena;
	struct buf words;
	bool ok = false;

	if (!known) {
		refuse(r, "no memory for settings");
		return;
	}
	memcpy(known, addresses.data, n * sizeof(*known));
	arena_init(&arena, SETTINGS_CEILING);
	buf_init(&words, WORDS_CEILING);
	ok = use(r, &arena, &cache, &words);
	arena_deinit(&arena); /* empty when it was taken */
	free(known);
	decide(r, ok, buf_slice(&words));
	buf_deinit(&words);
}

static void hear_end(struct reload *r)
{
	struct slice all = buf_slice(&r->heard);

	end_process(r);
	if (all.len < 2 || all.data[all.len - 1] != SAYS_END) {
		refuse(r, "the process that checks the settings died");
		return;
	}
	all = slice_head(all, all.len - 1);
	if (all.data[0] == SAYS_YES)
		read_ourselves(r, slice_from(all, 1));
	else
		decide(r, false, slice_from(all, 1));
}

void reload_event(struct reload *r)
{
	char bytes[READ_AT_ONCE];
	ssize_t n;

	if (!r->pid)
		return;
	n = read(r->fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && buf_add(&r->heard, slice_of(bytes, (size_t)n)))
		return;
	hear_end(r);
}

/* --- beginning -------------------------------------------------------------- */

void reload_init(struct reload *r)
{
	r->fd = -1;
	buf_init(&r->heard, WORDS_CEILING);
}

void reload_deinit(struct reload *r)
{
	if (r->pid)
		(void)kill(r->pid, SIGKILL);
	end_process(r);
	buf_deinit(&r->heard);
}

void reload_begin(struct reload *r, const struct reload_wish *wish)
{
	if (wish && r->next.count == RELOAD_WISHES) {
		wish->done(wish->context, false,
			   SLICE_LIT("too many wait for a reload already\n"));
		return;
	}
	if (wish)
		r->next.at[r->next.count++] = *wish;
	r->wanted = true;
}

static void forget(struct reload_wishes *list, const void *context)
{
	for (unsigned i = list->count; i-- > 0;)
		if (list->at[i].context == context)
			list->at[i] = list->at[--list->count];
}

void reload_forget(struct reload *r, const void *context)
{
	forget(&r->now, context);
	forget(&r->next, context);
}

static bool start_process(struct reload *r)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = r->tag };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, ends[0], &e) != 0 ||
	    (r->pid = fork()) < 0) {
		int reason = errno;

		close(ends[0]);
		close(ends[1]);
		r->pid = 0;
		errno = reason;
		return false;
	}
	if (r->pid == 0)
		read_aside(r->path, ends[1]);
	close(ends[1]);
	r->fd = ends[0];
	return true;
}

static void begin(struct reload *r)
{
	r->wanted = false;
	r->now = r->next;
	r->next.count = 0;
	buf_clear(&r->heard);
	r->deadline = clock_now() + MAY_TAKE;
	log_info("reading the settings again");
	notify_reloading();
	if (start_process(r))
		return;
	log_error("could not start the process that checks the settings: %s",
		  strerror(errno));
	refuse(r, "could not start the process that checks the settings");
}

void reload_turn(struct reload *r, bool may_begin)
{
	if (r->pid && clock_now() >= r->deadline) {
		(void)kill(r->pid, SIGKILL);
		end_process(r);
		refuse(r, "checking the settings took too long: is a resolver down?");
	}
	if (r->wanted && !r->pid && may_begin)
		begin(r);
}

uint64_t reload_until(const struct reload *r)
{
	return r->pid ? r->deadline : CLOCK_NEVER;
}

void reload_refuse(struct reload *r, const char *why)
{
	if (r->pid)
		(void)kill(r->pid, SIGKILL);
	if (r->pid || r->now.count) {
		end_process(r);
		refuse(r, why);
	}
	if (r->wanted) {
		r->wanted = false;
		r->now = r->next;
		r->next.count = 0;
		refuse(r, why);
	}
}
