#include "shared/facts.h"

#include "shared/macro.h"
#include "shared/mime_text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format off */
static const struct fact_row rows[] = {
	/* name, type, arguments, list, first, known from, what */
	[FACT_AUTH_TYPE]       = { "auth_type",       FACT_IS_WORD,     0, false, STAGE_MAIL,    STAGE_MAIL,    "SASL mechanism of the login" },
	[FACT_AUTH_USER]       = { "auth_user",       FACT_IS_TEXT,     0, false, STAGE_MAIL,    STAGE_MAIL,    "login name" },
	[FACT_AUTHENTICATED]   = { "authenticated",   FACT_IS_BOOL,     0, false, STAGE_MAIL,    STAGE_MAIL,    "the client has logged in" },
	[FACT_BODY]            = { "body",            FACT_IS_TEXT,     0, false, STAGE_BODY,    STAGE_EOM,     "text of the body's first 64 KiB, decoded" },
	[FACT_CLIENT_ADDR]     = { "client_addr",     FACT_IS_ADDRESS,  0, false, STAGE_CONNECT, STAGE_CONNECT, "address of the client" },
	[FACT_CLIENT_NAME]     = { "client_name",     FACT_IS_DOMAIN,   0, false, STAGE_CONNECT, STAGE_CONNECT, "name of the client as the MTA found it" },
	[FACT_CLIENT_PORT]     = { "client_port",     FACT_IS_NUMBER,   0, false, STAGE_CONNECT, STAGE_CONNECT, "port the client connected from" },
	[FACT_DAEMON_NAME]     = { "daemon_name",     FACT_IS_TEXT,     0, false, STAGE_CONNECT, STAGE_CONNECT, "name of the MTA's service" },
	[FACT_DECLARED_SIZE]   = { "declared_size",   FACT_IS_SIZE,     0, false, STAGE_MAIL,    STAGE_MAIL,    "SIZE= of MAIL FROM; lacking when not given" },
	[FACT_HEADER]          = { "header",          FACT_IS_TEXT,     1, true,  STAGE_HEADER,  STAGE_EOH,     "values of a header as the MTA sent it" },
	[FACT_HEADER_NOW]      = { "header_now",      FACT_IS_TEXT,     1, true,  STAGE_EOM,     STAGE_EOM,     "values of a header as the milters above left it" },
	[FACT_HELO]            = { "helo",            FACT_IS_DOMAIN,   0, false, STAGE_MAIL,    STAGE_MAIL,    "name in HELO or EHLO" },
	[FACT_LOAD]            = { "load",            FACT_IS_NUMBER,   0, false, STAGE_MAIL,    STAGE_MAIL,    "percent of the workers that are busy" },
	[FACT_MACRO]           = { "macro",           FACT_IS_TEXT,     1, false, STAGE_CONNECT, STAGE_EOM,     "value of a macro of the MTA" },
	[FACT_MILTER]          = { "milter",          FACT_IS_VERDICT,  1, false, STAGE_CONNECT, STAGE_EOM,     "final word of a milter above" },
	[FACT_MILTER_HEADER]   = { "milter_header",   FACT_IS_TEXT,     2, true,  STAGE_CONNECT, STAGE_EOM,     "values of a header that a milter above added" },
	[FACT_QUEUE_ID]        = { "queue_id",        FACT_IS_TEXT,     0, false, STAGE_DATA,    STAGE_DATA,    "queue id of the MTA" },
	[FACT_RECIPIENT]       = { "recipient",       FACT_IS_MAILBOX,  0, true,  STAGE_RCPT,    STAGE_DATA,    "accepted recipients; in a rule at rcpt the one at hand" },
	[FACT_RECIPIENT_COUNT] = { "recipient_count", FACT_IS_NUMBER,   0, false, STAGE_RCPT,    STAGE_DATA,    "number of accepted recipients" },
	[FACT_SCORE]           = { "score",           FACT_IS_NUMBER,   0, false, STAGE_CONNECT, STAGE_EOM,     "sum of what rules gave" },
	[FACT_SENDER]          = { "sender",          FACT_IS_MAILBOX,  0, false, STAGE_MAIL,    STAGE_MAIL,    "envelope sender; empty for bounces" },
	[FACT_SENDER_ARGS]     = { "sender_args",     FACT_IS_WORD,     0, true,  STAGE_MAIL,    STAGE_MAIL,    "ESMTP arguments of MAIL FROM, such as BODY=8BITMIME" },
	[FACT_SENDER_DOMAIN]   = { "sender_domain",   FACT_IS_DOMAIN,   0, false, STAGE_MAIL,    STAGE_MAIL,    "domain of the envelope sender" },
	[FACT_SESSION_AGE]     = { "session_age",     FACT_IS_DURATION, 0, false, STAGE_MAIL,    STAGE_MAIL,    "time from connect to MAIL" },
	[FACT_SESSIONS]        = { "sessions",        FACT_IS_NUMBER,   0, false, STAGE_MAIL,    STAGE_MAIL,    "sessions of all workers" },
	[FACT_SIZE]            = { "size",            FACT_IS_SIZE,     0, false, STAGE_HEADER,  STAGE_EOM,     "size of the message" },
	[FACT_TIME]            = { "time",            FACT_IS_TIME,     0, false, STAGE_MAIL,    STAGE_MAIL,    "time of day on the server" },
	[FACT_TLS_VERSION]     = { "tls_version",     FACT_IS_WORD,     0, false, STAGE_MAIL,    STAGE_MAIL,    "TLS version; empty without TLS" },
	[FACT_WEEKDAY]         = { "weekday",         FACT_IS_WEEKDAY,  0, false, STAGE_MAIL,    STAGE_MAIL,    "day of the week on the server" },
};

static const char *const type_names[] = {
	[FACT_IS_BOOL]     = "yes or no",
	[FACT_IS_NUMBER]   = "a number",
	[FACT_IS_SIZE]     = "a size",
	[FACT_IS_DURATION] = "a duration",
	[FACT_IS_TIME]     = "a time of day",
	[FACT_IS_WEEKDAY]  = "a weekday",
	[FACT_IS_TEXT]     = "text",
	[FACT_IS_WORD]     = "a word",
	[FACT_IS_DOMAIN]   = "a domain name",
	[FACT_IS_MAILBOX]  = "a mail address",
	[FACT_IS_ADDRESS]  = "a network address",
	[FACT_IS_VERDICT]  = "the word of a milter",
};

static const char *const milter_words[] = {
	[FACT_MILTER_OPEN]     = "open",
	[FACT_MILTER_CONTINUE] = "continue",
	[FACT_MILTER_ACCEPT]   = "accept",
	[FACT_MILTER_REJECT]   = "reject",
	[FACT_MILTER_TEMPFAIL] = "tempfail",
	[FACT_MILTER_DISCARD]  = "discard",
	[FACT_MILTER_FAILED]   = "failed",
	[FACT_MILTER_SKIPPED]  = "skipped",
	[FACT_MILTER_NONE]     = "none",
};

/* With which command Postfix and Sendmail send a macro, unless told else. */
static const struct {
	const char *name;
	enum stage stage;
} macro_stages[] = {
	{ "_",                  STAGE_CONNECT },
	{ "j",                  STAGE_CONNECT },
	{ "v",                  STAGE_CONNECT },
	{ "client_addr",        STAGE_CONNECT },
	{ "client_connections", STAGE_CONNECT },
	{ "client_name",        STAGE_CONNECT },
	{ "client_port",        STAGE_CONNECT },
	{ "client_ptr",         STAGE_CONNECT },
	{ "client_resolve",     STAGE_CONNECT },
	{ "daemon_addr",        STAGE_CONNECT },
	{ "daemon_name",        STAGE_CONNECT },
	{ "daemon_port",        STAGE_CONNECT },
	{ "if_addr",            STAGE_CONNECT },
	{ "if_name",            STAGE_CONNECT },
	{ "cert_issuer",        STAGE_HELO },
	{ "cert_subject",       STAGE_HELO },
	{ "cipher",             STAGE_HELO },
	{ "cipher_bits",        STAGE_HELO },
	{ "tls_version",        STAGE_HELO },
	{ "verify",             STAGE_HELO },
	{ "auth_authen",        STAGE_MAIL },
	{ "auth_author",        STAGE_MAIL },
	{ "auth_ssf",           STAGE_MAIL },
	{ "auth_type",          STAGE_MAIL },
	{ "mail_addr",          STAGE_MAIL },
	{ "mail_host",          STAGE_MAIL },
	{ "mail_mailer",        STAGE_MAIL },
	{ "rcpt_addr",          STAGE_RCPT },
	{ "rcpt_host",          STAGE_RCPT },
	{ "rcpt_mailer",        STAGE_RCPT },
	{ "i",                  STAGE_DATA },
};
/* clang-format on */

_Static_assert(COUNT(rows) == FACT_COUNT, "a fact has no row");
_Static_assert(COUNT(type_names) == FACT_TYPE_COUNT, "a type has no name");
_Static_assert(COUNT(milter_words) == FACT_MILTER_COUNT, "no word");

const struct fact_row *facts_row(enum fact fact)
{
	return &rows[fact];
}

enum fact facts_find(struct slice name)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (slice_is_case(name, rows[i].name))
			return (enum fact)i;
	return FACT_COUNT;
}

const char *facts_type_name(enum fact_type type)
{
	return type_names[type];
}

const char *facts_milter_word(enum fact_milter word)
{
	return milter_words[word];
}

enum fact_milter facts_milter_find(struct slice word)
{
	for (size_t i = 0; i < COUNT(milter_words); i++)
		if (i != FACT_MILTER_OPEN &&
		    slice_is_case(word, milter_words[i]))
			return (enum fact_milter)i;
	return FACT_MILTER_COUNT;
}

static struct slice without_braces(struct slice name)
{
	if (name.len >= 2 && name.data[0] == '{' &&
	    name.data[name.len - 1] == '}')
		return slice_of(name.data + 1, name.len - 2);
	return name;
}

enum stage facts_macro_stage(struct slice name)
{
	struct slice bare = without_braces(name);

	for (size_t i = 0; i < COUNT(macro_stages); i++)
		if (slice_is(bare, macro_stages[i].name))
			return macro_stages[i].stage;
	return STAGE_EOM;
}

/* ---- a session ---- */

void facts_init(struct facts *f, bool score_grows)
{
	*f = (struct facts){ .score_grows = score_grows };
}

/* Facts that a new message begins without; helo and the client's stay. */
static bool is_of_message(enum fact fact)
{
	return rows[fact].from >= STAGE_MAIL && fact != FACT_HELO &&
	       fact != FACT_TLS_VERSION;
}

static void forget_message(struct facts *f)
{
	for (size_t i = 0; i < FACT_COUNT; i++)
		if (is_of_message((enum fact)i))
			f->values[i] = (struct fact_value){ .is_set = false };
	for (size_t i = STAGE_MAIL; i < STAGE_COUNT; i++)
		f->macros[i] = SLICE_EMPTY;
	f->values[FACT_SCORE].number = f->session_score;
	memset(f->milters, 0, sizeof(f->milters));
	f->recipients = (struct fact_recipients){ .items = NULL };
	f->sender_args = NULL;
	f->sender_arg_count = 0;
	f->headers = NULL;
	f->message = NULL;
	if (f->reached > STAGE_HELO + 1)
		f->reached = STAGE_HELO + 1;
}

void facts_begin_message(struct facts *f, struct arena *message)
{
	forget_message(f);
	f->message = message;
	f->values[FACT_RECIPIENT_COUNT].is_set = true;
	f->values[FACT_SCORE].is_set = true;
	f->values[FACT_SIZE].is_set = true;
}

void facts_end_message(struct facts *f)
{
	forget_message(f);
}

void facts_reach(struct facts *f, enum stage stage)
{
	if (stage < STAGE_UNKNOWN && f->reached < stage + 1u)
		f->reached = stage + 1u;
}

bool facts_reached(const struct facts *f, enum stage stage)
{
	return f->reached > (unsigned)stage;
}

void facts_set_text(struct facts *f, enum fact fact, struct slice text)
{
	f->values[fact] = (struct fact_value){ .is_set = true, .text = text };
}

static int64_t whole(enum fact fact, uint64_t number)
{
	uint64_t unit = rows[fact].type == FACT_IS_NUMBER ? 1000 : 1;

	return number > INT64_MAX / unit ? INT64_MAX : (int64_t)(number * unit);
}

void facts_set_number(struct facts *f, enum fact fact, uint64_t number)
{
	f->values[fact] = (struct fact_value){ .is_set = true,
					       .number = whole(fact, number) };
}

void facts_set_bool(struct facts *f, enum fact fact, bool yes)
{
	f->values[fact] = (struct fact_value){ .is_set = true, .number = yes };
}

void facts_set_client(struct facts *f, struct slice addr)
{
	facts_set_text(f, FACT_CLIENT_ADDR, addr);
	f->has_ip = ip_parse(addr, &f->ip);
}

void facts_set_day(struct facts *f, unsigned second, unsigned weekday)
{
	f->values[FACT_TIME] =
		(struct fact_value){ .is_set = true, .number = second };
	f->values[FACT_WEEKDAY] =
		(struct fact_value){ .is_set = true, .number = weekday };
}

void facts_set_clock(struct facts *f, time_t now)
{
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return;
	/* A leap second belongs to the last second there is. */
	if (tm.tm_sec > 59)
		tm.tm_sec = 59;
	facts_set_day(
		f, (unsigned)(tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec),
		(unsigned)tm.tm_wday);
}

void facts_set_macros(struct facts *f, enum stage stage, struct slice pairs)
{
	f->macros[stage] = pairs;
}

struct slice facts_address(struct slice written)
{
	struct slice a = slice_trim(written);
	ptrdiff_t colon;

	if (a.len >= 2 && a.data[0] == '<' && a.data[a.len - 1] == '>')
		a = slice_of(a.data + 1, a.len - 2);
	/* A source route, @one,@two:user@domain, says nothing any more. */
	if (a.len && a.data[0] == '@') {
		colon = slice_find(a, ':');
		if (colon >= 0)
			a = slice_from(a, (size_t)colon + 1);
	}
	return a;
}

static struct slice domain_of(struct slice address)
{
	for (size_t i = address.len; i > 0; i--)
		if (address.data[i - 1] == '@')
			return slice_from(address, i);
	return SLICE_EMPTY;
}

static void note_declared_size(struct facts *f, struct slice argument)
{
	uint64_t size;

	if (argument.len > 5 &&
	    slice_is_case(slice_head(argument, 5), "SIZE=") &&
	    slice_to_u64(slice_from(argument, 5), UINT64_MAX, &size))
		facts_set_number(f, FACT_DECLARED_SIZE, size);
}

static size_t count_args(struct slice arguments)
{
	struct slice part;
	size_t n = 0;

	while (slice_split(&arguments, '\0', &part))
		n += part.len > 0;
	return n;
}

bool facts_set_mail(struct facts *f, struct slice address,
		    struct slice arguments)
{
	struct slice sender = facts_address(address);
	size_t n = count_args(arguments);
	struct slice part;

	facts_set_text(f, FACT_SENDER, sender);
	facts_set_text(f, FACT_SENDER_DOMAIN, domain_of(sender));
	f->values[FACT_DECLARED_SIZE].is_set = false;
	f->sender_arg_count = 0;
	if (n == 0)
		return true;
	f->sender_args = arena_take_n(f->message, n, sizeof(*f->sender_args));
	if (!f->sender_args)
		return false;
	while (slice_split(&arguments, '\0', &part)) {
		if (part.len == 0)
			continue;
		f->sender_args[f->sender_arg_count++] = part;
		note_declared_size(f, part);
	}
	return true;
}

bool facts_add_recipient(struct facts *f, struct slice address)
{
	struct fact_recipients *r = &f->recipients;

	if (r->count == r->room) {
		size_t room = r->room ? r->room * 2 : 8;
		struct slice *items =
			arena_take_n(f->message, room, sizeof(*items));

		if (!items)
			return false;
		if (r->count)
			memcpy(items, r->items, r->count * sizeof(*items));
		r->items = items;
		r->room = room;
	}
	r->items[r->count++] = facts_address(address);
	facts_set_number(f, FACT_RECIPIENT_COUNT, r->count);
	return true;
}

void facts_set_headers(struct facts *f, const struct header_list *headers)
{
	f->headers = headers;
}

static void add(int64_t *sum, int64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = n < 0 ? INT64_MIN : INT64_MAX;
}

void facts_add_size(struct facts *f, uint64_t bytes)
{
	add(&f->values[FACT_SIZE].number, whole(FACT_SIZE, bytes));
}

/* The first header of that name, or empty. */
static struct slice header_value(const struct facts *f, const char *name)
{
	const struct header *h = NULL;

	while (f->headers && (h = header_list_next(f->headers, h)))
		if (slice_is_case(h->name, name))
			return h->value;
	return SLICE_EMPTY;
}

bool facts_set_body(struct facts *f, struct slice raw)
{
	struct slice text;

	if (!mime_body_text(f->message, header_value(f, "Content-Type"),
			    header_value(f, "Content-Transfer-Encoding"),
			    slice_head(raw, FACTS_BODY_MAX), FACTS_BODY_MAX,
			    &text))
		return false;
	facts_set_text(f, FACT_BODY, text);
	return true;
}

void facts_add_score(struct facts *f, int64_t thousandths)
{
	f->values[FACT_SCORE].is_set = true;
	if (!f->message)
		add(&f->session_score, thousandths);
	add(&f->values[FACT_SCORE].number, thousandths);
}

void facts_set_milter(struct facts *f, size_t index, enum fact_milter word)
{
	if (index < FACTS_MILTERS_MAX)
		f->milters[index].word = word;
}

bool facts_add_milter_header(struct facts *f, size_t index, struct slice name,
			     struct slice value)
{
	struct fact_header *h;

	if (index >= FACTS_MILTERS_MAX)
		return true;
	h = arena_take(f->message, sizeof(*h));
	if (!h)
		return false;
	*h = (struct fact_header){ name, value, f->milters[index].headers };
	f->milters[index].headers = h;
	return true;
}

/* ---- reading ---- */

bool facts_known(const struct facts *f, enum fact fact)
{
	if (fact == FACT_BODY && f->values[fact].is_set)
		return true;
	return facts_reached(f, rows[fact].from);
}

bool facts_macro(const struct facts *f, struct slice name, enum stage stage,
		 struct slice *value_out)
{
	for (unsigned i = (unsigned)stage + 1; i > 0; i--)
		if (macro_find(f->macros[i - 1], name, value_out))
			return true;
	*value_out = SLICE_EMPTY;
	return false;
}
