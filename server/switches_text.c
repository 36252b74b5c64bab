/*
 * The text of switches: `state_file`, and what is handed to the process that
 * comes after an upgrade.
 *
 *   milter=spam mode=percent percent=5 uid=0 user=root at=2026-11-28T19:07:00Z
 *   milter=spam mode=off uid=0 user=root at=... until=2026-11-28T19:22:00Z
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/switches.h"
#include "shared/clock.h"

#define HEAD "# sekisho switches 1: written by sekishod, read when it starts\n"
/* A line that makes no sense is shown so far. */
#define SHOWN 80

static bool print_layer(const char *name, const struct switch_layer *l,
			const struct moment *m, struct buf *out)
{
	char at[MOMENT_TEXT], until[MOMENT_TEXT];
	bool ok;

	if (!l->is_set)
		return true;
	moment_print(l->at, at);
	ok = buf_printf(out, "milter=%s mode=%s", name,
			conf_mode_name(l->to.mode));
	if (l->to.mode == MODE_PERCENT)
		ok = ok && buf_printf(out, " percent=%u", l->to.percent);
	ok = ok && buf_printf(out, " uid=%u user=%s at=%s", (unsigned)l->uid,
			      l->user, at);
	if (l->until) {
		moment_print(moment_wall(m, l->until), until);
		ok = ok && buf_printf(out, " until=%s", until);
	}
	return ok && buf_add_byte(out, '\n');
}

bool switches_print(const struct switches *s, const struct moment *m,
		    struct buf *out)
{
	bool ok = buf_add(out, SLICE_LIT(HEAD));

	for (unsigned i = 0; ok && i < s->count; i++) {
		const struct switch_row *row = &s->rows[i];

		ok = print_layer(row->name, &row->standing, m, out) &&
		     print_layer(row->name, &row->timed, m, out);
	}
	return ok;
}

/* One line, taken apart; until by the wall clock, 0: without end. */
struct line {
	char name[BOARD_NAME_MAX];
	char mode[16];
	struct switch_layer layer;
	uint64_t until;
	bool has_percent;
};

static bool copy(struct slice value, char *to, size_t size)
{
	if (!value.len || value.len >= size)
		return false;
	memcpy(to, value.data, value.len);
	to[value.len] = '\0';
	return true;
}

static bool read_time(struct slice value, uint64_t *wall_out)
{
	char text[MOMENT_TEXT];
	struct tm tm = { 0 };
	const char *end;
	time_t seconds;

	if (!copy(value, text, sizeof(text)))
		return false;
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end)
		return false;
	seconds = timegm(&tm);
	if (seconds <= 0)
		return false;
	*wall_out = (uint64_t)seconds * CLOCK_S;
	return true;
}

static bool read_number(struct slice value, uint64_t max, unsigned *to)
{
	uint64_t n;

	if (!slice_to_u64(value, max, &n))
		return false;
	*to = (unsigned)n;
	return true;
}

static bool read_pair(struct line *l, struct slice key, struct slice value)
{
	unsigned uid;

	if (slice_is(key, "milter"))
		return copy(value, l->name, sizeof(l->name));
	if (slice_is(key, "mode"))
		return copy(value, l->mode, sizeof(l->mode));
	if (slice_is(key, "user"))
		return copy(value, l->layer.user, sizeof(l->layer.user));
	if (slice_is(key, "at"))
		return read_time(value, &l->layer.at);
	if (slice_is(key, "until"))
		return read_time(value, &l->until);
	if (slice_is(key, "percent")) {
		l->has_percent = true;
		return read_number(value, 100, &l->layer.to.percent);
	}
	if (!slice_is(key, "uid") || !read_number(value, UINT32_MAX, &uid))
		return false;
	l->layer.uid = uid;
	return true;
}

static bool read_mode(struct line *l)
{
	static const enum conf_mode modes[] = { MODE_ON, MODE_OFF,
						MODE_EVALUATE, MODE_PERCENT };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(l->mode, conf_mode_name(modes[i])) == 0) {
			l->layer.to.mode = modes[i];
			return l->has_percent == (modes[i] == MODE_PERCENT);
		}
	return false;
}

static bool read_line(struct slice text, struct line *l)
{
	struct slice word;

	*l = (struct line){ 0 };
	while (slice_split(&text, ' ', &word)) {
		ptrdiff_t equals = slice_find(word, '=');

		if (!word.len)
			continue;
		if (equals <= 0 ||
		    !read_pair(l, slice_head(word, (size_t)equals),
			       slice_from(word, (size_t)equals + 1)))
			return false;
	}
	l->layer.is_set = true;
	return *l->name && *l->layer.user && l->layer.at && read_mode(l);
}

static void take_line(struct switches *s, const struct line *l,
		      const struct moment *m, struct buf *words)
{
	struct switch_row *row;

	if (l->until && l->until <= m->wall) {
		buf_printf(words,
			   "milter %s: its switch to %s has come to its end meanwhile\n",
			   l->name, l->mode);
		return;
	}
	row = switches_row(s, l->name);
	if (!row) {
		buf_printf(words, "milter %s: too many switches\n", l->name);
		return;
	}
	if (l->until) {
		row->timed = l->layer;
		row->timed.until = m->now + (l->until - m->wall);
	} else {
		row->standing = l->layer;
	}
}

void switches_parse(struct switches *s, struct slice text,
		    const struct moment *m, struct buf *words)
{
	unsigned number = 0;
	struct slice text_line;
	struct line l;

	while (slice_split(&text, '\n', &text_line)) {
		number++;
		text_line = slice_trim(text_line);
		if (!text_line.len || text_line.data[0] == '#')
			continue;
		if (read_line(text_line, &l)) {
			take_line(s, &l, m, words);
			continue;
		}
		buf_printf(words, "line %u makes no sense and is left out: ",
			   number);
		(void)!log_quote(words, slice_head(text_line, SHOWN));
		buf_printf(words, "\n");
	}
}
