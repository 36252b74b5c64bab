# what plays an MTA, what plays a milter: knows shared
noinst_LIBRARIES += tool/libplay.a
tool_libplay_a_SOURCES = \
	tool/eml.c \
	tool/eml.h \
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
	tool/mta_act.c \
	tool/mta_macro.c \
	tool/mta_macro.h \
	tool/mta_message.c \
	tool/mta_message.h \
	tool/mta_options.c \
	tool/mta_options.h \
	tool/mta_output.c \
	tool/mta_output.h \
	tool/mta_peer.c \
	tool/mta_peer.h \
	tool/mta_play.c \
	tool/mta_play.h \
	tool/mta_print.c \
	tool/mta_report.c \
	tool/mta_report.h \
	tool/mta_script.c \
	tool/mta_script.h \
	tool/mta_session.c \
	tool/mta_session.h \
	tool/mta_settings.h \
	tool/options.c \
	tool/options.h \
	tool/script.c \
	tool/script.h

bin_PROGRAMS += sekisho-mta
sekisho_mta_SOURCES = tool/sekisho-mta.c
sekisho_mta_LDADD = tool/libplay.a $(SHARED)

bin_PROGRAMS += sekisho-milter
sekisho_milter_SOURCES = tool/sekisho-milter.c
sekisho_milter_LDADD = tool/libplay.a $(SHARED)

# Not with libplay.a: what plays a milter has facts of its own, whose functions
# have the same names.
bin_PROGRAMS += sekishoctl
sekishoctl_SOURCES = \
	tool/eml.c \
	tool/eml.h \
	tool/explain.c \
	tool/explain.h \
	tool/explain_options.c \
	tool/explain_print.c \
	tool/options.c \
	tool/options.h \
	tool/sekishoctl.c
sekishoctl_LDADD = $(SHARED)

EXTRA_DIST += tool/README.md
