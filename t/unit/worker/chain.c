#include "worker/chain.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "t/unit/support/expect_log.h"
#include "t/unit/worker/stand.h"

static struct stand s;

static void begin(void)
{
	stand_init(&s, 3);
	expect_log_begin();
}

static void end(void)
{
	stand_end(&s);
	expect_log_end();
}

TestSuite(chain, .init = begin, .fini = end, .timeout = 30);

/* All three say continue to everything. */
Test(chain, a_message_passes)
{
	stand_begin(&s, MTA_POSTFIX);
	cr_assert(stand_all(&s));
	stand_expect(&s, "continue");
	for (int i = 0; i < 3; i++) {
		puppet_expect(&s.puppets[i], "|OCHhM<s>R<r>TLNBE");
		cr_expect(slice_is(buf_slice(&s.puppets[i].content),
				   "Subject:hi\n\ntext\r\n"));
		cr_expect_eq(s.chain.members[i].state, MEMBER_DONE);
	}
	stand_end_message(&s);
	cr_assert(stand_mail(&s, "<t>"));
	cr_assert(stand_rcpt(&s, "<u>"));
	cr_assert(stand_content(&s));
	for (int i = 0; i < 3; i++)
		puppet_expect(&s.puppets[i], "M<t>R<u>TLNBE");
	stand_end_message(&s);
	chain_end_session(&s.chain);
	for (int i = 0; i < 3; i++) {
		while (puppet_play(&s.puppets[i]))
			continue;
		puppet_expect(&s.puppets[i], "Q");
	}
}
