/*
 * replay - runs a fuzz target over files, for compilers without libFuzzer
 *
 * Each argument is a file or a directory of files.  Each input stands against
 * an unmapped page.  Prints how many there were; none at all is a failure, as
 * is a file that cannot be read.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "t/unit/support/page_end.h"

#define INPUT_MAX ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct replay {
	struct page_end page;
	char *room;
	unsigned count;
	bool failed;
};

static void run_file(struct replay *r, const char *path)
{
	FILE *f = fopen(path, "rb");
	struct slice input;
	size_t len;

	if (!f) {
		perror(path);
		r->failed = true;
		return;
	}
	len = fread(r->room, 1, INPUT_MAX, f);
	if (ferror(f) || (len == INPUT_MAX && getc(f) != EOF)) {
		fprintf(stderr, "%s: could not be read, or too long\n", path);
		r->failed = true;
	}
	fclose(f);
	input = page_end_put(&r->page, slice_of(r->room, len));
	LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.len);
	r->count++;
}

static void run_directory(struct replay *r, const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;

	if (!d) {
		perror(path);
		r->failed = true;
		return;
	}
	while ((entry = readdir(d))) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		run_file(r, name);
	}
	closedir(d);
}

int main(int argc, char **argv)
{
	struct replay r = { .room = malloc(INPUT_MAX) };

	if (!r.room)
		return 1;
	page_end_open(&r.page, INPUT_MAX);
	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			run_directory(&r, argv[i]);
		else
			run_file(&r, argv[i]);
	}
	page_end_close(&r.page);
	free(r.room);
	printf("%u inputs\n", r.count);
	return r.failed || r.count == 0;
}
