#include "worker/observe.h"

#include <time.h>

#include "shared/board.h"
#include "shared/clock.h"
#include "shared/macro.h"

/* Sets the fact from a macro of that stage, when it came. */
static void from_macro(struct facts *f, enum fact fact, const char *name,
		       const struct journal_macros *macros)
{
	struct slice value;

	if (macros->came && macro_find(macros->pairs, slice_str(name), &value))
		facts_set_text(f, fact, value);
}

static void take_macros(struct facts *f, enum stage stage,
			const struct journal_macros *macros)
{
	if (macros->came)
		facts_set_macros(f, stage, macros->pairs);
}

void observe_connect(struct facts *f, const struct journal *j)
{
	const struct command_connect *c = &j->connect;

	facts_set_client(f, c->address);
	facts_set_text(f, FACT_CLIENT_NAME, c->host);
	facts_set_number(f, FACT_CLIENT_PORT, c->port);
	from_macro(f, FACT_DAEMON_NAME, "daemon_name", &j->connect_macros);
	take_macros(f, STAGE_CONNECT, &j->connect_macros);
	facts_reach(f, STAGE_CONNECT);
}

void observe_helo(struct facts *f, const struct journal *j)
{
	struct journal_macros macros = journal_helo_macros(j);

	facts_set_text(f, FACT_HELO, journal_helo_name(j));
	take_macros(f, STAGE_HELO, &macros);
	from_macro(f, FACT_TLS_VERSION, "tls_version", &macros);
}

/* How many of the pool's workers are busy, and in percent. */
static void look_at_pool(struct facts *f, const struct worker_env *env)
{
	unsigned slots = board_slots(env->board);
	unsigned busy = board_count_state(env->board, SLOT_BUSY, slots);

	facts_set_number(f, FACT_SESSIONS, busy);
	facts_set_number(f, FACT_LOAD, slots ? busy * 100 / slots : 0);
}

static void look_at_login(struct facts *f, const struct journal_macros *macros)
{
	struct slice user, type;
	bool has_user =
		macros->came &&
		macro_find(macros->pairs, SLICE_LIT("auth_authen"), &user) &&
		user.len;
	bool has_type =
		macros->came &&
		macro_find(macros->pairs, SLICE_LIT("auth_type"), &type) &&
		type.len;

	if (has_user)
		facts_set_text(f, FACT_AUTH_USER, user);
	if (has_type)
		facts_set_text(f, FACT_AUTH_TYPE, type);
	facts_set_bool(f, FACT_AUTHENTICATED, has_user || has_type);
}

void observe_clock(struct facts *f, const struct worker_env *env)
{
	facts_set_clock(f,
			time(NULL) + (time_t)(env->conf->test_clock / CLOCK_S));
}

bool observe_mail(struct facts *f, const struct journal *j,
		  const struct message *m, const struct worker_env *env)
{
	look_at_login(f, &j->mail_macros);
	look_at_pool(f, env);
	take_macros(f, STAGE_MAIL, &j->mail_macros);
	facts_set_headers(f, &m->original.headers);
	if (!facts_set_mail(f, j->mail.address, j->mail.args))
		return false;
	facts_reach(f, STAGE_MAIL);
	return true;
}

void observe_rcpt(struct facts *f, const struct journal *j)
{
	take_macros(f, STAGE_RCPT, &j->rcpts[j->rcpt_count - 1].macros);
}

bool observe_accepted(struct facts *f, const struct journal *j)
{
	return facts_add_recipient(
		f, j->rcpts[j->rcpt_count - 1].envelope.address);
}

void observe_refused(struct facts *f, const struct journal *j)
{
	facts_set_macros(f, STAGE_RCPT, SLICE_EMPTY);
	for (size_t i = 0; i < j->rcpt_count; i++)
		if (j->rcpts[i].state == RCPT_ACCEPTED)
			take_macros(f, STAGE_RCPT, &j->rcpts[i].macros);
}

void observe_data(struct facts *f, const struct journal *j)
{
	take_macros(f, STAGE_DATA, &j->data_macros);
	facts_reach(f, STAGE_DATA);
}

void observe_end_of_headers(struct facts *f, const struct journal *j)
{
	take_macros(f, STAGE_EOH, &j->eoh_macros);
	facts_reach(f, STAGE_EOH);
}

bool observe_body(struct facts *f, const struct message *m,
		  struct arena *message_arena, bool complete)
{
	struct buf bytes;
	struct slice copy;
	bool ok = true;

	if (facts_known(f, FACT_BODY) ||
	    (m->body.len < FACTS_BODY_MAX && !complete))
		return true;
	buf_init(&bytes, FACTS_BODY_MAX + MILTER_PAYLOAD_MAX);
	for (size_t at = 0, n = 1; ok && n && at < FACTS_BODY_MAX; at += n)
		ok = body_read(&m->body, at, FACTS_BODY_MAX - at, &bytes, &n);
	ok = ok && arena_copy(message_arena, buf_slice(&bytes), &copy) &&
	     facts_set_body(f, copy);
	buf_deinit(&bytes);
	return ok;
}

void observe_end(struct facts *f, const struct journal *j)
{
	take_macros(f, STAGE_EOM, &j->eom_macros);
	facts_reach(f, STAGE_EOM);
}
