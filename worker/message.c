#include "worker/message.h"

#include <errno.h>

static void no_space(struct message *m, int reason)
{
	m->trouble = MESSAGE_NO_SPACE;
	m->no_space = reason ? reason : ENOMEM;
}

static void too_large(struct message *m, const char *limit)
{
	m->trouble = MESSAGE_TOO_LARGE;
	m->limit = limit;
}

void message_begin(struct message *m, struct arena *arena,
		   const struct conf *conf, enum mta mta)
{
	*m = (struct message){ .arena = arena,
			       .conf = conf,
			       .spool = m->spool };
	body_init(&m->body, &m->spool, conf);
	m->original.body = &m->body;
	if (!header_list_init(&m->original.headers, arena, mta))
		no_space(m, ENOMEM);
}

void message_end(struct message *m)
{
	if (m->conf)
		body_deinit(&m->body);
	*m = (struct message){ .spool = m->spool };
}

void message_trim(struct message *m)
{
	if (!m->conf)
		spool_release(&m->spool);
}

void message_add_header(struct message *m, struct slice name,
			struct slice value)
{
	struct slice name_copy, value_copy;

	if (m->trouble)
		return;
	m->header_count++;
	m->header_bytes += name.len + value.len;
	if (m->header_count > m->conf->headers_max) {
		too_large(m, "headers_max");
		return;
	}
	if (m->header_bytes > m->conf->headers_size_max) {
		too_large(m, "headers_size_max");
		return;
	}
	if (!arena_copy(m->arena, name, &name_copy) ||
	    !arena_copy(m->arena, value, &value_copy) ||
	    !header_list_append(&m->original.headers, name_copy, value_copy))
		no_space(m, ENOMEM);
}

void message_end_headers(struct message *m)
{
	m->original.headers_done = true;
}

void message_add_body(struct message *m, struct slice bytes)
{
	if (m->trouble)
		return;
	switch (body_add(&m->body, bytes)) {
	case BODY_OK:
		break;
	case BODY_TOO_LARGE:
		too_large(m, "message_max");
		break;
	case BODY_NO_SPACE:
		no_space(m, errno);
		break;
	}
}

void message_complete(struct message *m)
{
	m->original.headers_done = true;
	m->original.complete = true;
}

const struct header *view_next_header(const struct view *v, size_t *cursor)
{
	while (*cursor < v->headers.count) {
		const struct header *h = &v->headers.entries[(*cursor)++];

		if (!h->is_hidden && !h->deleted_by)
			return h;
	}
	return NULL;
}
