#include <stdarg.h>
#include <stdio.h>

#include "shared/conf.h"

/* Nobody reads more; a file that is no settings file at all has thousands. */
#define PROBLEMS_SHOWN 100
#define TEXT_MAX       1024

/* Line 0, the file as a whole, comes last. */
static bool is_behind(const struct conf_problem *p,
		      const struct conf_problem *added)
{
	if (p->line == added->line)
		return p->column <= added->column;
	return added->line == 0 || (p->line != 0 && p->line < added->line);
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
		if (is_behind(*i, problem))
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

static void add(struct conf_problems *p, const char *file, unsigned line,
		unsigned column, const char *text)
{
	struct conf_problem *problem;

	/* Counted even if it cannot be kept: the settings are refused. */
	p->count++;
	if (p->count > PROBLEMS_SHOWN)
		return;
	problem = arena_take(p->arena, sizeof(*problem));
	if (!problem)
		return;
	problem->file = arena_str(p->arena, slice_str(file));
	problem->text = arena_str(p->arena, slice_str(text));
	problem->line = line;
	problem->column = column;
	if (!problem->file || !problem->text)
		return;
	insert(p, problem);
}

void conf_problem_add(struct conf_problems *p, const char *file, unsigned line,
		      const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add(p, file, line, 0, text);
}

void conf_problem_at(struct conf_problems *p, const char *file, unsigned line,
		     unsigned column, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add(p, file, line, column, text);
}

static bool print(const struct conf_problem *p, struct buf *out)
{
	if (p->line && p->column)
		return buf_printf(out, "%s:%u:%u: %s\n", p->file, p->line,
				  p->column, p->text);
	if (p->line)
		return buf_printf(out, "%s:%u: %s\n", p->file, p->line,
				  p->text);
	return buf_printf(out, "%s: %s\n", p->file, p->text);
}

void conf_problems_print(const struct conf_problems *p, struct buf *out)
{
	unsigned shown = 0;
	bool room = true;

	for (const struct conf_problem *i = p->first; i && room; i = i->next) {
		room = print(i, out);
		if (room)
			shown++;
	}
	/* Without room for this either there is nothing left to say. */
	if (shown < p->count && !buf_printf(out, "and %u more problems\n",
					    p->count - shown))
		return;
}
