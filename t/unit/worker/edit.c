#include "worker/edit.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "t/unit/support/vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct arena arena;
static struct conf conf;
static struct edits edits;
static struct edit_rights rights;
static const char *why;

static void begin(void)
{
	arena_init(&arena, 1 << 26);
	conf = (struct conf){ .message_memory = 1 << 20,
			      .message_max = 1000,
			      .spool_directory = "/tmp/sekisho-none" };
	rights = (struct edit_rights){ .actions = SMFIF_ALL };
	edits_begin(&edits, &conf);
	why = "";
}

static void end(void)
{
	edits_end(&edits);
	arena_deinit(&arena);
}

TestSuite(edit, .init = begin, .fini = end, .timeout = 30);

static enum edit_result add(struct edits *e, const struct answer *a)
{
	return edits_add(e, &arena, a, &rights, &why);
}

static struct answer header(enum answer_kind kind, uint32_t index,
			    struct slice name, struct slice value)
{
	return (struct answer){ .kind = kind,
				.header = { index, name, value } };
}

static struct answer address(enum answer_kind kind, struct slice text,
			     struct slice args)
{
	return (struct answer){ .kind = kind,
				.address = { text, args, args.len > 0 } };
}

/* n times x. */
static struct slice many(size_t n)
{
	char *p = arena_take(&arena, n + 1);

	cr_assert_not_null(p);
	memset(p, 'x', n);
	return slice_of(p, n);
}

static void expect_result(enum edit_result want, const struct answer *a,
			  const char *reason)
{
	enum edit_result have = add(&edits, a);

	cr_expect_eq(have, want, "%s: %d", answer_name(a->kind), have);
	if (want == EDIT_BREACH)
		cr_expect(strstr(why, reason), "\"%s\" lacks \"%s\"", why,
			  reason);
}

/* ---- checks ---- */

Test(edit, header_names)
{
	static const struct {
		struct slice name;
		bool want;
	} cases[] = {
		{ SLICE_LIT("X"), true },
		{ SLICE_LIT("X-Spam_!~"), true },
		{ SLICE_LIT(""), false },
		{ SLICE_LIT("X Y"), false },
		{ SLICE_LIT("X:"), false },
		{ SLICE_LIT("X\t"), false },
		{ SLICE_LIT("X\n"), false },
		{ SLICE_LIT("X\x7f"), false },
		{ SLICE_LIT("X\xc3\xa4"), false },
		{ SLICE_LIT("X\x01"), false },
	};
	static const enum answer_kind kinds[] = { ANSWER_ADDHEADER,
						  ANSWER_INSHEADER,
						  ANSWER_CHGHEADER };

	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t k = 0; k < COUNT(kinds); k++) {
			struct answer a = header(kinds[k], 1, cases[i].name,
						 SLICE_LIT("v"));

			cr_expect_eq(add(&edits, &a),
				     cases[i].want ? EDIT_OK : EDIT_BREACH,
				     "case %zu", i);
		}
}

Test(edit, length_of_names)
{
	struct answer a = header(ANSWER_ADDHEADER, 0, many(200), SLICE_EMPTY);

	expect_result(EDIT_OK, &a, "");
	a.header.name = many(201);
	expect_result(EDIT_BREACH, &a, "header name");
}

Test(edit, length_of_values)
{
	struct answer a =
		header(ANSWER_ADDHEADER, 0, SLICE_LIT("X"), many(64000));

	expect_result(EDIT_OK, &a, "");
	a.header.value = many(64001);
	expect_result(EDIT_BREACH, &a, "64,000");
}

/* Each bare LF gains a TAB: checked before only, it would fit no packet. */
Test(edit, length_of_values_that_grow)
{
	char *p = arena_take(&arena, 40001);
	struct answer a =
		header(ANSWER_ADDHEADER, 0, SLICE_LIT("X"), SLICE_EMPTY);

	cr_assert_not_null(p);
	memset(p, '\n', 40000);
	a.header.value = slice_of(p, 40000);
	expect_result(EDIT_BREACH, &a, "64,000");
	a.header.value = slice_of(p, 32000);
	expect_result(EDIT_OK, &a, "");
}

Test(edit, folding_is_repaired)
{
	static const struct {
		struct slice value;
		struct slice want;
	} cases[] = {
		{ SLICE_LIT("plain"), SLICE_LIT("plain") },
		{ SLICE_LIT(""), SLICE_LIT("") },
		{ SLICE_LIT("a\n b"), SLICE_LIT("a\n b") },
		{ SLICE_LIT("a\n\tb"), SLICE_LIT("a\n\tb") },
		{ SLICE_LIT("a\nb"), SLICE_LIT("a\n\tb") },
		{ SLICE_LIT("a\r\n b"), SLICE_LIT("a\n b") },
		{ SLICE_LIT("a\r\nb"), SLICE_LIT("a\n\tb") },
		{ SLICE_LIT("a\n\r b"), SLICE_LIT("a\n b") },
		{ SLICE_LIT("a\rb"), SLICE_LIT("ab") },
		{ SLICE_LIT("\r"), SLICE_LIT("") },
		{ SLICE_LIT("a\n"), SLICE_LIT("a\n\t") },
		{ SLICE_LIT("\n"), SLICE_LIT("\n\t") },
		{ SLICE_LIT("a\n\nb"), SLICE_LIT("a\n\t\n\tb") },
		{ SLICE_LIT("a\nEvil: header"), SLICE_LIT("a\n\tEvil: header") },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a = header(ANSWER_ADDHEADER, 0, SLICE_LIT("X"),
					 cases[i].value);

		expect_result(EDIT_OK, &a, "");
		cr_expect(slice_equal(edits.last->value, cases[i].want),
			  "case %zu: \"%.*s\"", i,
			  SLICE_ARG(edits.last->value));
	}
}

Test(edit, leading_space_in_all_combinations)
{
	static const struct {
		bool mta, child;
		enum answer_kind kind;
		const char *value;
		const char *want;
	} cases[] = {
		{ false, false, ANSWER_ADDHEADER, "v", "v" },
		{ false, false, ANSWER_ADDHEADER, " v", " v" },
		{ true, false, ANSWER_ADDHEADER, "v", " v" },
		{ true, false, ANSWER_INSHEADER, "v", " v" },
		{ true, false, ANSWER_CHGHEADER, "v", " v" },
		/* It wants a second one. */
		{ true, false, ANSWER_ADDHEADER, " v", "  v" },
		{ true, true, ANSWER_ADDHEADER, " v", " v" },
		{ true, true, ANSWER_ADDHEADER, "v", "v" },
		{ false, true, ANSWER_ADDHEADER, "v", "v" },
		/* An empty change is a delete and stays one. */
		{ false, false, ANSWER_CHGHEADER, "", "" },
		{ true, false, ANSWER_CHGHEADER, "", "" },
		{ true, true, ANSWER_CHGHEADER, "", "" },
		/* An empty header is one with nothing behind the space. */
		{ true, false, ANSWER_ADDHEADER, "", " " },
		{ true, true, ANSWER_ADDHEADER, "", "" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a = header(cases[i].kind, 1, SLICE_LIT("X"),
					 slice_str(cases[i].value));

		rights.mta_leadspc = cases[i].mta;
		rights.child_leadspc = cases[i].child;
		expect_result(EDIT_OK, &a, "");
		cr_expect(slice_is(edits.last->value, cases[i].want),
			  "case %zu: \"%.*s\"", i,
			  SLICE_ARG(edits.last->value));
	}
}

Test(edit, addresses)
{
	static const struct {
		struct slice address;
		struct slice args;
		bool want;
	} cases[] = {
		{ SLICE_LIT("<a@b>"), SLICE_LIT(""), true },
		{ SLICE_LIT("a@b"), SLICE_LIT("NOTIFY=NEVER"), true },
		{ SLICE_LIT(""), SLICE_LIT(""), true },
		{ SLICE_LIT("<>"), SLICE_LIT(""), true },
		{ SLICE_LIT("<\xc3\xa4@b>"), SLICE_LIT(""), true },
		{ SLICE_LIT("<a@b>\r\n"), SLICE_LIT(""), false },
		{ SLICE_LIT("<a\x01@b>"), SLICE_LIT(""), false },
		{ SLICE_LIT("<a\x7f@b>"), SLICE_LIT(""), false },
		{ SLICE_LIT("<a@b>"), SLICE_LIT("NOTIFY=\n"), false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a = address(ANSWER_ADDRCPT_PAR, cases[i].address,
					  cases[i].args);

		cr_expect_eq(add(&edits, &a),
			     cases[i].want ? EDIT_OK : EDIT_BREACH, "case %zu",
			     i);
	}
}

Test(edit, length_of_addresses)
{
	struct answer a = address(ANSWER_ADDRCPT, many(1000), SLICE_EMPTY);

	expect_result(EDIT_OK, &a, "");
	a.address.address = many(1001);
	expect_result(EDIT_BREACH, &a, "1,000 bytes");
	a = address(ANSWER_CHGFROM, SLICE_LIT("<a>"), many(1001));
	expect_result(EDIT_BREACH, &a, "1,000 bytes");
}

Test(edit, only_actions_it_negotiated)
{
	static const struct {
		enum answer_kind kind;
		uint32_t action;
	} cases[] = {
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

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a = header(cases[i].kind, 1, SLICE_LIT("X"),
					 SLICE_LIT("v"));

		if (cases[i].kind == ANSWER_REPLBODY)
			a.body = SLICE_LIT("b");
		else if (cases[i].kind == ANSWER_QUARANTINE)
			a.text = SLICE_LIT("q");
		else if (cases[i].kind >= ANSWER_ADDRCPT)
			a = address(cases[i].kind, SLICE_LIT("<a@b>"),
				    SLICE_EMPTY);
		rights.actions = cases[i].action;
		expect_result(EDIT_OK, &a, "");
		rights.actions = SMFIF_ALL & ~cases[i].action;
		expect_result(EDIT_BREACH, &a, "negotiating");
	}
}

Test(edit, a_thousand_and_no_more)
{
	struct answer a = header(ANSWER_ADDHEADER, 0, SLICE_LIT("X"),
				 SLICE_LIT("v"));
	struct answer b = { .kind = ANSWER_REPLBODY, .body = SLICE_LIT("b") };

	for (int i = 0; i < 999; i++)
		cr_assert_eq(add(&edits, &a), EDIT_OK);
	/* A body in many chunks is one. */
	for (int i = 0; i < 500; i++)
		cr_assert_eq(add(&edits, &b), EDIT_OK);
	cr_expect_eq(edits.count, 1000);
	expect_result(EDIT_BREACH, &a, "1,000 changes");
	a = address(ANSWER_ADDRCPT, SLICE_LIT("<a>"), SLICE_EMPTY);
	expect_result(EDIT_BREACH, &a, "1,000 changes");
}

Test(edit, new_body)
{
	struct answer a = { .kind = ANSWER_REPLBODY, .body = many(400) };
	struct buf out;
	size_t n;

	buf_init(&out, 2000);
	expect_result(EDIT_OK, &a, "");
	cr_expect(edits.has_body);
	cr_expect_eq(edits.body.len, 400);
	a.body = SLICE_LIT("tail");
	expect_result(EDIT_OK, &a, "");
	cr_assert(body_read(&edits.body, 398, 100, &out, &n));
	cr_assert(body_read(&edits.body, 400, 100, &out, &n));
	cr_expect_eq(edits.count, 1);
	a.body = many(597);
	expect_result(EDIT_BREACH, &a, "message_max");
	buf_deinit(&out);
}

/* One empty chunk empties the body; none leaves it alone. */
Test(edit, empty_body)
{
	struct answer a = { .kind = ANSWER_REPLBODY, .body = SLICE_EMPTY };

	cr_expect_not(edits.has_body);
	expect_result(EDIT_OK, &a, "");
	cr_expect(edits.has_body);
	cr_expect_eq(edits.body.len, 0);
}

Test(edit, no_spool_for_the_new_body)
{
	struct answer a = { .kind = ANSWER_REPLBODY, .body = many(100) };

	conf.message_memory = 50;
	expect_result(EDIT_NO_SPACE, &a, "");
}

Test(edit, quarantine)
{
	struct answer a = { .kind = ANSWER_QUARANTINE };

	a.text = SLICE_LIT("virus\r\nfound\x7f");
	expect_result(EDIT_OK, &a, "");
	cr_expect(edits.has_quarantine);
	cr_expect(slice_is(edits.quarantine, "virus??found?"));
	a.text = SLICE_EMPTY;
	expect_result(EDIT_OK, &a, "");
	cr_expect(edits.has_quarantine);
	a.text = many(500);
	expect_result(EDIT_OK, &a, "");
	cr_expect_eq(edits.quarantine.len, 400);
	cr_expect_eq(edits.count, 3);
}

Test(edit, text_is_copied)
{
	char name[] = "X-Name", value[] = "value", to[] = "<a@b>";
	struct answer a = header(ANSWER_ADDHEADER, 0, slice_str(name),
				 slice_str(value));
	struct answer b = address(ANSWER_ADDRCPT, slice_str(to), SLICE_EMPTY);

	expect_result(EDIT_OK, &a, "");
	expect_result(EDIT_OK, &b, "");
	name[0] = value[0] = to[1] = '?';
	cr_expect(slice_is(edits.first->name, "X-Name"));
	cr_expect(slice_is(edits.first->value, "value"));
	cr_expect(slice_is(edits.last->name, "<a@b>"));
}

Test(edit, no_memory)
{
	struct answer a = header(ANSWER_ADDHEADER, 0, SLICE_LIT("X"),
				 SLICE_LIT("v"));
	struct arena small;

	arena_init(&small, 1);
	cr_expect_eq(edits_add(&edits, &small, &a, &rights, &why),
		     EDIT_NO_SPACE);
	a = (struct answer){ .kind = ANSWER_QUARANTINE,
			     .text = SLICE_LIT("q") };
	cr_expect_eq(edits_add(&edits, &small, &a, &rights, &why),
		     EDIT_NO_SPACE);
	arena_deinit(&small);
}

Test(edit, the_log_as_answers)
{
	struct answer in[] = {
		header(ANSWER_INSHEADER, 3, SLICE_LIT("X"), SLICE_LIT("v")),
		address(ANSWER_ADDRCPT_PAR, SLICE_LIT("<a>"),
			SLICE_LIT("NOTIFY=NEVER")),
		address(ANSWER_CHGFROM, SLICE_LIT("<b>"), SLICE_EMPTY),
	};
	const struct edit *e;
	struct answer out;

	for (size_t i = 0; i < COUNT(in); i++)
		cr_assert_eq(add(&edits, &in[i]), EDIT_OK);
	e = edits.first;
	out = edit_answer(e);
	cr_expect_eq(out.kind, ANSWER_INSHEADER);
	cr_expect_eq(out.header.index, 3);
	cr_expect(slice_is(out.header.name, "X"));
	cr_expect(slice_is(out.header.value, "v"));
	cr_expect(edit_is_header(e));
	e = e->next;
	out = edit_answer(e);
	cr_expect(slice_is(out.address.address, "<a>"));
	cr_expect(slice_is(out.address.args, "NOTIFY=NEVER"));
	cr_expect(out.address.has_args);
	cr_expect_not(edit_is_header(e));
	e = e->next;
	out = edit_answer(e);
	cr_expect_eq(out.kind, ANSWER_CHGFROM);
	cr_expect_not(out.address.has_args);
	cr_expect_null(e->next);
}

/* ---- carrying out ---- */

/* The message of header-index-experiments.txt. */
static void experiment(struct view *v, enum mta mta)
{
	static const char *const message[][2] = {
		{ "From", "<a@b.example>" }, { "Subject", "test" },
		{ "X-D", "1" },		     { "X-D", "2" },
		{ "X-D", "3" },		     { "X-Z", "z" },
		{ "Message-Id", "own" },     { "Date", "own" },
	};
	/* Sendmail adds the last two later and does not show them. */
	size_t n = COUNT(message) - (mta == MTA_SENDMAIL ? 2 : 0);

	*v = (struct view){ .headers_done = true, .complete = true };
	cr_assert(header_list_init(&v->headers, &arena, mta));
	for (size_t i = 0; i < n; i++)
		cr_assert_not_null(
			header_list_append(&v->headers,
					   slice_str(message[i][0]),
					   slice_str(message[i][1])));
}

static struct slice word(struct slice *rest)
{
	struct slice w;

	cr_assert(slice_split(rest, ' ', &w));
	return slice_is(w, "-") ? SLICE_EMPTY : w;
}

static void add_words(struct edits *e, struct slice words)
{
	struct answer a = { .kind = ANSWER_ADDHEADER };
	struct slice verb = word(&words);
	uint64_t index = 0;

	if (slice_is(verb, "ins"))
		a.kind = ANSWER_INSHEADER;
	else if (slice_is(verb, "chg"))
		a.kind = ANSWER_CHGHEADER;
	if (a.kind != ANSWER_ADDHEADER)
		cr_assert(slice_to_u64(word(&words), UINT32_MAX, &index));
	a.header.index = (uint32_t)index;
	a.header.name = word(&words);
	a.header.value = words.data ? words : SLICE_EMPTY;
	cr_assert_eq(add(e, &a), EDIT_OK, "%s", why);
}

/* "add NAME VALUE ; ins INDEX NAME VALUE ; chg INDEX NAME [VALUE]" */
static void script(struct edits *e, struct slice words)
{
	struct slice one;

	edits_begin(e, &conf);
	while (slice_split(&words, ';', &one))
		add_words(e, slice_trim(one));
}

static void print_headers(const struct header_list *l, struct buf *out)
{
	const struct header *h = NULL;

	while ((h = header_list_next(l, h)))
		cr_assert(buf_printf(out, "%s%.*s: %.*s",
				     buf_len(out) ? " ; " : "",
				     SLICE_ARG(h->name), SLICE_ARG(h->value)));
}

static void expect_headers(const struct header_list *l, const char *want,
			   const char *what)
{
	struct buf out;

	buf_init(&out, 1 << 16);
	print_headers(l, &out);
	cr_expect(slice_is(buf_slice(&out), want), "%s:\n have %.*s\n want %s",
		  what, SLICE_ARG(buf_slice(&out)), want);
	buf_deinit(&out);
}

/* What the MTA makes of requests, all of them one filter's to it. */
static void execute(struct header_list *l, const struct edits *e)
{
	for (const struct edit *one = e->first; one; one = one->next) {
		struct answer a = edit_answer(one);

		if (one->dropped)
			continue;
		if (a.kind == ANSWER_ADDHEADER)
			header_list_add(l, a.header.name, a.header.value);
		else if (a.kind == ANSWER_INSHEADER)
			header_list_insert(l, a.header.index, a.header.name,
					   a.header.value);
		else
			header_list_change(l,
					   header_list_find(l, a.header.index,
							    a.header.name),
					   a.header.name, a.header.value);
	}
}

static void expect_same(const struct header_list *have,
			const struct header_list *want, const char *what)
{
	struct buf a, b;

	buf_init(&a, 1 << 16);
	buf_init(&b, 1 << 16);
	print_headers(have, &a);
	print_headers(want, &b);
	cr_expect(slice_equal(buf_slice(&a), buf_slice(&b)),
		  "%s:\n have %.*s\n want %.*s", what,
		  SLICE_ARG(buf_slice(&a)), SLICE_ARG(buf_slice(&b)));
	buf_deinit(&a);
	buf_deinit(&b);
}

Test(edit, nothing_visible_is_the_same_view)
{
	struct answer a = address(ANSWER_ADDRCPT, SLICE_LIT("<a>"),
				  SLICE_EMPTY);
	const struct view *out;
	struct view in;

	experiment(&in, MTA_POSTFIX);
	cr_assert_eq(add(&edits, &a), EDIT_OK);
	cr_assert(edits_apply(&edits, &arena, &in, &out));
	cr_expect_eq(out, &in);
}

Test(edit, a_new_body_and_the_old_headers)
{
	struct answer a = { .kind = ANSWER_REPLBODY, .body = SLICE_LIT("b") };
	const struct view *out;
	struct body old;
	struct view in;

	experiment(&in, MTA_POSTFIX);
	in.body = &old;
	cr_assert_eq(add(&edits, &a), EDIT_OK);
	cr_assert(edits_apply(&edits, &arena, &in, &out));
	cr_expect_eq(out->body, &edits.body);
	cr_expect_eq(in.body, &old, "a view never changes");
	expect_same(&out->headers, &in.headers, "headers");
}

Test(edit, new_headers_and_the_old_body)
{
	const struct view *out;
	struct body old;
	struct view in;

	experiment(&in, MTA_POSTFIX);
	in.body = &old;
	script(&edits, SLICE_LIT("chg 1 X-D ; add X-N n"));
	cr_assert(edits_apply(&edits, &arena, &in, &out));
	cr_expect_eq(out->body, &old);
	cr_expect(out->headers_done && out->complete);
	expect_headers(&in.headers,
		       "From: <a@b.example> ; Subject: test ; X-D: 1 ; X-D: 2 "
		       "; X-D: 3 ; X-Z: z ; Message-Id: own ; Date: own",
		       "before");
	expect_headers(&out->headers,
		       "From: <a@b.example> ; Subject: test ; X-D: 2 ; X-D: 3 "
		       "; X-Z: z ; Message-Id: own ; Date: own ; X-N: n",
		       "after");
}

Test(edit, no_memory_to_apply)
{
	const struct view *out;
	struct arena small;
	struct view in;

	experiment(&in, MTA_POSTFIX);
	script(&edits, SLICE_LIT("add X-N n"));
	arena_init(&small, 1);
	cr_expect_not(edits_apply(&edits, &small, &in, &out));
	arena_deinit(&small);
}

/* A script of the recorded experiments that passes our own checks. */
static struct slice usable(const struct vector *row, enum mta mta)
{
	bool is_mta = slice_is(row->column[0],
			       mta == MTA_POSTFIX ? "postfix" : "sendmail");

	if (!is_mta || slice_starts(row->column[1], "add - "))
		return SLICE_EMPTY;
	return row->column[1];
}

/* One child: the view it leaves is what the MTA makes of its log. */
Test(edit, the_log_of_one_child)
{
	static const enum mta mtas[] = { MTA_SENDMAIL, MTA_POSTFIX };
	struct vectors v;
	unsigned done = 0;

	vectors_load(&v, "header-index-experiments.txt");
	for (size_t m = 0; m < COUNT(mtas); m++)
		for (size_t i = 0; i < v.count; i++) {
			struct slice words = usable(&v.rows[i], mtas[m]);
			struct view in, at_mta;
			const struct view *out;

			if (!words.len)
				continue;
			experiment(&in, mtas[m]);
			experiment(&at_mta, mtas[m]);
			script(&edits, words);
			cr_assert(edits_apply(&edits, &arena, &in, &out));
			execute(&at_mta.headers, &edits);
			expect_same(&at_mta.headers, &out->headers,
				    arena_str(&arena, words));
			done++;
		}
	cr_expect_eq(done, 42);
	vectors_free(&v);
}

static void two_children(enum mta mta, struct slice first, struct slice second)
{
	struct view in, at_mta;
	const struct view *between, *out;
	struct edits one, two;
	struct buf what;

	buf_init(&what, 1000);
	buf_printf(&what, "%s: %.*s // %.*s%c",
		   mta == MTA_POSTFIX ? "postfix" : "sendmail",
		   SLICE_ARG(first), SLICE_ARG(second), '\0');
	experiment(&in, mta);
	experiment(&at_mta, mta);
	script(&one, first);
	script(&two, second);
	cr_assert(edits_apply(&one, &arena, &in, &between));
	cr_assert(edits_apply(&two, &arena, between, &out));
	execute(&at_mta.headers, &one);
	execute(&at_mta.headers, &two);
	expect_same(&at_mta.headers, &out->headers, what.data);
	buf_deinit(&what);
}

/* Every recorded script behind every other one. */
Test(edit, the_log_of_two_children)
{
	static const enum mta mtas[] = { MTA_SENDMAIL, MTA_POSTFIX };
	struct vectors v;
	unsigned done = 0;

	vectors_load(&v, "header-index-experiments.txt");
	for (size_t m = 0; m < COUNT(mtas); m++)
		for (size_t i = 0; i < v.count; i++)
			for (size_t k = 0; k < v.count; k++) {
				struct slice a = usable(&v.rows[i], mtas[m]);
				struct slice b = usable(&v.rows[k], mtas[m]);

				if (!a.len || !b.len)
					continue;
				two_children(mtas[m], a, b);
				arena_reset(&arena);
				done++;
			}
	cr_expect_eq(done, 2 * 21 * 21);
	edits = (struct edits){ 0 };
	vectors_free(&v);
}

/*
 * Sendmail counts what filters deleted, and to it we are one filter: the
 * second child's index 1 is the MTA's 2.
 */
Test(edit, renumbered_behind_a_deletion)
{
	static const struct {
		enum mta mta;
		const char *first;
		const char *second;
		uint32_t want;
	} cases[] = {
		{ MTA_SENDMAIL, "chg 1 X-D", "chg 1 X-D new", 2 },
		{ MTA_SENDMAIL, "chg 1 X-D", "chg 2 X-D new", 3 },
		{ MTA_SENDMAIL, "chg 1 X-D ; chg 2 X-D", "chg 1 X-D new", 3 },
		{ MTA_SENDMAIL, "chg 2 X-D", "chg 1 X-D new", 1 },
		{ MTA_SENDMAIL, "chg 2 X-D", "chg 2 X-D new", 3 },
		{ MTA_SENDMAIL, "chg 1 X-D", "chg 1 X-Z new", 1 },
		{ MTA_SENDMAIL, "chg 1 X-D", "chg 1 x-d", 2 },
		{ MTA_SENDMAIL, "add X-Y y", "chg 3 X-D new", 3 },
		{ MTA_SENDMAIL, "ins 0 X-D top", "chg 1 X-D new", 1 },
		{ MTA_SENDMAIL, "ins 0 X-D top ; chg 2 X-D", "chg 2 X-D new",
		  3 },
		/* To Postfix a deleted header never was. */
		{ MTA_POSTFIX, "chg 1 X-D", "chg 1 X-D new", 1 },
		{ MTA_POSTFIX, "chg 1 X-D", "chg 2 X-D new", 2 },
		{ MTA_POSTFIX, "chg 1 X-D ; chg 1 X-D", "chg 1 X-D new", 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct view *between, *out;
		struct edits one, two;
		struct view in;

		experiment(&in, cases[i].mta);
		script(&one, slice_str(cases[i].first));
		script(&two, slice_str(cases[i].second));
		cr_assert(edits_apply(&one, &arena, &in, &between));
		cr_assert(edits_apply(&two, &arena, between, &out));
		cr_expect_eq(edit_answer(two.first).header.index,
			     cases[i].want, "case %zu: %u", i,
			     edit_answer(two.first).header.index);
		cr_expect_eq(edit_answer(one.first).header.index,
			     one.first->index, "the first child's stay");
	}
}

/* Deleted by itself, a header still counts for the child that did it. */
Test(edit, its_own_deletion_counts_under_sendmail)
{
	const struct view *out;
	struct view in;

	experiment(&in, MTA_SENDMAIL);
	script(&edits, SLICE_LIT("chg 1 X-D ; chg 2 X-D new"));
	cr_assert(edits_apply(&edits, &arena, &in, &out));
	cr_expect_eq(edits.last->mta_index, 2);
	expect_headers(&out->headers,
		       "From: <a@b.example> ; Subject: test ; X-D: new ; "
		       "X-D: 3 ; X-Z: z",
		       "sendmail");
}

/* ---- free children ---- */

struct merge_case {
	enum mta mta;
	const char *chain; /* what a chain child did, "" for nothing */
	const char *free;
	unsigned dropped;
	const char *want; /* headers behind Subject, in front of X-Z */
};

static void merge(const struct merge_case *c)
{
	struct view original, at_mta;
	const struct view *left;
	struct header_list result;
	struct edits one, two;
	unsigned dropped = 99;
	char want[400];

	experiment(&original, c->mta);
	experiment(&at_mta, c->mta);
	if (*c->chain)
		script(&one, slice_str(c->chain));
	else
		edits_begin(&one, &conf);
	script(&two, slice_str(c->free));
	cr_assert(edits_apply(&one, &arena, &original, &left));
	cr_assert(header_list_copy(&result, &left->headers, &arena));
	cr_assert(edits_merge_free(&two, &arena, &original, &result,
				   &dropped));
	cr_expect_eq(dropped, c->dropped, "%s // %s: %u dropped", c->chain,
		     c->free, dropped);
	snprintf(want, sizeof(want),
		 "From: <a@b.example> ; Subject: test%s%s ; X-Z: z%s",
		 *c->want ? " ; " : "", c->want,
		 c->mta == MTA_POSTFIX ? " ; Message-Id: own ; Date: own" : "");
	expect_headers(&result, want, c->free);
	/* And the MTA comes to the same by the log. */
	execute(&at_mta.headers, &one);
	execute(&at_mta.headers, &two);
	expect_same(&at_mta.headers, &result, c->free);
}

#define BOTH(...)                       \
	{ MTA_POSTFIX, __VA_ARGS__ }, { \
		MTA_SENDMAIL, __VA_ARGS__ \
	}

Test(edit, free_childs_headers)
{
	static const struct merge_case cases[] = {
		/* Nobody else did anything. */
		BOTH("", "chg 2 X-D n", 0, "X-D: 1 ; X-D: n ; X-D: 3"),
		BOTH("", "chg 2 X-D", 0, "X-D: 1 ; X-D: 3"),
		/* The entry it saw, not the place. */
		BOTH("chg 1 X-D", "chg 2 X-D n", 0, "X-D: n ; X-D: 3"),
		BOTH("chg 1 X-D", "chg 3 X-D", 0, "X-D: 2"),
		BOTH("chg 1 X-D", "chg 2 X-D ; chg 3 X-D c", 1 - 1,
		     "X-D: c"),
		/* Changed or deleted by another. */
		BOTH("chg 2 X-D c", "chg 2 X-D n", 1,
		     "X-D: 1 ; X-D: c ; X-D: 3"),
		BOTH("chg 2 X-D c", "chg 2 X-D", 1,
		     "X-D: 1 ; X-D: c ; X-D: 3"),
		BOTH("chg 2 X-D", "chg 2 X-D n", 1, "X-D: 1 ; X-D: 3"),
		BOTH("chg 2 X-D", "chg 2 X-D", 1, "X-D: 1 ; X-D: 3"),
		BOTH("chg 1 X-D ; chg 1 X-D", "chg 3 X-D", 0,
		     ""), /* see below for what differs */
		/* Its other edits stand. */
		BOTH("chg 1 X-D c", "chg 1 X-D n ; chg 3 X-D n", 1,
		     "X-D: c ; X-D: 2 ; X-D: n"),
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct merge_case c = cases[i];

		/* Here both MTAs read the same words differently. */
		if (!*c.want && c.mta == MTA_SENDMAIL)
			c.want = "X-D: 2";
		/* Postfix's own second index has moved by its first. */
		if (c.mta == MTA_POSTFIX &&
		    slice_is(slice_str(c.free), "chg 2 X-D ; chg 3 X-D c"))
			continue;
		merge(&c);
	}
}

Test(edit, free_child_meets_its_own_edits)
{
	static const struct merge_case cases[] = {
		BOTH("", "ins 0 X-D t ; chg 1 X-D n", 0,
		     "X-D: 1 ; X-D: 2 ; X-D: 3"),
		BOTH("", "chg 2 X-D a ; chg 2 X-D b", 0,
		     "X-D: 1 ; X-D: b ; X-D: 3"),
	};
	struct view original;
	struct header_list result;
	unsigned dropped;

	merge(&cases[2]);
	merge(&cases[3]);
	for (size_t i = 0; i < 2; i++) {
		experiment(&original, cases[i].mta);
		cr_assert(header_list_copy(&result, &original.headers, &arena));
		script(&edits, slice_str(cases[i].free));
		cr_assert(edits_merge_free(&edits, &arena, &original, &result,
					   &dropped));
		cr_expect_eq(dropped, 0);
		cr_expect(slice_is(header_list_next(&result, NULL)->value,
				   "n"));
	}
}

/* A header somebody else put in front moves the index, not the entry. */
Test(edit, free_childs_index_is_translated)
{
	static const struct {
		enum mta mta;
		const char *chain;
		const char *free;
		uint32_t want;
	} cases[] = {
		{ MTA_POSTFIX, "ins 0 X-D t", "chg 2 X-D n", 3 },
		{ MTA_SENDMAIL, "ins 0 X-D t", "chg 2 X-D n", 3 },
		{ MTA_POSTFIX, "chg 1 X-D", "chg 2 X-D n", 1 },
		{ MTA_SENDMAIL, "chg 1 X-D", "chg 2 X-D n", 2 },
		{ MTA_POSTFIX, "add X-D e", "chg 2 X-D n", 2 },
		/* Sendmail adds before the first of that name. */
		{ MTA_SENDMAIL, "add X-D e", "chg 2 X-D n", 3 },
		/* One more than there are stays one more than there are. */
		{ MTA_POSTFIX, "ins 0 X-D t", "chg 4 X-D n", 5 },
		{ MTA_POSTFIX, "chg 1 X-D", "chg 4 X-D n", 3 },
		{ MTA_SENDMAIL, "chg 1 X-D", "chg 4 X-D n", 4 },
		/* The top is the top. */
		{ MTA_POSTFIX, "ins 0 X-I i", "ins 0 X-J j", 0 },
		{ MTA_POSTFIX, "ins 0 X-I i", "ins 1 X-J j", 1 },
		/* Any other place is in front of the same entry. */
		{ MTA_POSTFIX, "ins 0 X-I i", "ins 5 X-J j", 6 },
		{ MTA_POSTFIX, "chg 1 X-D", "ins 5 X-J j", 4 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct header_list result;
		struct view original;
		const struct view *left;
		struct edits one, two;
		unsigned dropped;

		experiment(&original, cases[i].mta);
		script(&one, slice_str(cases[i].chain));
		script(&two, slice_str(cases[i].free));
		cr_assert(edits_apply(&one, &arena, &original, &left));
		cr_assert(header_list_copy(&result, &left->headers, &arena));
		cr_assert(edits_merge_free(&two, &arena, &original, &result,
					   &dropped));
		cr_expect_eq(dropped, 0);
		cr_expect_eq(two.first->mta_index, cases[i].want,
			     "case %zu: %u", i, two.first->mta_index);
	}
}

/* Of two free children the one listed first has the entry. */
Test(edit, two_free_children)
{
	struct header_list result;
	struct view original;
	struct edits one, two;
	unsigned dropped;

	experiment(&original, MTA_POSTFIX);
	cr_assert(header_list_copy(&result, &original.headers, &arena));
	script(&one, SLICE_LIT("chg 1 X-D one ; chg 2 X-D"));
	script(&two, SLICE_LIT("chg 1 X-D two ; chg 2 X-D two ; chg 3 X-D two"));
	cr_assert(edits_merge_free(&one, &arena, &original, &result, &dropped));
	cr_expect_eq(dropped, 0);
	cr_assert(edits_merge_free(&two, &arena, &original, &result, &dropped));
	cr_expect_eq(dropped, 2);
	cr_expect(two.first->dropped);
	cr_expect_not(two.last->dropped);
	cr_expect_eq(two.last->mta_index, 2, "%u", two.last->mta_index);
	expect_headers(&result,
		       "From: <a@b.example> ; Subject: test ; X-D: one ; "
		       "X-D: two ; X-Z: z ; Message-Id: own ; Date: own",
		       "two");
}

/* Every recorded script as a free child's, behind every other one. */
Test(edit, free_childs_log_against_the_mta)
{
	static const enum mta mtas[] = { MTA_SENDMAIL, MTA_POSTFIX };
	struct vectors v;

	vectors_load(&v, "header-index-experiments.txt");
	for (size_t m = 0; m < COUNT(mtas); m++)
		for (size_t i = 0; i < v.count; i++)
			for (size_t k = 0; k < v.count; k++) {
				struct slice a = usable(&v.rows[i], mtas[m]);
				struct slice b = usable(&v.rows[k], mtas[m]);
				struct view original, at_mta;
				const struct view *left;
				struct header_list result;
				struct edits one, two;
				unsigned dropped;
				char *what;

				if (!a.len || !b.len)
					continue;
				experiment(&original, mtas[m]);
				experiment(&at_mta, mtas[m]);
				script(&one, a);
				script(&two, b);
				cr_assert(edits_apply(&one, &arena, &original,
						      &left));
				cr_assert(header_list_copy(
					&result, &left->headers, &arena));
				cr_assert(edits_merge_free(&two, &arena,
							   &original, &result,
							   &dropped));
				execute(&at_mta.headers, &one);
				execute(&at_mta.headers, &two);
				what = arena_str(&arena, b);
				expect_same(&at_mta.headers, &result, what);
				arena_reset(&arena);
			}
	edits = (struct edits){ 0 };
	vectors_free(&v);
}
