/*
 * child_stand - one child of ours and a puppet that it talks to, for tests
 *
 * The clock stands still at START until a test moves it.  Fails the running
 * test.
 */
#ifndef T_UNIT_WORKER_CHILD_STAND_H
#define T_UNIT_WORKER_CHILD_STAND_H

#include "shared/clock.h"
#include "t/unit/worker/puppet.h"
#include "worker/child.h"

#define START (1000 * CLOCK_S)

extern struct puppet puppet;
extern struct conf_milter conf;
extern struct child child;
extern struct option offer;

/* Before and after each test. */
void child_stand_begin(void);
void child_stand_end(void);
/* Both play in turn until nothing moves; the first failure, if any. */
enum child_result play(void);
/* Connects and negotiates. */
void open_it(void);
/* Tells the stage's command and writes it. */
void tell(enum stage stage);
/* The next answer as "kind@stage", or the failure's name. */
void expect_answer(const char *want);
void expect_failure(enum child_result have, enum child_result want,
		    const char *reason);

#endif
