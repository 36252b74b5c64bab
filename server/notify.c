#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "server/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef HAVE_LIBSYSTEMD
#include <dlfcn.h>
#include <systemd/sd-daemon.h>

#include "shared/clock.h"
#include "shared/log.h"

/*
 * The library brings six others with it, and a worker would have all of them
 * mapped: 32 areas and tables of pages for them, some 35 KiB in each.  So it is
 * there only while it is spoken through (1 ms); nobody forks meanwhile.
 */
#define LIBRARY	  "libsystemd.so.0"
#define WORDS_MAX 256

static void *open_library(const char *name, void **function_out)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	*function_out = library ? dlsym(library, name) : NULL;
	if (*function_out)
		return library;
	log_warn("the service manager cannot be told anything: %s", dlerror());
	if (library)
		dlclose(library);
	return NULL;
}

static void tell(const char *words)
{
	void *library, *notify;

	if (!getenv("NOTIFY_SOCKET"))
		return;
	library = open_library("sd_notify", &notify);
	if (!library)
		return;
	((__typeof__(&sd_notify))notify)(0, words);
	dlclose(library);
}

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	char words[WORDS_MAX];

	snprintf(words, sizeof(words), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 clock_now());
	tell(words);
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}

uint64_t notify_watchdog(void)
{
	uint64_t us = 0;
	void *library, *enabled;

	if (!getenv("WATCHDOG_USEC"))
		return 0;
	library = open_library("sd_watchdog_enabled", &enabled);
	if (!library)
		return 0;
	if (((__typeof__(&sd_watchdog_enabled))enabled)(0, &us) <= 0)
		us = 0;
	dlclose(library);
	return us / 2;
}

void notify_alive(void)
{
	tell("WATCHDOG=1");
}

void notify_status(const char *words)
{
	char line[WORDS_MAX];

	snprintf(line, sizeof(line), "STATUS=%s", words);
	tell(line);
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
