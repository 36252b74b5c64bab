# bytes, protocol, settings, board: knows nobody
noinst_LIBRARIES += shared/libshared.a
shared_libshared_a_SOURCES = \
	shared/arena.c \
	shared/arena.h \
	shared/board.c \
	shared/board.h \
	shared/board_breaker.c \
	shared/board_bytes.h \
	shared/board_control.c \
	shared/board_layout.h \
	shared/board_name.c \
	shared/board_note.c \
	shared/board_read.c \
	shared/board_ring.c \
	shared/breaker.c \
	shared/breaker.h \
	shared/buf.c \
	shared/buf.h \
	shared/builtin.c \
	shared/builtin.h \
	shared/clock.c \
	shared/clock.h \
	shared/cond.h \
	shared/cond_eval.c \
	shared/cond_explain.c \
	shared/cond_match.c \
	shared/cond_match.h \
	shared/cond_parse.c \
	shared/cond_parser.h \
	shared/cond_test.c \
	shared/cond_tree.h \
	shared/cond_value.c \
	shared/cond_words.c \
	shared/conf.h \
	shared/conf_change.c \
	shared/conf_change.h \
	shared/conf_check.c \
	shared/conf_cond.c \
	shared/conf_cond.h \
	shared/conf_json.c \
	shared/conf_json.h \
	shared/conf_lines.c \
	shared/conf_lines.h \
	shared/conf_print.c \
	shared/conf_problem.c \
	shared/conf_read.c \
	shared/conf_table.c \
	shared/conf_table.h \
	shared/conf_value.c \
	shared/conf_value.h \
	shared/endpoint.c \
	shared/endpoint.h \
	shared/endpoint_cache.c \
	shared/endpoint_cache.h \
	shared/facts.c \
	shared/facts.h \
	shared/header_list.c \
	shared/header_list.h \
	shared/histogram.c \
	shared/histogram.h \
	shared/io.c \
	shared/io.h \
	shared/json.c \
	shared/json.h \
	shared/log.c \
	shared/log.h \
	shared/log_file.c \
	shared/log_file.h \
	shared/macro.c \
	shared/macro.h \
	shared/milter.h \
	shared/milter_answer.c \
	shared/milter_answer.h \
	shared/milter_command.c \
	shared/milter_command.h \
	shared/milter_frame.c \
	shared/milter_frame.h \
	shared/milter_name.c \
	shared/milter_option.c \
	shared/milter_option.h \
	shared/mime_text.c \
	shared/mime_text.h \
	shared/network.c \
	shared/network.h \
	shared/probe.c \
	shared/probe.h \
	shared/rule.c \
	shared/rule.h \
	shared/rule_parse.c \
	shared/rule_text.c \
	shared/rule_text.h \
	shared/slice.c \
	shared/slice.h \
	shared/table.c \
	shared/table.h \
	shared/table_build.c \
	shared/table_cidr.c \
	shared/table_list.c \
	shared/table_parts.h \
	shared/table_regexp.c \
	shared/tri.h
shared_libshared_a_CPPFLAGS = $(AM_CPPFLAGS) $(PCRE2_CFLAGS)

EXTRA_DIST += shared/README.md

# What every program that links this library needs behind it.
SHARED = shared/libshared.a $(PCRE2_LIBS) $(INIPARSER_LIBS)
