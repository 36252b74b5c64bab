#include "worker/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shared/clock.h"

/* Memory begins with so much and doubles; so much is always kept. */
#define ROOM_FIRST ((size_t)64 * 1024)
/* The mapping of the file grows by such steps; it is address space only. */
#define MAP_STEP ((size_t)16 * 1024 * 1024)

/*
 * A file is kept for the next message if it is no larger, no older (the
 * kernel begins to write dirty pages to the disk after 30 seconds: what is
 * never that old never gets there) and does not hurt others on its disk.
 */
#define KEEP_SIZE ((uint64_t)16 * 1024 * 1024)
#define KEEP_TIME (15 * CLOCK_S)
#define KEEP_FREE ((uint64_t)1024 * 1024 * 1024)

/* ---- memory ---- */

static size_t smaller(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

static bool grow(struct spool *s, size_t need, uint64_t limit)
{
	size_t room = s->room ? s->room : ROOM_FIRST;
	void *p;

	while (room < need && room < limit)
		room *= 2;
	room = smaller(room, limit);
	p = s->memory ? mremap(s->memory, s->room, room, MREMAP_MAYMOVE) :
			mmap(NULL, room, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	s->memory = p;
	s->room = room;
	madvise(p, room, MADV_DONTDUMP);
	return true;
}

static void release_memory(struct spool *s)
{
	if (s->memory)
		munmap(s->memory, s->room);
	s->memory = NULL;
	s->room = 0;
}

/* ---- the file ---- */

static bool open_file(struct spool *s, const char *directory)
{
	s->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	s->has_file = s->fd >= 0;
	s->broken = false;
	s->file_size = 0;
	s->opened_at = clock_now();
	return s->has_file;
}

static void close_file(struct spool *s)
{
	if (s->map)
		munmap(s->map, s->mapped);
	s->map = NULL;
	s->mapped = 0;
	if (s->has_file)
		close(s->fd);
	s->has_file = false;
}

static bool write_file(int fd, const char *data, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return true;
}

/* Writes out what is in memory. */
static bool write_out(struct spool *s, const char *directory)
{
	if (!s->has_file && !open_file(s, directory))
		return false;
	if (!write_file(s->fd, s->memory, s->held, s->written)) {
		s->broken = true;
		return false;
	}
	s->written += s->held;
	s->held = 0;
	if (s->file_size < s->written)
		s->file_size = s->written;
	return true;
}

/* As far as it is written: the kernel is never sent behind its end. */
static bool map_file(struct spool *s)
{
	size_t size =
		(size_t)((s->written + MAP_STEP - 1) / MAP_STEP) * MAP_STEP;
	void *p = s->map ? mremap(s->map, s->mapped, size, MREMAP_MAYMOVE) :
			   mmap(NULL, size, PROT_READ, MAP_SHARED, s->fd, 0);

	if (p == MAP_FAILED)
		return false;
	s->map = p;
	s->mapped = size;
	madvise(p, size, MADV_DONTDUMP);
	return true;
}

/* ---- */

/* Room for at least one byte more. */
static bool make_room(struct spool *s, const struct conf *conf, size_t more)
{
	if (s->held < s->room)
		return true;
	if (s->room < conf->message_memory)
		return grow(s, s->held + more, conf->message_memory);
	return write_out(s, conf->spool_directory);
}

bool spool_add(struct spool *s, const struct conf *conf, struct slice bytes)
{
	while (bytes.len) {
		size_t n;

		if (!make_room(s, conf, bytes.len))
			return false;
		n = smaller(s->room - s->held, bytes.len);
		memcpy(s->memory + s->held, bytes.data, n);
		s->held += n;
		bytes = slice_from(bytes, n);
	}
	return true;
}

static bool read_file(const struct spool *s, uint64_t offset, size_t max,
		      struct buf *out, size_t *added_out)
{
	char *room = buf_room(out, max);
	ssize_t n;

	if (!room) {
		errno = ENOMEM;
		return false;
	}
	do
		n = pread(s->fd, room, max, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n == 0)
			errno = EIO; /* shorter than what we wrote */
		return false;
	}
	buf_added(out, (size_t)n);
	*added_out = (size_t)n;
	return true;
}

bool spool_read(const struct spool *s, uint64_t offset, size_t max,
		struct buf *out, size_t *added_out)
{
	struct slice here;

	if (offset < s->written)
		return read_file(s, offset, smaller(max, s->written - offset),
				 out, added_out);
	here = slice_from(slice_of(s->memory, s->held),
			  (size_t)(offset - s->written));
	here = slice_head(here, max);
	*added_out = here.len;
	if (buf_add(out, here))
		return true;
	errno = ENOMEM;
	return false;
}

bool spool_place(struct spool *s, uint64_t offset, size_t max,
		 struct slice *place_out)
{
	if (offset >= s->written) {
		size_t at = (size_t)(offset - s->written);

		*place_out =
			slice_of(s->memory + at, smaller(max, s->held - at));
		return true;
	}
	max = smaller(max, s->written - offset);
	if (s->written > s->mapped && !map_file(s))
		return false;
	*place_out = slice_of(s->map + offset, max);
	return true;
}

static bool has_plenty(int fd)
{
	struct statvfs disk;

	return fstatvfs(fd, &disk) == 0 &&
	       (uint64_t)disk.f_bavail * disk.f_frsize >= KEEP_FREE;
}

static bool keeps_file(const struct spool *s)
{
	return s->written && !s->broken && s->file_size <= KEEP_SIZE &&
	       clock_now() - s->opened_at <= KEEP_TIME && has_plenty(s->fd);
}

void spool_empty(struct spool *s)
{
	/* A small message after a large one gives back what that one had. */
	if (s->room > ROOM_FIRST && !s->written && s->held <= ROOM_FIRST)
		release_memory(s);
	if (s->has_file && !keeps_file(s))
		close_file(s);
	s->held = 0;
	s->written = 0;
}

void spool_release(struct spool *s)
{
	release_memory(s);
	close_file(s);
	s->held = 0;
	s->written = 0;
}
