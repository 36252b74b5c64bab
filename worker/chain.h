/*
 * chain - the children in their order: who hears what when, and what it
 * comes to
 *
 * The session enters what the MTA said into journal and message and names the
 * event; the chain tells the children, gathers their answers and says when
 * the event is decided: by the first no in chain order, or when nobody who
 * counts can still say one.  Rules: design sections 3 and 4.
 *
 * Driven from outside: chain_watch() before poll, chain_serve() after it; the
 * chain itself never waits but for the moment of chain_await().  It fails
 * only by `no_space` (ours: memory, disk, descriptors), which decides the
 * event as tempfail; a failed child becomes what its policy says.
 */
#ifndef WORKER_CHAIN_H
#define WORKER_CHAIN_H

#include <stdbool.h>

#include "worker/standing.h"
#include "worker/watch.h"

/* False: no memory.  lasting: what stays until the worker's end. */
bool chain_init(struct chain *c, const struct worker_env *env,
		struct arena *lasting, struct arena *session_arena,
		struct arena *message_arena, struct journal *journal,
		struct message *message);

/* Idle for now: what is empty gives its memory back. */
void chain_trim(struct chain *c);
/* For tests: a worker keeps its chain to its end. */
void chain_deinit(struct chain *c);

/* A session begins with this offer of the MTA; members are fresh. */
void chain_begin_session(struct chain *c, const struct option *offer);
/* QUIT to all; only connections that the next session may have stay open. */
void chain_end_session(struct chain *c);

/*
 * The MTA said this: it stands in journal or message already.  Children join
 * whose time has come, and those that may hear it are told; content, which
 * nobody waits for, is told with the next chain_go_on() or chain_serve(), so
 * that many small commands become one large write.
 */
void chain_event(struct chain *c, enum stage event);
/* Tells all children what they may hear by now; before each wait. */
void chain_go_on(struct chain *c);
/* The same for an unknown command, which is not in the journal. */
void chain_unknown(struct chain *c, struct slice text,
		   const struct journal_macros *macros);
/* It is answered: who has not heard it by now never will. */
void chain_unknown_answered(struct chain *c);
/*
 * A recipient the MTA has refused itself: to the children that asked for
 * such; nobody waits for their answer.
 */
void chain_rejected_rcpt(struct chain *c, const struct command_envelope *rcpt,
			 const struct journal_macros *macros);

/*
 * Is the event decided?  A no: *verdict_out says which and whose; else its
 * kind is VERDICT_CONTINUE.
 */
bool chain_decided(const struct chain *c, struct verdict *verdict_out);
/* While content arrives: has the message got its no already? */
bool chain_refused(const struct chain *c, struct verdict *verdict_out);
/* The cell of the first child waited for, or BOARD_NO_CHILD. */
unsigned chain_waits_for(const struct chain *c);
/* The deadline has passed: those that owe an answer are late. */
void chain_late(struct chain *c);

/* Is this no one to connect or helo, said in time or by a late joiner? */
bool chain_is_of_connection(const struct chain *c, const struct verdict *v);
/* The MTA has its answer to the recipient at hand. */
void chain_rcpt_answered(struct chain *c, const struct verdict *verdict);
/* The message begins: what belongs to the last one is wiped. */
void chain_begin_message(struct chain *c);
/*
 * The message is over for everybody listed from `first` on: they are
 * released.  With from 0, for all.
 */
void chain_release(struct chain *c, unsigned first);
/*
 * The message got this no: what a late joiner below said to connect or helo
 * meanwhile is forgotten, since in a row nobody would have asked it.
 */
void chain_overrule(struct chain *c, const struct verdict *v);
/* Is a child in evaluate mode still at work on the message? */
bool chain_evaluates(const struct chain *c);
/* Does anybody still need the content that comes? */
bool chain_wants_content(const struct chain *c);
/* The headers as all have left them; NULL while somebody is at it. */
const struct header_list *chain_headers_now(const struct chain *c);
/* The message is over and logged: release what is left, wipe. */
void chain_end_message(struct chain *c);

/*
 * Has no child anything to say, or to be told, before the MTA speaks?  One
 * that promised not to answer what it heard last is watched: it may lie.
 */
bool chain_is_at_rest(const struct chain *c);
/*
 * While the event is undecided: waits a moment for the child that all wait
 * for, and does what chain_serve() does.  False: that was in vain, or
 * something else must be watched too; poll.
 */
bool chain_await(struct chain *c);
void chain_watch(struct chain *c, struct watch *w);
void chain_serve(struct chain *c, const struct watch *w);

#endif
