#include "worker/message.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct arena arena;
static struct conf conf;
static struct message message;

static void begin(void)
{
	arena_init(&arena, 1 << 22);
	conf = (struct conf){ .headers_max = 5,
			      .headers_size_max = 100,
			      .message_memory = 1000,
			      .message_max = 50,
			      .spool_directory = "/tmp/sekisho-none" };
	message_begin(&message, &arena, &conf, MTA_POSTFIX);
}

static void end(void)
{
	message_end(&message);
	arena_deinit(&arena);
}

TestSuite(message, .init = begin, .fini = end);

static void header(const char *name, const char *value)
{
	message_add_header(&message, slice_str(name), slice_str(value));
}

/* All that milters see, "name:value;" each. */
static void expect_headers(const char *want)
{
	const struct header *h;
	struct buf out;
	size_t cursor = 0;

	buf_init(&out, 10000);
	while ((h = view_next_header(&message.original, &cursor)))
		cr_assert(buf_printf(&out, "%.*s:%.*s;", SLICE_ARG(h->name),
				     SLICE_ARG(h->value)));
	cr_expect(slice_is(buf_slice(&out), want), "%.*s instead of %s",
		  SLICE_ARG(buf_slice(&out)), want);
	buf_deinit(&out);
}

Test(message, grows_as_it_comes)
{
	size_t cursor = 0;

	cr_expect_null(view_next_header(&message.original, &cursor));
	header("From", " a");
	cr_expect_not_null(view_next_header(&message.original, &cursor));
	cr_expect_null(view_next_header(&message.original, &cursor));
	header("To", " b");
	cr_expect(slice_is(view_next_header(&message.original, &cursor)->name,
			   "To"));
	cr_expect_not(message.original.headers_done);
	message_end_headers(&message);
	cr_expect(message.original.headers_done);
	message_add_body(&message, SLICE_LIT("body"));
	cr_expect_eq(message.original.body->len, 4);
	cr_expect_not(message.original.complete);
	message_complete(&message);
	cr_expect(message.original.complete);
	cr_expect_eq(message.trouble, MESSAGE_FINE);
	expect_headers("From: a;To: b;");
}

Test(message, text_is_copied)
{
	char name[] = "Subject", value[] = "one";

	header(name, value);
	name[0] = value[0] = '?';
	expect_headers("Subject:one;");
}

Test(message, hidden_and_deleted_headers_are_not_shown)
{
	header("A", "1");
	header("B", "2");
	header("C", "3");
	header_list_change(&message.original.headers,
			   header_list_find(&message.original.headers, 1,
					    SLICE_LIT("B")),
			   SLICE_LIT("B"), SLICE_EMPTY);
	expect_headers("A:1;C:3;");
}

Test(message, end_of_message_ends_the_headers)
{
	message_complete(&message);
	cr_expect(message.original.headers_done);
}

Test(message, so_many_headers_and_no_more)
{
	for (int i = 0; i < 5; i++)
		header("A", "1");
	cr_expect_eq(message.trouble, MESSAGE_FINE);
	header("A", "1");
	cr_expect_eq(message.trouble, MESSAGE_TOO_LARGE);
	expect_headers("A:1;A:1;A:1;A:1;A:1;");
}

Test(message, so_many_bytes_of_headers_and_no_more)
{
	char value[92];

	memset(value, 'x', sizeof(value));
	message_add_header(&message, SLICE_LIT("12345678"),
			   slice_of(value, sizeof(value)));
	cr_expect_eq(message.trouble, MESSAGE_FINE, "100 bytes");
	header("A", "");
	cr_expect_eq(message.trouble, MESSAGE_TOO_LARGE);
	header("B", "");
	cr_expect_eq(message.header_count, 2, "what follows is dropped");
}

Test(message, body_too_large)
{
	char bytes[51] = { 0 };

	message_add_body(&message, slice_of(bytes, 50));
	cr_expect_eq(message.trouble, MESSAGE_FINE);
	message_add_body(&message, slice_of(bytes, 1));
	cr_expect_eq(message.trouble, MESSAGE_TOO_LARGE);
	header("A", "1");
	expect_headers("");
}

Test(message, no_spool)
{
	conf.message_memory = 10;
	message_add_body(&message, SLICE_LIT("0123456789a"));
	cr_expect_eq(message.trouble, MESSAGE_NO_SPACE);
	cr_expect_eq(message.no_space, ENOENT);
	message_add_body(&message, SLICE_LIT("b"));
	cr_expect_eq(message.body.len, 0);
}

Test(message, no_memory)
{
	struct arena small;

	arena_init(&small, 1);
	message_end(&message);
	message_begin(&message, &small, &conf, MTA_SENDMAIL);
	cr_expect_eq(message.trouble, MESSAGE_NO_SPACE);
	cr_expect_eq(message.no_space, ENOMEM);
	header("A", "1");
	message_add_body(&message, SLICE_LIT("b"));
	message_complete(&message);
	cr_expect_eq(message.trouble, MESSAGE_NO_SPACE);
	arena_deinit(&small);
}

Test(message, begins_anew)
{
	header("A", "1");
	message_add_body(&message, SLICE_LIT("b"));
	message_complete(&message);
	message_end(&message);
	message_end(&message);
	arena_reset(&arena);
	message_begin(&message, &arena, &conf, MTA_SENDMAIL);
	cr_expect_eq(message.body.len, 0);
	cr_expect_not(message.original.complete);
	expect_headers("");
}
