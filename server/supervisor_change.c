#include "server/supervisor_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/limits.h"
#include "server/notify.h"
#include "server/steer.h"
#include "shared/clock.h"
#include "shared/log.h"

void supervisor_refuse_changes(struct supervisor *s)
{
	reload_refuse(&s->reload, "sekishod is stopping");
	upgrade_refuse(&s->upgrade, "sekishod is stopping");
}

static bool is_leaving(const struct supervisor *s)
{
	return s->phase == PHASE_DRAIN || s->phase == PHASE_STOP;
}

/* --- settings ------------------------------------------------------------- */

/* The most there can be was found at the start. */
void supervisor_set_pool(struct supervisor *s)
{
	const struct conf *c = s->conf;
	unsigned max = s->limits.max;

	s->limits.min = c->workers_min < max ? c->workers_min : max;
	s->limits.spare_min = c->spare_min;
	s->limits.spare_max = c->spare_max;
}

bool supervisor_set_log(const struct conf *c)
{
	bool ok = log_open(c->log, "sekishod", c->syslog_facility,
			   c->log_file);

	log_level(c->log_level);
	return ok;
}

/* For reload.h: the supervisor lives on with other settings. */
static bool apply_settings(void *owner, struct arena *arena,
			   const struct conf *conf, struct buf *words)
{
	struct supervisor *s = owner;
	struct limits_wish wish;

	if (!settings_replace(&s->settings, arena, conf,
			      spawn_oldest(&s->spawn), s->spawn.board, words))
		return false;
	s->conf = s->spawn.conf = s->settings.conf;
	s->spawn.cells = s->settings.cells.map;
	s->spawn.settings = s->settings.generation;
	wish = (struct limits_wish){ s->limits.max, (unsigned)s->listen.count,
				     (unsigned)s->conf->milter_count,
				     OVERLOAD_RESERVE };
	limits_raise(&wish);
	supervisor_set_pool(s);
	if (!supervisor_set_log(s->conf))
		log_error("log_file \"%s\" could not be opened: %s; tried again with each line",
			  s->conf->log_file, strerror(errno));
	board_count(s->spawn.board, 0, COUNT_RELOADS, 1);
	/* The busy ones; for the idle ones see replace_older(). */
	spawn_retire_older(&s->spawn, 0);
	s->view.conf = s->conf;
	s->view.settings = s->settings.generation;
	s->view.read_at = clock_now();
	steer_settle(&s->view);
	status_follow(s->status, s->conf);
	s->told_alive = 0; /* the status names the generation */
	s->next_look = 0;
	return true;
}

void supervisor_reload(struct supervisor *s)
{
	reload_begin(&s->reload, NULL);
	if (is_leaving(s))
		supervisor_refuse_changes(s);
}

void supervisor_upgrade(struct supervisor *s)
{
	upgrade_begin(&s->upgrade, NULL);
	if (is_leaving(s))
		supervisor_refuse_changes(s);
}

static const char handed_start[] = "started";

static bool hand_over_start(const struct supervisor *s, struct buf *texts)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, s->view.started);
	return handover_put(texts, handed_start, slice_str(number));
}

/* For upgrade.h: all that the next program needs. */
static bool collect_handover(void *owner, struct handover *h,
			     struct buf *texts)
{
	struct supervisor *s = owner;

	free(s->handed);
	s->handed = calloc(s->spawn.slots, sizeof(*s->handed));
	if (!s->handed)
		return false;
	h->settings = s->settings.generation;
	h->control_fd = board_control_fd(s->spawn.board);
	h->numbers_fd = board_numbers_fd(s->spawn.board);
	h->pid_fd = s->pid_fd;
	listen_hand_over(&s->listen, &h->sockets);
	status_hand_over(s->status, &h->sockets);
	if (!steer_hand_over(&s->view, texts) || !hand_over_start(s, texts))
		return false;
	h->workers = s->handed;
	h->worker_count = spawn_hand_over(&s->spawn, s->handed);
	return true;
}

void supervisor_begin_changes(struct supervisor *s)
{
	s->reload = (struct reload){ .path = s->how->conf_path,
				     .tag = TAG_RELOAD,
				     .apply = apply_settings,
				     .owner = s };
	s->upgrade = (struct upgrade){ .conf_path = s->how->conf_path,
				       .foreground = s->how->foreground,
				       .tag = TAG_UPGRADE,
				       .collect = collect_handover,
				       .owner = s };
	reload_init(&s->reload);
	upgrade_init(&s->upgrade);
	s->feed_every = notify_watchdog();
}

void supervisor_end_changes(struct supervisor *s)
{
	if (s->status) {
		reload_forget(&s->reload, s->status);
		upgrade_forget(&s->upgrade, s->status);
	}
	reload_deinit(&s->reload);
	upgrade_deinit(&s->upgrade);
	free(s->handed);
}

/* Not both at once: an upgrade reads the settings, too. */
void supervisor_look_at_changes(struct supervisor *s)
{
	bool may = s->phase == PHASE_RUN;

	reload_turn(&s->reload, may && !upgrade_is_under_way(&s->upgrade));
	upgrade_turn(&s->upgrade, may && !reload_is_under_way(&s->reload));
}

/* --- logs ------------------------------------------------------------------ */

/* All processes look at the board's word before their next line. */
bool supervisor_reopen_logs(struct supervisor *s)
{
	board_reopen_logs(s->spawn.board);
	if (log_reopen()) {
		log_info("log files are opened anew");
		return true;
	}
	log_error("log_file \"%s\" could not be opened anew: %s; the old one stays in use",
		  s->conf->log_file, strerror(errno));
	return false;
}

/* --- the wishes of the control socket -------------------------------------- */

static bool may_change(const struct supervisor *s, struct buf *words)
{
	if (s->phase == PHASE_RUN)
		return true;
	buf_printf(words, "not now: sekishod is in phase %s\n",
		   supervisor_phase_name(s->phase));
	return false;
}

/* A client of the control socket wants us to end. */
static enum wish wish_drain(void *context, uint64_t ticket,
			    struct buf *words)
{
	struct supervisor *s = context;

	(void)ticket;
	if (!may_change(s, words))
		return WISH_REFUSED;
	supervisor_enter(s, PHASE_DRAIN);
	buf_printf(words, "draining: %u workers are busy\n",
		   spawn_busy(&s->spawn));
	return WISH_DONE;
}

static void tell_end(void *context, uint64_t ticket, bool ok,
		     struct slice words)
{
	status_wish_done(context, ticket, ok, words);
}

static enum wish wish_reload(void *context, uint64_t ticket,
			     struct buf *words)
{
	struct supervisor *s = context;
	const struct reload_wish wish = { tell_end, s->status, ticket };

	if (!may_change(s, words))
		return WISH_REFUSED;
	/* Its client would be gone when the new program begins. */
	if (upgrade_is_under_way(&s->upgrade)) {
		buf_printf(words, "an upgrade is under way: it reads the settings, too\n");
		return WISH_REFUSED;
	}
	reload_begin(&s->reload, &wish);
	return WISH_BEGUN;
}

static enum wish wish_upgrade(void *context, uint64_t ticket,
			      struct buf *words)
{
	struct supervisor *s = context;
	const struct reload_wish wish = { tell_end, s->status, ticket };

	if (!may_change(s, words))
		return WISH_REFUSED;
	upgrade_begin(&s->upgrade, &wish);
	return WISH_BEGUN;
}

static enum wish wish_reopen(void *context, uint64_t ticket,
			     struct buf *words)
{
	struct supervisor *s = context;

	(void)ticket;
	if (!supervisor_reopen_logs(s)) {
		buf_printf(words, "log_file %s could not be opened anew: %s\n",
			   s->conf->log_file, strerror(errno));
		return WISH_REFUSED;
	}
	buf_printf(words, "logs are opened anew\n");
	return WISH_DONE;
}

/* Uptime and numbers go together: both go on, or both begin anew. */
static uint64_t started_at(const struct supervisor *s)
{
	uint64_t now = clock_now(), started;
	struct slice text;

	if (s->numbers_kept &&
	    handover_get(s->how->handover, handed_start, &text) &&
	    slice_to_u64(text, now, &started))
		return started;
	return now;
}

bool supervisor_open_status(struct supervisor *s)
{
	s->view = (struct status_view){
		.board = s->spawn.board,
		.conf = s->conf,
		.cells = s->settings.cells.map,
		.settings = s->settings.generation,
		.spawn = &s->spawn,
		.limits = &s->limits,
		.switches = &s->switches,
		.past = past_new(),
		.version = s->how->version,
		.conf_path = s->how->conf_path,
		.phase = supervisor_phase_name(s->phase),
		.started = started_at(s),
		.read_at = clock_now(),
		.workers_wanted = s->conf->workers_max,
		.workers_kept = s->limits.max < s->possible,
		.hooks = { .context = s,
			   .reload = wish_reload,
			   .drain = wish_drain,
			   .upgrade = wish_upgrade,
			   .reopen_logs = wish_reopen },
	};
	if (!s->view.past) {
		log_error("no memory for past numbers: %s", strerror(errno));
		return false;
	}
	if (s->how->handover)
		steer_take_over(&s->view, s->how->handover);
	else
		steer_load(&s->view);
	return status_watch(s->status, &s->view, s->epoll_fd);
}
