#include "server/handover.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct arena arena;
static struct buf text;

static void begin(void)
{
	static struct handover h;
	struct handover_worker workers[] = { { 3, 77, 9, 12, 4 },
					     { 5, 78, 0, 1, 5 } };
	struct buf texts;

	arena_init(&arena, HANDOVER_CEILING);
	buf_init(&text, HANDOVER_CEILING);
	buf_init(&texts, HANDOVER_CEILING);
	cr_assert(handover_put(&texts, "empty", SLICE_EMPTY));
	cr_assert(handover_put(&texts, "switches",
			       SLICE_LIT("off a\npid 1\ntext b 99\n")));
	h = (struct handover){ .pid = getpid(),
			       .settings = 5,
			       .control_fd = 6,
			       .numbers_fd = 7,
			       .pid_fd = 8,
			       .workers = workers,
			       .worker_count = 2,
			       .text = buf_slice(&texts) };
	h.sockets.at[0] = (struct inherited){ 10, false, 1, UINT64_MAX };
	h.sockets.at[1] = (struct inherited){ 11, true, 0, 0 };
	h.sockets.count = 2;
	cr_assert(handover_print(&h, &text));
	buf_deinit(&texts);
}

static void end(void)
{
	buf_deinit(&text);
	arena_deinit(&arena);
}

Test(handover, comes_back_as_it_was, .init = begin, .fini = end)
{
	static struct handover h;
	struct slice own;

	cr_assert(handover_parse(&arena, buf_slice(&text), &h));
	cr_expect_eq(h.settings, 5);
	cr_expect_eq(h.control_fd, 6);
	cr_expect_eq(h.numbers_fd, 7);
	cr_expect_eq(h.pid_fd, 8);
	cr_assert_eq(h.sockets.count, 2);
	cr_expect_eq(h.sockets.at[0].fd, 10);
	cr_expect_not(h.sockets.at[0].foreign);
	cr_expect_eq(h.sockets.at[0].ino, UINT64_MAX);
	cr_expect(h.sockets.at[1].foreign);
	cr_assert_eq(h.worker_count, 2);
	cr_expect_eq(h.workers[0].slot, 3);
	cr_expect_eq(h.workers[0].pid, 77);
	cr_expect_eq(h.workers[0].fd, 9);
	cr_expect_eq(h.workers[0].generation, 12);
	cr_expect_eq(h.workers[0].settings, 4);
	cr_assert(handover_get(&h, "switches", &own));
	cr_expect(slice_is(own, "off a\npid 1\ntext b 99\n"));
	cr_assert(handover_get(&h, "empty", &own));
	cr_expect_eq(own.len, 0);
	cr_expect_not(handover_get(&h, "b", &own), "it is within another");
}

Test(handover, a_newer_program_may_say_more, .init = begin, .fini = end)
{
	static struct handover h;

	cr_assert(buf_printf(&text, "colour blue\n"));
	cr_expect(handover_parse(&arena, buf_slice(&text), &h));
}

/* Cut anywhere it is refused or short, but nothing is read behind the end. */
Test(handover, cut_anywhere, .init = begin, .fini = end)
{
	static struct handover h;
	struct slice all = buf_slice(&text);

	for (size_t n = 0; n < all.len; n++) {
		char *copy = malloc(n ? n : 1);

		cr_assert_not_null(copy);
		memcpy(copy, all.data, n);
		(void)handover_parse(&arena, slice_of(copy, n), &h);
		cr_expect_leq(h.worker_count, 2);
		free(copy);
	}
}

Test(handover, what_is_not_for_us_is_refused)
{
	static const char *const cases[] = {
		"",
		"sekisho handover 2\npid %d\nboard 5 6\n",
		"sekisho handover 1\npid 1\nboard 5 6\n",
		"sekisho handover 1\nboard 5 6\n",
		"sekisho handover 1\npid %d\n",
		"sekisho handover 1\npid %d\nboard 5\n",
		"sekisho handover 1\npid %d\nboard 5 6\nworker 1 0 2 3 4\n",
		"sekisho handover 1\npid %d\nboard 5 6\nworker 1 -5 2 3 4\n",
		"sekisho handover 1\npid %d\nboard 5 6\ntext a 500\nx\n",
		"sekisho handover 1\npid %d\nboard 5 6\nsocket 3 own\n",
	};
	static struct handover h;

	arena_init(&arena, HANDOVER_CEILING);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *pid = strstr(cases[i], "%d");
		char room[200];

		if (pid)
			snprintf(room, sizeof(room), "%.*s%d%s",
				 (int)(pid - cases[i]), cases[i],
				 (int)getpid(), pid + 2);
		else
			snprintf(room, sizeof(room), "%s", cases[i]);
		cr_expect_not(handover_parse(&arena, slice_str(room), &h),
			      "%s", room);
	}
	arena_deinit(&arena);
}

Test(handover, the_environment_names_it, .init = begin, .fini = end)
{
	static struct handover h;
	int fd = memfd_create("t", 0);
	char number[16];

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, buf_slice(&text).data, buf_len(&text)),
		     (ssize_t)buf_len(&text));
	snprintf(number, sizeof(number), "%d", fd);
	setenv(HANDOVER_ENV, number, 1);
	cr_assert(handover_begin(&arena, &h));
	cr_expect_eq(h.settings, 5);
	cr_expect_null(getenv(HANDOVER_ENV));
	cr_expect_not(handover_begin(&arena, &h));
	setenv(HANDOVER_ENV, "/dev/zero", 1);
	cr_expect_not(handover_begin(&arena, &h));
	close(fd);
}
