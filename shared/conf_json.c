#include "shared/conf_json.h"

#include "shared/conf_value.h"

/* Of one value that has no form of its own here. */
#define VALUE_CEILING (64u * 1024)

static void add_listeners(struct json *j, const char *key,
			  const struct conf_listeners *list)
{
	json_array(j, key);
	for (size_t i = 0; i < list->count; i++) {
		struct buf text;

		buf_init(&text, VALUE_CEILING);
		if (!conf_listen_print(&list->at[i], &text))
			j->failed = true;
		json_text(j, NULL, buf_slice(&text));
		buf_deinit(&text);
	}
	json_array_end(j);
}

static void add_sockets(struct json *j, const char *key,
			const struct conf_sockets *list)
{
	json_array(j, key);
	for (unsigned i = 0; i < list->count; i++) {
		char text[400];

		endpoint_print(&list->at[i], text, sizeof(text));
		json_word(j, NULL, text);
	}
	json_array_end(j);
}

static void add_texts(struct json *j, const char *key,
		      const struct conf_texts *list)
{
	json_array(j, key);
	for (size_t i = 0; i < list->count; i++)
		json_text(j, NULL, list->items[i].text);
	json_array_end(j);
}

static void add_printed(struct json *j, const struct conf_row *row,
			const void *base)
{
	struct buf text;

	buf_init(&text, VALUE_CEILING);
	if (!conf_value_print(row, base, &text))
		j->failed = true;
	json_text(j, row->key, buf_slice(&text));
	buf_deinit(&text);
}

static void add_value(struct json *j, const struct conf_row *row,
		      const void *base)
{
	const void *at = (const char *)base + row->offset;
	const char *text;
	unsigned number;
	bool is_on;

	switch (row->type) {
	case CONF_BOOL:
		memcpy(&is_on, at, sizeof(is_on));
		json_bool(j, row->key, is_on);
		break;
	case CONF_UNSIGNED:
		memcpy(&number, at, sizeof(number));
		json_number(j, row->key, number);
		break;
	case CONF_STRING:
	case CONF_PATH:
		memcpy(&text, at, sizeof(text));
		json_word(j, row->key, text);
		break;
	case CONF_SOCKETS:
		add_sockets(j, row->key, at);
		break;
	case CONF_LISTEN:
	case CONF_STATUS:
		add_listeners(j, row->key, at);
		break;
	case CONF_TEXT:
		json_text(j, row->key, ((const struct conf_text *)at)->text);
		break;
	case CONF_TEXTS:
		add_texts(j, row->key, at);
		break;
	case CONF_SIZE:
	case CONF_DURATION:
	case CONF_WORD:
	case CONF_EITHER:
	case CONF_SWITCH:
	case CONF_MACROS:
		add_printed(j, row, base);
		break;
	}
}

/* defaults: NULL to show all. */
static void add_values(struct json *j, enum conf_section section,
		       const void *base, const void *defaults)
{
	size_t n;
	const struct conf_row *rows = conf_rows(section, &n);

	for (size_t i = 0; i < n; i++)
		if (!conf_value_is_default(&rows[i], base, defaults))
			add_value(j, &rows[i], base);
}

static void add_named(struct json *j, enum conf_section section,
		      const char *name, const void *base, const void *defaults)
{
	json_object(j, NULL);
	json_word(j, "name", name);
	add_values(j, section, base, defaults);
	json_object_end(j);
}

/* Those that were written, as conf_print() has them. */
static void add_conditions(struct json *j, const struct conf *conf, bool all)
{
	static const struct conf_rule no_rule;

	json_array(j, "conditions");
	for (size_t i = 0; i < conf->condition_count; i++)
		if (!conf->conditions[i].is_builtin)
			add_named(j, CONF_CONDITION, conf->conditions[i].name,
				  &conf->conditions[i], NULL);
	json_array_end(j);
	json_array(j, "tables");
	for (size_t i = 0; i < conf->table_count; i++)
		if (!conf->tables[i].is_builtin)
			add_named(j, CONF_TABLE, conf->tables[i].name,
				  &conf->tables[i], NULL);
	json_array_end(j);
	json_array(j, "rules");
	for (size_t i = 0; i < conf->rule_count; i++)
		add_named(j, CONF_RULE, conf->rule_texts[i].name,
			  &conf->rule_texts[i], all ? NULL : &no_rule);
	json_array_end(j);
}

static void add_all(struct json *j, const struct conf *conf,
		    const struct conf *server,
		    const struct conf_milter *milter)
{
	json_object(j, "server");
	add_values(j, CONF_SERVER, conf, server);
	json_object_end(j);
	json_array(j, "milters");
	for (size_t i = 0; i < conf->milter_count; i++)
		add_named(j, CONF_MILTER, conf->milters[i].name,
			  &conf->milters[i], milter);
	json_array_end(j);
	add_conditions(j, conf, !milter);
}

bool conf_json(const struct conf *conf, bool with_defaults, struct json *j)
{
	const struct conf *defaults;
	struct arena arena;

	if (with_defaults) {
		add_all(j, conf, NULL, NULL);
		return true;
	}
	defaults = conf_defaults(&arena);
	if (defaults)
		add_all(j, conf, defaults, &defaults->milters[0]);
	arena_deinit(&arena);
	return defaults != NULL;
}
