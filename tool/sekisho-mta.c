/*
 * sekisho-mta - plays the MTA to any milter
 *
 * See sekisho-mta(1).
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tool/mta_options.h"
#include "tool/mta_play.h"
#include "tool/mta_script.h"

/* What the processes count together. */
struct shared_totals {
	atomic_uint next_session;
	atomic_uint sessions;
	atomic_uint messages;
	atomic_uint verdicts[VERDICT_COUNT];
};

static void add_up(struct shared_totals *all, const struct mta_totals *mine)
{
	atomic_fetch_add(&all->sessions, mine->sessions);
	atomic_fetch_add(&all->messages, mine->messages);
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		atomic_fetch_add(&all->verdicts[v], mine->verdicts[v]);
}

/* Takes session after session until all are taken. */
static void play_some(const struct mta_settings *set, struct shared_totals *all)
{
	unsigned number;

	while ((number = atomic_fetch_add(&all->next_session, 1)) <
	       set->sessions) {
		struct mta_totals mine = { 0 };

		if (set->script)
			mta_script_play(set, set->script, number + 1, &mine);
		else
			mta_play_session(set, number + 1, &mine);
		add_up(all, &mine);
	}
}

/* One that cannot be forked is missed only in speed. */
static unsigned play_in_parallel(const struct mta_settings *set,
				 struct shared_totals *all)
{
	unsigned lost = 0;
	int status;

	fflush(NULL);
	for (unsigned i = 1; i < set->parallel; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			play_some(set, all);
			fflush(NULL);
			_exit(0);
		}
		if (pid < 0)
			break;
	}
	play_some(set, all);
	while (wait(&status) > 0)
		if (status != 0)
			lost++;
	return lost;
}

static void print_totals(const struct mta_settings *set,
			 const struct shared_totals *all, uint64_t time)
{
	bool goes_aside =
		set->is_json || (set->output && strcmp(set->output, "-") == 0);
	FILE *to = goes_aside ? stderr : stdout;

	fprintf(to, "%u sessions, %u messages:", all->sessions, all->messages);
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		fprintf(to, "%s %s %u", v ? "," : "",
			v == VERDICT_FAILURE ? "failures" : verdict_name(v),
			all->verdicts[v]);
	fprintf(to, " in %.3f s\n", (double)time / (double)CLOCK_S);
}

/*
 * One session: the highest status of its messages, which is the verdict when
 * there is one message.  Many sessions: only failures are told.
 */
static int status_of(const struct mta_settings *set,
		     const struct shared_totals *all, unsigned lost)
{
	int status = 0;

	if (lost || all->verdicts[VERDICT_FAILURE])
		return verdict_status(VERDICT_FAILURE);
	for (unsigned v = 0; v < VERDICT_COUNT && set->sessions == 1; v++)
		if (all->verdicts[v] && verdict_status(v) > status)
			status = verdict_status(v);
	return status;
}

static int play(struct mta_settings *set)
{
	struct shared_totals *all;
	uint64_t since = clock_now();
	unsigned lost;
	int status;

	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED) {
		perror("sekisho-mta");
		return verdict_status(VERDICT_FAILURE);
	}
	if (set->parallel > 1)
		set->lock_fd = memfd_create("lock", MFD_CLOEXEC);
	lost = play_in_parallel(set, all);
	if (set->sessions > 1)
		print_totals(set, all, clock_now() - since);
	status = status_of(set, all, lost);
	munmap(all, sizeof(*all));
	return status;
}

int main(int argc, char **argv)
{
	struct mta_settings set;
	struct arena arena;
	int status;

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	arena_init(&arena, (size_t)2 * 1024 * 1024 * 1024);
	status = mta_options_read(argv, &arena, &set);
	if (status < 0)
		status = play(&set);
	arena_deinit(&arena);
	return status;
}
