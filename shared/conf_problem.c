#include <stdarg.h>
#include <stdio.h>

#include "shared/conf.h"

/* Nobody reads more; a file that is no settings file at all has thousands. */
#define PROBLEMS_SHOWN 100
#define TEXT_MAX       1024

/* Line 0, the file as a whole, comes last. */
static bool is_behind(const struct conf_problem *p, unsigned line)
{
	return line == 0 || (p->line != 0 && p->line <= line);
}

/*
 * The problems of a file stand together, by line, although they are found in
 * several passes.
 */
static void insert(struct conf_problems *p, struct conf_problem *problem)
{
	struct conf_problem **at = p->tail;
	bool seen = false;

	for (struct conf_problem **i = &p->first; *i; i = &(*i)->next) {
		if (strcmp((*i)->file, problem->file) != 0)
			continue;
		if (is_behind(*i, problem->line))
			at = &(*i)->next;
		else if (!seen)
			at = i;
		seen = true;
	}
	problem->next = *at;
	*at = problem;
	if (at == p->tail)
		p->tail = &problem->next;
}

void conf_problem_add(struct conf_problems *p, const char *file, unsigned line,
		      const char *format, ...)
{
	char text[TEXT_MAX];
	struct conf_problem *problem;
	va_list args;

	/* Counted even if it cannot be kept: the settings are refused. */
	p->count++;
	if (p->count > PROBLEMS_SHOWN)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	problem = arena_take(p->arena, sizeof(*problem));
	if (!problem)
		return;
	problem->file = arena_str(p->arena, slice_str(file));
	problem->text = arena_str(p->arena, slice_str(text));
	problem->line = line;
	if (!problem->file || !problem->text)
		return;
	insert(p, problem);
}

void conf_problems_print(const struct conf_problems *p, struct buf *out)
{
	unsigned shown = 0;
	bool room = true;

	for (const struct conf_problem *i = p->first; i && room; i = i->next) {
		if (i->line)
			room = buf_printf(out, "%s:%u: %s\n", i->file, i->line,
					  i->text);
		else
			room = buf_printf(out, "%s: %s\n", i->file, i->text);
		if (room)
			shown++;
	}
	/* Without room for this either there is nothing left to say. */
	if (shown < p->count && !buf_printf(out, "and %u more problems\n",
					    p->count - shown))
		return;
}
