/*
 * background - leaving the terminal, and the file that tells our pid
 *
 * The parent stays in front until the daemon serves, so that a start script
 * sees the truth in the exit status.
 */
#ifndef SERVER_BACKGROUND_H
#define SERVER_BACKGROUND_H

#include <stdbool.h>

/*
 * Two forks and a session of our own.  Returns in the daemon with *tell_out,
 * to be handed to background_ready(); in the first process it never returns,
 * but exits: 0 when the daemon said it is ready, `failed` when it died
 * before (it wrote the reason to stderr, which is still the terminal's).
 * False: could not fork; logged.
 */
bool background_begin(int failed, int *tell_out);
/* Serving: lets the first process exit. -1 does nothing. */
void background_ready(int tell);
/* Standard input, output and error become /dev/null. */
void background_detach(void);

/*
 * Writes our pid, and holds a lock on the file as long as we live.  Returns
 * the descriptor, -1 when another live process holds it or it cannot be
 * written; logged.  Takes no links and nothing but a plain file.
 */
int pid_file_open(const char *path);
/* Removes it; where that is not allowed any more, empties it. */
void pid_file_close(const char *path, int fd);

#endif
