/*
 * answer - what clients of the status sockets may ask, a row for each request
 *
 * answer.c has the rows and picks one; answer_*.c make the text, or JSON, out
 * of a status_view.  An answer is made at one moment, from counters that move
 * meanwhile: sums of one answer may be apart by what happened in between.
 * Text out of shared memory may hold anything and is cleaned here.
 */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include <stdbool.h>

#include "server/peer.h"
#include "server/request.h"
#include "server/status.h"
#include "shared/buf.h"
#include "shared/json.h"

/* Room that an answer may need behind what it has: no single line has more. */
#define ANSWER_SPARE 8192

enum told {
	TOLD_OK,
	TOLD_ERROR, /* the words are the reason */
	TOLD_LATER, /* the wish is only begun */
};

struct ask {
	struct status_view *view;
	struct peer peer;
	bool is_control;
	uint64_t ticket; /* for a wish that is only begun */
	struct request request;
	struct buf *out;
};

/* Takes the line apart, and answers into out, which is empty. */
enum told answer(struct ask *a, struct slice line);
/* Words instead of what was written so far; returns TOLD_ERROR. */
enum told answer_refuse(const struct ask *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- the answers; words[0] is the request ---- */

enum told answer_config(const struct ask *a);
enum told answer_metrics(const struct ask *a);
enum told answer_milter(const struct ask *a);
enum told answer_milters(const struct ask *a);
enum told answer_numbers(const struct ask *a);
enum told answer_status(const struct ask *a);
enum told answer_switch(const struct ask *a);
enum told answer_top(const struct ask *a);
enum told answer_why(const struct ask *a);
enum told answer_wish(const struct ask *a); /* reload, drain, ... */
enum told answer_workers(const struct ask *a);

/* The same into an open object. */
enum told answer_config_json(const struct ask *a, struct json *j);
enum told answer_milter_json(const struct ask *a, struct json *j);
enum told answer_milters_json(const struct ask *a, struct json *j);
enum told answer_status_json(const struct ask *a, struct json *j);
enum told answer_top_json(const struct ask *a, struct json *j);
enum told answer_why_json(const struct ask *a, struct json *j);
enum told answer_workers_json(const struct ask *a, struct json *j);

/* ---- parts that several of them need ---- */

unsigned answer_cell(const struct status_view *v, size_t milter);
/* Place in the settings; milter_count: there is none of this name. */
size_t answer_find_milter(const struct status_view *v, struct slice name);
/* "20us", "1.2ms", "84ms", "3.1s", "-" for none. */
#define ANSWER_TIME 24
const char *answer_us(uint64_t us, bool is_none, char text_out[ANSWER_TIME]);
/* "5s", "3m20s", "2h05m", "3d04h": for people. */
const char *answer_span(uint64_t us, char text_out[ANSWER_TIME]);
/* With '?' for what is not printable ASCII, cut to the room. */
void answer_clean(struct slice text, char *to, size_t size);
/* "connect", "helo", ... of a milter's macro lists. */
const char *answer_list_name(unsigned list);
/* Workers by the state they are in; [SLOT_FREE] stays 0. */
void answer_count_workers(const struct status_view *v,
			  unsigned by_state_out[SLOT_STATES]);
/*
 * "off until 2026-11-28T19:22:00Z by root (settings: on)", "as the settings
 * say: on"; without an end of line.
 */
void answer_print_switch(const struct status_view *v, const char *name,
			 struct buf *out);
/* Whose verdict is not known yet. */
unsigned answer_messages_in_work(const struct status_view *v);
void answer_print_metrics(const struct status_view *v, bool is_open,
			  struct buf *out);
/* `numbers`, as kept for later and as told. */
void answer_print_numbers(const struct status_view *v, struct buf *out);

#endif
