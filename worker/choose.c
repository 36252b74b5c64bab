#include "worker/choose.h"

bool choose_applies(const struct member *m, enum stage event)
{
	if (m->mode == MODE_OFF || m->connection != CONNECTION_OPEN ||
	    event == STAGE_UNKNOWN)
		return false;
	/* Stages stand in the order in which a session passes them. */
	return event >= m->conf->join;
}
