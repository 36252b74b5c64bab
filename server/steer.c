#include "server/steer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/answer.h"
#include "shared/clock.h"
#include "shared/conf_value.h"
#include "shared/io.h"
#include "shared/log.h"

#define FILE_CEILING ((size_t)64 * 1024)
#define PATH_ROOM    4096

/* ---- the board ---- */

static void set_board(const struct status_view *v)
{
	for (size_t i = 0; i < v->conf->milter_count; i++) {
		const struct switch_layer *l = switch_in_force(switches_find(
			v->switches, v->conf->milters[i].name));

		board_switch(v->board, answer_cell(v, i), l ? &l->to : NULL);
	}
}

/* ---- the file ---- */

static bool write_and_sync(int fd, struct slice text)
{
	while (text.len) {
		ssize_t n = write(fd, text.data, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text = slice_from(text, (size_t)n);
	}
	return fsync(fd) == 0;
}

/* A rename is on disk only when its directory is. */
static bool sync_directory(const char *path)
{
	char dir[PATH_ROOM];
	const char *slash = strrchr(path, '/');
	int fd;
	bool ok;

	snprintf(dir, sizeof(dir), "%.*s",
		 slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = fsync(fd) == 0;
	close(fd);
	return ok;
}

/* A rename would take away whatever stands there, a device too. */
static bool may_replace(const char *path, const char **why_out)
{
	struct stat st;

	if (lstat(path, &st) == 0) {
		*why_out = "something else than a file is there";
		return S_ISREG(st.st_mode);
	}
	*why_out = strerror(errno);
	return errno == ENOENT;
}

/* Never half of it: a new file takes the place of the old one. */
static bool replace_file(const char *path, struct slice text)
{
	char next[PATH_ROOM];
	int fd, reason;
	bool ok;

	snprintf(next, sizeof(next), "%s.new", path);
	(void)unlink(next);
	fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		return false;
	ok = write_and_sync(fd, text);
	reason = errno;
	close(fd);
	errno = reason;
	ok = ok && rename(next, path) == 0;
	reason = errno;
	if (!ok)
		(void)unlink(next);
	errno = reason;
	return ok && sync_directory(path);
}

/* NULL: written. */
static const char *write_file(const struct status_view *v,
			      const struct moment *m)
{
	const char *path = v->conf->state_file, *why;
	struct buf text;

	if (!may_replace(path, &why))
		return why;
	buf_init(&text, FILE_CEILING);
	if (!switches_print(v->switches, m, &text))
		why = "too many switches";
	else if (!replace_file(path, buf_slice(&text)))
		why = strerror(errno);
	else
		why = NULL;
	buf_deinit(&text);
	return why;
}

static void save(const struct status_view *v, const struct moment *m,
		 struct buf *words)
{
	const char *path = v->conf->state_file;
	const char *why = *path ? write_file(v, m) : NULL;

	snprintf(v->switches->unsaved, sizeof(v->switches->unsaved), "%s",
		 why ? why : "");
	if (!why)
		return;
	log_error("state_file %s could not be written: %s", path, why);
	if (words)
		buf_printf(words,
			   "warning: state_file %s could not be written: %s; a restart will not know this\n",
			   path, why);
}

static void warn_lines(const char *before, const struct buf *words)
{
	struct slice rest = buf_slice(words), line;

	while (slice_split(&rest, '\n', &line))
		if (line.len)
			log_warn("%s%.*s", before, SLICE_ARG(line));
}

static bool read_file(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum io_result r = IO_OK;
	struct stat st;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return false;
	}
	while (r == IO_OK && buf_len(text) < FILE_CEILING)
		r = io_read(fd, text, FILE_CEILING - buf_len(text));
	close(fd);
	return r == IO_EOF || r == IO_OK;
}

static void settle(const struct status_view *v)
{
	struct buf words;

	buf_init(&words, FILE_CEILING);
	if (switches_settle(v->switches, v->conf, &words))
		warn_lines("", &words);
	buf_deinit(&words);
	set_board(v);
}

void steer_load(const struct status_view *v)
{
	const char *path = v->conf->state_file;
	struct moment m = moment_now();
	struct buf text, words;
	char before[PATH_ROOM];

	if (!*path)
		return;
	buf_init(&text, FILE_CEILING);
	buf_init(&words, FILE_CEILING);
	snprintf(before, sizeof(before), "state_file %s: ", path);
	if (read_file(path, &text)) {
		switches_parse(v->switches, buf_slice(&text), &m, &words);
		warn_lines(before, &words);
	} else if (errno != ENOENT) {
		log_warn("%scould not be read: %s; milters are as the settings say",
			 before, strerror(errno));
		snprintf(v->switches->unsaved, sizeof(v->switches->unsaved),
			 "it could not be read");
	}
	buf_deinit(&text);
	buf_deinit(&words);
	if (*v->switches->unsaved)
		settle(v); /* what cannot be read is not written over */
	else
		steer_settle(v);
	for (unsigned i = 0; i < v->switches->count; i++) {
		struct buf line;

		buf_init(&line, FILE_CEILING);
		answer_print_switch(v, v->switches->rows[i].name, &line);
		log_info("milter %s: %.*s, as before the start",
			 v->switches->rows[i].name,
			 SLICE_ARG(buf_slice(&line)));
		buf_deinit(&line);
	}
}

void steer_settle(const struct status_view *v)
{
	struct moment m = moment_now();

	settle(v);
	/* Also when nothing is new: better told now than when it is needed. */
	save(v, &m, NULL);
}

/* ---- upgrades ---- */

static const char handover_name[] = "switches";

bool steer_hand_over(const struct status_view *v, struct buf *texts)
{
	struct moment m = moment_now();
	struct buf text;
	bool ok;

	buf_init(&text, FILE_CEILING);
	ok = switches_print(v->switches, &m, &text) &&
	     handover_put(texts, handover_name, buf_slice(&text));
	buf_deinit(&text);
	return ok;
}

void steer_take_over(const struct status_view *v, const struct handover *h)
{
	struct moment m = moment_now();
	struct slice text;
	struct buf words;

	buf_init(&words, FILE_CEILING);
	if (handover_get(h, handover_name, &text))
		switches_parse(v->switches, text, &m, &words);
	warn_lines("upgrade: ", &words);
	buf_deinit(&words);
	steer_settle(v);
}

/* ---- changes ---- */

/* "uid 0 (root), pid 77: off spamass for 15m" */
static void log_change(const struct switch_wish *w, const struct peer *from)
{
	char mode[CONF_SWITCH_TEXT] = "default", who[PEER_TEXT];
	struct slice word, rest;
	struct buf time;

	if (w->to)
		conf_switch_print(w->to, mode, sizeof(mode));
	/* "percent 5" stands around the name, as it was said. */
	rest = slice_str(mode);
	(void)slice_split(&rest, ' ', &word);
	buf_init(&time, 64);
	if (w->time)
		buf_printf(&time, " for ");
	if (w->time)
		(void)!conf_number_print(CONF_DURATION, w->time, &time);
	peer_print(from, who);
	log_info("%s: %.*s %s%s%.*s%.*s", who, SLICE_ARG(word),
		 w->milter->name, rest.len ? " " : "", SLICE_ARG(rest),
		 SLICE_ARG(buf_slice(&time)));
	buf_deinit(&time);
}

void steer_change(const struct status_view *v, const struct switch_wish *w,
		  const struct peer *from, struct buf *words)
{
	struct moment m = moment_now();
	bool changed = switches_set(v->switches, w, &m);

	buf_printf(words, "%s: ", w->milter->name);
	if (!changed)
		buf_printf(words, "already ");
	answer_print_switch(v, w->milter->name, words);
	buf_printf(words, "\n");
	log_change(w, from);
	set_board(v);
	if (changed)
		save(v, &m, words);
}

void steer_turn(const struct status_view *v, uint64_t now)
{
	char name[BOARD_NAME_MAX];
	struct moment m = moment_now();
	bool any = false;

	while (switches_return(v->switches, now, name)) {
		struct buf line;

		buf_init(&line, FILE_CEILING);
		answer_print_switch(v, name, &line);
		log_info("milter %s: its time is over; now %.*s", name,
			 SLICE_ARG(buf_slice(&line)));
		buf_deinit(&line);
		any = true;
	}
	if (!any)
		return;
	set_board(v);
	save(v, &m, NULL);
}
