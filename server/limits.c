#include "server/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/slice.h"

/* The supervisor's own: standard ones, log, epoll, signals, board, spare. */
#define SUPERVISOR_FDS 24
/*
 * Who reads the numbers.  Wished for, but no worker is given up for them: the
 * quietest client goes when none is left.
 */
#define STATUS_FDS     160
/* A worker's own: the same, connection, spool file, spare. */
#define WORKER_FDS     24
/* A child: its socket, and one that is being closed while it rejoins. */
#define CHILD_FDS      2
/* Process ids that are for the rest of the machine. */
#define PIDS_OF_OTHERS 512
/* Connections of a reserve worker: it is content with fewer. */
#define RESERVE_FDS 1000

static uint64_t fds_of_supervisor(const struct limits_wish *w)
{
	return (uint64_t)SUPERVISOR_FDS + w->listeners + w->workers_max +
	       w->reserve;
}

static uint64_t fds_of_worker(const struct limits_wish *w)
{
	return (uint64_t)WORKER_FDS + w->listeners +
	       (uint64_t)CHILD_FDS * w->milters;
}

static uint64_t fds_of_reserve(const struct limits_wish *w)
{
	return w->reserve ? (uint64_t)WORKER_FDS + w->listeners + RESERVE_FDS :
			    0;
}

void limits_raise(const struct limits_wish *wish)
{
	uint64_t a = fds_of_supervisor(wish) + STATUS_FDS;
	uint64_t b = fds_of_worker(wish);
	uint64_t c = fds_of_reserve(wish);
	rlim_t need = a > b ? a : b;
	struct rlimit r;

	need = need > c ? need : c;
	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= need)
		return;
	/* First what root may do, then what everybody may. */
	if (r.rlim_max < need) {
		struct rlimit higher = { need, need };

		if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
			return;
	}
	r.rlim_cur = r.rlim_max < need ? r.rlim_max : need;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

/* The first line of a small file; false: not there. */
static bool read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(line, (int)size, f) != NULL;
	fclose(f);
	return ok;
}

/* "max" and what is not there count as no limit. */
static uint64_t read_number(const char *path)
{
	char line[64];
	uint64_t n;

	if (!read_line(path, line, sizeof(line)) ||
	    !slice_to_u64(slice_trim(slice_str(line)), LIMITS_NONE - 1, &n))
		return LIMITS_NONE;
	return n;
}

static uint64_t read_rlimit(__rlimit_resource_t which)
{
	struct rlimit r;

	if (getrlimit(which, &r) != 0 || r.rlim_cur == RLIM_INFINITY)
		return LIMITS_NONE;
	return r.rlim_cur;
}

/* The least that a control group and all above it still allow. */
static uint64_t free_in_groups(const char *root, struct slice group)
{
	uint64_t least = LIMITS_NONE;
	char path[1024];

	for (;;) {
		uint64_t most, now;
		ptrdiff_t last = -1;

		snprintf(path, sizeof(path), "%s%.*s/pids.max", root,
			 SLICE_ARG(group));
		most = read_number(path);
		snprintf(path, sizeof(path), "%s%.*s/pids.current", root,
			 SLICE_ARG(group));
		now = read_number(path);
		if (most != LIMITS_NONE && now != LIMITS_NONE) {
			uint64_t left = most > now ? most - now : 0;

			least = left < least ? left : least;
		}
		for (size_t i = 0; i < group.len; i++)
			if (group.data[i] == '/')
				last = (ptrdiff_t)i;
		if (last < 0)
			return least;
		group = slice_head(group, (size_t)last);
	}
}

/* Both kinds of control groups: "0::/path" and "7:pids:/path". */
static uint64_t read_pids_free(void)
{
	uint64_t least = LIMITS_NONE;
	char line[1024];
	FILE *f = fopen("/proc/self/cgroup", "re");

	if (!f)
		return least;
	while (fgets(line, sizeof(line), f)) {
		struct slice rest = slice_trim(slice_str(line));
		struct slice number, kind;
		uint64_t n;

		if (!slice_split(&rest, ':', &number) ||
		    !slice_split(&rest, ':', &kind))
			continue;
		if (slice_is(kind, "pids"))
			n = free_in_groups("/sys/fs/cgroup/pids", rest);
		else if (slice_is(number, "0"))
			n = free_in_groups("/sys/fs/cgroup", rest);
		else
			continue;
		least = n < least ? n : least;
	}
	fclose(f);
	return least;
}

void limits_read(struct limits *l, bool as_root)
{
	l->nofile = read_rlimit(RLIMIT_NOFILE);
	l->nproc = as_root ? LIMITS_NONE : read_rlimit(RLIMIT_NPROC);
	l->pid_max = read_number("/proc/sys/kernel/pid_max");
	l->pids_free = read_pids_free();
	l->somaxconn = read_number("/proc/sys/net/core/somaxconn");
}

/* Cuts *workers to `possible` and says which limit it was. */
static void cut(unsigned *workers, uint64_t limit, uint64_t used_otherwise,
		const char *what, struct buf *words, bool *short_out)
{
	uint64_t possible;

	if (limit == LIMITS_NONE)
		return;
	possible = limit > used_otherwise ? limit - used_otherwise : 0;
	if (possible >= *workers)
		return;
	*workers = possible ? (unsigned)possible : 1;
	*short_out = true;
	buf_printf(words, "%s: %llu, enough for %u workers\n", what,
		   (unsigned long long)limit, *workers);
}

unsigned limits_cap(const struct limits *l, const struct limits_wish *wish,
		    struct buf *words, bool *short_out)
{
	unsigned workers = wish->workers_max;
	unsigned others = 1 + wish->reserve; /* the supervisor, too */

	*short_out = false;
	cut(&workers, l->nofile, fds_of_supervisor(wish) - wish->workers_max,
	    "limit of open files (RLIMIT_NOFILE)", words, short_out);
	cut(&workers, l->nproc, others, "limit of processes (RLIMIT_NPROC)",
	    words, short_out);
	cut(&workers, l->pid_max, PIDS_OF_OTHERS + wish->reserve,
	    "process ids of the machine (kernel.pid_max)", words, short_out);
	cut(&workers, l->pids_free, others,
	    "processes left in the control group (pids.max)", words,
	    short_out);
	if (workers < wish->workers_max)
		buf_printf(words, "workers_max is %u instead of %u\n", workers,
			   wish->workers_max);
	if (l->nofile != LIMITS_NONE && l->nofile < fds_of_worker(wish)) {
		*short_out = true;
		buf_printf(words,
			   "limit of open files (RLIMIT_NOFILE): %llu, a worker with %u milters may need %llu\n",
			   (unsigned long long)l->nofile, wish->milters,
			   (unsigned long long)fds_of_worker(wish));
	}
	return workers;
}

static void print_one(struct buf *words, const char *name, uint64_t limit)
{
	if (limit == LIMITS_NONE)
		buf_printf(words, " %s unlimited;", name);
	else
		buf_printf(words, " %s %llu;", name,
			   (unsigned long long)limit);
}

void limits_print(const struct limits *l, const struct limits_wish *wish,
		  struct buf *words)
{
	buf_printf(words,
		   "needed: %u processes, %llu open files in the supervisor, %llu in a worker; the machine has:",
		   wish->workers_max + wish->reserve + 1,
		   (unsigned long long)fds_of_supervisor(wish),
		   (unsigned long long)fds_of_worker(wish));
	print_one(words, "open files", l->nofile);
	print_one(words, "processes of the user", l->nproc);
	print_one(words, "process ids", l->pid_max);
	print_one(words, "left in the control group", l->pids_free);
	print_one(words, "queue of a listener", l->somaxconn);
	buf_cut(words, buf_len(words) - 1);
	buf_printf(words, "\n");
}
