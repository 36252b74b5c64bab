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
#define TEXT_CEILING  ((size_t)512 << 20)
#define WORK_CEILING  ((size_t)1 << 30)
#define REGEX_CEILING ((size_t)256 << 20)
/* Generations that can be told of at once. */
#define KEPT	   16
#define READ_TRIES 3

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

/* ---- problems ---- */

void table_problem(struct table_build *b, unsigned line, const char *format,
		   ...)
{
	char text[512];
	va_list args;

	b->problems++;
	if (!b->report->problem)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	b->report->problem(b->report->context, b->path, line, text);
}

/* ---- lines ---- */

struct table_lines table_lines_of(struct slice text, bool joins)
{
	if (slice_starts(text, "\xef\xbb\xbf"))
		text = slice_from(text, 3);
	return (struct table_lines){ .rest = text, .next = 1, .joins = joins };
}

static bool goes_on(const struct table_lines *l)
{
	return l->joins && l->rest.data && l->rest.len &&
	       (l->rest.data[0] == ' ' || l->rest.data[0] == '\t');
}

/* Appends the lines that begin with a blank; comments between are left out. */
static bool join(struct table_build *b, struct table_lines *l,
		 struct slice *line)
{
	char *joined = arena_take(b->work, TABLE_LINE_MAX);
	size_t len = line->len;
	struct slice part;

	if (!joined) {
		table_problem(b, l->line, "no memory for it");
		return false;
	}
	memcpy(joined, line->data, len);
	while (goes_on(l) && slice_split(&l->rest, '\n', &part)) {
		l->next++;
		part = slice_trim(part);
		if (part.len == 0 || part.data[0] == '#')
			continue;
		if (part.len + 1 > TABLE_LINE_MAX - len) {
			table_problem(b, l->line, "longer than %d bytes",
				      TABLE_LINE_MAX);
			return false;
		}
		joined[len++] = ' ';
		memcpy(joined + len, part.data, part.len);
		len += part.len;
	}
	*line = slice_of(joined, len);
	return true;
}

static bool is_clean(struct slice line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.data[i] < ' ' && line.data[i] != '\t')
			return false;
	return true;
}

bool table_next_line(struct table_build *b, struct table_lines *l,
		     struct slice *line_out)
{
	struct slice line;

	while (slice_split(&l->rest, '\n', &line)) {
		l->line = l->next++;
		line = slice_trim(line);
		if (line.len == 0 || line.data[0] == '#')
			continue;
		if (line.len > TABLE_LINE_MAX)
			table_problem(b, l->line, "longer than %d bytes",
				      TABLE_LINE_MAX);
		else if (!is_clean(line))
			table_problem(b, l->line, "a control byte in it");
		else if (!goes_on(l) || join(b, l, &line)) {
			*line_out = line;
			return true;
		}
	}
	return false;
}

void table_cut_line(struct slice line, struct slice *word_out,
		    struct slice *value_out)
{
	size_t i = 0;

	while (i < line.len && !is_blank(line.data[i]))
		i++;
	*word_out = slice_head(line, i);
	for (size_t end = i; end < line.len; end++)
		if (line.data[end] == '#' && is_blank(line.data[end - 1]))
			line.len = end;
	*value_out = slice_trim(slice_from(line, i));
}

/* ---- making ---- */

bool table_add_text(struct table_build *b, struct slice s,
		    struct table_text *text_out)
{
	*text_out = (struct table_text){ (uint32_t)buf_len(&b->text),
					 (uint32_t)s.len };
	if (buf_add(&b->text, s))
		return true;
	table_problem(b, 0, "no memory for it");
	return false;
}

static bool read_fd(struct table_build *b, int fd, size_t size,
		    struct slice *text_out)
{
	char *p = arena_take(b->work, size + 1);
	size_t len = 0;

	if (!p) {
		table_problem(b, 0, "no memory for it");
		return false;
	}
	while (len <= size) {
		ssize_t n = read(fd, p + len, size + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			table_problem(b, 0, "could not be read: %s",
				      strerror(errno));
			return false;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*text_out = slice_of(p, len);
	return true;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

enum read_result { READ_OK, READ_BAD, READ_CHANGING };

static enum read_result read_once(struct table_build *b, int fd,
				  struct stat *seen_out, struct slice *text_out)
{
	struct stat after;

	if (fstat(fd, seen_out) < 0 || !S_ISREG(seen_out->st_mode)) {
		table_problem(b, 0, "is not a file");
		return READ_BAD;
	}
	if ((uint64_t)seen_out->st_size > TABLE_FILE_MAX) {
		table_problem(b, 0, "larger than %zu MiB",
			      TABLE_FILE_MAX >> 20);
		return READ_BAD;
	}
	if (!read_fd(b, fd, (size_t)seen_out->st_size, text_out))
		return READ_BAD;
	if (fstat(fd, &after) == 0 && same_file(seen_out, &after) &&
	    text_out->len == (size_t)after.st_size)
		return READ_OK;
	return READ_CHANGING;
}

/* The whole file; if somebody is just writing it, once more. */
static bool read_file(struct table_build *b, struct stat *seen_out,
		      struct slice *text_out)
{
	/* O_NONBLOCK: a fifo of that name must not hold us. */
	int fd = open(b->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum read_result r = READ_CHANGING;

	if (fd < 0) {
		table_problem(b, 0, "could not be opened: %s", strerror(errno));
		return false;
	}
	for (int i = 0; i < READ_TRIES && r == READ_CHANGING; i++) {
		if (lseek(fd, 0, SEEK_SET) == 0)
			r = read_once(b, fd, seen_out, text_out);
	}
	close(fd);
	if (r == READ_CHANGING)
		table_problem(b, 0, "is being written; it will be read later");
	return r == READ_OK;
}

static void build_kind(struct table_build *b, enum table_kind kind,
		       struct slice text)
{
	if (kind == TABLE_LIST)
		table_list_build(b, text);
	else if (kind == TABLE_CIDR)
		table_cidr_build(b, text);
	else
		table_regexp_build(b, text);
}

static void shift(struct table_text *t, uint32_t by)
{
	t->at += by;
}

/* Entries, then ranges, then text; places become bytes from the head. */
static void place(struct table_build *b, char *all)
{
	struct table_head *h = (void *)all;
	uint32_t at = sizeof(*h);
	uint32_t text_at = at + (uint32_t)buf_len(&b->parts);
	struct table_entry *e = (void *)(all + at);
	struct table_range *r;
	size_t ranges = (size_t)b->head.range_count[0] + b->head.range_count[1];

	*h = b->head;
	h->magic = TABLE_MAGIC;
	h->entries_at = at;
	at += h->entry_count * (uint32_t)sizeof(*e);
	h->ranges_at[0] = at;
	h->ranges_at[1] = at + h->range_count[0] * (uint32_t)sizeof(*r);
	h->source.at += text_at;
	memcpy(e, buf_slice(&b->parts).data, buf_len(&b->parts));
	for (size_t i = 0; i < h->entry_count; i++) {
		shift(&e[i].key, text_at);
		shift(&e[i].value, text_at);
	}
	r = (void *)(all + h->ranges_at[0]);
	for (size_t i = 0; i < ranges; i++)
		shift(&r[i].value, text_at);
	memcpy(all + text_at, buf_slice(&b->text).data, buf_len(&b->text));
	h->size = text_at + (uint32_t)buf_len(&b->text);
}

/* In the arena given, all in one piece; NULL: there were problems. */
static struct table_head *finish(struct table_build *b, struct arena *arena)
{
	size_t size = sizeof(struct table_head) + buf_len(&b->parts) +
		      buf_len(&b->text);
	char *all;

	if (b->head.count > TABLE_ENTRIES_MAX)
		table_problem(b, 0, "more than %u entries", TABLE_ENTRIES_MAX);
	if (b->problems)
		return NULL;
	all = size < UINT32_MAX ? arena_take(arena, size) : NULL;
	if (!all) {
		table_problem(b, 0, "no memory for it");
		return NULL;
	}
	place(b, all);
	return (void *)all;
}

static void build_begin(struct table_build *b, const char *path,
			struct arena *work, const struct table_report *report)
{
	*b = (struct table_build){ .path = path,
				   .report = report,
				   .work = work };
	arena_init(work, WORK_CEILING);
	buf_init(&b->text, TEXT_CEILING);
	buf_init(&b->parts, TEXT_CEILING);
}

static void build_end(struct table_build *b)
{
	buf_deinit(&b->text);
	buf_deinit(&b->parts);
	arena_deinit(b->work);
}

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

	build_begin(&b, t->path, &work, report);
	if (read_file(&b, &t->seen, &text)) {
		build_kind(&b, t->kind, text);
		h = finish(&b, &work);
		ok = h && publish(t, &b, h);
	}
	build_end(&b);
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

	build_begin(&b, "", &work, report);
	table_list_build_words(&b, words, count);
	table_cidr_build_words(&b, words, count);
	h = finish(&b, arena);
	build_end(&b);
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
	return !same_file(&now, &t->seen);
}

bool table_reload(struct table *t, const struct table_report *report)
{
	return t->kind == TABLE_INLINE || load(t, report);
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
