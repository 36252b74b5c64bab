#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "server/notify.h"

#include <inttypes.h>
#include <stdlib.h>

#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>

#include "shared/clock.h"

void notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now());
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

uint64_t notify_watchdog(void)
{
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us / 2 : 0;
}

void notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void notify_status(const char *words)
{
	sd_notifyf(0, "STATUS=%s", words);
}
#else
void notify_ready(void)
{
}

void notify_reloading(void)
{
}

uint64_t notify_watchdog(void)
{
	return 0;
}

void notify_alive(void)
{
}

void notify_stopping(void)
{
}

void notify_status(const char *words)
{
	(void)words;
}
#endif

void notify_forget(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
}
