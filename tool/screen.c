#include "tool/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "shared/clock.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What the signals of a process leave no other place for. */
static volatile sig_atomic_t caught;  /* ends us */
static volatile sig_atomic_t resized; /* SIGWINCH, SIGCONT */
static volatile sig_atomic_t paused;  /* SIGTSTP */
static struct termios saved;
static bool has_keys;
static sigset_t outside; /* the mask as it was */

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static const int changing[] = { SIGWINCH, SIGCONT, SIGTSTP };

static void on_signal(int sig)
{
	if (sig == SIGTSTP)
		paused = 1;
	else if (sig == SIGWINCH || sig == SIGCONT)
		resized = 1;
	else
		caught = sig;
}

/* All of it or nothing: a terminal that is gone gets no more. */
static void say(struct slice s)
{
	while (s.len) {
		ssize_t n = write(STDOUT_FILENO, s.data, s.len);

		if (n < 0 && errno != EINTR)
			return;
		s = slice_from(s, n > 0 ? (size_t)n : 0);
	}
}

/* The alternate screen, no cursor; keys one by one, unseen. */
static void enter(void)
{
	struct termios t = saved;

	if (has_keys) {
		t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		t.c_cc[VMIN] = 0;
		t.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t);
	}
	say(SLICE_LIT("\033[?1049h\033[?25l\033[2J"));
}

static void leave(void)
{
	say(SLICE_LIT("\033[?25h\033[?1049l"));
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

/* They arrive only while we wait in ppoll(), so that none is missed. */
static void take_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < COUNT(ending); i++) {
		sigaddset(&set, ending[i]);
		sigaction(ending[i], &act, NULL);
	}
	for (size_t i = 0; i < COUNT(changing); i++) {
		sigaddset(&set, changing[i]);
		sigaction(changing[i], &act, NULL);
	}
	sigprocmask(SIG_BLOCK, &set, &outside);
}

bool screen_open(void)
{
	if (!isatty(STDOUT_FILENO))
		return false;
	has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &saved) == 0;
	take_signals();
	enter();
	return true;
}

void screen_close(void)
{
	leave();
	sigprocmask(SIG_SETMASK, &outside, NULL);
}

void screen_die(void)
{
	signal((int)caught, SIG_DFL);
	raise((int)caught);
}

void screen_size(unsigned *columns_out, unsigned *lines_out)
{
	struct winsize w = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || !w.ws_col || !w.ws_row)
		w = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	*columns_out = w.ws_col;
	*lines_out = w.ws_row;
}

void screen_draw(struct slice picture)
{
	say(SLICE_LIT("\033[H"));
	say(picture);
}

/* ^Z: the shell gets its terminal as it was, and we draw anew afterwards. */
static void pause_here(void)
{
	paused = 0;
	leave();
	raise(SIGSTOP);
	enter();
	resized = 1;
}

static bool read_key(char *key_out)
{
	return read(STDIN_FILENO, key_out, 1) == 1;
}

enum screen_event screen_wait(uint64_t deadline, char *key_out)
{
	struct pollfd p = { has_keys ? STDIN_FILENO : -1, POLLIN, 0 };

	for (;;) {
		int ms = clock_poll_ms(deadline);
		struct timespec left = { ms / 1000, ms % 1000 * 1000000L };
		int n = ppoll(&p, 1, &left, &outside);

		if (caught)
			return SCREEN_SIGNAL;
		if (paused)
			pause_here();
		if (resized) {
			resized = 0;
			return SCREEN_RESIZED;
		}
		if (n == 0)
			return SCREEN_TIME;
		if (n > 0 && read_key(key_out))
			return SCREEN_KEY;
		/* The terminal is gone, or somebody else reads from it. */
		if (n > 0)
			p.fd = -1;
	}
}
