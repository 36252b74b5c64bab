/*
 * main - options, settings, exit codes; becomes the supervisor
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "server/background.h"
#include "server/descriptors.h"
#include "server/handover.h"
#include "server/inherit.h"
#include "server/limits.h"
#include "server/overload.h"
#include "server/priv.h"
#include "server/settings.h"
#include "server/supervisor.h"
#include "shared/arena.h"
#include "shared/conf.h"
#include "shared/log.h"

#ifndef SEKISHO_CONF
#ifdef SYSCONFDIR
#define SEKISHO_CONF SYSCONFDIR "/sekisho.conf"
#else
#define SEKISHO_CONF "/etc/sekisho/sekisho.conf"
#endif
#endif
#ifdef PACKAGE_VERSION
#define VERSION_TEXT PACKAGE_VERSION
#else
#define VERSION_TEXT "unversioned"
#endif

#define WORDS_CEILING (16u * 1024 * 1024)

/* Told to the world; listed in sekishod(8). */
enum exit_code {
	EXIT_OK = 0,	   /* stopped as told, or the settings are good */
	EXIT_SETTINGS = 1, /* the settings are not */
	EXIT_USAGE = 2,	   /* wrong options */
	EXIT_START = 3,	   /* the settings are good, the machine is not */
};

struct options {
	const char *conf;
	bool foreground;
	bool check;
	bool print;
	bool version;
	bool help;
};

static const char usage[] =
	"usage: sekishod [-fhtTV] [-c file]\n"
	"  -c file  settings (" SEKISHO_CONF ")\n"
	"  -f       stay in the foreground\n"
	"  -t       check the settings and the limits of the machine\n"
	"  -T       print all settings in force\n"
	"  -V       print the version\n"
	"  -h       this\n";

static bool parse_options(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options){ .conf = SEKISHO_CONF };
	while ((c = getopt(argc, argv, "c:fhtTV")) != -1) {
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'h':
			o->help = true;
			break;
		case 't':
			o->check = true;
			break;
		case 'T':
			o->print = true;
			break;
		case 'V':
			o->version = true;
			break;
		default:
			return false;
		}
	}
	return optind == argc;
}

/* What we were given at birth: sockets, or all that a supervisor has. */
struct given {
	struct arena arena;
	struct inherit sockets;
	struct handover handover;
	bool is_upgrade;
};

/* A descriptor 0 to 2 that is closed would soon be somebody's socket. */
static void fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

static void take_sockets(struct given *g)
{
	const struct inherit *from = &g->handover.sockets;

	for (size_t i = 0; i < from->count; i++)
		if (!inherit_add(&g->sockets, &from->at[i]))
			log_error("upgrade: descriptor %d is no listening socket",
				  from->at[i].fd);
	g->sockets.go_on = true;
}

/* Whoever started us may have left anything open. */
static bool close_the_rest(struct given *g)
{
	const struct handover *h = &g->handover;
	size_t n = 0, max = g->sockets.count + h->worker_count + 3;
	int *keep = arena_take_n(&g->arena, max, sizeof(*keep));

	if (!keep)
		return false;
	for (size_t i = 0; i < g->sockets.count; i++)
		keep[n++] = g->sockets.at[i].fd;
	if (g->is_upgrade) {
		for (unsigned i = 0; i < h->worker_count; i++)
			keep[n++] = h->workers[i].fd;
		keep[n++] = h->control_fd;
		keep[n++] = h->numbers_fd;
		keep[n++] = h->pid_fd;
	}
	descriptors_close_all_but(keep, n);
	return true;
}

static bool tidy_descriptors(struct given *g)
{
	arena_init(&g->arena, 2 * HANDOVER_CEILING);
	fill_standard_descriptors();
	inherit_begin(&g->sockets);
	g->is_upgrade = handover_begin(&g->arena, &g->handover);
	if (g->is_upgrade)
		take_sockets(g);
	else
		g->handover = (struct handover){ .pid_fd = -1 };
	return close_the_rest(g);
}

static void print_problems(const struct conf_problems *problems)
{
	struct buf words;

	buf_init(&words, WORDS_CEILING);
	conf_problems_print(problems, &words);
	fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&words)));
	fprintf(stderr, "sekishod: %u problem%s in the settings\n",
		problems->count, problems->count == 1 ? "" : "s");
	buf_deinit(&words);
}

static void print_settings(const struct conf *conf)
{
	struct buf words;

	buf_init(&words, WORDS_CEILING);
	if (conf_print(conf, true, &words))
		printf("%.*s", SLICE_ARG(buf_slice(&words)));
	buf_deinit(&words);
}

static void print_limits(const struct conf *conf, bool as_root)
{
	struct limits_wish wish = { conf->workers_max, 0,
				    (unsigned)conf->milter_count,
				    OVERLOAD_RESERVE };
	struct limits l;
	struct buf words;
	bool is_short;

	for (size_t i = 0; i < conf->listen.count; i++)
		wish.listeners += conf->listen.at[i].endpoint.addr_count;
	buf_init(&words, WORDS_CEILING);
	limits_raise(&wish);
	limits_read(&l, as_root);
	limits_print(&l, &wish, &words);
	(void)limits_cap(&l, &wish, &words, &is_short);
	printf("%.*s", SLICE_ARG(buf_slice(&words)));
	buf_deinit(&words);
}

/* -t and -T: nothing is opened, bound or changed. */
static enum exit_code check(const struct options *o, const struct conf *conf)
{
	struct priv priv;

	if (o->print)
		print_settings(conf);
	if (!o->check)
		return EXIT_OK;
	if (!priv_find(conf, &priv) ||
	    !priv_check_spool(conf->spool_directory, false))
		return EXIT_SETTINGS;
	print_limits(conf, priv.uid == 0);
	printf("ok\n");
	return EXIT_OK;
}

/* Relative paths end where the background begins: it changes to /. */
static bool make_absolute(const char **path, char room[PATH_MAX])
{
	char here[PATH_MAX];

	if (**path == '/')
		return true;
	if (!getcwd(here, sizeof(here)) ||
	    snprintf(room, PATH_MAX, "%s/%s", here, *path) >= PATH_MAX)
		return false;
	*path = room;
	return true;
}

/* The arena becomes the supervisor's. */
static enum exit_code serve(const struct options *o, const struct conf *conf,
			    struct arena *arena, struct given *g)
{
	struct supervisor_how how = { .conf = conf,
				      .arena = arena,
				      .conf_path = o->conf,
				      .version = VERSION_TEXT,
				      .sockets = &g->sockets,
				      .foreground = o->foreground,
				      .handover = g->is_upgrade ?
							  &g->handover :
							  NULL,
				      .in_background = !o->foreground &&
						       !g->is_upgrade,
				      .tell_ready = -1 };
	char room[PATH_MAX];

	if (!make_absolute(&how.conf_path, room)) {
		log_error("the path of \"%s\" is too long", o->conf);
		return EXIT_START;
	}
	if (how.in_background && !background_begin(EXIT_START, &how.tell_ready))
		return EXIT_START;
	return supervisor_run(&how) ? EXIT_OK : EXIT_START;
}

int main(int argc, char **argv)
{
	struct conf_problems problems;
	const struct conf *conf;
	struct given given;
	struct options o;
	struct arena arena;
	enum exit_code code;

	(void)log_open(LOG_SINK_STDERR, "sekishod", LOG_MAIL, NULL);
	if (!tidy_descriptors(&given)) {
		log_error("no memory");
		return EXIT_START;
	}
	/* A file at its limit (LimitFSIZE=) is an error to report, not death. */
	(void)signal(SIGXFSZ, SIG_IGN);
	umask(077);
	if (!parse_options(argc, argv, &o)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (o.help || o.version) {
		fputs(o.help ? usage : "sekishod " VERSION_TEXT "\n", stdout);
		return EXIT_OK;
	}
	arena_init(&arena, SETTINGS_CEILING);
	conf = conf_read(&arena, o.conf, &problems);
	if (!conf) {
		print_problems(&problems);
		code = EXIT_SETTINGS;
	} else if (o.check || o.print) {
		code = check(&o, conf);
	} else {
		code = serve(&o, conf, &arena, &given);
	}
	arena_deinit(&arena);
	arena_deinit(&given.arena);
	return (int)code;
}
