#include "server/handover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LINE  "sekisho handover 1"
#define WORKERS_MAX 100000
#define WORDS_MAX   6

/* --- writing --------------------------------------------------------------- */

bool handover_put(struct buf *texts, const char *name, struct slice text)
{
	return buf_printf(texts, "text %s %zu\n", name, text.len) &&
	       buf_add(texts, text) && buf_add_byte(texts, '\n');
}

static bool print_sockets(const struct inherit *list, struct buf *out)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct inherited *s = &list->at[i];

		if (!buf_printf(out, "socket %d %s %ju %ju\n", s->fd,
				s->foreign ? "manager" : "own",
				(uintmax_t)s->dev, (uintmax_t)s->ino))
			return false;
	}
	return true;
}

static bool print_workers(const struct handover *h, struct buf *out)
{
	for (unsigned i = 0; i < h->worker_count; i++) {
		const struct handover_worker *w = &h->workers[i];

		if (!buf_printf(out, "worker %u %d %d %" PRIu64 " %u\n",
				w->slot, (int)w->pid, w->fd, w->generation,
				w->settings))
			return false;
	}
	return true;
}

bool handover_print(const struct handover *h, struct buf *out)
{
	return buf_printf(out, FIRST_LINE "\npid %d\nsettings %u\n",
			  (int)h->pid, h->settings) &&
	       buf_printf(out, "board %d %d\n", h->control_fd,
			  h->numbers_fd) &&
	       (h->pid_fd < 0 || buf_printf(out, "pid_file %d\n",
					    h->pid_fd)) &&
	       print_sockets(&h->sockets, out) && print_workers(h, out) &&
	       buf_add(out, h->text);
}

/* --- reading ---------------------------------------------------------------- */

struct words {
	struct slice at[WORDS_MAX];
	size_t count;
};

static struct words words_of(struct slice line)
{
	struct words w = { .count = 0 };

	while (w.count < WORDS_MAX &&
	       slice_split(&line, ' ', &w.at[w.count]))
		w.count++;
	return w;
}

static bool number(const struct words *w, size_t i, uint64_t max,
		   uint64_t *number_out)
{
	return i < w->count && slice_to_u64(w->at[i], max, number_out);
}

static bool small(const struct words *w, size_t i, int *number_out)
{
	uint64_t n;

	if (!number(w, i, INT32_MAX, &n))
		return false;
	*number_out = (int)n;
	return true;
}

static bool read_socket(const struct words *w, struct handover *h)
{
	struct inherited one = { .foreign = false };
	uint64_t dev, ino;

	if (!small(w, 1, &one.fd) || !number(w, 3, UINT64_MAX, &dev) ||
	    !number(w, 4, UINT64_MAX, &ino) || h->sockets.count == INHERIT_MAX)
		return false;
	one.foreign = slice_is(w->at[2], "manager");
	one.dev = (dev_t)dev;
	one.ino = (ino_t)ino;
	h->sockets.at[h->sockets.count++] = one;
	return true;
}

static bool read_worker(const struct words *w, struct handover *h)
{
	struct handover_worker *one = &h->workers[h->worker_count];
	uint64_t slot, generation, settings;
	int pid;

	if (!number(w, 1, WORKERS_MAX, &slot) || !small(w, 2, &pid) ||
	    !small(w, 3, &one->fd) ||
	    !number(w, 4, UINT64_MAX, &generation) ||
	    !number(w, 5, UINT32_MAX, &settings) || pid <= 0)
		return false;
	one->slot = (unsigned)slot;
	one->pid = (pid_t)pid;
	one->generation = generation;
	one->settings = (unsigned)settings;
	h->worker_count++;
	return true;
}

/* Passes over a module's text; it may look like anything. */
static bool skip_text(const struct words *w, struct slice *rest)
{
	uint64_t len;

	if (!number(w, 2, rest->len, &len) || len + 1 > rest->len)
		return false;
	*rest = slice_from(*rest, (size_t)len + 1);
	return true;
}

static bool read_line(const struct words *w, struct handover *h,
		      struct slice *rest)
{
	struct slice word = w->at[0];
	uint64_t n;
	int pid;

	if (slice_is(word, "text"))
		return skip_text(w, rest);
	if (slice_is(word, "socket"))
		return read_socket(w, h);
	if (slice_is(word, "worker"))
		return read_worker(w, h);
	if (slice_is(word, "board"))
		return small(w, 1, &h->control_fd) &&
		       small(w, 2, &h->numbers_fd);
	if (slice_is(word, "pid_file"))
		return small(w, 1, &h->pid_fd);
	if (slice_is(word, "pid")) {
		if (!small(w, 1, &pid))
			return false;
		h->pid = (pid_t)pid;
	}
	if (slice_is(word, "settings")) {
		if (!number(w, 1, UINT32_MAX - 1, &n))
			return false;
		h->settings = (unsigned)n;
	}
	return true;
}

static size_t count_lines(struct slice text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.data[i] == '\n';
	return n;
}

bool handover_parse(struct arena *arena, struct slice text,
		    struct handover *h_out)
{
	struct slice rest = text, line;

	*h_out = (struct handover){ .control_fd = -1,
				    .numbers_fd = -1,
				    .pid_fd = -1,
				    .text = text };
	h_out->workers = arena_take_n(arena, count_lines(text),
				      sizeof(*h_out->workers));
	if (!h_out->workers || !slice_split(&rest, '\n', &line) ||
	    !slice_is(line, FIRST_LINE))
		return false;
	while (rest.len && slice_split(&rest, '\n', &line)) {
		struct words w = words_of(line);

		if (w.count && !read_line(&w, h_out, &rest))
			return false;
	}
	return h_out->pid == getpid() && h_out->control_fd >= 0 &&
	       h_out->numbers_fd >= 0;
}

bool handover_get(const struct handover *h, const char *name,
		  struct slice *text_out)
{
	struct slice rest = h->text, line;

	while (rest.len && slice_split(&rest, '\n', &line)) {
		struct words w = words_of(line);
		uint64_t len;

		if (!w.count || !slice_is(w.at[0], "text"))
			continue;
		if (!number(&w, 2, rest.len, &len))
			return false;
		if (slice_is(w.at[1], name)) {
			*text_out = slice_head(rest, (size_t)len);
			return true;
		}
		if (!skip_text(&w, &rest))
			return false;
	}
	return false;
}

static bool read_all(struct arena *arena, int fd, struct slice *text_out)
{
	struct stat st;
	char *room;
	size_t len = 0;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > (off_t)HANDOVER_CEILING)
		return false;
	room = arena_take(arena, (size_t)st.st_size);
	while (room && len < (size_t)st.st_size) {
		ssize_t n = pread(fd, room + len, (size_t)st.st_size - len,
				  (off_t)len);

		if (n <= 0)
			return false;
		len += (size_t)n;
	}
	*text_out = slice_of(room, len);
	return room != NULL;
}

bool handover_begin(struct arena *arena, struct handover *h_out)
{
	const char *env = getenv(HANDOVER_ENV);
	struct slice text;
	uint64_t fd;
	bool ok;

	if (!env)
		return false;
	ok = slice_to_u64(slice_str(env), INT32_MAX, &fd) && fd > 2 &&
	     read_all(arena, (int)fd, &text) &&
	     handover_parse(arena, text, h_out);
	unsetenv(HANDOVER_ENV);
	return ok;
}
