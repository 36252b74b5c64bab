#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "server/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/background.h"
#include "server/descriptors.h"
#include "server/lost.h"
#include "server/notify.h"
#include "shared/log.h"
#include "shared/log_file.h"
#include "shared/table.h"
#include "worker/worker.h"

#define NOTE_MAX (sizeof(struct worker_note_wish) + LIST_COUNT * BOARD_LIST_MAX)
/* Notes of one worker taken in one turn: none may keep the loop for itself. */
#define NOTES_AT_ONCE 8
/* From here on a table of descriptors has 8 KiB and more. */
#define LARGE_TABLE 512

/*
 * Not forked: each worker would keep what we write to before the next one,
 * and it is none of their business.
 */
static struct spawn_row *map_rows(unsigned slots)
{
	size_t size = slots * sizeof(struct spawn_row);
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	(void)madvise(map, size, MADV_DONTFORK);
	return map;
}

/*
 * We have one thread: what fork() locks, resets and calls is not needed, and
 * would make four pages more each worker's own, five faults before it waits.
 */
static pid_t fork_lean(void)
{
#ifdef HAVE__FORK
	pid_t pid = _Fork();

	if (pid == 0)
		log_forget_pid();
	return pid;
#else
	return fork();
#endif
}

bool spawn_init(struct spawn *s)
{
	s->rows = map_rows(s->slots);
	if (!s->rows)
		return false;
	for (unsigned i = 0; i < s->slots; i++)
		s->rows[i].fd = -1;
	s->supervisor = getpid();
	return true;
}

void spawn_deinit(struct spawn *s)
{
	if (s->rows)
		munmap(s->rows, s->slots * sizeof(*s->rows));
	s->rows = NULL;
}

/* Slots below this one are for ordinary workers. */
static unsigned ordinary(const struct spawn *s)
{
	return s->slots - s->reserve;
}

/* --- forking ------------------------------------------------------------ */

/*
 * Signals, as a worker has them: SIGTERM asks it to leave and is taken when
 * it waits; what a terminal or an administrator sends to the whole group is
 * the supervisor's business.
 */
static void set_signals(void)
{
	static const int ignored[] = { SIGINT, SIGQUIT, SIGHUP, SIGPIPE,
				       SIGUSR1, SIGUSR2 };
	sigset_t blocked;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/*
 * A worker has what it needs, by name; all else is closed: other workers'
 * pairs above all, for while we held one, that worker could not see the
 * supervisor's end.  The log gets a socket of its own, or a number that it
 * believes to be its own could become an MTA's connection.  Returns the own
 * end of the pair, which has another number.
 */
static int close_foreign(const struct spawn *s, int own)
{
	int keep[LISTEN_FDS_MAX + 2 * CONF_TABLES_MAX + 4];
	size_t n = 0;
	int low;

	for (size_t i = 0; i < s->listen->count; i++)
		keep[n++] = s->listen->fds[i];
	for (size_t i = 0; i < s->conf->table_count; i++)
		n += table_descriptors(s->conf->tables[i].table, &keep[n]);
	keep[n++] = board_control_fd(s->board);
	keep[n++] = board_numbers_fd(s->board);
	keep[n++] = s->hungry_fd;
	keep[n++] = own;
	log_close();
	descriptors_close_all_but(keep, n);
	low = descriptors_lower(own);
	/* It costs a thread, which is not worth it for less. */
	if (own >= LARGE_TABLE)
		descriptors_shrink_table();
	/* A file that cannot be opened now is tried again with each line. */
	(void)log_open(s->conf->log, "sekishod", s->conf->syslog_facility,
		       s->conf->log_file);
	return low;
}

_Noreturn static void become_worker(const struct spawn *s, unsigned slot,
				    int own)
{
	struct worker_env env = {
		.conf = s->conf,
		.listen_fds = s->listen->fds,
		.listen_of_fd = s->listen->entry,
		.listen_foreign = s->listen->foreign,
		.listen_count = s->listen->count,
		.cells = s->cells,
		.settings = s->settings,
		.board = s->board,
		.slot = slot,
		.hungry_fd = s->hungry_fd,
		.is_reserve = slot >= ordinary(s),
	};

	set_signals();
	/* Second string to the pair's EOF; asked for after setuid, which
	 * would have cleared it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != s->supervisor)
		_exit(WORKER_DONE);
	(void)prctl(PR_SET_NAME, "sekisho-worker", 0, 0, 0);
	env.supervisor_fd = close_foreign(s, own);
	if (s->detach)
		background_detach();
	notify_forget();
	worker_main(&env);
}

static bool find_free(const struct spawn *s, unsigned from, unsigned until,
		      unsigned *slot_out)
{
	for (unsigned i = from; i < until; i++)
		if (!s->rows[i].pid) {
			*slot_out = i;
			return true;
		}
	return false;
}

static bool fork_failed(struct spawn *s, const char *what)
{
	int reason = errno;
	bool is_news = !s->forks.pause;

	if (pace_trouble(&s->forks, clock_now()) && is_news)
		log_warn("could not start worker %u: %s: %s; trying again with "
			 "pauses",
			 s->alive + 1, what, strerror(reason));
	return false;
}

static bool make_pair(struct spawn *s, unsigned slot, int ends_out[2])
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = slot };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0, ends_out) != 0)
		return fork_failed(s, "socketpair");
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, ends_out[0], &e) == 0)
		return true;
	fork_failed(s, "its pair of sockets");
	close(ends_out[0]);
	close(ends_out[1]);
	return false;
}

static bool spawn_into(struct spawn *s, unsigned slot)
{
	struct spawn_row *row = &s->rows[slot];
	int ends[2];
	pid_t pid;

	if (!make_pair(s, slot, ends))
		return false;
	row->generation++;
	board_slot_reset(s->board, slot, row->generation);
	board_note_state(s->board, slot, SLOT_STARTING);
	pid = fork_lean();
	if (pid == 0)
		become_worker(s, slot, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		fork_failed(s, "fork");
		close(ends[0]);
		board_slot_reset(s->board, slot, row->generation);
		return false;
	}
	row->pid = pid;
	row->fd = ends[0];
	row->told = false;
	row->killed = false;
	row->settings = s->settings;
	s->alive++;
	board_count(s->board, slot, COUNT_WORKER_STARTS, 1);
	if (pace_well(&s->forks))
		log_info("workers can be started again");
	return true;
}

bool spawn_one(struct spawn *s)
{
	unsigned slot;

	return find_free(s, 0, ordinary(s), &slot) && spawn_into(s, slot);
}

bool spawn_reserve(struct spawn *s)
{
	unsigned slot;

	return find_free(s, ordinary(s), s->slots, &slot) &&
	       spawn_into(s, slot);
}

uint64_t spawn_paused_until(const struct spawn *s, uint64_t now)
{
	uint64_t a = s->forks.not_before, b = s->deaths.not_before;
	uint64_t until = a > b ? a : b;

	return until > now ? until : 0;
}

static void close_row(struct spawn_row *row)
{
	if (row->fd >= 0)
		close(row->fd); /* leaves the epoll by itself */
	row->fd = -1;
}

static bool adopt_one(struct spawn *s, const struct handover_worker *w)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = w->slot };
	struct spawn_row *row;

	if (w->slot >= s->slots || s->rows[w->slot].pid)
		return false;
	row = &s->rows[w->slot];
	*row = (struct spawn_row){ .pid = w->pid,
				   .fd = w->fd > 2 ? w->fd : -1,
				   .generation = w->generation,
				   .settings = w->settings };
	s->alive++;
	if (row->fd < 0)
		return true;
	(void)fcntl(row->fd, F_SETFD, FD_CLOEXEC);
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, row->fd, &e) != 0)
		close_row(row); /* it takes that for our end, and leaves */
	return true;
}

void spawn_adopt(struct spawn *s, const struct handover_worker *workers,
		 unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!adopt_one(s, &workers[i]) && workers[i].fd > 2)
			close(workers[i].fd);
}

unsigned spawn_hand_over(const struct spawn *s, struct handover_worker *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->slots; i++) {
		const struct spawn_row *row = &s->rows[i];

		if (row->pid)
			out[n++] = (struct handover_worker){
				.slot = i,
				.pid = row->pid,
				.fd = row->fd < 0 ? 0 : row->fd,
				.generation = row->generation,
				.settings = row->settings,
			};
	}
	return n;
}

/* --- counting and telling ----------------------------------------------- */

/*
 * The reserve stays: it needs little of the settings, and its workers, told
 * to leave, would hold their slots until their last guest goes, and nobody
 * would be there for who comes meanwhile.
 */
static bool is_older(const struct spawn *s, unsigned slot)
{
	return slot < ordinary(s) && s->rows[slot].pid &&
	       s->rows[slot].settings != s->settings;
}

static uint32_t state_of(const struct spawn *s, unsigned slot)
{
	return board_state(s->board, slot);
}

void spawn_count(const struct spawn *s, struct pool_seen *seen_out)
{
	*seen_out = (struct pool_seen){ 0 };
	for (unsigned i = 0; i < ordinary(s); i++) {
		uint32_t state;

		if (!s->rows[i].pid)
			continue;
		seen_out->alive++;
		state = state_of(s, i);
		/* Older ones serve until others are there, but will go. */
		if (s->rows[i].told || state == SLOT_LEAVING || is_older(s, i))
			seen_out->leaving++;
		else if (state == SLOT_STARTING)
			seen_out->starting++;
		else if (state == SLOT_IDLE)
			seen_out->idle++;
	}
}

unsigned spawn_reserves(const struct spawn *s)
{
	unsigned n = 0;

	for (unsigned i = ordinary(s); i < s->slots; i++)
		n += s->rows[i].pid != 0;
	return n;
}

static bool is_busy(const struct spawn *s, unsigned slot)
{
	uint32_t state = state_of(s, slot);

	return state == SLOT_BUSY || state == SLOT_RESERVE;
}

unsigned spawn_busy(const struct spawn *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->slots; i++)
		n += s->rows[i].pid && is_busy(s, i);
	return n;
}

static void tell(struct spawn_row *row)
{
	row->told = true;
	if (row->fd >= 0)
		(void)!send(row->fd, "d", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void spawn_retire(struct spawn *s, unsigned n)
{
	/* From the far end: the front of the board stays densely used. */
	for (unsigned i = s->slots; i-- > 0 && n > 0;) {
		struct spawn_row *row = &s->rows[i];

		if (row->pid && !row->told && state_of(s, i) == SLOT_IDLE) {
			tell(row);
			n--;
		}
	}
}

bool spawn_has_older(const struct spawn *s)
{
	for (unsigned i = 0; i < s->slots; i++)
		if (is_older(s, i) && !s->rows[i].told)
			return true;
	return false;
}

unsigned spawn_oldest(const struct spawn *s)
{
	unsigned oldest = s->settings;

	for (unsigned i = 0; i < s->slots; i++)
		if (s->rows[i].pid && s->rows[i].settings < oldest)
			oldest = s->rows[i].settings;
	return oldest;
}

void spawn_retire_older(struct spawn *s, unsigned idle)
{
	for (unsigned i = s->slots; i-- > 0;) {
		if (!is_older(s, i) || s->rows[i].told)
			continue;
		if (state_of(s, i) != SLOT_IDLE)
			tell(&s->rows[i]);
		else if (idle > 0) {
			tell(&s->rows[i]);
			idle--;
		}
	}
}

void spawn_retire_all(struct spawn *s)
{
	for (unsigned i = 0; i < s->slots; i++)
		if (s->rows[i].pid && !s->rows[i].told)
			tell(&s->rows[i]);
}

void spawn_kill_all(struct spawn *s)
{
	for (unsigned i = 0; i < s->slots; i++)
		if (s->rows[i].pid) {
			s->rows[i].killed = true;
			(void)kill(s->rows[i].pid, SIGKILL);
		}
}

/* --- notes --------------------------------------------------------------- */

/* Macro names end in NUL on the wire, so none may hold one. */
static bool is_clean(struct slice list)
{
	for (size_t i = 0; i < list.len; i++)
		if ((unsigned char)list.data[i] < 0x20 ||
		    (unsigned char)list.data[i] > 0x7e)
			return false;
	return true;
}

bool spawn_take_wish(struct board *board, size_t milters, const void *note,
		     size_t len)
{
	struct slice rest = slice_of(note, len);
	struct board_wanted wanted = { 0 };
	struct worker_note_wish w;

	if (len < sizeof(w))
		return false;
	memcpy(&w, note, sizeof(w));
	rest = slice_from(rest, sizeof(w));
	if (w.kind != WORKER_NOTE_WISH || w.milter >= milters)
		return false;
	wanted.actions = w.actions;
	wanted.protocol = w.protocol;
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		if (w.has_list[i] > 1 || w.list_len[i] > rest.len ||
		    (!w.has_list[i] && w.list_len[i]))
			return false;
		wanted.has_list[i] = w.has_list[i];
		wanted.list[i] = slice_head(rest, w.list_len[i]);
		if (!is_clean(wanted.list[i]))
			return false;
		rest = slice_from(rest, w.list_len[i]);
	}
	if (rest.len)
		return false;
	board_remember(board, w.milter, &wanted);
	return true;
}

void spawn_take_notes(struct spawn *s, unsigned slot)
{
	struct spawn_row *row = &s->rows[slot];
	char note[NOTE_MAX];

	for (int i = 0; i < NOTES_AT_ONCE && row->fd >= 0; i++) {
		ssize_t n = recv(row->fd, note, sizeof(note),
				 MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			close_row(row);
		else if ((size_t)n > sizeof(note) ||
			 !spawn_take_wish(s->board, BOARD_MILTERS, note,
					  (size_t)n))
			log_warn("worker %d sent a note that makes no sense",
				 (int)row->pid);
	}
}

/* --- deaths -------------------------------------------------------------- */

static bool is_expected(int status)
{
	return WIFEXITED(status) && (WEXITSTATUS(status) == WORKER_DONE ||
				     WEXITSTATUS(status) == WORKER_EXHAUSTED);
}

static void tell_death(const struct spawn *s, unsigned slot, int status)
{
	char words[48];

	lost_explain(status, words, sizeof(words));
	log_warn("worker %d ended by %s", (int)s->rows[slot].pid, words);
}

static void tell_pause(const struct pace *p, const char *why)
{
	log_error("%s: starting no workers for %.1f s", why,
		  (double)p->pause / (double)CLOCK_S);
}

/* What the death of this worker means for the speed of starting others. */
static void set_pace(struct spawn *s, unsigned slot, int status)
{
	bool early = state_of(s, slot) == SLOT_STARTING;

	if (s->rows[slot].killed || (is_expected(status) && !early &&
				     WEXITSTATUS(status) == WORKER_DONE))
		return;
	if (early)
		s->failed_starts++;
	if (is_expected(status)) {
		if (pace_trouble(&s->deaths, clock_now()))
			tell_pause(&s->deaths,
				   "workers run out of memory or descriptors");
		return;
	}
	tell_death(s, slot, status);
	board_count(s->board, slot, COUNT_WORKER_DEATHS, 1);
	if (pace_death(&s->deaths, clock_now(), early))
		tell_pause(&s->deaths, early ? "workers die before they serve" :
					       "many workers die");
}

static void bury(struct spawn *s, unsigned slot, int status)
{
	struct spawn_row *row = &s->rows[slot];

	spawn_take_notes(s, slot);
	set_pace(s, slot, status);
	if (!is_expected(status) && state_of(s, slot) == SLOT_BUSY)
		lost_session(s->board, slot, status, s->rows[slot].pid);
	if (!is_expected(status) && state_of(s, slot) == SLOT_RESERVE)
		lost_guests(s->board, slot, s->rows[slot].pid);
	if (state_of(s, slot) != SLOT_STARTING)
		s->failed_starts = 0;
	close_row(row);
	board_slot_reset(s->board, slot, row->generation);
	row->pid = 0;
	s->alive--;
}

static void find_and_bury(struct spawn *s, pid_t pid, int status)
{
	for (unsigned i = 0; i < s->slots; i++)
		if (s->rows[i].pid == pid) {
			bury(s, i, status);
			return;
		}
	if (s->stranger)
		s->stranger(s->owner, pid, status);
}

bool spawn_reap(struct spawn *s)
{
	bool any = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		find_and_bury(s, pid, status);
		any = true;
	}
	return any;
}
