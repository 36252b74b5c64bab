/*
 * stand - a chain with puppets for children, and no MTA
 *
 * The test says what the MTA would say, the stand enters it as the session
 * does and lets everybody go on until nothing moves any more.  One process, no
 * waiting; the clock stands still at 1,000 s unless a test sets it.
 */
#ifndef T_UNIT_WORKER_STAND_H
#define T_UNIT_WORKER_STAND_H

#include "t/unit/worker/puppet.h"
#include "worker/chain.h"

#define STAND_PUPPETS 3
#define STAND_TIME    (1000 * CLOCK_S)

struct stand {
	struct conf conf;
	struct arena conf_arena;
	struct worker_env env;
	int supervisor[2];
	struct arena lasting;
	struct arena session_arena;
	struct arena message_arena;
	struct journal journal;
	struct message message;
	struct chain chain;
	struct endpoint sockets[STAND_PUPPETS];
	struct puppet puppets[STAND_PUPPETS];
	unsigned count; /* of puppets that are open */
	struct verdict verdict; /* of the last step */
	struct option offer;
};

/* Children "one", "two", "three", with usual settings; to be tuned then. */
void stand_init(struct stand *s, unsigned count);
/* The session begins. */
void stand_begin(struct stand *s, enum mta mta);
void stand_end(struct stand *s);

/* Until nothing moves; true: the event at hand is decided. */
bool stand_settle(struct stand *s);

/* What the MTA says.  True: decided, by s->verdict. */
bool stand_connect(struct stand *s);
bool stand_helo(struct stand *s, const char *name);
bool stand_mail(struct stand *s, const char *from);
bool stand_rcpt(struct stand *s, const char *to);
bool stand_data(struct stand *s);
void stand_header(struct stand *s, const char *name, const char *value);
void stand_eoh(struct stand *s);
void stand_body(struct stand *s, struct slice bytes);
bool stand_eom(struct stand *s);
/* DATA, "Subject: hi", a body "text\r\n", and the end of message. */
bool stand_content(struct stand *s);
/* Connect, HELO, and a message from <s> to <r>, to its end. */
bool stand_all(struct stand *s);
void stand_end_message(struct stand *s);
void stand_macros(struct stand *s, char letter, struct slice pairs);

/* "continue", "tempfail by 1 at rcpt: 450 ...": the last step's verdict. */
void stand_expect(const struct stand *s, const char *verdict);

#endif
