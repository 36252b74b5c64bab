#include "server/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/notify.h"
#include "server/settings.h"
#include "shared/clock.h"
#include "shared/log.h"

/* A resolver that is down takes up to ten seconds for each name. */
#define MAY_TAKE      (120 * CLOCK_S)
#define WORDS_CEILING ASIDE_CEILING

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

_Noreturn static void read_aside(const char *path)
{
	struct conf_problems problems;
	const struct conf *conf;
	struct arena arena;
	struct buf out;
	bool ok;

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
	     aside_write(buf_slice(&out));
	aside_leave(ok ? 0 : 1);
}

/* --- how it ended ----------------------------------------------------------- */

static void answer(const struct reload_wishes *list, bool ok,
		   struct slice words)
{
	for (unsigned i = 0; i < list->count; i++)
		list->at[i].done(list->at[i].context, list->at[i].ticket, ok,
				 words);
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
	struct slice all = buf_slice(&r->aside.heard);

	aside_end(&r->aside); /* in case it lives on without a word */
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
	if (aside_hear(&r->aside))
		hear_end(r);
}

bool reload_reaped(struct reload *r, pid_t pid)
{
	return aside_reaped(&r->aside, pid);
}

/* --- beginning -------------------------------------------------------------- */

void reload_init(struct reload *r)
{
	aside_init(&r->aside);
}

void reload_deinit(struct reload *r)
{
	aside_deinit(&r->aside);
}

void reload_begin(struct reload *r, const struct reload_wish *wish)
{
	if (wish && r->next.count == RELOAD_WISHES) {
		wish->done(wish->context, wish->ticket, false,
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

static void begin(struct reload *r)
{
	r->wanted = false;
	r->now = r->next;
	r->next.count = 0;
	log_info("reading the settings again");
	notify_reloading();
	switch (aside_begin(&r->aside, "sekisho-reload", r->epoll_fd, r->tag,
			    MAY_TAKE)) {
	case ASIDE_CHILD:
		read_aside(r->path);
	case ASIDE_FAILED:
		log_error("could not start the process that checks the settings: %s",
			  strerror(errno));
		refuse(r, "could not start the process that checks the settings");
		break;
	case ASIDE_PARENT:
		break;
	}
}

void reload_turn(struct reload *r, bool may_begin)
{
	if (reload_is_under_way(r) && clock_now() >= r->aside.deadline) {
		aside_end(&r->aside);
		refuse(r, "checking the settings took too long: is a resolver down?");
	}
	if (r->wanted && !reload_is_under_way(r) && may_begin)
		begin(r);
}

bool reload_is_under_way(const struct reload *r)
{
	return aside_is_there(&r->aside);
}

uint64_t reload_until(const struct reload *r)
{
	return reload_is_under_way(r) ? r->aside.deadline : CLOCK_NEVER;
}

void reload_refuse(struct reload *r, const char *why)
{
	if (reload_is_under_way(r)) {
		aside_end(&r->aside);
		refuse(r, why);
	}
	if (r->wanted) {
		r->wanted = false;
		r->now = r->next;
		r->next.count = 0;
		refuse(r, why);
	}
}
