#include "tool/mta_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "tool/mta_script.h"
#include "tool/options.h"
#include "tool/script.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

#define EXIT_USAGE 2
#define FILE_MAX   ((size_t)1024 * 1024 * 1024)
/* Repeated options are kept in arrays of this many at most. */
#define LIST_MAX 10000

enum {
	OPT_SOCKET = 1,
	OPT_SCRIPT,
	OPT_FILE,
	OPT_CLIENT,
	OPT_CLIENT_NAME,
	OPT_CLIENT_ADDRESS,
	OPT_CLIENT_PORT,
	OPT_CLIENT_FAMILY,
	OPT_HELO,
	OPT_SENDER,
	OPT_RCPT,
	OPT_REFUSED,
	OPT_MACRO,
	OPT_VERSION_OFFERED,
	OPT_ACTIONS,
	OPT_PROTOCOL,
	OPT_HABITS,
	OPT_CHUNK,
	OPT_REPEAT,
	OPT_SESSIONS,
	OPT_PARALLEL,
	OPT_UNKNOWN,
	OPT_RSET,
	OPT_ABORT_AFTER,
	OPT_HELO_TWICE,
	OPT_PIPELINE,
	OPT_BARE,
	OPT_OUTPUT,
	OPT_JSON,
	OPT_QUIET,
	OPT_TIMEOUT,
	OPT_HELP,
	OPT_VERSION
};

static const struct options_row rows[] = {
	/* clang-format off */
	{ OPT_SOCKET,          "socket",         's', true },
	{ OPT_SCRIPT,          "script",         'c', true },
	{ OPT_FILE,            "file",           'f', true },
	{ OPT_CLIENT,          "client",         0,   true },
	{ OPT_CLIENT_NAME,     "client-name",    0,   true },
	{ OPT_CLIENT_ADDRESS,  "client-address", 0,   true },
	{ OPT_CLIENT_PORT,     "client-port",    0,   true },
	{ OPT_CLIENT_FAMILY,   "client-family",  0,   true },
	{ OPT_HELO,            "helo",           0,   true },
	{ OPT_SENDER,          "sender",         0,   true },
	{ OPT_RCPT,            "rcpt",           'r', true },
	{ OPT_REFUSED,         "refused-rcpt",   0,   true },
	{ OPT_MACRO,           "macro",          'm', true },
	{ OPT_VERSION_OFFERED, "offer-version",  0,   true },
	{ OPT_ACTIONS,         "offer-actions",  0,   true },
	{ OPT_PROTOCOL,        "offer-protocol", 0,   true },
	{ OPT_HABITS,          "habits",         0,   true },
	{ OPT_CHUNK,           "chunk",          0,   true },
	{ OPT_REPEAT,          "repeat",         'n', true },
	{ OPT_SESSIONS,        "sessions",       0,   true },
	{ OPT_PARALLEL,        "parallel",       0,   true },
	{ OPT_UNKNOWN,         "unknown",        0,   true },
	{ OPT_RSET,            "rset",           0,   false },
	{ OPT_ABORT_AFTER,     "abort-after",    0,   true },
	{ OPT_HELO_TWICE,      "helo-twice",     0,   false },
	{ OPT_PIPELINE,        "pipeline",       0,   false },
	{ OPT_BARE,            "bare",           0,   false },
	{ OPT_OUTPUT,          "output",         'o', true },
	{ OPT_JSON,            "json",           'j', false },
	{ OPT_QUIET,           "quiet",          'q', false },
	{ OPT_TIMEOUT,         "timeout",        't', true },
	{ OPT_HELP,            "help",           'h', false },
	{ OPT_VERSION,         "version",        'V', false },
	/* clang-format on */
};

static const char usage[] =
	"usage: sekisho-mta -s SOCKET [options] [FILE.eml ...]\n"
	"       sekisho-mta -s SOCKET [options] -c SCRIPT | -f FILE\n"
	"  --client 'NAME[ADDRESS]' --client-name NAME\n"
	"  --client-address ADDRESS --client-port N --client-family 4|6|L|U\n"
	"  --helo NAME --sender 'ADDRESS [ARG ...]' --bare\n"
	"  -r, --rcpt 'ADDRESS [ARG ...]' --refused-rcpt ADDRESS\n"
	"  -m, --macro STAGE:NAME=VALUE --habits postfix|sendmail\n"
	"  --offer-version N --offer-actions MASK --offer-protocol MASK\n"
	"  -n, --repeat N --sessions N --parallel N --chunk BYTES\n"
	"  --unknown TEXT --rset --abort-after STAGE --helo-twice --pipeline\n"
	"  -o, --output FILE -j, --json -q, --quiet -t, --timeout TIME\n"
	"plays the MTA to a milter; exit status: 0 accept, 10 reject,\n"
	"11 tempfail, 12 discard, 13 quarantine, 20 failure, 2 usage\n";

static const char default_message[] = "From: Sender <sender@example.org>\n"
				      "To: Recipient <rcpt@example.net>\n"
				      "Subject: a test\n"
				      "Date: Thu, 01 Jan 2026 12:00:00 +0000\n"
				      "Message-ID: <test@example.org>\n"
				      "\n"
				      "A test message.\n";

/* What is being read into. */
struct reading {
	struct options options;
	struct arena *arena;
	struct mta_settings *set;
	const char *socket;
	const char *script;
	const char *script_file;
	bool is_bare;
};

static bool complain(const char *what, const char *why)
{
	fprintf(stderr, "sekisho-mta: %s: %s\n", what, why);
	return false;
}

/* SMTP has brackets around addresses; who gives none means them. */
static bool add_brackets(struct reading *r, struct slice *address)
{
	struct slice plain = *address;
	char *to;

	if (slice_starts(plain, "<"))
		return true;
	to = arena_take(r->arena, plain.len + 2);
	if (!to)
		return false;
	to[0] = '<';
	memcpy(to + 1, plain.data, plain.len);
	to[plain.len + 1] = '>';
	*address = slice_of(to, plain.len + 2);
	return true;
}

/* The arguments go out each with its NUL. */
static bool copy_arguments(struct reading *r, struct slice args,
			   struct slice *args_out)
{
	char *to = arena_str(r->arena, args);

	if (!to)
		return false;
	for (size_t i = 0; i < args.len; i++)
		if (to[i] == ' ')
			to[i] = '\0';
	*args_out = slice_of(to, args.len + 1);
	return true;
}

/* "ADDRESS ARG ARG"; brackets are seen to at the end. */
static bool read_address(struct reading *r, const char *text,
			 struct mta_address *address_out)
{
	struct slice rest = slice_str(text), args;
	ptrdiff_t blank = slice_find(rest, ' ');

	*address_out = (struct mta_address){ .address = rest };
	if (blank < 0)
		return true;
	address_out->address = slice_head(rest, (size_t)blank);
	args = slice_trim(slice_from(rest, (size_t)blank));
	return !args.len || copy_arguments(r, args, &address_out->args) ||
	       complain(text, "no memory");
}

static bool add_rcpt(struct reading *r, const char *text, bool is_refused)
{
	struct mta_settings *set = r->set;

	if (set->rcpt_count == LIST_MAX)
		return complain(text, "too many recipients");
	if (!read_address(r, text, &set->rcpts[set->rcpt_count]))
		return false;
	set->rcpts[set->rcpt_count++].is_refused = is_refused;
	return true;
}

static bool read_stage(const char *text, enum stage *stage_out)
{
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		if (strcmp(text, milter_stage_name(s)) == 0) {
			*stage_out = s;
			return true;
		}
	return complain(text, "no such stage");
}

/* STAGE:NAME=VALUE, or NAME=VALUE for wherever a milter asks for it. */
static bool add_macro(struct reading *r, const char *text)
{
	struct mta_macro m = { .stage = STAGE_COUNT };
	struct slice name = slice_str(text);
	ptrdiff_t equal = slice_find(name, '='), colon;
	char stage[16];

	if (equal <= 0 || r->set->macro_count == LIST_MAX)
		return complain(text, "a macro is STAGE:NAME=VALUE");
	m.value = slice_from(name, (size_t)equal + 1);
	name = slice_head(name, (size_t)equal);
	colon = slice_find(name, ':');
	if (colon > 0) {
		snprintf(stage, sizeof(stage), "%.*s",
			 SLICE_ARG(slice_head(name, (size_t)colon)));
		if (!read_stage(stage, &m.stage))
			return false;
		name = slice_from(name, (size_t)colon + 1);
	}
	m.name = name;
	r->set->macros[r->set->macro_count++] = m;
	return true;
}

static bool read_habits(struct reading *r, const char *text)
{
	if (strcmp(text, "postfix") == 0)
		r->set->habits = MTA_POSTFIX;
	else if (strcmp(text, "sendmail") == 0)
		r->set->habits = MTA_SENDMAIL;
	else
		return complain(text, "habits are postfix or sendmail");
	return true;
}

static bool read_family(struct reading *r, const char *text)
{
	if (!strchr("46LU", text[0]) || !text[0] || text[1])
		return complain(text, "a family is 4, 6, L or U");
	r->set->client_family = text[0];
	return true;
}

static bool read_time(struct reading *r, const char *text)
{
	return script_time(slice_str(text), &r->set->timeout) ||
	       complain(text, "not a time (500ms, 10s, 2m)");
}

/* An IPv6 address says so itself. */
static void read_client_address(struct reading *r, const char *text)
{
	r->set->client_address = slice_str(text);
	r->set->client_family = strchr(text, ':') ? '6' : '4';
}

/* NAME[ADDRESS] as Postfix logs it, or a name alone. */
static bool read_client(struct reading *r, const char *text)
{
	struct slice client = slice_str(text);
	ptrdiff_t open = slice_find(client, '[');
	char *address;

	if (open < 0) {
		r->set->client_name = client;
		return true;
	}
	if (client.data[client.len - 1] != ']')
		return complain(text, "a client is NAME[ADDRESS]");
	/* Without a name Postfix and Sendmail send the address in brackets. */
	r->set->client_name = open ? slice_head(client, (size_t)open) : client;
	client = slice_from(client, (size_t)open + 1);
	address = arena_str(r->arena, slice_head(client, client.len - 1));
	if (!address)
		return complain(text, "no memory");
	read_client_address(r, address);
	return true;
}

static bool read_number(struct reading *r, int id, const char *text)
{
	struct mta_settings *set = r->set;
	uint64_t max = UINT32_MAX, n;

	if (id == OPT_CLIENT_PORT)
		max = UINT16_MAX;
	if (id == OPT_CHUNK)
		max = MILTER_PAYLOAD_MAX;
	if (id == OPT_PARALLEL)
		max = 4096;
	if (!options_number(&r->options, text, 0, max, &n))
		return false;
	if (id == OPT_CLIENT_PORT)
		set->client_port = (uint16_t)n;
	else if (id == OPT_VERSION_OFFERED)
		set->offer.version = (uint32_t)n;
	else if (id == OPT_ACTIONS)
		set->offer.actions = (uint32_t)n;
	else if (id == OPT_PROTOCOL)
		set->offer.protocol = (uint32_t)n;
	else if (!n)
		return complain(text, "must be above 0");
	else if (id == OPT_CHUNK)
		set->chunk = n;
	else if (id == OPT_REPEAT)
		set->repeat = (unsigned)n;
	else if (id == OPT_SESSIONS)
		set->sessions = (unsigned)n;
	else
		set->parallel = (unsigned)n;
	return true;
}

static bool add_file(struct reading *r, const char *path)
{
	if (r->set->file_count == LIST_MAX)
		return complain(path, "too many files");
	r->set->files[r->set->file_count++].path = path;
	return true;
}

static bool read_switch(struct reading *r, int id)
{
	struct mta_settings *set = r->set;

	set->is_rset_between |= id == OPT_RSET;
	set->is_helo_twice |= id == OPT_HELO_TWICE;
	set->is_pipelining |= id == OPT_PIPELINE;
	r->is_bare |= id == OPT_BARE;
	set->is_json |= id == OPT_JSON;
	set->is_quiet |= id == OPT_QUIET;
	return true;
}

static bool read_text(struct reading *r, int id, const char *text)
{
	struct mta_settings *set = r->set;

	if (id == OPT_SOCKET)
		r->socket = text;
	else if (id == OPT_SCRIPT)
		r->script = text;
	else if (id == OPT_FILE)
		r->script_file = text;
	else if (id == OPT_CLIENT_NAME)
		set->client_name = slice_str(text);
	else if (id == OPT_CLIENT_ADDRESS)
		read_client_address(r, text);
	else if (id == OPT_HELO)
		set->helo = slice_str(text);
	else if (id == OPT_UNKNOWN)
		set->unknown = slice_str(text);
	else
		set->output = text;
	return true;
}

static bool read_option(struct reading *r, int id, const char *value)
{
	switch (id) {
	case OPTIONS_WRONG:
		return false;
	case OPTIONS_OTHER:
		return add_file(r, value);
	case OPT_CLIENT:
		return read_client(r, value);
	case OPT_CLIENT_FAMILY:
		return read_family(r, value);
	case OPT_SENDER:
		return read_address(r, value, &r->set->sender);
	case OPT_RCPT:
	case OPT_REFUSED:
		return add_rcpt(r, value, id == OPT_REFUSED);
	case OPT_MACRO:
		return add_macro(r, value);
	case OPT_HABITS:
		return read_habits(r, value);
	case OPT_ABORT_AFTER:
		return read_stage(value, &r->set->abort_after);
	case OPT_TIMEOUT:
		return read_time(r, value);
	case OPT_CLIENT_PORT:
	case OPT_VERSION_OFFERED:
	case OPT_ACTIONS:
	case OPT_PROTOCOL:
	case OPT_CHUNK:
	case OPT_REPEAT:
	case OPT_SESSIONS:
	case OPT_PARALLEL:
		return read_number(r, id, value);
	case OPT_RSET:
	case OPT_HELO_TWICE:
	case OPT_PIPELINE:
	case OPT_BARE:
	case OPT_JSON:
	case OPT_QUIET:
		return read_switch(r, id);
	default:
		return read_text(r, id, value);
	}
}

/* --- afterwards --- */

static bool parse_file(struct reading *r, struct mta_file *file,
		       struct slice text)
{
	return eml_parse(r->arena, text, &file->eml) ||
	       complain(file->path, "no memory");
}

/* The text stays: whatever is parsed from it looks into it. */
static bool load_text(struct reading *r, const char *path,
		      struct slice *text_out)
{
	struct buf b;
	bool ok;

	buf_init(&b, FILE_MAX);
	if (!eml_read(path, &b)) {
		buf_deinit(&b);
		return complain(path, strerror(errno));
	}
	ok = arena_copy(r->arena, buf_slice(&b), text_out) ||
	     complain(path, "no memory");
	buf_deinit(&b);
	return ok;
}

static bool load_file(struct reading *r, struct mta_file *file)
{
	struct slice text;

	return load_text(r, file->path, &text) && parse_file(r, file, text);
}

static bool load_script(struct reading *r)
{
	const char *name = r->script_file ? r->script_file : "script";
	struct slice text = slice_str(r->script);
	struct mta_script *script;
	struct script_error error = { 0 };

	if (!r->script && !r->script_file)
		return true;
	if (r->script_file && !load_text(r, r->script_file, &text))
		return false;
	script = arena_take(r->arena, sizeof(*script));
	if (!script)
		return complain(name, "no memory");
	if (!mta_script_parse(r->arena, text, script, &error)) {
		fprintf(stderr, "sekisho-mta: %s:%u:%u: %s\n", name, error.line,
			error.column, error.text);
		return false;
	}
	r->set->script = script;
	return true;
}

static bool load_files(struct reading *r)
{
	if (!r->set->file_count) {
		r->set->files[r->set->file_count++].path = "";
		return parse_file(r, &r->set->files[0],
				  slice_str(default_message));
	}
	for (size_t i = 0; i < r->set->file_count; i++)
		if (!load_file(r, &r->set->files[i]))
			return false;
	return true;
}

static bool find_socket(struct reading *r)
{
	struct endpoint *e = &r->set->endpoint;
	const char *why = "";

	if (!r->socket) {
		fputs(usage, stderr);
		return false;
	}
	return (endpoint_parse(slice_str(r->socket), e, &why) &&
		endpoint_resolve(e, false, &why)) ||
	       complain(r->socket, why);
}

/* Both MTAs offer the same today; older versions know fewer bits (2.4). */
static void finish_offer(struct option *offer)
{
	if (offer->protocol != UINT32_MAX)
		return;
	if (offer->version >= 6)
		offer->protocol = 0x1fffff;
	else if (offer->version >= 4)
		offer->protocol = 0x37f;
	else
		offer->protocol = offer->version == 3 ? 0x17f : 0x7f;
}

static bool set_defaults(struct arena *arena, struct mta_settings *set)
{
	*set = (struct mta_settings){
		.habits = MTA_POSTFIX,
		.offer = { .version = MILTER_VERSION,
			   .actions = SMFIF_ALL,
			   .protocol = UINT32_MAX },
		.timeout = 30 * CLOCK_S,
		.chunk = MILTER_PAYLOAD_MAX,
		.client_name = SLICE_LIT("client.example.org"),
		.client_address = SLICE_LIT("192.0.2.1"),
		.client_family = '4',
		.client_port = 34567,
		.helo = SLICE_LIT("client.example.org"),
		.sender = { .address = SLICE_LIT("<sender@example.org>") },
		.repeat = 1,
		.sessions = 1,
		.parallel = 1,
		.abort_after = STAGE_COUNT,
		.lock_fd = -1,
	};
	set->rcpts = arena_take_n(arena, LIST_MAX, sizeof(*set->rcpts));
	set->macros = arena_take_n(arena, LIST_MAX, sizeof(*set->macros));
	set->files = arena_take_n(arena, LIST_MAX, sizeof(*set->files));
	return set->rcpts && set->macros && set->files;
}

/* Sendmail writes "IPv6:" in front of such an address. */
static bool spell_client(struct reading *r)
{
	struct slice *address = &r->set->client_address;
	struct buf b;
	bool ok;

	if (r->set->habits != MTA_SENDMAIL || r->set->client_family != '6' ||
	    slice_starts(*address, "IPv6:"))
		return true;
	buf_init(&b, 4096);
	ok = buf_add(&b, SLICE_LIT("IPv6:")) && buf_add(&b, *address) &&
	     arena_copy(r->arena, buf_slice(&b), address);
	buf_deinit(&b);
	return ok || complain("client", "address too long");
}

static bool finish(struct reading *r)
{
	struct mta_settings *set = r->set;

	if (!set->rcpt_count && !add_rcpt(r, "<rcpt@example.net>", false))
		return false;
	for (size_t i = 0; i < set->rcpt_count && !r->is_bare; i++)
		if (!add_brackets(r, &set->rcpts[i].address))
			return complain("recipients", "no memory");
	if (!r->is_bare && !add_brackets(r, &set->sender.address))
		return complain("sender", "no memory");
	finish_offer(&set->offer);
	return spell_client(r) && find_socket(r) && load_files(r) &&
	       load_script(r);
}

int mta_options_read(char **argv, struct arena *arena,
		     struct mta_settings *set_out)
{
	struct reading r = { .options = { .program = "sekisho-mta",
					  .rows = rows,
					  .row_count = sizeof(rows) /
						       sizeof(rows[0]),
					  .args = argv + 1 },
			     .arena = arena,
			     .set = set_out };
	const char *value;
	int id;

	if (!set_defaults(arena, set_out)) {
		complain("settings", "no memory");
		return EXIT_USAGE;
	}
	while ((id = options_next(&r.options, &value)) != OPTIONS_END) {
		if (id == OPT_HELP) {
			fputs(usage, stdout);
			return 0;
		}
		if (id == OPT_VERSION) {
			puts("sekisho-mta " PACKAGE_VERSION);
			return 0;
		}
		if (!read_option(&r, id, value))
			return EXIT_USAGE;
	}
	return finish(&r) ? -1 : EXIT_USAGE;
}
