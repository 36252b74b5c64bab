#include "tool/mta_message.h"

#include "shared/header_list.h"
#include "tool/script.h"

static struct slice bare(struct slice address)
{
	if (address.len >= 2 && address.data[0] == '<' &&
	    address.data[address.len - 1] == '>')
		return slice_of(address.data + 1, address.len - 2);
	return address;
}

/* --- recipients --- */

static struct report_rcpt *find_rcpt(struct report *r, struct slice address,
				     enum mta mta)
{
	for (struct report_rcpt *p = r->rcpts; p; p = p->next) {
		if (p->fate != FATE_ACCEPTED && p->fate != FATE_ADDED)
			continue;
		if (slice_equal(bare(p->address), bare(address)) ||
		    (mta == MTA_SENDMAIL &&
		     slice_equal_case(bare(p->address), bare(address))))
			return p;
	}
	return NULL;
}

/* An empty address is ignored by both MTAs, a second copy is harmless. */
static void add_rcpt(struct report *r, struct slice address, enum mta mta)
{
	if (!bare(address).len)
		report_warn(r, SLICE_LIT("addrcpt without an address"));
	else if (!find_rcpt(r, address, mta))
		report_rcpt(r, address, FATE_ADDED);
}

static void delete_rcpt(struct report *r, struct slice address, enum mta mta)
{
	struct report_rcpt *p = find_rcpt(r, address, mta);

	if (p)
		p->fate = FATE_DELETED;
	else
		report_warn(r, SLICE_LIT("delrcpt of an unknown recipient"));
}

/* --- headers --- */

static bool is_failed(const struct header_list *l)
{
	return arena_failed(l->arena);
}

static void change_header(struct header_list *l, const struct answer_header *h)
{
	struct header *entry = header_list_find(l, h->index, h->name);

	(void)header_list_change(l, entry, h->name, h->value);
}

static bool fill(struct header_list *l, struct arena *arena,
		 const struct eml *eml, enum mta mta, bool has_leadspc)
{
	if (!header_list_init(l, arena, mta))
		return false;
	for (size_t i = 0; i < eml->count; i++) {
		struct slice raw = eml->headers[i].raw;

		if (!header_list_append(l, eml->headers[i].name,
					has_leadspc ? raw : eml_unspaced(raw)))
			return false;
	}
	return true;
}

/* What no filter touched is written just as it came. */
static bool print_headers(const struct header_list *l, const struct eml *eml,
			  bool has_leadspc, struct buf *out)
{
	const struct header *h = NULL;

	while ((h = header_list_next(l, h))) {
		bool is_raw = has_leadspc;
		struct slice value = h->value;

		/* Entries of the message itself have the first numbers. */
		if (!h->is_changed && h->id && h->id <= eml->count) {
			value = eml->headers[h->id - 1].raw;
			is_raw = true;
		}
		if (!eml_print_header(out, h->name, value, is_raw))
			return false;
	}
	return buf_add(out, SLICE_LIT("\r\n"));
}

/* --- all together --- */

static bool carry_out(struct report *r, struct header_list *l,
		      const struct answer *a, struct buf *body)
{
	switch (a->kind) {
	case ANSWER_ADDHEADER:
		return header_list_add(l, a->header.name, a->header.value);
	case ANSWER_INSHEADER:
		return header_list_insert(l, a->header.index, a->header.name,
					  a->header.value);
	case ANSWER_CHGHEADER:
		change_header(l, &a->header);
		return !is_failed(l);
	case ANSWER_REPLBODY:
		r->is_body_replaced = true;
		return buf_add(body, a->body);
	case ANSWER_ADDRCPT:
	case ANSWER_ADDRCPT_PAR:
		add_rcpt(r, a->address.address, l->mta);
		return true;
	case ANSWER_DELRCPT:
		delete_rcpt(r, a->address.address, l->mta);
		return true;
	case ANSWER_CHGFROM:
		r->sender = a->address.address;
		r->sender_args = a->address.args;
		return true;
	case ANSWER_QUARANTINE:
		r->quarantine = a->text;
		r->verdict = VERDICT_QUARANTINE;
		return true;
	case ANSWER_OPTNEG:
	case ANSWER_CONTINUE:
	case ANSWER_ACCEPT:
	case ANSWER_REJECT:
	case ANSWER_TEMPFAIL:
	case ANSWER_REPLYCODE:
	case ANSWER_DISCARD:
	case ANSWER_SKIP:
	case ANSWER_PROGRESS:
	case ANSWER_SHUTDOWN:
	case ANSWER_CONN_FAIL:
	case ANSWER_COUNT:
		break;
	}
	return true;
}

static bool edit_all(struct report *r, const struct eml *eml,
		     struct header_list *l, bool has_leadspc, struct buf *body,
		     struct buf *out)
{
	struct slice text;

	for (const struct report_edit *e = r->edits; e; e = e->next)
		if (!carry_out(r, l, &e->answer, body))
			return false;
	text = r->is_body_replaced ? buf_slice(body) : eml->body;
	r->body_size = text.len;
	r->body_hash = script_hash(SCRIPT_HASH, text);
	return print_headers(l, eml, has_leadspc, out) && buf_add(out, text);
}

bool mta_message_edit(struct report *r, const struct eml *eml, enum mta mta,
		      bool has_leadspc, struct buf *out)
{
	struct header_list list;
	struct buf body;
	bool ok;

	buf_init(&body, out->ceiling);
	ok = fill(&list, &r->arena, eml, mta, has_leadspc) &&
	     edit_all(r, eml, &list, has_leadspc, &body, out);
	buf_deinit(&body);
	return ok;
}
