#include "shared/clock.h"
#include "shared/io.h"
#include "shared/log.h"
#include "shared/milter_frame.h"
#include "worker/child.h"

/* So that all sockets of a milter get their share, and leaks in one an end. */
#define SESSIONS_MAX 200
/* QUIT_NC came with it; who speaks less may know nothing of it. */
#define REUSE_VERSION 6
/* Whoever says nothing to QUIT_NC for so long will say nothing. */
#define TRIAL (1 * CLOCK_S)
/* One that is restarted closes once, one that will not have it each time. */
#define STALE_MAX 3

static enum board_reuse known(const struct child *c)
{
	if (c->no_reuse)
		return REUSE_FAILS;
	return c->keeper ? c->keeper->reuse(c->keeper_context) : REUSE_WORKS;
}

static void learn(struct child *c, enum board_reuse seen)
{
	c->no_reuse |= seen == REUSE_FAILS;
	if (c->keeper)
		c->keeper->reuse_seen(c->keeper_context, seen);
}

/*
 * Does it answer before there is a message?  Else one that has lost its step
 * would be found out at the end of the message only.
 */
static bool answers_early(const struct child *c)
{
	uint32_t p = c->got.protocol;

	return !(p & (SMFIP_NOCONNECT | SMFIP_NR_CONN)) ||
	       !(p & (SMFIP_NOHELO | SMFIP_NR_HELO));
}

static bool may_be_parked(const struct child *c)
{
	return c->conf->reuse && !c->conf->connections_max &&
	       known(c) != REUSE_FAILS && c->link == LINK_OPEN && c->at_end &&
	       !buf_len(&c->in) && c->got.version >= REUSE_VERSION &&
	       answers_early(c) && c->sessions + 1 < SESSIONS_MAX;
}

bool child_park(struct child *c)
{
	if (!may_be_parked(c))
		return false;
	c->on_trial = known(c) == REUSE_UNKNOWN;
	if (c->on_trial && (!frame_put(&c->out, SMFIC_QUIT_NC) ||
			    child_flush(c) != CHILD_OK || buf_len(&c->out)))
		return false;
	c->sessions++;
	c->link = LINK_PARKED;
	c->parked_at = clock_now();
	return true;
}

void child_unpark(struct child *c, uint64_t age)
{
	enum io_result quiet;
	uint64_t parked;

	if (c->link != LINK_PARKED)
		return;
	parked = clock_now() - c->parked_at;
	if (parked < age)
		return;
	quiet = io_peek(c->fd);
	if (quiet == IO_OK)
		learn(c, REUSE_FAILS);
	else if (c->on_trial && parked >= TRIAL && quiet == IO_AGAIN)
		learn(c, REUSE_WORKS);
	child_quit(c, false);
}

static bool is_same_offer(const struct option *a, const struct option *b)
{
	return a->version == b->version && a->actions == b->actions &&
	       a->protocol == b->protocol;
}

/* Not gone, and without a word that the new session would take for its own. */
static bool is_fit(struct child *c, const struct option *offered)
{
	enum io_result quiet = io_peek(c->fd);

	if (quiet == IO_OK)
		learn(c, REUSE_FAILS);
	return quiet == IO_AGAIN && !c->on_trial &&
	       is_same_offer(&c->offered, offered);
}

bool child_take_over(struct child *c, const struct option *offered)
{
	if (c->link != LINK_PARKED)
		return false;
	/* Goes out with the first command: one write. */
	if (!is_fit(c, offered) || !frame_put(&c->out, SMFIC_QUIT_NC)) {
		child_quit(c, false);
		return false;
	}
	c->link = LINK_OPEN;
	c->reused = true;
	return true;
}

bool child_is_stale(struct child *c, enum child_result failure)
{
	if (failure == CHILD_PROTOCOL && c->sessions)
		learn(c, REUSE_FAILS);
	if (!c->reused)
		return false;
	if (failure == CHILD_TIMEOUT ||
	    (failure == CHILD_EOF && ++c->stale >= STALE_MAX))
		learn(c, REUSE_UNKNOWN);
	return failure == CHILD_EOF || failure == CHILD_TIMEOUT ||
	       failure == CHILD_PROTOCOL;
}
