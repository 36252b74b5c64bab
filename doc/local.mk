# manual pages and notes
dist_man_MANS += \
	doc/sekisho-conditions.7 \
	doc/sekisho-milter.1 \
	doc/sekisho-mta.1 \
	doc/sekisho-status.7 \
	doc/sekisho.conf.5 \
	doc/sekishoctl.8 \
	doc/sekishod.8

EXTRA_DIST += \
	doc/board.md \
	doc/design.md \
	doc/milter-protocol.md \
	doc/performance.md
