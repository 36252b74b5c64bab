/*
 * io - connect, read and write without ever blocking by surprise
 *
 * Descriptors are close-on-exec, and non-blocking unless io_be_patient() was
 * called.  The worker polls for itself; io_wait() is for the tools and for
 * the one-peer cases.
 * Every call answers one of five words; errno is set with IO_ERROR.
 */
#ifndef SHARED_IO_H
#define SHARED_IO_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "shared/buf.h"

enum io_result {
	IO_OK = 0,
	IO_AGAIN,   /* nothing to do right now: poll */
	IO_EOF,	    /* the peer closed */
	IO_TIMEOUT, /* the deadline passed */
	IO_ERROR,
};

/*
 * Begins to connect; *fd_out is the new socket, or -1 with IO_ERROR.  IO_OK:
 * connected.  IO_AGAIN: poll for writing, then ask io_connected().  A unix
 * listener whose queue is full gives IO_ERROR with errno EAGAIN.
 */
enum io_result io_connect(const struct sockaddr *addr, socklen_t len,
			  int *fd_out);
/*
 * Makes a TCP socket send small packets at once; false: it is not TCP.
 * io_connect() has done it for what it gives.
 */
bool io_no_delay(int fd);
/*
 * Acknowledges at once what came over TCP.  A peer that answers pipelined
 * commands one by one (libmilter) otherwise waits for each of our delayed
 * acknowledgements, 40 ms a time.  The kernel forgets it: call after each read.
 */
void io_quick_ack(int fd);

/* After poll said writable: IO_OK or IO_ERROR with errno. */
enum io_result io_connected(int fd);

/* Reads once, up to max bytes, behind the end of b. */
enum io_result io_read(int fd, struct buf *b, size_t max);
/*
 * A socket of which io_await() may wait so long, in microseconds (the kernel
 * rounds up to its own ticks).  It blocks in read() from now on: read after
 * poll only.  False: it can't be had, errno tells.
 */
bool io_be_patient(int fd, uint64_t patience);
/*
 * Waits for bytes of a patient socket and reads them behind the end of b: one
 * call where poll and read are two.  `least` bytes are waited for and no more
 * are read; 0: whatever comes, up to max.  IO_TIMEOUT: nothing came.
 */
enum io_result io_await(int fd, struct buf *b, size_t max, size_t least);
/*
 * Writes as much of b as goes and uses it up; IO_OK: b is empty now.  When not
 * all of it went, the peer's buffer is full: IO_AGAIN.
 */
enum io_result io_write(int fd, struct buf *b);
/*
 * Writes pieces in one go; *written_out bytes have gone.  IO_AGAIN: not all of
 * them.  EFAULT: a piece is mapped from a file that cannot be read.
 */
enum io_result io_write_pieces(int fd, struct iovec *pieces, size_t count,
			       size_t *written_out);
/* Waits for events (POLLIN, POLLOUT): IO_OK, IO_TIMEOUT or IO_ERROR. */
enum io_result io_wait(int fd, short events, uint64_t deadline);
/* Writes all of b, waiting until the deadline. */
enum io_result io_write_all(int fd, struct buf *b, uint64_t deadline);
/*
 * Is anything to be read, or has the peer gone?  IO_AGAIN: neither, the line
 * is quiet.  IO_OK: bytes are waiting.  IO_EOF, IO_ERROR: gone.
 */
enum io_result io_peek(int fd);

#endif
