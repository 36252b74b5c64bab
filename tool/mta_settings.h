/*
 * mta_settings - what the playing MTA was told on its command line
 *
 * Filled by sekisho-mta.c, only read afterwards.  Slices look into the
 * command line or the settings' arena.
 */
#ifndef TOOL_MTA_SETTINGS_H
#define TOOL_MTA_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/endpoint.h"
#include "shared/milter.h"
#include "shared/milter_option.h"
#include "tool/eml.h"

struct mta_address {
	struct slice address;
	struct slice args; /* each with its NUL */
	/* Refused by the MTA itself: only milters with RCPT_REJ hear of it. */
	bool is_refused;
};

struct mta_macro {
	enum stage stage; /* STAGE_COUNT: any */
	struct slice name;
	struct slice value;
};

struct mta_file {
	const char *path;
	struct eml eml;
};

struct mta_script;

struct mta_settings {
	struct endpoint endpoint;
	enum mta habits;
	struct option offer;
	uint64_t timeout; /* for one answer, microseconds */
	size_t chunk;	  /* largest body packet */

	struct slice client_name;
	struct slice client_address;
	char client_family; /* as in CONNECT */
	uint16_t client_port;
	struct slice helo;
	struct mta_address sender;
	struct mta_address *rcpts;
	size_t rcpt_count;
	struct mta_macro *macros;
	size_t macro_count;

	struct mta_file *files; /* at least one */
	size_t file_count;
	unsigned repeat; /* each file so many times */
	unsigned sessions;
	unsigned parallel;

	/* Unusual conduct. */
	bool is_helo_twice;
	bool is_pipelining;
	bool is_rset_between;	/* ABORT after every message, whoever it is */
	struct slice unknown;	/* sent before MAIL when not empty */
	enum stage abort_after; /* STAGE_COUNT: never */

	int lock_fd;	    /* processes take turns by it; -1: only one */
	const char *output; /* where edited messages go; "-": stdout */
	bool is_json;
	bool is_quiet;

	const struct mta_script *script; /* instead of the files; or NULL */
};

#endif
