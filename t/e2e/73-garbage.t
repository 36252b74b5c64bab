#!/bin/bash
# Under load: children that answer garbage now and then, at each stage and
# after their last word.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
need_programs

# Of each kind: an unknown letter, a length no packet has, one that never
# ends, an answer with bytes too many, an edit cut short, text of another
# protocol.
kinds=(000000017a 7fffffff63 0000004063 0000000463aabbcc 0000000568583a00
	'"220 mx.example.org ESMTP\r\n"' 0000000000 00000001ff)
stages=(optneg connect helo mail rcpt data header eoh body eom)
script=
for i in "${!stages[@]}"; do
	for k in 0 1 2 3 4 5 6 7; do
		script+="at ${stages[i]} when chance 1/150 do garbage ${kinds[k]}
"
	done
done
last='at eom when chance 1/8 do addheader "X-wild" "1"; continue; garbage 000000017a
	at eom when chance 1/8 do addheader "X-wild" "1"; continue; continue
	at eom when chance 1/8 do addheader "X-wild" "1"; continue; close
	at eom when chance 1/8 do addheader "X-wild" "1"; garbage 000000017a
	at eom do addheader "X-wild" "1"'
start_child tame 'at eom do addheader "X-tame" "1"'
start_child wild "$script$last" --seed 7

for order in chain free strict; do
	for policy in tempfail accept; do
		rm -f "$T/tame.log" "$T/wild.log"
		murder child-tame
		murder child-wild
		start_child tame 'at eom do addheader "X-tame" "1"'
		start_child wild "$script$last" --seed 7
		front 'workers_min=8' \
			"wild;order=$order;on_failure=$policy;timeout_command=300ms;timeout_eom=300ms;timeout_connect=300ms" \
			tame
		load --sessions 120 --parallel 8 -n 4
		load_end
		account tame wild
		nothing_wrong "$order, $policy"
		is "... no MTA lost its connection" "${FACT[failure]}" 0
		is "... no worker died" "$(lines_of \
			'ended by signal|verdict=lost' "$SEKISHO_LOG")" 0
		failed=$(lines_of ' wild=failed' "$SEKISHO_LOG")
		ok "... garbage was met ($failed)" test "$failed" -ge 20
		case $policy in
		tempfail) is "... and had no other effect" \
			"$((FACT[accept] + FACT[tempfail] + FACT[reject]))" \
			"${FACT[messages]}" ;;
		accept) is "... and had no effect" "${FACT[accept]}" \
			"${FACT[messages]}" ;;
		esac
	done
done

# One after the other: garbage behind the last word does not touch the message
# it comes after, and the next one is served.
n=0
for after in 'garbage 000000017a' 'garbage 7fffffff63' continue reject 'addheader "X-after" "1"' close; do
	n=$((n + 1))
	start_child "after$n" "at eom do addheader \"X-after$n\" \"1\"; continue; $after"
	front '' "after$n" tame
	for pause in 0 100; do
		played "after the last word, $after: both messages pass ($pause ms)" \
			"rcpt; eom; expect continue; wait ${pause}ms
			mail; rcpt; eom; expect continue"
		is "... through it" "$(line 1 | grep -c " after$n=continue")$(
			line 2 | grep -c " after$n=continue")" 11
	done
done
done_testing
