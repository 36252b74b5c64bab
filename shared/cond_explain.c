#include "shared/cond_tree.h"

/* Where the reasons go; more than there is room for are only counted. */
struct reasons {
	const struct facts *facts;
	struct cond_run *run;
	struct cond_reason *list;
	size_t room;
	size_t count;
};

static void note(struct reasons *r, const struct cond_node *n, enum tri answer)
{
	if (r->count < r->room)
		r->list[r->count] = (struct cond_reason){
			.text = n->text,
			.condition = n->condition,
			.column = n->column,
			.answer = answer,
		};
	r->count++;
}

static void explain(struct reasons *r, const struct cond_node *n, enum tri is);

/*
 * One part decided (a true one of `or`, a false one of `and`), or all those
 * that answered as the whole does had to: the unknown ones when it is
 * unknown, else every part.
 */
static void explain_parts(struct reasons *r, const struct cond_node *n,
			  enum tri is)
{
	enum tri decides = n->kind == COND_AND ? TRI_FALSE : TRI_TRUE;

	for (const struct cond_node *i = n->parts; i; i = i->next) {
		enum tri part = cond_eval_node(i, r->facts, r->run);

		if (part != is)
			continue;
		explain(r, i, part);
		if (is == decides)
			return;
	}
}

static void explain(struct reasons *r, const struct cond_node *n, enum tri is)
{
	switch (n->kind) {
	case COND_AND:
	case COND_OR:
		explain_parts(r, n, is);
		return;
	case COND_NOT:
		explain(r, n->parts, tri_not(is));
		return;
	case COND_NAMED:
		explain(r, n->parts, is);
		return;
	case COND_CONST:
	case COND_TEST:
		break;
	}
	note(r, n, is);
}

enum tri cond_explain(const struct cond *c, const struct facts *facts,
		      struct cond_run *run, struct cond_reason *reasons,
		      size_t room, size_t *count_out)
{
	struct reasons r = { facts, run, reasons, room, 0 };
	enum tri is = cond_eval(c, facts, run);

	explain(&r, c->root, is);
	*count_out = r.count;
	return is;
}
