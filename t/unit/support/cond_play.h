/*
 * cond_play - a made-up session that conditions are evaluated in
 *
 * Plays one message stage by stage, as the worker would: what is known at each
 * stage is written in cond_play.c.  One owner.  Fails by ending the process.
 */
#ifndef T_UNIT_SUPPORT_COND_PLAY_H
#define T_UNIT_SUPPORT_COND_PLAY_H

#include "shared/cond.h"

/* connect helo mail rcpt data header eoh body eom */
#define COND_PLAY_STAGES 9

struct cond_play {
	struct arena settings;
	struct arena message;
	struct arena scratch;
	struct table *tables[4];
	struct cond_names names;
	struct cond_problem problem;
	struct facts facts;
	struct header_list headers;
	struct header_list headers_now;
	bool has_headers_now;
	struct cond_matcher *matcher;
};

/*
 * Conditions s25r_like, night, deep, loops; tables domains (words, domains and
 * addresses), nets (networks), patterns (regexes), words.
 */
void cond_play_open(struct cond_play *p);
void cond_play_close(struct cond_play *p);
const struct cond *cond_play_parse(struct cond_play *p, const char *text);
/* A new connection, before its first stage. */
void cond_play_begin(struct cond_play *p);
/* Everything that comes to be known at this stage. */
void cond_play_stage(struct cond_play *p, enum stage stage);
struct cond_run cond_play_run(struct cond_play *p);
/*
 * A letter per stage, T, F or ?, of a condition evaluated at each with a
 * memory of the stages before; "disagrees" when it is another one without.
 */
void cond_play_answers(struct cond_play *p, const struct cond *c,
		       char answers_out[16]);

#endif
