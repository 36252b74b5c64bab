/*
 * dialect - every difference between Postfix and Sendmail in front of us
 *
 * What is not here is the same for both.  The header rules of both are in
 * shared/header_list, which is told by its `mta`.
 */
#ifndef WORKER_DIALECT_H
#define WORKER_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/conf.h"
#include "shared/milter.h"
#include "shared/slice.h"

/*
 * Postfix puts "Postfix 3.7.11" into macro v; anything else, or none (an
 * empty slice), is Sendmail, whose limits are the tighter ones.
 */
enum mta dialect_of(struct slice v);
/* All waiting inside one command before the end of message, microseconds. */
uint64_t dialect_step_deadline(const struct conf *conf, enum mta mta);
/*
 * The index for a CHGHEADER to the MTA: Sendmail counts headers deleted by
 * earlier children, so it gets the renumbered one; Postfix gets the child's.
 */
uint32_t dialect_change_index(enum mta mta, uint32_t childs, uint32_t mtas);

#endif
