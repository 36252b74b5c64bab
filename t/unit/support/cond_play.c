#include "t/unit/support/cond_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct cond_named conditions[] = {
	{ SLICE_LIT("s25r_like"),
	  SLICE_LIT("client_name !~ /^mx/i or client_name = unknown") },
	{ SLICE_LIT("night"), SLICE_LIT("time in 20:00-06:00") },
	{ SLICE_LIT("deep"), SLICE_LIT("night and (not s25r_like)") },
	{ SLICE_LIT("loops"), SLICE_LIT("night or round") },
	{ SLICE_LIT("round"), SLICE_LIT("loops") },
	{ SLICE_LIT("broken"), SLICE_LIT("night and sendr = x") },
};

static const struct slice milters[] = {
	SLICE_LIT("opendkim"),
	SLICE_LIT("spamass"),
	SLICE_LIT("clamav"),
	SLICE_LIT("below"),
};

static void fail(void *context, const char *file, unsigned line,
		 const char *text)
{
	(void)context;
	fprintf(stderr, "cond_play: %s:%u: %s\n", file, line, text);
	abort();
}

static struct table *open_table(struct cond_play *p, const char *name,
				const char *kind, const char *text)
{
	struct table_report report = { fail, NULL };
	char path[] = "/tmp/cond_play.XXXXXX", source[64];
	int fd = mkstemp(path);
	struct table *t;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
	snprintf(source, sizeof(source), "%s:%s", kind, path);
	t = table_open(&p->settings, slice_str(name), slice_str(source),
		       &report);
	unlink(path);
	return t;
}

void cond_play_open(struct cond_play *p)
{
	struct table_report report = { fail, NULL };

	memset(p, 0, sizeof(*p));
	arena_init(&p->settings, (size_t)64 << 20);
	arena_init(&p->message, (size_t)64 << 20);
	arena_init(&p->scratch, (size_t)64 << 20);
	p->tables[0] = open_table(p, "domains", "list",
				  ".example.com partner\n"
				  "boss@example.net vip\n"
				  "mx.example.org own\n"
				  "postmaster@\n");
	p->tables[1] = open_table(p, "nets", "cidr",
				  "192.0.2.0/24 test\n!192.0.2.99\n"
				  "2001:db8::/32 test6\n");
	p->tables[2] = open_table(p, "patterns", "regexp",
				  "/^mx([0-9]*)\\./ mx$1\n/viagra/ spam\n");
	p->tables[3] = table_open(&p->settings, SLICE_LIT("words"),
				  SLICE_LIT("inline: one, two, bob"), &report);
	p->names = (struct cond_names){
		.conditions = conditions,
		.condition_count = sizeof(conditions) / sizeof(conditions[0]),
		.tables = p->tables,
		.table_count = 4,
		.milters = milters,
		.milter_count = 4,
		.milters_above = 3,
		.until = STAGE_EOM,
	};
	p->matcher = cond_matcher_new();
	if (!p->matcher)
		abort();
}

void cond_play_close(struct cond_play *p)
{
	for (size_t i = 0; i < 4; i++)
		table_close(&p->tables[i]);
	cond_matcher_free(&p->matcher);
	arena_deinit(&p->settings);
	arena_deinit(&p->message);
	arena_deinit(&p->scratch);
}

const struct cond *cond_play_parse(struct cond_play *p, const char *text)
{
	memset(&p->problem, 0, sizeof(p->problem));
	return cond_parse(&p->settings, slice_str(text), &p->names,
			  &p->problem);
}

void cond_play_begin(struct cond_play *p)
{
	arena_reset(&p->message);
	arena_reset(&p->scratch);
	facts_init(&p->facts, true);
	p->has_headers_now = false;
}

static void header(struct header_list *l, const char *name, const char *value)
{
	if (!header_list_append(l, slice_str(name), slice_str(value)))
		abort();
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void play_mail(struct cond_play *p)
{
	struct facts *f = &p->facts;

	facts_begin_message(f, &p->message);
	must(header_list_init(&p->headers, &p->message, MTA_POSTFIX));
	must(header_list_init(&p->headers_now, &p->message, MTA_POSTFIX));
	facts_set_headers(f, &p->headers);
	facts_set_macros(f, STAGE_MAIL, SLICE_LIT("{auth_authen}\0bob\0"));
	must(facts_set_mail(f, SLICE_LIT("<Bob@Example.COM>"),
			    SLICE_LIT("SIZE=5000\0BODY=8BITMIME\0")));
	facts_set_bool(f, FACT_AUTHENTICATED, true);
	facts_set_text(f, FACT_AUTH_USER, SLICE_LIT("bob"));
	facts_set_text(f, FACT_AUTH_TYPE, SLICE_LIT("PLAIN"));
	facts_set_text(f, FACT_TLS_VERSION, SLICE_LIT("TLSv1.3"));
	facts_set_day(f, 21 * 3600 + 30 * 60, 6);
	facts_set_number(f, FACT_LOAD, 80);
	facts_set_number(f, FACT_SESSIONS, 12);
	facts_set_number(f, FACT_SESSION_AGE, 45);
	facts_add_score(f, 3000);
	facts_set_milter(f, 0, FACT_MILTER_ACCEPT);
}

static void play_headers(struct cond_play *p)
{
	header(&p->headers, "Received", "by mail.example.net");
	header(&p->headers, "Subject",
	       "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= and\n\tViagra");
	header(&p->headers, "X-Spam-Score", "7.3 (+++++++)");
	header(&p->headers, "X-Dup", "one");
	header(&p->headers, "X-Dup", "three");
	facts_add_size(&p->facts, 300);
}

static void play_eom(struct cond_play *p)
{
	struct facts *f = &p->facts;

	must(facts_set_body(f, SLICE_LIT("Buy\r\ncheap Viagra now\r\n")));
	facts_add_score(f, 3500);
	must(facts_add_milter_header(f, 1, SLICE_LIT("X-Virus"),
				     SLICE_LIT("found Eicar")));
	facts_set_milter(f, 1, FACT_MILTER_REJECT);
	header(&p->headers_now, "Subject", "changed");
	header(&p->headers_now, "Authentication-Results",
	       "mail.example.net;\n\tspf=fail smtp.mailfrom=example.com");
	p->has_headers_now = true;
}

void cond_play_stage(struct cond_play *p, enum stage stage)
{
	struct facts *f = &p->facts;

	switch (stage) {
	case STAGE_CONNECT:
		facts_set_client(f, SLICE_LIT("192.0.2.7"));
		facts_set_text(f, FACT_CLIENT_NAME,
			       SLICE_LIT("mx.Example.ORG"));
		facts_set_number(f, FACT_CLIENT_PORT, 4711);
		facts_set_text(f, FACT_DAEMON_NAME, SLICE_LIT("smtpd"));
		facts_set_macros(f, STAGE_CONNECT,
				 SLICE_LIT("j\0mail.example.net\0{x_own}\0"
					   "1\0"));
		break;
	case STAGE_HELO:
		facts_set_text(f, FACT_HELO, SLICE_LIT("mx.example.org"));
		facts_set_macros(f, STAGE_HELO,
				 SLICE_LIT("{tls_version}\0TLSv1.3\0"));
		break;
	case STAGE_MAIL:
		play_mail(p);
		break;
	case STAGE_RCPT:
		must(facts_add_recipient(f, SLICE_LIT("<boss@Example.net>")));
		must(facts_add_recipient(f, SLICE_LIT("list@sub.example.com")));
		facts_set_macros(f, STAGE_RCPT,
				 SLICE_LIT("{rcpt_host}\0sub.example.com\0"));
		break;
	case STAGE_DATA:
		facts_set_text(f, FACT_QUEUE_ID, SLICE_LIT("4FxYz1"));
		facts_set_macros(f, STAGE_DATA, SLICE_LIT("i\0004FxYz1\0"));
		break;
	case STAGE_HEADER:
		play_headers(p);
		/* More may come: the stage is at hand, not passed. */
		return;
	case STAGE_BODY:
		facts_add_size(f, 2000);
		return;
	case STAGE_EOM:
		play_eom(p);
		break;
	case STAGE_EOH:
	case STAGE_UNKNOWN:
	case STAGE_COUNT:
		break;
	}
	/* While recipients come, none of them was the last. */
	if (stage != STAGE_RCPT)
		facts_reach(f, stage);
}

struct cond_run cond_play_run(struct cond_play *p)
{
	return (struct cond_run){
		.scratch = &p->scratch,
		.matcher = p->matcher,
		.headers_now = p->has_headers_now ? &p->headers_now : NULL,
	};
}

void cond_play_answers(struct cond_play *p, const struct cond *c,
		       char answers_out[16])
{
	struct cond_memo *memos = calloc(cond_memos(c) + 1, sizeof(*memos));
	size_t i;

	if (!memos)
		abort();
	cond_play_begin(p);
	for (i = 0; i < COND_PLAY_STAGES; i++) {
		struct cond_run fresh, run;
		enum tri r;

		if (i == STAGE_MAIL)
			memset(memos, 0, cond_memos(c) * sizeof(*memos));
		cond_play_stage(p, (enum stage)i);
		run = fresh = cond_play_run(p);
		run.memos = memos;
		r = cond_eval(c, &p->facts, &run);
		if (r != cond_eval(c, &p->facts, &fresh)) {
			snprintf(answers_out, 16, "disagrees");
			free(memos);
			return;
		}
		answers_out[i] = "FT?"[r];
	}
	answers_out[i] = '\0';
	free(memos);
}
