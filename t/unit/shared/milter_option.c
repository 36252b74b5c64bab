#include "shared/milter_option.h"

#include <criterion/criterion.h>

#include "shared/macro.h"
#include "shared/milter_answer.h"
#include "t/unit/support/describe.h"
#include "t/unit/support/vectors.h"

#define ALL_6  0x1fffffu
#define EXTRAS (SMFIP_SKIP | SMFIP_RCPT_REJ | SMFIP_HDR_LEADSPC)

static struct option raw(uint32_t version, uint32_t actions, uint32_t protocol)
{
	return (struct option){ .version = version,
				.actions = actions,
				.protocol = protocol };
}

static void same(const struct option *got, struct option want, size_t i)
{
	cr_expect_eq(got->version, want.version, "case %zu: version %u", i,
		     got->version);
	cr_expect_eq(got->actions, want.actions, "case %zu: actions %#x", i,
		     got->actions);
	cr_expect_eq(got->protocol, want.protocol, "case %zu: protocol %#x", i,
		     got->protocol);
}

Test(milter_option, offers_are_read_as_libmilter_does)
{
	const struct {
		struct option raw;
		struct option want;
	} cases[] = {
		{ raw(6, 0x1ff, ALL_6), raw(6, 0x1ff, ALL_6) },
		{ raw(99, 0x1ff, ALL_6), raw(6, 0x1ff, ALL_6) },
		{ raw(4, 0x1ff, 0x37f), raw(4, 0x1ff, 0x37f) },
		{ raw(2, 0x3f, 0x7f), raw(2, 0x3f, 0x7f) },
		{ raw(2, 0, 0), raw(2, 0x0f, 0x3f) },
		{ raw(6, 0xffffffff, 0xffffffff), raw(6, 0x1ff, ALL_6) },
		{ raw(6, 0x1ff, 0x201fffff), raw(6, 0x1ff, ALL_6) },
		/* Nothing known in it is not the same as nothing in it. */
		{ raw(6, 0x200, SMFIP_MDS_1M), raw(6, 0, 0) },
	};
	struct option got;
	const char *why = NULL;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(option_read_offer(&cases[i].raw, &got, &why));
		same(&got, cases[i].want, i);
	}
	for (uint32_t version = 0; version < 2; version++) {
		struct option old = raw(version, 0x1ff, ALL_6);

		why = NULL;
		cr_assert_not(option_read_offer(&old, &got, &why));
		cr_assert_not_null(why);
	}
}

Test(milter_option, children_are_offered_all_we_can_do_for_them)
{
	const struct {
		struct option offer;
		struct option want;
	} cases[] = {
		{ raw(6, 0x1ff, ALL_6), raw(6, 0x1ff, ALL_6) },
		{ raw(4, 0x1ff, 0x37f),
		  raw(6, 0x1ff,
		      ALL_6 & ~(SMFIP_HDR_LEADSPC | SMFIP_RCPT_REJ)) },
		{ raw(2, 0x0f, 0x3f),
		  raw(6, 0x0f, ALL_6 & ~(SMFIP_HDR_LEADSPC | SMFIP_RCPT_REJ)) },
		{ raw(6, 0x1ff, SMFIP_HDR_LEADSPC),
		  raw(6, 0x1ff, ALL_6 & ~SMFIP_RCPT_REJ) },
		{ raw(6, 0x1ff, SMFIP_RCPT_REJ),
		  raw(6, 0x1ff, ALL_6 & ~SMFIP_HDR_LEADSPC) },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct option got = option_for_child(&cases[i].offer);

		same(&got, cases[i].want, i);
	}
}

/* Never a bit that was not offered: Sendmail drops a filter for it. */
Test(milter_option, the_mta_is_promised_only_what_it_offered)
{
	const struct {
		struct option offer;
		struct option want;
	} cases[] = {
		{ raw(6, 0x1ff, ALL_6),
		  raw(6, 0x1ff,
		      SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY | EXTRAS) },
		{ raw(4, 0x1ff, 0x37f), raw(4, 0x1ff, 0) },
		{ raw(2, 0x3f, 0xff), raw(2, 0x3f, SMFIP_NR_HDR) },
		{ raw(6, 0x11, 0x7f | SMFIP_SKIP), raw(6, 0x11, SMFIP_SKIP) },
		{ raw(7, 0, SMFIP_MDS_1M), raw(6, 0, 0) },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct option got = option_for_mta(&cases[i].offer);

		same(&got, cases[i].want, i);
		cr_expect_eq(got.protocol & ~cases[i].offer.protocol, 0);
		cr_expect_eq(got.actions & ~cases[i].offer.actions, 0);
	}
}

static uint32_t number(struct slice s)
{
	char text[16] = "";

	cr_assert(s.len > 0 && s.len < sizeof(text));
	memcpy(text, s.data, s.len);
	return (uint32_t)strtoul(text, NULL, 0);
}

static void check_words(const struct option *o, struct slice want)
{
	struct answer a = { .kind = ANSWER_OPTNEG, .option = *o };
	struct buf words;

	buf_init(&words, 1 << 16);
	describe_answer(&words, &a);
	cr_expect(slice_equal(buf_slice(&words), want), "\"%.*s\" is %.*s",
		  SLICE_ARG(want), SLICE_ARG(buf_slice(&words)));
	buf_deinit(&words);
}

Test(milter_option, answers_of_real_milters)
{
	struct vectors v;
	unsigned answers = 0, closed = 0;

	vectors_load(&v, "optneg-answers.txt");
	for (size_t i = 0; i < v.count; i++) {
		const struct slice *column = v.rows[i].column;
		struct option offered =
			raw(number(column[1]), number(column[2]),
			    number(column[3]));
		struct option got;
		struct answer a;
		struct buf bytes;
		const char *why = "";

		if (slice_is(column[4], "closes")) {
			closed++;
			continue;
		}
		answers++;
		buf_init(&bytes, 4096);
		vector_bytes(column[4], &bytes);
		cr_assert(answer_decode(slice_from(buf_slice(&bytes), 4), &a,
					&why));
		check_words(&a.option, column[5]);
		cr_assert(option_read_answer(&a.option, &offered, &got, &why));
		check_words(&got, column[6]);
		buf_deinit(&bytes);
	}
	cr_assert_eq(answers, 38);
	cr_assert_eq(closed, 4);
	vectors_free(&v);
}

Test(milter_option, versions_withhold_commands_they_do_not_know)
{
	const struct option offered = raw(6, 0x1ff, ALL_6);
	const uint32_t want[] = {
		SMFIP_NOUNKNOWN | SMFIP_NODATA,
		SMFIP_NOUNKNOWN | SMFIP_NODATA,
		SMFIP_NOUNKNOWN | SMFIP_NODATA,
		SMFIP_NODATA,
		0,
		0,
		0,
	};
	struct option got;
	const char *why = NULL;

	for (uint32_t v = 0; v <= 6; v++) {
		struct option answer = raw(v, 0x3ff, SMFIP_NR_HDR | 0x200000);

		cr_assert(option_read_answer(&answer, &offered, &got, &why));
		cr_expect_eq(got.version, v);
		cr_expect_eq(got.actions, 0x1ff);
		cr_expect_eq(got.protocol, SMFIP_NR_HDR | want[v], "version %u",
			     v);
	}
	got = raw(7, 0, 0);
	cr_assert_not(option_read_answer(&got, &offered, &got, &why));
	cr_assert_not_null(why);
}

Test(milter_option, lists_survive_the_reading_of_an_answer)
{
	const struct option offered = raw(6, 0x1ff, ALL_6);
	struct option answer = raw(6, 0, 0), got;
	const char *why;

	answer.has_list[LIST_RCPT] = true;
	answer.list[LIST_RCPT] = SLICE_LIT("{rcpt_addr}");
	cr_assert(option_read_answer(&answer, &offered, &got, &why));
	cr_assert(got.has_list[LIST_RCPT]);
	cr_assert(slice_is(got.list[LIST_RCPT], "{rcpt_addr}"));
	cr_assert_not(got.has_list[LIST_MAIL]);
}

Test(milter_option, default_lists_hold_both_mtas_names)
{
	static const struct {
		enum milter_list list;
		const char *name;
	} cases[] = {
		{ LIST_CONNECT, "j" },
		{ LIST_CONNECT, "v" },
		{ LIST_CONNECT, "{daemon_addr}" },
		{ LIST_CONNECT, "{if_name}" },
		{ LIST_HELO, "{tls_version}" },
		{ LIST_HELO, "{cert_issuer}" },
		{ LIST_MAIL, "i" },
		{ LIST_MAIL, "{auth_ssf}" },
		{ LIST_MAIL, "{mail_addr}" },
		{ LIST_RCPT, "i" },
		{ LIST_RCPT, "{rcpt_mailer}" },
		{ LIST_DATA, "i" },
		{ LIST_EOM, "{msg_id}" },
		{ LIST_EOH, "i" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect(macro_list_has(option_default_list(cases[i].list),
					 slice_str(cases[i].name)),
			  "%s", cases[i].name);
	cr_assert_eq(option_default_list(LIST_COUNT).len, 0);
}
