#include "server/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/answer.h"
#include "server/answer_http.h"
#include "server/client.h"
#include "server/listen.h"
#include "server/steer.h"
#include "shared/clock.h"
#include "shared/log.h"

#define CLIENTS		64 /* of each side */
#define SIDES		2  /* status, control */
#define ACCEPTS_AT_ONCE 16
/* What all clients together get in one turn of the loop. */
#define REQUESTS_AT_ONCE 16
#define TURN_MAY_TAKE	 (5 * CLOCK_MS)
#define SCRATCH_CEILING	 ((size_t)12 * 1024 * 1024)

#define TAG_CLIENT (STATUS_TAG + 4096)

/* One side: its listeners and who is connected to them. */
struct side {
	const struct conf_listeners *conf;
	struct listen listen;
	struct client clients[CLIENTS];
};

struct status {
	struct side sides[SIDES];
	struct status_view *view;
	struct buf scratch; /* of the answer being made */
	uint64_t tickets;   /* given so far */
	unsigned next;	    /* client that is served first next time */
	int spare_fd; /* for whoever comes when none is left */
	int epoll_fd;
	bool told_too_long; /* the numbers, to be kept */
};

static struct client *client_at(struct status *s, unsigned i)
{
	return &s->sides[i / CLIENTS].clients[i % CLIENTS];
}

static const struct client *client_seen(const struct status *s, unsigned i)
{
	return &s->sides[i / CLIENTS].clients[i % CLIENTS];
}

/* --- the sockets --------------------------------------------------------- */

static bool open_side(struct side *side, const struct conf_listeners *conf,
		      struct inherit *from)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		side->clients[i].fd = -1;
	side->conf = conf;
	return listen_open(&side->listen, conf, from);
}

struct status *status_open(const struct conf_listeners *status,
			   const struct conf_listeners *control,
			   struct inherit *from)
{
	struct status *s = calloc(1, sizeof(*s));
	bool ok;

	if (!s) {
		log_error("no memory for the status socket");
		return NULL;
	}
	s->epoll_fd = s->spare_fd = -1;
	buf_init(&s->scratch, SCRATCH_CEILING);
	ok = open_side(&s->sides[0], status, from);
	ok = open_side(&s->sides[1], control, from) && ok;
	if (!ok)
		status_close(&s);
	return s;
}

static bool watch(const struct status *s, int fd, uint32_t events,
		  uint64_t tag)
{
	struct epoll_event e = { .events = events, .data.u64 = tag };

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

static bool watch_side(struct status *s, unsigned side)
{
	struct listen *l = &s->sides[side].listen;

	for (size_t i = 0; i < l->count; i++)
		if (!watch(s, l->fds[i], EPOLLIN,
			   STATUS_TAG + side * LISTEN_FDS_MAX + i))
			return false;
	return true;
}

_Static_assert(SIDES * LISTEN_FDS_MAX <= TAG_CLIENT - STATUS_TAG,
	       "tags of listeners and of clients");

void status_hand_over(const struct status *s, struct inherit *to)
{
	for (unsigned i = 0; i < SIDES; i++)
		listen_hand_over(&s->sides[i].listen, to);
}

void status_follow(struct status *s, const struct conf *conf)
{
	s->sides[0].conf = &conf->status;
	s->sides[1].conf = &conf->control;
}

bool status_watch(struct status *s, struct status_view *view, int epoll_fd)
{
	s->view = view;
	s->epoll_fd = epoll_fd;
	if (s->sides[0].listen.count || s->sides[1].listen.count)
		s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (watch_side(s, 0) && watch_side(s, 1))
		return true;
	log_error("could not set up the status socket: %s", strerror(errno));
	return false;
}

void status_close(struct status **sp)
{
	struct status *s = *sp;

	if (!s)
		return;
	for (unsigned i = 0; i < SIDES * CLIENTS; i++)
		if (client_at(s, i)->fd >= 0)
			client_close(client_at(s, i));
	for (unsigned i = 0; i < SIDES; i++)
		if (s->sides[i].conf)
			listen_close(&s->sides[i].listen, s->sides[i].conf);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	buf_deinit(&s->scratch);
	free(s);
	*sp = NULL;
}

/* --- who comes ----------------------------------------------------------- */

/* Whoever was quiet longest makes room; NULL: nobody could. */
static struct client *drop_quietest(struct side *side)
{
	struct client *oldest = NULL;

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *c = &side->clients[i];

		if (c->fd >= 0 && !c->waits &&
		    (!oldest || c->heard < oldest->heard))
			oldest = c;
	}
	if (oldest)
		client_close(oldest);
	return oldest;
}

static struct client *find_place(struct side *side)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (side->clients[i].fd < 0)
			return &side->clients[i];
	return drop_quietest(side);
}

static void take_client(struct status *s, unsigned side, int fd)
{
	struct client *c = find_place(&s->sides[side]);
	unsigned i;

	if (!c) {
		close(fd);
		return;
	}
	client_open(c, fd, side == 1, clock_now());
	i = side * CLIENTS + (unsigned)(c - s->sides[side].clients);
	if (!watch(s, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		   TAG_CLIENT + i))
		client_close(c);
}

/*
 * No descriptor is left and nobody could be dropped: whoever waits is taken
 * with the one kept for this and sent away, or the loop would spin on him.
 */
static void turn_away(struct status *s, int listener)
{
	int fd;

	if (s->spare_fd >= 0)
		close(s->spare_fd);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void take_clients(struct status *s, unsigned side, int listener)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(listener, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE) &&
		    !drop_quietest(&s->sides[side]))
			turn_away(s, listener);
		if (fd < 0)
			return;
		take_client(s, side, fd);
	}
}

void status_event(struct status *s, uint64_t tag, uint32_t events)
{
	uint64_t at = tag - STATUS_TAG;
	struct client *c;

	if (tag < TAG_CLIENT) {
		unsigned side = (unsigned)(at / LISTEN_FDS_MAX);
		struct listen *l;

		if (side >= SIDES)
			return;
		l = &s->sides[side].listen;
		if (at % LISTEN_FDS_MAX < l->count)
			take_clients(s, side, l->fds[at % LISTEN_FDS_MAX]);
		return;
	}
	if (tag - TAG_CLIENT >= SIDES * CLIENTS)
		return;
	/* It may be another one by now: then a call says EAGAIN. */
	c = client_at(s, (unsigned)(tag - TAG_CLIENT));
	c->readable = c->readable || (events & ~(uint32_t)EPOLLOUT);
	c->writable = c->writable || (events & ~(uint32_t)EPOLLIN);
}

/* --- what they want ------------------------------------------------------ */

static void take_line(struct status *s, struct client *c, struct slice line)
{
	struct ask a = { .view = s->view,
			 .peer = c->peer,
			 .is_control = c->is_control,
			 .ticket = ++s->tickets,
			 .out = &s->scratch };
	enum told told;

	/* Before: the end of a wish may be told at once. */
	c->waits = a.ticket;
	told = answer(&a, line);
	if (told != TOLD_LATER) {
		c->waits = 0;
		client_answer(c, told == TOLD_OK, buf_slice(&s->scratch));
	}
	buf_clear(&s->scratch);
}

static void take_http(struct status *s, struct client *c, struct slice head,
		      bool is_too_long)
{
	if (answer_http(s->view, head, is_too_long, &s->scratch))
		client_answer_last(c, buf_slice(&s->scratch));
	else
		c->is_over = true;
	buf_clear(&s->scratch);
}

/* False: nothing is to be done for it now. */
static bool take_request(struct status *s, struct client *c, uint64_t now)
{
	struct slice text;
	enum client_input kind = client_next(c, &text);

	switch (kind) {
	case CLIENT_NOTHING:
		return false;
	case CLIENT_LINE:
		take_line(s, c, text);
		break;
	case CLIENT_TOO_LONG:
		client_answer(c, false,
			      SLICE_LIT("the line is too long: at most 1000 bytes\n"));
		c->is_last = true;
		break;
	case CLIENT_HTTP:
	case CLIENT_HTTP_TOO_LONG:
		take_http(s, c, text, kind == CLIENT_HTTP_TOO_LONG);
		break;
	}
	client_done(c, kind, text, now);
	return true;
}

/* True: it had a request. */
static bool serve(struct status *s, struct client *c, uint64_t now)
{
	bool had_one;

	client_read(c);
	had_one = !c->is_over && take_request(s, c, now);
	client_write(c, now);
	if (c->is_over || now >= client_until(c))
		client_close(c);
	return had_one;
}

/* What comes by the clock and not by a client. */
static void keep_time(struct status *s, uint64_t now)
{
	if (now >= switches_until(s->view->switches))
		steer_turn(s->view, now);
	if (now < past_until(s->view->past))
		return;
	answer_print_numbers(s->view, &s->scratch);
	if (!past_keep(s->view->past, buf_slice(&s->scratch), now) &&
	    !s->told_too_long)
		log_warn("the numbers are too long to be kept: numbers since has none");
	s->told_too_long = buf_len(&s->scratch) > PAST_TEXT_MAX;
	buf_clear(&s->scratch);
}

void status_turn(struct status *s)
{
	uint64_t until = clock_now() + TURN_MAY_TAKE;
	unsigned left = REQUESTS_AT_ONCE, quiet = 0, i = s->next;

	keep_time(s, clock_now());
	/* Round and round, one request to each, until all are quiet. */
	while (left > 0 && quiet < SIDES * CLIENTS) {
		struct client *c = client_at(s, i);
		uint64_t now = clock_now();

		i = (i + 1) % (SIDES * CLIENTS);
		quiet++;
		if (c->fd < 0 || !serve(s, c, now))
			continue;
		quiet = 0;
		left--;
		if (clock_now() >= until)
			break;
	}
	s->next = i;
}

uint64_t status_until(const struct status *s)
{
	uint64_t until = clock_earlier(past_until(s->view->past),
				       switches_until(s->view->switches));

	for (unsigned i = 0; i < SIDES * CLIENTS; i++) {
		const struct client *c = client_seen(s, i);

		if (c->fd < 0)
			continue;
		if (client_has_work(c))
			return 0;
		until = clock_earlier(until, client_until(c));
	}
	return until;
}

void status_wish_done(struct status *s, uint64_t ticket, bool ok,
		      struct slice words)
{
	uint64_t now = clock_now();

	for (unsigned i = 0; i < SIDES * CLIENTS; i++) {
		struct client *c = client_at(s, i);

		if (c->fd < 0 || c->waits != ticket)
			continue;
		c->waits = 0;
		c->heard = now;
		client_answer(c, ok, words);
		/* At once: an upgrade may follow, and this process be another. */
		client_write(c, now);
		return;
	}
}
