#!/bin/bash
# Every odd or malformed packet of t/data/malformed-commands.txt from an MTA:
# the connection is closed or goes on as the table advises, and the next
# connection is served as ever.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

# What the advice leaves open, and what a table of letters cannot say:
# closed, or open and these answers.
declare -A WANT=(
	[mail_before_connect]=closed	# CONNECT is never negotiated away
	[body_before_eoh]=closed	# nor is EOH
	[data_before_rcpt]='open c'
	[connect_4_badip]='open c'	# passed on as text
	[mail_after_accept]='open c'	# we say continue where a child accepts
	[quit_early]=closed
	[pipelined_rcpts]='open crc'
	[bodyeob_payload]='open c'
	[quit_nc]='open O6c'
	[optneg_v2_flags0]='open O2'
	[optneg_v99]='open O6'
	[optneg_all_ones]='open O6'
)
start_child one 'at rcpt when rcpt ~ "rejrcpt" do reject'
start_child two ''
front '' one two
mark
timeout 240 python3 "$SRCDIR/t/lib/raw_mta.py" "unix:$T/front.sock" vectors \
	"$SRCDIR/t/data/malformed-commands.txt" >"$T/got.txt" 2>"$T/got.err" ||
	diag "$(cat "$T/got.err")"
lines=$(grep -cv '^\(#\|$\)' "$SRCDIR/t/data/malformed-commands.txt")
is "every line was played" "$(wc -l <"$T/got.txt")" "$lines"

check() { # ID ANSWERS ENDED NEXT ADVICE
	local want=${WANT[$1]:-}
	[ -n "$want" ] || case $5 in
	E*) want=closed ;;
	OK*) want=open ;;
	esac
	local got=$3
	case $want in *' '*) got="$3 $2" ;; esac
	is "$1: $5" "$got, $4" "$want, next"
}
while IFS=$'\t' read -r id _ _ _ _ _ advice; do
	case $id in '' | \#*) continue ;; esac
	IFS=$'\t' read -r answers ended next \
		<<<"$(sed -n "s/^$id\t//p" "$T/got.txt")"
	check "$id" "${answers:-}" "${ended:-}" "${next:-}" "$advice"
done < <(sed 's/\t\t/\t-\t/g' "$SRCDIR/t/data/malformed-commands.txt")

unlike "no answer came that was not owed" "$(cat "$T/got.txt")" '\+'
unlike "no worker died" "$(cat "$SEKISHO_LOG")" 'ended by signal|verdict=lost'
like "a breach is told as one" "$(cat "$SEKISHO_LOG")" 'MTA: .*connection closed'
is "every message after a case was accepted" \
	"$(lines_of ' nrcpt=1 .*verdict=accept' "$SEKISHO_LOG" |
		awk -v n="$lines" '{ print ($1 >= n) }')" 1
done_testing
