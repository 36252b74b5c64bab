#include "tool/ctl_online.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/probe.h"
#include "tool/ctl.h"
#include "tool/option_words.h"

#define ONLINE_TIMEOUT (5 * CLOCK_S)

void ctl_found(struct ctl_online *o, enum ctl_finding finding,
	       const char *format, ...)
{
	static const char *const words[] = { "ok  ", "note", "warn", "bad " };
	va_list args;

	o->count[finding]++;
	printf("%s  ", words[finding]);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static void probe_socket(struct ctl_online *o, const struct conf_milter *m,
			 const struct endpoint *e)
{
	struct probe_result probe;
	struct buf words;
	char text[400];

	endpoint_print(e, text, sizeof(text));
	if (!probe_milter(e, PROBE_ALL, o->timeout, &probe)) {
		/* Nobody asks one that is switched off. */
		ctl_found(o, m->mode.mode == MODE_OFF ? FOUND_NOTE : FOUND_BAD,
			  "milter %s at %s: %s%s", m->name, text, probe.why,
			  m->mode.mode == MODE_OFF ? " (its mode is off)" : "");
		return;
	}
	buf_init(&words, CTL_TEXT_CEILING);
	if (option_words(probe.version, probe.actions, probe.protocol, &words))
		ctl_found(o, FOUND_OK, "milter %s at %s: %.*s; %.1f ms",
			  m->name, text, SLICE_ARG(buf_slice(&words)),
			  (double)(probe.connect_time + probe.negotiate_time) /
				  1e3);
	buf_deinit(&words);
}

int ctl_online(const struct conf *conf, uint64_t timeout)
{
	struct ctl_online o = { .conf = conf,
				.timeout = timeout ? timeout : ONLINE_TIMEOUT };

	ctl_found(&o, FOUND_OK, "settings");
	for (size_t i = 0; i < conf->milter_count; i++) {
		const struct conf_milter *m = &conf->milters[i];

		for (unsigned s = 0; s < m->socket.count; s++)
			probe_socket(&o, m, &m->socket.at[s]);
	}
	ctl_online_rights(&o);
	ctl_online_postfix(&o);
	printf("%u bad, %u to be looked at\n", o.count[FOUND_BAD],
	       o.count[FOUND_WARN]);
	return o.count[FOUND_BAD] ? CTL_UNWELL : CTL_OK;
}
