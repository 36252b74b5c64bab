/*
 * choose - which child applies, and from which stage on
 *
 * Switch first, then the stage of joining.  Pure; never fails.
 */
#ifndef WORKER_CHOOSE_H
#define WORKER_CHOOSE_H

#include <stdbool.h>

#include "worker/member.h"

/* Does this child, not joined yet, join at this event? */
bool choose_applies(const struct member *m, enum stage event);

#endif
