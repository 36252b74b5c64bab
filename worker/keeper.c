#include "worker/keeper.h"

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/network.h"
#include "worker/choose.h"

/* Whoever waits longer looks as often whether others have given up on it. */
#define LOOK_EVERY (500 * CLOCK_MS)

/* ---- the breaker ---- */

static struct breaker_limits limits_of(const struct member *m)
{
	return (struct breaker_limits){ m->conf->breaker_failures,
					m->conf->breaker_pause };
}

/* The lease may have ended, and another session have the next one. */
static bool has_lease(const struct member *m)
{
	struct board_breaker_copy copy;

	if (!m->lease)
		return false;
	board_read_breaker(m->env->board, m->cell, &copy);
	return copy.breaker.state == BREAKER_TRIAL &&
	       copy.breaker.since == m->lease;
}

bool keeper_is_left_alone(const struct member *m)
{
	const struct breaker_limits limits = limits_of(m);

	return board_is_open(m->env->board, m->cell, &limits) && !has_lease(m);
}

bool keeper_may_ask(struct member *m)
{
	const struct breaker_limits limits = limits_of(m);
	struct board_breaker_copy copy;

	if (!keeper_is_left_alone(m))
		return true;
	m->lease = 0;
	if (!board_may_ask(m->env->board, m->cell, &limits))
		return false;
	board_read_breaker(m->env->board, m->cell, &copy);
	m->lease = copy.breaker.since;
	return true;
}

/* By the network that one sender has for himself. */
static uint32_t hash_client(const struct chain *c)
{
	struct slice address = c->journal->connect.address;
	uint32_t hash;
	struct ip ip;

	if (ip_parse(address, &ip))
		hash = slice_hash(SLICE_HASH,
				  slice_of(ip.bytes, ip.is_v6 ? 8 : 4));
	else
		hash = slice_hash(SLICE_HASH, address);
	return hash ? hash : 1;
}

/*
 * May what the client said be what it chokes on?  Any word of the envelope may
 * crash a child; content may also make it slow.
 */
static bool may_be_crafted(const struct member *m,
			   enum board_milter_counter kind)
{
	if (m->child.link != LINK_OPEN)
		return false;
	return kind == MILTER_FAILED_EOF || kind == MILTER_FAILED_PROTOCOL ||
	       m->mark.header || m->mark.eoh || m->mark.body || m->mark.eom;
}

void keeper_failed(const struct chain *c, struct member *m,
		   enum board_milter_counter kind)
{
	const struct breaker_limits limits = limits_of(m);
	const struct worker_env *env = m->env;
	uint32_t suspect = may_be_crafted(m, kind) ? hash_client(c) : 0;

	if (!board_failed(env->board, env->slot, m->cell, &limits, kind,
			  suspect))
		return;
	log_warn("child \"%s\": left alone after too many failures, asked again in %.1f s",
		 m->conf->name,
		 (double)limits.pause / (double)CLOCK_S);
}

void keeper_succeeded(struct member *m)
{
	if (board_succeeded(m->env->board, m->cell))
		log_info("child \"%s\": answers again", m->conf->name);
	m->lease = 0;
}

void keeper_let_go(struct member *m)
{
	const struct breaker_limits limits = limits_of(m);

	if (m->lease)
		board_learned_nothing(m->env->board, m->cell, &limits,
				      m->lease);
	m->lease = 0;
}

/* When what is waited for now was begun; CLOCK_NEVER: it may take its time. */
static uint64_t waits_since(const struct child *c)
{
	switch (c->link) {
	case LINK_NONE:
	case LINK_PARKED:
		return CLOCK_NEVER;
	case LINK_CONNECTING:
	case LINK_NEGOTIATING:
		return c->opened_at;
	case LINK_OPEN:
		break;
	}
	if (!child_owes(c) || (c->owed[0].stage >= STAGE_HEADER &&
			       c->owed[0].stage <= STAGE_EOM))
		return CLOCK_NEVER;
	return c->head_since;
}

uint64_t keeper_looks_at(const struct member *m)
{
	uint64_t since = waits_since(&m->child), now;

	if (since == CLOCK_NEVER || !m->conf->breaker_failures)
		return CLOCK_NEVER;
	now = clock_now();
	return now + LOOK_EVERY - (now - since) % LOOK_EVERY;
}

bool keeper_gives_up(const struct member *m)
{
	uint64_t since = waits_since(&m->child);

	return since != CLOCK_NEVER && clock_now() - since >= LOOK_EVERY &&
	       keeper_is_left_alone(m);
}

/* ---- its sockets and connections ---- */

static void swap(uint8_t *a, uint8_t *b)
{
	uint8_t was = *a;

	*a = *b;
	*b = was;
}

/* One that was marked down (works() wipes the mark), and its pause is over. */
static bool may_try_again(const struct member *m, unsigned socket)
{
	const struct board *b = m->env->board;

	return board_socket_is_down(b, m->cell, socket, 0) &&
	       !board_socket_is_down(b, m->cell, socket, clock_now());
}

/* By this session alone: the others leave it alone for another pause. */
static void keep_others_off(const struct member *m, unsigned socket)
{
	if (may_try_again(m, socket))
		board_socket_down(m->env->board, m->cell, socket,
				  clock_now() + m->conf->breaker_pause);
}

/* The lower, the earlier it is tried: in order, then idle. */
static unsigned rank(const struct member *m, unsigned socket, unsigned held)
{
	if (may_try_again(m, socket))
		return 0;
	if (board_socket_is_down(m->env->board, m->cell, socket, clock_now()))
		return UINT32_MAX;
	return 1 + held;
}

/* Least busy first; of those that are alike each worker begins elsewhere. */
static void order(void *context, uint8_t order_out[CONF_SOCKETS_MAX])
{
	struct member *m = context;
	unsigned n = m->conf->socket.count, turn = m->env->slot + m->opened++;
	unsigned held[CONF_SOCKETS_MAX], ranks[CONF_SOCKETS_MAX];

	if (n < 2)
		return;
	(void)board_held(m->env->board, m->cell, held);
	for (unsigned i = 0; i < n; i++) {
		order_out[i] = (uint8_t)((turn + i) % n);
		ranks[order_out[i]] = rank(m, order_out[i], held[order_out[i]]);
	}
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k > 0 && ranks[order_out[k]] <
						      ranks[order_out[k - 1]];
		     k--)
			swap(&order_out[k], &order_out[k - 1]);
}

static void note_held(const struct member *m, unsigned socket)
{
	board_note_held(board_slot(m->env->board, m->env->slot), m->cell,
			socket);
}

static void give_back(void *context)
{
	const struct member *m = context;

	board_note_released(board_slot(m->env->board, m->env->slot), m->cell);
}

static bool is_full(const struct member *m, unsigned others)
{
	unsigned ignored[CONF_SOCKETS_MAX];

	return board_held(m->env->board, m->cell, ignored) > others;
}

/*
 * Looked at before it is noted, so that who waits holds nobody else off.
 * Noted first and counted then: of two that come at the same time at least
 * one sees the other, at worst both do, and try again a little later.
 */
static bool take(void *context, unsigned socket)
{
	struct member *m = context;
	unsigned max = m->conf->connections_max;

	if (!max || !is_full(m, max - 1)) {
		note_held(m, socket);
		atomic_thread_fence(memory_order_seq_cst);
		if (!max || !is_full(m, max)) {
			keep_others_off(m, socket);
			return true;
		}
		give_back(m);
	}
	if (!m->child.waits)
		board_count_milter(m->env->board, m->env->slot, m->cell,
				   MILTER_WAITS, 1);
	return false;
}

static void print_socket(const struct member *m, unsigned socket,
			 char text[400])
{
	endpoint_print(&m->conf->socket.at[socket], text, 400);
}

static void socket_failed(void *context, unsigned socket)
{
	const struct member *m = context;
	struct board *b = m->env->board;
	bool is_news = !board_socket_is_down(b, m->cell, socket, 0);
	char text[400];

	if (m->conf->socket.count < 2)
		return;
	board_socket_down(b, m->cell, socket,
			  clock_now() + m->conf->breaker_pause);
	if (!is_news)
		return;
	print_socket(m, socket, text);
	log_warn("child \"%s\": \"%s\" is left alone: %s", m->conf->name, text,
		 m->child.why);
}

static void socket_works(void *context, unsigned socket)
{
	const struct member *m = context;
	struct board *b = m->env->board;
	char text[400];

	if (m->conf->socket.count < 2 ||
	    !board_socket_is_down(b, m->cell, socket, 0))
		return;
	board_socket_down(b, m->cell, socket, 0);
	print_socket(m, socket, text);
	log_info("child \"%s\": \"%s\" answers again", m->conf->name, text);
}

static enum board_reuse reuse(void *context)
{
	const struct member *m = context;

	return board_reuse(m->env->board, m->cell);
}

static void reuse_seen(void *context, enum board_reuse seen)
{
	static const char *const words[] = {
		[REUSE_UNKNOWN] = "did not take a second session on a connection",
		[REUSE_WORKS] = "takes one session after the other on a connection",
		[REUSE_FAILS] = "takes no second session on a connection, each gets its own now",
	};
	const struct member *m = context;
	struct board *b = m->env->board;

	if (board_note_reuse(b, m->cell, seen))
		log_info("child \"%s\": %s", m->conf->name,
			 words[board_reuse(b, m->cell)]);
}

void keeper_attach(struct member *m, const struct worker_env *env)
{
	static const struct child_keeper hooks = {
		.order = order,
		.take = take,
		.give_back = give_back,
		.failed = socket_failed,
		.works = socket_works,
		.reuse = reuse,
		.reuse_seen = reuse_seen,
	};

	m->env = env;
	m->child.keeper = &hooks;
	m->child.keeper_context = m;
}
