# Unit tests by folder, whole programs, fuzz targets, the property test.
#
# A unit test links its own folder's library and what that folder may know:
# a call in the wrong direction does not link.
AM_TESTS_ENVIRONMENT = \
	SEKISHOD='$(abs_top_builddir)/sekishod'; export SEKISHOD; \
	SEKISHO_MTA='$(abs_top_builddir)/sekisho-mta'; export SEKISHO_MTA; \
	SEKISHO_MILTER='$(abs_top_builddir)/sekisho-milter'; \
	export SEKISHO_MILTER; \
	SRCDIR='$(abs_top_srcdir)'; export SRCDIR; \
	BUILDDIR='$(abs_top_builddir)'; export BUILDDIR; \
	T_DATA='$(abs_top_srcdir)/t/data'; export T_DATA; \
	CC='$(CC)'; export CC;

TEST_EXTENSIONS = .t
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) \
	$(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TAP_DRIVER)
LOG_COMPILER = $(top_srcdir)/t/lib/criterion.sh
T_LOG_DRIVER = $(TAP_DRIVER)
T_LOG_COMPILER = $(top_srcdir)/t/lib/limit.sh

TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) \
	-DT_DATA=\"$(abs_top_srcdir)/t/data\" \
	-DT_SRCDIR=\"$(abs_top_srcdir)\"
# Criterion's own macros are not ours to mend.
TEST_CFLAGS = $(AM_CFLAGS) -Wno-undef -Wno-conversion -Wno-cast-qual \
	-Wno-shadow -Wno-missing-prototypes

UNIT_SUPPORT = \
	t/unit/support/describe.c \
	t/unit/support/describe.h \
	t/unit/support/expect_log.c \
	t/unit/support/expect_log.h \
	t/unit/support/page_end.c \
	t/unit/support/page_end.h \
	t/unit/support/vectors.c \
	t/unit/support/vectors.h

UNIT_TESTS =
if HAVE_CRITERION
check_PROGRAMS += t/unit/test_shared
UNIT_TESTS += t/unit/test_shared
t_unit_test_shared_SOURCES = \
	$(UNIT_SUPPORT) \
	t/unit/support/cond_play.c \
	t/unit/support/cond_play.h \
	t/unit/support/reading.c \
	t/unit/support/reading.h \
	t/unit/shared/arena.c \
	t/unit/shared/board.c \
	t/unit/shared/board_breaker.c \
	t/unit/shared/breaker.c \
	t/unit/shared/buf.c \
	t/unit/shared/builtin.c \
	t/unit/shared/clock.c \
	t/unit/shared/cond_eval.c \
	t/unit/shared/cond_explain.c \
	t/unit/shared/cond_match.c \
	t/unit/shared/cond_parse.c \
	t/unit/shared/conf.c \
	t/unit/shared/conf_change.c \
	t/unit/shared/conf_cond.c \
	t/unit/shared/conf_file.c \
	t/unit/shared/conf_json.c \
	t/unit/shared/conf_print.c \
	t/unit/shared/conf_problem.c \
	t/unit/shared/conf_table.c \
	t/unit/shared/endpoint.c \
	t/unit/shared/endpoint_cache.c \
	t/unit/shared/facts.c \
	t/unit/shared/header_list.c \
	t/unit/shared/header_list_model.c \
	t/unit/shared/histogram.c \
	t/unit/shared/io.c \
	t/unit/shared/json.c \
	t/unit/shared/log.c \
	t/unit/shared/log_file.c \
	t/unit/shared/macro.c \
	t/unit/shared/milter_answer.c \
	t/unit/shared/milter_command.c \
	t/unit/shared/milter_frame.c \
	t/unit/shared/milter_name.c \
	t/unit/shared/milter_option.c \
	t/unit/shared/mime_text.c \
	t/unit/shared/network.c \
	t/unit/shared/probe.c \
	t/unit/shared/rule.c \
	t/unit/shared/slice.c \
	t/unit/shared/table.c \
	t/unit/shared/tri.c
t_unit_test_shared_CPPFLAGS = $(TEST_CPPFLAGS)
t_unit_test_shared_CFLAGS = $(TEST_CFLAGS)
t_unit_test_shared_LDADD = $(SHARED) $(CRITERION_LIBS)

check_PROGRAMS += t/unit/test_worker
UNIT_TESTS += t/unit/test_worker
t_unit_test_worker_SOURCES = \
	$(UNIT_SUPPORT) \
	t/unit/worker/body.c \
	t/unit/worker/chain.c \
	t/unit/worker/child.c \
	t/unit/worker/child_reuse.c \
	t/unit/worker/child_stand.c \
	t/unit/worker/child_stand.h \
	t/unit/worker/choose.c \
	t/unit/worker/deliver.c \
	t/unit/worker/dialect.c \
	t/unit/worker/edit.c \
	t/unit/worker/hear.c \
	t/unit/worker/journal.c \
	t/unit/worker/keeper.c \
	t/unit/worker/leaks.c \
	t/unit/worker/message.c \
	t/unit/worker/mta.c \
	t/unit/worker/puppet.c \
	t/unit/worker/puppet.h \
	t/unit/worker/reserve_talk.c \
	t/unit/worker/spool.c \
	t/unit/worker/stand.c \
	t/unit/worker/stand.h \
	t/unit/worker/summary.c \
	t/unit/worker/verdict.c \
	t/unit/worker/wish.c
t_unit_test_worker_CPPFLAGS = $(TEST_CPPFLAGS)
t_unit_test_worker_CFLAGS = $(TEST_CFLAGS)
t_unit_test_worker_LDADD = worker/libworker.a $(SHARED) $(CRITERION_LIBS)

check_PROGRAMS += t/unit/test_server
UNIT_TESTS += t/unit/test_server
t_unit_test_server_SOURCES = \
	$(UNIT_SUPPORT) \
	t/unit/server/aside.c \
	t/unit/server/background.c \
	t/unit/server/cells.c \
	t/unit/server/descriptors.c \
	t/unit/server/handover.c \
	t/unit/server/http.c \
	t/unit/server/inherit.c \
	t/unit/server/limits.c \
	t/unit/server/listen.c \
	t/unit/server/lost.c \
	t/unit/server/metrics.c \
	t/unit/server/notify.c \
	t/unit/server/overload.c \
	t/unit/server/past.c \
	t/unit/server/pool.c \
	t/unit/server/priv.c \
	t/unit/server/probe.c \
	t/unit/server/request.c \
	t/unit/server/spawn.c \
	t/unit/server/switches.c \
	t/unit/server/why.c
t_unit_test_server_CPPFLAGS = $(TEST_CPPFLAGS)
t_unit_test_server_CFLAGS = $(TEST_CFLAGS)
t_unit_test_server_LDADD = server/libserver.a worker/libworker.a $(SHARED) $(CRITERION_LIBS)

check_PROGRAMS += t/unit/test_tool
UNIT_TESTS += t/unit/test_tool
t_unit_test_tool_SOURCES = \
	$(UNIT_SUPPORT) \
	t/unit/tool/eml.c \
	t/unit/tool/milter_rule.c \
	t/unit/tool/mta_message.c \
	t/unit/tool/mta_script.c \
	t/unit/tool/numbers.c \
	t/unit/tool/script.c \
	t/unit/tool/top.c
t_unit_test_tool_CPPFLAGS = $(TEST_CPPFLAGS)
t_unit_test_tool_CFLAGS = $(TEST_CFLAGS)
t_unit_test_tool_LDADD = tool/libplay.a tool/libctl.a $(SHARED) $(CRITERION_LIBS)

endif

# Without libFuzzer each target replays its corpus.
if FUZZ
FUZZ_MAIN =
else
FUZZ_MAIN = t/fuzz/replay.c
endif
check_PROGRAMS += t/fuzz/fuzz_cond_parse
t_fuzz_fuzz_cond_parse_SOURCES = t/fuzz/fuzz_cond_parse.c \
	t/unit/support/cond_play.c t/unit/support/cond_play.h $(FUZZ_MAIN)
t_fuzz_fuzz_cond_parse_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_cond_parse_LDADD = $(SHARED)
check_PROGRAMS += t/fuzz/fuzz_conf_read
t_fuzz_fuzz_conf_read_SOURCES = t/fuzz/fuzz_conf_read.c $(FUZZ_MAIN)
t_fuzz_fuzz_conf_read_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_conf_read_LDADD = $(SHARED)
check_PROGRAMS += t/fuzz/fuzz_milter_answer
t_fuzz_fuzz_milter_answer_SOURCES = t/fuzz/fuzz_milter_answer.c $(FUZZ_MAIN)
t_fuzz_fuzz_milter_answer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_milter_answer_LDADD = $(SHARED)
check_PROGRAMS += t/fuzz/fuzz_milter_command
t_fuzz_fuzz_milter_command_SOURCES = t/fuzz/fuzz_milter_command.c $(FUZZ_MAIN)
t_fuzz_fuzz_milter_command_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_milter_command_LDADD = $(SHARED)
check_PROGRAMS += t/fuzz/fuzz_milter_frame
t_fuzz_fuzz_milter_frame_SOURCES = t/fuzz/fuzz_milter_frame.c $(FUZZ_MAIN)
t_fuzz_fuzz_milter_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_milter_frame_LDADD = $(SHARED)
check_PROGRAMS += t/fuzz/fuzz_script
t_fuzz_fuzz_script_SOURCES = t/fuzz/fuzz_script.c $(FUZZ_MAIN)
t_fuzz_fuzz_script_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_script_LDADD = tool/libplay.a $(SHARED)
check_PROGRAMS += t/fuzz/fuzz_status
t_fuzz_fuzz_status_SOURCES = t/fuzz/fuzz_status.c $(FUZZ_MAIN)
t_fuzz_fuzz_status_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_status_LDADD = server/libserver.a $(SHARED)
check_PROGRAMS += t/fuzz/fuzz_table
t_fuzz_fuzz_table_SOURCES = t/fuzz/fuzz_table.c $(FUZZ_MAIN)
t_fuzz_fuzz_table_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_table_LDADD = $(SHARED)
EXTRA_DIST += t/fuzz/replay.c

check_PROGRAMS += t/prop/chain_prop
t_prop_chain_prop_SOURCES = \
	t/prop/chain_prop.c \
	t/prop/generate.c \
	t/prop/model.c \
	t/prop/model.h \
	t/prop/model_content.c \
	t/prop/model_edit.c \
	t/prop/model_talk.c \
	t/prop/play.c \
	t/prop/prop.h \
	t/prop/report.c \
	t/prop/stage.c \
	t/prop/support.c
t_prop_chain_prop_LDADD = $(SHARED)

# They run in this order, several at once: those that take longest first.
E2E_SLOW = \
	t/e2e/67-peer-free-and-late.t \
	t/e2e/66-peer-all-six.t \
	t/e2e/22-chain-property.t \
	t/e2e/59-counters.t \
	t/e2e/68-peer-failures.t \
	t/e2e/41-status.t \
	t/e2e/43-breaker.t \
	t/e2e/40-switches.t \
	t/e2e/27-deadlines.t \
	t/e2e/62-peer-spamass.t \
	t/e2e/63-peer-clamav.t \
	t/e2e/64-peer-rspamd.t \
	t/e2e/65-peer-pyspf.t \
	t/e2e/60-peer-opendkim.t \
	t/e2e/61-peer-opendmarc.t \
	t/e2e/48-sekishoctl-top.t \
	t/e2e/56-overload.t \
	t/e2e/72-children-die.t \
	t/e2e/47-connections.t \
	t/e2e/50-pool.t \
	t/e2e/14-tools-real.t \
	t/e2e/39-tables-and-limits.t \
	t/e2e/24-modes.t

E2E_TESTS = $(E2E_SLOW) \
	t/e2e/00-house.t \
	t/e2e/01-settings.t \
	t/e2e/10-tools-answers.t \
	t/e2e/11-tools-edits.t \
	t/e2e/12-tools-strict.t \
	t/e2e/13-tools-conduct.t \
	t/e2e/20-talk-five-cases.t \
	t/e2e/23-orders.t \
	t/e2e/25-failures.t \
	t/e2e/26-joining.t \
	t/e2e/28-limits.t \
	t/e2e/29-dialects.t \
	t/e2e/30-explain.t \
	t/e2e/31-conditions-settings.t \
	t/e2e/32-s25r-postfix.t \
	t/e2e/33-spamass-by-size.t \
	t/e2e/33-time-and-size.t \
	t/e2e/34-joining-by-condition.t \
	t/e2e/35-spf-then-greylist.t \
	t/e2e/36-milters-behind.t \
	t/e2e/37-recipients.t \
	t/e2e/38-rules.t \
	t/e2e/42-metrics.t \
	t/e2e/44-reload.t \
	t/e2e/45-upgrade.t \
	t/e2e/46-socket-activation.t \
	t/e2e/48-manual.t \
	t/e2e/48-sekishoctl-check.t \
	t/e2e/48-sekishoctl.t \
	t/e2e/49-report.t \
	t/e2e/51-deaths.t \
	t/e2e/52-orphans.t \
	t/e2e/53-stop.t \
	t/e2e/54-start.t \
	t/e2e/55-notify.t \
	t/e2e/57-log-file.t \
	t/e2e/58-service.t \
	t/e2e/69-peer-reuse.t \
	t/e2e/70-load.t \
	t/e2e/71-malformed-commands.t \
	t/e2e/73-garbage.t \
	t/e2e/74-resources.t \
	t/e2e/75-abort.t \
	t/e2e/76-postfix-load.t \
	t/e2e/77-hostile-mta.t \
	t/e2e/78-rules-over-messages.t \
	t/e2e/79-refused-recipients.t \
	t/e2e/80-rights.t \
	t/e2e/81-journal.t \
	t/e2e/84-reuse.t \
	t/e2e/85-silent-envelope.t \
	t/e2e/90-fuzz-replay.t

TESTS += $(UNIT_TESTS) $(E2E_TESTS)
check-unit:
	$(MAKE) check TESTS='$(UNIT_TESTS)'
check-e2e:
	$(MAKE) check TESTS='$(E2E_TESTS)'
.PHONY: check-unit check-e2e

EXTRA_DIST += $(E2E_TESTS) \
	t/README.md \
	t/lib/account.py \
	t/lib/ask.py \
	t/lib/ask_many.py \
	t/lib/banned.txt \
	t/lib/board.py \
	t/lib/chain.sh \
	t/lib/criterion.sh \
	t/lib/crowd.py \
	t/lib/fake_status.py \
	t/lib/grok.py \
	t/lib/hostile_client.py \
	t/lib/house.sh \
	t/lib/http_ask.py \
	t/lib/limit.sh \
	t/lib/load.sh \
	t/lib/mail.sh \
	t/lib/metric_names.py \
	t/lib/processes.sh \
	t/lib/raw_mta.py \
	t/lib/smtp_load.py \
	t/lib/smtp_send.py \
	t/lib/tally.py \
	t/lib/terminal.py \
	t/prop/README.md

# Corpora, vectors, the peers' settings and the bench are many small files.
dist-hook:
	cd $(srcdir) && for d in bench t/data t/fuzz/corpus t/peers; do \
		test ! -d $$d || find $$d -type f; \
	done | while read -r f; do \
		$(MKDIR_P) "$(abs_top_builddir)/$(distdir)/$${f%/*}" && \
		cp -p "$$f" "$(abs_top_builddir)/$(distdir)/$$f" || exit 1; \
	done
