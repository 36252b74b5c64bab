#include "shared/conf_change.h"

#include "shared/conf_value.h"

/* --- comparing ----------------------------------------------------------- */

static bool same_texts(const struct conf_texts *a, const struct conf_texts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!slice_equal(a->items[i].text, b->items[i].text))
			return false;
	return true;
}

static bool same_value(const struct conf_row *row, const void *a,
		       const void *b)
{
	const void *at_a = (const char *)a + row->offset;
	const void *at_b = (const char *)b + row->offset;

	if (row->type == CONF_TEXTS)
		return same_texts(at_a, at_b);
	return conf_value_same(row, a, b);
}

/* --- what keeps its value ------------------------------------------------- */

static bool copy_string(struct arena *arena, const char *from, const char **to)
{
	*to = arena_str(arena, slice_str(from));
	return *to != NULL;
}

static bool keep_string(struct arena *arena, const void *from, void *to)
{
	const char *text;

	memcpy(&text, from, sizeof(text));
	if (!copy_string(arena, text, &text))
		return false;
	memcpy(to, &text, sizeof(text));
	return true;
}

static bool keep_listeners(struct arena *arena, const void *from, void *to)
{
	struct conf_listeners *list = to;

	memcpy(list, from, sizeof(*list));
	for (size_t i = 0; i < list->count; i++)
		if (!copy_string(arena, list->at[i].owner,
				 &list->at[i].owner) ||
		    !copy_string(arena, list->at[i].group, &list->at[i].group))
			return false;
	return true;
}

static bool keep_value(struct arena *arena, const struct conf_row *row,
		       const void *running, void *base)
{
	const void *from = (const char *)running + row->offset;
	void *to = (char *)base + row->offset;

	/* Only types of rows that change at a restart; a test looks. */
	switch ((int)row->type) {
	case CONF_STRING:
	case CONF_PATH:
		return keep_string(arena, from, to);
	case CONF_LISTEN:
	case CONF_STATUS:
		return keep_listeners(arena, from, to);
	case CONF_UNSIGNED:
		memcpy(to, from, sizeof(unsigned));
		return true;
	case CONF_BOOL:
		memcpy(to, from, sizeof(bool));
		return true;
	default:
		BUG_IF(true);
		return false;
	}
}

const struct conf *conf_keep_start(struct arena *arena,
				   const struct conf *wanted,
				   const struct conf *running,
				   struct buf *restart_out)
{
	struct conf *kept = arena_take(arena, sizeof(*kept));
	size_t n;
	const struct conf_row *rows = conf_rows(CONF_SERVER, &n);

	if (!kept)
		return NULL;
	*kept = *wanted;
	for (size_t i = 0; i < n; i++) {
		if (rows[i].when != CONF_AT_START)
			continue;
		if (!same_value(&rows[i], wanted, running))
			buf_printf(restart_out, "%s%s",
				   buf_len(restart_out) ? ", " : "",
				   rows[i].key);
		if (!keep_value(arena, &rows[i], running, kept))
			return NULL;
	}
	return kept;
}

/* --- what is different ---------------------------------------------------- */

/* The sections of one kind; each item begins with its name. */
struct items {
	const char *at;
	size_t size;
	size_t count;
};

static const char *name_of(const struct items *list, size_t i)
{
	const char *name;

	memcpy(&name, list->at + i * list->size, sizeof(name));
	return name;
}

static const char *find(const struct items *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_equal_case(slice_str(name_of(list, i)),
				     slice_str(name)))
			return list->at + i * list->size;
	return NULL;
}

static struct items items_of(const struct conf *conf, enum conf_section section)
{
	if (section == CONF_MILTER)
		return (struct items){ (const char *)conf->milters,
				       sizeof(conf->milters[0]),
				       conf->milter_count };
	if (section == CONF_CONDITION)
		return (struct items){ (const char *)conf->conditions,
				       sizeof(conf->conditions[0]),
				       conf->condition_count };
	if (section == CONF_TABLE)
		return (struct items){ (const char *)conf->tables,
				       sizeof(conf->tables[0]),
				       conf->table_count };
	return (struct items){ (const char *)conf->rule_texts,
			       sizeof(conf->rule_texts[0]), conf->rule_count };
}

static bool begin_item(struct buf *out, enum conf_section section,
		       const char *name)
{
	return buf_printf(out, "%s%s%s%s: ", buf_len(out) ? "; " : "",
			  conf_word_of(conf_section_words, (int)section),
			  *name ? " " : "", name);
}

static bool tell_values(struct buf *out, enum conf_section section,
			const char *name, const void *before, const void *after)
{
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (same_value(&rows[i], before, after))
			continue;
		if (any ? !buf_printf(out, ", ") :
			  !begin_item(out, section, name))
			return false;
		any = true;
		if (!buf_printf(out, "%s", rows[i].key))
			return false;
	}
	return true;
}

/* Where the order has a meaning, it may be all that changed. */
static bool tell_order(struct buf *out, enum conf_section section,
		       const struct items *before, const struct items *after)
{
	const char *above = before->at;

	if (section != CONF_MILTER && section != CONF_RULE)
		return true;
	for (size_t i = 0; i < after->count; i++) {
		const char *was = find(before, name_of(after, i));

		if (was && was < above)
			return begin_item(out, section, "") &&
			       buf_printf(out, "other order");
		if (was)
			above = was;
	}
	return true;
}

static bool tell_items(struct buf *out, enum conf_section section,
		       const struct items *before, const struct items *after)
{
	for (size_t i = 0; i < before->count; i++)
		if (!find(after, name_of(before, i)) &&
		    (!begin_item(out, section, name_of(before, i)) ||
		     !buf_printf(out, "removed")))
			return false;
	for (size_t i = 0; i < after->count; i++) {
		const char *name = name_of(after, i);
		const char *was = find(before, name);
		const char *is = after->at + i * after->size;

		if (was ? !tell_values(out, section, name, was, is) :
			  !begin_item(out, section, name) ||
				  !buf_printf(out, "added"))
			return false;
	}
	return tell_order(out, section, before, after);
}

bool conf_difference(const struct conf *before, const struct conf *after,
		     struct buf *out)
{
	if (!tell_values(out, CONF_SERVER, "", before, after))
		return false;
	for (int i = CONF_MILTER; i < CONF_SECTIONS; i++) {
		enum conf_section section = (enum conf_section)i;
		struct items a = items_of(before, section);
		struct items b = items_of(after, section);

		if (!tell_items(out, section, &a, &b))
			return false;
	}
	return true;
}
