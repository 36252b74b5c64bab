# one MTA connection at a time, and its children: knows shared
noinst_LIBRARIES += worker/libworker.a
worker_libworker_a_SOURCES = \
	worker/body.c \
	worker/body.h \
	worker/chain.c \
	worker/chain.h \
	worker/child.c \
	worker/child.h \
	worker/child_reuse.c \
	worker/choose.c \
	worker/choose.h \
	worker/deliver.c \
	worker/deliver.h \
	worker/dialect.c \
	worker/dialect.h \
	worker/edit.c \
	worker/edit.h \
	worker/feed.c \
	worker/feed.h \
	worker/hear.c \
	worker/hear.h \
	worker/journal.c \
	worker/journal.h \
	worker/keeper.c \
	worker/keeper.h \
	worker/member.c \
	worker/member.h \
	worker/message.c \
	worker/message.h \
	worker/mta.c \
	worker/mta.h \
	worker/observe.c \
	worker/observe.h \
	worker/reserve.c \
	worker/reserve.h \
	worker/reserve_talk.c \
	worker/reserve_talk.h \
	worker/rulebook.c \
	worker/rulebook.h \
	worker/session.c \
	worker/session.h \
	worker/session_envelope.c \
	worker/session_message.c \
	worker/session_parts.h \
	worker/spool.c \
	worker/spool.h \
	worker/standing.c \
	worker/standing.h \
	worker/summary.c \
	worker/summary.h \
	worker/verdict.c \
	worker/verdict.h \
	worker/watch.h \
	worker/wish.c \
	worker/wish.h \
	worker/worker.c \
	worker/worker.h

EXTRA_DIST += worker/README.md
