#include "shared/cond_match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* A matcher that holds more than this after a match begins anew. */
#define KEEP_MAX ((size_t)64 * 1024)
/* $0 and nine groups can be asked for. */
#define GROUPS 10

struct cond_regex {
	pcre2_code *code;
};

struct cond_matcher {
	pcre2_general_context *memory;
	pcre2_match_context *limits;
	pcre2_match_data *data;
	size_t held; /* bytes that libpcre2 has from us */
	struct slice subject;
	int groups; /* of the last match; 0: none matched */
};

/* ---- compiling: all memory is the arena's ---- */

static void *take(size_t size, void *arena)
{
	return arena_take(arena, size);
}

static void leave(void *p, void *arena)
{
	(void)p;
	(void)arena;
}

static uint32_t options_of(unsigned flags)
{
	/* \C could cut a character in two, and we have no use for it. */
	uint32_t o = PCRE2_NEVER_BACKSLASH_C;

	/* clang-format off */
	if (flags & REGEX_CASELESS)   o |= PCRE2_CASELESS;
	if (flags & REGEX_MULTILINE)  o |= PCRE2_MULTILINE;
	if (flags & REGEX_DOTALL)     o |= PCRE2_DOTALL;
	if (flags & REGEX_EXTENDED)   o |= PCRE2_EXTENDED;
	if (flags & REGEX_UTF)        o |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
	else                          o |= PCRE2_NEVER_UTF;
	if (flags & REGEX_ANCHORED)   o |= PCRE2_ANCHORED;
	if (flags & REGEX_DOLLAR_END) o |= PCRE2_DOLLAR_ENDONLY;
	if (flags & REGEX_UNGREEDY)   o |= PCRE2_UNGREEDY;
	/* clang-format on */
	return o;
}

static void say(struct cond_regex_problem *p, size_t offset, const char *text)
{
	p->offset = offset;
	snprintf(p->text, sizeof(p->text), "%s", text);
}

static pcre2_code *compile(struct arena *arena, struct slice pattern,
			   unsigned flags, struct cond_regex_problem *p)
{
	pcre2_general_context *memory =
		pcre2_general_context_create(take, leave, arena);
	pcre2_compile_context *context =
		memory ? pcre2_compile_context_create(memory) : NULL;
	pcre2_code *code;
	PCRE2_SIZE offset = 0;
	int error = 0;

	if (!context) {
		say(p, 0, "no memory");
		return NULL;
	}
	pcre2_set_parens_nest_limit(context, 100);
	code = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len,
			     options_of(flags), &error, &offset, context);
	if (!code) {
		say(p, offset, "not understood");
		pcre2_get_error_message(error, (PCRE2_UCHAR *)p->text,
					sizeof(p->text));
	}
	return code;
}

const struct cond_regex *
cond_regex_compile(struct arena *arena, struct slice pattern, unsigned flags,
		   struct cond_regex_problem *problem_out)
{
	struct cond_regex *regex;

	if (pattern.len > COND_REGEX_MAX) {
		say(problem_out, COND_REGEX_MAX, "longer than 4096 bytes");
		return NULL;
	}
	if (pattern.len == 0)
		pattern = SLICE_EMPTY;
	regex = arena_take(arena, sizeof(*regex));
	if (!regex) {
		say(problem_out, 0, "no memory");
		return NULL;
	}
	regex->code = compile(arena, pattern, flags, problem_out);
	return regex->code ? regex : NULL;
}

/* ---- matching: memory is counted, so that little of it is kept ---- */

struct block {
	_Alignas(max_align_t) size_t size;
};

static void *count_take(size_t size, void *data)
{
	struct cond_matcher *m = data;
	struct block *b;

	if (size > SIZE_MAX - sizeof(*b))
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	b->size = size;
	m->held += size;
	return b + 1;
}

static void count_leave(void *p, void *data)
{
	struct cond_matcher *m = data;
	struct block *b = p;

	if (!b)
		return;
	b--;
	m->held -= b->size;
	free(b);
}

struct cond_matcher *cond_matcher_new(void)
{
	return calloc(1, sizeof(struct cond_matcher));
}

/* Not before it is needed: many a worker never matches anything. */
static bool get_ready(struct cond_matcher *m)
{
	if (m->data)
		return true;
	if (!m->memory)
		m->memory = pcre2_general_context_create(count_take,
							 count_leave, m);
	if (m->memory && !m->limits)
		m->limits = pcre2_match_context_create(m->memory);
	if (!m->limits)
		return false;
	pcre2_set_match_limit(m->limits, COND_MATCH_LIMIT);
	pcre2_set_depth_limit(m->limits, COND_MATCH_LIMIT);
	pcre2_set_heap_limit(m->limits, COND_MATCH_HEAP);
	m->data = pcre2_match_data_create(GROUPS, m->memory);
	return m->data != NULL;
}

void cond_matcher_free(struct cond_matcher **m)
{
	if (!*m)
		return;
	pcre2_match_data_free((*m)->data);
	pcre2_match_context_free((*m)->limits);
	pcre2_general_context_free((*m)->memory);
	free(*m);
	*m = NULL;
}

/*
 * libpcre2 keeps the frames of its deepest match for the next one; a hostile
 * value must not make every worker megabytes larger for good.  The groups
 * are copied over, they may still be asked for.
 */
static void shrink(struct cond_matcher *m)
{
	pcre2_match_data *fresh;
	size_t bytes = sizeof(PCRE2_SIZE) * 2 * GROUPS;

	if (m->held <= KEEP_MAX)
		return;
	fresh = pcre2_match_data_create(GROUPS, m->memory);
	if (!fresh)
		return;
	memcpy(pcre2_get_ovector_pointer(fresh),
	       pcre2_get_ovector_pointer(m->data), bytes);
	pcre2_match_data_free(m->data);
	m->data = fresh;
}

enum tri cond_match(const struct cond_regex *regex, struct cond_matcher *m,
		    struct slice subject)
{
	int rc;

	if (subject.len == 0)
		subject = SLICE_EMPTY;
	m->groups = 0;
	if (!get_ready(m))
		return TRI_UNKNOWN;
	m->subject = subject;
	rc = pcre2_match(regex->code, (PCRE2_SPTR)subject.data, subject.len, 0,
			 0, m->data, m->limits);
	/* 0: it matched, with more groups than can be asked for. */
	m->groups = rc == 0 ? GROUPS : rc < 0 ? 0 : rc;
	shrink(m);
	if (rc == PCRE2_ERROR_NOMATCH)
		return TRI_FALSE;
	return rc >= 0 ? TRI_TRUE : TRI_UNKNOWN;
}

struct slice cond_matcher_group(const struct cond_matcher *m, unsigned n)
{
	const PCRE2_SIZE *at;

	if (m->groups <= 0 || n >= (unsigned)m->groups)
		return SLICE_EMPTY;
	at = pcre2_get_ovector_pointer(m->data) + (size_t)2 * n;
	if (at[0] == PCRE2_UNSET || at[1] < at[0] || at[1] > m->subject.len)
		return SLICE_EMPTY;
	return slice_of(m->subject.data + at[0], at[1] - at[0]);
}
