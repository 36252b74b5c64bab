/*
 * load_tally - what a load saw: counts and times, shared by its processes
 *
 * One piece of shared memory made before the processes are; each adds to it
 * as it goes.  Times are kept in buckets of at most 1.6 % width, so that the
 * memory does not grow with the load.  load_tally_new() answers NULL when
 * there is no memory; nothing else fails.
 */
#ifndef BENCH_LOAD_TALLY_H
#define BENCH_LOAD_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* 64 to a power of two, from 1 microsecond to 268 s. */
#define LOAD_BUCKETS 1536

/* What an SMTP client waits for; with several milters all of them together. */
enum load_step {
	LOAD_CONNECT, /* open, negotiate, CONNECT */
	LOAD_HELO,
	LOAD_MAIL,
	LOAD_RCPT, /* each recipient */
	LOAD_DATA,
	LOAD_CONTENT, /* first header to the last answer of the end */
	LOAD_MESSAGE, /* MAIL to the last answer of the end */
	LOAD_SESSION, /* all of a session */
	LOAD_STEPS
};

struct load_times {
	_Atomic uint64_t count;
	_Atomic uint64_t max;
	_Atomic uint64_t buckets[LOAD_BUCKETS];
};

struct load_tally {
	_Atomic uint64_t taken; /* sessions that somebody has begun */
	_Atomic uint64_t passed;
	_Atomic uint64_t refused;
	_Atomic uint64_t failed; /* sessions that broke off */
	_Atomic uint64_t held;	 /* sessions that stand open */
	_Atomic uint64_t cpu;	 /* ns of the processes, their start left out */
	_Atomic uint64_t end;	 /* when the last one was done */
	struct load_times steps[LOAD_STEPS];
};

struct load_tally *load_tally_new(void);
/* A step took from `begin` until now. */
void load_note(struct load_tally *t, enum load_step step, uint64_t begin);
/* Raises *word to at least n. */
void load_raise(_Atomic uint64_t *word, uint64_t n);
/* One line of name=value; seconds is how long the load ran. */
void load_tally_print(const struct load_tally *t, double seconds);

#endif
