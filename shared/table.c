#include "shared/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/table_parts.h"

#define PAGE	      ((uint64_t)65536) /* a multiple of every page size */
#define REGEX_CEILING ((size_t)256 << 20)
/* Generations that can be told of at once. */
#define KEPT 16

/*
 * The first page of the memfd.  The supervisor fills a slot and then stores
 * the generation; a worker loads the generation and then reads that slot.  A
 * slot is used again sixteen generations later; a worker that saw it change
 * under its hands sees another number in it and tries again.
 */
struct share {
	_Atomic uint64_t newest;
	struct {
		_Atomic uint64_t generation;
		_Atomic uint64_t at;
		_Atomic uint64_t size;
	} slots[KEPT];
};

/* What is in force, in this process. */
struct view {
	const struct table_head *head;
	void *map; /* NULL: head is in an arena */
	size_t size;
	uint64_t generation;
	struct arena regexes;
	const struct table_regexp *regexp;
};

/* Generations given up, for the process that writes. */
struct past {
	uint64_t at;
	uint64_t size;
	uint64_t replaced; /* when */
};

struct table {
	struct slice name;
	const char *path;
	enum table_kind kind;
	struct view view;
	int fd; /* of who writes; -1: nobody may, or inline */
	int read_fd;
	struct share *share;
	uint64_t end; /* of the memfd */
	struct past past[KEPT];
	uint64_t at; /* of what is in force */
	/* What was last read, broken or not. */
	struct stat seen;
};

_Static_assert(sizeof(struct share) <= PAGE, "the share is one page");

/* ---- generations ---- */

static void view_close(struct view *v)
{
	if (v->map)
		munmap(v->map, v->size);
	arena_deinit(&v->regexes);
	*v = (struct view){ .head = NULL };
}

/* Maps what stands in the memfd there; false: no memory, or it is gone. */
static bool view_open(const struct table *t, uint64_t at, size_t size,
		      uint64_t generation, struct view *view_out)
{
	struct view v = { .size = size, .generation = generation };

	arena_init(&v.regexes, REGEX_CEILING);
	v.map = mmap(NULL, size, PROT_READ, MAP_SHARED, t->read_fd, (off_t)at);
	if (v.map == MAP_FAILED) {
		v.map = NULL;
		return false;
	}
	v.head = v.map;
	if (v.head->magic != TABLE_MAGIC || v.head->size != size)
		goto out;
	if (t->kind == TABLE_REGEXP) {
		v.regexp = table_regexp_compile(&v.regexes, v.head);
		if (!v.regexp)
			goto out;
	}
	*view_out = v;
	return true;
out:
	view_close(&v);
	return false;
}

static bool write_all(int fd, struct slice bytes, uint64_t at)
{
	while (bytes.len) {
		ssize_t n = pwrite(fd, bytes.data, bytes.len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = slice_from(bytes, (size_t)n);
		at += (uint64_t)n;
	}
	return true;
}

static void give_back(struct table *t, struct past *p)
{
	if (p->size)
		fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)p->at, (off_t)p->size);
	*p = (struct past){ .size = 0 };
}

/* What was in force is so no more; what is old enough is given back. */
static void retire(struct table *t)
{
	struct past *free_one = &t->past[0];
	uint64_t now = clock_now();

	for (size_t i = 0; i < KEPT; i++) {
		struct past *p = &t->past[i];

		if (p->size && now - p->replaced > TABLE_KEEP)
			give_back(t, p);
		if (!p->size ||
		    (free_one->size && p->replaced < free_one->replaced))
			free_one = p;
	}
	/* Changed so often that the oldest has to go early. */
	give_back(t, free_one);
	*free_one =
		(struct past){ t->at, (t->view.size + PAGE - 1) & ~(PAGE - 1),
			       now };
}

static void announce(struct table *t, uint64_t at, size_t size,
		     uint64_t generation)
{
	size_t slot = generation % KEPT;

	atomic_store(&t->share->slots[slot].generation, 0);
	atomic_store(&t->share->slots[slot].at, at);
	atomic_store(&t->share->slots[slot].size, size);
	atomic_store(&t->share->slots[slot].generation, generation);
	atomic_store(&t->share->newest, generation);
}

/* Makes the compiled table the newest generation. */
static bool publish(struct table *t, struct table_build *b,
		    const struct table_head *h)
{
	uint64_t at = t->end, generation = t->view.generation + 1;
	struct view v;

	if (!write_all(t->fd, slice_of(h, h->size), at) ||
	    !view_open(t, at, h->size, generation, &v)) {
		table_problem(b, 0, "no memory for it");
		return false;
	}
	if (t->view.head) {
		retire(t);
		view_close(&t->view);
	}
	t->view = v;
	t->at = at;
	t->end = (at + v.size + PAGE - 1) & ~(PAGE - 1);
	announce(t, at, v.size, generation);
	return true;
}

/* ---- opening ---- */

static bool open_share(struct table *t)
{
	char path[64];

	t->fd = memfd_create("sekisho-table", MFD_CLOEXEC);
	if (t->fd < 0 || ftruncate(t->fd, (off_t)PAGE) < 0)
		return false;
	/* Only the owner may open it again, and to read it suffices. */
	if (fchmod(t->fd, 0400) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
	t->read_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (t->read_fd < 0)
		t->read_fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 3);
	if (t->read_fd < 0)
		return false;
	t->share =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
	if (t->share == MAP_FAILED) {
		t->share = NULL;
		return false;
	}
	t->end = PAGE;
	return true;
}

static bool load(struct table *t, const struct table_report *report)
{
	struct arena work;
	struct table_build b;
	const struct table_head *h;
	struct slice text;
	bool ok = false;

	table_build_begin(&b, t->path, &work, report);
	if (table_build_read(&b, &t->seen, &text)) {
		table_build_kind(&b, t->kind, text);
		h = table_build_finish(&b, &work);
		ok = h && publish(t, &b, h);
	}
	table_build_end(&b);
	return ok;
}

static const struct table_head *compile_words(struct arena *arena,
					      const struct slice *words,
					      size_t count,
					      const struct table_report *report)
{
	struct arena work;
	struct table_build b;
	const struct table_head *h;

	table_build_begin(&b, "", &work, report);
	table_list_build_words(&b, words, count);
	table_cidr_build_words(&b, words, count);
	h = table_build_finish(&b, arena);
	table_build_end(&b);
	return h;
}

static struct table *new_table(struct arena *arena, enum table_kind kind,
			       struct slice name)
{
	struct table *t = arena_take(arena, sizeof(*t));

	if (!t || !arena_copy(arena, name, &t->name))
		return NULL;
	t->path = "";
	t->kind = kind;
	t->fd = t->read_fd = -1;
	return t;
}

struct table *table_of_words(struct arena *arena, const struct slice *words,
			     size_t count)
{
	struct table_report nobody = { NULL, NULL };
	struct table *t = new_table(arena, TABLE_INLINE, SLICE_EMPTY);

	if (!t)
		return NULL;
	t->view.head = compile_words(arena, words, count, &nobody);
	t->view.generation = 1;
	return t->view.head ? t : NULL;
}

static bool next_word(struct slice *rest, struct slice *word_out)
{
	size_t i = 0;

	while (rest->len && (is_blank(rest->data[0]) || rest->data[0] == ',' ||
			     rest->data[0] == '\n'))
		*rest = slice_from(*rest, 1);
	if (rest->len && (rest->data[0] == '"' || rest->data[0] == '\'')) {
		ptrdiff_t end = slice_find(slice_from(*rest, 1), rest->data[0]);

		if (end > 0) {
			*word_out = slice_of(rest->data + 1, (size_t)end);
			*rest = slice_from(*rest, (size_t)end + 2);
			return true;
		}
	}
	while (i < rest->len && !is_blank(rest->data[i]) &&
	       rest->data[i] != ',' && rest->data[i] != '\n')
		i++;
	*word_out = slice_head(*rest, i);
	*rest = slice_from(*rest, i);
	return i > 0;
}

static struct table *open_inline(struct arena *arena, struct slice name,
				 struct slice source,
				 const struct table_report *report)
{
	struct table *t = new_table(arena, TABLE_INLINE, name);
	/* Each word has a byte and one behind it; and the empty last one. */
	struct slice *words =
		arena_take_n(arena, source.len / 2 + 2, sizeof(*words));
	size_t n = 0;

	if (!t || !words)
		return NULL;
	while (next_word(&source, &words[n]))
		n++;
	t->view.head = compile_words(arena, words, n, report);
	t->view.generation = 1;
	return t->view.head ? t : NULL;
}

static const struct {
	const char *prefix;
	enum table_kind kind;
} sources[] = {
	{ "inline:", TABLE_INLINE },
	{ "list:", TABLE_LIST },
	{ "cidr:", TABLE_CIDR },
	{ "regexp:", TABLE_REGEXP },
};

static struct table *open_file(struct arena *arena, struct slice name,
			       enum table_kind kind, struct slice path,
			       const struct table_report *report)
{
	struct table *t = new_table(arena, kind, name);
	struct table_build b = { .path = "", .report = report };

	if (t)
		t->path = arena_str(arena, path);
	if (!t || !t->path) {
		table_problem(&b, 0, "no memory for it");
		return NULL;
	}
	if (path.len == 0 || path.data[0] != '/') {
		table_problem(&b, 0, "\"%.*s\" is no path from / on",
			      SLICE_ARG(slice_head(path, 200)));
		return NULL;
	}
	if (!open_share(t)) {
		table_problem(&b, 0, "no memory to share: %s", strerror(errno));
		table_close(&t);
		return NULL;
	}
	if (!load(t, report))
		table_close(&t);
	return t;
}

struct table *table_open(struct arena *arena, struct slice name,
			 struct slice source, const struct table_report *report)
{
	struct table_build b = { .path = "", .report = report };

	source = slice_trim(source);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		size_t n = strlen(sources[i].prefix);
		struct slice rest = slice_trim(slice_from(source, n));

		if (!slice_is_case(slice_head(source, n), sources[i].prefix))
			continue;
		if (sources[i].kind == TABLE_INLINE)
			return open_inline(arena, name, rest, report);
		return open_file(arena, name, sources[i].kind, rest, report);
	}
	table_problem(&b, 0,
		      "\"%.*s\" is no source of a table; write inline:, "
		      "list:/path, cidr:/path or regexp:/path",
		      SLICE_ARG(slice_head(source, 100)));
	return NULL;
}

void table_close(struct table **t)
{
	if (!*t)
		return;
	view_close(&(*t)->view);
	if ((*t)->share)
		munmap((*t)->share, PAGE);
	if ((*t)->fd >= 0)
		close((*t)->fd);
	if ((*t)->read_fd >= 0)
		close((*t)->read_fd);
	*t = NULL;
}

/* ---- reloading ---- */

bool table_changed(const struct table *t)
{
	struct stat now;

	if (t->kind == TABLE_INLINE || stat(t->path, &now) < 0)
		return false;
	return !table_same_file(&now, &t->seen);
}

bool table_reload(struct table *t, const struct table_report *report)
{
	return t->kind == TABLE_INLINE || load(t, report);
}

size_t table_descriptors(const struct table *t, int fds_out[2])
{
	size_t n = 0;

	if (t->fd >= 0)
		fds_out[n++] = t->fd;
	if (t->read_fd >= 0)
		fds_out[n++] = t->read_fd;
	return n;
}

bool table_in_worker(struct table *t)
{
	void *readable;

	if (t->kind == TABLE_INLINE || t->fd < 0)
		return true;
	readable = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, t->read_fd, 0);
	if (readable == MAP_FAILED)
		return false;
	munmap(t->share, PAGE);
	t->share = readable;
	close(t->fd);
	t->fd = -1;
	return true;
}

bool table_follow(struct table *t)
{
	uint64_t newest, at, size;
	struct view v;
	size_t slot;

	/* Who writes is always up to date. */
	if (!t->share || t->fd >= 0)
		return false;
	newest = atomic_load(&t->share->newest);
	if (newest == t->view.generation)
		return false;
	slot = newest % KEPT;
	at = atomic_load(&t->share->slots[slot].at);
	size = atomic_load(&t->share->slots[slot].size);
	if (atomic_load(&t->share->slots[slot].generation) != newest ||
	    !view_open(t, at, size, newest, &v))
		return false;
	view_close(&t->view);
	t->view = v;
	return true;
}

/* ---- asking ---- */

struct slice table_name(const struct table *t)
{
	return t->name;
}

const char *table_path(const struct table *t)
{
	return t->path;
}

enum table_kind table_kind(const struct table *t)
{
	return t->kind;
}

bool table_has_networks(const struct table *t)
{
	return t->kind == TABLE_CIDR || t->view.head->has_networks;
}

bool table_has_text(const struct table *t)
{
	return t->kind != TABLE_CIDR;
}

size_t table_count(const struct table *t)
{
	return t->view.head->count;
}

uint64_t table_generation(const struct table *t)
{
	return t->view.generation;
}

enum table_answer table_lookup(const struct table *t, struct table_ask *ask)
{
	const struct table_head *h = t->view.head;

	ask->value = SLICE_EMPTY;
	if (h->magic != TABLE_MAGIC)
		return TABLE_UNKNOWN;
	if (t->kind == TABLE_REGEXP)
		return table_regexp_lookup(t->view.regexp, ask);
	if (ask->key.kind == KEY_IP && table_has_networks(t))
		return table_cidr_lookup(h, ask);
	return table_list_lookup(h, ask);
}
