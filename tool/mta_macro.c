#include "tool/mta_macro.h"

#include <stdio.h>

#include "shared/macro.h"

#define HOSTNAME  "mta.example.org"
#define VALUE_MAX 1024

static const char *const defaults_postfix[STAGE_COUNT] = {
	[STAGE_CONNECT] = "j {daemon_name} {daemon_addr} v _",
	[STAGE_HELO] = "{tls_version} {cipher} {cipher_bits} {cert_subject} "
		       "{cert_issuer}",
	[STAGE_MAIL] = "i {auth_type} {auth_authen} {auth_author} {mail_addr} "
		       "{mail_host} {mail_mailer}",
	[STAGE_RCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
	[STAGE_DATA] = "i",
	[STAGE_HEADER] = "i",
	[STAGE_EOH] = "i",
	[STAGE_BODY] = "i",
	[STAGE_EOM] = "i",
};

static const char *const defaults_sendmail[STAGE_COUNT] = {
	[STAGE_CONNECT] = "j _ {daemon_name} {if_name} {if_addr}",
	[STAGE_HELO] = "{tls_version} {cipher} {cipher_bits} {cert_subject} "
		       "{cert_issuer}",
	[STAGE_MAIL] = "i {auth_type} {auth_authen} {auth_ssf} {auth_author} "
		       "{mail_mailer} {mail_host} {mail_addr}",
	[STAGE_RCPT] = "{rcpt_mailer} {rcpt_host} {rcpt_addr}",
	[STAGE_EOM] = "{msg_id}",
};

static struct slice unbraced(struct slice name)
{
	if (name.len > 2 && name.data[0] == '{' &&
	    name.data[name.len - 1] == '}')
		return slice_of(name.data + 1, name.len - 2);
	return name;
}

static struct slice without_brackets(struct slice address)
{
	if (address.len >= 2 && address.data[0] == '<' &&
	    address.data[address.len - 1] == '>')
		return slice_of(address.data + 1, address.len - 2);
	return address;
}

static struct slice domain_of(struct slice address)
{
	struct slice bare = without_brackets(address);
	ptrdiff_t at = slice_find(bare, '@');

	return at < 0 ? SLICE_EMPTY : slice_from(bare, (size_t)at + 1);
}

static struct slice about_client(const struct mta_settings *set,
				 struct slice name, char words[VALUE_MAX])
{
	/* Postfix and Sendmail spell it alike: name [address]. */
	if (slice_is(name, "_")) {
		snprintf(words, VALUE_MAX, "%.*s [%.*s]",
			 SLICE_ARG(set->client_name),
			 SLICE_ARG(set->client_address));
		return slice_str(words);
	}
	if (slice_is(name, "client_addr"))
		return set->client_address;
	if (slice_is(name, "client_name") || slice_is(name, "client_ptr"))
		return set->client_name;
	if (slice_is(name, "client_port")) {
		snprintf(words, VALUE_MAX, "%u", (unsigned)set->client_port);
		return slice_str(words);
	}
	if (slice_is(name, "client_resolve"))
		return SLICE_LIT("OK");
	if (slice_is(name, "client_connections"))
		return SLICE_LIT("1");
	return SLICE_EMPTY;
}

static struct slice about_mta(const struct mta_settings *set, struct slice name)
{
	bool is_postfix = set->habits == MTA_POSTFIX;

	if (slice_is(name, "j"))
		return SLICE_LIT(HOSTNAME);
	if (slice_is(name, "v"))
		return is_postfix ? SLICE_LIT("Postfix 3.7.11") :
				    SLICE_LIT("8.17.1.9");
	if (slice_is(name, "daemon_name"))
		return is_postfix ? SLICE_LIT(HOSTNAME) : SLICE_LIT("MTA");
	if (slice_is(name, "daemon_addr") || slice_is(name, "if_addr"))
		return SLICE_LIT("127.0.0.1");
	if (slice_is(name, "daemon_port"))
		return SLICE_LIT("25");
	if (slice_is(name, "if_name"))
		return SLICE_LIT("localhost");
	return SLICE_EMPTY;
}

static struct slice about_rcpt(const struct mta_known *known, struct slice name)
{
	bool is_refused = known->rcpt_refusal.len > 0;

	if (!known->rcpt.len)
		return SLICE_EMPTY;
	if (slice_is(name, "rcpt_addr"))
		return is_refused ? known->rcpt_refusal :
				    without_brackets(known->rcpt);
	if (slice_is(name, "rcpt_host"))
		return is_refused ? SLICE_LIT("5.1.1") : domain_of(known->rcpt);
	if (slice_is(name, "rcpt_mailer"))
		return is_refused ? SLICE_LIT("error") : SLICE_LIT("smtp");
	return SLICE_EMPTY;
}

static struct slice about_message(const struct mta_known *known,
				  struct slice name)
{
	if (slice_is(name, "i"))
		return known->queue_id;
	if (slice_is(name, "msg_id"))
		return known->message_id;
	if (!known->sender.len)
		return SLICE_EMPTY;
	if (slice_is(name, "mail_addr"))
		return without_brackets(known->sender);
	if (slice_is(name, "mail_host"))
		return domain_of(known->sender);
	if (slice_is(name, "mail_mailer"))
		return SLICE_LIT("smtp");
	return SLICE_EMPTY;
}

static const struct mta_macro *given(const struct mta_settings *set,
				     enum stage stage, struct slice name)
{
	for (size_t i = 0; i < set->macro_count; i++) {
		const struct mta_macro *m = &set->macros[i];

		if ((m->stage == stage || m->stage == STAGE_COUNT) &&
		    slice_equal(unbraced(m->name), unbraced(name)))
			return m;
	}
	return NULL;
}

static struct slice value_of(const struct mta_settings *set,
			     const struct mta_known *known, enum stage stage,
			     struct slice name, char words[VALUE_MAX])
{
	const struct mta_macro *m = given(set, stage, name);
	struct slice bare = unbraced(name), value;

	if (m)
		return m->value;
	value = about_message(known, bare);
	if (!value.len && stage == STAGE_RCPT)
		value = about_rcpt(known, bare);
	if (!value.len)
		value = about_mta(set, bare);
	if (!value.len)
		value = about_client(set, bare, words);
	return value;
}

/* The user's own are sent unasked, as if the MTA were configured to. */
static bool add_given(const struct mta_settings *set, enum stage stage,
		      struct slice names, struct buf *out)
{
	for (size_t i = 0; i < set->macro_count; i++) {
		const struct mta_macro *m = &set->macros[i];

		if (m->stage != stage || macro_list_has(names, m->name))
			continue;
		if (!buf_add_str(out, m->name) || !buf_add_str(out, m->value))
			return false;
	}
	return true;
}

bool mta_macro_pairs(const struct mta_settings *set,
		     const struct mta_known *known, enum stage stage,
		     struct mta_macro_list list, struct buf *out)
{
	const char *const *defaults = set->habits == MTA_POSTFIX ?
					      defaults_postfix :
					      defaults_sendmail;
	struct slice names =
		list.is_given ? list.names : slice_str(defaults[stage]);
	struct slice rest = names, name;
	char words[VALUE_MAX];

	while (slice_split(&rest, ' ', &name)) {
		struct slice value;

		if (!name.len)
			continue;
		value = value_of(set, known, stage, name, words);
		if (value.len &&
		    (!buf_add_str(out, name) || !buf_add_str(out, value)))
			return false;
	}
	return list.is_given || add_given(set, stage, names, out);
}
