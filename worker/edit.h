/*
 * edit - checks and applies a child's changes; keeps the log for the MTA
 *
 * What a child asks for between end of message and its final answer is checked
 * when it comes (design section 4, "Checks of a child's edits") and kept; only
 * its accepting final answer makes it count.  Then it is applied to the
 * children's view by the header rules of the MTA in front, and at the very end
 * the MTA is sent the log: just what it would have executed had it called the
 * children itself.  All memory is the message arena's.
 */
#ifndef WORKER_EDIT_H
#define WORKER_EDIT_H

#include <stdbool.h>

#include "shared/arena.h"
#include "shared/conf.h"
#include "shared/milter_answer.h"
#include "worker/body.h"
#include "worker/message.h"

#define EDIT_COUNT_MAX	1000
#define EDIT_VALUE_MAX	64000
#define EDIT_NAME_MAX	200
#define EDIT_ADDR_MAX	1000
#define EDIT_REASON_MAX 400

enum edit_result {
	EDIT_OK = 0,
	EDIT_BREACH,   /* the child's failure; *why_out says what */
	EDIT_NO_SPACE, /* ours: memory, disk, descriptors */
};

struct edit {
	struct edit *next;
	enum answer_kind kind;
	uint32_t index;	    /* as the child said */
	uint32_t mta_index; /* as the MTA is to be told */
	struct slice name;  /* header name, or address */
	struct slice value; /* header value, or arguments */
	bool has_args;
	bool dropped; /* a free child's, overtaken by another's change */
};

/* What one child asked for in this message. */
struct edits {
	struct edit *first;
	struct edit *last;
	unsigned count; /* all requests, body chunks and quarantine included */
	bool has_headers;
	bool has_body;
	bool body_dropped; /* a free child's, somebody else replaced it */
	struct body body;
	bool has_quarantine;
	struct slice quarantine;
};

/* How the child speaks, and what it may do. */
struct edit_rights {
	uint32_t actions;   /* negotiated */
	bool mta_leadspc;   /* values to the MTA carry their leading space */
	bool child_leadspc; /* values of this child do */
};

void edits_begin(struct edits *e, const struct conf *conf);
/* Closes what is open. */
void edits_end(struct edits *e);

/*
 * Checks and keeps one request; text is copied.  Values lose CR, a bare LF
 * gains a TAB, and the leading space is converted here, once.
 */
enum edit_result edits_add(struct edits *e, struct arena *arena,
			   const struct answer *request,
			   const struct edit_rights *rights,
			   const char **why_out);

/*
 * Carries the edits out on the view a chain or strict child was shown, and
 * notes the MTA's indexes.  *out is the view for those below: the same one
 * when nothing visible changed.  False: no memory.
 */
bool edits_apply(struct edits *e, struct arena *arena, const struct view *in,
		 const struct view **out);

/*
 * The header edits of a `free` child, which was shown the original, carried
 * out on the result of all others: the entries it meant are looked up; what
 * others changed or deleted is dropped.  *dropped_out counts those.
 */
bool edits_merge_free(struct edits *e, struct arena *arena,
		      const struct view *original, struct header_list *result,
		      unsigned *dropped_out);

/* One entry of the log as the answer to send; not for bodies. */
struct answer edit_answer(const struct edit *e);
bool edit_is_header(const struct edit *e);

#endif
