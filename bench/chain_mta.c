/*
 * chain_mta - load: an MTA in front of one or several milters, Postfix's way
 *
 *	chain_mta [-c connections] [-n messages] [-p messages per session]
 *		  [-h headers] [-s bytes of a message] [-r recipients]
 *		  [-l seconds] SOCKET...
 *
 * Each command of the envelope goes to the first milter, its answer is
 * awaited, then to the next; the content is replayed to each in turn.  One
 * process per connection, as with smtpd.  Prints one line of name=value:
 * messages per second, latency (from MAIL to the last answer of the end of
 * message) and its own CPU.  Exit status: 0 when every message passed.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/chain_peer.h"
#include "shared/clock.h"

#define PEERS_MAX    16
#define MESSAGES_MAX 1000000

struct setting {
	uint64_t connections;
	uint64_t messages;
	uint64_t per_session;
	uint64_t headers;
	uint64_t size;
	uint64_t recipients;
	uint64_t limit; /* seconds for all of it */
	unsigned peer_count;
	struct endpoint peers[PEERS_MAX];
};

struct message {
	struct command_header *headers;
	uint64_t header_count;
	char *body;
	uint64_t body_size;
};

/* Shared by all processes of a run. */
struct tally {
	_Atomic uint64_t taken;	 /* messages that somebody has begun */
	_Atomic uint64_t passed; /* so many latencies are filled */
	_Atomic uint64_t refused;
	_Atomic uint64_t failed; /* sessions that broke off */
	_Atomic uint64_t cpu;	 /* ns */
	_Atomic uint64_t end;	 /* when the last one was done */
	uint32_t latency[];	 /* us */
};

struct session {
	const struct setting *setting;
	const struct message *message;
	struct tally *tally;
	unsigned open;
	struct peer peers[PEERS_MAX];
};

/* ------------------------------------------------------------ one session */

/* To one after the other, until one refuses.  False: the session is over. */
static bool tell_all(struct session *s, const struct command *command,
		     bool is_connection, bool *refused_out)
{
	*refused_out = false;
	for (unsigned i = 0; i < s->open && !*refused_out; i++) {
		struct peer *p = &s->peers[i];
		enum peer_result r;

		if (p->is_out_connection || p->is_out_message)
			continue;
		r = peer_say(p, command);
		if (r == PEER_FAILED)
			return false;
		if (r == PEER_ACCEPTED && is_connection)
			p->is_out_connection = true;
		else if (r == PEER_ACCEPTED)
			p->is_out_message = true;
		*refused_out = r == PEER_REFUSED;
	}
	return true;
}

static enum peer_result say_body(struct peer *p, struct slice body)
{
	enum peer_result r = PEER_CONTINUE;

	while (body.len && r == PEER_CONTINUE) {
		const struct command command = {
			CMD_BODY,
			{ .body = slice_head(body, MILTER_PAYLOAD_MAX) }
		};

		r = peer_say(p, &command);
		body = slice_from(body, command.body.len);
	}
	return r == PEER_SKIP ? PEER_CONTINUE : r;
}

/* The whole content to one milter, up to its last answer. */
static enum peer_result say_content(struct peer *p, const struct message *m)
{
	static const struct command eoh = { .kind = CMD_EOH };
	static const struct command eom = { .kind = CMD_EOM };
	enum peer_result r = PEER_CONTINUE;

	for (uint64_t i = 0; i < m->header_count && r == PEER_CONTINUE; i++) {
		const struct command command = { CMD_HEADER,
						 { .header = m->headers[i] } };

		r = peer_say(p, &command);
	}
	if (r == PEER_CONTINUE)
		r = peer_say(p, &eoh);
	if (r == PEER_CONTINUE)
		r = say_body(p, slice_of(m->body, m->body_size));
	return r == PEER_CONTINUE ? peer_say(p, &eom) : r;
}

static bool say_content_to_all(struct session *s, bool *refused_out)
{
	for (unsigned i = 0; i < s->open && !*refused_out; i++) {
		struct peer *p = &s->peers[i];
		enum peer_result r;

		if (p->is_out_connection || p->is_out_message)
			continue;
		r = say_content(p, s->message);
		if (r == PEER_FAILED)
			return false;
		*refused_out = r == PEER_REFUSED;
	}
	return true;
}

static bool say_envelope(struct session *s, bool *refused_out)
{
	static const struct command data = { .kind = CMD_DATA };
	const struct command mail = { CMD_MAIL,
				      { .envelope = {
						SLICE_LIT("<anna@example.net>"),
						SLICE_LIT("SIZE=4096\0") } } };

	if (!tell_all(s, &mail, false, refused_out))
		return false;
	for (uint64_t i = 0; i < s->setting->recipients && !*refused_out; i++) {
		char text[64];
		struct command rcpt = { .kind = CMD_RCPT };

		snprintf(text, sizeof(text), "<bert%u@example.org>",
			 (unsigned)i);
		rcpt.envelope.address = slice_str(text);
		if (!tell_all(s, &rcpt, false, refused_out))
			return false;
	}
	return *refused_out || tell_all(s, &data, false, refused_out);
}

static bool one_message(struct session *s)
{
	const uint64_t begin = clock_now();
	bool refused;

	for (unsigned i = 0; i < s->open; i++)
		s->peers[i].is_out_message = false;
	if (!say_envelope(s, &refused))
		return false;
	if (!refused && !say_content_to_all(s, &refused))
		return false;
	if (refused) {
		atomic_fetch_add(&s->tally->refused, 1);
	} else {
		uint64_t n = atomic_fetch_add(&s->tally->passed, 1);

		s->tally->latency[n] = (uint32_t)(clock_now() - begin);
	}
	for (unsigned i = 0; i < s->open; i++)
		if (!peer_abort(&s->peers[i]))
			return false;
	return true;
}

/* Postfix opens one milter, tells it CONNECT, and opens the next. */
static bool begin_session(struct session *s)
{
	const struct command connect = {
		CMD_CONNECT,
		{ .connect = { SLICE_LIT("client.example.net"), '4', 40000,
			       SLICE_LIT("192.0.2.7") } }
	};
	const struct command helo = {
		CMD_HELO, { .text = SLICE_LIT("client.example.net") }
	};
	bool refused;

	while (s->open < s->setting->peer_count) {
		struct peer *p = &s->peers[s->open];
		enum peer_result r;

		s->open++;
		if (!peer_open(p, &s->setting->peers[s->open - 1]))
			return false;
		r = peer_say(p, &connect);
		if (r != PEER_CONTINUE && r != PEER_ACCEPTED)
			return false;
		p->is_out_connection = r == PEER_ACCEPTED;
	}
	return tell_all(s, &helo, true, &refused) && !refused;
}

/* Takes up to per_session messages; false: there are none left to send. */
static bool one_session(struct session *s)
{
	const struct setting *set = s->setting;
	uint64_t first = atomic_fetch_add(&s->tally->taken, set->per_session);
	uint64_t count = set->per_session;
	bool good;

	if (first >= set->messages)
		return false;
	if (count > set->messages - first)
		count = set->messages - first;
	s->open = 0;
	good = begin_session(s);
	for (uint64_t i = 0; i < count && good; i++)
		good = one_message(s);
	if (!good)
		atomic_fetch_add(&s->tally->failed, 1);
	while (s->open)
		peer_close(&s->peers[--s->open]);
	return true;
}

/* ------------------------------------------------------------ many of them */

static uint64_t own_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* The life of a process: waits for the start, sends, notes, goes. */
static void run_connection(const struct setting *set, const struct message *m,
			   struct tally *tally, int start_fd)
{
	static struct session session;
	uint64_t before, end, seen;
	char byte;

	session = (struct session){ set, m, tally, 0, { { 0 } } };
	alarm((unsigned)set->limit);
	while (read(start_fd, &byte, 1) < 0 && errno == EINTR)
		continue;
	before = own_cpu();
	while (one_session(&session))
		continue;
	atomic_fetch_add(&tally->cpu, own_cpu() - before);
	end = clock_now();
	seen = atomic_load(&tally->end);
	while (seen < end &&
	       !atomic_compare_exchange_weak(&tally->end, &seen, end))
		continue;
	_exit(0);
}

/* Starts all, lets them go at once, waits.  False: one did not come back. */
static bool run_all(const struct setting *set, const struct message *m,
		    struct tally *tally, uint64_t *begin_out)
{
	int start[2], status;
	bool good = true;

	if (pipe(start) != 0)
		return false;
	for (uint64_t i = 0; i < set->connections && good; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			close(start[1]);
			run_connection(set, m, tally, start[0]);
		}
		good = pid > 0;
	}
	*begin_out = clock_now();
	close(start[0]);
	close(start[1]);
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			good = false;
	return good;
}

static int compare_latency(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t percentile(const struct tally *tally, uint64_t n, unsigned p)
{
	return n ? tally->latency[(n - 1) * p / 100] : 0;
}

static bool report(const struct setting *set, struct tally *tally,
		   uint64_t begin)
{
	const uint64_t n = tally->passed;
	const double seconds = (double)(tally->end - begin) / 1e6;

	qsort(tally->latency, n, sizeof(tally->latency[0]), compare_latency);
	printf("messages=%lu refused=%lu failed=%lu seconds=%.3f "
	       "rate=%.1f p50_us=%u p95_us=%u p99_us=%u cpu_us=%.1f\n",
	       (unsigned long)n, (unsigned long)tally->refused,
	       (unsigned long)tally->failed, seconds,
	       seconds > 0 ? (double)n / seconds : 0.0,
	       percentile(tally, n, 50), percentile(tally, n, 95),
	       percentile(tally, n, 99),
	       n ? (double)tally->cpu / 1e3 / (double)n : 0.0);
	return n == set->messages;
}

/* --------------------------------------------------------------- to begin */

static void die(const char *what, const char *why)
{
	fprintf(stderr, "chain_mta: %s: %s\n", what, why);
	exit(2);
}

/* Two long headers, as signatures are, the others of about 70 bytes. */
static struct slice header_value(uint64_t i)
{
	static const char text[] =
		"from client.example.net by mx.example.org with ESMTPS id "
		"4FxYz12345z9\n\tfor <bert@example.org>; Sat, 21 Nov 2026 "
		"10:00:00 +0000 (UTC); b=aGVsbG8gd29ybGQgdGhpcyBpcyBub3QgYSBz"
		"aWduYXR1cmUgYnV0IGl0IGlzIGFzIGxvbmc=";

	return slice_of(text, i % 10 == 3 ? sizeof(text) - 1 : 57);
}

static void make_message(const struct setting *set, struct message *message)
{
	static const char line[] = "The quick brown fox jumps over the lazy "
				   "dog, as it does in every body.\r\n";
	uint64_t left = set->size;

	message->header_count = set->headers;
	message->headers =
		calloc(set->headers + 1, sizeof(struct command_header));
	message->body = malloc(set->size + 1);
	if (!message->headers || !message->body)
		die("message", "no memory");
	for (uint64_t i = 0; i < set->headers; i++) {
		struct command_header *h = &message->headers[i];
		uint64_t len;

		h->name = SLICE_LIT("X-Bench-Header");
		h->value = header_value(i);
		len = h->name.len + h->value.len + 4;
		left = left > len ? left - len : 0;
	}
	for (uint64_t i = 0; i < left; i++)
		message->body[i] = line[i % (sizeof(line) - 1)];
	message->body_size = left;
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
	uint64_t n;

	if (!slice_to_u64(slice_str(text), max, &n) || n < min)
		die(text, "not a number that makes sense here");
	return n;
}

static void add_peer(struct setting *set, const char *text)
{
	struct endpoint *e = &set->peers[set->peer_count];
	const char *why;

	if (set->peer_count == PEERS_MAX)
		die(text, "too many milters");
	if (!endpoint_parse(slice_str(text), e, &why) ||
	    !endpoint_resolve(e, false, &why))
		die(text, why);
	set->peer_count++;
}

static void read_options(int argc, char **argv, struct setting *set)
{
	int c;

	while ((c = getopt(argc, argv, "c:n:p:h:s:r:l:")) != -1) {
		switch (c) {
		case 'c':
			set->connections = number(optarg, 1, 1000);
			break;
		case 'n':
			set->messages = number(optarg, 1, MESSAGES_MAX);
			break;
		case 'p':
			set->per_session = number(optarg, 1, MESSAGES_MAX);
			break;
		case 'h':
			set->headers = number(optarg, 0, 1000);
			break;
		case 's':
			set->size = number(optarg, 0, 1 << 28);
			break;
		case 'r':
			set->recipients = number(optarg, 1, 1000);
			break;
		case 'l':
			set->limit = number(optarg, 1, 3600);
			break;
		default:
			exit(2);
		}
	}
	for (; optind < argc; optind++)
		add_peer(set, argv[optind]);
	if (!set->peer_count)
		die("SOCKET", "at least one is needed");
}

int main(int argc, char **argv)
{
	static struct setting set = { .connections = 1,
				      .messages = 100,
				      .per_session = 1,
				      .headers = 20,
				      .size = 4096,
				      .recipients = 2,
				      .limit = 30 };
	struct message message;
	struct tally *tally;
	uint64_t begin = 0;
	bool good;

	signal(SIGPIPE, SIG_IGN);
	read_options(argc, argv, &set);
	make_message(&set, &message);
	tally = mmap(NULL,
		     sizeof(*tally) + set.messages * sizeof(tally->latency[0]),
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		die("memory", "there is none");
	good = run_all(&set, &message, tally, &begin);
	good = report(&set, tally, begin) && good;
	free(message.headers);
	free(message.body);
	return good ? 0 : 1;
}
