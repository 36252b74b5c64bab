#include "server/spawn.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/worker.h"

/* A wait status, put together as the kernel does. */
#define EXITED(code)  ((code) << 8)
#define KILLED(signo) (signo)

Test(spawn, explains_deaths)
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

		spawn_explain(cases[i].status, words, sizeof(words));
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
	cr_assert(spawn_lost_line(board, 0, status, 77, &line));
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(buf_slice(&line)));
	cr_expect_str_eq(text, want);
	buf_deinit(&line);
}

Test(spawn, lost_line_tells_what_the_slot_says)
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
Test(spawn, lost_line_believes_nothing)
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
	cr_assert(spawn_lost_line(board, 0, KILLED(SIGBUS), 77, &line));
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

struct note {
	struct worker_note_wish wish;
	char lists[LIST_COUNT * BOARD_LIST_MAX];
};

static size_t good_note(struct note *n)
{
	memset(n, 0, sizeof(*n));
	n->wish.kind = WORKER_NOTE_WISH;
	n->wish.milter = 1;
	n->wish.actions = SMFIF_ADDHDRS;
	n->wish.protocol = SMFIP_NOBODY;
	n->wish.has_list[LIST_MAIL] = 1;
	n->wish.list_len[LIST_MAIL] = 3;
	n->wish.has_list[LIST_EOM] = 1;
	n->wish.list_len[LIST_EOM] = 5;
	n->wish.has_list[LIST_EOH] = 1; /* wanted, and empty */
	memcpy((char *)n + sizeof(n->wish), "{a} i {b}", 8);
	return sizeof(n->wish) + 8;
}

Test(spawn, takes_a_wish)
{
	struct board *board = board_new(1, 10);
	struct board_wanted w;
	char room[LIST_COUNT * BOARD_LIST_MAX];
	struct note n;
	size_t len = good_note(&n);

	cr_assert(spawn_take_wish(board, 2, &n, len));
	cr_assert_not(board_recall(board, 0, room, &w));
	cr_assert(board_recall(board, 1, room, &w));
	cr_assert_eq(w.actions, SMFIF_ADDHDRS);
	cr_assert_eq(w.protocol, SMFIP_NOBODY);
	cr_assert_not(w.has_list[LIST_CONNECT]);
	cr_assert(slice_is(w.list[LIST_MAIL], "{a}"));
	cr_assert(slice_is(w.list[LIST_EOM], " i {b"));
	cr_assert(w.has_list[LIST_EOH]);
	cr_assert_eq(w.list[LIST_EOH].len, 0);
	board_free(&board);
}

static void spoil(struct note *n, size_t *len, int how)
{
	switch (how) {
	case 0:
		n->wish.kind = 'x';
		break;
	case 1:
		n->wish.milter = 2;
		break;
	case 2:
		n->wish.milter = 255;
		break;
	case 3:
		++*len;
		break;
	case 4:
		--*len;
		break;
	case 5:
		n->wish.list_len[LIST_EOM] = 0xffff;
		break;
	case 6:
		n->wish.has_list[LIST_MAIL] = 0;
		break;
	case 7:
		n->wish.has_list[LIST_MAIL] = 2;
		break;
	case 8:
		((char *)n)[sizeof(n->wish) + 1] = '\0';
		break;
	case 9:
		((char *)n)[sizeof(n->wish) + 1] = '\x80';
		break;
	default:
		*len = 0;
		break;
	}
}

Test(spawn, refuses_what_no_worker_would_send)
{
	struct board *board = board_new(1, 10);
	char room[LIST_COUNT * BOARD_LIST_MAX];
	struct board_wanted w;
	struct note n;

	for (int how = 0; how <= 10; how++) {
		size_t len = good_note(&n);

		spoil(&n, &len, how);
		cr_expect_not(spawn_take_wish(board, 2, &n, len), "way %d",
			      how);
	}
	/* Every length that is too short, too. */
	for (size_t len = 0, all = good_note(&n); len < all; len++)
		cr_expect_not(spawn_take_wish(board, 2, &n, len), "%zu", len);
	cr_assert_not(board_recall(board, 1, room, &w));
	board_free(&board);
}
