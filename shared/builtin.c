#include "shared/builtin.h"

/*
 * S25R, "selective SMTP rejection": a client whose name looks like that of a
 * dial-up machine, or who has none, is not refused but deserves a closer look.
 * The six patterns are the published ones, in their order:
 *   1 two numbers with something between them in the first label
 *   2 five digits in a row in the first label
 *   3 the first or second label begins with a digit, three labels behind it
 *   4 the first label ends with a digit, the second has digit-digit
 *   5 the first two labels end with digits, five labels at least
 *   6 a word of the trade in front: dhcp, dialup, ppp, adsl, ...
 */
#define S25R_NAME                                              \
	"client_name ~ /^[^.]*[0-9][^0-9.]+[0-9].*\\./ or "    \
	"client_name ~ /^[^.]*[0-9]{5}/ or "                   \
	"client_name ~ /^([^.]+\\.)?[0-9][^.]*\\.[^.]+\\..+\\.[a-z]/i or " \
	"client_name ~ /^[^.]*[0-9]\\.[^.]*[0-9]-[0-9]/ or "   \
	"client_name ~ /^[^.]*[0-9]\\.[^.]*[0-9]\\.[^.]+\\..+\\./ or " \
	"client_name ~ /^(dhcp|dialup|ppp|[achrsvx]?dsl)[^.]*[0-9]/i"

/* clang-format off */
static const struct builtin builtins[] = {
	{ CONF_CONDITION, "local_network",
	  "client_addr in local_networks or client_addr in private_networks",
	  { NULL }, "the client is one of ours" },
	{ CONF_CONDITION, "remote_network",
	  "client_addr and not local_network",
	  { NULL }, "the client has an address and is none of ours" },
	{ CONF_CONDITION, "restrict_accounts",
	  "recipient in restricted_accounts",
	  { NULL }, "a recipient is in the table restricted_accounts, which "
		    "has to be written" },
	{ CONF_CONDITION, "s25r",
	  "client_addr in s25r_networks and not client_name in s25r_allow and "
	  "(client_name in s25r_block or s25r_no_name or s25r_name)",
	  { NULL }, "the client looks like a machine that should not send "
		    "mail itself" },
	{ CONF_CONDITION, "s25r_name", S25R_NAME,
	  { NULL }, "its name is like those of dial-up machines" },
	{ CONF_CONDITION, "s25r_no_name",
	  "client_name = \"\" or client_name = unknown or "
	  "client_name ~ /^\\[.*\\]$/",
	  { NULL }, "it has no name, or one that does not lead back to it" },
	{ CONF_CONDITION, "stress", "load >= 75",
	  { NULL }, "three of four workers are busy" },
	{ CONF_CONDITION, "trust", "sender_domain in trusted_domains",
	  { NULL }, "the sender's domain is in trusted_domains" },
	{ CONF_CONDITION, "unauthenticated", "not authenticated",
	  { NULL }, "the client has not logged in" },
	{ CONF_TABLE, "local_networks", "inline: 127.0.0.0/8, ::1",
	  { NULL }, "networks of ours that are not private ones" },
	{ CONF_TABLE, "private_networks",
	  "inline: 127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, "
	  "169.254.0.0/16, ::1, fc00::/7, fe80::/10",
	  { NULL }, "networks that nobody outside can have" },
	{ CONF_TABLE, "s25r_allow", "inline: .google.com, .obsmtp.com",
	  { NULL }, "never suspicious; goes before s25r_block" },
	/* Nobody can own a name in .invalid, so nobody is wronged. */
	{ CONF_TABLE, "s25r_block", "inline: .invalid",
	  { NULL }, "suspicious whatever their names look like" },
	/* IPv6 clients are named less regularly. */
	{ CONF_TABLE, "s25r_networks", "inline: 0.0.0.0/0",
	  { NULL }, "clients that s25r looks at: IPv4" },
	{ CONF_TABLE, "trusted_domains",
	  "inline: gmail.com, hotmail.com, msn.com, yahoo.co.jp, "
	  "softbank.ne.jp, clear-code.com",
	  { NULL }, "domains that trust looks for" },
	{ CONF_RULE, "sendmail_compatible",
	  "macro(\"v\") ~ /^Postfix/",
	  { "macro {if_addr}?={macro(\"{daemon_addr}\")}",
	    "macro {if_name}?={macro(\"j\")}",
	    "macro {daemon_port}?={macro(\"{daemon_port}\")}",
	    "macro i?=NOQUEUE" },
	  "macros that Sendmail has and Postfix lacks" },
	{ CONF_RULE, "stress", "stress",
	  { "macro {stress}=yes" },
	  "tells milters that the server is busy" },
	{ CONF_RULE, "trust", "trust",
	  { "macro {trusted_domain}=yes" },
	  "tells milters that the sender's domain is trusted" },
};
/* clang-format on */

#define COUNT (sizeof(builtins) / sizeof(builtins[0]))

const struct builtin *builtin_all(size_t *count_out)
{
	*count_out = COUNT;
	return builtins;
}

const struct builtin *builtin_find(enum conf_section section, struct slice name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (builtins[i].section == section &&
		    slice_is_case(name, builtins[i].name))
			return &builtins[i];
	return NULL;
}

/* The key that `text` is the value of. */
static const char *key_of(enum conf_section section)
{
	if (section == CONF_CONDITION)
		return "is";
	return section == CONF_TABLE ? "source" : "when";
}

bool builtin_print(struct buf *out)
{
	for (size_t i = 0; i < COUNT; i++) {
		const struct builtin *b = &builtins[i];

		if (!buf_printf(out, "%s# %s\n[%s %s]\n%s = %s\n",
				i ? "\n" : "", b->what,
				conf_word_of(conf_section_words,
					     (int)b->section),
				b->name, key_of(b->section), b->text))
			return false;
		for (size_t j = 0; j < BUILTIN_ACTIONS_MAX && b->actions[j];
		     j++)
			if (!buf_printf(out, "action = %s\n", b->actions[j]))
				return false;
	}
	return true;
}
