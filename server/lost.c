#include "server/lost.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "shared/log.h"

#define LINE_CEILING 4096

void lost_explain(int status, char *words, size_t size)
{
	const char *name;

	if (!WIFSIGNALED(status)) {
		snprintf(words, size, "exit code %d", WEXITSTATUS(status));
		return;
	}
	name = sigabbrev_np(WTERMSIG(status));
	if (name)
		snprintf(words, size, "signal SIG%s", name);
	else
		snprintf(words, size, "signal %d", WTERMSIG(status));
}

/* "signal=SIGKILL" or "exit=3": the log line's spelling of the same. */
static bool add_cause(int status, struct buf *line)
{
	const char *name;

	if (!WIFSIGNALED(status))
		return buf_printf(line, " exit=%d", WEXITSTATUS(status));
	name = sigabbrev_np(WTERMSIG(status));
	if (name)
		return buf_printf(line, " signal=SIG%s", name);
	return buf_printf(line, " signal=%d", WTERMSIG(status));
}

/* Text in the board is a worker's: it may lack its NUL, or lie. */
static struct slice text_of(const char *text, size_t size)
{
	return slice_of(text, strnlen(text, size));
}

static bool add_id(struct slice id, struct buf *line)
{
	if (!id.len)
		return buf_add(line, SLICE_LIT("NOQUEUE"));
	for (size_t i = 0; i < id.len; i++) {
		char c = id.data[i];

		if (!buf_add_byte(line, c > 0x20 && c < 0x7f ? c : '?'))
			return false;
	}
	return true;
}

static uint32_t load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static const char *verdict_of(uint32_t message)
{
	return board_outcome_name(message >= MESSAGE_SETTLED ?
					  message - MESSAGE_SETTLED :
					  OUTCOME_LOST);
}

/* The milter waited for, as the supervisor itself has named it. */
static const char *child_of(const struct board *board, uint32_t child)
{
	const char *name =
		child < BOARD_MILTERS ? board_milter_name(board, child) : "";

	return *name ? name : "-";
}

bool lost_line(struct board *board, unsigned slot, int status, pid_t pid,
		     struct buf *line)
{
	const struct board_slot *at = board_slot(board, slot);
	uint32_t stage = load(&at->stage);
	struct board_text text;
	bool ok;

	(void)board_read_text(at, &text);
	ok = add_id(text_of(text.queue_id, sizeof(text.queue_id)), line) &&
	     buf_printf(line, ": from=") &&
	     log_quote(line, text_of(text.sender, sizeof(text.sender))) &&
	     buf_printf(line, " client=") &&
	     log_quote(line, text_of(text.peer, sizeof(text.peer)));
	return ok &&
	       buf_printf(line, " verdict=%s stage=%s child=%s",
			  verdict_of(load(&at->message)),
			  stage < STAGE_COUNT ? milter_stage_name(stage) : "-",
			  child_of(board, load(&at->child))) &&
	       add_cause(status, line) &&
	       buf_printf(line, " pid=%d", (int)pid);
}

/* The message whose outcome nobody counted; the connections in any case. */
static void count(struct board *b, unsigned slot, unsigned sessions)
{
	const struct board_slot *at = board_slot(b, slot);
	uint32_t stage = load(&at->stage);

	board_count(b, slot, COUNT_SESSIONS_LOST, sessions);
	if (load(&at->message) != MESSAGE_OPEN)
		return;
	board_message_settle(b, slot,
			     stage < STAGE_COUNT ? (enum stage)stage :
						   STAGE_EOM,
			     OUTCOME_LOST, CAUSE_NONE);
}

void lost_session(struct board *b, unsigned slot, int status, pid_t pid)
{
	struct board_text text;
	struct buf line;

	buf_init(&line, LINE_CEILING);
	count(b, slot, 1);
	(void)lost_line(b, slot, status, pid, &line);
	log_info("%.*s", SLICE_ARG(buf_slice(&line)));
	(void)board_read_text(board_slot(b, slot), &text);
	board_remember_line(b,
			    text_of(text.queue_id, sizeof(text.queue_id)),
			    buf_slice(&line));
	buf_deinit(&line);
}

/* Of its guests no more is known than how many: never more than it took. */
void lost_guests(struct board *b, unsigned slot, pid_t pid)
{
	const struct board_slot *at = board_slot(b, slot);
	unsigned guests = load(&at->guests), taken = load(&at->sessions);

	if (guests > taken)
		guests = taken;
	count(b, slot, guests);
	if (guests)
		log_warn("reserve worker %d took %u connections with it",
			 (int)pid, guests);
}
