#include "server/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/notify.h"
#include "shared/clock.h"
#include "shared/log.h"

/* As a reload: the resolver may be slow. */
#define MAY_TAKE (120 * CLOCK_S)

void upgrade_init(struct upgrade *u)
{
	ssize_t n = readlink("/proc/self/exe", u->binary,
			     sizeof(u->binary) - 1);

	u->binary[n > 0 ? n : 0] = '\0';
	aside_init(&u->aside);
}

void upgrade_deinit(struct upgrade *u)
{
	aside_deinit(&u->aside);
}

/* --- telling ---------------------------------------------------------------- */

static void answer(struct upgrade *u, bool ok, struct slice words)
{
	struct reload_wish wish = u->wish;

	u->wish = (struct reload_wish){ 0 };
	if (wish.done)
		wish.done(wish.context, wish.ticket, ok, words);
}

static void log_lines(struct slice words)
{
	struct slice line;

	while (words.len && slice_split(&words, '\n', &line))
		if (line.len)
			log_error("%.*s", SLICE_ARG(line));
}

/* why: what the check said, or one line of ours. */
static void refuse(struct upgrade *u, struct slice why)
{
	log_lines(why);
	log_error("upgrade refused: this program goes on");
	answer(u, false, why);
}

static void refuse_words(struct upgrade *u, const char *why)
{
	char line[200];

	snprintf(line, sizeof(line), "%s\n", why);
	refuse(u, slice_str(line));
}

/* --- the check --------------------------------------------------------------- */

_Noreturn static void check(const struct upgrade *u)
{
	(void)dup2(ASIDE_FD, 1);
	(void)dup2(ASIDE_FD, 2);
	closefrom(ASIDE_FD);
	(void)execl(u->binary, "sekishod", "-t", "-c", u->conf_path,
		    (char *)NULL);
	fprintf(stderr, "could not run \"%s\": %s\n", u->binary,
		strerror(errno));
	aside_leave(127);
}

static void begin(struct upgrade *u)
{
	u->wanted = u->silent = u->reaped = false;
	log_info("upgrade: \"%s\" checks the settings", u->binary);
	switch (aside_begin(&u->aside, "sekisho-check", u->epoll_fd, u->tag,
			    MAY_TAKE)) {
	case ASIDE_CHILD:
		check(u);
	case ASIDE_FAILED:
		refuse_words(u, "could not start the process that checks the new program");
		break;
	case ASIDE_PARENT:
		break;
	}
}

void upgrade_event(struct upgrade *u)
{
	if (aside_hear(&u->aside))
		u->silent = true;
}

bool upgrade_reaped(struct upgrade *u, pid_t pid, int status)
{
	if (!aside_reaped(&u->aside, pid))
		return false;
	u->reaped = true;
	u->status = status;
	return true;
}

/* --- becoming another program -------------------------------------------------- */

static void keep_one(int fd, bool keep)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/* Over the exec, or not after all. */
static void keep(const struct handover *h, bool do_keep)
{
	keep_one(h->control_fd, do_keep);
	keep_one(h->numbers_fd, do_keep);
	keep_one(h->pid_fd, do_keep);
	for (size_t i = 0; i < h->sockets.count; i++)
		keep_one(h->sockets.at[i].fd, do_keep);
	for (unsigned i = 0; i < h->worker_count; i++)
		keep_one(h->workers[i].fd, do_keep);
}

/* The text in a memfd that the environment names; -1: errno. */
static int write_text(struct slice text)
{
	int fd = memfd_create("sekisho-handover", 0);
	char number[16];

	while (fd >= 0 && text.len) {
		ssize_t n = write(fd, text.data, text.len);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		text = slice_from(text, (size_t)n);
	}
	snprintf(number, sizeof(number), "%d", fd);
	if (fd >= 0)
		(void)setenv(HANDOVER_ENV, number, 1);
	return fd;
}

static void run(const struct upgrade *u)
{
	(void)execl(u->binary, "sekishod", "-c", u->conf_path,
		    u->foreground ? "-f" : (char *)NULL, (char *)NULL);
	log_error("upgrade: could not run \"%s\": %s; this program goes on",
		  u->binary, strerror(errno));
}

static bool collect(struct upgrade *u, struct handover *h, struct buf *text)
{
	struct buf texts;
	bool ok;

	buf_init(&texts, HANDOVER_CEILING);
	*h = (struct handover){ .pid = getpid(), .pid_fd = -1 };
	ok = u->collect(u->owner, h, &texts);
	h->text = buf_slice(&texts);
	ok = ok && handover_print(h, text);
	buf_deinit(&texts);
	return ok;
}

/* Returns when it could not. */
static void become(struct upgrade *u)
{
	struct handover h;
	struct buf text;
	int fd = -1;

	buf_init(&text, HANDOVER_CEILING);
	if (collect(u, &h, &text))
		fd = write_text(buf_slice(&text));
	buf_deinit(&text);
	if (fd < 0) {
		refuse_words(u, "no memory to hand over what is kept");
		return;
	}
	log_info("upgrade: \"%s\" takes over %zu sockets and %u workers",
		 u->binary, h.sockets.count, h.worker_count);
	answer(u, true, SLICE_LIT("the new program has checked the settings and takes over\n"));
	notify_reloading();
	keep(&h, true);
	run(u);
	keep(&h, false);
	close(fd);
	(void)unsetenv(HANDOVER_ENV);
	notify_ready();
}

/* As -t ends when all is well; any other program may exit with 0, too. */
static bool says_ok(struct slice said)
{
	struct slice line = SLICE_EMPTY;

	while (said.len && slice_split(&said, '\n', &line))
		;
	return slice_is(line, "ok");
}

static void decide(struct upgrade *u)
{
	struct slice said = buf_slice(&u->aside.heard);
	bool is_well = WIFEXITED(u->status) && WEXITSTATUS(u->status) == 0;

	u->silent = u->reaped = false;
	if (is_well && says_ok(said))
		become(u);
	else if (is_well)
		refuse_words(u, "the new program did not say \"ok\" when it was to check the settings: is it sekishod?");
	else if (said.len)
		refuse(u, said);
	else
		refuse_words(u, "the new program failed without a word when it was to check the settings");
}

/* --- asking --------------------------------------------------------------------- */

bool upgrade_is_under_way(const struct upgrade *u)
{
	return u->wanted || aside_is_there(&u->aside) || u->silent || u->reaped;
}

void upgrade_begin(struct upgrade *u, const struct reload_wish *wish)
{
	if (upgrade_is_under_way(u)) {
		log_info("an upgrade is under way already");
		if (wish)
			wish->done(wish->context, wish->ticket, false,
				   SLICE_LIT("an upgrade is under way already\n"));
		return;
	}
	u->wish = wish ? *wish : (struct reload_wish){ 0 };
	u->wanted = true;
}

void upgrade_forget(struct upgrade *u, const void *context)
{
	if (u->wish.context == context)
		u->wish = (struct reload_wish){ 0 };
}

static void stop_check(struct upgrade *u)
{
	aside_end(&u->aside);
	u->silent = u->reaped = false;
}

void upgrade_turn(struct upgrade *u, bool may_begin)
{
	/* It may live on with its output closed, or have left it to a child. */
	if (aside_is_there(&u->aside) && clock_now() >= u->aside.deadline) {
		stop_check(u);
		refuse_words(u, "the new program took too long to check the settings");
	}
	if (u->wanted && may_begin)
		begin(u);
	if (u->silent && u->reaped)
		decide(u);
}

uint64_t upgrade_until(const struct upgrade *u)
{
	return aside_is_there(&u->aside) ? u->aside.deadline : CLOCK_NEVER;
}

void upgrade_refuse(struct upgrade *u, const char *why)
{
	bool under_way = upgrade_is_under_way(u);

	stop_check(u);
	u->wanted = false;
	if (under_way)
		refuse_words(u, why);
}
