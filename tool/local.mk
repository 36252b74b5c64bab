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
noinst_LIBRARIES += tool/libctl.a
tool_libctl_a_SOURCES = \
	tool/ctl.c \
	tool/ctl.h \
	tool/ctl_ask.c \
	tool/ctl_client.c \
	tool/ctl_client.h \
	tool/ctl_conf.c \
	tool/ctl_explain.c \
	tool/ctl_find.c \
	tool/ctl_find.h \
	tool/ctl_online.c \
	tool/ctl_online.h \
	tool/ctl_online_postfix.c \
	tool/ctl_online_rights.c \
	tool/ctl_ping.c \
	tool/ctl_report.c \
	tool/ctl_top.c \
	tool/eml.c \
	tool/eml.h \
	tool/explain.c \
	tool/explain.h \
	tool/explain_options.c \
	tool/explain_print.c \
	tool/numbers.c \
	tool/numbers.h \
	tool/option_words.c \
	tool/option_words.h \
	tool/options.c \
	tool/options.h \
	tool/report.c \
	tool/report.h \
	tool/report_csv.c \
	tool/report_json.c \
	tool/run.c \
	tool/run.h \
	tool/screen.c \
	tool/screen.h \
	tool/top.c \
	tool/top.h

bin_PROGRAMS += sekishoctl
sekishoctl_SOURCES = tool/sekishoctl.c
sekishoctl_LDADD = tool/libctl.a $(SHARED)

EXTRA_DIST += tool/README.md
