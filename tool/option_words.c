#include "tool/option_words.h"

#include "shared/milter.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	uint32_t bit;
	const char *words;
} action_words[] = {
	{ SMFIF_ADDHDRS, "add headers" },
	{ SMFIF_CHGHDRS, "change headers" },
	{ SMFIF_CHGBODY, "change the body" },
	{ SMFIF_CHGFROM, "change the sender" },
	{ SMFIF_ADDRCPT, "add recipients" },
	{ SMFIF_ADDRCPT_PAR, "add recipients with arguments" },
	{ SMFIF_DELRCPT, "delete recipients" },
	{ SMFIF_QUARANTINE, "quarantine" },
	{ SMFIF_SETSYMLIST, "choose macros" },
};

static bool print_actions(uint32_t bits, struct buf *out)
{
	const char *comma = "; may ";
	bool ok = true;

	for (size_t i = 0; ok && i < COUNT(action_words); i++)
		if (bits & action_words[i].bit) {
			ok = buf_printf(out, "%s%s", comma,
					action_words[i].words);
			comma = ", ";
		}
	return ok && (bits || buf_printf(out, "; may change nothing"));
}

static bool print_stages(uint32_t bits, uint32_t (*bit_of)(enum stage stage),
			 const char *words, struct buf *out)
{
	bool ok = true;

	for (int s = 0; ok && s < STAGE_COUNT; s++) {
		uint32_t bit = bit_of((enum stage)s);

		if (bit && (bits & bit)) {
			ok = buf_printf(out, "%s%s", words,
					milter_stage_name((enum stage)s));
			words = ", ";
		}
	}
	return ok;
}

bool option_words(uint32_t version, uint32_t actions, uint32_t p,
		  struct buf *out)
{
	return buf_printf(out, "version %u", (unsigned)version) &&
	       print_actions(actions, out) &&
	       print_stages(p, milter_stage_no_bit, "; need not hear ", out) &&
	       print_stages(p, milter_stage_nr_bit, "; does not answer ",
			    out) &&
	       (!(p & SMFIP_SKIP) || buf_printf(out, "; may skip bodies")) &&
	       (!(p & SMFIP_RCPT_REJ) ||
		buf_printf(out, "; sees refused recipients")) &&
	       (!(p & SMFIP_HDR_LEADSPC) ||
		buf_printf(out, "; wants headers with their blanks"));
}
