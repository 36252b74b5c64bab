#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "server/notify.h"

#include <stdlib.h>

#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>

void notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void notify_status(const char *words)
{
	sd_notifyf(0, "STATUS=%s", words);
}
#else
void notify_ready(void)
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
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
}
