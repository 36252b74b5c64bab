#include "shared/board.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/board_layout.h"
#include "shared/clock.h"

/* A child of a test must end here and never come back into the runner. */
static int status_of(pid_t pid)
{
	int status = -1;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(board, begins_with_free_slots_and_zero_counters)
{
	struct board *b = board_new(3, 10);

	cr_assert_not_null(b);
	cr_expect_eq(board_slots(b), 3);
	for (unsigned i = 0; i < 3; i++) {
		struct board_slot *s = board_slot(b, i);
		struct board_text t;

		cr_expect_eq(board_state(b, i), SLOT_FREE);
		cr_expect_eq(s->stage, STAGE_COUNT);
		cr_expect_eq(s->child, BOARD_NO_CHILD);
		cr_expect(board_read_text(s, &t));
		cr_expect_str_empty(t.peer);
		cr_expect_eq((uintptr_t)s % BOARD_LINE, 0);
	}
	for (int c = 0; c < BOARD_COUNTERS; c++)
		cr_expect_eq(board_sum(b, (enum board_counter)c), 0);
	board_free(&b);
	cr_expect_null(b);
}

Test(board, refuses_no_slots_and_too_many)
{
	cr_expect_null(board_new(0, 10));
	cr_expect_eq(errno, EINVAL);
	cr_expect_null(board_new(BOARD_SLOTS_MAX + 1, 10));
	cr_expect_eq(errno, EINVAL);
}

Test(board, carries_ten_thousand_slots)
{
	struct board *b = board_new(10000, 10);

	cr_assert_not_null(b);
	cr_expect_leq(b->numbers_size, 9u << 20);
	board_note_state(b, 9999, SLOT_BUSY);
	cr_expect_eq(board_state(b, 9999), SLOT_BUSY);
	cr_expect_eq(board_state(b, 9998), SLOT_FREE);
	board_note_state(b, 3, SLOT_BUSY);
	cr_expect_eq(board_count_state(b, SLOT_BUSY, 10000), 2);
	cr_expect_eq(board_count_state(b, SLOT_BUSY, 1), 1);
	cr_expect_eq(board_count_state(b, SLOT_FREE, 10000), 9998);
	cr_expect_eq(board_count_state(b, SLOT_IDLE, 10000), 0);
	board_free(&b);
}

Test(board, says_what_it_is_at_the_front)
{
	struct board *b = board_new(2, 10);
	const struct board_header *h = &b->numbers->header;

	cr_expect_eq(h->magic, BOARD_MAGIC);
	cr_expect_eq(h->version, BOARD_VERSION);
	cr_expect_eq(h->size, b->numbers_size);
	cr_expect_eq(h->slots, 2);
	cr_expect_eq(h->slot_size, 320);
	cr_expect_eq(h->milters, BOARD_MILTERS);
	cr_expect_eq(h->shards, BOARD_SHARDS);
	cr_expect_eq(h->counters, BOARD_COUNTERS);
	cr_expect_eq(h->milter_counters, BOARD_MILTER_COUNTERS);
	cr_expect_eq(b->control->header.magic, BOARD_MAGIC);
	cr_expect_eq(b->control->header.size, sizeof(*b->control));
	board_free(&b);
}

Test(board, is_sealed_against_shrinking_and_growing)
{
	struct board *b = board_new(2, 10);

	cr_expect_eq(ftruncate(b->control_fd, 0), -1);
	cr_expect_eq(ftruncate(b->numbers_fd, 1 << 24), -1);
	cr_expect_eq(fcntl(b->control_fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	board_free(&b);
}

Test(board, sums_counters_over_the_shards)
{
	struct board *b = board_new(20, 10);

	for (unsigned slot = 0; slot < 20; slot++) {
		board_count(b, slot, COUNT_MESSAGES, slot);
		board_count_milter(b, slot, 63, MILTER_REJOINED, 2);
	}
	cr_expect_eq(board_sum(b, COUNT_MESSAGES), 190);
	cr_expect_eq(board_sum(b, COUNT_SESSIONS), 0);
	cr_expect_eq(board_sum(b, COUNT_CUT_PACKETS), 0);
	cr_expect_eq(board_sum_milter(b, 63, MILTER_REJOINED), 40);
	cr_expect_eq(board_sum_milter(b, 62, MILTER_REJOINED), 0);
	cr_expect_eq(board_sum_milter(b, 63, MILTER_APPLIED), 0);
	/* Neighbours in the row of slots do not share a line. */
	cr_expect_eq(b->numbers->shards[3].counters[COUNT_MESSAGES],
		     3 + 11 + 19);
	board_free(&b);
}

Test(board, notes_state_stage_and_since_when)
{
	struct board *b = board_new(1, 10);
	struct board_slot *s = board_slot(b, 0);

	clock_set(77 * CLOCK_S);
	board_note_state(b, 0, SLOT_BUSY);
	cr_expect_eq(s->since, 77 * CLOCK_S);
	clock_set(78 * CLOCK_S);
	board_note_stage(s, STAGE_RCPT, 5);
	cr_expect_eq(board_state(b, 0), SLOT_BUSY);
	cr_expect_eq(s->stage, STAGE_RCPT);
	cr_expect_eq(s->child, 5);
	cr_expect_eq(s->since, 78 * CLOCK_S);
	/* Told again at every wake-up: it still waits since then. */
	clock_set(79 * CLOCK_S);
	board_note_stage(s, STAGE_RCPT, 5);
	cr_expect_eq(s->since, 78 * CLOCK_S);
	board_note_stage(s, STAGE_RCPT, BOARD_NO_CHILD);
	cr_expect_eq(s->since, 79 * CLOCK_S);
	clock_set(0);
	board_free(&b);
}

Test(board, keeps_text_and_cuts_what_is_too_long)
{
	struct board *b = board_new(1, 10);
	struct board_slot *s = board_slot(b, 0);
	struct board_text t;
	char sender[200];

	memset(sender, 's', sizeof(sender));
	board_note_text(s, SLICE_LIT("mx[192.0.2.1]"), SLICE_LIT("4Fxyz"),
			slice_of(sender, sizeof(sender)));
	cr_assert(board_read_text(s, &t));
	cr_expect_str_eq(t.peer, "mx[192.0.2.1]");
	cr_expect_str_eq(t.queue_id, "4Fxyz");
	cr_expect_eq(strlen(t.sender), sizeof(t.sender) - 1);
	/* A shorter text leaves nothing of the longer one. */
	board_note_text(s, SLICE_LIT("a"), SLICE_EMPTY, SLICE_LIT("b"));
	cr_assert(board_read_text(s, &t));
	cr_expect_str_eq(t.peer, "a");
	cr_expect_str_empty(t.queue_id);
	cr_expect_str_eq(t.sender, "b");
	for (size_t i = 1; i < sizeof(t.sender); i++)
		cr_expect_eq(s->text.sender[i], '\0');
	board_free(&b);
}

Test(board, does_not_wait_for_a_writer_that_died_in_between)
{
	struct board *b = board_new(1, 10);
	struct board_slot *s = board_slot(b, 0);
	struct board_text t;

	board_note_text(s, SLICE_LIT("a"), SLICE_LIT("b"), SLICE_LIT("c"));
	s->text.changes++; /* as if killed after the first step */
	cr_expect_not(board_read_text(s, &t));
	cr_expect_str_eq(t.peer, "?");
	cr_expect_str_eq(t.queue_id, "?");
	cr_expect_str_eq(t.sender, "?");

	board_slot_reset(b, 0, 9);
	cr_expect_eq(s->text.changes % 2, 0);
	cr_expect(board_read_text(s, &t));
	cr_expect_str_empty(t.peer);
	cr_expect_eq(s->generation, 9);
	cr_expect_eq(board_state(b, 0), SLOT_FREE);
	cr_expect_eq(s->stage, STAGE_COUNT);
	cr_expect_eq(s->sessions, 0);

	/* Without the reset the next writer mends it as well. */
	s->text.changes++;
	board_note_text(s, SLICE_LIT("x"), SLICE_EMPTY, SLICE_EMPTY);
	cr_expect(board_read_text(s, &t));
	cr_expect_str_eq(t.peer, "x");
	board_free(&b);
}

Test(board, never_passes_the_end_of_a_text_without_nul)
{
	struct board *b = board_new(1, 10);
	struct board_slot *s = board_slot(b, 0);
	struct board_text t;

	memset(s->text.peer, 'p', sizeof(s->text.peer));
	memset(s->text.sender, 's', sizeof(s->text.sender));
	cr_expect(board_read_text(s, &t));
	cr_expect_eq(strlen(t.peer), sizeof(t.peer) - 1);
	cr_expect_eq(strlen(t.sender), sizeof(t.sender) - 1);
	board_free(&b);
}

Test(board, counts_on_past_the_largest_number_of_changes)
{
	struct board *b = board_new(1, 10);
	struct board_wanted wanted = { .actions = 1 }, got;
	static char room[LIST_COUNT * BOARD_LIST_MAX];

	b->control->milters[0].wish.changes = UINT32_MAX - 1;
	board_remember(b, 0, &wanted);
	cr_expect_eq(b->control->milters[0].wish.changes, 2);
	cr_expect(board_recall(b, 0, room, &got));
	board_free(&b);
}

Test(board, remembers_what_a_child_wanted)
{
	struct board *b = board_new(1, 10);
	struct board_wanted wanted = { .actions = SMFIF_ADDHDRS,
				       .protocol = SMFIP_NOBODY };
	struct board_wanted got;
	static char room[LIST_COUNT * BOARD_LIST_MAX];
	static char exact[BOARD_LIST_MAX], more[BOARD_LIST_MAX + 1];

	memset(exact, 'e', sizeof(exact));
	memset(more, 'm', sizeof(more));
	wanted.has_list[LIST_CONNECT] = true;
	wanted.list[LIST_CONNECT] = SLICE_LIT("j {client_addr}");
	wanted.has_list[LIST_HELO] = true; /* an empty list: none at all */
	wanted.list[LIST_HELO] = SLICE_EMPTY;
	wanted.has_list[LIST_DATA] = true;
	wanted.list[LIST_DATA] = slice_of(exact, sizeof(exact));
	wanted.has_list[LIST_EOH] = true;
	wanted.list[LIST_EOH] = slice_of(more, sizeof(more));

	cr_expect_not(board_recall(b, 7, room, &got));
	cr_expect_eq(got.actions, 0);
	board_remember(b, 7, &wanted);
	cr_assert(board_recall(b, 7, room, &got));
	cr_expect_eq(got.actions, SMFIF_ADDHDRS);
	cr_expect_eq(got.protocol, SMFIP_NOBODY);
	cr_expect(got.has_list[LIST_CONNECT]);
	cr_expect(slice_is(got.list[LIST_CONNECT], "j {client_addr}"));
	cr_expect(got.has_list[LIST_HELO]);
	cr_expect_eq(got.list[LIST_HELO].len, 0);
	cr_expect_not(got.has_list[LIST_MAIL]);
	cr_expect(slice_equal(got.list[LIST_DATA], wanted.list[LIST_DATA]));
	/* Too long to be kept: remembered as not given. */
	cr_expect_not(got.has_list[LIST_EOH]);
	cr_expect_not(board_recall(b, 6, room, &got));
	cr_expect_not(board_recall(b, 8, room, &got));

	b->control->milters[7].wish.changes++;
	cr_expect_not(board_recall(b, 7, room, &got));
	board_free(&b);
}

/* What a taken-over worker might try, in a process of its own. */
static int try_to_write(struct board *b)
{
	if (!board_become_reader(b))
		return 1;
	if (fcntl(b->control_fd, F_GETFD) != -1 ||
	    fcntl(b->numbers_fd, F_GETFD) != -1)
		return 2;
	if (mprotect(b->control, 4096, PROT_READ | PROT_WRITE) == 0)
		return 3;
	board_count(b, 0, COUNT_SESSIONS, 5);
	board_note_text(board_slot(b, 0), SLICE_LIT("peer"), SLICE_EMPTY,
			SLICE_EMPTY);
	return 0;
}

Test(board, lets_a_worker_write_numbers_but_not_control)
{
	struct board *b = board_new(1, 10);
	struct board_wanted wanted = { .actions = 3 }, got;
	static char room[LIST_COUNT * BOARD_LIST_MAX];
	struct board_text t;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(try_to_write(b));
	status = status_of(pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x",
		  (unsigned)status);
	cr_expect_eq(board_sum(b, COUNT_SESSIONS), 5);
	cr_expect(board_read_text(board_slot(b, 0), &t));
	cr_expect_str_eq(t.peer, "peer");

	/* We still write control, and a reader sees it. */
	board_remember(b, 0, &wanted);
	pid = fork();
	if (pid == 0)
		_exit(!(board_become_reader(b) &&
			board_recall(b, 0, room, &got) && got.actions == 3));
	status = status_of(pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);

	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		if (board_become_reader(b))
			b->control->milters[0].wish.actions = 1;
		_exit(0);
	}
	status = status_of(pid);
	cr_expect(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	board_free(&b);
}

/* One writer at full speed, killed at any instruction: never half a text. */
static void write_for_ever(struct board *b)
{
	static char text[2][100];

	memset(text[0], 'a', sizeof(text[0]));
	memset(text[1], 'b', sizeof(text[1]));
	for (unsigned i = 0;; i++) {
		struct slice s = slice_of(text[i % 2], 31);

		board_note_text(board_slot(b, 0), s, s, s);
	}
}

static bool all_the_same(const char *s)
{
	for (size_t i = 1; s[i]; i++)
		if (s[i] != s[0])
			return false;
	return true;
}

Test(board, gives_whole_texts_beside_a_writer_that_is_killed)
{
	struct board *b = board_new(1, 10);
	struct board_text t;
	unsigned whole = 0, torn = 0;

	for (int round = 0; round < 20; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(30); /* should the runner die first */
			write_for_ever(b);
		}
		for (int i = 0; i < 2000; i++) {
			if (!board_read_text(board_slot(b, 0), &t))
				continue;
			whole++;
			torn += !all_the_same(t.peer) ||
				!all_the_same(t.queue_id) ||
				!all_the_same(t.sender) ||
				t.peer[0] != t.sender[0];
		}
		kill(pid, SIGKILL);
		status_of(pid);
		board_slot_reset(b, 0, (uint64_t)round);
		cr_assert(board_read_text(board_slot(b, 0), &t));
	}
	cr_expect_eq(torn, 0, "%u of %u texts were torn", torn, whole);
	cr_expect_gt(whole, 0);
	board_free(&b);
}

/* ---- what administrators see and do ---- */

Test(board, counts_answers_and_how_long_they_took)
{
	struct board *b = board_new(9, 10);
	struct histogram h;

	/* Two shards: slot 8 is the first one's. */
	board_count_answer(b, 0, 3, STAGE_RCPT, ANSWERED_REJECT, 100);
	board_count_answer(b, 8, 3, STAGE_RCPT, ANSWERED_REJECT, 7);
	board_count_answer(b, 1, 3, STAGE_RCPT, ANSWERED_CONTINUE, 100);
	cr_expect_eq(board_sum_answer(b, 3, STAGE_RCPT, ANSWERED_REJECT), 2);
	cr_expect_eq(board_sum_answer(b, 3, STAGE_RCPT, ANSWERED_CONTINUE), 1);
	cr_expect_eq(board_sum_answer(b, 3, STAGE_MAIL, ANSWERED_REJECT), 0);
	cr_expect_eq(board_sum_answer(b, 2, STAGE_RCPT, ANSWERED_REJECT), 0);
	board_sum_latency(b, 3, STAGE_RCPT, &h);
	cr_expect_eq(h.count, 3);
	cr_expect_eq(h.sum, 207);
	cr_expect_eq(h.buckets[7], 1);
	cr_expect_eq(h.buckets[histogram_bucket(100)], 2);
	board_sum_latency(b, 3, STAGE_EOM, &h);
	cr_expect_eq(h.count, 0);
	board_count_wait(b, 5, STAGE_COUNT, 12345);
	board_sum_wait(b, STAGE_COUNT, &h);
	cr_expect_eq(h.sum, 12345);
	board_sum_wait(b, STAGE_EOM, &h);
	cr_expect_eq(h.sum, 0);
	board_free(&b);
}

Test(board, books_a_message_once)
{
	struct board *b = board_new(2, 10);
	struct board_slot *s = board_slot(b, 1);

	board_message_begin(b, 1);
	cr_expect_eq(s->message, MESSAGE_OPEN);
	cr_expect_eq(board_sum(b, COUNT_MESSAGES), 1);
	board_message_settle(b, 1, STAGE_RCPT, OUTCOME_DISCARD, CAUSE_RULE);
	cr_expect_eq(s->message, MESSAGE_SETTLED + OUTCOME_DISCARD);
	board_message_end(b, 1);
	cr_expect_eq(s->message, MESSAGE_NONE);
	cr_expect_eq(board_sum_outcome(b, OUTCOME_DISCARD), 1);
	cr_expect_eq(
		board_sum_verdict(b, STAGE_RCPT, OUTCOME_DISCARD, CAUSE_RULE),
		1);
	cr_expect_eq(
		board_sum_verdict(b, STAGE_RCPT, OUTCOME_DISCARD, CAUSE_MILTER),
		0);
	/* No stage is none that could be counted under. */
	board_message_settle(b, 1, STAGE_COUNT, OUTCOME_ABORT, CAUSE_NONE);
	cr_expect_eq(board_sum_verdict(b, STAGE_EOM, OUTCOME_ABORT, CAUSE_NONE),
		     1);
	board_free(&b);
}

Test(board, switches_for_all_at_once)
{
	static const struct conf_switch settings = { MODE_EVALUATE, 0 };
	static const struct conf_switch off = { MODE_OFF, 0 };
	static const struct conf_switch some = { MODE_PERCENT, 100 };
	struct board *b = board_new(1, 10);

	cr_expect_eq(board_switched(b, 5, &settings).mode, MODE_EVALUATE);
	cr_expect_not(board_is_switched(b, 5));
	board_switch(b, 5, &off);
	cr_expect(board_is_switched(b, 5));
	cr_expect_eq(board_switched(b, 5, &settings).mode, MODE_OFF);
	cr_expect_eq(board_switched(b, 4, &settings).mode, MODE_EVALUATE);
	board_switch(b, 5, &some);
	cr_expect_eq(board_switched(b, 5, &settings).mode, MODE_PERCENT);
	cr_expect_eq(board_switched(b, 5, &settings).percent, 100);
	board_switch(b, 5, NULL);
	cr_expect_eq(board_switched(b, 5, &settings).mode, MODE_EVALUATE);
	board_free(&b);
}

Test(board, counts_connections_by_scanning)
{
	unsigned by_socket[CONF_SOCKETS_MAX];
	struct board *b = board_new(3, 10);

	board_note_held(board_slot(b, 0), 63, 0);
	board_note_held(board_slot(b, 1), 63, 7);
	board_note_held(board_slot(b, 2), 63, 7);
	cr_expect_eq(board_held(b, 63, by_socket), 3);
	cr_expect_eq(by_socket[0], 1);
	cr_expect_eq(by_socket[7], 2);
	board_note_released(board_slot(b, 0), 63);
	/* A killed worker's end with its slot; nonsense counts as none. */
	board_slot_reset(b, 1, 2);
	atomic_store(&board_slot(b, 0)->held[63], 200);
	cr_expect_eq(board_held(b, 63, by_socket), 1);
	cr_expect_eq(board_held(b, 62, by_socket), 0);
	board_free(&b);
}

static void remember(struct board *b, const char *id, const char *line)
{
	board_remember_line(b, slice_str(id), slice_str(line));
}

Test(board, remembers_the_last_messages)
{
	struct board *b = board_new(1, 3);
	struct board_entry e;

	cr_expect_not(board_read_entry(b, 1, &e));
	cr_expect_not(board_find_entry(b, SLICE_LIT("A"), UINT64_MAX, &e));
	remember(b, "A", "A: first");
	remember(b, "B", "B: second");
	remember(b, "A", "A: third");
	cr_assert(board_find_entry(b, SLICE_LIT("A"), UINT64_MAX, &e));
	cr_expect_eq(e.number, 3);
	cr_expect(slice_is(slice_of(e.line, e.len), "A: third"));
	cr_assert(board_find_entry(b, SLICE_LIT("A"), e.number, &e));
	cr_expect(slice_is(slice_of(e.line, e.len), "A: first"));
	cr_expect_not(board_find_entry(b, SLICE_LIT("A"), e.number, &e));
	cr_expect_not(board_find_entry(b, SLICE_LIT(""), UINT64_MAX, &e));
	remember(b, "C", "C: fourth");
	cr_expect_eq(board_newest(b), 4);
	cr_expect_not(board_read_entry(b, 1, &e), "the ring turned round");
	cr_expect(board_read_entry(b, 2, &e));
	cr_expect_str_eq(e.queue_id, "B");
	cr_expect_not(board_read_entry(b, 5, &e));
	board_free(&b);
}

Test(board, cuts_a_long_line_and_a_long_id)
{
	static char text[3000];
	struct board *b = board_new(1, 3);
	struct board_entry e;

	memset(text, 'x', sizeof(text));
	board_remember_line(b, slice_of(text, 40), slice_of(text, 3000));
	cr_assert(board_read_entry(b, 1, &e));
	cr_expect_eq(e.len, BOARD_LINE_MAX);
	cr_expect_eq(strlen(e.queue_id), sizeof(e.queue_id) - 1);
	board_free(&b);
}

/* Two writers may meet in a cell of a short ring; one may be killed there. */
Test(board, sees_a_torn_entry)
{
	struct board *b = board_new(1, 3);
	struct board_entry e;

	remember(b, "A", "A: first");
	b->ring[0].line[4] ^= 1;
	cr_expect_not(board_read_entry(b, 1, &e));
	b->ring[0].line[4] ^= 1;
	cr_expect(board_read_entry(b, 1, &e));
	atomic_store(&b->ring[0].changes, 7);
	cr_expect_not(board_read_entry(b, 1, &e));
	b->ring[0].len = 60000;
	cr_expect_not(board_read_entry(b, 1, &e));
	board_free(&b);
}

Test(board, is_taken_over_by_a_successor)
{
	struct board *b = board_new(4, 10), *next;
	int control, numbers;

	board_name_milter(b, 2, "spam");
	board_count(b, 3, COUNT_SESSIONS, 5);
	remember(b, "A", "A: first");
	control = dup(board_control_fd(b));
	numbers = dup(board_numbers_fd(b));
	next = board_adopt(control, numbers);
	cr_assert_not_null(next);
	cr_expect_eq(board_slots(next), 4);
	cr_expect_eq(board_history(next), 10);
	cr_expect_str_eq(board_milter_name(next, 2), "spam");
	cr_expect_eq(board_sum(next, COUNT_SESSIONS), 5);
	cr_expect_eq(board_newest(next), 1);
	/* It writes control, and the other sees it. */
	board_name_milter(next, 2, "virus");
	cr_expect_str_eq(board_milter_name(b, 2), "virus");
	board_free(&next);
	board_free(&b);
}

Test(board, is_not_taken_over_when_it_is_another)
{
	struct board *b = board_new(4, 10);
	int control = dup(board_control_fd(b));
	int numbers = dup(board_numbers_fd(b));

	b->numbers->header.version++;
	cr_expect_null(board_adopt(control, numbers));
	cr_expect_eq(errno, 0);
	b->numbers->header.version--;
	b->numbers->header.slots = 5; /* and so of another size */
	cr_expect_null(board_adopt(dup(board_control_fd(b)),
				   dup(board_numbers_fd(b))));
	cr_expect_eq(errno, 0);
	b->numbers->header.slots = 4;
	cr_expect_null(board_adopt(dup(0), dup(0)));
	board_free(&b);
}

Test(board, forgets_a_milter_for_the_next)
{
	static const struct breaker_limits limits = { 1, CLOCK_S };
	static const struct conf_switch off = { MODE_OFF, 0 };
	struct board *b = board_new(9, 10);
	struct board_breaker_copy copy;
	struct histogram h;

	board_name_milter(b, 1, "spam");
	board_switch(b, 1, &off);
	board_count_milter(b, 8, 1, MILTER_APPLIED, 4);
	board_count_answer(b, 7, 1, STAGE_EOM, ANSWERED_CONTINUE, 9);
	cr_expect(board_failed(b, 0, 1, &limits, MILTER_FAILED_CONNECT, 0));
	board_clear_milter(b, 1);
	cr_expect_str_empty(board_milter_name(b, 1));
	cr_expect_not(board_is_switched(b, 1));
	cr_expect_eq(board_sum_milter(b, 1, MILTER_APPLIED), 0);
	cr_expect_eq(board_sum_answer(b, 1, STAGE_EOM, ANSWERED_CONTINUE), 0);
	board_sum_latency(b, 1, STAGE_EOM, &h);
	cr_expect_eq(h.count + h.sum, 0);
	board_read_breaker(b, 1, &copy);
	cr_expect_eq(copy.breaker.state, BREAKER_CLOSED);
	cr_expect_eq(copy.failed_at, 0);
	board_free(&b);
}
