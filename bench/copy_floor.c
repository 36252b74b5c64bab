/*
 * copy_floor - what it costs to move a message and nothing else
 *
 *	copy_floor BYTES READERS ROUNDS
 *
 * Takes so many bytes from a unix socket in reads of 64 KiB, as an MTA sends
 * them, and then writes them to each of the readers, one after the other, in
 * writes of 64 KiB: what any manager must do with a large message for children
 * in a chain.  Prints the CPU of this process alone in microseconds a round.
 * The peers are processes of their own that end with it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE ((size_t)64 * 1024)

static char piece[PIECE];

static void read_for_ever(int fd)
{
	while (read(fd, piece, sizeof(piece)) > 0)
		continue;
}

/* Sends all bytes each time it is told to by one byte. */
static void send_for_ever(int fd, size_t bytes)
{
	char go;

	while (read(fd, &go, 1) == 1)
		for (size_t left = bytes; left;) {
			ssize_t n = write(fd, piece,
					  left < PIECE ? left : PIECE);

			if (n <= 0)
				return;
			left -= (size_t)n;
		}
}

/* Our end of a connection to a new process that sends, or reads. */
static int start_peer(size_t bytes_to_send)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		perror("copy_floor: socketpair");
		exit(1);
	}
	switch (fork()) {
	case -1:
		perror("copy_floor: fork");
		exit(1);
	case 0:
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		if (bytes_to_send)
			send_for_ever(ends[1], bytes_to_send);
		else
			read_for_ever(ends[1]);
		_exit(0);
	default:
		close(ends[1]);
		return ends[0];
	}
}

static void take_all(int fd, char *to, size_t bytes)
{
	size_t have = 0;

	if (write(fd, "g", 1) != 1)
		exit(1);
	while (have < bytes) {
		ssize_t n = read(fd, to + have,
				 bytes - have < PIECE ? bytes - have : PIECE);

		if (n <= 0)
			exit(1);
		have += (size_t)n;
	}
}

static void give_all(int fd, const char *from, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = write(fd, from + done,
				  bytes - done < PIECE ? bytes - done : PIECE);

		if (n <= 0)
			exit(1);
		done += (size_t)n;
	}
}

static double cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
	size_t bytes = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
	int readers = argc == 4 ? (int)strtoul(argv[2], NULL, 10) : 0;
	int rounds = argc == 4 ? (int)strtoul(argv[3], NULL, 10) : 0;
	int fds[64], sender;
	char *message = malloc(bytes ? bytes : 1);
	double before;

	if (!bytes || readers < 1 || readers > 64 || rounds < 1 || !message) {
		fprintf(stderr, "usage: copy_floor BYTES READERS ROUNDS\n");
		return 2;
	}
	sender = start_peer(bytes);
	for (int i = 0; i < readers; i++)
		fds[i] = start_peer(0);
	memset(message, 0, bytes);
	before = cpu_us();
	for (int i = 0; i < rounds; i++) {
		take_all(sender, message, bytes);
		for (int k = 0; k < readers; k++)
			give_all(fds[k], message, bytes);
	}
	printf("%.0f\n", (cpu_us() - before) / rounds);
	return 0;
}
