#!/bin/bash
# Under load behind a real Postfix: workers are killed, a child is killed and
# comes back; what Postfix has taken is delivered, once, filtered.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
. "$SRCDIR/t/lib/mail.sh"
. "$SRCDIR/t/lib/processes.sh"
need_peers postfix
need_programs "$SEKISHOD" "$SEKISHO_MILTER"
# shellcheck disable=SC2034 # read by house.sh
EXPECTED_WORKER_DEATHS="SIGKILL"
N=600

one() { start_child one 'at eom do delay 5ms; addheader "X-one" "1"'; }
one
start_child two 'at eom do addheader "X-two" "1"'
# shellcheck disable=SC2034 # read by front
FRONT_OPTIONS="mode=0666"
front 'workers_min=8;workers_max=40' one two
start_postfix --milters "unix:$T/front.sock" \
	--set milter_connect_timeout=5s --set milter_command_timeout=10s

start sender timeout -k 5 400 python3 "$SRCDIR/t/lib/smtp_load.py" send \
	"$(peer postfix port)" $N 8 10
sent_are() { [ "$(lines_of '^sent' "$T/sender.out")" -ge "$1" ]; }
killed=0
for n in 40 90 140 190 240 290 340 390; do
	wait_for 30 sent_are "$n" || break
	# Half of the workers: some of them have a message in hand.
	for p in $(workers "sekishod-$FRONT" | shuf -n 4); do
		kill -KILL "$p" && killed=$((killed + 1))
	done
	case $n in 140 | 290)
		murder child-one
		# Some messages meet nobody there.
		wait_for 10 in_file 'one=failed\(connect\)' "$SEKISHO_LOG"
		one
		;;
	esac
done
STOP_LIMIT=400 PATIENCE=1 reap sender 0
ok "workers were killed under load ($killed)" test "$killed" -ge 16
is "every message was taken in the end" "$(lines_of '^sent' "$T/sender.out")" $N
is "... none was refused for good" \
	"$(lines_of '^(refused|given-up)' "$T/sender.out")" 0
tries=$(awk '/^sent/ && $4 > 1' "$T/sender.out" | wc -l)
ok "... some at a later try ($tries)" test "$tries" -ge 1

box=$(peer postfix mail)
delivered_all() { [ "$(find "$box" -type f 2>/dev/null | wc -l)" -ge $N ]; }
wait_for 40 delivered_all
while read -r word number; do
	case $word in
	delivered) is "none was lost, none delivered twice" "$number" $N ;;
	different) is "... each is another message" "$number" $N ;;
	damaged) is "... whole" "$number" 0 ;;
	X-*) is "... with $word, once" "$number" $N ;;
	esac
done < <(python3 "$SRCDIR/t/lib/smtp_load.py" check "$box" X-one X-two)

lines_settle
accepted=$(lines_of ' verdict=accept' "$SEKISHO_LOG")
lost=$(lines_of ' verdict=lost' "$SEKISHO_LOG")
put_off=$(lines_of ' verdict=tempfail' "$SEKISHO_LOG")
diag "$killed workers killed: $accepted accepted, $put_off put off, $lost lost"
ok "the log accounts for what was taken ($accepted + $lost)" \
	test "$accepted" -le $N -a "$((accepted + lost))" -ge $N
ok "... the dead child's messages were put off ($put_off)" \
	test "$put_off" -ge 1
# A worker killed right behind its line is told as lost as well: rather one line
# too many than none.
is "... each queue id has one line at most" "$(
	grep -v ' verdict=lost ' "$SEKISHO_LOG" |
		sed -nE 's/^sekishod\[[0-9]+\]: ([^ ]+): from=.* verdict=.*/\1/p' |
		grep -v NOQUEUE | sort | uniq -d | wc -l)" 0
unaccounted=0
while read -r _ _ id _; do
	grep -q ": $id: from=" "$SEKISHO_LOG" || unaccounted=$((unaccounted + 1))
done < <(grep '^sent' "$T/sender.out")
is "... and what was taken has one" "$unaccounted" 0
is "nothing is left in Postfix's queue" \
	"$(find "$(peer postfix dir)"/queue/{active,deferred,hold,incoming} \
		-type f | wc -l)" 0
done_testing
