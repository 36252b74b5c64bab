#include "worker/dialect.h"

enum mta dialect_of(struct slice v)
{
	return slice_starts(v, "Postfix") ? MTA_POSTFIX : MTA_SENDMAIL;
}

uint64_t dialect_step_deadline(const struct conf *conf, enum mta mta)
{
	return mta == MTA_POSTFIX ? conf->step_deadline_postfix :
				    conf->step_deadline;
}

uint32_t dialect_change_index(enum mta mta, uint32_t childs, uint32_t mtas)
{
	return mta == MTA_POSTFIX ? childs : mtas;
}
