#include "shared/milter_option.h"

/* What libmilter reads into a mask of zero: all that version 1 had. */
#define ACTIONS_V1  0x0fu
#define PROTOCOL_V1 0x3fu

/* Bits that mean something to us; the data size bits are not among them. */
#define PROTOCOL_EXTRAS (SMFIP_SKIP | SMFIP_RCPT_REJ | SMFIP_HDR_LEADSPC)
#define PROTOCOL_KNOWN	(SMFIP_NO_ALL | SMFIP_NR_ALL | PROTOCOL_EXTRAS)

/*
 * What we promise an MTA.  Not the envelope's NR bits: there the verdict is
 * wanted at once.  Not NO bits: a child may join at any stage by replay.
 */
#define PROTOCOL_FOR_MTA                                                       \
	(SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY | PROTOCOL_EXTRAS)

bool option_read_offer(const struct option *raw, struct option *offer_out,
		       const char **why_out)
{
	if (raw->version < 2) {
		*why_out = "milter protocol version below 2";
		return false;
	}
	*offer_out = (struct option){
		.version = raw->version < MILTER_VERSION ? raw->version :
							   MILTER_VERSION,
		.actions =
			(raw->actions ? raw->actions : ACTIONS_V1) & SMFIF_ALL,
		.protocol = (raw->protocol ? raw->protocol : PROTOCOL_V1) &
			    PROTOCOL_KNOWN,
	};
	return true;
}

struct option option_for_child(const struct option *offer)
{
	return (struct option){
		.version = MILTER_VERSION,
		.actions = offer->actions & SMFIF_ALL,
		.protocol = SMFIP_NO_ALL | SMFIP_NR_ALL | SMFIP_SKIP |
			    (offer->protocol &
			     (SMFIP_HDR_LEADSPC | SMFIP_RCPT_REJ)),
	};
}

bool option_read_answer(const struct option *raw, const struct option *offered,
			struct option *got_out, const char **why_out)
{
	struct option got = *raw;

	if (raw->version > offered->version) {
		*why_out = "milter protocol version above the one offered";
		return false;
	}
	got.actions &= offered->actions;
	got.protocol &= offered->protocol & PROTOCOL_KNOWN;
	/* These commands came with versions 3 and 4; Go filters close on U. */
	if (got.version < 3)
		got.protocol |= SMFIP_NOUNKNOWN;
	if (got.version < 4)
		got.protocol |= SMFIP_NODATA;
	*got_out = got;
	return true;
}

struct option option_for_mta(const struct option *offer)
{
	return (struct option){
		.version = offer->version < MILTER_VERSION ? offer->version :
							     MILTER_VERSION,
		.actions = offer->actions & SMFIF_ALL,
		.protocol = offer->protocol & PROTOCOL_FOR_MTA,
	};
}

/* Postfix's and Sendmail's defaults together: milter-protocol 2.5. */
struct slice option_default_list(enum milter_list list)
{
	static const char *const names[LIST_COUNT] = {
		[LIST_CONNECT] = "j _ v {daemon_name} {daemon_addr} "
				 "{if_name} {if_addr}",
		[LIST_HELO] = "{tls_version} {cipher} {cipher_bits} "
			      "{cert_subject} {cert_issuer}",
		[LIST_MAIL] = "i {auth_type} {auth_authen} {auth_ssf} "
			      "{auth_author} {mail_mailer} {mail_host} "
			      "{mail_addr}",
		[LIST_RCPT] = "i {rcpt_mailer} {rcpt_host} {rcpt_addr}",
		[LIST_DATA] = "i",
		[LIST_EOM] = "i {msg_id}",
		[LIST_EOH] = "i",
	};

	return list < LIST_COUNT ? slice_str(names[list]) : SLICE_EMPTY;
}
