# manual pages and notes
dist_man_MANS += \
	doc/sekisho.conf.5 \
	doc/sekishod.8

EXTRA_DIST += \
	doc/board.md
