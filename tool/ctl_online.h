/*
 * ctl_online - are the milters there, and does the MTA fit? check --online
 *
 * Prints a line for everything looked at: "ok", "note" (worth knowing),
 * "warn" (mail may suffer) or "bad" (it does).  Every step is bounded in time.
 */
#ifndef TOOL_CTL_ONLINE_H
#define TOOL_CTL_ONLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/conf.h"

enum ctl_finding { FOUND_OK, FOUND_NOTE, FOUND_WARN, FOUND_BAD };

struct ctl_online {
	const struct conf *conf;
	uint64_t timeout;
	unsigned count[FOUND_BAD + 1];
};

void ctl_found(struct ctl_online *o, enum ctl_finding finding,
	       const char *format, ...) __attribute__((format(printf, 3, 4)));

/* All of it; CTL_OK, or CTL_UNWELL when something is bad. */
int ctl_online(const struct conf *conf, uint64_t timeout);

/* May user postfix connect to the unix sockets we listen on?  (own file) */
void ctl_online_rights(struct ctl_online *o);
/* Timeouts, addresses and limits of Postfix against ours.  (own file) */
void ctl_online_postfix(struct ctl_online *o);

#endif
