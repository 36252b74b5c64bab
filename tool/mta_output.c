#include "tool/mta_output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void lock(const struct mta_settings *set, int how)
{
	if (set->lock_fd >= 0)
		(void)!lockf(set->lock_fd, how, 0);
}

static bool goes_to_stdout(const struct mta_settings *set)
{
	return set->output && strcmp(set->output, "-") == 0;
}

void mta_output_report(const struct mta_settings *set, const struct report *r)
{
	FILE *to = goes_to_stdout(set) ? stderr : stdout;

	if (set->is_quiet)
		return;
	lock(set, F_LOCK);
	if (set->is_json)
		report_print_json(r, to);
	else
		report_print(r, to);
	fflush(to);
	lock(set, F_ULOCK);
}

static bool write_to(FILE *to, struct slice message)
{
	fwrite(message.data, 1, message.len, to);
	return fflush(to) == 0;
}

bool mta_output_message(const struct mta_settings *set, const struct report *r,
			struct slice message)
{
	bool is_one = set->sessions == 1 && set->file_count * set->repeat == 1;
	char path[4096];
	FILE *to;
	bool ok;

	if (!set->output)
		return true;
	if (goes_to_stdout(set)) {
		lock(set, F_LOCK);
		ok = write_to(stdout, message);
		lock(set, F_ULOCK);
		return ok;
	}
	if (is_one)
		snprintf(path, sizeof(path), "%s", set->output);
	else
		snprintf(path, sizeof(path), "%s.%u.%u", set->output,
			 r->session, r->message);
	to = fopen(path, "we");
	if (!to)
		return false;
	ok = write_to(to, message);
	return fclose(to) == 0 && ok;
}
