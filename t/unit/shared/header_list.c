#include "shared/header_list.h"

#include <criterion/criterion.h>

#include "shared/buf.h"
#include "t/unit/support/vectors.h"

#define OWN "(own)"

static struct arena arena;
static struct header_list list;

static void begin(void)
{
	arena_init(&arena, 1 << 22);
}

static void end(void)
{
	arena_deinit(&arena);
}

TestSuite(header_list, .init = begin, .fini = end);

static struct slice text(const char *s)
{
	return slice_str(s);
}

static void append(const char *name, const char *value)
{
	cr_assert_not_null(header_list_append(&list, text(name), text(value)));
}

/* The message of the experiments, as its MTA has it at the end of message. */
static void experiment(enum mta mta)
{
	cr_assert(header_list_init(&list, &arena, mta));
	append("From", "<a@b.example>");
	append("Subject", "test");
	append("X-D", "1");
	append("X-D", "2");
	append("X-D", "3");
	append("X-Z", "z");
	if (mta == MTA_SENDMAIL)
		return;
	append("Message-Id", OWN);
	append("Date", OWN);
}

static void put_header(struct buf *out, struct slice name, struct slice value)
{
	if (buf_len(out))
		cr_assert(buf_add(out, SLICE_LIT(" ; ")));
	cr_assert(buf_add(out, name));
	if (slice_is(value, OWN)) {
		cr_assert(buf_add(out, value));
		return;
	}
	cr_assert(buf_add(out, SLICE_LIT(":")));
	if (value.len)
		cr_assert(buf_printf(out, " %.*s", SLICE_ARG(value)));
}

/* Hidden entries that an MTA fills in by itself on delivery. */
static bool is_delivered(const struct header *h)
{
	return slice_is(h->name, "Received") || slice_is(h->name, "Date") ||
	       slice_is(h->name, "Message-Id");
}

/* All that is delivered but From and Subject. */
static void deliver(struct buf *out)
{
	for (size_t i = 0; i < list.count; i++) {
		const struct header *h = &list.entries[i];

		if (h->deleted_by || slice_is(h->name, "From") ||
		    slice_is(h->name, "Subject"))
			continue;
		if (!h->is_hidden)
			put_header(out, h->name, h->value);
		else if (is_delivered(h))
			put_header(out, h->name, SLICE_LIT(OWN));
	}
}

/* What the filter whose turn it is sees. */
static void show(struct buf *out)
{
	const struct header *h = NULL;

	while ((h = header_list_next(&list, h)))
		put_header(out, h->name, h->value);
}

static struct slice word(struct slice *rest)
{
	struct slice w;

	if (!slice_split(rest, ' ', &w))
		return SLICE_EMPTY;
	return slice_is(w, "-") ? SLICE_EMPTY : w;
}

static uint32_t number(struct slice s)
{
	uint64_t n;

	cr_assert(slice_to_u64(s, UINT32_MAX, &n));
	return (uint32_t)n;
}

/* One edit in the words of the table. */
static void edit(struct slice words)
{
	struct slice verb = word(&words), index = SLICE_EMPTY, name;

	if (!slice_is(verb, "add"))
		index = word(&words);
	name = word(&words);
	if (!words.data)
		words = SLICE_EMPTY;
	if (slice_is(verb, "add"))
		header_list_add(&list, name, words);
	else if (slice_is(verb, "ins"))
		header_list_insert(&list, number(index), name, words);
	else if (slice_is(verb, "chg"))
		header_list_change(&list,
				   header_list_find(&list, number(index), name),
				   name, words);
	else
		cr_assert_fail("no edit: %.*s", SLICE_ARG(verb));
	cr_assert_not(arena_failed(&arena));
}

/* Edits separated by " ; ". */
static void edits(const char *words)
{
	struct slice rest = text(words), one;

	while (slice_split(&rest, ';', &one))
		edit(slice_trim(one));
}

static void expect(void (*print)(struct buf *out), const char *want,
		   const char *what)
{
	struct buf out;

	buf_init(&out, 1 << 16);
	print(&out);
	cr_expect(slice_is(buf_slice(&out), want), "%s:\n have %.*s\n want %s",
		  what, SLICE_ARG(buf_slice(&out)), want);
	buf_deinit(&out);
}

Test(header_list, both_mtas_edit_as_recorded)
{
	struct vectors v;
	unsigned seen[2] = { 0 };

	vectors_load(&v, "header-index-experiments.txt");
	for (size_t i = 0; i < v.count; i++) {
		const struct slice *column = v.rows[i].column;
		enum mta mta = slice_is(column[0], "postfix") ? MTA_POSTFIX :
								MTA_SENDMAIL;
		char *want, *words;

		arena_reset(&arena);
		words = arena_str(&arena, column[1]);
		want = arena_str(&arena, column[2]);
		experiment(mta);
		edits(words);
		expect(deliver, want, words);
		seen[mta]++;
	}
	cr_assert_eq(seen[MTA_POSTFIX], 22);
	cr_assert_eq(seen[MTA_SENDMAIL], 22);
	vectors_free(&v);
}

/* The message of the recorded sessions with two milters. */
static void session_message(enum mta mta)
{
	cr_assert(header_list_init(&list, &arena, mta));
	append("Received", "from a.example");
	append("From", "<from@sender.example>");
	append("Subject", "hello");
	append("X-Del", "first");
	append("X-Del", "second");
	append("Date", "Mon");
	append("Message-Id", "<1@x>");
}

/* Recorded: the second filter sees what the first one made of the message. */
Test(header_list, the_next_filter_sees_the_edits)
{
	static const enum mta mtas[] = { MTA_SENDMAIL, MTA_POSTFIX };

	for (size_t i = 0; i < 2; i++) {
		session_message(mtas[i]);
		expect(show,
		       "Received: from a.example ; "
		       "From: <from@sender.example> ; Subject: hello ; "
		       "X-Del: first ; X-Del: second ; Date: Mon ; "
		       "Message-Id: <1@x>",
		       "first filter");
		edits("add X-Kid kid1 ; ins 0 X-Top kid1 ; "
		      "chg 1 Subject [kid1] ; chg 2 X-Del");
		header_list_next_filter(&list);
		expect(show,
		       "X-Top: kid1 ; Received: from a.example ; "
		       "From: <from@sender.example> ; Subject: [kid1] ; "
		       "X-Del: first ; Date: Mon ; Message-Id: <1@x> ; "
		       "X-Kid: kid1",
		       "second filter");
	}
}

Test(header_list, own_headers_are_hidden_but_count_for_inserts)
{
	session_message(MTA_POSTFIX);
	edits("ins 1 X-I a ; chg 1 Received changed");
	expect(show,
	       "X-I: a ; Received: changed ; From: <from@sender.example> ; "
	       "Subject: hello ; X-Del: first ; X-Del: second ; Date: Mon ; "
	       "Message-Id: <1@x>",
	       "postfix");
	expect(deliver,
	       "Received(own) ; X-I: a ; Received: changed ; X-Del: first ; "
	       "X-Del: second ; Date: Mon ; Message-Id: <1@x>",
	       "postfix");
}

/* Index of the MTA for what this filter calls (name, index). */
static uint32_t mta_index(uint32_t index, const char *name)
{
	return header_list_mta_index(
		&list, header_list_find(&list, index, text(name)), text(name));
}

/*
 * The same requests by two filters: Sendmail forgets deleted ones between
 * filters, but to the MTA in front both are one.
 */
Test(header_list, sendmail_forgets_deleted_ones_between_filters)
{
	experiment(MTA_SENDMAIL);
	cr_expect_eq(mta_index(1, "X-D"), 1);
	edits("chg 1 X-D");
	/* Still this filter: the deleted one counts and may be revived. */
	cr_expect_eq(mta_index(1, "X-D"), 1);
	cr_expect_eq(mta_index(2, "X-D"), 2);
	header_list_next_filter(&list);
	cr_expect_eq(mta_index(1, "X-D"), 2);
	cr_expect_eq(mta_index(2, "x-d"), 3);
	edits("chg 1 X-D");
	cr_expect_eq(mta_index(2, "X-D"), 3, "2 counts the one just deleted");
	header_list_next_filter(&list);
	cr_expect_eq(mta_index(1, "X-D"), 3);
	edits("chg 1 X-D last");
	expect(show, "From: <a@b.example> ; Subject: test ; X-D: last ; X-Z: z",
	       "third filter");
}

Test(header_list, postfix_forgets_deleted_ones_at_once)
{
	experiment(MTA_POSTFIX);
	edits("chg 1 X-D");
	cr_expect_eq(mta_index(1, "X-D"), 1);
	cr_expect_eq(mta_index(2, "X-D"), 2);
	header_list_next_filter(&list);
	cr_expect_eq(mta_index(1, "X-D"), 1);
	cr_expect_eq(mta_index(9, "X-D"), 3, "one more than there are");
	edits("ins 2 X-I i");
	expect(deliver,
	       "Received(own) ; X-I: i ; X-D: 2 ; X-D: 3 ; X-Z: z ; "
	       "Message-Id(own) ; Date(own)",
	       "place");
}

/* With too high an index Sendmail takes what an earlier filter deleted. */
Test(header_list, sendmail_revives_for_a_later_filter)
{
	struct header *h;

	experiment(MTA_SENDMAIL);
	edits("chg 2 X-D");
	cr_assert_null(header_list_find(&list, 4, text("X-D")));
	header_list_next_filter(&list);
	h = header_list_find(&list, 3, text("X-D"));
	cr_assert_not_null(h);
	cr_expect_eq(h->deleted_by, 1);
	cr_expect_eq(header_list_mta_index(&list, h, text("X-D")), 2);
	edits("chg 3 X-D back");
	expect(show,
	       "From: <a@b.example> ; Subject: test ; X-D: 1 ; X-D: back ; "
	       "X-D: 3 ; X-Z: z",
	       "revived");
	edits("chg 2 X-D");
	cr_expect_eq(header_list_find(&list, 2, text("X-D"))->deleted_by, 2);
}

/* Deleted again by another filter, it does not begin to count for that one. */
Test(header_list, deleted_twice_stays_the_first_filters)
{
	experiment(MTA_SENDMAIL);
	edits("chg 1 X-D");
	header_list_next_filter(&list);
	edits("chg 9 X-D");
	cr_expect_eq(mta_index(1, "X-D"), 2);
}

Test(header_list, trace_fields_are_never_defaults)
{
	session_message(MTA_SENDMAIL);
	edits("chg 1 Received");
	header_list_next_filter(&list);
	cr_assert_null(header_list_find(&list, 1, text("received")));
	edits("chg 1 Received new");
	expect(show,
	       "Received: new ; From: <from@sender.example> ; "
	       "Subject: hello ; X-Del: first ; X-Del: second ; Date: Mon ; "
	       "Message-Id: <1@x>",
	       "a new one, before the own");
}

/*
 * The places of Sendmail's defaults stay when the message has these headers
 * (here the order of delivery is the list's, defaults unused are not sent).
 */
Test(header_list, sendmail_defaults_keep_their_places)
{
	const struct header *h;

	session_message(MTA_SENDMAIL);
	cr_expect_eq(mta_index(1, "Date"), 1);
	cr_expect_eq(mta_index(2, "Date"), 2, "the default, by one too many");
	edits("chg 2 Date second");
	h = header_list_next(&list, NULL);
	cr_assert(slice_is(h->name, "Date") && slice_is(h->value, "second"));
	cr_assert_gt(h->id, 7, "it has an id now");
	cr_expect_eq(mta_index(2, "Date"), 2);
	edits("add Message-Id added");
	h = header_list_next(&list, h);
	cr_assert(slice_is(h->name, "Message-Id"));
	cr_assert(slice_is(h->value, "added"));
	edits("add Message-Id again");
	cr_assert(slice_is(header_list_next(&list, NULL)->name, "Date"));
	expect(show,
	       "Date: second ; Message-Id: again ; Message-Id: added ; "
	       "Received: from a.example ; From: <from@sender.example> ; "
	       "Subject: hello ; X-Del: first ; X-Del: second ; Date: Mon ; "
	       "Message-Id: <1@x>",
	       "defaults");
}

Test(header_list, sendmail_indexes_are_signed)
{
	struct header *first;

	experiment(MTA_SENDMAIL);
	first = header_list_find(&list, 1, text("X-D"));
	cr_expect_eq(header_list_find(&list, 0, text("X-D")), first);
	cr_expect_eq(header_list_find(&list, 0x80000000, text("X-D")), first);
	cr_expect_eq(header_list_find(&list, UINT32_MAX, text("X-D")), first);
	cr_expect_null(header_list_find(&list, 0x7fffffff, text("X-D")));
	experiment(MTA_POSTFIX);
	cr_expect_null(header_list_find(&list, 0x80000000, text("X-D")));
	edits("ins 2147483647 X-I i");
	expect(deliver,
	       "Received(own) ; X-D: 1 ; X-D: 2 ; X-D: 3 ; X-Z: z ; "
	       "Message-Id(own) ; Date(own) ; X-I: i",
	       "far past the end");
}

Test(header_list, changes_of_nothing)
{
	static const enum mta mtas[] = { MTA_SENDMAIL, MTA_POSTFIX };

	for (size_t i = 0; i < 2; i++) {
		size_t count;

		experiment(mtas[i]);
		count = list.count;
		cr_expect_null(header_list_find(&list, 1, text("X-No")));
		cr_expect_null(header_list_change(&list, NULL, text("X-No"),
						  SLICE_EMPTY));
		cr_expect_not(arena_failed(&arena));
		cr_expect_eq(list.count, count);
		cr_expect_eq(header_list_mta_index(&list, NULL, text("X-No")),
			     1);
		cr_expect_eq(header_list_mta_index(&list, NULL, text("X-D")),
			     4);
	}
}

Test(header_list, changed_deleted_and_new_ones_are_told_apart)
{
	struct header *h;

	experiment(MTA_POSTFIX);
	h = header_list_find(&list, 2, text("X-D"));
	cr_assert_not(h->is_changed);
	cr_assert_eq(header_list_change(&list, h, text("x-d"), text("new")), h);
	cr_expect(h->is_changed);
	cr_expect(slice_is(h->name, "x-d"));
	header_list_change(&list, h, text("x-d"), SLICE_EMPTY);
	cr_expect_eq(h->deleted_by, 1);
	h = header_list_add(&list, text("X-New"), text("n"));
	cr_expect_not(h->is_changed);
	experiment(MTA_SENDMAIL);
	h = header_list_find(&list, 2, text("X-D"));
	header_list_change(&list, h, text("x-d"), text("new"));
	cr_expect(slice_is(h->name, "X-D"), "the old spelling stays");
}

Test(header_list, ids_find_entries_whatever_moves)
{
	uint32_t id;

	experiment(MTA_SENDMAIL);
	id = header_list_find(&list, 2, text("X-D"))->id;
	cr_assert_eq(id, 4);
	edits("ins 0 X-A a ; ins 3 X-B b ; add X-D c");
	cr_expect(slice_is(header_list_by_id(&list, id)->value, "2"));
	cr_expect_eq(header_list_mta_index(&list, header_list_by_id(&list, id),
					   text("X-D")),
		     3);
	header_list_change(&list, header_list_by_id(&list, id), text("X-D"),
			   SLICE_EMPTY);
	cr_expect_eq(header_list_by_id(&list, id)->deleted_by, 1);
	cr_expect_null(header_list_by_id(&list, 0), "hidden ones have none");
	cr_expect_null(header_list_by_id(&list, 99));
}

Test(header_list, a_copy_goes_its_own_way)
{
	struct header_list copy, kept;
	struct arena other;

	experiment(MTA_POSTFIX);
	edits("chg 1 X-D");
	arena_init(&other, 1 << 20);
	cr_assert(header_list_copy(&copy, &list, &other));
	kept = list;
	list = copy;
	header_list_next_filter(&list);
	edits("chg 1 X-D x ; add X-N n ; ins 0 X-T t");
	expect(show,
	       "X-T: t ; From: <a@b.example> ; Subject: test ; X-D: x ; "
	       "X-D: 3 ; X-Z: z ; Message-Id(own) ; Date(own) ; X-N: n",
	       "copy");
	cr_expect(slice_is(header_list_by_id(&list, 4)->value, "x"));
	list = kept;
	expect(show,
	       "From: <a@b.example> ; Subject: test ; X-D: 2 ; X-D: 3 ; "
	       "X-Z: z ; Message-Id(own) ; Date(own)",
	       "original");
	cr_expect(slice_is(header_list_by_id(&list, 4)->value, "2"));
	cr_expect_eq(list.filter, 1);
	arena_deinit(&other);
}

Test(header_list, no_memory_changes_nothing)
{
	struct arena small;
	struct header_list copy;
	size_t count;

	arena_init(&small, 64 * 1024);
	cr_assert(header_list_init(&list, &small, MTA_POSTFIX));
	while (header_list_append(&list, text("X"), text("y")))
		cr_assert_lt(list.count, 10000);
	cr_expect(arena_failed(&small));
	count = list.count;
	cr_expect_null(header_list_insert(&list, 0, text("X"), text("y")));
	cr_expect_null(header_list_add(&list, text("X"), text("y")));
	cr_expect_eq(list.count, count);
	cr_expect_not(header_list_copy(&copy, &list, &small));
	arena_deinit(&small);
}

Test(header_list, many_headers)
{
	const struct header *h = NULL;
	uint32_t n = 0;

	cr_assert(header_list_init(&list, &arena, MTA_SENDMAIL));
	for (int i = 0; i < 5000; i++)
		append("X-Many", "v");
	cr_expect_eq(mta_index(5000, "X-Many"), 5000);
	while ((h = header_list_next(&list, h)))
		cr_assert_eq(h->id, ++n);
	cr_assert_eq(n, 5000);
}
