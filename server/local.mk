# the supervisor: knows shared and worker/worker.h
noinst_LIBRARIES += server/libserver.a
server_libserver_a_SOURCES = \
	server/background.c \
	server/background.h \
	server/limits.c \
	server/limits.h \
	server/listen.c \
	server/listen.h \
	server/notify.c \
	server/notify.h \
	server/overload.c \
	server/overload.h \
	server/pool.c \
	server/pool.h \
	server/priv.c \
	server/priv.h \
	server/spawn.c \
	server/spawn.h \
	server/supervisor.c \
	server/supervisor.h
server_libserver_a_CPPFLAGS = $(AM_CPPFLAGS) $(SYSTEMD_CFLAGS)

sbin_PROGRAMS += sekishod
sekishod_SOURCES = server/main.c
sekishod_LDADD = server/libserver.a worker/libworker.a $(SHARED) \
	$(SYSTEMD_LIBS)

EXTRA_DIST += server/README.md
