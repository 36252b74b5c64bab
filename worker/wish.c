#include "worker/wish.h"

#include <stdio.h>
#include <sys/socket.h>

#include "shared/cond.h"
#include "shared/macro.h"
#include "shared/rule.h"

#define RECALL_SIZE ((size_t)LIST_COUNT * BOARD_LIST_MAX)

static bool is_known(const struct board_wanted *known, const struct option *got)
{
	if (known->actions != got->actions || known->protocol != got->protocol)
		return false;
	for (int i = 0; i < LIST_COUNT; i++) {
		bool fits =
			got->has_list[i] && got->list[i].len <= BOARD_LIST_MAX;

		if (known->has_list[i] != fits ||
		    (fits && !slice_equal(known->list[i], got->list[i])))
			return false;
	}
	return true;
}

void wish_note(const struct worker_env *env, const struct member *m)
{
	const struct option *got = &m->child.got;
	char room[RECALL_SIZE];
	struct board_wanted known;
	struct {
		struct worker_note_wish head;
		char lists[RECALL_SIZE];
	} note;
	size_t len = 0;

	if (board_recall(env->board, m->cell, room, &known) &&
	    is_known(&known, got))
		return;
	memset(&note.head, 0, sizeof(note.head));
	note.head.kind = WORKER_NOTE_WISH;
	note.head.milter = (uint8_t)m->cell;
	note.head.actions = got->actions;
	note.head.protocol = got->protocol;
	for (int i = 0; i < LIST_COUNT; i++) {
		size_t n = got->list[i].len;

		if (!got->has_list[i] || n > BOARD_LIST_MAX)
			continue;
		note.head.has_list[i] = 1;
		note.head.list_len[i] = (uint16_t)n;
		memcpy(note.lists + len, got->list[i].data, n);
		len += n;
	}
	/* Lost when the supervisor is busy: the next session tells it. */
	(void)!send(env->supervisor_fd, &note, sizeof(note.head) + len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void add_names(struct buf *list, struct slice names)
{
	struct slice name;

	while (slice_split(&names, ' ', &name)) {
		size_t before = buf_len(list);

		if (!name.len || macro_list_has(buf_slice(list), name))
			continue;
		if ((before && !buf_add_byte(list, ' ')) ||
		    !buf_add(list, name))
			buf_cut(list, before);
	}
}

/* A condition looks at a macro: it has to come with its stage. */
static void add_macro(void *context, struct slice name, enum stage stage)
{
	struct buf *lists = context;
	enum milter_list list = milter_stage_list(stage);
	char braced[80];
	int len = snprintf(braced, sizeof(braced),
			   name.len > 1 ? "{%.*s}" : "%.*s", SLICE_ARG(name));

	if (list != LIST_COUNT && len > 0 && (size_t)len < sizeof(braced) &&
	    !macro_list_has(option_default_list(list), name))
		add_names(&lists[list], slice_str(braced));
}

/* True for each list that at least one child gave. */
static void gather(const struct worker_env *env, struct buf lists[LIST_COUNT],
		   bool given_out[LIST_COUNT])
{
	char room[RECALL_SIZE];

	rules_each_macro(env->conf->rules, add_macro, lists);
	for (unsigned k = 0; k < env->conf->milter_count; k++) {
		unsigned cell = env->cells ? env->cells[k] : k;
		struct board_wanted known;

		if (board_switched(env->board, cell, &env->conf->milters[k].mode)
			    .mode == MODE_OFF)
			continue;
		if (env->conf->milters[k].when)
			cond_each_macro(env->conf->milters[k].when, add_macro,
					lists);
		if (!board_recall(env->board, cell, room, &known))
			continue;
		for (int i = 0; i < LIST_COUNT; i++)
			if (known.has_list[i] && known.list[i].len) {
				given_out[i] = true;
				add_names(&lists[i], known.list[i]);
			}
	}
	for (int i = 0; i < LIST_COUNT; i++)
		add_names(&lists[i], env->conf->macros_extra[i]);
}

void wish_lists(const struct worker_env *env, struct arena *arena,
		struct option *answer)
{
	struct buf lists[LIST_COUNT];
	bool given[LIST_COUNT] = { false };

	for (int i = 0; i < LIST_COUNT; i++)
		buf_init(&lists[i], (size_t)8 * BOARD_LIST_MAX);
	gather(env, lists, given);
	for (int i = 0; i < LIST_COUNT; i++) {
		bool twin = (i == LIST_EOM && given[LIST_EOH]) ||
			    (i == LIST_EOH && given[LIST_EOM]);

		/* No list, so that what the MTA has set itself stands. */
		if (!given[i] && !twin)
			continue;
		add_names(&lists[i], option_default_list((enum milter_list)i));
		answer->has_list[i] = arena_copy(arena, buf_slice(&lists[i]),
						 &answer->list[i]);
	}
	for (int i = 0; i < LIST_COUNT; i++)
		buf_deinit(&lists[i]);
}
