# what plays an MTA, what plays a milter: knows shared
noinst_LIBRARIES += tool/libplay.a
tool_libplay_a_SOURCES = \
	tool/listener.c \
	tool/listener.h \
	tool/milter_facts.c \
	tool/milter_facts.h \
	tool/milter_record.c \
	tool/milter_record.h \
	tool/milter_rule.c \
	tool/milter_rule.h \
	tool/milter_session.c \
	tool/milter_session.h \
	tool/options.c \
	tool/options.h \
	tool/script.c \
	tool/script.h

bin_PROGRAMS += sekisho-milter
sekisho_milter_SOURCES = tool/sekisho-milter.c
sekisho_milter_LDADD = tool/libplay.a $(SHARED)

EXTRA_DIST += tool/README.md
