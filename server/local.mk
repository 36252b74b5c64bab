# the supervisor: knows shared and worker/worker.h
noinst_LIBRARIES += server/libserver.a
server_libserver_a_SOURCES = \
	server/aside.c \
	server/aside.h \
	server/background.c \
	server/background.h \
	server/cells.c \
	server/cells.h \
	server/descriptors.c \
	server/descriptors.h \
	server/handover.c \
	server/handover.h \
	server/inherit.c \
	server/inherit.h \
	server/limits.c \
	server/limits.h \
	server/listen.c \
	server/listen.h \
	server/notify.c \
	server/notify.h \
	server/pool.c \
	server/pool.h \
	server/priv.c \
	server/priv.h \
	server/reload.c \
	server/reload.h \
	server/settings.c \
	server/settings.h \
	server/spawn.c \
	server/spawn.h \
	server/supervisor.c \
	server/supervisor.h \
	server/upgrade.c \
	server/upgrade.h
server_libserver_a_CPPFLAGS = $(AM_CPPFLAGS) $(SYSTEMD_CFLAGS)

sbin_PROGRAMS += sekishod
sekishod_SOURCES = server/main.c
sekishod_LDADD = server/libserver.a worker/libworker.a $(SHARED) \
	$(SYSTEMD_LIBS)

EXTRA_DIST += server/README.md
