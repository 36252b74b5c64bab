/*
 * conf_name - what stands between the brackets of a section: which, and names
 *
 * For conf_lines.c.  Fails by adding a problem at the place.
 */
#ifndef SHARED_CONF_NAME_H
#define SHARED_CONF_NAME_H

#include "shared/conf_table.h"

#define CONF_SECTIONS_THERE_ARE \
	"there are [server], [milter NAME], [condition NAME], [table NAME] " \
	"and [rule NAME]"

/* In any case of letters.  CONF_SECTIONS: there is no such. */
enum conf_section conf_section_find(struct slice word,
				    const struct conf_place *place,
				    struct conf_problems *problems)
	__attribute__((warn_unused_result));
bool conf_name_ok(enum conf_section section, struct slice name,
		  const struct conf_place *place,
		  struct conf_problems *problems)
	__attribute__((warn_unused_result));
/* In lower case; empty without memory. */
struct slice conf_lower(struct arena *arena, struct slice s);

#endif
