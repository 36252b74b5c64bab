#include "server/lost.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "t/unit/support/expect_log.h"

/* A wait status, put together as the kernel does. */
#define EXITED(code)  ((code) << 8)
#define KILLED(signo) (signo)

Test(lost, explains_deaths)
{
	static const struct {
		int status;
		const char *words;
	} cases[] = {
		{ EXITED(0), "exit code 0" },
		{ EXITED(75), "exit code 75" },
		{ EXITED(255), "exit code 255" },
		{ KILLED(SIGKILL), "signal SIGKILL" },
		{ KILLED(SIGSEGV), "signal SIGSEGV" },
		{ KILLED(SIGABRT) | 0x80, "signal SIGABRT" },
		{ KILLED(40), "signal 40" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char words[48];

		lost_explain(cases[i].status, words, sizeof(words));
		cr_expect_str_eq(words, cases[i].words);
	}
}

static struct board *two_milters(void)
{
	struct board *b = board_new(1, 10);

	cr_assert_not_null(b);
	board_name_milter(b, 0, "spam");
	board_name_milter(b, 1, "virus");
	return b;
}

static void expect_line(struct board *board, int status, const char *want)
{
	struct buf line;
	char text[4096];

	buf_init(&line, sizeof(text) - 1);
	cr_assert(lost_line(board, 0, status, 77, &line));
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(buf_slice(&line)));
	cr_expect_str_eq(text, want);
	buf_deinit(&line);
}

Test(lost, line_tells_what_the_slot_says)
{
	struct board *board = two_milters();
	struct board_slot *slot = board_slot(board, 0);

	board_note_stage(slot, STAGE_BODY, 1);
	board_note_text(slot, SLICE_LIT("mx.example.org[192.0.2.7]"),
			SLICE_LIT("4FxYz1"), SLICE_LIT("a@example.org"));
	expect_line(board, KILLED(SIGKILL),
		    "4FxYz1: from=\"a@example.org\" client=\"mx.example.org[192.0.2.7]\" verdict=lost stage=body child=virus signal=SIGKILL pid=77");
	board_note_stage(slot, STAGE_MAIL, BOARD_NO_CHILD);
	expect_line(board, EXITED(3),
		    "4FxYz1: from=\"a@example.org\" client=\"mx.example.org[192.0.2.7]\" verdict=lost stage=mail child=- exit=3 pid=77");
	/* The MTA had its answer, only the line was missing. */
	board_message_settle(board, 0, STAGE_MAIL, OUTCOME_REJECT,
			     CAUSE_MILTER);
	expect_line(board, EXITED(3),
		    "4FxYz1: from=\"a@example.org\" client=\"mx.example.org[192.0.2.7]\" verdict=reject stage=mail child=- exit=3 pid=77");
	board_slot_reset(board, 0, 2);
	expect_line(board, KILLED(40),
		    "NOQUEUE: from=\"\" client=\"\" verdict=lost stage=- child=- signal=40 pid=77");
	board_free(&board);
}

/* What a crash, or somebody who took a worker over, may leave behind. */
Test(lost, line_believes_nothing)
{
	static const char END[] =
		" verdict=? stage=- child=- signal=SIGBUS pid=77";
	struct board *board = two_milters();
	struct board_slot *slot = board_slot(board, 0);
	struct buf line;
	struct slice s, head;

	atomic_store(&slot->stage, 4000000000u);
	atomic_store(&slot->child, 2);
	atomic_store(&slot->message, 4000000000u);
	memset(slot->text.queue_id, 'Q', sizeof(slot->text.queue_id));
	slot->text.queue_id[3] = '\n';
	slot->text.queue_id[4] = ' ';
	memset(slot->text.peer, '"', sizeof(slot->text.peer));
	memset(slot->text.sender, '\0', sizeof(slot->text.sender));
	buf_init(&line, 4096);
	cr_assert(lost_line(board, 0, KILLED(SIGBUS), 77, &line));
	s = buf_slice(&line);
	head = slice_head(s, 5);
	cr_assert(slice_is(head, "QQQ??"));
	cr_assert_eq(slice_find(s, '\n'), -1);
	cr_assert_eq(slice_find(s, '\0'), -1);
	cr_assert(slice_is(slice_from(s, s.len - strlen(END)), END));
	buf_deinit(&line);

	/* Killed between the two steps of a change: no hang, question marks. */
	atomic_store(&slot->text.changes, 7);
	expect_line(board, KILLED(SIGKILL),
		    "?: from=\"?\" client=\"?\" verdict=? stage=- child=- signal=SIGKILL pid=77");
	board_free(&board);
}

Test(lost, guests_are_no_more_than_were_taken)
{
	struct board *board = two_milters();
	struct board_slot *slot = board_slot(board, 0);

	expect_log_begin();
	atomic_store(&slot->sessions, 30);
	board_note_guests(slot, 20);
	expect_log(LOG_LEVEL_WARN,
		   "reserve worker 77 took 20 connections with it");
	lost_guests(board, 0, 77);
	cr_expect_eq(board_sum(board, COUNT_SESSIONS_LOST), 20);
	board_note_guests(slot, UINT32_MAX);
	expect_log(LOG_LEVEL_WARN, "took 30 connections");
	lost_guests(board, 0, 77);
	cr_expect_eq(board_sum(board, COUNT_SESSIONS_LOST), 50);
	board_note_guests(slot, 0);
	lost_guests(board, 0, 77);
	cr_expect_eq(board_sum(board, COUNT_SESSIONS_LOST), 50);
	expect_log_end();
	board_free(&board);
}
