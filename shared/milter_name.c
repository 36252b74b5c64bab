#include "shared/milter.h"

static const struct {
	const char *name;
	uint32_t no_bit;
	uint32_t nr_bit;
	enum milter_list list;
	char letter;
} rows[STAGE_COUNT] = {
	/* clang-format off */
	[STAGE_CONNECT] = { "connect", SMFIP_NOCONNECT, SMFIP_NR_CONN, LIST_CONNECT, SMFIC_CONNECT },
	[STAGE_HELO]    = { "helo",    SMFIP_NOHELO,    SMFIP_NR_HELO, LIST_HELO,    SMFIC_HELO },
	[STAGE_MAIL]    = { "mail",    SMFIP_NOMAIL,    SMFIP_NR_MAIL, LIST_MAIL,    SMFIC_MAIL },
	[STAGE_RCPT]    = { "rcpt",    SMFIP_NORCPT,    SMFIP_NR_RCPT, LIST_RCPT,    SMFIC_RCPT },
	[STAGE_DATA]    = { "data",    SMFIP_NODATA,    SMFIP_NR_DATA, LIST_DATA,    SMFIC_DATA },
	[STAGE_HEADER]  = { "header",  SMFIP_NOHDRS,    SMFIP_NR_HDR,  LIST_COUNT,   SMFIC_HEADER },
	[STAGE_EOH]     = { "eoh",     SMFIP_NOEOH,     SMFIP_NR_EOH,  LIST_EOH,     SMFIC_EOH },
	[STAGE_BODY]    = { "body",    SMFIP_NOBODY,    SMFIP_NR_BODY, LIST_COUNT,   SMFIC_BODY },
	[STAGE_EOM]     = { "eom",     0,               0,             LIST_EOM,     SMFIC_BODYEOB },
	[STAGE_UNKNOWN] = { "unknown", SMFIP_NOUNKNOWN, SMFIP_NR_UNKN, LIST_COUNT,   SMFIC_UNKNOWN },
	/* clang-format on */
};

const char *milter_stage_name(enum stage stage)
{
	return rows[stage].name;
}

uint32_t milter_stage_no_bit(enum stage stage)
{
	return rows[stage].no_bit;
}

uint32_t milter_stage_nr_bit(enum stage stage)
{
	return rows[stage].nr_bit;
}

enum milter_list milter_stage_list(enum stage stage)
{
	return rows[stage].list;
}

char milter_stage_letter(enum stage stage)
{
	return rows[stage].letter;
}
