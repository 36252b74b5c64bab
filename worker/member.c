#include "worker/member.h"

#include "worker/keeper.h"

bool member_is_enforced(const struct member *m)
{
	return m->mode == MODE_ON;
}

bool member_is_going(const struct member *m)
{
	return m->joined && m->mode != MODE_OFF &&
	       m->connection == CONNECTION_OPEN && m->state == MEMBER_GOING;
}

void member_forget(struct member *m)
{
	m->mark = (struct mark){ 0 };
	m->in_message = false;
	m->noted = false;
	m->silent = false;
	m->aside_owed = 0;
	m->retell = m->retell_now = false;
	m->hearing = STAGE_COUNT;
}

void member_forget_message(struct member *m)
{
	m->mark = (struct mark){ .connect = m->mark.connect,
				 .helo = m->mark.helo };
	m->told_rcpt = MEMBER_NONE;
	m->retell = m->retell_now = false;
}

void member_reset_message(struct member *m)
{
	edits_end(&m->edits);
	m->asked = false;
	m->state = MEMBER_GOING;
	m->failure = CHILD_OK;
	m->rcpt_refused = false;
	m->rcpts_refused = 0;
	m->told_rcpt = MEMBER_NONE;
	m->retell = m->retell_now = false;
	m->has_late = false;
	m->said_late = false;
	m->own_unknown = false;
	m->passed_over = m->skipped_by_rule = false;
	if (m->memos)
		memset(m->memos, 0,
		       cond_memos(m->conf->when) * sizeof(*m->memos));
	m->skip_headers = m->skip_body = false;
	m->view = m->left = NULL;
	member_forget_message(m);
	m->silent = m->child.link == LINK_OPEN;
	m->losses = 0;
	m->child.busy = 0;
}

void member_release(struct member *m)
{
	struct child *c = &m->child;

	keeper_let_go(m);
	if (c->link != LINK_OPEN)
		return; /* nothing said yet: the next message may use it */
	if (!child_owes(c) && !child_is_writing(c)) {
		if (m->in_message && child_abort(c) != CHILD_OK)
			child_close(c);
		m->in_message = false;
		if (c->link == LINK_OPEN)
			return;
	}
	child_close(c);
	member_forget(m);
}
