#include "worker/wish.h"

#include "shared/rule.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

static struct conf conf;
static struct worker_env env;
static struct arena arena;
static struct member member;
static int supervisor;

static void begin(void)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX,
				SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
				0, fds),
		     0);
	conf = (struct conf){ .milter_count = 3 };
	env = (struct worker_env){ .conf = &conf,
				   .board = board_new(1, 10),
				   .supervisor_fd = fds[0],
				   .hungry_fd = -1 };
	cr_assert_not_null(env.board);
	supervisor = fds[1];
	arena_init(&arena, 1 << 20);
	conf.rules = rules_new(&arena, NULL, 0);
	cr_assert_not_null(conf.rules);
	member = (struct member){ .index = 1, .cell = 1 };
}

static void end(void)
{
	close(env.supervisor_fd);
	close(supervisor);
	board_free(&env.board);
	arena_deinit(&arena);
}

TestSuite(wish, .init = begin, .fini = end);

static void remember(unsigned milter, enum milter_list list, const char *names)
{
	struct board_wanted w = { .actions = 1 };

	w.has_list[list] = true;
	w.list[list] = slice_str(names);
	board_remember(env.board, milter, &w);
}

static void expect_list(const struct option *o, enum milter_list list,
			const char *want)
{
	cr_expect_eq(o->has_list[list], want != NULL, "list %u",
		     (unsigned)list);
	if (want)
		cr_expect(slice_is(o->list[list], want), "list %u: \"%.*s\"",
			  (unsigned)list, SLICE_ARG(o->list[list]));
}

/* What the MTA gives without being asked must not get lost by asking. */
#define MAIL_DEFAULTS                                                    \
	"i {auth_type} {auth_authen} {auth_ssf} {auth_author} "          \
	"{mail_mailer} {mail_host} {mail_addr}"

Test(wish, nothing_known_no_lists)
{
	struct option o = { 0 };

	wish_lists(&env, &arena, &o);
	for (unsigned i = 0; i < LIST_COUNT; i++)
		expect_list(&o, (enum milter_list)i, NULL);
}

Test(wish, the_childrens_and_the_defaults)
{
	struct option o = { 0 };

	remember(0, LIST_MAIL, "{auth_type} {foo}");
	remember(2, LIST_MAIL, "foo {bar}");
	wish_lists(&env, &arena, &o);
	expect_list(&o, LIST_MAIL,
		    "{auth_type} {foo} {bar} i {auth_authen} {auth_ssf} "
		    "{auth_author} {mail_mailer} {mail_host} {mail_addr}");
	expect_list(&o, LIST_RCPT, NULL);
	expect_list(&o, LIST_EOM, NULL);
}

Test(wish, an_empty_list_is_no_wish)
{
	struct option o = { 0 };

	remember(0, LIST_MAIL, "");
	wish_lists(&env, &arena, &o);
	expect_list(&o, LIST_MAIL, NULL);
}

Test(wish, of_those_switched_off_nothing)
{
	struct option o = { 0 };

	remember(0, LIST_MAIL, "{foo}");
	conf.milters[0].mode.mode = MODE_OFF;
	wish_lists(&env, &arena, &o);
	expect_list(&o, LIST_MAIL, NULL);
}

Test(wish, of_those_evaluated_as_well)
{
	struct option o = { 0 };

	remember(0, LIST_MAIL, "{foo}");
	conf.milters[0].mode.mode = MODE_EVALUATE;
	wish_lists(&env, &arena, &o);
	expect_list(&o, LIST_MAIL, "{foo} " MAIL_DEFAULTS);
}

/* Sendmail reads the one only with the other. */
Test(wish, end_of_headers_and_of_message_together)
{
	struct option o = { 0 }, p = { 0 };

	remember(0, LIST_EOM, "{foo}");
	wish_lists(&env, &arena, &o);
	expect_list(&o, LIST_EOM, "{foo} i {msg_id}");
	expect_list(&o, LIST_EOH, "i");
	remember(0, LIST_EOH, "{bar}");
	wish_lists(&env, &arena, &p);
	expect_list(&p, LIST_EOH, "{bar} i");
	expect_list(&p, LIST_EOM, "i {msg_id}");
}

Test(wish, macros_extra)
{
	struct option o = { 0 };

	conf.macros_extra[LIST_RCPT] = SLICE_LIT("{x} {rcpt_addr}");
	wish_lists(&env, &arena, &o);
	/* Alone they would take the place of what the MTA has set itself. */
	expect_list(&o, LIST_RCPT, NULL);
	remember(0, LIST_RCPT, "{y}");
	wish_lists(&env, &arena, &o);
	expect_list(&o, LIST_RCPT,
		    "{y} {x} {rcpt_addr} i {rcpt_mailer} {rcpt_host}");
}

Test(wish, no_memory_no_list)
{
	struct option o = { 0 };
	struct arena small;

	arena_init(&small, 1);
	remember(0, LIST_MAIL, "{foo}");
	wish_lists(&env, &small, &o);
	expect_list(&o, LIST_MAIL, NULL);
	arena_deinit(&small);
}

/* ---- telling the supervisor ---- */

static ssize_t told(struct worker_note_wish *head, char *lists, size_t size)
{
	char packet[10000];
	ssize_t n = recv(supervisor, packet, sizeof(packet), 0);

	if (n < (ssize_t)sizeof(*head))
		return -1;
	memcpy(head, packet, sizeof(*head));
	n -= (ssize_t)sizeof(*head);
	cr_assert_leq((size_t)n, size);
	memcpy(lists, packet + sizeof(*head), (size_t)n);
	return n;
}

Test(wish, told_when_it_is_news)
{
	struct option *got = &member.child.got;
	struct worker_note_wish head;
	char lists[100];

	got->actions = SMFIF_ADDHDRS;
	got->protocol = SMFIP_NOHELO;
	got->has_list[LIST_MAIL] = got->has_list[LIST_EOM] = true;
	got->list[LIST_MAIL] = SLICE_LIT("i {x}");
	got->list[LIST_EOM] = SLICE_LIT("{y}");
	wish_note(&env, &member);
	cr_assert_eq(told(&head, lists, sizeof(lists)), 8);
	cr_expect_eq(head.kind, WORKER_NOTE_WISH);
	cr_expect_eq(head.milter, 1);
	cr_expect_eq(head.actions, SMFIF_ADDHDRS);
	cr_expect_eq(head.protocol, SMFIP_NOHELO);
	cr_expect_eq(head.has_list[LIST_MAIL], 1);
	cr_expect_eq(head.has_list[LIST_RCPT], 0);
	cr_expect_eq(head.list_len[LIST_MAIL], 5);
	cr_expect_eq(head.list_len[LIST_EOM], 3);
	cr_expect_eq(memcmp(lists, "i {x}{y}", 8), 0);
}

Test(wish, what_is_known_is_not_told_again)
{
	struct option *got = &member.child.got;
	struct board_wanted known = { .actions = 3, .protocol = 7 };
	struct worker_note_wish head;
	char lists[100];

	known.has_list[LIST_RCPT] = true;
	known.list[LIST_RCPT] = SLICE_LIT("i");
	board_remember(env.board, 1, &known);
	got->actions = 3;
	got->protocol = 7;
	got->has_list[LIST_RCPT] = true;
	got->list[LIST_RCPT] = SLICE_LIT("i");
	wish_note(&env, &member);
	cr_expect_eq(told(&head, lists, sizeof(lists)), -1);
	got->list[LIST_RCPT] = SLICE_LIT("j");
	wish_note(&env, &member);
	cr_expect_eq(told(&head, lists, sizeof(lists)), 1);
	got->list[LIST_RCPT] = SLICE_LIT("i");
	got->actions = 1;
	wish_note(&env, &member);
	cr_expect_eq(told(&head, lists, sizeof(lists)), 1);
	got->actions = 3;
	got->has_list[LIST_MAIL] = true;
	got->list[LIST_MAIL] = SLICE_EMPTY;
	wish_note(&env, &member);
	cr_expect_eq(told(&head, lists, sizeof(lists)), 1);
}

/* It has no room in memory that is shared: as if it had given none. */
Test(wish, a_list_too_long_to_remember)
{
	static char names[BOARD_LIST_MAX + 1];
	struct option *got = &member.child.got;
	struct worker_note_wish head;
	char lists[BOARD_LIST_MAX + 10];

	memset(names, 'n', sizeof(names));
	got->has_list[LIST_MAIL] = true;
	got->list[LIST_MAIL] = slice_of(names, BOARD_LIST_MAX);
	wish_note(&env, &member);
	cr_expect_eq(told(&head, lists, sizeof(lists)), BOARD_LIST_MAX);
	got->list[LIST_MAIL] = slice_of(names, sizeof(names));
	wish_note(&env, &member);
	cr_expect_eq(told(&head, lists, sizeof(lists)), 0);
	cr_expect_eq(head.has_list[LIST_MAIL], 0);
}

/* Nobody reads: lost, told again next time, and never waited for. */
Test(wish, the_supervisor_is_busy)
{
	for (int i = 0; i < 2000; i++) {
		member.child.got.actions = (uint32_t)i & SMFIF_ALL;
		wish_note(&env, &member);
	}
	close(supervisor);
	wish_note(&env, &member);
	supervisor = dup(env.supervisor_fd);
	cr_assert_geq(supervisor, 0);
}
