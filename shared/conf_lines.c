#include "shared/conf_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/conf_name.h"
#include "shared/conf_value.h"

/* The section the next key belongs to. */
enum where {
	BEFORE_SECTIONS, /* an included file begins here, too */
	IN_SECTION,
	IN_BAD_SECTION, /* its keys are not looked at: one problem is enough */
};

struct source {
	const char *name;
	unsigned line;
	const struct source *parent; /* the file that includes this one */
	dev_t dev;
	ino_t ino;
	unsigned depth;
	bool from_memory;
};

struct reader_state {
	struct arena *arena;
	struct conf_problems *problems;
	struct conf_lines *lines;
	unsigned files;
	/* The present file, and where in it we are. */
	struct source *source;
	enum where where;
	enum conf_section section;
	struct slice name;
	unsigned block;
	unsigned blocks; /* headers seen in all files */
	/* The key that is being read; its value may be continued. */
	bool has_key;
	bool bad; /* its value could not be read */
	struct conf_place place;
	struct slice key;
	struct buf value;
	struct buf parts;  /* struct conf_part each */
	struct slice line; /* the line being read */
};

#define PROBLEM(r, ...)                                                     \
	conf_problem_add((r)->problems, (r)->source->name, (r)->source->line, \
			 __VA_ARGS__)

static void read_file(struct reader_state *r, const char *path,
		      const struct source *parent);

static bool is_comment(struct slice s)
{
	return s.len == 0 || s.data[0] == ';' || s.data[0] == '#';
}

static bool copy_parts(struct reader_state *r, struct conf_line *line)
{
	struct slice parts = buf_slice(&r->parts);
	struct conf_part *copy = arena_take(r->arena, parts.len);

	if (!copy)
		return false;
	if (parts.len)
		memcpy(copy, parts.data, parts.len);
	line->parts = copy;
	line->part_count = parts.len / sizeof(*copy);
	return true;
}

struct conf_part conf_line_place(const struct conf_line *line, size_t offset)
{
	struct conf_part place = { offset, line->place.line, 1 };

	for (size_t i = 0; i < line->part_count; i++) {
		const struct conf_part *part = &line->parts[i];

		if (part->offset > offset)
			break;
		place.line = part->line;
		place.column =
			part->column + (unsigned)(offset - part->offset);
	}
	return place;
}

static void add_line(struct reader_state *r, struct conf_place place,
		     struct slice key, struct slice value)
{
	struct conf_line *line;

	if (r->lines->count >= CONF_SETTINGS_MAX) {
		if (r->lines->count++ == CONF_SETTINGS_MAX)
			PROBLEM(r, "more than %d settings", CONF_SETTINGS_MAX);
		return;
	}
	line = arena_take(r->arena, sizeof(*line));
	if (!line) {
		PROBLEM(r, "no memory for more settings");
		return;
	}
	*line = (struct conf_line){ .place = place,
				    .section = r->section,
				    .block = r->block,
				    .bad = key.len && r->bad,
				    .name = r->name,
				    .key = key,
				    .value = value };
	if (key.len && !copy_parts(r, line))
		PROBLEM(r, "no memory for more settings");
	*r->lines->tail = line;
	r->lines->tail = &line->next;
	r->lines->count++;
}

/* "conf.d" of "/etc/sekisho/sekisho.conf" is "/etc/sekisho/conf.d". */
static char *beside(struct reader_state *r, struct slice path)
{
	const char *name = r->source->name;
	const char *slash = strrchr(name, '/');
	size_t folder = slash ? (size_t)(slash - name) + 1 : 0;
	char *full;

	if (path.data[0] == '/')
		return arena_str(r->arena, path);
	full = arena_take(r->arena, folder + path.len + 1);
	if (!full)
		return NULL;
	memcpy(full, name, folder);
	memcpy(full + folder, path.data, path.len);
	return full;
}

static void include_all(struct reader_state *r, const char *pattern)
{
	struct source *here = r->source;
	glob_t found;
	int error = glob(pattern, GLOB_NOMAGIC, NULL, &found);

	if (error == GLOB_NOMATCH) /* an empty conf.d/ is no mistake */
		return;
	if (error) {
		PROBLEM(r, "include \"%s\": could not look: %s", pattern,
			error == GLOB_NOSPACE ? "no memory" : "read error");
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = arena_str(r->arena,
					     slice_str(found.gl_pathv[i]));

		if (path)
			read_file(r, path, here);
	}
	globfree(&found);
}

static void include(struct reader_state *r, struct slice value)
{
	enum where where = r->where;
	enum conf_section section = r->section;
	struct slice name = r->name;
	unsigned block = r->block;
	unsigned line = r->source->line;
	char *pattern;

	/* Problems belong to the line where the include began. */
	r->source->line = r->place.line;
	value = conf_unquote(value);
	if (value.len == 0)
		PROBLEM(r, "include: no file is named");
	else if (r->source->from_memory)
		PROBLEM(r, "include: only a file can include files");
	else if (!(pattern = beside(r, value)))
		PROBLEM(r, "include: no memory");
	else
		include_all(r, pattern);
	r->source->line = line;
	r->where = where;
	r->section = section;
	r->name = name;
	r->block = block;
}

/* The value of the present key is complete. */
static void finish_key(struct reader_state *r)
{
	struct slice value;
	bool copied;

	if (!r->has_key)
		return;
	r->has_key = false;
	/* Copied first, because an include reads its lines into r->value. */
	copied = arena_copy(r->arena, slice_trim(buf_slice(&r->value)), &value);
	buf_clear(&r->value);
	if (!copied) {
		PROBLEM(r, "no memory for more settings");
	} else if (slice_is(r->key, "include")) {
		if (!r->bad)
			include(r, value);
	} else if (r->where == BEFORE_SECTIONS) {
		conf_problem_add(r->problems, r->place.file, r->place.line,
				 "\"%.*s\" stands before the first [section]",
				 SLICE_ARG(r->key));
	} else if (r->where == IN_SECTION) {
		add_line(r, r->place, r->key, value);
	}
}

/* Without the comment at its end; text in quotes is passed over. */
static struct slice without_comment(struct reader_state *r, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		ptrdiff_t n = conf_literal(s, i);

		if (n < 0) {
			PROBLEM(r, "the %s is not closed on this line",
				s.data[i] == '/' ? "regular expression" :
						   "quote");
			r->bad = true;
			return SLICE_EMPTY;
		}
		if (n > 0)
			i += (size_t)n - 1;
		else if ((s.data[i] == ';' || s.data[i] == '#') && i > 0 &&
			 is_blank(s.data[i - 1]))
			return slice_head(s, i);
	}
	return s;
}

/* A blank goes between what continuation lines hold. */
static void add_value(struct reader_state *r, struct slice text)
{
	struct conf_part part = { .line = r->source->line };

	text = slice_trim(text);
	if (text.len == 0 || r->bad)
		return;
	part.column = (unsigned)(text.data - r->line.data) + 1;
	part.offset = buf_len(&r->value) ? buf_len(&r->value) + 1 : 0;
	if ((buf_len(&r->value) && !buf_add_byte(&r->value, ' ')) ||
	    !buf_add(&r->value, text) ||
	    !buf_add(&r->parts, slice_of(&part, sizeof(part)))) {
		PROBLEM(r, "the value of \"%.*s\" is longer than %d bytes",
			SLICE_ARG(r->key), CONF_VALUE_MAX);
		r->bad = true;
	}
}

/* inside: what stands between the brackets. */
static void begin_section(struct reader_state *r, struct slice inside)
{
	struct conf_place place = { r->source->name, r->source->line };
	enum conf_section section;
	struct slice word;
	size_t n = 0;

	inside = slice_trim(inside);
	while (n < inside.len && !is_blank(inside.data[n]))
		n++;
	word = slice_head(inside, n);
	r->where = IN_BAD_SECTION;
	r->block = ++r->blocks;
	r->name = slice_trim(slice_from(inside, n));
	if (word.len == 0) {
		PROBLEM(r, "the brackets are empty: " CONF_SECTIONS_THERE_ARE);
		return;
	}
	section = conf_section_find(word, &place, r->problems);
	if (section == CONF_SECTIONS)
		return;
	r->section = section;
	if (section == CONF_SERVER && r->name.len) {
		PROBLEM(r, "[server] has no name");
		return;
	}
	if (section != CONF_SERVER &&
	    (!conf_name_ok(section, r->name, &place, r->problems) ||
	     !arena_copy(r->arena, r->name, &r->name)))
		return;
	r->where = IN_SECTION;
	add_line(r, place, SLICE_EMPTY, SLICE_EMPTY);
}

static void read_header(struct reader_state *r, struct slice s)
{
	ptrdiff_t end = slice_find(s, ']');
	struct slice rest;

	finish_key(r);
	if (end < 0) {
		PROBLEM(r, "the bracket of the section is not closed");
		r->where = IN_BAD_SECTION;
		return;
	}
	rest = slice_trim(slice_from(s, (size_t)end + 1));
	if (!is_comment(rest))
		PROBLEM(r, "text behind the bracket of the section");
	begin_section(r, slice_of(s.data + 1, (size_t)end - 1));
}

static void read_key(struct reader_state *r, struct slice s)
{
	ptrdiff_t equals = slice_find(s, '=');
	struct slice key;

	finish_key(r);
	key = slice_trim(slice_head(s, equals < 0 ? s.len : (size_t)equals));
	if (equals < 0) {
		PROBLEM(r, "neither KEY = VALUE nor a [section]: \"%.*s\"",
			SLICE_ARG(slice_head(key, 80)));
		return;
	}
	if (key.len == 0) {
		PROBLEM(r, "no key before the \"=\"");
		return;
	}
	r->key = conf_lower(r->arena, slice_head(key, 200));
	r->place = (struct conf_place){ r->source->name, r->source->line };
	r->has_key = true;
	r->bad = false;
	buf_clear(&r->parts);
	/* From the "=" on, so that white space behind it is seen. */
	s = without_comment(r, slice_from(s, (size_t)equals));
	add_value(r, slice_from(s, 1));
}

/*
 * Somebody indents all keys of a section: each would silently become a part
 * of the value above.  `key = x` with a known key and blanks is taken for that
 * mistake; `group=postfix` may be an option of a listener.
 */
static bool looks_like_key(struct slice s)
{
	ptrdiff_t equals = slice_find(s, '=');
	struct slice key;

	if (equals < 1 || !is_blank(s.data[equals - 1]))
		return false;
	key = slice_trim(slice_head(s, (size_t)equals));
	for (int i = 0; i < CONF_SECTIONS; i++)
		if (conf_row_find((enum conf_section)i, key))
			return true;
	return slice_is(key, "include");
}

static void read_indented(struct reader_state *r, struct slice s)
{
	struct slice text = slice_trim(s);

	if (looks_like_key(text)) {
		PROBLEM(r, "a line that begins with a blank continues the one "
			"before: remove the blanks before \"%.*s\"",
			SLICE_ARG(slice_trim(slice_head(
				text, (size_t)slice_find(text, '=')))));
		read_key(r, text);
		return;
	}
	if (!r->has_key) {
		PROBLEM(r, "a line that begins with a blank continues the one "
			"before, but there is no setting to continue");
		return;
	}
	add_value(r, without_comment(r, s));
}

/* False: nothing behind this line is worth reading. */
static bool read_line(struct reader_state *r, struct slice s)
{
	if (s.len && s.data[s.len - 1] == '\r')
		s.len--;
	r->line = s;
	if (slice_find(s, '\0') >= 0) {
		PROBLEM(r, "a NUL byte: this is no text file");
		return false;
	}
	if (s.len > CONF_LINE_MAX) {
		PROBLEM(r, "the line is longer than %d bytes: continue it on "
			"indented lines", CONF_LINE_MAX);
		return true;
	}
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if ((c < ' ' && c != '\t') || c == 0x7f) {
			PROBLEM(r, "a control byte (0x%02x)", (unsigned)c);
			return true;
		}
	}
	if (is_comment(slice_trim(s)))
		return true;
	if (is_blank(s.data[0]))
		read_indented(r, s);
	else if (s.data[0] == '[')
		read_header(r, s);
	else
		read_key(r, s);
	return true;
}

static void read_text(struct reader_state *r, struct source *source,
		      struct slice text)
{
	struct source *above = r->source;
	struct slice line;

	r->source = source;
	r->where = BEFORE_SECTIONS;
	if (slice_starts(text, "\xef\xbb\xbf"))
		text = slice_from(text, 3);
	if (text.len == 0)
		PROBLEM(r, "the file is empty");
	while (slice_split(&text, '\n', &line)) {
		source->line++;
		if (!read_line(r, line))
			break;
	}
	finish_key(r);
	r->source = above;
}

/* About a whole file: said where it is included, if it is. */
static void refuse(struct reader_state *r, const struct source *source,
		   const char *why)
{
	if (source->parent)
		PROBLEM(r, "include \"%s\": %s", source->name, why);
	else
		conf_problem_add(r->problems, source->name, 0, "%s", why);
}

/* Why the file is not read; NULL: nothing speaks against it. */
static const char *why_not(int fd, struct source *source)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return strerror(errno);
	if (S_ISDIR(st.st_mode))
		return "this is a folder and no file";
	if (!S_ISREG(st.st_mode))
		return "this is a device or pipe and no file";
	source->dev = st.st_dev;
	source->ino = st.st_ino;
	for (const struct source *s = source->parent; s; s = s->parent)
		if (s->dev == source->dev && s->ino == source->ino)
			return "the file includes itself";
	return NULL;
}

/* The whole file into text; NULL: all is well. */
static const char *load(int fd, struct buf *text)
{
	for (;;) {
		char *room = buf_room(text, 4096);
		ssize_t n;

		if (!room)
			return "the file is larger than 1 MiB";
		n = read(fd, room, 4096);
		if (n == 0)
			return NULL;
		if (n > 0)
			buf_added(text, (size_t)n);
		else if (errno != EINTR)
			return strerror(errno);
	}
}

static void read_open_file(struct reader_state *r, int fd,
			   struct source *source)
{
	const char *why = why_not(fd, source);
	struct buf text;

	buf_init(&text, CONF_FILE_MAX + 4096);
	if (!why)
		why = load(fd, &text);
	if (why)
		refuse(r, source, why);
	else
		read_text(r, source, buf_slice(&text));
	buf_deinit(&text);
}

static void read_file(struct reader_state *r, const char *path,
		      const struct source *parent)
{
	struct source source = { .name = path,
				 .parent = parent,
				 .depth = parent ? parent->depth + 1 : 0 };
	char why[128];
	int fd;

	if (source.depth > CONF_DEPTH_MAX || r->files++ >= CONF_FILES_MAX) {
		refuse(r, &source, "too many files, or too many that include "
				   "each other");
		return;
	}
	/* Not blocking: somebody may name a pipe. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		snprintf(why, sizeof(why), "could not open the file: %s",
			 strerror(errno));
		refuse(r, &source, why);
		return;
	}
	read_open_file(r, fd, &source);
	close(fd);
}

static void begin(struct reader_state *r, struct conf_lines *lines,
		  struct conf_problems *problems)
{
	*lines = (struct conf_lines){ .tail = &lines->first };
	*r = (struct reader_state){ .arena = problems->arena,
				    .problems = problems,
				    .lines = lines };
	buf_init(&r->value, CONF_VALUE_MAX);
	/* A byte and an indent a line at the least. */
	buf_init(&r->parts, CONF_VALUE_MAX * sizeof(struct conf_part));
}

void conf_lines_file(const char *path, struct conf_lines *lines_out,
		     struct conf_problems *problems)
{
	struct reader_state r;
	const char *name = arena_str(problems->arena, slice_str(path));

	begin(&r, lines_out, problems);
	if (name)
		read_file(&r, name, NULL);
	else
		conf_problem_add(problems, path, 0, "no memory");
	buf_deinit(&r.value);
	buf_deinit(&r.parts);
}

void conf_lines_text(const char *name, struct slice text,
		     struct conf_lines *lines_out,
		     struct conf_problems *problems)
{
	struct reader_state r;
	struct source source = { .from_memory = true };

	begin(&r, lines_out, problems);
	source.name = arena_str(problems->arena, slice_str(name));
	if (source.name)
		read_text(&r, &source, text);
	else
		conf_problem_add(problems, name, 0, "no memory");
	buf_deinit(&r.value);
	buf_deinit(&r.parts);
}
