/*
 * facts - what is known by now; the only thing conditions and rules look at
 *
 * Filled step by step by whoever plays the session: first the values of a
 * stage by the setters, then facts_reach() for that stage, which says that
 * they can no longer change for this message.  A fact is known once its
 * stage is reached (the table in facts.c says which); one that was not set
 * by then is lacking: text is empty, a number compares with nothing.
 * Lists (recipients, headers) and growing numbers (size) tell what they have
 * before: a match among them is a match for good.
 *
 * Two lives: facts of the connection and helo stay until facts_init(), those
 * of the message until facts_end_message().  Texts are not copied, they point
 * to memory that lives at least as long; lists are kept in the message arena
 * given at facts_begin_message().  Setters that return bool fail by no memory.
 */
#ifndef SHARED_FACTS_H
#define SHARED_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "shared/arena.h"
#include "shared/header_list.h"
#include "shared/milter.h"
#include "shared/network.h"
#include "shared/slice.h"
#include "shared/tri.h"

enum fact {
	FACT_AUTH_TYPE,
	FACT_AUTH_USER,
	FACT_AUTHENTICATED,
	FACT_BODY,
	FACT_CLIENT_ADDR,
	FACT_CLIENT_NAME,
	FACT_CLIENT_PORT,
	FACT_DAEMON_NAME,
	FACT_DECLARED_SIZE,
	FACT_HEADER,
	FACT_HEADER_NOW,
	FACT_HELO,
	FACT_LOAD,
	FACT_MACRO,
	FACT_MILTER,
	FACT_MILTER_HEADER,
	FACT_QUEUE_ID,
	FACT_RECIPIENT,
	FACT_RECIPIENT_COUNT,
	FACT_SCORE,
	FACT_SENDER,
	FACT_SENDER_ARGS,
	FACT_SENDER_DOMAIN,
	FACT_SESSION_AGE,
	FACT_SESSIONS,
	FACT_SIZE,
	FACT_TIME,
	FACT_TLS_VERSION,
	FACT_WEEKDAY,
	FACT_COUNT
};

/* How a fact is written, compared and looked up. */
enum fact_type {
	FACT_IS_BOOL,
	FACT_IS_NUMBER,	  /* thousandths inside */
	FACT_IS_SIZE,	  /* bytes; K, M, G */
	FACT_IS_DURATION, /* seconds; s, m, h, d */
	FACT_IS_TIME,	  /* second of the day */
	FACT_IS_WEEKDAY,  /* 0 is Sunday */
	FACT_IS_TEXT,	  /* compared byte by byte */
	FACT_IS_WORD,	  /* without regard to case */
	FACT_IS_DOMAIN,	  /* a word; in lists also by its parents */
	FACT_IS_MAILBOX,  /* the domain without regard to case */
	FACT_IS_ADDRESS,  /* of a client */
	FACT_IS_VERDICT,  /* a word of facts_milter_word() */
	FACT_TYPE_COUNT
};

struct fact_row {
	const char *name;
	enum fact_type type;
	unsigned args;	  /* in parentheses behind the name */
	bool is_list;	  /* many values; = means any of them */
	enum stage first; /* before, it cannot be anything but unknown */
	enum stage from;  /* from here it is known and does not change */
	const char *what; /* one line for explain and the manual */
};

/* The final word of a milter about this message. */
enum fact_milter {
	FACT_MILTER_OPEN, /* none yet */
	FACT_MILTER_CONTINUE,
	FACT_MILTER_ACCEPT,
	FACT_MILTER_REJECT,
	FACT_MILTER_TEMPFAIL,
	FACT_MILTER_DISCARD,
	FACT_MILTER_FAILED,
	FACT_MILTER_SKIPPED, /* did not apply */
	FACT_MILTER_NONE,    /* was never asked and will not be */
	FACT_MILTER_COUNT
};

#define FACTS_MILTERS_MAX 64
/* Of a body, as it came and as decoded, no more is looked at. */
#define FACTS_BODY_MAX	  ((size_t)64 * 1024)

struct fact_value {
	bool is_set;
	int64_t number; /* thousandths, bytes, seconds, 0/1: by type */
	struct slice text;
};

/* A header that a milter added. */
struct fact_header {
	struct slice name;
	struct slice value;
	struct fact_header *next;
};

struct fact_word {
	enum fact_milter word;
	struct fact_header *headers; /* newest first */
};

/* Accepted recipients, in the order in which they came. */
struct fact_recipients {
	struct slice *items;
	size_t count;
	size_t room;
};

struct facts {
	struct arena *message; /* NULL outside a message */
	unsigned reached;      /* stages: 0 none, STAGE_X + 1 up to X */
	struct fact_value values[FACT_COUNT];
	bool has_ip;
	struct ip ip; /* FACT_CLIENT_ADDR, when it is one */
	/* The macros that came with each stage's command. */
	struct slice macros[STAGE_COUNT];
	struct fact_recipients recipients;
	struct slice *sender_args;
	size_t sender_arg_count;
	/* As the MTA sends them; grows until STAGE_EOH is reached. */
	const struct header_list *headers;
	bool score_grows;      /* no rule takes away from it */
	int64_t session_score; /* given outside of a message */
	struct fact_word milters[FACTS_MILTERS_MAX];
};

/* ---- the table ---- */

const struct fact_row *facts_row(enum fact fact);
/* By name, any case; FACT_COUNT when there is none. */
enum fact facts_find(struct slice name);
/* "number", "list of mail addresses", ... for messages. */
const char *facts_type_name(enum fact_type type);
/* "continue", "accept", ...; "open" while there is none. */
const char *facts_milter_word(enum fact_milter word);
/* By its word; FACT_MILTER_COUNT: none such. */
enum fact_milter facts_milter_find(struct slice word);
/*
 * The stage with which MTAs send a macro by default ("i", "{rcpt_addr}");
 * STAGE_EOM for names we do not know: only then is it sure not to come.
 */
enum stage facts_macro_stage(struct slice name);

/* ---- a session ---- */

/* A new connection.  score_grows: no rule has a negative score. */
void facts_init(struct facts *f, bool score_grows);
/* At MAIL, before anything about the message is set. */
void facts_begin_message(struct facts *f, struct arena *message);
void facts_end_message(struct facts *f);
/* All facts of this stage and those before it are set for good. */
void facts_reach(struct facts *f, enum stage stage);
bool facts_reached(const struct facts *f, enum stage stage);

/*
 * For facts of type text, word and domain that are no lists: client_name,
 * daemon_name, helo, tls_version, auth_user, auth_type, queue_id.
 */
void facts_set_text(struct facts *f, enum fact fact, struct slice text);
/*
 * Whole numbers, bytes, seconds: client_port, declared_size, load (percent of
 * the pool that is busy), sessions, session_age.
 */
void facts_set_number(struct facts *f, enum fact fact, uint64_t number);
void facts_set_bool(struct facts *f, enum fact fact, bool yes);
/* An address, or whatever an MTA says of a client without one. */
void facts_set_client(struct facts *f, struct slice addr);
/* Local time and weekday of the server; once per message. */
void facts_set_clock(struct facts *f, time_t now);
/* Hours, minutes, seconds of a day and 0 (Sunday) to 6: for tests. */
void facts_set_day(struct facts *f, unsigned second, unsigned weekday);
/* The macros that came with the command of a stage; name NUL value NUL. */
void facts_set_macros(struct facts *f, enum stage stage, struct slice pairs);
/*
 * MAIL FROM as the milter protocol gives it: "<a@b>" and ESMTP arguments,
 * each ended by NUL.  Sets sender, sender_domain, sender_args and, from
 * SIZE=, declared_size.
 */
bool facts_set_mail(struct facts *f, struct slice address,
		    struct slice arguments)
	__attribute__((warn_unused_result));
/* A recipient that was accepted, "<a@b>". */
bool facts_add_recipient(struct facts *f, struct slice address)
	__attribute__((warn_unused_result));
/* The list may grow, but the struct has to stay where it is. */
void facts_set_headers(struct facts *f, const struct header_list *headers);
/* Bytes of message that came: headers and body, on the wire. */
void facts_add_size(struct facts *f, uint64_t bytes);
/*
 * The body's first bytes as they came (no more than FACTS_BODY_MAX are looked
 * at), when that many are there or at the end of message; headers before.
 * From now on body is known.  Decoded text is kept in the message arena.
 */
bool facts_set_body(struct facts *f, struct slice raw)
	__attribute__((warn_unused_result));
/*
 * By a rule; thousandths, may be negative.  Outside of a message: for all of
 * the connection.
 */
void facts_add_score(struct facts *f, int64_t thousandths);
/* A milter's final word; index as in the settings. */
void facts_set_milter(struct facts *f, size_t index, enum fact_milter word);
/* A header that this milter added; before its final word is set. */
bool facts_add_milter_header(struct facts *f, size_t index, struct slice name,
			     struct slice value)
	__attribute__((warn_unused_result));

/* An address without <> and source route: for the one at hand in a rule. */
struct slice facts_address(struct slice written);

/* ---- reading (conditions, and texts of rules) ---- */

/* Is this fact's present value the last word for this message? */
bool facts_known(const struct facts *f, enum fact fact);
/* The value of a macro as of that stage; false: it was not sent. */
bool facts_macro(const struct facts *f, struct slice name, enum stage stage,
		 struct slice *value_out);

#endif
