#include "shared/rule.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/conf.h"
#include "shared/milter_answer.h"

/*
 * One made-up session is played before the rules of each case, and what they
 * come to is written down run by run: "mail: fired x, macro {y}=z".  A run
 * behind the milters of its stage has a + behind the stage.
 */

/* ---- the session ---- */

struct play {
	struct arena settings, session, message, scratch;
	const struct conf *conf;
	struct facts facts;
	struct rule_state state;
	struct cond_run cond;
	struct header_list headers;
	bool ended;
	struct buf trace;
};

#define MILTERS                                  \
	"[milter a]\nsocket = unix:/a\n"         \
	"[milter b]\nsocket = unix:/b\n"         \
	"[table friends]\nsource = inline: example.net\n" \
	"[table ours]\nsource = inline: ann@example.org\n"

static void say(struct play *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void say(struct play *p, const char *format, ...)
{
	char text[2000];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cr_assert(buf_add(&p->trace, slice_str(text)));
}

static void say_notes(struct play *p, const char *what,
		      const struct rule_note *n)
{
	for (; n; n = n->next)
		say(p, ", %s %.*s%s%.*s", what, SLICE_ARG(n->rule->name),
		    n->text.len ? ": " : "", SLICE_ARG(n->text));
}

static void say_effects(struct play *p, const struct rule_effects *e)
{
	say_notes(p, "fired", e->fired);
	say_notes(p, "unknown", e->unknown);
	if (e->skip)
		say(p, ", skip %llx", (unsigned long long)e->skip);
	for (const struct rule_macro *m = e->macros; m; m = m->next)
		say(p, ", macro %.*s%s=%.*s", SLICE_ARG(m->name),
		    m->if_missing ? "?" : "", SLICE_ARG(m->value));
	for (const struct rule_header *h = e->headers; h; h = h->next)
		say(p, ", header %.*s: %.*s", SLICE_ARG(h->name),
		    SLICE_ARG(h->value));
	say_notes(p, "quarantine", e->quarantine);
	if (e->score)
		say(p, ", score %lld", (long long)e->score);
	say_notes(p, "log", e->logs);
	if (e->has_verdict)
		say(p, ", %s by %.*s%s%.*s", rule_action_name(e->verdict),
		    SLICE_ARG(e->by->name), e->reply.len ? " " : "",
		    SLICE_ARG(e->reply));
}

/* True: a verdict. */
static bool run(struct play *p, enum stage stage, bool behind)
{
	struct rule_run r = { .stage = stage,
			      .behind_milters = behind,
			      .arena = stage < STAGE_MAIL ? &p->session :
							    &p->message,
			      .cond = &p->cond };
	struct rule_effects e;
	size_t before;

	if (p->ended)
		return true;
	arena_reset(&p->scratch);
	say(p, "%s%s:", milter_stage_name(stage), behind ? "+" : "");
	before = buf_len(&p->trace);
	cr_assert(rules_run(p->conf->rules, &p->facts, &p->state, &r, &e));
	say_effects(p, &e);
	if (e.has_verdict && e.reply.len)
		cr_expect(answer_reply_ok(e.reply), "%.*s",
			  SLICE_ARG(e.reply));
	if (buf_len(&p->trace) == before) /* nothing happened: nothing said */
		buf_cut(&p->trace,
			before - strlen(milter_stage_name(stage)) -
				(behind ? 2 : 1));
	else
		say(p, "\n");
	return e.has_verdict;
}

static void step(struct play *p, enum stage stage)
{
	facts_reach(&p->facts, stage);
	if (run(p, stage, false) || run(p, stage, true))
		p->ended = true;
}

static void begin(struct play *p, const char *rules)
{
	struct conf_problems problems;
	static char text[65536];
	struct buf words;

	*p = (struct play){ .ended = false };
	arena_init(&p->settings, 16u << 20);
	arena_init(&p->session, 1u << 20);
	arena_init(&p->message, 4u << 20);
	arena_init(&p->scratch, 1u << 20);
	buf_init(&p->trace, 1u << 20);
	buf_init(&words, 1u << 16);
	snprintf(text, sizeof(text), "%s%s", MILTERS, rules);
	p->conf = conf_read_text(&p->settings, "t.conf", slice_str(text),
				 &problems);
	conf_problems_print(&problems, &words);
	cr_assert_not_null(p->conf, "%s\n%.*s", text,
			   SLICE_ARG(buf_slice(&words)));
	buf_deinit(&words);
	p->cond.scratch = &p->scratch;
	p->cond.matcher = cond_matcher_new();
	cr_assert_not_null(p->cond.matcher);
	facts_init(&p->facts, rules_score_grows(p->conf->rules));
	cr_assert(rule_state_init(&p->state, p->conf->rules, &p->session));
}

static void play_connection(struct play *p)
{
	static const char macros[] = "v\0Postfix 3.7\0j\0mail.example.org\0"
				     "{daemon_addr}\0" "198.51.100.1";

	facts_set_text(&p->facts, FACT_CLIENT_NAME, SLICE_LIT("mx.example.net"));
	facts_set_client(&p->facts, SLICE_LIT("192.0.2.7"));
	facts_set_macros(&p->facts, STAGE_CONNECT,
			 slice_of(macros, sizeof(macros)));
	step(p, STAGE_CONNECT);
	facts_set_text(&p->facts, FACT_HELO, SLICE_LIT("mx.example.net"));
	rule_state_begin_helo(&p->state, p->conf->rules);
	step(p, STAGE_HELO);
}

static void play_recipient(struct play *p, const char *address)
{
	struct slice at_hand = facts_address(slice_str(address));

	if (p->ended)
		return;
	facts_reach(&p->facts, STAGE_RCPT);
	p->cond.recipient = &at_hand;
	if (!run(p, STAGE_RCPT, false) && !run(p, STAGE_RCPT, true))
		cr_assert(facts_add_recipient(&p->facts, slice_str(address)));
	p->cond.recipient = NULL;
}

static void play_envelope(struct play *p, const char *sender)
{
	arena_reset(&p->message);
	facts_begin_message(&p->facts, &p->message);
	rule_state_begin_message(&p->state, p->conf->rules);
	cr_assert(facts_set_mail(&p->facts, slice_str(sender),
				 slice_of("SIZE=5000", 10)));
	facts_set_bool(&p->facts, FACT_AUTHENTICATED, false);
	facts_set_number(&p->facts, FACT_LOAD, 80);
	facts_set_number(&p->facts, FACT_SESSIONS, 12);
	facts_set_day(&p->facts, 3 * 3600, 1);
	facts_reach(&p->facts, STAGE_MAIL);
	if (!p->ended && run(p, STAGE_MAIL, false))
		p->ended = true;
	/* Milter a has its final word here. */
	facts_set_milter(&p->facts, 0, FACT_MILTER_ACCEPT);
	if (!p->ended && run(p, STAGE_MAIL, true))
		p->ended = true;
	play_recipient(p, "<ann@example.org>");
	play_recipient(p, "<joe@example.org>");
	facts_set_text(&p->facts, FACT_QUEUE_ID, SLICE_LIT("4Fx"));
	step(p, STAGE_DATA);
}

static void play_content(struct play *p)
{
	cr_assert(header_list_init(&p->headers, &p->message, MTA_POSTFIX));
	facts_set_headers(&p->facts, &p->headers);
	cr_assert(header_list_append(&p->headers, SLICE_LIT("Subject"),
				     SLICE_LIT("100% off\n\t\001now")));
	facts_add_size(&p->facts, 30);
	step(p, STAGE_HEADER);
	step(p, STAGE_EOH);
	cr_assert(facts_set_body(&p->facts, SLICE_LIT("buy it\r\n")));
	facts_add_size(&p->facts, 8);
	step(p, STAGE_BODY);
	facts_reach(&p->facts, STAGE_EOM);
	if (!p->ended && run(p, STAGE_EOM, false))
		p->ended = true;
	facts_set_milter(&p->facts, 1, FACT_MILTER_CONTINUE);
	p->cond.headers_now = &p->headers;
	if (!p->ended && run(p, STAGE_EOM, true))
		p->ended = true;
	p->cond.headers_now = NULL;
}

static void end(struct play *p)
{
	cond_matcher_free(&p->cond.matcher);
	conf_close(p->conf);
	buf_deinit(&p->trace);
	arena_deinit(&p->scratch);
	arena_deinit(&p->message);
	arena_deinit(&p->session);
	arena_deinit(&p->settings);
}

static void expect(struct play *p, const char *rules, const char *wanted)
{
	cr_assert(buf_add_byte(&p->trace, '\0'));
	cr_expect_str_eq(p->trace.data, wanted, "%s\ngot:\n%s\nwanted:\n%s",
			 rules, p->trace.data, wanted);
}

#define RULE(NAME, WHEN, ACTIONS) \
	"[rule " NAME "]\nwhen = " WHEN "\n" ACTIONS "\n"
#define DO(ACTION) "action = " ACTION "\n"

/* clang-format off */
static const struct {
	const char *rules, *wanted;
} cases[] = {
	/* ---- when ---- */
	{ RULE("x", "false", DO("reject")), "" },
	{ RULE("x", "true", DO("log yes")), "connect:, fired x, log x: yes\n" },
	{ RULE("x", "client_name ~ /^mx/", DO("log {client_name}")),
	  "connect:, fired x, log x: mx.example.net\n" },
	{ RULE("x", "helo ~ /^mx/", DO("log {helo}")),
	  "mail:, fired x, log x: mx.example.net\n" },
	{ RULE("x", "header(\"Subject\") ~ /off/", DO("log got it")),
	  "header:, fired x, log x: got it\n" },
	{ RULE("x", "not header(\"X-None\")", DO("log got it")),
	  "eoh:, fired x, log x: got it\n" },
	{ RULE("x", "body ~ /buy/", DO("log {size}")),
	  "body:, fired x, log x: 38\n" },
	{ RULE("x", "size < 1k", DO("log small")),
	  "eom:, fired x, log x: small\n" },
	{ RULE("x", "size > 20", DO("log early")),
	  "header:, fired x, log x: early\n" },
	/* ---- behind the milters ---- */
	{ RULE("x", "milter(a) = accept", DO("log {milter(a)}")),
	  "mail+:, fired x, log x: accept\n" },
	{ RULE("x", "milter(b) = continue", DO("log {milter(\"b\")}")),
	  "eom+:, fired x, log x: continue\n" },
	{ RULE("x", "milter(b) = reject", DO("log no")), "" },
	/* One that nobody asked has no word: that is not a failure. */
	{ RULE("x", "milter(c) = reject", DO("log no") "on_unknown = log odd\n")
	  "[milter c]\nsocket = unix:/c\n", "" },
	{ RULE("x", "header_now(Subject)", DO("log now")),
	  "eom+:, fired x, log x: now\n" },
	{ RULE("x", "milter(a) = accept and recipient = ann@example.org",
	       DO("log ann")), "rcpt:, fired x, log x: ann\n" },
	/* ---- verdicts ---- */
	{ RULE("x", "true", DO("accept")) RULE("y", "true", DO("log no")),
	  "connect:, fired x, accept by x\n" },
	{ RULE("y", "true", DO("log first")) RULE("x", "true", DO("reject")),
	  "connect:, fired y, fired x, log y: first, reject by x 550 5.7.1 "
	  "message refused\n" },
	{ RULE("x", "true", DO("reject") DO("log why")),
	  "connect:, fired x, log x: why, reject by x 550 5.7.1 message "
	  "refused\n" },
	{ RULE("x", "true", DO("tempfail")),
	  "connect:, fired x, tempfail by x 451 4.7.1 try again later\n" },
	{ RULE("x", "true", DO("reject 554 no {client_addr}")),
	  "connect:, fired x, reject by x 554 5.7.1 no 192.0.2.7\n" },
	{ RULE("x", "true", DO("reject 5.1.1 nobody")),
	  "connect:, fired x, reject by x 550 5.1.1 nobody\n" },
	{ RULE("x", "true", DO("tempfail 421 4.3.2 50% full")),
	  "connect:, fired x, tempfail by x 421 4.3.2 50%% full\n" },
	{ RULE("x", "sender", DO("reject {sender} is not wanted")),
	  "mail:, fired x, reject by x 550 5.7.1 bob@example.net is not "
	  "wanted\n" },
	{ RULE("x", "true", DO("reject \"552 5.3.4 too; large\"")),
	  "connect:, fired x, reject by x 552 5.3.4 too; large\n" },
	{ RULE("x", "header(Subject)", DO("reject {header(\"Subject\")}")),
	  "header:, fired x, reject by x 550 5.7.1 100%% off ?now\n" },
	{ RULE("x", "sender", DO("reject {auth_user}")),
	  "mail:, fired x, reject by x 550 5.7.1 refused\n" },
	{ RULE("x", "sender", DO("discard")), "mail:, fired x, discard by x\n" },
	/* ---- what is about a message waits for one ---- */
	{ RULE("x", "true", DO("discard")), "connect:, fired x\nmail:, discard by x\n" },
	{ RULE("x", "true", DO("quarantine look") DO("header X: {client_addr}")
			    DO("log l")),
	  "connect:, fired x, log x: l\n"
	  "mail:, header X: 192.0.2.7, quarantine x: look\n" },
	{ RULE("x", "sender", DO("quarantine")),
	  "mail:, fired x, quarantine x: rule x\n" },
	/* ---- recipients ---- */
	{ RULE("x", "recipient = joe@example.org", DO("reject no {recipient}")),
	  "rcpt:, fired x, reject by x 550 5.7.1 no joe@example.org\n" },
	{ RULE("x", "recipient ~ /@/", DO("log to {recipient}")),
	  "rcpt:, fired x, log x: to ann@example.org\n"
	  "rcpt:, fired x, log x: to joe@example.org\n" },
	{ RULE("x", "recipient in ours", DO("macro {ours}=yes")),
	  "rcpt:, fired x, macro {ours}=yes\n" },
	{ RULE("x", "not recipient in ours", DO("reject")),
	  "rcpt:, fired x, reject by x 550 5.7.1 message refused\n" },
	{ RULE("x", "recipient_count = 2", DO("log {recipient_count}")),
	  "data:, fired x, log x: 2\n" },
	{ RULE("x", "recipient in ours and header(Subject)", DO("log both")),
	  "header:, fired x, log x: both\n" },
	/* ---- macros ---- */
	{ RULE("x", "true", DO("macro {a}=1") DO("macro {a}?=2") DO("macro z = 3")),
	  "connect:, fired x, macro {a}=1, macro {a}?=2, macro z=3\n" },
	{ RULE("x", "true", DO("macro j?=other") DO("macro j=mine")),
	  "connect:, fired x, macro j=mine\n" },
	{ RULE("x", "true", DO("macro {e}?={macro(none)}") DO("macro {f}=")),
	  "connect:, fired x, macro {f}=\n" },
	{ RULE("x", "true", DO("macro {d}={macro(\"{daemon_addr}\")}")),
	  "connect:, fired x, macro {d}=198.51.100.1\n" },
	/* ---- points ---- */
	{ RULE("x", "sender in friends or true", DO("score 2.5"))
	  RULE("y", "helo ~ /mx/", DO("score 2.5"))
	  RULE("z", "score >= 5", DO("quarantine score {score}")),
	  "connect:, fired x, score 2500\n"
	  "mail:, fired y, fired z, quarantine z: score 5, score 2500\n" },
	{ RULE("z", "score >= 2", DO("log {score}"))
	  RULE("x", "sender", DO("score 2.25")),
	  "mail:, fired x, score 2250\nmail+:, fired z, log z: 2.25\n" },
	/* Points may be taken away: the sum is known at the end only. */
	{ RULE("x", "sender", DO("score 5")) RULE("y", "sender", DO("score -1"))
	  RULE("z", "score >= 4", DO("log {score}")),
	  "mail:, fired x, fired y, score 4000\neom:, fired z, log z: 4\n" },
	/* ---- skip ---- */
	{ RULE("x", "sender_domain in friends", DO("skip b")),
	  "mail:, fired x, skip 2\n" },
	{ RULE("x", "true", DO("skip a, B")), "connect:, fired x, skip 3\n" },
	/* ---- texts ---- */
	{ RULE("x", "sender", DO("log {{{time} {weekday} {load} {authenticated} "
				 "{declared_size} {sessions}}")),
	  "mail:, fired x, log x: {03:00:00 mon 80 no 5000 12}\n" },
	{ RULE("x", "sender", DO("log {sender_args} 100%")),
	  "mail:, fired x, log x: SIZE=5000 100%\n" },
	/* ---- unknown ---- */
	{ RULE("x", "client_name ~ /^(.+)+(.+)+(.+)+(.+)+(.+)+(.+)+[QZ]$/", DO("reject")),
	  "connect:, unknown x\n" },
	{ RULE("x", "client_name ~ /^(.+)+(.+)+(.+)+(.+)+(.+)+(.+)+[QZ]$/",
	       DO("reject") "on_unknown = tempfail not now\n"),
	  "connect:, unknown x, tempfail by x 451 4.7.1 not now\n" },
	{ RULE("x", "client_name ~ /^(.+)+(.+)+(.+)+(.+)+(.+)+(.+)+[QZ]$/",
	       DO("reject") "on_unknown = quarantine\n"),
	  "connect:, unknown x\nmail:, quarantine x: rule x\n" },
	{ RULE("x", "client_name ~ /^(.+)+(.+)+(.+)+(.+)+(.+)+(.+)+[QZ]$/ and "
		    "milter(b) = continue", DO("accept") "on_unknown = log odd\n"),
	  "eom+:, unknown x, log x: odd\n" },
	/* ---- built in ---- */
	{ "[rule trust]\n", "" },
	{ "[rule trust]\n[table trusted_domains]\nsource = inline:example.net\n",
	  "mail:, fired trust, macro {trusted_domain}=yes\n" },
	{ "[rule stress]\n", "mail:, fired stress, macro {stress}=yes\n" },
	{ "[rule stress]\nwhen = load > 90\n", "" },
	{ "[rule stress]\n[condition stress]\nis = sessions >= 12\n",
	  "mail:, fired stress, macro {stress}=yes\n" },
	{ "[rule sendmail_compatible]\n",
	  "connect:, fired sendmail_compatible, "
	  "macro {if_addr}?=198.51.100.1, macro {if_name}?=mail.example.org, "
	  "macro i?=NOQUEUE\n" },
};
/* clang-format on */

Test(rule, fires_when_and_as_it_should)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p;

		begin(&p, cases[i].rules);
		play_connection(&p);
		if (!p.ended)
			play_envelope(&p, "<bob@example.net>");
		if (!p.ended)
			play_content(&p);
		expect(&p, cases[i].rules, cases[i].wanted);
		end(&p);
	}
}

Test(rule, begins_anew_with_each_message)
{
	struct play p;
	static const char rules[] =
		RULE("c", "client_addr", DO("header X: {sender}") DO("score 1")
					 DO("macro {c}=1"))
		RULE("m", "sender = bob@example.net", DO("log {score}"));

	begin(&p, rules);
	play_connection(&p);
	play_envelope(&p, "<bob@example.net>");
	play_envelope(&p, "<eve@example.com>");
	play_envelope(&p, "<bob@example.net>");
	expect(&p, rules,
	       "connect:, fired c, macro {c}=1, score 1000\n"
	       "mail:, fired m, header X: bob@example.net, log m: 1\n"
	       "mail:, header X: eve@example.com\n"
	       "mail:, fired m, header X: bob@example.net, log m: 1\n");
	end(&p);
}

Test(rule, fires_again_at_a_new_helo)
{
	struct play p;
	static const char rules[] = RULE("x", "macro(\"{tls_version}\", helo) = x",
					 DO("log x"))
		RULE("y", "true", DO("log y"));

	begin(&p, rules);
	play_connection(&p);
	rule_state_begin_helo(&p.state, p.conf->rules);
	step(&p, STAGE_HELO);
	expect(&p, rules, "connect:, fired y, log y: y\n");
	end(&p);
}

Test(rule, keeps_every_text_short_and_on_one_line)
{
	struct play p;
	static const char rules[] =
		RULE("x", "sender", DO("reject {sender} {sender}"));
	char sender[600];
	struct rule_run r = { .stage = STAGE_MAIL };
	struct rule_effects e;

	begin(&p, rules);
	facts_reach(&p.facts, STAGE_HELO);
	memset(sender, '%', sizeof(sender));
	memcpy(sender, "<a\r\nb", 5);
	sender[sizeof(sender) - 2] = '>';
	sender[sizeof(sender) - 1] = '\0';
	facts_begin_message(&p.facts, &p.message);
	cr_assert(facts_set_mail(&p.facts, slice_str(sender), SLICE_EMPTY));
	facts_reach(&p.facts, STAGE_MAIL);
	r.arena = &p.message;
	r.cond = &p.cond;
	cr_assert(rules_run(p.conf->rules, &p.facts, &p.state, &r, &e));
	cr_assert(e.has_verdict);
	cr_expect(slice_starts(e.reply, "550 5.7.1 a  b%%%%"));
	cr_expect_leq(e.reply.len, strlen("550 5.7.1 ") + RULE_TEXT_MAX);
	cr_expect_geq(e.reply.len, strlen("550 5.7.1 ") + RULE_TEXT_MAX - 1);
	cr_expect(answer_reply_ok(e.reply), "%.*s", SLICE_ARG(e.reply));
	end(&p);
}

/* ---- what rules want ---- */

static void collect(void *context, struct slice name, enum stage stage)
{
	struct buf *b = context;

	cr_assert(buf_printf(b, "%.*s@%s ", SLICE_ARG(name),
			     milter_stage_name(stage)));
}

Test(rule, tells_what_it_looks_at_and_does)
{
	struct play p;
	struct buf macros;

	begin(&p, RULE("x", "macro(\"{tls_version}\") = x or milter(b) = reject",
		       DO("macro {y}={macro(\"{if_name}\")}")
		       DO("score -1") "on_unknown = log {macro(i)}\n")
		  RULE("y", "sender", DO("header X: {queue_id}")));
	buf_init(&macros, 4096);
	rules_each_macro(p.conf->rules, collect, &macros);
	cr_assert(buf_add_byte(&macros, '\0'));
	cr_expect_str_eq(macros.data,
			 "{tls_version}@helo {if_name}@connect i@data ");
	buf_deinit(&macros);
	cr_expect_eq(rules_count(p.conf->rules), 2);
	cr_expect(slice_is(rules_at(p.conf->rules, 1)->name, "y"));
	cr_expect_eq(rules_milters(p.conf->rules), 2);
	cr_expect_not(rules_score_grows(p.conf->rules));
	cr_expect(rules_use(p.conf->rules, FACT_QUEUE_ID));
	cr_expect(rules_use(p.conf->rules, FACT_MILTER));
	cr_expect_not(rules_use(p.conf->rules, FACT_BODY));
	cr_expect(rules_do(p.conf->rules, RULE_HEADER));
	cr_expect(rules_do(p.conf->rules, RULE_LOG));
	cr_expect_not(rules_do(p.conf->rules, RULE_REJECT));
	end(&p);
}

/* ---- settings that are wrong ---- */

/* clang-format off */
static const struct {
	const char *action;
	unsigned column;
	const char *why;
} wrong[] = {
	{ "rejct", 10, "\"rejct\" is no action: accept, reject, tempfail, "
		       "discard, quarantine, skip, macro, header, score, log" },
	{ "accept it", 17, "nothing may stand behind accept" },
	{ "discard x", 18, "nothing may stand behind discard" },
	{ "reject 450 no", 17, "reject takes a code from 500 to 599" },
	{ "tempfail 550", 19, "tempfail takes a code from 400 to 499" },
	{ "reject 550 4.7.1 x", 21, "the enhanced code has to begin with 5, as "
				    "the code does" },
	{ "reject {sendr}", 18, "there is no fact \"sendr\"; a brace that means "
				"itself is written twice: {{" },
	{ "reject {sender", 17, "the brace is never closed; one that means "
				"itself is written twice: {{" },
	{ "log {header}", 15, "header needs a name in parentheses" },
	{ "log {sender(x)}", 15, "sender takes nothing in parentheses" },
	{ "log {header()}", 15, "header needs a name in parentheses" },
	{ "log {macro(x}", 15, "the closing \")\" is missing" },
	{ "log {body}", 15, "body cannot stand in a text" },
	{ "log {milter(zz)}", 15, "there is no milter \"zz\"" },
	{ "log", 13, "log needs a text" },
	{ "skip", 14, "skip needs the name of a milter" },
	{ "skip a zz", 17, "there is no milter \"zz\"" },
	{ "macro x", 16, "write macro {name}=value" },
	{ "macro xy=1", 16, "\"xy\" is no macro name: one letter, or {name} in "
			    "braces" },
	{ "header X", 17, "write header Name: value" },
	{ "header X Y: z", 17, "\"X Y\" is not the name of a header" },
	{ "header X:", 19, "the header has no value" },
	{ "score", 15, "score needs a number such as 5 or -2.5, up to a million "
		       "and with three places at most" },
	{ "score 1.2345", 16, "score needs a number such as 5 or -2.5, up to a "
			      "million and with three places at most" },
	{ "score 5 x", 16, "score needs a number such as 5 or -2.5, up to a "
			   "million and with three places at most" },
	{ "score 1000001", 16, "score needs a number such as 5 or -2.5, up to a "
			       "million and with three places at most" },
};
/* clang-format on */

Test(rule, refuses_what_is_no_action)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct arena arena;
		struct conf_problems problems;
		char text[1000], wanted[400];

		arena_init(&arena, 16u << 20);
		snprintf(text, sizeof(text),
			 MILTERS "[rule r]\nwhen = true\naction = %s\n",
			 wrong[i].action);
		snprintf(wanted, sizeof(wanted), "\"action\" in [rule r]: %s",
			 wrong[i].why);
		cr_expect_null(conf_read_text(&arena, "t.conf", slice_str(text),
					      &problems),
			       "%s", wrong[i].action);
		cr_expect_eq(problems.count, 1, "%s", wrong[i].action);
		if (problems.first) {
			cr_expect_str_eq(problems.first->text, wanted);
			cr_expect_eq(problems.first->line, 11);
			cr_expect_eq(problems.first->column, wrong[i].column,
				     "%s: %u", wrong[i].action,
				     problems.first->column);
		}
		arena_deinit(&arena);
	}
}

/* Wherever memory ends, the run fails and nothing worse happens. */
Test(rule, fails_without_memory)
{
	static const char rules[] = RULE("x", "true", DO("macro {a}=b")
		DO("log {client_addr}") DO("reject no"));
	bool ok = false;

	for (size_t ceiling = 0; !ok; ceiling += 4096) {
		struct play p;
		struct rule_run r = { .stage = STAGE_CONNECT };
		struct rule_effects e;
		struct arena small;

		begin(&p, rules);
		facts_reach(&p.facts, STAGE_CONNECT);
		arena_init(&small, ceiling);
		r.arena = &small;
		r.cond = &p.cond;
		ok = rules_run(p.conf->rules, &p.facts, &p.state, &r, &e);
		cr_expect_eq(ok, !arena_failed(&small));
		arena_deinit(&small);
		end(&p);
		cr_assert_lt(ceiling, 1u << 20);
	}
}
