# the supervisor: knows shared and worker/worker.h
noinst_LIBRARIES += server/libserver.a
server_libserver_a_SOURCES = \
	server/answer.c \
	server/answer.h \
	server/answer_http.c \
	server/answer_http.h \
	server/answer_metrics.c \
	server/answer_milter.c \
	server/answer_milters.c \
	server/answer_numbers.c \
	server/answer_status.c \
	server/answer_switch.c \
	server/answer_why.c \
	server/answer_wish.c \
	server/answer_workers.c \
	server/aside.c \
	server/aside.h \
	server/background.c \
	server/background.h \
	server/cells.c \
	server/cells.h \
	server/client.c \
	server/client.h \
	server/descriptors.c \
	server/descriptors.h \
	server/handover.c \
	server/handover.h \
	server/http.c \
	server/http.h \
	server/inherit.c \
	server/inherit.h \
	server/limits.c \
	server/limits.h \
	server/listen.c \
	server/listen.h \
	server/lost.c \
	server/lost.h \
	server/metrics.c \
	server/metrics.h \
	server/milter_seen.c \
	server/milter_seen.h \
	server/notify.c \
	server/notify.h \
	server/overload.c \
	server/overload.h \
	server/past.c \
	server/past.h \
	server/peer.c \
	server/peer.h \
	server/pool.c \
	server/pool.h \
	server/priv.c \
	server/priv.h \
	server/probe.c \
	server/probe.h \
	server/reload.c \
	server/reload.h \
	server/request.c \
	server/request.h \
	server/settings.c \
	server/settings.h \
	server/slots.c \
	server/slots.h \
	server/spawn.c \
	server/spawn.h \
	server/status.c \
	server/status.h \
	server/steer.c \
	server/steer.h \
	server/supervisor.c \
	server/supervisor.h \
	server/supervisor_change.c \
	server/supervisor_parts.h \
	server/supervisor_start.c \
	server/switches.c \
	server/switches.h \
	server/switches_text.c \
	server/upgrade.c \
	server/upgrade.h \
	server/why.c \
	server/why.h
server_libserver_a_CPPFLAGS = $(AM_CPPFLAGS) $(SYSTEMD_CFLAGS)

sbin_PROGRAMS += sekishod
sekishod_SOURCES = server/main.c
sekishod_LDADD = server/libserver.a worker/libworker.a $(SHARED)

EXTRA_DIST += server/README.md
