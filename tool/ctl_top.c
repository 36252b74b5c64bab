#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"
#include "tool/ctl.h"
#include "tool/ctl_client.h"
#include "tool/screen.h"
#include "tool/top.h"

#define TOP_TIMEOUT  (10 * CLOCK_S)
#define TOP_INTERVAL CLOCK_S

enum top_option {
	OPT_INTERVAL = CTL_CLIENT_OTHER,
	OPT_COUNT,
	OPT_ONCE,
};

/* Without -j: see report for that. */
static const struct options_row rows[] = {
	{ CTL_CLIENT_CONF, "config", 'c', true },
	{ CTL_CLIENT_ADDRESS, "socket", 's', true },
	{ CTL_CLIENT_TIMEOUT, "timeout", 't', true },
	{ OPT_INTERVAL, "interval", 'i', true },
	{ OPT_COUNT, "count", 'n', true },
	{ OPT_ONCE, "once", '1', false },
};

struct top_options {
	struct ctl_client_options client;
	uint64_t interval;
	uint64_t count; /* pictures; 0: without end */
};

static bool read_args(char *const *args, struct top_options *o)
{
	struct options opt = CTL_OPTIONS(rows, args);
	const char *value = NULL;
	bool ok = true;
	int id;

	while (ok && (id = options_next(&opt, &value)) != OPTIONS_END) {
		if (id == OPTIONS_OTHER)
			ctl_say("%s: one argument too many", value);
		if (id < 0)
			return false;
		if (id == OPT_INTERVAL)
			ok = ctl_seconds("-i", value, &o->interval);
		else if (id == OPT_COUNT)
			ok = options_number(&opt, value, 10, UINT32_MAX,
					    &o->count);
		else if (id == OPT_ONCE)
			o->count = 1;
		else
			ok = ctl_client_option(&o->client, id, value);
	}
	if (ok && o->interval < 100 * CLOCK_MS) {
		ctl_say("-i: at least 0.1");
		return false;
	}
	return ok;
}

struct watching {
	struct ctl_client client;
	struct ctl_client_options options; /* to connect again with */
	bool is_away;
	struct numbers *numbers[3]; /* now, before, the difference */
	bool has_before;
	bool is_screen;
	struct buf workers;
	struct buf picture;
	struct top top;
};

/*
 * The screen goes first, or nobody sees what is said.  Who is away after a
 * first picture may come back.
 */
static int give_up(struct watching *w, int status, struct slice text)
{
	if (status == CTL_UNREACHABLE && w->has_before)
		return status;
	if (w->is_screen)
		screen_close();
	w->is_screen = false;
	if (status == CTL_REFUSED)
		ctl_say("refused: %.*s", SLICE_ARG(slice_trim(text)));
	return status;
}

/* Behind the last empty line: the server's own picture ends with workers. */
static struct slice last_table(struct slice text)
{
	struct slice rest = text, line;

	while (slice_split(&rest, '\n', &line))
		if (line.len == 0 && rest.len)
			text = rest;
	return text;
}

/* Those that wait longest, the first of them first. */
static int ask_workers(struct watching *w)
{
	struct slice text = SLICE_EMPTY;
	int status = ctl_client_ask(&w->client, "top", &text);

	if (status != CTL_OK)
		return give_up(w, status, text);
	buf_clear(&w->workers);
	if (!buf_add(&w->workers, last_table(text)))
		return give_up(w, ctl_no_memory(), text);
	return CTL_OK;
}

static int ask_numbers(struct watching *w)
{
	struct numbers *oldest = w->numbers[1];
	char why[NUMBERS_WHY];
	struct slice text = SLICE_EMPTY;
	int status = ctl_client_ask(&w->client, "numbers", &text);

	if (status != CTL_OK)
		return give_up(w, status, text);
	w->numbers[1] = w->numbers[0];
	w->numbers[0] = oldest;
	if (numbers_parse(text, w->numbers[0], why))
		return CTL_OK;
	give_up(w, CTL_OK, text);
	ctl_say("%s: %s", w->client.where, why);
	return CTL_FAILURE;
}

/* Numbers last: they become those of the picture before. */
static int ask_both(struct watching *w)
{
	int status = ask_workers(w);

	return status == CTL_OK ? ask_numbers(w) : status;
}

/* An upgrade closes the connection; at once somebody listens again. */
static int ask_anew(struct watching *w)
{
	int status;

	ctl_client_close(&w->client);
	status = ctl_client_open(&w->client, &w->options, false, TOP_TIMEOUT);
	return status == CTL_OK ? ask_both(w) : status;
}

static int ask(struct watching *w)
{
	int status = w->is_away ? CTL_UNREACHABLE : ask_both(w);

	if (status == CTL_UNREACHABLE && w->has_before)
		status = ask_anew(w);
	w->is_away = status == CTL_UNREACHABLE && w->has_before;
	if (status != CTL_OK)
		return status;
	top_compute(w->numbers[0], w->has_before ? w->numbers[1] : NULL,
		    w->numbers[2], &w->top);
	w->has_before = true;
	w->options.is_quiet = w->client.is_quiet = true;
	return CTL_OK;
}

static const char away[] = "the server is away, trying again";

/* Over the first line of the last picture. */
static void show_away(unsigned columns)
{
	char line[sizeof(away) + 16];

	snprintf(line, sizeof(line), "\033[K\033[1m%.*s\033[0m", (int)columns,
		 away);
	screen_draw(slice_str(line));
}

static int show(struct watching *w)
{
	struct top_size size = { .is_screen = w->is_screen };

	buf_clear(&w->picture);
	if (w->is_screen)
		screen_size(&size.columns, &size.lines);
	if (!(w->is_away && !w->is_screen ?
		      buf_printf(&w->picture, "%s\n", away) :
		      top_print(&w->top, buf_slice(&w->workers), &size,
				&w->picture)))
		return give_up(w, ctl_no_memory(), SLICE_EMPTY);
	if (!w->is_screen)
		return ctl_write_out(&w->picture, CTL_OK);
	screen_draw(buf_slice(&w->picture));
	if (w->is_away)
		show_away(size.columns);
	return CTL_OK;
}

/* True: go on. */
static bool pause_on_screen(struct watching *w, uint64_t until)
{
	char key = 0;

	for (;;) {
		switch (screen_wait(until, &key)) {
		case SCREEN_TIME:
			return true;
		case SCREEN_RESIZED:
			if (show(w) != CTL_OK)
				return false;
			break;
		case SCREEN_KEY:
			if (key == 'q' || key == 'Q')
				return false;
			/* Not to wait is all that other keys can ask for. */
			if (key == ' ')
				return true;
			break;
		case SCREEN_SIGNAL:
			give_up(w, CTL_OK, SLICE_EMPTY);
			screen_die();
			return false;
		}
	}
}

static bool pause_plain(uint64_t until)
{
	int ms = clock_poll_ms(until);
	struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&left, NULL);
	printf("\n");
	return true;
}

static int watch(struct watching *w, const struct top_options *o)
{
	uint64_t next = clock_now();
	int status = CTL_OK;

	w->is_screen = !o->count && screen_open();
	for (uint64_t n = 1; status == CTL_OK; n++) {
		status = ask(w);
		if (status == CTL_OK || w->is_away)
			status = show(w);
		/* After a pause no interval is made up for. */
		next = next + 2 * o->interval > clock_now() ?
			       next + o->interval :
			       clock_now() + o->interval;
		if (status != CTL_OK || n == o->count ||
		    !(w->is_screen ? pause_on_screen(w, next) :
				     pause_plain(next)))
			break;
	}
	if (w->is_screen)
		screen_close();
	return status == CTL_OK && w->is_away && o->count ? CTL_UNREACHABLE :
							    status;
}

int ctl_top(char *const *args)
{
	struct top_options o = { .client = CTL_CLIENT_DEFAULTS,
				 .interval = TOP_INTERVAL };
	struct watching *w;
	struct numbers *numbers;
	int status = CTL_FAILURE;

	if (!read_args(args, &o))
		return CTL_USAGE;
	w = calloc(1, sizeof(*w));
	numbers = calloc(3, sizeof(*numbers));
	if (!w || !numbers) {
		free(w);
		free(numbers);
		return ctl_no_memory();
	}
	for (size_t i = 0; i < 3; i++)
		w->numbers[i] = &numbers[i];
	buf_init(&w->workers, CTL_TEXT_CEILING);
	buf_init(&w->picture, CTL_TEXT_CEILING);
	w->options = o.client;
	status = ctl_client_open(&w->client, &o.client, false, TOP_TIMEOUT);
	if (status == CTL_OK)
		status = watch(w, &o);
	ctl_client_close(&w->client);
	buf_deinit(&w->workers);
	buf_deinit(&w->picture);
	free(numbers);
	free(w);
	return status;
}
