/*
 * rule_text - the texts of rules: literal bytes with facts put in
 *
 * Between rule_parse.c and rule.c.  What comes from mail is hostile: control
 * bytes and all that is not ASCII become a question mark, and no text is
 * longer than RULE_TEXT_MAX or than one line.  Fails by an empty text: no
 * memory.
 */
#ifndef SHARED_RULE_TEXT_H
#define SHARED_RULE_TEXT_H

#include "shared/rule.h"

/* recipient: the one at hand, or NULL. */
bool rule_text(struct arena *arena, const struct rule_action *action,
	       const struct facts *facts, const struct slice *recipient,
	       struct slice *text_out) __attribute__((warn_unused_result));
/* The same behind code and enhanced code, as both MTAs take it. */
bool rule_reply(struct arena *arena, const struct rule_action *action,
		const struct facts *facts, const struct slice *recipient,
		struct slice *reply_out) __attribute__((warn_unused_result));
/* Would it be a good reply, whatever the facts are? */
bool rule_reply_ok(const struct rule_action *action);

#endif
