#include "tool/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/explain.h"

_Static_assert((int)CTL_OK == (int)EXPLAIN_YES &&
		       (int)CTL_SETTINGS == (int)EXPLAIN_SETTINGS &&
		       (int)CTL_USAGE == (int)EXPLAIN_USAGE &&
		       (int)CTL_FAILURE == (int)EXPLAIN_FAILURE &&
		       (int)CTL_UNWELL < (int)EXPLAIN_REJECT,
	       "one exit status means one thing");

void ctl_say(const char *format, ...)
{
	va_list args;

	fputs("sekishoctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int ctl_no_memory(void)
{
	ctl_say("no memory");
	return CTL_FAILURE;
}

static void print_problems(const struct conf_problems *problems)
{
	struct buf words;

	buf_init(&words, CTL_TEXT_CEILING);
	conf_problems_print(problems, &words);
	fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&words)));
	ctl_say("%u problem%s in the settings", problems->count,
		problems->count == 1 ? "" : "s");
	buf_deinit(&words);
}

const struct conf *ctl_read_conf(struct arena *arena, const char *path)
{
	struct conf_problems problems;
	const struct conf *conf = conf_read(arena, path, &problems);

	if (!conf)
		print_problems(&problems);
	return conf;
}

int ctl_write_out(const struct buf *b, int status)
{
	struct slice s = buf_slice(b);

	if (fwrite(s.data, 1, s.len, stdout) == s.len && fflush(stdout) == 0)
		return status;
	ctl_say("could not write: %s", strerror(errno));
	return CTL_FAILURE;
}

static double unit_of(const char *word)
{
	for (const struct conf_unit *u = conf_durations; u->word; u++)
		if (strcmp(u->word, word) == 0)
			return (double)u->factor;
	return word[0] ? 0 : 1e6;
}

bool ctl_seconds(const char *what, const char *text, uint64_t *us_out)
{
	char *end = NULL;
	double n = strtod(text, &end);
	double factor = unit_of(end);

	/* strtod() takes blanks, signs, hexadecimal and "inf", too. */
	if (((text[0] >= '0' && text[0] <= '9') || text[0] == '.') &&
	    end != text && !strpbrk(text, "xXeE") && factor > 0 &&
	    n * factor <= 366 * 86400e6) {
		*us_out = (uint64_t)(n * factor + 0.5);
		return true;
	}
	ctl_say("%s: \"%s\" is no time: write seconds, or 500ms, 15m, 2h, 1d",
		what, text);
	return false;
}
