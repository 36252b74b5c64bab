#include <stdio.h>
#include <string.h>

#include "server/answer.h"
#include "server/steer.h"
#include "shared/clock.h"
#include "shared/log.h"

/* The words of a change, as far as they are the same for all of them. */
struct change {
	struct conf_switch to;
	const struct conf_switch *wanted; /* NULL: as the settings say */
	uint64_t time;
};

static bool read_percent(struct slice word, unsigned *percent_out)
{
	uint64_t n;

	if (!slice_to_u64(word, 100, &n))
		return false;
	*percent_out = (unsigned)n;
	return true;
}

/* `off NAME [for D]`, `percent NAME N [for D]`, `default NAME`. */
static bool read_change(const struct request *r, struct change *c)
{
	struct slice word = request_word(r, 0);
	bool is_percent = slice_is(word, "percent");

	*c = (struct change){ .wanted = &c->to };
	if (slice_is(word, "default"))
		c->wanted = NULL;
	else if (slice_is(word, "off"))
		c->to.mode = MODE_OFF;
	else if (slice_is(word, "evaluate"))
		c->to.mode = MODE_EVALUATE;
	else if (is_percent)
		c->to.mode = MODE_PERCENT;
	if (r->count < 2)
		return false;
	if (is_percent && !read_percent(request_word(r, 2), &c->to.percent))
		return false;
	return request_duration(r, is_percent ? 3 : 2, "for", &c->time);
}

/* Which word it is, as far as they stand where they should. */
static enum told say_usage(const struct ask *a)
{
	const struct request *r = &a->request;
	struct slice word = request_word(r, 0);
	bool is_percent = slice_is(word, "percent");
	unsigned at = is_percent ? 3 : 2;
	struct slice share = slice_head(request_word(r, 2), 80);
	unsigned percent;

	if (is_percent && share.len && !read_percent(share, &percent))
		return answer_refuse(
			a, "\"%.*s\": percent: a whole number from 0 to 100",
			SLICE_ARG(share));
	if (r->count == at + 2 && slice_is(request_word(r, at), "for"))
		return answer_refuse(
			a,
			"\"%.*s\": a time is a whole number above 0 and s, m, "
			"h or d, for example 15m",
			SLICE_ARG(slice_head(request_word(r, at + 1), 80)));
	return answer_refuse(
		a,
		is_percent ? "not understood: %.*s NAME N [for DURATION], for "
			     "example %.*s spam 5 for 2h" :
			     "not understood: %.*s NAME [for DURATION], for "
			     "example %.*s spam for 15m",
		SLICE_ARG(word), SLICE_ARG(word));
}

enum told answer_switch(const struct ask *a)
{
	struct status_view *v = a->view;
	struct slice name = request_word(&a->request, 1);
	char user[PEER_NAME];
	struct change c;
	size_t milter;

	if (!read_change(&a->request, &c))
		return say_usage(a);
	milter = answer_find_milter(v, name);
	if (milter == v->conf->milter_count)
		return answer_refuse(a, "no milter \"%.*s\" in the settings",
				     SLICE_ARG(slice_head(name, 80)));
	peer_name(a->peer.uid, user);
	steer_change(v,
			     &(struct switch_wish){
				     .milter = &v->conf->milters[milter],
				     .to = c.wanted,
				     .time = c.time,
				     .uid = a->peer.uid,
				     .user = user,
			     },
			     &a->peer, a->out);
	return TOLD_OK;
}
