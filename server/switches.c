#include "server/switches.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "shared/clock.h"

struct moment moment_now(void)
{
	struct timespec t;
	struct moment m = { .now = clock_now() };

	clock_gettime(CLOCK_REALTIME, &t);
	m.wall = (uint64_t)t.tv_sec * CLOCK_S + (uint64_t)t.tv_nsec / 1000;
	return m;
}

uint64_t moment_wall(const struct moment *m, uint64_t then)
{
	return then <= m->now ? m->wall - (m->now - then) :
				m->wall + (then - m->now);
}

void moment_print(uint64_t wall, char text_out[MOMENT_TEXT])
{
	time_t seconds = (time_t)(wall / CLOCK_S);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) ||
	    !strftime(text_out, MOMENT_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text_out, MOMENT_TEXT, "?");
}

const struct switch_row *switches_find(const struct switches *s,
				       const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (strcasecmp(s->rows[i].name, name) == 0)
			return &s->rows[i];
	return NULL;
}

const struct switch_layer *switch_in_force(const struct switch_row *row)
{
	if (row && row->timed.is_set)
		return &row->timed;
	if (row && row->standing.is_set)
		return &row->standing;
	return NULL;
}

static bool is_same(const struct conf_switch *a, const struct conf_switch *b)
{
	return a->mode == b->mode &&
	       (a->mode != MODE_PERCENT || a->percent == b->percent);
}

/* A row in which nothing is set any more goes; the order does not matter. */
static void tidy(struct switches *s, struct switch_row *row)
{
	if (!row->standing.is_set && !row->timed.is_set)
		*row = s->rows[--s->count];
}

struct switch_row *switches_row(struct switches *s, const char *name)
{
	const struct switch_row *known = switches_find(s, name);
	struct switch_row *row;

	if (known)
		return &s->rows[known - s->rows];
	if (s->count == CONF_MILTERS_MAX)
		return NULL;
	row = &s->rows[s->count++];
	*row = (struct switch_row){ 0 };
	snprintf(row->name, sizeof(row->name), "%s", name);
	return row;
}

static struct switch_layer make_layer(const struct switch_wish *w,
				      const struct moment *m)
{
	struct switch_layer l = {
		.is_set = true,
		.to = *w->to,
		.uid = w->uid,
		.at = m->wall / CLOCK_S * CLOCK_S,
		.until = w->time ? m->now + w->time : 0,
	};

	snprintf(l.user, sizeof(l.user), "%s", w->user);
	return l;
}

static bool set_timed(struct switch_row *row, const struct switch_wish *w,
		      const struct moment *m)
{
	const struct conf_switch *below =
		row->standing.is_set ? &row->standing.to : &w->milter->mode;
	bool changes = row->timed.is_set || !is_same(w->to, below);

	row->timed = (struct switch_layer){ 0 };
	if (!is_same(w->to, below))
		row->timed = make_layer(w, m);
	return changes;
}

static bool set_standing(struct switch_row *row, const struct switch_wish *w,
			 const struct moment *m)
{
	const struct conf_switch *settings = &w->milter->mode;
	const struct conf_switch *before =
		row->standing.is_set ? &row->standing.to : settings;
	bool changes = row->timed.is_set ||
		       !is_same(w->to ? w->to : settings, before);

	row->timed = (struct switch_layer){ 0 };
	if (!w->to || is_same(w->to, settings))
		row->standing = (struct switch_layer){ 0 };
	else if (changes)
		row->standing = make_layer(w, m);
	return changes;
}

bool switches_set(struct switches *s, const struct switch_wish *w,
		  const struct moment *m)
{
	struct switch_row *row = switches_row(s, w->milter->name);
	bool changes;

	if (!row)
		return false;
	changes = w->to && w->time ? set_timed(row, w, m) :
				     set_standing(row, w, m);
	tidy(s, row);
	return changes;
}

bool switches_return(struct switches *s, uint64_t now,
		     char name_out[BOARD_NAME_MAX])
{
	for (unsigned i = 0; i < s->count; i++) {
		struct switch_row *row = &s->rows[i];

		if (!row->timed.is_set || now < row->timed.until)
			continue;
		memcpy(name_out, row->name, BOARD_NAME_MAX);
		row->timed = (struct switch_layer){ 0 };
		tidy(s, row);
		return true;
	}
	return false;
}

uint64_t switches_until(const struct switches *s)
{
	uint64_t until = CLOCK_NEVER;

	for (unsigned i = 0; i < s->count; i++)
		if (s->rows[i].timed.is_set)
			until = clock_earlier(until, s->rows[i].timed.until);
	return until;
}

static const struct conf_milter *milter_of(const struct conf *conf,
					   const char *name)
{
	for (size_t i = 0; i < conf->milter_count; i++)
		if (strcasecmp(conf->milters[i].name, name) == 0)
			return &conf->milters[i];
	return NULL;
}

/* Layers that say what lies below them anyway.  True: one is gone. */
static bool drop_covered(struct switch_row *row, const struct conf_milter *m)
{
	bool any = false;

	if (row->standing.is_set && is_same(&row->standing.to, &m->mode)) {
		row->standing = (struct switch_layer){ 0 };
		any = true;
	}
	if (row->timed.is_set && !row->standing.is_set &&
	    is_same(&row->timed.to, &m->mode)) {
		row->timed = (struct switch_layer){ 0 };
		any = true;
	}
	return any;
}

bool switches_settle(struct switches *s, const struct conf *conf,
		     struct buf *words)
{
	bool any = false;

	/* From the end: tidy() puts the last row in the place of this one. */
	for (unsigned i = s->count; i-- > 0;) {
		struct switch_row *row = &s->rows[i];
		const struct conf_milter *m = milter_of(conf, row->name);

		if (m) /* as it is spelt now */
			snprintf(row->name, sizeof(row->name), "%s", m->name);
		if (m && !drop_covered(row, m))
			continue;
		any = true;
		if (m) {
			buf_printf(words,
				   "milter %s: its switch is what the settings say now\n",
				   row->name);
		} else {
			buf_printf(words,
				   "milter %s is not in the settings: its switch is dropped\n",
				   row->name);
			row->standing.is_set = row->timed.is_set = false;
		}
		tidy(s, row);
	}
	return any;
}
