/*
 * Cases from random numbers.  Most children say "continue" most of the time,
 * so that most messages get far; what is left out here is left out because
 * the design gives no answer to it, and each such place says so.
 */
#include "t/prop/prop.h"

struct maker {
	struct prop_case *c;
	struct arena *a;
	struct rng r;	/* of the case */
	unsigned spice; /* one reaction in so many is not "continue" */
	unsigned helos;
};

static const char *const names[] = { "Subject", "X-A", "X-B",
				      "To",	 "x-a", "From",
				      "Date",	 "X-A" };
static const char *const new_names[] = { "X-A",	 "x-b",	  "Subject",
					 "To",	 "X-New", "From" };
static const char *const replies[] = {
	"550 5.7.1 refused",
	"450 4.7.1 come back later",
	"554 no",
	"551-5.7.1 first line\r\n551 5.7.1 second line",
	"452-4.2.2 one\r\n452-4.2.2 two\r\n452 4.2.2 three",
	"550 5.7.1 one hundred %% sure",
};
/* Not fit for the MTA: only the class of the verdict is used. */
static const char *const bad_replies[] = {
	"550 4.7.1 neither fish nor flesh",
	"551-5.7.1 first\r\n550 5.7.1 other code",
	"450 5.1.1 temporary for ever",
};
static const char *const garbage[] = {
	"\0\0\0\1Z",	     /* unknown letter */
	"\0\0\0\0",	     /* length 0 */
	"\0\0\0\2cx",	     /* payload where none may be */
	"\177\377\377\377c", /* absurd length */
	"\0\0\0\1f",	     /* CONN_FAIL */
	"\0\0\0\0014",     /* SHUTDOWN */
};
static const unsigned garbage_len[] = { 5, 4, 6, 5, 5, 5 };
/* An edit: garbage anywhere but at end of message. */
#define EARLY_EDIT     "\0\0\0\5hX\0v\0"
#define EARLY_EDIT_LEN 9u

#define PICK(m, array) \
	((array)[rng_below(&(m)->r, sizeof(array) / sizeof((array)[0]))])

static bool once_in(struct maker *m, unsigned n)
{
	return rng_once_in(&m->r, n);
}

/* The template with its first '#' replaced. */
static struct slice numbered(struct maker *m, const char *template, unsigned n)
{
	const char *hash = strchr(template, '#');

	if (!hash)
		return slice_str(template);
	return text(m->a, "%.*s%u%s", (int)(hash - template), template, n,
		    hash + 1);
}

/* may_edit: an edit is wrong here, and will not be taken for a later one. */
static void make_failure(struct maker *m, struct reaction *r, bool may_edit)
{
	unsigned which = rng_below(&m->r, may_edit ? 7 : 6);

	r->times = once_in(m, 2) ? 1 : 0;
	r->kind = FAIL_CLOSE;
	if (once_in(m, 300)) {
		r->kind = FAIL_SILENT;
	} else if (which < 6) {
		r->kind = once_in(m, 2) ? FAIL_GARBAGE : FAIL_CLOSE;
		r->text = slice_of(garbage[which], garbage_len[which]);
	} else {
		r->kind = FAIL_GARBAGE;
		r->text = slice_of(EARLY_EDIT, EARLY_EDIT_LEN);
	}
}

/*
 * kinds: the letters to choose from; 'X' stands for any failure, in front for
 * any but an edit.
 */
static void react(struct maker *m, struct reaction *r, const char *kinds)
{
	r->kind = SMFIR_CONTINUE;
	r->progress = once_in(m, 30);
	if (!once_in(m, m->spice))
		return;
	r->kind = kinds[rng_below(&m->r, (unsigned)strlen(kinds))];
	if (r->kind == FAIL_CLOSE)
		make_failure(m, r, *kinds != 'X');
	else if (r->kind == SMFIR_REPLYCODE && once_in(m, 5))
		r->text = slice_str(PICK(m, bad_replies));
	else if (r->kind == SMFIR_REPLYCODE)
		r->text = slice_str(PICK(m, replies));
}

/* What one child asks for; only what it negotiated. */
static bool make_edit(struct maker *m, const struct kid_plan *k,
		      struct edit *e, unsigned number)
{
	static const char kinds[] = { SMFIR_ADDHEADER,	 SMFIR_INSHEADER,
				      SMFIR_CHGHEADER,	 SMFIR_CHGHEADER,
				      SMFIR_CHGHEADER,	 SMFIR_CHGHEADER,
				      SMFIR_ADDRCPT,	 SMFIR_DELRCPT,
				      SMFIR_ADDRCPT_PAR, SMFIR_CHGFROM,
				      SMFIR_QUARANTINE };
	static const uint32_t needs[] = { SMFIF_ADDHDRS,     SMFIF_ADDHDRS,
					  SMFIF_CHGHDRS,     SMFIF_CHGHDRS,
					  SMFIF_CHGHDRS,     SMFIF_CHGHDRS,
					  SMFIF_ADDRCPT,     SMFIF_DELRCPT,
					  SMFIF_ADDRCPT_PAR, SMFIF_CHGFROM,
					  SMFIF_QUARANTINE };
	unsigned which = rng_below(&m->r, sizeof(kinds));
	static const uint32_t odd[] = { 0, 7, 0xffffffff, 4000 };
	static const char *const values[] = { "v#", " v#", "  v#",
					      "one\n two #",
					      "cr\r\nbare #" };

	if (!(k->actions & m->c->actions & needs[which]))
		return false;
	e->kind = kinds[which];
	if (e->kind == SMFIR_QUARANTINE) {
		if (!once_in(m, 4))
			return false;
		e->value = text(m->a, "held %u", number);
		return true;
	}
	if (needs[which] & (SMFIF_ADDHDRS | SMFIF_CHGHDRS)) {
		e->name = slice_str(PICK(m, new_names));
		/* Adding what Sendmail has a default for is not recorded
		 * well enough to build on. */
		if ((e->kind != SMFIR_CHGHEADER || k->order == ORDER_FREE) &&
		    m->c->mta == MTA_SENDMAIL && slice_is(e->name, "From"))
			e->name = slice_str("X-New");
		e->index = once_in(m, 5) ? PICK(m, odd) : rng_below(&m->r, 4);
		if (e->kind == SMFIR_ADDHEADER)
			e->index = 0;
		if (k->order == ORDER_FREE && e->kind == SMFIR_INSHEADER)
			e->index = 0; /* what else it means is not said */
		if (e->kind == SMFIR_CHGHEADER && once_in(m, 3))
			e->value = SLICE_EMPTY;
		else
			e->value = numbered(m, PICK(m, values), number);
		return true;
	}
	e->name = text(m->a, "<new%u@x.example>", rng_below(&m->r, 4));
	e->has_args = (e->kind == SMFIR_ADDRCPT_PAR ||
		       e->kind == SMFIR_CHGFROM) &&
		      once_in(m, 2);
	e->value = e->has_args ? slice_str("NOTIFY=NEVER X=Y") : SLICE_EMPTY;
	return true;
}

static struct slice filling(struct maker *m, size_t len)
{
	char *p = take(m->a, len + 1, 1);
	unsigned shift = rng_below(&m->r, 26);

	for (size_t i = 0; i < len; i++)
		p[i] = (char)('a' + (i + i / 77 + shift) % 26);
	for (size_t i = 70; i + 1 < len; i += 72) {
		p[i] = '\r';
		p[i + 1] = '\n';
	}
	return slice_of(p, len);
}

static void make_new_body(struct maker *m, struct kid_message *k)
{
	unsigned chunks = 1 + rng_below(&m->r, 3);
	bool empty = once_in(m, 4);

	for (unsigned i = 0; i < chunks && k->edit_count < EDITS_MAX; i++) {
		struct edit *e = &k->edits[k->edit_count++];
		size_t len = once_in(m, 10) ? 65535 : rng_below(&m->r, 200);

		*e = (struct edit){ .kind = SMFIR_REPLBODY };
		e->value = empty ? SLICE_EMPTY : filling(m, len);
	}
}

static void make_edits(struct maker *m, const struct kid_plan *k,
		       struct kid_message *km)
{
	unsigned n = once_in(m, 2) ? rng_below(&m->r, EDITS_MAX) : 0;

	bool held = false;

	for (unsigned i = 0; i < n; i++) {
		struct edit *e = &km->edits[km->edit_count];

		*e = (struct edit){ .kind = 0 };
		if (!make_edit(m, k, e, rng_below(&m->r, 1000)))
			continue;
		/* Two reasons of one child: which counts, nobody says. */
		if (e->kind == SMFIR_QUARANTINE && held)
			continue;
		held |= e->kind == SMFIR_QUARANTINE;
		km->edit_count++;
	}
	if (k->actions & m->c->actions & SMFIF_CHGBODY && once_in(m, 5))
		make_new_body(m, km);
}

/* A child with NR_ says nothing there; it may still break down over the
 * content, which is noticed by the end of message at the latest. */
static const char *content_kinds(const struct kid_plan *k, uint32_t no_reply,
				 bool may_skip)
{
	if (k->protocol & no_reply)
		return "X";
	if (may_skip && k->protocol & SMFIP_SKIP)
		return "artydXs";
	return "artydX";
}

/*
 * A child that refuses a recipient late and then breaks down over the
 * content: which of the two counts is a matter of time.
 */
static void tame_late(struct kid_message *km)
{
	struct reaction *r[] = { &km->header, &km->eoh, &km->body, &km->eom };
	bool refuses = false;

	for (unsigned n = 0; n < RCPTS_MAX; n++)
		refuses |= strchr("rty", km->rcpt[n].kind) != NULL;
	for (unsigned i = 0; i < 4 && refuses; i++)
		if (strchr("XGS", r[i]->kind))
			r[i]->kind = SMFIR_CONTINUE;
}

static void make_kid_message(struct maker *m, struct kid_plan *k, unsigned i,
			     bool above_refuses[RCPTS_MAX])
{
	struct kid_message *km = &k->messages[i];
	uint32_t nr = k->protocol;
	bool is_free = k->order == ORDER_FREE;

	react(m, &km->mail, nr & SMFIP_NR_MAIL ? "c" : "artydX");
	for (unsigned n = 0; n < RCPTS_MAX; n++) {
		struct reaction *r = &km->rcpt[n];
		/* A free child keeps a refused recipient in view; whether
		 * its discard or failure there counts, nobody says. */
		const char *kinds = is_free && above_refuses[n] ?
					    "art" :
					    "arrttyydX";

		react(m, r, nr & SMFIP_NR_RCPT ? "c" : kinds);
		if (k->mode == MODE_ON &&
		    (r->kind == SMFIR_REJECT || r->kind == SMFIR_TEMPFAIL ||
		     r->kind == SMFIR_REPLYCODE))
			above_refuses[n] = true;
	}
	react(m, &km->data, nr & SMFIP_NR_DATA ? "c" : "artydX");
	react(m, &km->header, content_kinds(k, SMFIP_NR_HDR, true));
	react(m, &km->eoh, content_kinds(k, SMFIP_NR_EOH, false));
	react(m, &km->body, content_kinds(k, SMFIP_NR_BODY, true));
	react(m, &km->eom, "Xaarrtyyd");
	if (k->join > STAGE_RCPT && k->late == LATE_VERDICT)
		tame_late(km);
	km->header_at = rng_below(&m->r, 4);
	km->body_at = once_in(m, 3) ? rng_below(&m->r, 70000) : 0;
	make_edits(m, k, km);
	km->leaves = once_in(m, m->spice * 3);
}

/* Bits that are set with one chance in n each. */
static uint32_t some_bits(struct maker *m, uint32_t of, unsigned n)
{
	uint32_t bits = 0;

	for (uint32_t b = 1; b && b <= of; b <<= 1)
		if (of & b && once_in(m, n))
			bits |= b;
	return bits;
}

static void make_lists(struct maker *m, struct kid_plan *k)
{
	static const char *const lists[] = { "i", "{mail_addr} i",
					     "{rcpt_addr}", "j v", "",
					     "{nothing}", "{i} _" };

	for (unsigned i = 0; i < LIST_COUNT; i++) {
		k->has_list[i] = once_in(m, 8);
		k->list[i] = slice_str(PICK(m, lists));
	}
}

static void make_negotiation(struct maker *m, struct kid_plan *k)
{
	static const uint32_t versions[] = { 6, 6, 6, 6, 4, 3, 2 };
	unsigned n = once_in(m, 2) ? 1000 : 6;

	k->version = PICK(m, versions);
	k->actions = once_in(m, 3) ? some_bits(m, SMFIF_ALL, 2) : SMFIF_ALL;
	k->protocol = some_bits(m, SMFIP_NO_ALL, n) |
		      some_bits(m, SMFIP_NR_ALL, n);
	if (once_in(m, 5))
		k->protocol |= SMFIP_NR_ALL; /* as rspamd */
	if (once_in(m, 2))
		k->protocol |= SMFIP_SKIP;
	if (once_in(m, 2))
		k->protocol |= SMFIP_HDR_LEADSPC;
	if (once_in(m, 2))
		k->protocol |= SMFIP_RCPT_REJ;
	/* What was not offered, it may not ask for. */
	k->protocol &= m->c->protocol | SMFIP_NO_ALL | SMFIP_NR_ALL |
		       SMFIP_SKIP;
	k->actions &= m->c->actions;
	make_lists(m, k);
}

/* The settings are the same for a group of cases: a sekishod each. */
static void make_settings(struct prop_case *c, uint64_t seed)
{
	static const enum stage joins[] = { STAGE_HELO,	  STAGE_MAIL,
					    STAGE_RCPT,	  STAGE_DATA,
					    STAGE_HEADER, STAGE_EOH,
					    STAGE_BODY,	  STAGE_EOM };
	struct rng r = { seed + 0x9e3779b9u * (c->number / CASES_PER_GROUP) };

	rng_next(&r);
	c->kid_count = 1 + rng_below(&r, KIDS_MAX);
	c->small_memory = rng_once_in(&r, 2);
	for (unsigned i = 0; i < c->kid_count; i++) {
		struct kid_plan *k = &c->kids[i];
		unsigned o = rng_below(&r, 10);
		unsigned mode = rng_below(&r, 12);

		k->order = o < 6 ? ORDER_CHAIN :
			   o < 8 ? ORDER_FREE :
				   ORDER_STRICT;
		k->mode = mode == 0 ? MODE_OFF :
			  mode == 1 ? MODE_EVALUATE :
				      MODE_ON;
		k->policy = (enum conf_policy)rng_below(&r, 5);
		k->late = rng_once_in(&r, 3) ? LATE_KEEP : LATE_VERDICT;
		k->serial = rng_once_in(&r, 6);
		k->join = STAGE_CONNECT;
		if (rng_once_in(&r, 4))
			k->join = joins[rng_below(&r, 8)];
	}
}

static void make_kid(struct maker *m, struct kid_plan *k,
		     bool above_refuses[MESSAGES_MAX][RCPTS_MAX])
{
	unsigned spice = m->spice;

	make_negotiation(m, k);
	m->spice = spice * 3;
	react(m, &k->optneg, "X");
	react(m, &k->connect,
	      k->protocol & SMFIP_NR_CONN ? "c" : "artydXXX");
	for (unsigned i = 0; i < HELOS_MAX; i++) {
		react(m, &k->helo[i],
		      k->protocol & SMFIP_NR_HELO ? "c" : "artydXXX");
		/* When a child that joins late hears a second HELO is its
		 * manager's affair, so it has nothing against it. */
		if (i > 0 && k->join > STAGE_CONNECT)
			k->helo[i].kind = SMFIR_CONTINUE;
	}
	react(m, &k->unknown,
	      k->protocol & SMFIP_NR_UNKN || k->join > STAGE_CONNECT ?
		      "c" :
		      "rtyya");
	m->spice = spice;
	for (unsigned i = 0; i < MESSAGES_MAX; i++)
		make_kid_message(m, k, i, above_refuses[i]);
}

/* ------------------------------------------------------- the MTA's side */

static struct op *add_op(struct maker *m, char letter, unsigned message)
{
	struct op *o = &m->c->ops[m->c->op_count];

	if (m->c->op_count == OPS_MAX)
		die("a case with too many commands");
	m->c->op_count++;
	*o = (struct op){ .letter = letter, .message = message };
	return o;
}

static void give_macros(struct maker *m, struct op *o, struct slice pairs)
{
	o->has_macros = pairs.len > 0 || once_in(m, 2);
	o->macros = pairs;
}

static void add_helo(struct maker *m, unsigned message)
{
	struct op *o = add_op(m, SMFIC_HELO, message);

	o->number = m->helos++;
	o->payload = text(m->a, "helo%u.example%c", o->number, 0);
	if (once_in(m, 2))
		give_macros(m, o,
			    text(m->a, "{tls_version}%cTLSv1.%u%c", 0,
				 o->number, 0));
	else
		give_macros(m, o, SLICE_EMPTY);
}

static void add_connect(struct maker *m)
{
	struct op *o = add_op(m, SMFIC_CONNECT, MESSAGES_MAX);
	static const char *const v[] = { "8.17.1", "Exim 4", "" };
	const char *version = m->c->mta == MTA_POSTFIX ? "Postfix 3.7.11" :
							 PICK(m, v);

	switch (rng_below(&m->r, 4)) {
	case 0:
		o->payload = text(m->a, "localhost%cU", 0);
		break;
	case 1:
		o->payload = text(m->a, "six.example%c6%c%c2001:db8::7%c", 0,
				  1, 2, 0);
		break;
	case 2:
		o->payload = text(m->a, "local%cL%c%c/run/x%c", 0, 0, 0, 0);
		break;
	default:
		o->payload = text(m->a, "mx.example%c4%c%c192.0.2.7%c", 0, 8,
				  9, 0);
	}
	give_macros(m, o,
		    text(m->a, "j%cmta.example%cv%c%s%c_%cmx.example%c", 0, 0,
			 0, version, 0, 0, 0));
}

static void add_unknown(struct maker *m, unsigned message)
{
	struct op *o;

	if (m->c->version < 3 || !once_in(m, 6))
		return;
	o = add_op(m, SMFIC_UNKNOWN, message);
	o->payload = text(m->a, "NOSUCH %u%c", message, 0);
	if (m->c->mta == MTA_POSTFIX)
		give_macros(m, o, SLICE_EMPTY);
}

static void add_envelope(struct maker *m, unsigned i)
{
	unsigned n = once_in(m, 8) ? 0 : 1 + rng_below(&m->r, RCPTS_MAX);
	struct op *o = add_op(m, SMFIC_MAIL, i);

	o->payload = text(m->a, once_in(m, 2) ? "<s%u@a.example>%cSIZE=7%c" :
						"<s%u@a.example>%c",
			  i, 0, 0);
	give_macros(m, o,
		    text(m->a, "i%cQ%uM%c{mail_addr}%cs%u%c", 0, i, 0, 0, i,
			 0));
	for (unsigned r = 0; r < n; r++) {
		bool bad = m->c->protocol & SMFIP_RCPT_REJ && once_in(m, 6);

		o = add_op(m, SMFIC_RCPT, i);
		o->number = r;
		o->rejected = bad;
		o->payload = text(m->a, "<%c%u@m%u.example>%cNOTIFY=NEVER%c",
				  bad ? 'x' : 'r', r, i, 0, 0);
		give_macros(m, o,
			    text(m->a,
				 "i%cQ%uR%u%c{rcpt_addr}%cr%u%c"
				 "{rcpt_mailer}%c%s%c",
				 0, i, r, 0, 0, r, 0, 0,
				 bad ? "error" : "esmtp", 0));
		add_unknown(m, i);
	}
}

static void add_header(struct maker *m, unsigned i, const char *name)
{
	static const char *const values[] = { "v#",	" v#",	 " v#", " v#",
					      "  v#",	"\tv#",	 "",	" ",
					      " a#\n\tb", "a\n b #" };
	struct op *o = add_op(m, SMFIC_HEADER, i);
	struct slice value =
		numbered(m, PICK(m, values), rng_below(&m->r, 1000));

	o->payload = text(m->a, "%s%c%.*s%c", name, 0, SLICE_ARG(value), 0);
	if (m->c->mta == MTA_POSTFIX)
		give_macros(m, o, text(m->a, "i%cQ%uL%c", 0, i, 0));
}

static void add_headers(struct maker *m, unsigned i)
{
	unsigned n = rng_below(&m->r, 9);

	for (unsigned k = 0; k < n; k++)
		add_header(m, i, PICK(m, names));
}

static void add_body(struct maker *m, unsigned i)
{
	unsigned chunks = once_in(m, 4) ? 0 : 1;

	if (once_in(m, 10))
		chunks = 1 + rng_below(&m->r, 4);
	for (unsigned k = 0; k < chunks; k++) {
		struct op *o = add_op(m, SMFIC_BODY, i);
		size_t len = 1 + rng_below(&m->r, 300);

		if (chunks > 1 && once_in(m, 2))
			len = 65535;
		o->payload = filling(m, len);
		if (m->c->mta == MTA_POSTFIX)
			give_macros(m, o, text(m->a, "i%cQ%uB%c", 0, i, 0));
	}
}

static void add_content(struct maker *m, unsigned i)
{
	unsigned start = m->c->op_count;
	struct op *o;

	if (m->c->version >= 4 && !once_in(m, 8))
		give_macros(m, add_op(m, SMFIC_DATA, i),
			    text(m->a, "i%cQ%uT%c", 0, i, 0));
	add_headers(m, i);
	o = add_op(m, SMFIC_EOH, i);
	give_macros(m, o, text(m->a, "i%cQ%uN%c", 0, i, 0));
	add_body(m, i);
	o = add_op(m, SMFIC_BODYEOB, i);
	give_macros(m, o,
		    text(m->a, "i%cQ%uE%c{msg_id}%c%u%c", 0, i, 0, 0, i, 0));
	if (once_in(m, 8)) /* the client goes away in the middle */
		m->c->op_count = start + rng_below(&m->r, m->c->op_count -
								  start);
}

static void add_message(struct maker *m, unsigned i)
{
	add_envelope(m, i);
	if (!once_in(m, 10))
		add_content(m, i);
	if (m->helos < HELOS_MAX && once_in(m, 8)) {
		/* HELO ends the message: who aborts first differs. */
		if (m->c->mta == MTA_SENDMAIL)
			add_op(m, SMFIC_ABORT, i);
		add_helo(m, MESSAGES_MAX);
		if (m->c->mta == MTA_POSTFIX)
			add_op(m, SMFIC_ABORT, MESSAGES_MAX);
	} else if (m->c->mta == MTA_POSTFIX || once_in(m, 2)) {
		add_op(m, SMFIC_ABORT, i);
		add_unknown(m, MESSAGES_MAX);
	}
}

static void make_offer(struct maker *m)
{
	static const uint32_t versions[] = { 6, 6, 6, 6, 6, 4, 3, 2 };
	struct prop_case *c = m->c;
	bool quarantine = false;

	c->mta = once_in(m, 2) ? MTA_POSTFIX : MTA_SENDMAIL;
	c->version = PICK(m, versions);
	c->protocol = c->version == 6 ? 0x1fffff :
		      c->version == 4 ? 0x37f :
		      c->version == 3 ? 0x17f :
					0x7f;
	if (c->version == 6 && once_in(m, 3))
		c->protocol &= ~some_bits(m, 0x1fffff & ~SMFIP_NO_ALL, 3);
	c->actions = once_in(m, 4) ? SMFIF_ALL & ~some_bits(m, SMFIF_ALL, 4) :
				     SMFIF_ALL;
	/* A zero word is an old way to say "the first ones". */
	c->actions |= SMFIF_ADDHDRS;
	/* When a policy asks for a quarantine that nobody offers, the design
	 * says tempfail but not at which command. */
	for (unsigned i = 0; i < c->kid_count; i++)
		quarantine |= c->kids[i].policy == POLICY_QUARANTINE;
	if (quarantine)
		c->actions |= SMFIF_QUARANTINE;
}

/*
 * When a child breaks down over content that the MTA breaks off, it may be
 * noticed in the next message only.  Closing is harmless then.
 */
static void tame_broken_off(struct prop_case *c)
{
	bool ends[MESSAGES_MAX] = { false };

	for (unsigned i = 0; i < c->op_count; i++)
		if (c->ops[i].letter == SMFIC_BODYEOB)
			ends[c->ops[i].message] = true;
	for (unsigned i = 0; i < MESSAGES_MAX * c->kid_count; i++) {
		struct kid_message *km =
			&c->kids[i / MESSAGES_MAX].messages[i % MESSAGES_MAX];
		struct reaction *r[] = { &km->header, &km->eoh, &km->body };

		for (unsigned n = 0; n < 3 && !ends[i % MESSAGES_MAX]; n++)
			if (strchr("GS", r[n]->kind))
				r[n]->kind = FAIL_CLOSE;
	}
}

void generate(struct prop_case *c, struct arena *a, uint64_t seed,
	      unsigned number)
{
	struct maker m = { .c = c, .a = a };
	bool above_refuses[MESSAGES_MAX][RCPTS_MAX] = { { false } };
	unsigned messages;

	*c = (struct prop_case){ .seed = seed, .number = number, .arena = a };
	m.r.state = (seed << 20) ^ (number * 0x100000001b3u);
	rng_next(&m.r);
	make_settings(c, seed);
	m.spice = 4 + rng_below(&m.r, 60);
	c->shuffled = once_in(&m, 3);
	make_offer(&m);
	for (unsigned i = 0; i < c->kid_count; i++)
		make_kid(&m, &c->kids[i], above_refuses);

	add_connect(&m);
	add_unknown(&m, MESSAGES_MAX);
	if (!once_in(&m, 20))
		add_helo(&m, MESSAGES_MAX);
	add_unknown(&m, MESSAGES_MAX);
	messages = 1 + rng_below(&m.r, MESSAGES_MAX);
	for (unsigned i = 0; i < messages; i++)
		add_message(&m, i);
	if (!once_in(&m, 4))
		add_op(&m, SMFIC_QUIT, MESSAGES_MAX);
	tame_broken_off(c);
}
