/*
 * replay - runs a fuzz target over files, for compilers without libFuzzer
 *
 * Each argument is a file or a directory of files.  Each input stands against
 * an unmapped page.  Prints how many there were; none at all is a failure, as
 * is a file that cannot be read.  One file, so that a target needs no other.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A multiple of every page size. */
#define INPUT_MAX ((size_t)4 * 1024 * 1024)
#define GUARD	  ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct replay {
	char *room;
	uint8_t *guard; /* INPUT_MAX bytes before it are ours */
	unsigned count;
	bool failed;
};

static bool get_memory(struct replay *r)
{
	uint8_t *map = mmap(NULL, INPUT_MAX + GUARD, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	r->room = malloc(INPUT_MAX);
	r->guard = map + INPUT_MAX;
	return r->room && map != MAP_FAILED &&
	       mprotect(r->guard, GUARD, PROT_NONE) == 0;
}

static void run_file(struct replay *r, const char *path)
{
	FILE *f = fopen(path, "rb");
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
	memcpy(r->guard - len, r->room, len);
	LLVMFuzzerTestOneInput(r->guard - len, len);
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
	struct replay r = { .count = 0 };

	if (!get_memory(&r)) {
		perror("replay");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			run_directory(&r, argv[i]);
		else
			run_file(&r, argv[i]);
	}
	free(r.room);
	printf("%u inputs\n", r.count);
	return r.failed || r.count == 0;
}
