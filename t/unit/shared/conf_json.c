#include "shared/conf_json.h"

#include <criterion/criterion.h>

static const char settings[] =
	"[server]\nlisten = unix:/a owner='x y' mode=0640 mta=postfix, inet:26\n"
	"user = 'a ; b'\nworkers_min = 7\ndrain_timeout = 1500ms\n"
	"core_dumps = yes\nmacros_extra = eom: i {a}, helo: {b}\n"
	"[milter m]\nsocket = unix:/m, unix:/n\nmode = percent 5\n"
	"when = sender in t and c\n"
	"[condition c]\nis = helo ~ /\"x\"/\n"
	"[table t]\nsource = inline: a@example.org\n"
	"[rule r]\nwhen = c\naction = score 2\naction = log \"it is\"\n";

static const char changed[] =
	"{\"server\":{\"core_dumps\":true,\"drain_timeout\":\"1500ms\","
	"\"listen\":[\"unix:/a owner=\\\"x y\\\" mode=0640 mta=postfix\","
	"\"inet:26\"],"
	"\"macros_extra\":\"helo: {b}, eom: i {a}\",\"user\":\"a ; b\","
	"\"workers_min\":7},"
	"\"milters\":[{\"name\":\"m\",\"mode\":\"percent 5\","
	"\"socket\":[\"unix:/m\",\"unix:/n\"],"
	"\"when\":\"sender in t and c\"}],"
	"\"conditions\":[{\"name\":\"c\",\"is\":\"helo ~ /\\\"x\\\"/\"}],"
	"\"tables\":[{\"name\":\"t\",\"source\":\"inline: a@example.org\"}],"
	"\"rules\":[{\"name\":\"r\",\"action\":[\"score 2\","
	"\"log \\\"it is\\\"\"],\"when\":\"c\"}]}";

static struct arena arena;
static const struct conf *conf;

static void begin(void)
{
	struct conf_problems problems;

	arena_init(&arena, 8u << 20);
	conf = conf_read_text(&arena, "t.conf", slice_str(settings), &problems);
	cr_assert_not_null(conf);
}

static void end(void)
{
	conf_close(conf);
	arena_deinit(&arena);
}

TestSuite(conf_json, .init = begin, .fini = end, .timeout = 20);

static void write_to(struct buf *out, bool with_defaults)
{
	struct json j = json_begin(out);

	json_object(&j, NULL);
	cr_assert(conf_json(conf, with_defaults, &j));
	json_object_end(&j);
	cr_assert(json_end(&j));
	cr_assert(buf_add_byte(out, '\0'));
}

Test(conf_json, what_is_no_default)
{
	struct buf out;

	buf_init(&out, 1u << 20);
	write_to(&out, false);
	cr_expect_str_eq(buf_slice(&out).data, changed);
	buf_deinit(&out);
}

Test(conf_json, all_there_is)
{
	struct buf out;
	const char *text;

	buf_init(&out, 1u << 20);
	write_to(&out, true);
	text = buf_slice(&out).data;
	cr_expect(strstr(text, "\"workers_min\":7}"));
	cr_expect(strstr(text, "\"breaker_failures\":5,"));
	cr_expect(strstr(text, "\"on_failure\":\"tempfail\","));
	cr_expect(strstr(text, "\"rules\":[{\"name\":\"r\",\"action\":"));
	buf_deinit(&out);
}

Test(conf_json, says_when_there_is_no_room)
{
	struct buf out;
	struct json j;

	buf_init(&out, 1000);
	j = json_begin(&out);
	json_object(&j, NULL);
	cr_expect(conf_json(conf, true, &j));
	json_object_end(&j);
	cr_expect_not(json_end(&j));
	buf_deinit(&out);
}
