#include "t/unit/support/page_end.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void give_up(const char *what)
{
	perror(what);
	abort();
}

void page_end_open(struct page_end *p, size_t max)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t usable = (max / page + 1) * page;

	p->max = usable;
	p->size = usable + page;
	p->map = mmap(NULL, p->size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->map == MAP_FAILED)
		give_up("page_end: mmap");
	if (mprotect(p->map + usable, page, PROT_NONE) != 0)
		give_up("page_end: mprotect");
}

void page_end_close(struct page_end *p)
{
	munmap(p->map, p->size);
	*p = (struct page_end){ NULL, 0, 0 };
}

struct slice page_end_put(struct page_end *p, struct slice bytes)
{
	char *at;

	if (bytes.len > p->max)
		give_up("page_end: input too long");
	at = p->map + p->max - bytes.len;
	if (bytes.len)
		memcpy(at, bytes.data, bytes.len);
	return slice_of(at, bytes.len);
}
