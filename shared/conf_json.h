/*
 * conf_json - settings as JSON, for programs
 *
 * The same settings as conf_print() shows.  Numbers, yes and no are such, lists
 * are lists, and all else is text as it stands in a settings file, without
 * quotes around it.  Fails for want of memory; see json.h for want of room.
 */
#ifndef SHARED_CONF_JSON_H
#define SHARED_CONF_JSON_H

#include "shared/conf.h"
#include "shared/json.h"

/* As members of the object that is open. */
bool conf_json(const struct conf *conf, bool with_defaults, struct json *j)
	__attribute__((warn_unused_result));

#endif
