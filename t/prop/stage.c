/*
 * The stage: one sekishod with a settings file, a spool directory and a log of
 * its own, and the sockets on which the children are played.
 */
#include "t/prop/prop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"

#define START_LIMIT (10 * CLOCK_S)
#define END_LIMIT   (5 * CLOCK_S)

struct stage_set {
	char directory[80];
	char path[KIDS_MAX + 3][108]; /* children's, then: */
	int listen_fds[KIDS_MAX];
	unsigned kid_count;
	pid_t pid;
};
enum { PATH_MTA = KIDS_MAX, PATH_CONF, PATH_LOG };

int stage_connect(const struct stage_set *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->path[PATH_MTA]);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

int stage_listener(const struct stage_set *s, unsigned kid)
{
	return s->listen_fds[kid];
}

static void write_conf(const struct stage_set *s, const struct prop_case *c)
{
	static const char *const orders[] = { "chain", "free", "strict" };
	static const char *const modes[] = { "on", "off", "evaluate" };
	static const char *const policies[] = { "tempfail", "accept", "reject",
						"discard", "quarantine" };
	static const char *const stages[] = { "connect", "helo",   "mail",
					      "rcpt",	 "data",   "header",
					      "eoh",	 "body",   "eom" };
	FILE *f = fopen(s->path[PATH_CONF], "w");

	if (!f)
		die("%s: %s", s->path[PATH_CONF], strerror(errno));
	fprintf(f,
		"[server]\nlisten = unix:%s\nworkers_min = 1\n"
		"spare_min = 1\nspare_max = 2\nworkers_max = 4\n"
		"log = stderr\nspool_directory = %s/spool\n"
		"message_memory = %s\nevaluate_grace = 200ms\n",
		s->path[PATH_MTA], s->directory,
		c->small_memory ? "64k" : "1M");
	for (unsigned i = 0; i < c->kid_count; i++) {
		const struct kid_plan *k = &c->kids[i];

		fprintf(f,
			"[milter kid%u]\nsocket = unix:%s\norder = %s\n"
			"mode = %s\non_failure = %s\nlate_refusal = %s\n"
			"rcpt = %s\njoin = %s\ntimeout_connect = 1s\n"
			"timeout_command = 1s\ntimeout_eom = 1s\n"
			"breaker_failures = 0\nreuse = no\n",
			i + 1, s->path[i], orders[k->order], modes[k->mode],
			policies[k->policy],
			k->late == LATE_KEEP ? "keep" : "verdict",
			k->serial ? "serial" : "parallel", stages[k->join]);
	}
	fclose(f);
}

static void listen_for_kid(struct stage_set *s, unsigned i)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->path[i]);
	unlink(s->path[i]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(fd, 64) < 0)
		die("%s: %s", s->path[i], strerror(errno));
	s->listen_fds[i] = fd;
}

static void start(struct stage_set *s, const char *program)
{
	pid_t parent = getpid();
	int fd;

	s->pid = fork();
	if (s->pid < 0)
		die("fork: %s", strerror(errno));
	if (s->pid > 0)
		return;
	/* It must not outlive us, whatever kills us. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	fd = open(s->path[PATH_LOG], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || dup2(fd, 2) < 0)
		_exit(1);
	execl(program, program, "-f", "-c", s->path[PATH_CONF], (char *)NULL);
	_exit(127);
}

static void show_log(const struct stage_set *s)
{
	char line[1000];
	FILE *f = fopen(s->path[PATH_LOG], "r");

	while (f && fgets(line, sizeof(line), f))
		fprintf(stderr, "# log: %s", line);
	if (f)
		fclose(f);
}

static void wait_ready(struct stage_set *s)
{
	uint64_t deadline = clock_now() + START_LIMIT;
	int fd;

	while ((fd = stage_connect(s)) < 0) {
		int status;

		if (waitpid(s->pid, &status, WNOHANG) == s->pid ||
		    clock_now() > deadline) {
			show_log(s);
			die("sekishod did not start");
		}
		poll(NULL, 0, 2);
	}
	close(fd);
}

struct stage_set *stage_open(const struct prop_case *c, const char *program,
			     const char *directory)
{
	struct stage_set *s = calloc(1, sizeof(*s));

	if (!s)
		die("no memory");
	snprintf(s->directory, sizeof(s->directory), "%s", directory);
	s->kid_count = c->kid_count;
	for (unsigned i = 0; i < KIDS_MAX; i++)
		snprintf(s->path[i], sizeof(s->path[i]), "%s/kid%u",
			 directory, i + 1);
	snprintf(s->path[PATH_MTA], sizeof(s->path[0]), "%s/mta", directory);
	snprintf(s->path[PATH_CONF], sizeof(s->path[0]), "%s/sekisho.conf",
		 directory);
	snprintf(s->path[PATH_LOG], sizeof(s->path[0]), "%s/log", directory);
	for (unsigned i = 0; i < c->kid_count; i++)
		listen_for_kid(s, i);
	write_conf(s, c);
	start(s, program);
	wait_ready(s);
	return s;
}

/* Words that never stand in a healthy log. */
static const char *log_trouble(const struct stage_set *s)
{
	static const char *const bad[] = { "verdict=lost", "AddressSanitizer",
					   "runtime error", "bug" };
	char line[2000];
	const char *found = NULL;
	FILE *f = fopen(s->path[PATH_LOG], "r");

	while (f && !found && fgets(line, sizeof(line), f))
		for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			if (strstr(line, bad[i]))
				found = bad[i];
	if (f)
		fclose(f);
	return found;
}

bool stage_close(struct stage_set **sp, const char **why_out)
{
	struct stage_set *s = *sp;
	uint64_t deadline = clock_now() + END_LIMIT;
	int status = 0;

	kill(s->pid, SIGTERM);
	while (waitpid(s->pid, &status, WNOHANG) == 0) {
		if (clock_now() > deadline) {
			kill(s->pid, SIGKILL);
			waitpid(s->pid, &status, 0);
			break;
		}
		poll(NULL, 0, 2);
	}
	for (unsigned i = 0; i < s->kid_count; i++) {
		close(s->listen_fds[i]);
		unlink(s->path[i]);
	}
	*why_out = log_trouble(s);
	if (!*why_out && status != 0)
		*why_out = "sekishod did not end well";
	if (*why_out)
		show_log(s);
	unlink(s->path[PATH_CONF]);
	unlink(s->path[PATH_LOG]);
	free(s);
	*sp = NULL;
	return !*why_out;
}
