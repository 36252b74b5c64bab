#include "shared/table_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_CEILING ((size_t)512 << 20)
#define WORK_CEILING ((size_t)1 << 30)
#define READ_TRIES   3

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

bool table_same_file(const struct stat *a, const struct stat *b)
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
	if (fstat(fd, &after) == 0 && table_same_file(seen_out, &after) &&
	    text_out->len == (size_t)after.st_size)
		return READ_OK;
	return READ_CHANGING;
}

bool table_build_read(struct table_build *b, struct stat *seen_out,
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

void table_build_kind(struct table_build *b, enum table_kind kind,
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

struct table_head *table_build_finish(struct table_build *b,
				      struct arena *arena)
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

void table_build_begin(struct table_build *b, const char *path,
		       struct arena *work, const struct table_report *report)
{
	*b = (struct table_build){ .path = path,
				   .report = report,
				   .work = work };
	arena_init(work, WORK_CEILING);
	buf_init(&b->text, TEXT_CEILING);
	buf_init(&b->parts, TEXT_CEILING);
}

void table_build_end(struct table_build *b)
{
	buf_deinit(&b->text);
	buf_deinit(&b->parts);
	arena_deinit(b->work);
}
