/*
 * why - a message's one line taken apart again; pure
 *
 * What worker/summary and lost_line() write.  Slices look into the
 * line; what stood in quotes is given without them, its \xNN as they are.  A
 * line may be cut at its end; what is missing is empty.
 */
#ifndef SERVER_WHY_H
#define SERVER_WHY_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/conf.h"
#include "shared/slice.h"

/* A milter's word about the message. */
struct why_member {
	struct slice name;
	struct slice word; /* "reject@eom", "skip(condition)" */
	struct slice time; /* "84ms"; empty: it was not asked */
	bool is_evaluated; /* its word did not count */
};

enum why_field {
	WHY_FROM,
	WHY_NRCPT,
	WHY_SIZE,
	WHY_CLIENT,
	WHY_PASSED_WITHOUT,
	WHY_VERDICT,
	WHY_BY,
	WHY_STAGE,
	WHY_RULE,
	WHY_REPLY,
	WHY_QUARANTINE,
	WHY_EDITS,
	WHY_TIME,
	WHY_CHILD, /* of a lost one: whom it waited for */
	WHY_SIGNAL,
	WHY_EXIT,
	WHY_PID,
	WHY_FIELDS
};

struct why {
	struct slice id;
	struct slice fields[WHY_FIELDS];
	struct why_member members[CONF_MILTERS_MAX];
	unsigned member_count;
};

/* False: it is no such line. */
bool why_parse(struct slice line, struct why *why_out);
/* "from", "nrcpt", ... */
const char *why_field_name(enum why_field field);
/* Undoes \xNN of what stood in quotes. */
bool why_unquote(struct slice text, struct buf *out);

#endif
