#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "t/unit/worker/child_stand.h"

TestSuite(child, .init = child_stand_begin, .fini = child_stand_end,
	  .timeout = 20);

/* ---- opening ---- */

Test(child, negotiates)
{
	puppet.option.protocol = SMFIP_NOHELO | SMFIP_NR_HDR;
	puppet.option.has_list[LIST_MAIL] = true;
	puppet.option.list[LIST_MAIL] = SLICE_LIT("i {auth_type}");
	puppet.option.has_list[LIST_EOM] = true;
	cr_expect_eq(child.link, LINK_NONE);
	open_it();
	puppet_expect(&puppet, "|O");
	cr_expect_eq(child.got.version, 6);
	cr_expect_eq(child.got.actions, SMFIF_ALL);
	cr_expect(slice_is(child.got.list[LIST_MAIL], "i {auth_type}"));
	cr_expect(child.got.has_list[LIST_EOM]);
	cr_expect_eq(child.got.list[LIST_EOM].len, 0);
	cr_expect_not(child.got.has_list[LIST_RCPT]);
	cr_expect_not(child_wants(&child, STAGE_HELO));
	cr_expect(child_wants(&child, STAGE_MAIL));
	cr_expect_not(child_owes(&child));
	cr_expect_eq(child_deadline(&child), CLOCK_NEVER);
}

/* The lists outlive the packet they came in. */
Test(child, keeps_the_lists)
{
	puppet.option.has_list[LIST_MAIL] = true;
	puppet.option.list[LIST_MAIL] = SLICE_LIT("i");
	puppet.option.has_list[LIST_RCPT] = true;
	puppet.option.list[LIST_RCPT] = SLICE_LIT("{rcpt_addr}");
	open_it();
	for (int i = 0; i < 50; i++) {
		tell(STAGE_HELO);
		cr_assert_eq(play(), CHILD_OK);
		expect_answer("continue@helo");
	}
	cr_expect(slice_is(child.got.list[LIST_MAIL], "i"));
	cr_expect(slice_is(child.got.list[LIST_RCPT], "{rcpt_addr}"));
}

Test(child, answers_more_than_was_offered)
{
	offer.actions = SMFIF_ADDHDRS;
	puppet.option.protocol = 0xffffffff;
	open_it();
	cr_expect_eq(child.got.actions, SMFIF_ADDHDRS);
	cr_expect_eq(child.got.protocol & (SMFIP_MDS_256K | SMFIP_MDS_1M), 0);
}

Test(child, leadspc_only_where_the_mta_has_it)
{
	puppet.option.protocol = SMFIP_HDR_LEADSPC;
	open_it();
	cr_expect_eq(child.got.protocol, SMFIP_HDR_LEADSPC);
	child_close(&child);
	offer.protocol = 0;
	cr_expect_eq(play(), CHILD_OK);
	open_it();
	cr_expect_eq(child.got.protocol, 0);
}

Test(child, version_2)
{
	puppet.option.version = 2;
	puppet.option.actions = SMFIF_ADDHDRS;
	open_it();
	cr_expect_not(child_wants(&child, STAGE_UNKNOWN));
	cr_expect_not(child_wants(&child, STAGE_DATA));
	cr_expect(child_wants(&child, STAGE_EOM));
}

Test(child, version_3)
{
	puppet.option.version = 3;
	open_it();
	cr_expect(child_wants(&child, STAGE_UNKNOWN));
	cr_expect_not(child_wants(&child, STAGE_DATA));
}

Test(child, speaks_no_milter)
{
	static const struct {
		const char *hello;
		const char *reason;
	} cases[] = {
		{ "220 mx.example ESMTP\r\n", "impossible length" },
		{ "HTTP/1.1 400 Bad Request\r\n", "impossible length" },
		{ "\xff\xff\xff\xff", "impossible length" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		puppet.hello = cases[i].hello;
		cr_assert_eq(child_open(&child, &offer), CHILD_OK);
		expect_failure(play(), CHILD_PROTOCOL, cases[i].reason);
		child_close(&child);
		play();
	}
}

Test(child, guesses_who_it_is)
{
	puppet.hello = "220 mx.example ESMTP\r\n";
	cr_assert_eq(child_open(&child, &offer), CHILD_OK);
	expect_failure(play(), CHILD_PROTOCOL, "it looks like an SMTP");
}

Test(child, another_answer_than_optneg)
{
	cr_assert_eq(child_open(&child, &offer), CHILD_OK);
	puppet.hello = "";
	cr_assert_eq(play(), CHILD_OK);
	puppet_say(&puppet, "c");
	expect_failure(play(), CHILD_PROTOCOL, "another answer than OPTNEG");
}

Test(child, refuses_to_negotiate)
{
	puppet.hello = "";
	cr_assert_eq(child_open(&child, &offer), CHILD_OK);
	cr_assert_eq(play(), CHILD_OK);
	puppet_say(&puppet, "x");
	expect_failure(play(), CHILD_CONNECT, "closed instead of negotiating");
}

Test(child, version_above_ours)
{
	puppet.option.version = 7;
	cr_assert_eq(child_open(&child, &offer), CHILD_OK);
	expect_failure(play(), CHILD_PROTOCOL, "version");
}

Test(child, silent_when_negotiating)
{
	puppet.hello = "";
	cr_assert_eq(child_open(&child, &offer), CHILD_OK);
	cr_assert_eq(play(), CHILD_OK);
	cr_expect_eq(child.link, LINK_NEGOTIATING);
	/* Reached is only who has negotiated. */
	cr_expect_eq(child_deadline(&child), START + 3 * CLOCK_S);
	clock_set(START + 3 * CLOCK_S);
	child_too_late(&child);
	cr_expect(strstr(child.why, "negotiation"), "%s", child.why);
}

Test(child, nobody_listens)
{
	close(puppet.listener);
	puppet.listener = -1;
	expect_failure(child_open(&child, &offer), CHILD_CONNECT, "refused");
	unlink(puppet.path);
	expect_failure(child_open(&child, &offer), CHILD_CONNECT, "No such");
}

Test(child, no_address_at_all)
{
	conf.socket.at->addr_count = 0;
	cr_expect_eq(child_open(&child, &offer), CHILD_CONNECT);
}

Test(child, the_next_address)
{
	conf.socket.at->addr[1] = conf.socket.at->addr[0];
	conf.socket.at->addr_len[1] = conf.socket.at->addr_len[0];
	conf.socket.at->addr_count = 2;
	conf.socket.at->addr[0].un.sun_path[5] = '?';
	open_it();
	puppet_expect(&puppet, "|O");
}

/* A full queue is asked again, until the time is over. */
Test(child, queue_is_full)
{
	int waiting[64], n = 0;

	cr_assert_eq(listen(puppet.listener, 0), 0);
	while (n < 64) {
		waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(waiting[n++], &conf.socket.at->addr[0].any,
			    conf.socket.at->addr_len[0]) < 0)
			break;
	}
	cr_assert_lt(n, 64);
	cr_assert_eq(child_open(&child, &offer), CHILD_OK);
	cr_expect_eq(child.link, LINK_CONNECTING);
	cr_expect_eq(child_events(&child), 0);
	/* 5 to 15 ms later, by what microsecond it is. */
	cr_expect_eq(child_deadline(&child), START + 5 * CLOCK_MS);
	clock_set(START + 9 * CLOCK_MS);
	cr_expect_eq(child_too_late(&child), CHILD_OK);
	cr_expect_eq(child_deadline(&child), START + 23 * CLOCK_MS);
	/* Room again. */
	for (int i = 0; i < n; i++)
		close(waiting[i]);
	for (int fd; (fd = accept(puppet.listener, NULL, NULL)) >= 0;)
		close(fd);
	clock_set(START + 23 * CLOCK_MS);
	cr_expect_eq(child_too_late(&child), CHILD_OK);
	cr_assert_eq(play(), CHILD_OK);
	cr_expect_eq(child.link, LINK_OPEN);
}

Test(child, queue_stays_full)
{
	int waiting[64], n = 0;

	cr_assert_eq(listen(puppet.listener, 0), 0);
	while (n < 64) {
		waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(waiting[n++], &conf.socket.at->addr[0].any,
			    conf.socket.at->addr_len[0]) < 0)
			break;
	}
	cr_assert_eq(child_open(&child, &offer), CHILD_OK);
	clock_set(START + 3 * CLOCK_S);
	expect_failure(child_too_late(&child), CHILD_CONNECT, "in time");
	for (int i = 0; i < n; i++)
		close(waiting[i]);
}

Test(child, opens_again)
{
	for (int i = 0; i < 20; i++) {
		open_it();
		tell(STAGE_HELO);
		cr_assert_eq(play(), CHILD_OK);
		puppet_expect(&puppet, "|OHh");
		child_close(&child);
		cr_expect_eq(child.link, LINK_NONE);
		cr_expect_eq(child.fd, -1);
		cr_expect_not(child_owes(&child));
		cr_assert_eq(play(), CHILD_OK);
	}
}

/* ---- what is owed ---- */

Test(child, answers_in_the_order_of_the_commands)
{
	puppet.say[STAGE_RCPT] = "t";
	puppet.say[STAGE_DATA] = "a";
	open_it();
	tell(STAGE_MAIL);
	tell(STAGE_RCPT);
	tell(STAGE_RCPT);
	tell(STAGE_DATA);
	cr_expect(child_owes(&child));
	cr_assert_eq(play(), CHILD_OK);
	expect_answer("continue@mail");
	expect_answer("tempfail@rcpt");
	expect_answer("tempfail@rcpt");
	cr_expect(child_owes(&child));
	expect_answer("accept@data");
	cr_expect_not(child_owes(&child));
	expect_answer("nothing");
}

Test(child, answer_nobody_asked_for)
{
	open_it();
	puppet_say(&puppet, "c");
	cr_assert_eq(play(), CHILD_OK);
	expect_answer("protocol");
	cr_expect(strstr(child.why, "not asked for"));
}

Test(child, one_answer_too_many)
{
	puppet.say[STAGE_HELO] = "cc";
	open_it();
	tell(STAGE_HELO);
	cr_assert_eq(play(), CHILD_OK);
	expect_answer("continue@helo");
	expect_answer("protocol");
}

Test(child, nr_bits_leave_no_debt)
{
	static const enum stage stages[] = {
		STAGE_CONNECT, STAGE_HELO,   STAGE_MAIL, STAGE_RCPT, STAGE_DATA,
		STAGE_UNKNOWN, STAGE_HEADER, STAGE_EOH,	 STAGE_BODY
	};

	puppet.option.protocol = SMFIP_NR_ALL;
	open_it();
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		tell(stages[i]);
		cr_expect_not(child_owes(&child), "%s",
			      milter_stage_name(stages[i]));
	}
	tell(STAGE_EOM);
	cr_expect(child_owes(&child));
	cr_assert_eq(play(), CHILD_OK);
	expect_answer("continue@eom");
}

Test(child, edits_and_progress_leave_the_debt_alone)
{
	const struct answer edits[] = {
		{ .kind = ANSWER_ADDHEADER,
		  .header = { 0, SLICE_LIT("X"), SLICE_LIT("v") } },
		{ .kind = ANSWER_QUARANTINE, .text = SLICE_LIT("q") },
	};

	puppet.edits = edits;
	puppet.edit_count = 2;
	puppet.say[STAGE_EOM] = "pc";
	open_it();
	tell(STAGE_EOM);
	cr_assert_eq(play(), CHILD_OK);
	expect_answer("addheader@eom");
	cr_expect(child_owes(&child));
	expect_answer("quarantine@eom");
	expect_answer("progress@eom");
	cr_expect(child_owes(&child));
	expect_answer("continue@eom");
	cr_expect_not(child_owes(&child));
}

/* 70 headers and more, each with an answer: one run of debts. */
Test(child, many_debts)
{
	open_it();
	for (int i = 0; i < 500; i++)
		tell(STAGE_HEADER);
	tell(STAGE_EOH);
	tell(STAGE_BODY);
	tell(STAGE_EOM);
	cr_assert_eq(play(), CHILD_OK);
	for (int i = 0; i < 500; i++)
		expect_answer("continue@header");
	expect_answer("continue@eoh");
	expect_answer("continue@body");
	expect_answer("continue@eom");
}

Test(child, answers_cut_at_every_byte)
{
	static const struct answer reply = {
		.kind = ANSWER_REPLYCODE, .text = SLICE_LIT("550 5.7.1 no")
	};
	struct buf b;

	for (unsigned i = 0; i < STAGE_COUNT; i++)
		puppet.say[i] = "";
	buf_init(&b, 1000);
	cr_assert(answer_encode(&b, &reply));
	open_it();
	for (size_t cut = 0; cut <= buf_len(&b); cut++) {
		struct slice all = buf_slice(&b);

		tell(STAGE_MAIL);
		cr_assert_eq(play(), CHILD_OK);
		cr_assert_eq(send(puppet.fd, all.data, cut, 0), (ssize_t)cut);
		cr_assert_eq(play(), CHILD_OK);
		if (cut < all.len)
			expect_answer("nothing");
		cr_assert_eq(send(puppet.fd, all.data + cut, all.len - cut, 0),
			     (ssize_t)(all.len - cut));
		cr_assert_eq(play(), CHILD_OK);
		expect_answer("replycode@mail");
	}
	buf_deinit(&b);
}

Test(child, garbage_for_an_answer)
{
	static const struct {
		const char *say;
		const char *reason;
	} cases[] = {
		{ "!", "impossible length" },
		{ "?", "" }, /* an answer that is none */
		{ "h", "" }, /* one that lacks its payload */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		puppet.say[STAGE_MAIL] = cases[i].say;
		open_it();
		tell(STAGE_MAIL);
		cr_assert_eq(play(), CHILD_OK);
		expect_answer("protocol");
		cr_expect(strstr(child.why, cases[i].reason));
		cr_expect_gt(strlen(child.why), 0);
		child_close(&child);
		play();
	}
}

Test(child, closes_while_it_owes)
{
	puppet.say[STAGE_MAIL] = "x";
	open_it();
	tell(STAGE_MAIL);
	expect_failure(play(), CHILD_EOF, "closed the connection");
	expect_answer("nothing");
}

/* What it said before it closed still counts. */
Test(child, answers_and_closes)
{
	puppet.say[STAGE_MAIL] = "rx";
	open_it();
	tell(STAGE_MAIL);
	play();
	expect_answer("reject@mail");
}

/* ---- time ---- */

Test(child, silent)
{
	puppet.say[STAGE_MAIL] = "";
	open_it();
	clock_set(START + 100 * CLOCK_S);
	tell(STAGE_MAIL);
	cr_assert_eq(play(), CHILD_OK);
	cr_expect_eq(child_deadline(&child), START + 107 * CLOCK_S);
	clock_set(START + 107 * CLOCK_S);
	expect_failure(child_too_late(&child), CHILD_TIMEOUT,
		       "no answer in time");
}

Test(child, end_of_message_has_its_own_time)
{
	puppet.say[STAGE_EOM] = "";
	open_it();
	tell(STAGE_EOM);
	cr_assert_eq(play(), CHILD_OK);
	cr_expect_eq(child_deadline(&child), START + 120 * CLOCK_S);
}

Test(child, progress_renews_its_time)
{
	puppet.say[STAGE_EOM] = "";
	open_it();
	tell(STAGE_EOM);
	cr_assert_eq(play(), CHILD_OK);
	clock_set(START + 119 * CLOCK_S);
	puppet_say(&puppet, "p");
	cr_assert_eq(play(), CHILD_OK);
	cr_expect_eq(child_deadline(&child), START + 239 * CLOCK_S);
}

Test(child, counts_the_time_it_was_waited_for)
{
	puppet.say[STAGE_MAIL] = puppet.say[STAGE_RCPT] = "";
	open_it();
	tell(STAGE_MAIL);
	clock_set(START + 2 * CLOCK_S);
	tell(STAGE_RCPT);
	cr_assert_eq(play(), CHILD_OK);
	clock_set(START + 3 * CLOCK_S);
	puppet_say(&puppet, "cc");
	cr_assert_eq(play(), CHILD_OK);
	expect_answer("continue@mail");
	expect_answer("continue@rcpt");
	cr_expect_eq(child.busy, 3 * CLOCK_S);
	clock_set(START + 10 * CLOCK_S);
	cr_expect_eq(child.busy, 3 * CLOCK_S);
}

/* It reads nothing: what is queued has its time too. */
Test(child, does_not_read)
{
	static char bytes[60000];
	struct command cmd = { .kind = CMD_BODY };
	int n = 0;

	puppet.option.protocol = SMFIP_NR_BODY;
	open_it();
	cmd.body = slice_of(bytes, sizeof(bytes));
	while (n++ < 100 && !buf_len(&child.out)) {
		cr_assert_eq(child_tell(&child, STAGE_BODY, &cmd), CHILD_OK);
		cr_assert_eq(child_flush(&child), CHILD_OK);
	}
	cr_assert_lt(n, 100);
	cr_expect_not(child_owes(&child));
	cr_expect(child_events(&child) & POLLOUT);
	cr_expect_eq(child_deadline(&child), START + 7 * CLOCK_S);
	cr_assert_eq(play(), CHILD_OK);
	cr_expect_eq(buf_len(&child.out), 0);
	cr_expect_eq(child_deadline(&child), CLOCK_NEVER);
}

/* ---- waiting for it alone ---- */

Test(child, is_waited_for_a_moment)
{
	puppet.say[STAGE_MAIL] = "";
	open_it();
	cr_expect_eq(child_await(&child), CHILD_NOTHING, "nothing is owed");
	tell(STAGE_MAIL);
	cr_expect_eq(play(), CHILD_OK);
	cr_expect_eq(child_await(&child), CHILD_NOTHING, "it is silent");
	puppet_say(&puppet, "c");
	cr_expect_eq(child_await(&child), CHILD_OK);
	expect_answer("continue@mail");
	tell(STAGE_RCPT);
	puppet_say(&puppet, "x");
	expect_failure(child_await(&child), CHILD_EOF, "closed");
}

/* Less than is owed must not be waited for without end, nor be lost. */
Test(child, that_owes_several_is_waited_for_all)
{
	puppet.option.protocol = SMFIP_NR_BODY;
	open_it();
	for (int i = 0; i < 3; i++)
		tell(STAGE_HEADER);
	puppet_say(&puppet, "ccc");
	cr_expect_eq(child_await(&child), CHILD_OK);
	for (int i = 0; i < 3; i++)
		expect_answer("continue@header");
	expect_answer("nothing");
	tell(STAGE_HEADER);
	tell(STAGE_HEADER);
	puppet_say(&puppet, "r");
	cr_expect_eq(child_await(&child), CHILD_OK);
	expect_answer("reject@header");
	expect_answer("nothing");
}

/* ---- a body as it lies ---- */

static struct conf body_conf = { .message_memory = 100000,
				 .message_max = 1 << 24,
				 .spool_directory = "/tmp" };
static struct body body;

/* In the file and in memory, more than a socket takes at once. */
static void make_body(size_t n)
{
	static char bytes[65535];

	memset(bytes, 'b', sizeof(bytes));
	body_init(&body, NULL, &body_conf);
	while (body.len < n) {
		size_t now = n - (size_t)body.len;

		if (now > sizeof(bytes))
			now = sizeof(bytes);
		cr_assert_eq(body_add(&body, slice_of(bytes, now)), BODY_OK);
	}
}

Test(child, a_body_goes_behind_what_is_queued)
{
	static const struct command eoh = { .kind = CMD_EOH };

	make_body(2000000);
	open_it();
	cr_assert_eq(child_tell(&child, STAGE_EOH, &eoh), CHILD_OK);
	cr_expect_not(child_has_run(&child));
	child_tell_body(&child, &body, 0, body.len);
	cr_expect(child_has_run(&child));
	cr_expect_eq(child.owed_runs, 2);
	cr_expect_eq(child.owed[1].count, 31, "an answer to each packet");
	cr_assert_eq(child_flush(&child), CHILD_OK);
	cr_expect_eq(buf_len(&child.out), 0, "went with the first packets");
	cr_expect(child_is_writing(&child), "not all of it at once");
	cr_expect_not(child_is_settled(&child), "to be polled for writing");
	cr_expect_eq(child_await(&child), CHILD_NOTHING);
	cr_expect(child_events(&child) & POLLOUT);
	cr_expect_lt(child.out.size, 65536, "nothing of it was copied");
	cr_assert_eq(play(), CHILD_OK);
	cr_expect_not(child_is_writing(&child));
	expect_answer("continue@eoh");
	for (int i = 0; i < 31; i++)
		expect_answer("continue@body");
	cr_expect(child_in_step(&child));
	tell(STAGE_EOM);
	cr_assert_eq(play(), CHILD_OK);
	puppet_expect(&puppet, "|ONBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBE");
	cr_expect_eq(buf_len(&puppet.content), 2000000 + 1);
	body_deinit(&body);
}

/* In the middle of a packet no other can begin. */
Test(child, no_word_inside_a_run)
{
	make_body(2000000);
	puppet.option.protocol = SMFIP_NR_BODY;
	open_it();
	child_tell_body(&child, &body, 0, body.len);
	cr_assert_eq(child_flush(&child), CHILD_OK);
	cr_expect_not(child_owes(&child));
	cr_expect_not(child_in_step(&child));
	cr_expect_eq(child_deadline(&child), START + 7 * CLOCK_S);
	child_quit(&child, true);
	cr_expect_eq(child.link, LINK_NONE);
	cr_expect_not(child_has_run(&child), "the body may go now");
	body_deinit(&body);
	play();
	cr_expect_eq(slice_find(buf_slice(&puppet.heard), 'A'), -1);
	cr_expect_eq(slice_find(buf_slice(&puppet.heard), 'Q'), -1);
}

Test(child, the_body_cannot_be_read)
{
	make_body(2000000);
	cr_assert_eq(ftruncate(body.own.fd, 0), 0);
	open_it();
	child_tell_body(&child, &body, 0, body.len);
	expect_failure(child_flush(&child), CHILD_NO_SPACE, "spool");
	child_close(&child);
	body_deinit(&body);
}

/* ---- telling ---- */

Test(child, abort_and_quit)
{
	open_it();
	cr_assert_eq(child_abort(&child), CHILD_OK);
	cr_assert_eq(play(), CHILD_OK);
	child_quit(&child, true);
	cr_expect_eq(child.link, LINK_NONE);
	play();
	puppet_expect(&puppet, "|OAAQ");
	open_it();
	child_quit(&child, false);
	play();
	puppet_expect(&puppet, "|OQ");
	/* One that owes an answer would take QUIT for something else. */
	puppet.say[STAGE_MAIL] = "";
	open_it();
	tell(STAGE_MAIL);
	child_quit(&child, true);
	play();
	puppet_expect(&puppet, "|OM<a>");
}

Test(child, macros_by_its_list)
{
	const struct journal_macros macros = {
		true, SLICE_LIT("i\0Q1\0{auth_type}\0PLAIN\0x\0y\0")
	};
	const struct journal_macros none = { 0 };
	unsigned dropped;

	puppet.option.has_list[LIST_MAIL] = true;
	puppet.option.list[LIST_MAIL] = SLICE_LIT("auth_type i");
	puppet.option.has_list[LIST_DATA] = true;
	open_it();
	cr_assert_eq(child_tell_macros(&child, STAGE_MAIL, &macros, &dropped),
		     CHILD_OK);
	cr_assert_eq(child_tell_macros(&child, STAGE_RCPT, &macros, &dropped),
		     CHILD_OK);
	cr_assert_eq(child_tell_macros(&child, STAGE_DATA, &macros, &dropped),
		     CHILD_OK);
	cr_assert_eq(child_tell_macros(&child, STAGE_EOM, &none, &dropped),
		     CHILD_OK);
	cr_assert_eq(child_flush(&child), CHILD_OK);
	cr_assert_eq(play(), CHILD_OK);
	cr_expect(slice_is(buf_slice(&puppet.macros),
			   "M i=Q1 {auth_type}=PLAIN "
			   "R i=Q1 {auth_type}=PLAIN x=y "
			   "T "),
		  "%.*s", SLICE_ARG(buf_slice(&puppet.macros)));
	cr_expect_eq(dropped, 0);
}

/* No packet above 65,535 bytes: the largest values stay behind. */
Test(child, macros_too_large_for_one_packet)
{
	struct journal_macros macros = { .came = true };
	unsigned dropped;
	struct buf b;

	buf_init(&b, 200000);
	cr_assert(buf_add(&b, SLICE_LIT("big\0")));
	for (int i = 0; i < 65520; i++)
		cr_assert(buf_add_byte(&b, 'x'));
	cr_assert(buf_add(&b, SLICE_LIT("\0small\0s\0other\0o\0")));
	macros.pairs = buf_slice(&b);
	open_it();
	cr_assert_eq(child_tell_macros(&child, STAGE_MAIL, &macros, &dropped),
		     CHILD_OK);
	cr_expect_eq(dropped, 1);
	cr_assert_eq(child_flush(&child), CHILD_OK);
	cr_assert_eq(play(), CHILD_OK);
	cr_expect(slice_is(buf_slice(&puppet.macros), "M small=s other=o "));
	buf_deinit(&b);
}

Test(child, no_room_queues_nothing)
{
	static char bytes[65000];
	struct command cmd = { .kind = CMD_BODY };
	enum child_result r;
	size_t before;

	cmd.body = slice_of(bytes, sizeof(bytes));
	puppet.option.protocol = SMFIP_NR_BODY;
	open_it();
	do {
		before = buf_len(&child.out);
		r = child_tell(&child, STAGE_BODY, &cmd);
	} while (r == CHILD_OK);
	cr_expect_eq(r, CHILD_NO_SPACE);
	cr_expect_eq(buf_len(&child.out), before);
}

Test(child, names_of_failures)
{
	cr_expect_str_eq(child_result_name(CHILD_CONNECT), "connect");
	cr_expect_str_eq(child_result_name(CHILD_TIMEOUT), "timeout");
	cr_expect_str_eq(child_result_name(CHILD_EOF), "closed");
	cr_expect_str_eq(child_result_name(CHILD_PROTOCOL), "protocol");
	cr_expect_str_eq(child_result_name(CHILD_LATE), "late");
	cr_expect_str_eq(child_result_name(CHILD_NO_SPACE), "resources");
}
