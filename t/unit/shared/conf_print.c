#include "shared/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "shared/conf_table.h"
#include "t/unit/support/reading.h"

static void print_to(const struct conf *conf, bool all, struct buf *out)
{
	buf_init(out, 1u << 20);
	cr_assert(conf_print(conf, all, out));
	cr_assert(buf_add_byte(out, '\0'));
}

static const char *const printed[] = {
	MILTER,
	"[server]\nuser = 'a ; b'\ngroup = \"it's\"\n"
	"listen = 'unix:/a, \"b\"' owner='x y' mode=0640 mta=postfix, inet:26\n"
	"macros_extra = eom: i {a}, helo: {b}\ndrain_timeout = 1500ms\n"
	"message_max = 1048577\nmta_timeout = 90s\nlog = syslog\n"
	"pid_file = \"/a = 'b'\"\n" MILTER "rcpt = serial\njoin = body\n"
	"[milter N]\nsocket = inet:[::1]:25\nmode = off\n",
	MILTER "when = s25r and\n # not this\n  not helo ~ /;# x/ ; nor this\n"
	"[milter n]\nsocket = unix:/n\nwhen = recipient in t\n"
	"recipients = own\nmixed = defer\n"
	"[table t]\nsource = inline: a@example.org,\n  .example.net\n"
	"[condition c]\nis = lookup(t, sender) = \"x y\" or milter(m) = reject\n"
	"[rule r]\nwhen = c\naction = reject \"552 5.3.4 a; b\"\n"
	"action = macro {x}?=y\naction = score -2.5\n"
	"on_unknown = tempfail\n[rule trust]\n",
};

Test(conf_print, reads_again_what_it_prints)
{
	for (size_t i = 0; i < 2 * sizeof(printed) / sizeof(printed[0]); i++) {
		struct reading r, again;
		struct buf one, two;
		bool all = i % 2;

		reading_good(&r, printed[i / 2]);
		print_to(r.conf, all, &one);
		reading_good(&again, one.data);
		print_to(again.conf, all, &two);
		cr_expect_str_eq(one.data, two.data);
		buf_deinit(&one);
		buf_deinit(&two);
		print_to(r.conf, true, &one);
		print_to(again.conf, true, &two);
		cr_expect_str_eq(one.data, two.data);
		buf_deinit(&one);
		buf_deinit(&two);
		reading_done(&r);
		reading_done(&again);
	}
}

Test(conf_print, prints_only_what_differs)
{
	struct reading r;
	struct buf out;

	reading_good(&r, "[server]\nworkers_min = 8\nworkers_max = 9\nspare_max = 32\n"
		 "drain_timeout = 1m\n" MILTER "mode = ON\n");
	print_to(r.conf, false, &out);
	cr_expect_str_eq(out.data, "[server]\nworkers_max = 9\n\n[milter m]\n"
				   "socket = unix:/m\n");
	buf_deinit(&out);
	reading_done(&r);
}

Test(conf_print, prints_every_row)
{
	struct reading r;
	struct buf out;

	reading_good(&r, MILTER "[condition c]\nis = true\n[table t]\nsource = inline:a\n"
		 "[rule r]\nwhen = true\naction = accept\n");
	print_to(r.conf, true, &out);
	for (int s = 0; s < CONF_SECTIONS; s++) {
		size_t n;
		const struct conf_row *rows =
			conf_rows((enum conf_section)s, &n);
		char line[64];

		for (size_t i = 0; i < n; i++) {
			snprintf(line, sizeof(line), "\n%s =", rows[i].key);
			cr_expect(strstr(out.data, line), "%s", rows[i].key);
		}
	}
	buf_deinit(&out);
	reading_done(&r);
}

Test(conf_print, fails_to_print_where_there_is_no_room)
{
	struct reading r;
	struct buf out;
	bool ok = false;

	reading_good(&r, printed[1]);
	for (size_t ceiling = 0; !ok; ceiling += 16) {
		buf_init(&out, ceiling);
		ok = conf_print(r.conf, true, &out);
		buf_deinit(&out);
		cr_assert_lt(ceiling, 1u << 16);
	}
	reading_done(&r);
}

Test(conf_print, ships_the_sample_it_prints)
{
	struct buf out;
	static char file[65536];
	FILE *f = fopen(T_SRCDIR "/etc/sekisho.conf", "r");
	size_t n;
	struct reading r;

	cr_assert_not_null(f);
	n = fread(file, 1, sizeof(file) - 1, f);
	fclose(f);
	buf_init(&out, 1u << 20);
	cr_assert(conf_print_sample(&out));
	cr_expect(slice_equal(buf_slice(&out), slice_of(file, n)),
		  "etc/sekisho.conf is not what conf_print_sample() prints");
	reading_good(&r, file);
	reading_done(&r);
	buf_deinit(&out);
}

/* Every commented default of the sample, uncommented, changes nothing. */
Test(conf_print, has_a_sample_whose_comments_are_the_defaults)
{
	struct buf out, one, two;
	struct reading r, plain;
	char *text;

	buf_init(&out, 1u << 20);
	cr_assert(conf_print_sample(&out));
	cr_assert(buf_add_byte(&out, '\0'));
	reading_good(&plain, out.data);
	text = out.data;
	for (char *p = text; (p = strstr(p, "\n#")) != NULL; p++)
		if (p[2] >= 'a' && p[2] <= 'z' &&
		    strncmp(p + 2, "include", 7) != 0)
			memmove(p + 1, p + 2, strlen(p + 2) + 1);
	reading_good(&r, text);
	print_to(plain.conf, true, &one);
	print_to(r.conf, true, &two);
	cr_expect_str_eq(one.data, two.data);
	buf_deinit(&one);
	buf_deinit(&two);
	buf_deinit(&out);
	reading_done(&r);
	reading_done(&plain);
}
