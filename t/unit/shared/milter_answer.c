#include "shared/milter_answer.h"

#include <criterion/criterion.h>

#include "shared/milter_frame.h"
#include "t/unit/support/describe.h"
#include "t/unit/support/page_end.h"
#include "t/unit/support/vectors.h"

/* One case: its bytes, what they say, what refused them. */
struct stream {
	struct buf bytes;
	struct buf words;
	struct page_end page;
	enum frame_result frames;
	const char *why;
	unsigned packets;
	bool has_reply;
	bool reply_ok;
	bool encodes;
};

static void stream_open(struct stream *s, struct slice hex)
{
	memset(s, 0, sizeof(*s));
	s->encodes = true;
	buf_init(&s->bytes, 1 << 22);
	buf_init(&s->words, 1 << 16);
	page_end_open(&s->page, 1 << 21);
	vector_bytes(hex, &s->bytes);
}

static void stream_close(struct stream *s)
{
	buf_deinit(&s->bytes);
	buf_deinit(&s->words);
	page_end_close(&s->page);
}

static void note(struct stream *s, const struct answer *a)
{
	struct buf out;

	if (s->packets++)
		cr_assert(buf_add(&s->words, SLICE_LIT(" | ")));
	describe_answer(&s->words, a);
	if (a->kind == ANSWER_REPLYCODE) {
		s->has_reply = true;
		s->reply_ok = answer_reply_ok(a->text);
	}
	buf_init(&out, 1 << 22);
	s->encodes = s->encodes && answer_encode(&out, a);
	buf_deinit(&out);
}

static void stream_read(struct stream *s)
{
	struct slice packet;
	struct answer a;

	for (;;) {
		s->frames =
			frame_peek(&s->bytes, MILTER_CHILD_LENGTH_MAX, &packet);
		if (s->frames != FRAME_OK)
			return;
		if (!answer_decode(page_end_put(&s->page, packet), &a, &s->why))
			return;
		note(s, &a);
		frame_skip(&s->bytes, packet);
	}
}

static void says(const struct buf *words, struct slice want, struct slice id)
{
	cr_expect(slice_equal(buf_slice(words), want),
		  "%.*s: \"%.*s\" says %.*s", SLICE_ARG(id), SLICE_ARG(want),
		  SLICE_ARG(buf_slice(words)));
}

Test(milter_answer, valid_packets_decode_and_encode_byte_for_byte)
{
	struct vectors v;
	unsigned seen[ANSWER_COUNT] = { 0 };

	vectors_load(&v, "replies.txt");
	for (size_t i = 0; i < v.count; i++) {
		const struct slice *column = v.rows[i].column;
		struct stream s;
		struct slice packet;
		struct answer a;
		struct buf out;
		const char *why;

		stream_open(&s, column[1]);
		buf_init(&out, 1 << 17);
		cr_assert_eq(
			frame_peek(&s.bytes, MILTER_CHILD_LENGTH_MAX, &packet),
			FRAME_OK);
		cr_assert_eq(packet.len + 4, buf_len(&s.bytes));
		cr_assert(
			answer_decode(page_end_put(&s.page, packet), &a, &why),
			"%.*s: %s", SLICE_ARG(column[0]), why);
		seen[a.kind]++;
		cr_assert(answer_encode(&out, &a));
		cr_expect(slice_equal(buf_slice(&out), buf_slice(&s.bytes)),
			  "%.*s encodes otherwise", SLICE_ARG(column[0]));
		describe_answer(&s.words, &a);
		says(&s.words, column[2], column[0]);
		buf_deinit(&out);
		stream_close(&s);
	}
	cr_assert_eq(v.count, 36);
	for (unsigned kind = 0; kind < ANSWER_COUNT; kind++)
		cr_expect_gt(seen[kind], 0, "no case of %s",
			     answer_name((enum answer_kind)kind));
	vectors_free(&v);
}

static void check_version(struct stream *s)
{
	static const struct option offered = { .version = 6,
					       .actions = SMFIF_ALL };
	struct option got;
	struct answer a;
	const char *why;

	cr_assert(answer_decode(slice_from(buf_slice(&s->bytes), 4), &a, &why));
	cr_expect_not(option_read_answer(&a.option, &offered, &got, &why));
}

static void check_treatment(struct stream *s, const struct slice *column)
{
	struct slice want = column[3], id = column[0];

	if (slice_is(want, "close")) {
		cr_expect_eq(buf_len(&s->bytes), 0);
	} else if (slice_is(want, "length")) {
		cr_expect_eq(s->frames, FRAME_BAD_LENGTH, "%.*s",
			     SLICE_ARG(id));
		cr_expect_eq(s->packets, 0);
	} else if (slice_is(want, "decode")) {
		cr_expect_not_null(s->why, "%.*s is taken", SLICE_ARG(id));
		cr_expect_eq(s->packets, 0);
	} else {
		cr_expect_null(s->why, "%.*s: %s", SLICE_ARG(id), s->why);
		cr_expect_eq(buf_len(&s->bytes), 0, "%.*s: bytes are left",
			     SLICE_ARG(id));
		says(&s->words, column[4], id);
	}
	cr_expect_eq(s->encodes, !slice_is(want, "big"), "%.*s", SLICE_ARG(id));
	if (s->has_reply)
		cr_expect_eq(s->reply_ok, slice_is(want, "ok"), "%.*s",
			     SLICE_ARG(id));
}

Test(milter_answer, odd_answers_get_their_treatment)
{
	static const struct {
		const char *name;
		unsigned want;
	} kinds[] = {
		{ "length", 2 }, { "decode", 13 }, { "close", 2 },
		{ "text", 9 },	 { "big", 2 },	   { "version", 1 },
		{ "ok", 119 },
	};
	unsigned seen[7] = { 0 };
	struct vectors v;

	vectors_load(&v, "odd-answers.txt");
	for (size_t i = 0; i < v.count; i++) {
		const struct slice *column = v.rows[i].column;
		struct stream s, again;

		for (size_t k = 0; k < 7; k++)
			seen[k] += slice_is(column[3], kinds[k].name);
		stream_open(&s, column[2]);
		stream_read(&s);
		check_treatment(&s, column);
		stream_close(&s);
		if (!slice_is(column[3], "version"))
			continue;
		stream_open(&again, column[2]);
		check_version(&again);
		stream_close(&again);
	}
	for (size_t k = 0; k < 7; k++)
		cr_expect_eq(seen[k], kinds[k].want, "%s: %u cases",
			     kinds[k].name, seen[k]);
	cr_assert_eq(v.count, 148);
	vectors_free(&v);
}

Test(milter_answer, packets_cut_at_each_byte)
{
	struct page_end page;
	struct vectors v;
	unsigned cuts = 0, taken = 0;

	page_end_open(&page, 1 << 17);
	vectors_load(&v, "replies.txt");
	for (size_t i = 0; i < v.count; i++) {
		struct stream s;
		struct slice whole;

		stream_open(&s, v.rows[i].column[1]);
		whole = buf_slice(&s.bytes);
		for (size_t n = 4; n < whole.len; n++) {
			struct answer a;
			const char *why = "";
			struct slice cut = slice_of(whole.data + 4, n - 4);
			bool ok = answer_decode(page_end_put(&page, cut), &a,
						&why);

			cr_expect_eq(ok, why == NULL);
			cuts++;
			taken += ok;
		}
		for (size_t n = whole.len - 1; n > 0; n--) {
			struct slice packet;

			buf_cut(&s.bytes, n);
			cr_expect_eq(frame_peek(&s.bytes,
						MILTER_CHILD_LENGTH_MAX,
						&packet),
				     FRAME_MORE);
		}
		stream_close(&s);
	}
	cr_assert_gt(cuts, 500);
	cr_assert_gt(taken, 0);
	cr_assert_lt(taken, cuts / 2);
	vectors_free(&v);
	page_end_close(&page);
}

/* Postfix drops a filter for one stray byte; so do we, and say which kind. */
Test(milter_answer, stray_bytes_are_refused)
{
	static const struct {
		struct slice packet;
		bool want;
	} cases[] = {
		{ SLICE_LIT("cx"), false },
		{ SLICE_LIT("c\0"), false },
		{ SLICE_LIT("a\0"), false },
		{ SLICE_LIT("p\0"), false },
		{ SLICE_LIT("+<a@b>\0x"), false },
		{ SLICE_LIT("+<a@b>\0"), true },
		{ SLICE_LIT("-<a@b>\0\0"), false },
		{ SLICE_LIT("2<a@b>\0A=B\0"), true },
		{ SLICE_LIT("2<a@b>\0A=B"), false },
		{ SLICE_LIT("e<>\0\0"), true },
		{ SLICE_LIT("e<>\0A\0B\0"), false },
		{ SLICE_LIT("hX\0v\0"), true },
		{ SLICE_LIT("hX\0v\0\0"), false },
		{ SLICE_LIT("h\0v\0"), true }, /* the name is edit's to judge */
		{ SLICE_LIT("m\0\0\0\1X\0\0"), true },
		{ SLICE_LIT("m\0\0\0"), false },
		{ SLICE_LIT("i\0\0\0\1X\0"), false },
		{ SLICE_LIT("y550 5.7.1 no\0seen by nobody"), true },
		{ SLICE_LIT("y550 5.7.1 no"), false },
		{ SLICE_LIT("y"), false },
		{ SLICE_LIT("q"), true },
		{ SLICE_LIT("qwhy"), true },
		{ SLICE_LIT("qwhy\0more"), true },
		{ SLICE_LIT("b"), true },
		{ SLICE_LIT("l"), false },
		{ SLICE_LIT("\0"), false },
		{ SLICE_LIT(""), false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = "";
		struct answer a;

		cr_expect_eq(answer_decode(cases[i].packet, &a, &why),
			     cases[i].want, "case %zu: %s", i, why);
		cr_expect_eq(why == NULL, cases[i].want);
	}
}

Test(milter_answer, texts_end_at_their_nul)
{
	struct answer a;
	const char *why;

	cr_assert(answer_decode(SLICE_LIT("y450 4.1.0 x\0yz"), &a, &why));
	cr_assert(slice_is(a.text, "450 4.1.0 x"));
	cr_assert(answer_decode(SLICE_LIT("qwhy\0more"), &a, &why));
	cr_assert(slice_is(a.text, "why"));
	cr_assert(answer_decode(SLICE_LIT("q"), &a, &why));
	cr_assert_eq(a.text.len, 0);
}

Test(milter_answer, a_later_list_of_a_stage_wins)
{
	struct answer a;
	const char *why;

	cr_assert(answer_decode(SLICE_LIT("O\0\0\0\6\0\0\0\0\0\0\0\0"
					  "\0\0\0\2i\0"
					  "\0\0\0\7{x}\0"
					  "\0\0\0\2j v\0"),
				&a, &why));
	cr_assert(a.option.has_list[LIST_MAIL]);
	cr_assert(slice_is(a.option.list[LIST_MAIL], "j v"));
	for (unsigned i = 0; i < LIST_COUNT; i++)
		cr_expect_eq(a.option.has_list[i], i == LIST_MAIL);
	cr_assert_not(answer_decode(SLICE_LIT("O\0\0\0\6\0\0\0\0\0\0\0\0"
					      "\0\0\0"),
				    &a, &why));
}

Test(milter_answer, encoding_needs_room)
{
	struct answer a = { .kind = ANSWER_CHGHEADER };
	struct buf b;

	a.header = (struct answer_header){ 1, SLICE_LIT("X"), SLICE_LIT("y") };
	for (size_t room = 0; room < 13; room++) {
		buf_init(&b, room);
		cr_expect_not(answer_encode(&b, &a), "room %zu", room);
		cr_expect_eq(buf_len(&b), 0);
		buf_deinit(&b);
	}
	buf_init(&b, 13);
	cr_assert(answer_encode(&b, &a));
	buf_deinit(&b);
}

Test(milter_answer, edits_and_the_actions_they_need)
{
	static const struct {
		enum answer_kind kind;
		uint32_t action;
	} edits[] = {
		{ ANSWER_ADDHEADER, SMFIF_ADDHDRS },
		{ ANSWER_INSHEADER, SMFIF_ADDHDRS },
		{ ANSWER_CHGHEADER, SMFIF_CHGHDRS },
		{ ANSWER_REPLBODY, SMFIF_CHGBODY },
		{ ANSWER_ADDRCPT, SMFIF_ADDRCPT },
		{ ANSWER_DELRCPT, SMFIF_DELRCPT },
		{ ANSWER_ADDRCPT_PAR, SMFIF_ADDRCPT_PAR },
		{ ANSWER_CHGFROM, SMFIF_CHGFROM },
		{ ANSWER_QUARANTINE, SMFIF_QUARANTINE },
	};
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		cr_expect(answer_is_edit(edits[i].kind));
		cr_expect_eq(answer_action(edits[i].kind), edits[i].action);
	}
	for (unsigned k = 0; k < ANSWER_COUNT; k++) {
		count += answer_is_edit((enum answer_kind)k);
		if (!answer_is_edit((enum answer_kind)k))
			cr_expect_eq(answer_action((enum answer_kind)k), 0);
		cr_expect_not_null(answer_name((enum answer_kind)k));
	}
	cr_assert_eq(count, sizeof(edits) / sizeof(edits[0]));
}

static const struct {
	const char *text;
	bool ok;
} replies[] = {
	/* codes */
	{ "550 no", true },
	{ "450 no", true },
	{ "421 4.7.0 bye", true },
	{ "599 no", true },
	{ "250 ok", false },
	{ "350 go on", false },
	{ "650 no", false },
	{ "5x0 no", false },
	{ "55x no", false },
	{ "", false },
	{ "5", false },
	{ "55", false },
	{ "550", false },
	{ "550 ", false },
	{ "550  ", false },
	{ "550-", false },
	{ "550\t no", false },
	{ "5500 no", false },
	{ " 550 no", false },
	{ "go away", false },
	/* enhanced codes */
	{ "550 5.7.1 no", true },
	{ "550 5.7.1", true },
	{ "550 5.7.123 no", true },
	{ "550 4.7.1 no", false },
	{ "450 5.7.1 no", false },
	{ "450 4.7.1 no", true },
	{ "550 2.0.0 no", false },
	{ "550 5.7 no", true }, /* no enhanced code, but of the class */
	{ "550 5 times", true },
	{ "550 4 times", false }, /* Postfix takes the 4 for one */
	{ "550 no 4.7.1", true },
	{ "550 5.7.1234 no", true },
	/* several lines */
	{ "550-5.1.1 a\r\n550 5.1.1 b", true },
	{ "550-a\r\n550-b\r\n550 c", true },
	{ "550-a\r\n550-b", false },
	{ "550 a\r\n550 b", false },
	{ "550-a\r\n551 b", false },
	{ "550-a\r\n450 b", false },
	{ "550-a\n550 b", false },
	{ "550-a\r550 b", false },
	{ "550-a\r\n550 b\r\n", false },
	{ "550-a\r\n", false },
	{ "550-a\r\n\r\n550 b", false },
	{ "550-\r\n550 b", false },
	{ "550-a\r\n550", false },
	{ "550-5.1.1 a\r\n550 4.1.1 b", false },
	{ "550-a", false },
	{ "550 a\r", false },
	{ "550 a\n", false },
	/* bytes */
	{ "550 a\tb", false },
	{ "550 a\x01z", false },
	{ "550 a\x7fz", false },
	{ "550 gr\xc3\xbc\xc3\x9f", true },
	{ "550 1000 times", false },
	{ "550 am 100%% sure", true },
	{ "550 am 100%%%% sure", true },
	{ "550 %%", true },
	{ "550 am 100% sure", false },
	{ "550 am 100%%% sure", false },
	{ "550 sure%", false },
};

Test(milter_answer, reply_texts)
{
	struct page_end page;

	page_end_open(&page, 4096);
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		cr_expect_eq(answer_reply_ok(page_end_put(
				     &page, slice_str(replies[i].text))),
			     replies[i].ok, "\"%s\"", replies[i].text);
	cr_expect_not(answer_reply_ok(SLICE_LIT("550 a\0b")));
	page_end_close(&page);
}

static bool long_reply_ok(const char *head, size_t x, unsigned lines)
{
	struct buf b;
	bool ok;

	buf_init(&b, 1 << 20);
	for (unsigned i = 1; i <= lines; i++) {
		cr_assert(
			buf_printf(&b, "550%c%s", i < lines ? '-' : ' ', head));
		for (size_t n = 0; n < x; n++)
			cr_assert(buf_add_byte(&b, 'x'));
		if (i < lines)
			cr_assert(buf_add(&b, SLICE_LIT("\r\n")));
	}
	ok = answer_reply_ok(buf_slice(&b));
	buf_deinit(&b);
	return ok;
}

/* libmilter's own limits: 980 bytes behind the codes, 32 lines. */
Test(milter_answer, reply_text_limits)
{
	cr_expect(long_reply_ok("", 980, 1));
	cr_expect_not(long_reply_ok("", 981, 1));
	cr_expect(long_reply_ok("5.7.1 ", 980, 1));
	cr_expect_not(long_reply_ok("5.7.1 ", 981, 1));
	cr_expect(long_reply_ok("5.7.1 ", 980, 32));
	cr_expect(long_reply_ok("a", 1, 32));
	cr_expect_not(long_reply_ok("a", 1, 33));
}
