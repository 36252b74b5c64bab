#include "shared/milter_command.h"

#include <criterion/criterion.h>

#include "shared/milter_frame.h"
#include "t/unit/support/describe.h"
#include "t/unit/support/page_end.h"
#include "t/unit/support/vectors.h"

/* Whole packets of one case, decoded one by one from against the guard page. */
struct stream {
	struct buf bytes;
	struct buf words; /* what they say, joined by " | " */
	struct page_end page;
	enum frame_result frames; /* how it ended */
	const char *why;	  /* of a packet refused, else NULL */
	unsigned packets;
};

static void stream_open(struct stream *s, struct slice hex)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->bytes, 1 << 22);
	buf_init(&s->words, 1 << 16);
	page_end_open(&s->page, 1 << 17);
	vector_bytes(hex, &s->bytes);
}

static void stream_close(struct stream *s)
{
	buf_deinit(&s->bytes);
	buf_deinit(&s->words);
	page_end_close(&s->page);
}

static void stream_read(struct stream *s)
{
	struct slice packet;
	struct command c;

	for (;;) {
		s->frames =
			frame_peek(&s->bytes, MILTER_MTA_LENGTH_MAX, &packet);
		if (s->frames != FRAME_OK)
			return;
		if (!command_decode(page_end_put(&s->page, packet), &c,
				    &s->why))
			return;
		if (s->packets++)
			cr_assert(buf_add(&s->words, SLICE_LIT(" | ")));
		describe_command(&s->words, &c);
		frame_skip(&s->bytes, packet);
	}
}

static void says(const struct buf *words, struct slice want, struct slice id)
{
	cr_expect(slice_equal(buf_slice(words), want),
		  "%.*s: \"%.*s\" says %.*s", SLICE_ARG(id), SLICE_ARG(want),
		  SLICE_ARG(buf_slice(words)));
}

Test(milter_command, valid_packets_decode_and_encode_byte_for_byte)
{
	struct vectors v;
	unsigned seen[CMD_COUNT] = { 0 };

	vectors_load(&v, "commands.txt");
	for (size_t i = 0; i < v.count; i++) {
		const struct slice *column = v.rows[i].column;
		struct stream s;
		struct slice packet;
		struct command c;
		struct buf out;
		const char *why;

		stream_open(&s, column[1]);
		buf_init(&out, 1 << 17);
		cr_assert_eq(
			frame_peek(&s.bytes, MILTER_MTA_LENGTH_MAX, &packet),
			FRAME_OK);
		cr_assert_eq(packet.len + 4, buf_len(&s.bytes));
		cr_assert(
			command_decode(page_end_put(&s.page, packet), &c, &why),
			"%.*s: %s", SLICE_ARG(column[0]), why);
		seen[c.kind]++;
		cr_assert(command_encode(&out, &c));
		cr_expect(slice_equal(buf_slice(&out), buf_slice(&s.bytes)),
			  "%.*s encodes otherwise", SLICE_ARG(column[0]));
		describe_command(&s.words, &c);
		says(&s.words, column[2], column[0]);
		buf_deinit(&out);
		stream_close(&s);
	}
	cr_assert_eq(v.count, 42);
	for (unsigned kind = 0; kind < CMD_COUNT; kind++)
		cr_expect_gt(seen[kind], 0, "no case of %s",
			     command_name((enum command_kind)kind));
	vectors_free(&v);
}

/* A row's treatment, as far as frames, commands and offers decide it. */
static void check_treatment(struct stream *s, const struct slice *column)
{
	struct slice want = column[3], id = column[0];

	if (slice_is(want, "length")) {
		cr_expect_eq(s->frames, FRAME_BAD_LENGTH, "%.*s",
			     SLICE_ARG(id));
		cr_expect_eq(s->packets, 0);
	} else if (slice_is(want, "more")) {
		cr_expect_eq(s->frames, FRAME_MORE, "%.*s", SLICE_ARG(id));
		cr_expect_gt(buf_len(&s->bytes), 0);
		cr_expect_eq(s->packets, 0);
	} else if (slice_is(want, "decode")) {
		cr_expect_eq(s->frames, FRAME_OK);
		cr_expect_not_null(s->why, "%.*s is taken", SLICE_ARG(id));
		cr_expect_eq(s->packets, 0);
	} else {
		cr_expect_null(s->why, "%.*s: %s", SLICE_ARG(id), s->why);
		cr_expect_eq(buf_len(&s->bytes), 0, "%.*s: bytes are left",
			     SLICE_ARG(id));
		says(&s->words, column[4], id);
	}
}

static void check_offer(struct slice hex, bool want)
{
	struct option offer;
	struct stream s;
	struct command c;
	const char *why = NULL;

	stream_open(&s, hex);
	cr_assert(command_decode(slice_from(buf_slice(&s.bytes), 4), &c, &why));
	cr_expect_eq(option_read_offer(&c.option, &offer, &why), want);
	cr_expect_eq(why == NULL, want);
	stream_close(&s);
}

Test(milter_command, malformed_input_gets_its_treatment)
{
	static const struct {
		const char *name;
		unsigned want;
	} kinds[] = {
		{ "length", 6 }, { "more", 2 },	    { "decode", 21 },
		{ "offer", 2 },	 { "session", 10 }, { "ok", 37 },
	};
	unsigned seen[6] = { 0 };
	struct vectors v;

	vectors_load(&v, "malformed-commands.txt");
	for (size_t i = 0; i < v.count; i++) {
		const struct slice *column = v.rows[i].column;
		struct stream s;

		for (size_t k = 0; k < 6; k++)
			seen[k] += slice_is(column[3], kinds[k].name);
		stream_open(&s, column[2]);
		stream_read(&s);
		check_treatment(&s, column);
		stream_close(&s);
		if (slice_starts(column[0], "optneg_") &&
		    !slice_is(column[3], "decode"))
			check_offer(column[2], !slice_is(column[3], "offer"));
	}
	/* What the session must refuse is counted, not skipped. */
	for (size_t k = 0; k < 6; k++)
		cr_expect_eq(seen[k], kinds[k].want, "%s: %u cases",
			     kinds[k].name, seen[k]);
	cr_assert_eq(v.count, 78);
	vectors_free(&v);
}

/* A whole row cut after n bytes: never a packet, never a read too far. */
static void cut_frame(struct slice whole, size_t n, struct page_end *page)
{
	struct slice head = page_end_put(page, slice_head(whole, n)), packet;
	/* Memory that is ours and not the buf's: nothing is added to it. */
	struct buf b = { .data = page->map,
			 .start = (size_t)(head.data - page->map),
			 .end = (size_t)(head.data - page->map) + n,
			 .size = page->max,
			 .ceiling = page->max };

	cr_expect_eq(frame_peek(&b, MILTER_MTA_LENGTH_MAX, &packet),
		     FRAME_MORE);
}

Test(milter_command, packets_cut_at_each_byte)
{
	struct page_end page;
	struct vectors v;
	unsigned cuts = 0, taken = 0;

	page_end_open(&page, 1 << 17);
	vectors_load(&v, "commands.txt");
	for (size_t i = 0; i < v.count; i++) {
		struct slice whole, packet;
		struct stream s;

		stream_open(&s, v.rows[i].column[1]);
		whole = buf_slice(&s.bytes);
		packet = slice_from(whole, 4);
		for (size_t n = 0; n < whole.len; n++)
			cut_frame(whole, n, &page);
		for (size_t n = 0; n < packet.len; n++) {
			struct command c;
			const char *why = "";
			bool ok = command_decode(
				page_end_put(&page, slice_head(packet, n)), &c,
				&why);

			cr_expect_eq(ok, why == NULL);
			cuts++;
			taken += ok;
		}
		stream_close(&s);
	}
	cr_assert_gt(cuts, 800);
	cr_assert_gt(taken, 0);
	cr_assert_lt(taken, cuts / 2);
	vectors_free(&v);
	page_end_close(&page);
}

Test(milter_command, payload_where_none_belongs_is_ignored)
{
	static const char letters[] = "TNAQK";
	const char *why;
	struct command c;

	for (size_t i = 0; letters[i]; i++) {
		char packet[] = { letters[i], 'x', '\0' };

		cr_expect(command_decode(slice_of(packet, 3), &c, &why), "%c",
			  letters[i]);
	}
	cr_assert_not(command_decode(SLICE_EMPTY, &c, &why));
	cr_assert_str_eq(why, "empty packet");
}

Test(milter_command, no_letter_but_the_known_ones)
{
	static const char known[] = "ABCDEHKLMNOQRTU";
	const char *why;
	struct command c;

	for (unsigned i = 0; i < 256; i++) {
		char letter = (char)(unsigned char)i;
		bool is_known = letter && strchr(known, letter);

		why = "";
		command_decode(slice_of(&letter, 1), &c, &why);
		cr_expect_eq(why && strcmp(why, "unknown command") == 0,
			     !is_known, "letter %u", i);
	}
}

Test(milter_command, encoding_needs_room_and_a_payload_in_bounds)
{
	static const char bytes[MILTER_PAYLOAD_MAX + 1] = { 0 };
	struct command c = { .kind = CMD_BODY };
	struct buf b;

	buf_init(&b, 1 << 20);
	cr_assert(buf_add(&b, SLICE_LIT("before")));
	c.body = slice_of(bytes, MILTER_PAYLOAD_MAX);
	cr_assert(command_encode(&b, &c));
	cr_assert_eq(buf_len(&b), 6 + 5 + MILTER_PAYLOAD_MAX);
	c.body.len++;
	cr_assert_not(command_encode(&b, &c));
	cr_assert_eq(buf_len(&b), 6 + 5 + MILTER_PAYLOAD_MAX);
	buf_deinit(&b);
	c = (struct command){ .kind = CMD_CONNECT };
	c.connect = (struct command_connect){ SLICE_LIT("mx"), '4', 25,
					      SLICE_LIT("192.0.2.1") };
	/* length, letter, "mx" 3, family, port 2, address 10 */
	for (size_t room = 0; room < 21; room++) {
		buf_init(&b, room);
		cr_expect_not(command_encode(&b, &c), "room %zu", room);
		cr_expect_eq(buf_len(&b), 0);
		buf_deinit(&b);
	}
	buf_init(&b, 21);
	cr_assert(command_encode(&b, &c));
	buf_deinit(&b);
}

Test(milter_command, names_and_stages)
{
	for (unsigned k = 0; k < CMD_COUNT; k++) {
		enum stage stage = command_stage((enum command_kind)k);

		cr_assert_not_null(command_name((enum command_kind)k));
		if (stage == STAGE_COUNT)
			continue;
		cr_expect_str_eq(command_name((enum command_kind)k),
				 milter_stage_name(stage));
	}
	cr_assert_eq(command_stage(CMD_EOM), STAGE_EOM);
	cr_assert_eq(command_stage(CMD_UNKNOWN), STAGE_UNKNOWN);
	cr_assert_eq(command_stage(CMD_ABORT), STAGE_COUNT);
	cr_assert_eq(command_stage(CMD_MACRO), STAGE_COUNT);
}
