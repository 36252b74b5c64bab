/*
 * null_milter - a child on the real libmilter that lets everything pass
 *
 *	null_milter SOCKET [milliseconds]
 *
 * Has every callback and answers "continue" to each.  With a number it sleeps
 * so long at MAIL, at each recipient and at the end of the message, as a
 * milter does that asks somebody else.  Ends within five seconds of SIGTERM:
 * that is libmilter's own step.
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long sleep_ms;

static sfsistat on_nothing(void)
{
	const struct timespec t = { sleep_ms / 1000,
				    sleep_ms % 1000 * 1000000 };

	if (sleep_ms)
		nanosleep(&t, NULL);
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *addr)
{
	(void)ctx, (void)host, (void)addr;
	return SMFIS_CONTINUE;
}

static sfsistat on_text(SMFICTX *ctx, char *text)
{
	(void)ctx, (void)text;
	return SMFIS_CONTINUE;
}

static sfsistat on_unknown(SMFICTX *ctx, const char *text)
{
	(void)ctx, (void)text;
	return SMFIS_CONTINUE;
}

static sfsistat on_envelope(SMFICTX *ctx, char **args)
{
	(void)ctx, (void)args;
	return on_nothing();
}

static sfsistat on_event(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx, (void)name, (void)value;
	return SMFIS_CONTINUE;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *part, size_t len)
{
	(void)ctx, (void)part, (void)len;
	return SMFIS_CONTINUE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	(void)ctx;
	return on_nothing();
}

int main(int argc, char **argv)
{
	static char name[] = "null";
	const struct smfiDesc milter = {
		.xxfi_name = name,
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_NONE,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_text,
		.xxfi_envfrom = on_envelope,
		.xxfi_envrcpt = on_envelope,
		.xxfi_header = on_header,
		.xxfi_eoh = on_event,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_event,
		.xxfi_close = on_event,
		.xxfi_unknown = on_unknown,
		.xxfi_data = on_event,
	};

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: null_milter SOCKET [milliseconds]\n");
		return 2;
	}
	if (argc == 3)
		sleep_ms = strtol(argv[2], NULL, 10);
	umask(0111); /* a Postfix is another user */
	if (smfi_setconn(argv[1]) != MI_SUCCESS ||
	    smfi_register(milter) != MI_SUCCESS) {
		fprintf(stderr, "null_milter: %s: not taken\n", argv[1]);
		return 1;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
