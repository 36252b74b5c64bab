#include "worker/journal.h"

#include "shared/macro.h"

#define WAITING_MAX (MILTER_PAYLOAD_MAX + 1)

void journal_init(struct journal *j, struct arena *session,
		  struct arena *message, uint64_t macros_max)
{
	*j = (struct journal){ .session = session,
			       .message = message,
			       .macros_max = macros_max };
	for (int i = 0; i < STAGE_COUNT; i++)
		buf_init(&j->waiting[i], WAITING_MAX);
	buf_init(&j->helo_bytes, (size_t)2 * WAITING_MAX);
}

void journal_deinit(struct journal *j)
{
	for (int i = 0; i < STAGE_COUNT; i++)
		buf_deinit(&j->waiting[i]);
	buf_deinit(&j->helo_bytes);
}

void journal_reset(struct journal *j)
{
	journal_end_message(j);
	for (int i = 0; i < STAGE_COUNT; i++) {
		buf_clear(&j->waiting[i]);
		j->is_waiting[i] = false;
	}
	buf_clear(&j->helo_bytes);
	j->has_connect = false;
	j->helo_count = 0;
	j->helo_len = 0;
	j->helo_has_macros = false;
}

void journal_end_message(struct journal *j)
{
	j->has_mail = false;
	j->rcpts = NULL;
	j->rcpt_count = j->rcpt_room = j->rcpt_accepted = 0;
	j->has_data = false;
	j->mail_macros = j->data_macros = (struct journal_macros){ 0 };
	j->eoh_macros = j->eom_macros = (struct journal_macros){ 0 };
	/* Those of a MAIL may have come already, for the message that follows
	 * without an ABORT between (Sendmail, milter-protocol 4.1). */
	for (int i = STAGE_RCPT; i < STAGE_COUNT; i++)
		journal_forget_waiting(j, (enum stage)i);
}

static enum stage stage_of_letter(char letter)
{
	for (int i = 0; i < STAGE_COUNT; i++)
		if (milter_stage_letter((enum stage)i) == letter)
			return (enum stage)i;
	return STAGE_COUNT;
}

/* The leading pairs that fit into max bytes. */
static struct slice cut_pairs(struct slice pairs, uint64_t max)
{
	struct slice rest = pairs, name, value;
	size_t len = 0;

	if (pairs.len <= max)
		return pairs;
	while (macro_next(&rest, &name, &value) && pairs.len - rest.len <= max)
		len = pairs.len - rest.len;
	return slice_head(pairs, len);
}

bool journal_macro(struct journal *j, const struct command_macro *macro)
{
	enum stage stage = stage_of_letter(macro->letter);

	/*
	 * Postfix repeats the end-of-header list before every header and the
	 * end-of-data list before every body chunk; libmilter ignores both,
	 * and the same names come with end of headers and of message.
	 */
	if (stage == STAGE_COUNT || stage == STAGE_HEADER ||
	    stage == STAGE_BODY)
		return true;
	buf_clear(&j->waiting[stage]);
	j->is_waiting[stage] = true;
	return buf_add(&j->waiting[stage],
		       cut_pairs(macro->pairs, j->macros_max));
}

struct slice journal_waiting(const struct journal *j, enum stage stage)
{
	return j->is_waiting[stage] ? buf_slice(&j->waiting[stage]) :
				      SLICE_EMPTY;
}

void journal_forget_waiting(struct journal *j, enum stage stage)
{
	buf_clear(&j->waiting[stage]);
	j->is_waiting[stage] = false;
}

/* Moves what waits for the stage into the arena. */
static bool take_macros(struct journal *j, enum stage stage,
			struct arena *arena, struct journal_macros *out)
{
	*out = (struct journal_macros){ .came = j->is_waiting[stage] };
	if (!out->came)
		return true;
	if (!arena_copy(arena, journal_waiting(j, stage), &out->pairs))
		return false;
	journal_forget_waiting(j, stage);
	return true;
}

bool journal_connect(struct journal *j, const struct command_connect *c)
{
	j->connect = *c;
	if (!arena_copy(j->session, c->host, &j->connect.host) ||
	    !arena_copy(j->session, c->address, &j->connect.address) ||
	    !take_macros(j, STAGE_CONNECT, j->session, &j->connect_macros))
		return false;
	j->has_connect = true;
	return true;
}

/*
 * A client may say HELO as often as it likes: the bytes are overwritten, not
 * added, so that this costs no memory.
 */
bool journal_helo(struct journal *j, struct slice name)
{
	buf_clear(&j->helo_bytes);
	j->helo_len = name.len;
	j->helo_has_macros = j->is_waiting[STAGE_HELO];
	if (!buf_add(&j->helo_bytes, name) ||
	    !buf_add(&j->helo_bytes, journal_waiting(j, STAGE_HELO)))
		return false;
	journal_forget_waiting(j, STAGE_HELO);
	j->helo_count++;
	return true;
}

struct slice journal_helo_name(const struct journal *j)
{
	return slice_head(buf_slice(&j->helo_bytes), j->helo_len);
}

struct journal_macros journal_helo_macros(const struct journal *j)
{
	return (struct journal_macros){ j->helo_has_macros,
					slice_from(buf_slice(&j->helo_bytes),
						   j->helo_len) };
}

static bool copy_envelope(struct arena *a, const struct command_envelope *from,
			  struct command_envelope *copy_out)
{
	return arena_copy(a, from->address, &copy_out->address) &&
	       arena_copy(a, from->args, &copy_out->args);
}

bool journal_mail(struct journal *j, const struct command_envelope *mail)
{
	if (!copy_envelope(j->message, mail, &j->mail) ||
	    !take_macros(j, STAGE_MAIL, j->message, &j->mail_macros))
		return false;
	j->has_mail = true;
	return true;
}

static bool make_room(struct journal *j)
{
	size_t room = j->rcpt_room ? j->rcpt_room * 2 : 8;
	struct journal_rcpt *rcpts;

	if (j->rcpt_count < j->rcpt_room)
		return true;
	rcpts = arena_take_n(j->message, room, sizeof(*rcpts));
	if (!rcpts)
		return false;
	if (j->rcpt_count)
		memcpy(rcpts, j->rcpts, j->rcpt_count * sizeof(*rcpts));
	j->rcpts = rcpts;
	j->rcpt_room = room;
	return true;
}

bool journal_rcpt(struct journal *j, const struct command_envelope *rcpt)
{
	struct journal_rcpt *r;

	if (!make_room(j))
		return false;
	r = &j->rcpts[j->rcpt_count];
	*r = (struct journal_rcpt){ .state = RCPT_AT_HAND };
	if (!copy_envelope(j->message, rcpt, &r->envelope) ||
	    !take_macros(j, STAGE_RCPT, j->message, &r->macros))
		return false;
	j->rcpt_count++;
	return true;
}

bool journal_data(struct journal *j)
{
	if (!take_macros(j, STAGE_DATA, j->message, &j->data_macros))
		return false;
	j->has_data = true;
	return true;
}

bool journal_eoh(struct journal *j)
{
	return take_macros(j, STAGE_EOH, j->message, &j->eoh_macros);
}

bool journal_eom(struct journal *j)
{
	return take_macros(j, STAGE_EOM, j->message, &j->eom_macros);
}

bool journal_is_refused(const struct journal *j, size_t at)
{
	return at < j->rcpt_count && j->rcpts[at].state == RCPT_REFUSED;
}

void journal_rcpt_answered(struct journal *j, bool accepted, int by)
{
	struct journal_rcpt *r = &j->rcpts[j->rcpt_count - 1];

	r->state = accepted ? RCPT_ACCEPTED : RCPT_REFUSED;
	r->refused_by = by;
	if (accepted)
		j->rcpt_accepted++;
}
