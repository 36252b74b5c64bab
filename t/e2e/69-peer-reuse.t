#!/bin/bash
# Real milters serve one session after the other on one connection: they say
# the same as on a connection for each, and none has to be told twice.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/mail.sh"

SIX="pyspf opendkim opendmarc spamass clamav rspamd"
# shellcheck disable=SC2086 # a list of names
need_peers dns $SIX
need_programs "$SEKISHOD"
start_peer dns
mkdir -m 0700 "$T/spool"
printf 'From: <a@x.test>\nTo: <b@x.test>\nSubject: plain\n\nhello\n' \
	>"$T/plain.eml"

said() { # what the milter said and changed, of each message
	grep -oE '"(verdict|sender|body_size)":"?[^",]*|"edits":\[[^]]*\]' \
		"$T/mta.out" | sed -E 's/[0-9]{9,}|4[0-9A-Za-z]{12}|[0-9]+\.[0-9]+//g'
}
connects() {
	"$BUILDDIR/sekishoctl" metrics -s "$T/status.sock" |
		sed -n 's/^sekisho_milter_connects_total{.*} //p'
}

for p in $SIX; do
	start_peer "$p"
	free_port port
	for reuse in no yes; do
		cat >"$T/front.conf" <<-E2
			[server]
			listen = unix:$T/front.sock
			status = unix:$T/status.sock
			spool_directory = $T/spool
			workers_min = 1
			workers_max = 1
			[milter $p]
			socket = $(peer "$p" spec)
			reuse = $reuse
		E2
		SEKISHOD_LABEL=sekishod-$p-$reuse start_sekishod "$T/front.conf"
		# Its trial; whoever says accept at the end has none.
		mta -s "unix:$T/front.sock" -t 60s "$T/plain.eml"
		[ $reuse = no ] || PATIENCE=1 wait_for 2 in_file 'takes one session' \
			"$SEKISHO_LOG"
		before=$(connects)
		mta -s "unix:$T/front.sock" -t 60s --json --sessions 20 \
			"$T/plain.eml"
		said >"$T/said-$reuse"
		declare "n_$reuse=$(($(connects) - before))"
		cp "$SEKISHO_LOG" "$T/log-$reuse"
		SEKISHOD_LABEL=sekishod-$p-$reuse stop_sekishod
	done
	is "$p: a connection for each session" "$n_no" 20
	# Those that end a message with accept get a new one all the same.
	diag "$p: $n_yes connections with reuse = yes"
	ok "... twenty answers" [ "$(grep -c '"verdict' "$T/said-yes")" = 20 ]
	is "... the same with reuse" "$(sort "$T/said-yes")" \
		"$(sort "$T/said-no")"
	unlike "... on connections that it took" "$(cat "$T/log-yes")" \
		'takes no second session|failed'
done
done_testing
