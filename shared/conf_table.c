#include "shared/conf_table.h"

#include <stddef.h>
#include <syslog.h>

/* clang-format off */
const struct conf_word conf_section_words[] = {
	{ "server", CONF_SERVER }, { "milter", CONF_MILTER },
	{ "condition", CONF_CONDITION }, { "table", CONF_TABLE },
	{ "rule", CONF_RULE }, { NULL, 0 },
};
const struct conf_word conf_order_words[] = {
	{ "chain", ORDER_CHAIN }, { "free", ORDER_FREE },
	{ "strict", ORDER_STRICT }, { NULL, 0 },
};
const struct conf_word conf_mode_words[] = {
	{ "on", MODE_ON }, { "off", MODE_OFF }, { "evaluate", MODE_EVALUATE },
	{ "percent", MODE_PERCENT }, { NULL, 0 },
};
const struct conf_word conf_policy_words[] = {
	{ "tempfail", POLICY_TEMPFAIL }, { "accept", POLICY_ACCEPT },
	{ "reject", POLICY_REJECT }, { "discard", POLICY_DISCARD },
	{ "quarantine", POLICY_QUARANTINE }, { NULL, 0 },
};
const struct conf_word conf_overload_words[] = {
	{ "tempfail", OVERLOAD_TEMPFAIL }, { "accept", OVERLOAD_ACCEPT },
	{ NULL, 0 },
};
const struct conf_word conf_mta_words[] = {
	{ "postfix", MTA_POSTFIX }, { "sendmail", MTA_SENDMAIL }, { NULL, 0 },
};
static const struct conf_word late_refusal_words[] = {
	{ "verdict", LATE_VERDICT }, { "keep", LATE_KEEP }, { NULL, 0 },
};
static const struct conf_word rcpt_words[] = {
	{ "parallel", false }, { "serial", true }, { NULL, 0 },
};
static const struct conf_word recipients_words[] = {
	{ "any", RECIPIENTS_ANY }, { "all", RECIPIENTS_ALL },
	{ "own", RECIPIENTS_OWN }, { NULL, 0 },
};
static const struct conf_word mixed_words[] = {
	{ "share", MIXED_SHARE }, { "defer", MIXED_DEFER }, { NULL, 0 },
};
static const struct conf_word join_words[] = {
	{ "connect", STAGE_CONNECT }, { "helo", STAGE_HELO },
	{ "mail", STAGE_MAIL }, { "rcpt", STAGE_RCPT }, { "data", STAGE_DATA },
	{ "header", STAGE_HEADER }, { "eoh", STAGE_EOH },
	{ "body", STAGE_BODY }, { "eom", STAGE_EOM }, { NULL, 0 },
};
/* The stages whose macros can be asked for. */
const struct conf_word conf_list_words[] = {
	{ "connect", LIST_CONNECT }, { "helo", LIST_HELO },
	{ "mail", LIST_MAIL }, { "rcpt", LIST_RCPT }, { "data", LIST_DATA },
	{ "eoh", LIST_EOH }, { "eom", LIST_EOM }, { NULL, 0 },
};
static const struct conf_word log_words[] = {
	{ "stderr", LOG_SINK_STDERR }, { "syslog", LOG_SINK_SYSLOG },
	{ "journal", LOG_SINK_JOURNAL }, { "file", LOG_SINK_FILE },
	{ NULL, 0 },
};
static const struct conf_word level_words[] = {
	{ "debug", LOG_LEVEL_DEBUG }, { "info", LOG_LEVEL_INFO },
	{ "warn", LOG_LEVEL_WARN }, { "error", LOG_LEVEL_ERROR }, { NULL, 0 },
};
static const struct conf_word facility_words[] = {
	{ "mail", LOG_MAIL }, { "daemon", LOG_DAEMON }, { "user", LOG_USER },
	{ "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 },
	{ "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 },
	{ "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 }, { NULL, 0 },
};

/* The largest first: printing takes the first that leaves a whole number. */
const struct conf_unit conf_sizes[] = {
	{ "G", UINT64_C(1) << 30 }, { "M", UINT64_C(1) << 20 },
	{ "k", UINT64_C(1) << 10 }, { "", 1 }, { NULL, 0 },
};
const struct conf_unit conf_durations[] = {
	{ "d", UINT64_C(86400000000) }, { "h", UINT64_C(3600000000) },
	{ "m", UINT64_C(60000000) }, { "s", UINT64_C(1000000) },
	{ "ms", UINT64_C(1000) }, { NULL, 0 },
};

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define S   UINT64_C(1000000)	/* microseconds */
#define MS  UINT64_C(1000)
#define H   (3600 * S)

#define ROW_S(KEY, TYPE, WHEN) .section = CONF_SERVER, .key = #KEY, \
	.offset = offsetof(struct conf, KEY), .type = TYPE, .when = WHEN
#define ROW_M(KEY, TYPE, WHEN) .section = CONF_MILTER, .key = #KEY, \
	.offset = offsetof(struct conf_milter, KEY), .type = TYPE, .when = WHEN
#define ROW_N(SECTION, STRUCT, KEY, TYPE) .section = SECTION, .key = #KEY, \
	.offset = offsetof(STRUCT, KEY), .type = TYPE, .when = CONF_AT_RELOAD

static const struct conf_row server_rows[] = {
	{ ROW_S(control, CONF_STATUS, CONF_AT_START), .standard = "",
	  .sample = "unix:/run/sekisho/control.sock mode=0660",
	  .sentence = "Where sekishoctl changes what is in force: unix sockets "
		      "with options owner= group= mode=; empty means nowhere." },
	{ ROW_S(control_group, CONF_STRING, CONF_AT_RELOAD), .standard = "",
	  .sentence = "Members of this group may change things through the "
		      "control socket, besides root and user." },
	{ ROW_S(core_dumps, CONF_BOOL, CONF_AT_START), .standard = "no",
	  .sentence = "May a process that dies leave a core file?  Mail is "
		      "kept out of it, as far as whole pages go." },
	{ ROW_S(drain_timeout, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "60s", .min = 0, .max = 24 * H, .unit = "time",
	  .sentence = "How long sessions may go on when the server was told "
		      "to stop." },
	{ ROW_S(evaluate_grace, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "5s", .min = 0, .max = H, .unit = "time",
	  .sentence = "How long a worker listens to milters in mode evaluate "
		      "after the MTA has its answer, also after QUIT." },
	{ ROW_S(group, CONF_STRING, CONF_AT_START), .standard = "",
	  .sentence = "The group to run as; empty means the user's own." },
	{ ROW_S(headers_max, CONF_UNSIGNED, CONF_AT_RELOAD),
	  .standard = "5000", .min = 100, .max = 1000000, .unit = "headers",
	  .sentence = "A message with more headers is refused." },
	{ ROW_S(headers_size_max, CONF_SIZE, CONF_AT_RELOAD),
	  .standard = "1M", .min = 64 * KIB, .max = GIB, .unit = "bytes",
	  .sentence = "A message whose headers are larger is refused." },
	{ ROW_S(history, CONF_UNSIGNED, CONF_AT_START),
	  .standard = "1000", .min = 10, .max = 100000, .unit = "messages",
	  .sentence = "So many messages can still be asked about with "
		      "\"sekishoctl why\"; each takes 2 KiB." },
	{ ROW_S(listen, CONF_LISTEN, CONF_AT_START),
	  .standard = "inet:10025@127.0.0.1",
	  .sample = "inet:10025@127.0.0.1",
	  .sentence = "Where MTAs connect: addresses separated by commas, each "
		      "with options owner= group= mode= mta=." },
	{ ROW_S(log, CONF_WORD, CONF_AT_RELOAD), .standard = "stderr",
	  .words = log_words,
	  .sentence = "Where log lines go." },
	{ ROW_S(log_file, CONF_PATH, CONF_AT_RELOAD), .standard = "",
	  .sentence = "The file of log = file; SIGUSR1 opens it anew." },
	{ ROW_S(log_level, CONF_WORD, CONF_AT_RELOAD), .standard = "info",
	  .words = level_words,
	  .sentence = "Lines below this level are not written." },
	{ ROW_S(macros_extra, CONF_MACROS, CONF_AT_RELOAD), .standard = "",
	  .sentence = "Macros to ask the MTA for beyond what the milters want: "
		      "STAGE: NAME NAME, STAGE: NAME." },
	{ ROW_S(macros_max, CONF_SIZE, CONF_AT_RELOAD), .standard = "64k",
	  .min = KIB, .max = MIB, .unit = "bytes of a stage",
	  .sentence = "Macros beyond this are dropped, the last first." },
	{ ROW_S(message_deadline, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "240s", .min = S, .max = H, .unit = "time",
	  .sentence = "All waiting for milters from the end of a message to "
		      "its verdict." },
	{ ROW_S(message_max, CONF_SIZE, CONF_AT_RELOAD), .standard = "100M",
	  .min = 64 * KIB, .max = 16 * GIB, .unit = "bytes of body",
	  .sentence = "A larger message is refused." },
	{ ROW_S(message_memory, CONF_SIZE, CONF_AT_RELOAD), .standard = "1M",
	  .min = 16 * KIB, .max = GIB, .unit = "bytes a worker",
	  .sentence = "A body larger than this is kept in a file in "
		      "spool_directory." },
	{ ROW_S(mta_idle_timeout, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "2h", .min = S, .max = 7 * 24 * H, .unit = "time",
	  .sentence = "An MTA that is silent this long between messages is "
		      "taken for gone." },
	{ ROW_S(mta_timeout, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "300s", .min = S, .max = 24 * H, .unit = "time",
	  .sentence = "An MTA that is silent this long inside a message is "
		      "taken for gone." },
	{ ROW_S(on_overload, CONF_WORD, CONF_AT_RELOAD),
	  .standard = "tempfail", .words = conf_overload_words,
	  .sentence = "What mail gets when workers_max are busy and it has "
		      "waited for two seconds: put off, or let through "
		      "unfiltered." },
	{ ROW_S(pid_file, CONF_PATH, CONF_AT_START), .standard = "",
	  .sentence = "Where to write the process id; empty means nowhere." },
	{ ROW_S(progress_interval, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "3s", .min = 100 * MS, .max = 60 * S, .unit = "time",
	  .sentence = "How often the MTA is told that work on a message goes "
		      "on." },
	{ ROW_S(recipients_max, CONF_UNSIGNED, CONF_AT_RELOAD),
	  .standard = "10000", .min = 100, .max = 1000000,
	  .unit = "recipients a message",
	  .sentence = "Further recipients are told to come later." },
	{ ROW_S(sessions_max, CONF_UNSIGNED, CONF_AT_RELOAD),
	  .standard = "1000", .min = 1, .max = 1000000, .unit = "sessions",
	  .sentence = "A worker is replaced after about as many sessions." },
	{ ROW_S(spare_max, CONF_UNSIGNED, CONF_AT_RELOAD), .standard = "32",
	  .min = 1, .max = 20000, .unit = "workers",
	  .sentence = "More idle workers than this are sent away." },
	{ ROW_S(spare_min, CONF_UNSIGNED, CONF_AT_RELOAD), .standard = "4",
	  .min = 1, .max = 20000, .unit = "workers",
	  .sentence = "With fewer idle workers than this more are started." },
	{ ROW_S(spool_directory, CONF_PATH, CONF_AT_RELOAD),
	  .standard = "/var/spool/sekisho",
	  .sentence = "Where large messages are kept while they are checked; "
		      "nothing stays there." },
	{ ROW_S(state_file, CONF_PATH, CONF_AT_RELOAD), .standard = "",
	  .sentence = "Where switches made while running are kept over a "
		      "restart; empty means that they end with the server." },
	{ ROW_S(status, CONF_STATUS, CONF_AT_START), .standard = "",
	  .sample = "unix:/run/sekisho/status.sock mode=0666",
	  .sentence = "Where sekishoctl and monitoring read the numbers: unix "
		      "or inet addresses; empty means nowhere." },
	{ ROW_S(step_deadline, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "8s", .min = 100 * MS, .max = H, .unit = "time",
	  .sentence = "All waiting for milters within one command of an MTA "
		      "that is not known to be Postfix." },
	{ ROW_S(step_deadline_postfix, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "25s", .min = 100 * MS, .max = H, .unit = "time",
	  .sentence = "The same for Postfix, which waits longer." },
	{ ROW_S(syslog_facility, CONF_WORD, CONF_AT_RELOAD),
	  .standard = "mail", .words = facility_words,
	  .sentence = "The facility of log lines that go to syslog." },
	{ ROW_S(test_clock, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "0s", .min = 0, .max = 168 * H, .unit = "time",
	  .sentence = "For tests only: conditions about time and weekday see a "
		      "clock that is ahead by this." },
	{ ROW_S(user, CONF_STRING, CONF_AT_START), .standard = "",
	  .sample = "sekisho",
	  .sentence = "The user to run as when started by root; empty means "
		      "that it stays root." },
	{ ROW_S(workers_max, CONF_UNSIGNED, CONF_AT_START), .standard = "500",
	  .min = 1, .max = 20000, .unit = "workers",
	  .sentence = "So many MTA connections are served at the same time; "
		      "more have to wait." },
	{ ROW_S(workers_min, CONF_UNSIGNED, CONF_AT_RELOAD), .standard = "8",
	  .min = 1, .max = 20000, .unit = "workers",
	  .sentence = "Never fewer workers than this." },
};

static const struct conf_row milter_rows[] = {
	{ ROW_M(breaker_failures, CONF_UNSIGNED, CONF_AT_RELOAD),
	  .standard = "5", .min = 0, .max = 1000, .unit = "failures",
	  .sentence = "After so many failures in a row the milter is left "
		      "alone for breaker_pause and on_failure holds at once; 0 "
		      "means never." },
	{ ROW_M(breaker_pause, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "10s", .min = 10 * MS, .max = H, .unit = "time",
	  .sentence = "How long, before it is tried again." },
	{ ROW_M(connections_max, CONF_UNSIGNED, CONF_AT_RELOAD),
	  .standard = "0", .min = 0, .max = 10000, .unit = "connections",
	  .sentence = "All workers together open no more connections to the "
		      "milter; others wait up to timeout_connect; 0 means no "
		      "limit." },
	{ ROW_M(join, CONF_WORD, CONF_AT_RELOAD), .standard = "connect",
	  .words = join_words,
	  .sentence = "For tests only: the stage at which the milter joins." },
	{ ROW_M(late_refusal, CONF_WORD, CONF_AT_RELOAD),
	  .standard = "verdict", .words = late_refusal_words,
	  .sentence = "A milter that joined late refuses an earlier recipient: "
		      "a verdict on the message, or kept in the log only." },
	{ ROW_M(mixed, CONF_WORD, CONF_AT_RELOAD), .standard = "share",
	  .words = mixed_words,
	  .sentence = "With recipients = own: those whose set of milters "
		      "differs from the first one's share the message, or are "
		      "told to come later in one of their own." },
	{ ROW_M(mode, CONF_SWITCH, CONF_AT_RELOAD), .standard = "on",
	  .words = conf_mode_words,
	  .sentence = "Is the milter asked, and does its word count?  "
		      "\"evaluate\" asks it and only logs the answers; "
		      "\"percent 5\" is on for 5 of 100 client networks and "
		      "evaluate for the others." },
	{ ROW_M(on_failure, CONF_WORD, CONF_AT_RELOAD), .standard = "tempfail",
	  .words = conf_policy_words,
	  .sentence = "What happens to a message when the milter fails." },
	{ ROW_M(order, CONF_WORD, CONF_AT_RELOAD), .standard = "chain",
	  .words = conf_order_words,
	  .sentence = "\"chain\" sees what the milters above left, \"free\" "
		      "the message as it came, \"strict\" is also asked only "
		      "after them." },
	{ .section = CONF_MILTER, .key = "rcpt",
	  .offset = offsetof(struct conf_milter, rcpt_serial),
	  .type = CONF_EITHER, .when = CONF_AT_RELOAD, .standard = "parallel",
	  .words = rcpt_words,
	  .sentence = "\"serial\" shows the milter a recipient only after "
		      "those above let it pass, for milters that count." },
	{ ROW_M(recipients, CONF_WORD, CONF_AT_RELOAD), .standard = "any",
	  .words = recipients_words,
	  .sentence = "Does the milter apply when its condition is true for "
		      "any recipient, for all of them, or is it shown only "
		      "its own?" },
	{ ROW_M(reuse, CONF_BOOL, CONF_AT_RELOAD), .standard = "yes",
	  .sentence = "May a connection to the milter serve one session after "
		      "the other, as libmilter has it?" },
	{ ROW_M(socket, CONF_SOCKETS, CONF_AT_RELOAD),
	  .sample = "unix:/run/opendkim/opendkim.sock",
	  .sentence = "Where the milter listens; several addresses, separated "
		      "by commas, are of the same kind: the least busy is "
		      "asked." },
	{ ROW_M(timeout_command, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "7s", .min = 10 * MS, .max = H, .unit = "time",
	  .sentence = "How long the milter may be silent when it owes an "
		      "answer." },
	{ ROW_M(timeout_connect, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "3s", .min = 10 * MS, .max = H, .unit = "time",
	  .sentence = "How long connecting and negotiating may take." },
	{ ROW_M(timeout_eom, CONF_DURATION, CONF_AT_RELOAD),
	  .standard = "120s", .min = 10 * MS, .max = H, .unit = "time",
	  .sentence = "How long it may be silent at the end of the message." },
	{ .section = CONF_MILTER, .key = "when",
	  .offset = offsetof(struct conf_milter, when_text),
	  .type = CONF_TEXT, .when = CONF_AT_RELOAD, .standard = "",
	  .sentence = "The condition under which the milter is asked, see "
		      "sekisho-conditions(7); empty means always." },
};

static const struct conf_row condition_rows[] = {
	{ ROW_N(CONF_CONDITION, struct conf_condition, is, CONF_TEXT),
	  .sentence = "The expression that the name stands for." },
};

static const struct conf_row table_rows[] = {
	{ ROW_N(CONF_TABLE, struct conf_table, source, CONF_TEXT),
	  .sentence = "Where the table is: inline: with entries, or list:, "
		      "cidr: or regexp: with the path of a file." },
};

static const struct conf_row rule_rows[] = {
	{ ROW_N(CONF_RULE, struct conf_rule, action, CONF_TEXTS),
	  .sentence = "What is done; may be given several times." },
	{ ROW_N(CONF_RULE, struct conf_rule, on_unknown, CONF_TEXT),
	  .standard = "",
	  .sentence = "The action when the condition could not be decided; "
		      "empty means none." },
	{ ROW_N(CONF_RULE, struct conf_rule, when, CONF_TEXT),
	  .sentence = "The condition under which the actions are carried "
		      "out." },
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
_Static_assert(COUNT(server_rows) <= CONF_ROWS_MAX, "conf_places is too small");
_Static_assert(COUNT(milter_rows) <= CONF_ROWS_MAX, "conf_places is too small");

const struct conf_row *conf_rows(enum conf_section section, size_t *count_out)
{
	static const struct {
		const struct conf_row *rows;
		size_t count;
	} sections[CONF_SECTIONS] = {
		[CONF_SERVER] = { server_rows, COUNT(server_rows) },
		[CONF_MILTER] = { milter_rows, COUNT(milter_rows) },
		[CONF_CONDITION] = { condition_rows, COUNT(condition_rows) },
		[CONF_TABLE] = { table_rows, COUNT(table_rows) },
		[CONF_RULE] = { rule_rows, COUNT(rule_rows) },
	};

	*count_out = sections[section].count;
	return sections[section].rows;
}

const char *conf_section_print(enum conf_section section)
{
	static const char *const printed[CONF_SECTIONS] = {
		[CONF_SERVER] = "[server]",
		[CONF_MILTER] = "[milter NAME]",
		[CONF_CONDITION] = "[condition NAME]",
		[CONF_TABLE] = "[table NAME]",
		[CONF_RULE] = "[rule NAME]",
	};

	return printed[section];
}

const struct conf_row *conf_row_find(enum conf_section section,
				     struct slice key)
{
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);

	for (size_t i = 0; i < n; i++)
		if (slice_is_case(key, rows[i].key))
			return &rows[i];
	return NULL;
}

#define WORD_MAX 32 /* longer than any key */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Letters to add, drop, change or swap with their neighbour. */
static unsigned distance(struct slice a, struct slice b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	for (unsigned i = 0; i <= a.len; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= b.len; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		for (size_t j = 1; j <= b.len; j++) {
			bool same = a.data[i - 1] == b.data[j - 1];
			unsigned n = d[i - 1][j - 1] + !same;

			n = least(n, d[i - 1][j] + 1);
			n = least(n, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
			    a.data[i - 2] == b.data[j - 1])
				n = least(n, d[i - 2][j - 2] + 1);
			d[i][j] = n;
		}
	}
	return d[a.len][b.len];
}

const char *conf_nearest(struct slice wrong, const char *const *words, size_t n)
{
	const char *nearest = NULL;
	unsigned best;

	if (wrong.len == 0 || wrong.len > WORD_MAX)
		return NULL;
	/* Further away it is another word and no slip of the finger. */
	best = (unsigned)wrong.len / 3 + 2;
	for (size_t i = 0; i < n; i++) {
		struct slice word = slice_str(words[i]);
		unsigned d;

		if (word.len > WORD_MAX)
			continue;
		d = distance(wrong, word);
		if (d < best) {
			best = d;
			nearest = words[i];
		}
	}
	return nearest;
}

const char *conf_row_nearest(enum conf_section section, struct slice key)
{
	const char *words[CONF_ROWS_MAX];
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);

	for (size_t i = 0; i < n; i++)
		words[i] = rows[i].key;
	return conf_nearest(key, words, n);
}

const char *conf_word_of(const struct conf_word *words, int value)
{
	for (; words->word; words++)
		if (words->value == value)
			return words->word;
	return "?";
}

const char *conf_order_name(enum conf_order order)
{
	return conf_word_of(conf_order_words, (int)order);
}

const char *conf_mode_name(enum conf_mode mode)
{
	return conf_word_of(conf_mode_words, (int)mode);
}

const char *conf_policy_name(enum conf_policy policy)
{
	return conf_word_of(conf_policy_words, (int)policy);
}

const char *conf_recipients_name(enum conf_recipients recipients)
{
	return conf_word_of(recipients_words, (int)recipients);
}

const char *conf_mixed_name(enum conf_mixed mixed)
{
	return conf_word_of(mixed_words, (int)mixed);
}
