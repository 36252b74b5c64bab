#include "shared/endpoint_cache.h"

#include <string.h>

static bool is_same(const struct endpoint_known *known,
		    const struct endpoint *e, bool passive)
{
	return known->passive == passive && known->endpoint.kind == e->kind &&
	       known->endpoint.port == e->port &&
	       strcmp(known->endpoint.host, e->host) == 0;
}

bool endpoint_recall(const struct endpoint_cache *cache, struct endpoint *e,
		     bool passive, const char **why_out)
{
	if (e->kind == ENDPOINT_UNIX)
		return endpoint_resolve(e, passive, why_out);
	for (size_t i = 0; i < cache->count; i++) {
		if (!is_same(&cache->at[i], e, passive))
			continue;
		*e = cache->at[i].endpoint;
		return true;
	}
	*why_out = "it was not there when the addresses were looked up: the "
		   "settings changed meanwhile";
	return false;
}
