#include "server/spawn.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "worker/worker.h"

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
