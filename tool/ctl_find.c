#include "tool/ctl_find.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "shared/conf_lines.h"
#include "shared/conf_value.h"

static const char *const keys[] = { "control", "listen", "status" };
#define KEYS (sizeof(keys) / sizeof(keys[0]))

/* A value that is none leaves the list as it was. */
static void set(struct arena *arena, const char *key, struct slice value,
		struct conf *conf)
{
	const struct conf_row *row = conf_row_find(CONF_SERVER, slice_str(key));
	struct conf_value_error error;

	(void)!conf_value_parse(arena, row, value, conf, &error);
}

static void set_all(struct arena *arena, bool sample, struct conf *conf)
{
	for (size_t i = 0; i < KEYS; i++) {
		const struct conf_row *row =
			conf_row_find(CONF_SERVER, slice_str(keys[i]));

		set(arena, keys[i],
		    slice_str(sample && row->sample ? row->sample :
						      row->standard),
		    conf);
	}
}

static const char *why_unreadable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return strerror(errno);
	close(fd);
	return NULL;
}

bool ctl_find(struct arena *arena, const char *path, struct ctl_find *found_out)
{
	struct conf_problems problems = { .arena = arena };
	struct conf_lines lines = { 0 };
	struct conf *conf = arena_take(arena, sizeof(*conf));

	*found_out = (struct ctl_find){ .unread = why_unreadable(path) };
	if (!conf)
		return false;
	set_all(arena, found_out->unread != NULL, conf);
	problems.tail = &problems.first;
	if (!found_out->unread)
		conf_lines_file(path, &lines, &problems);
	for (const struct conf_line *l = lines.first; l; l = l->next)
		for (size_t i = 0; i < KEYS; i++)
			if (l->section == CONF_SERVER && !l->bad &&
			    slice_is(l->key, keys[i]))
				set(arena, keys[i], l->value, conf);
	found_out->listen = conf->listen;
	found_out->status = conf->status;
	found_out->control = conf->control;
	return !arena_failed(arena);
}
