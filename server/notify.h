/*
 * notify - tells the service manager how we are
 *
 * The only door to libsystemd, which is opened when there is something to
 * tell and closed again.  Built without it, or started by something that does
 * not listen, every function does nothing.  Never fails; a library that has
 * gone since the build is logged.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include <stdint.h>

/* Connections are taken from now on; a reload is over. */
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* One line for `systemctl status`. */
void notify_status(const char *words);
/* How often it wants to hear that we live, microseconds; 0: not at all. */
uint64_t notify_watchdog(void);
void notify_alive(void);
/* In a worker, after fork: it may not speak for the supervisor. */
void notify_forget(void);

#endif
