#include "server/answer.h"
#include "shared/conf_json.h"
#include "shared/log.h"

/* Wishes that other parts of the supervisor carry out. */
static status_hook *find_hook(const struct status_hooks *h, struct slice word)
{
	if (slice_is(word, "reload"))
		return h->reload;
	if (slice_is(word, "drain"))
		return h->drain;
	if (slice_is(word, "upgrade"))
		return h->upgrade;
	return h->reopen_logs;
}

enum told answer_wish(const struct ask *a)
{
	const struct status_hooks *h = &a->view->hooks;
	struct slice word = request_word(&a->request, 0);
	status_hook *hook = find_hook(h, word);
	char who[PEER_TEXT];

	if (!hook)
		return answer_refuse(a, "%.*s is not available",
				     SLICE_ARG(word));
	peer_print(&a->peer, who);
	log_info("%s: %.*s", who, SLICE_ARG(word));
	switch (hook(h->context, a->ticket, a->out)) {
	case WISH_DONE:
		return TOLD_OK;
	case WISH_BEGUN:
		return TOLD_LATER;
	case WISH_REFUSED:
		break;
	}
	return TOLD_ERROR;
}

static bool is_config(const struct ask *a, bool *with_defaults_out)
{
	struct slice word = request_word(&a->request, 1);

	*with_defaults_out = !word.len;
	return !word.len || slice_is(word, "-n");
}

enum told answer_config(const struct ask *a)
{
	bool with_defaults;

	if (!is_config(a, &with_defaults))
		return answer_refuse(a, "not understood: config [-n]");
	if (!conf_print(a->view->conf, with_defaults, a->out))
		return answer_refuse(a, "the answer is too long");
	return TOLD_OK;
}

enum told answer_config_json(const struct ask *a, struct json *j)
{
	bool with_defaults;

	if (!is_config(a, &with_defaults))
		return answer_refuse(a, "not understood: config [-n]");
	json_object(j, "config");
	if (!conf_json(a->view->conf, with_defaults, j))
		return answer_refuse(a, "no memory for the answer");
	json_object_end(j);
	return TOLD_OK;
}
