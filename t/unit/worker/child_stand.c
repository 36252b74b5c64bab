#include "t/unit/worker/child_stand.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>

struct puppet puppet;
static struct endpoint socket_one;
struct conf_milter conf;
struct child child;
struct option offer;

void child_stand_begin(void)
{
	clock_set(START);
	puppet_open(&puppet);
	conf = (struct conf_milter){ .name = "one",
				     .socket = { &socket_one, 1 },
				     .timeout_connect = 3 * CLOCK_S,
				     .timeout_command = 7 * CLOCK_S,
				     .timeout_eom = 120 * CLOCK_S };
	puppet_address(&puppet, conf.socket.at);
	offer = (struct option){ .version = 6,
				 .actions = SMFIF_ALL,
				 .protocol = SMFIP_NO_ALL | SMFIP_NR_ALL |
					     SMFIP_SKIP | SMFIP_RCPT_REJ |
					     SMFIP_HDR_LEADSPC };
	child_init(&child, &conf);
}

void child_stand_end(void)
{
	child_close(&child);
	buf_deinit(&child.in);
	buf_deinit(&child.out);
	buf_deinit(&child.list_bytes);
	puppet_close(&puppet);
	clock_set(0);
}

enum child_result play(void)
{
	enum child_result r = CHILD_OK;

	for (int quiet = 0; quiet < 3 && r == CHILD_OK; quiet++) {
		struct pollfd f = { child.fd, child_events(&child), 0 };

		if (poll(&f, 1, 0) > 0) {
			r = child_serve(&child, f.revents);
			quiet = -1;
		}
		if (puppet_play(&puppet))
			quiet = -1;
	}
	return r;
}

void open_it(void)
{
	cr_assert_eq(child_open(&child, &offer), CHILD_OK);
	cr_assert_eq(play(), CHILD_OK);
	cr_assert_eq(child.link, LINK_OPEN);
}

void expect_failure(enum child_result have, enum child_result want,
		    const char *reason)
{
	cr_expect_eq(have, want, "%s instead of %s", child_result_name(have),
		     child_result_name(want));
	cr_expect(strstr(child.why, reason), "\"%s\" lacks \"%s\"", child.why,
		  reason);
}

void tell(enum stage stage)
{
	static const struct command commands[STAGE_COUNT] = {
		[STAGE_CONNECT] = { .kind = CMD_CONNECT,
				    .connect = { SLICE_LIT("h"), 'U', 0,
						 SLICE_EMPTY } },
		[STAGE_HELO] = { .kind = CMD_HELO, .text = SLICE_LIT("h") },
		[STAGE_MAIL] = { .kind = CMD_MAIL,
				 .envelope = { SLICE_LIT("<a>"),
					       SLICE_EMPTY } },
		[STAGE_RCPT] = { .kind = CMD_RCPT,
				 .envelope = { SLICE_LIT("<b>"),
					       SLICE_EMPTY } },
		[STAGE_DATA] = { .kind = CMD_DATA },
		[STAGE_HEADER] = { .kind = CMD_HEADER,
				   .header = { SLICE_LIT("X"),
					       SLICE_LIT("v") } },
		[STAGE_EOH] = { .kind = CMD_EOH },
		[STAGE_BODY] = { .kind = CMD_BODY, .body = SLICE_LIT("b") },
		[STAGE_EOM] = { .kind = CMD_EOM },
		[STAGE_UNKNOWN] = { .kind = CMD_UNKNOWN,
				    .text = SLICE_LIT("XYZ") },
	};

	cr_assert_eq(child_tell(&child, stage, &commands[stage]), CHILD_OK);
	cr_assert_eq(child_flush(&child), CHILD_OK);
}

void expect_answer(const char *want)
{
	struct answer a;
	enum stage stage;
	char have[80];
	enum child_result r = child_answer(&child, &a, &stage);

	if (r == CHILD_OK)
		snprintf(have, sizeof(have), "%s@%s", answer_name(a.kind),
			 milter_stage_name(stage));
	else
		snprintf(have, sizeof(have), "%s", child_result_name(r));
	cr_expect_str_eq(have, want);
}
