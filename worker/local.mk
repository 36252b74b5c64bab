# one MTA connection at a time, and its children: knows shared
noinst_LIBRARIES += worker/libworker.a
worker_libworker_a_SOURCES = \
	worker/session.h \
	worker/worker.c \
	worker/worker.h

EXTRA_DIST +=
