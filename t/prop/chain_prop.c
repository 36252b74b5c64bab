/*
 * chain_prop - property test of the chain
 *
 * For random children and random sessions, what the MTA gets through sekishod
 * and what each child sees must fit the plain sequential model (model.h).
 *
 *   SEKISHOD=path [CASES=n] [SEED=n] chain_prop        many cases
 *   SEKISHOD=path chain_prop --seed N --case N         just this one
 *
 * A failing case must fail at least twice of three times, unless STRICT is
 * set.  TIME_LIMIT bounds the seconds, KEEP_GOING is the number of failures to look
 * for, NO_SHRINK leaves a failing case as it is.  Prints TAP.
 */
#include "t/prop/prop.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"

#define CASES_DEFAULT	2500u
#define SECONDS_DEFAULT 50u
#define SHRINK_LIMIT	(20 * CLOCK_S)
#define AGAIN		5u /* so often a failing case is tried in haste */
#define ARENA_CEILING	((size_t)256 << 20)

struct test {
	const char *program;
	char directory[60];
	struct stage_set *stage;
	unsigned group; /* of the settings on the stage */
	uint64_t seed;
	unsigned played;
	unsigned failures;
	unsigned messages;
	unsigned accepted;
	unsigned edits;
	unsigned watched;
	unsigned once; /* failed once, and not again */
};

static uint64_t number_from(const char *text, uint64_t otherwise)
{
	char *end;
	uint64_t n;

	if (!text || !*text)
		return otherwise;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end || errno)
		die("\"%s\" is not a number", text);
	return n;
}

static void close_stage(struct test *t)
{
	const char *why;

	if (t->stage && !stage_close(&t->stage, &why)) {
		printf("# the end of the sekishod of group %u: %s\n", t->group,
		       why);
		t->failures++;
	}
}

static void open_stage(struct test *t, const struct prop_case *c)
{
	t->group = c->number / CASES_PER_GROUP;
	t->stage = stage_open(c, t->program, t->directory);
}

/* Plays and judges.  NULL: all is well. */
static const char *try_case(struct test *t, struct prop_case *c,
			    struct run *run)
{
	const char *why;

	play(t->stage, c, run);
	why = run->broken ? run->broken : model_check(c, run);
	if (run->broken)
		close_stage(t); /* who knows what state it is in */
	return why;
}

/* -------------------------------------------------------------- shrinking */

/* Does the smaller case still fail?  new_stage: its settings differ. */
static bool still_fails(struct test *t, struct prop_case *c, bool new_stage)
{
	struct arena a;
	struct run *run = calloc(1, sizeof(*run));
	bool fails;

	if (!run)
		die("no memory");
	arena_init(&a, ARENA_CEILING);
	run->arena = &a;
	if (new_stage)
		close_stage(t);
	if (!t->stage)
		open_stage(t, c);
	fails = try_case(t, c, run) != NULL;
	arena_deinit(&a);
	free(run);
	return fails;
}

static bool remove_ops(struct prop_case *c, unsigned message,
		       const char *letters)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->op_count; i++) {
		const struct op *o = &c->ops[i];

		if (o->message != message || !strchr(letters, o->letter))
			c->ops[n++] = *o;
	}
	if (n == c->op_count)
		return false;
	c->op_count = n;
	return true;
}

static bool calm(struct reaction *r)
{
	bool was = r->kind != SMFIR_CONTINUE || r->progress;

	*r = (struct reaction){ .kind = SMFIR_CONTINUE };
	return was;
}

/* The n-th way to make a child's part of the case smaller. */
static bool shrink_kid(struct kid_plan *k, unsigned n)
{
	unsigned m = n / 20;
	struct kid_message *km = &k->messages[m % MESSAGES_MAX];

	if (m >= MESSAGES_MAX) {
		bool had = false;

		if (n - MESSAGES_MAX * 20 < HELOS_MAX)
			return calm(&k->helo[n - MESSAGES_MAX * 20]);
		if (n == MESSAGES_MAX * 20 + 5)
			return calm(&k->connect);
		if (n == MESSAGES_MAX * 20 + 6)
			return calm(&k->unknown);
		if (n == MESSAGES_MAX * 20 + 7)
			return calm(&k->optneg);
		for (unsigned i = 0; i < LIST_COUNT; i++) {
			had |= k->has_list[i];
			k->has_list[i] = false;
		}
		return n == MESSAGES_MAX * 20 + 8 && had;
	}
	switch (n % 20) {
	case 0:
		return calm(&km->mail);
	case 1:
		return calm(&km->data);
	case 2:
		return calm(&km->header);
	case 3:
		return calm(&km->eoh);
	case 4:
		return calm(&km->body);
	case 5:
		return calm(&km->eom);
	case 6:
		if (!km->leaves)
			return false;
		km->leaves = false;
		return true;
	default:
		break;
	}
	if (n % 20 < 7 + RCPTS_MAX)
		return calm(&km->rcpt[n % 20 - 7]);
	m = n % 20 - 7 - RCPTS_MAX;
	if (m >= km->edit_count)
		return false;
	km->edit_count--;
	memmove(&km->edits[m], &km->edits[m + 1],
		(km->edit_count - m) * sizeof(km->edits[0]));
	return true;
}

#define KID_STEPS (MESSAGES_MAX * 20 + 9)

static bool shrink_ops(struct prop_case *c, unsigned n)
{
	if (n < MESSAGES_MAX)
		return remove_ops(c, n, "MRTLNBEAU");
	n -= MESSAGES_MAX;
	if (n < MESSAGES_MAX)
		return remove_ops(c, n, "TLNBE");
	n -= MESSAGES_MAX;
	if (n < MESSAGES_MAX)
		return remove_ops(c, n, "L");
	n -= MESSAGES_MAX;
	if (n >= c->op_count || !strchr("RLBUATHQ", c->ops[n].letter))
		return false;
	c->op_count--;
	memmove(&c->ops[n], &c->ops[n + 1],
		(c->op_count - n) * sizeof(c->ops[0]));
	return true;
}

/* The n-th way to make the case smaller; *settings_out: another sekishod. */
static bool shrink_case(struct prop_case *c, unsigned n, bool *settings_out)
{
	*settings_out = false;
	if (n < KIDS_MAX) {
		if (n >= c->kid_count || c->kid_count == 1)
			return false;
		c->kid_count--;
		memmove(&c->kids[n], &c->kids[n + 1],
			(c->kid_count - n) * sizeof(c->kids[0]));
		*settings_out = true;
		return true;
	}
	n -= KIDS_MAX;
	if (n == 0) {
		bool was = c->shuffled;

		c->shuffled = false;
		return was;
	}
	n--;
	if (n < KID_STEPS * KIDS_MAX) {
		if (n / KID_STEPS >= c->kid_count)
			return false;
		return shrink_kid(&c->kids[n / KID_STEPS], n % KID_STEPS);
	}
	return shrink_ops(c, n - KID_STEPS * KIDS_MAX);
}

/* Crudely: whatever can go without the failure going goes. */
static void shrink(struct test *t, struct prop_case *c)
{
	uint64_t deadline = clock_now() + SHRINK_LIMIT;
	struct prop_case *smaller = malloc(sizeof(*smaller));
	unsigned steps = KIDS_MAX + 1 + KID_STEPS * KIDS_MAX +
			 3 * MESSAGES_MAX + OPS_MAX;
	bool progress = true;
	bool settings;
	bool settings_before = false;

	if (!smaller)
		die("no memory");
	while (progress && clock_now() < deadline) {
		progress = false;
		/* From the back: messages and commands go first. */
		for (unsigned n = steps; n-- > 0 && clock_now() < deadline;) {
			*smaller = *c;
			if (!shrink_case(smaller, n, &settings))
				continue;
			if (still_fails(t, smaller,
					settings || settings_before)) {
				*c = *smaller;
				progress = true;
				settings_before = false;
			} else {
				settings_before = settings;
			}
		}
	}
	if (settings_before)
		close_stage(t);
	free(smaller);
}

/* ---------------------------------------------------------------- telling */

/* The smallest case that still fails, if it does so again. */
static bool tell_smallest(struct test *t, const struct prop_case *c)
{
	struct arena a;
	struct run *run = calloc(1, sizeof(*run));
	struct prop_case *smaller = malloc(sizeof(*smaller));
	const char *why = NULL;

	if (!run || !smaller)
		die("no memory");
	arena_init(&a, ARENA_CEILING);
	run->arena = &a;
	*smaller = *c;
	if (still_fails(t, smaller, false)) {
		shrink(t, smaller);
		if (!t->stage)
			open_stage(t, smaller);
		why = try_case(t, smaller, run);
	}
	if (why) {
		printf("# the smallest case found: %s\n", why);
		report_case(smaller, stdout);
		report_run(smaller, run, stdout);
	}
	arena_deinit(&a);
	free(smaller);
	free(run);
	return why != NULL;
}

static void tell(struct test *t, const struct prop_case *c,
		 const struct run *run, const char *why)
{
	printf("# FAILED seed %" PRIu64 " case %u: %s\n", c->seed, c->number,
	       why);
	printf("# repeat: SEKISHOD=%s t/prop/chain_prop --seed %" PRIu64
	       " --case %u\n",
	       t->program, c->seed, c->number);
	fflush(stdout);
	if (getenv("NO_SHRINK") || !tell_smallest(t, c)) {
		report_case(c, stdout);
		report_run(c, run, stdout);
	}
	fflush(stdout);
	close_stage(t);
}

static void count(struct test *t, const struct run *run)
{
	t->played++;
	t->watched += run->watched;
	for (unsigned i = 0; i < run->exchange_count; i++) {
		const struct exchange *x = &run->exchanges[i];

		if (x->op->letter != SMFIC_BODYEOB)
			continue;
		t->messages++;
		t->accepted += x->answer == SMFIR_CONTINUE;
		t->edits += x->edit_count;
	}
}

/*
 * A child that was not served for some milliseconds hears things later than
 * the model can know.  What is wrong with the program shows every time, or
 * also when the MTA lets everybody settle.
 */
static bool fails_again(struct test *t, struct prop_case *c)
{
	unsigned failed = 0;
	bool fails;

	if (getenv("STRICT"))
		return true;
	play_patiently(true);
	fails = still_fails(t, c, false);
	play_patiently(false);
	while (!fails && failed < AGAIN && still_fails(t, c, false))
		failed++;
	if (fails || failed == AGAIN)
		return true;
	t->once++;
	return false;
}

static void one_case(struct test *t, unsigned number)
{
	struct arena a;
	struct prop_case *c = calloc(1, sizeof(*c));
	struct run *run = calloc(1, sizeof(*run));
	const char *why;

	if (!c || !run)
		die("no memory");
	arena_init(&a, ARENA_CEILING);
	run->arena = &a;
	generate(c, &a, t->seed, number);
	if (t->stage && t->group != number / CASES_PER_GROUP)
		close_stage(t);
	if (!t->stage)
		open_stage(t, c);
	why = try_case(t, c, run);
	count(t, run);
	if (why && !fails_again(t, c)) {
		printf("# case %u did not fail again: %s\n", number,
		       why);
	} else if (why) {
		t->failures++;
		tell(t, c, run, why);
	} else if (getenv("VERBOSE")) {
		report_case(c, stdout);
		report_run(c, run, stdout);
	}
	arena_deinit(&a);
	free(run);
	free(c);
}

int main(int argc, char **argv)
{
	struct test t = { .program = getenv("SEKISHOD") };
	unsigned cases = (unsigned)number_from(getenv("CASES"), CASES_DEFAULT);
	uint64_t deadline = clock_now() +
			    CLOCK_S * number_from(getenv("TIME_LIMIT"),
						  SECONDS_DEFAULT);
	unsigned keep_going = (unsigned)number_from(getenv("KEEP_GOING"), 1);
	unsigned first = 0;
	char spool[80];

	t.seed = number_from(getenv("SEED"), 1);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			t.seed = number_from(argv[i + 1], 1);
		if (strcmp(argv[i], "--case") == 0) {
			first = (unsigned)number_from(argv[i + 1], 0);
			cases = 1;
		}
	}
	if (!t.program)
		die("SEKISHOD is not set");
	signal(SIGPIPE, SIG_IGN);
	snprintf(t.directory, sizeof(t.directory), "/tmp/chain_prop.XXXXXX");
	if (!mkdtemp(t.directory))
		die("%s: %s", t.directory, strerror(errno));
	snprintf(spool, sizeof(spool), "%s/spool", t.directory);
	mkdir(spool, 0700);

	printf("1..1\n# seed %" PRIu64 "\n", t.seed);
	for (unsigned i = first; i < first + cases; i++) {
		if (t.failures >= keep_going || clock_now() > deadline)
			break;
		one_case(&t, i);
	}
	close_stage(&t);
	rmdir(spool);
	unlink(t.directory);
	rmdir(t.directory);
	printf("# %u cases, %u messages to the end, %u accepted, %u edits, "
	       "%u watched in evaluate mode, %u failures, %u not again\n",
	       t.played, t.messages, t.accepted, t.edits, t.watched,
	       t.failures, t.once);
	if (t.once > 1 + t.played / 100) {
		printf("# too many cases failed once\n");
		t.failures++;
	}
	printf("%s 1 - the chain behaves like its model (seed %" PRIu64
	       ", %u cases)\n",
	       t.failures ? "not ok" : "ok", t.seed, t.played);
	return t.failures ? 1 : 0;
}
