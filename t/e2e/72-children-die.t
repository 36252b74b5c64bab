#!/bin/bash
# Under load: a child is killed and comes back, a child is stopped and goes
# on.  What its policy says, for the messages it was at, and nothing else.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
need_programs
# breaker_failures = 0: here each failure is to be met, see 43 for the rest.

one() { start_child one 'at eom do delay 8ms; addheader "X-one" "1"'; }
two() { start_child two 'at eom do delay 2ms; addheader "X-two" "1"'; }
one
two

# ---- kill -9 and restart, three times
for policy in tempfail accept; do
	rm -f "$T"/one.log "$T"/two.log
	murder child-one
	murder child-two
	one
	two
	front 'workers_min=8;workers_max=30' "one;breaker_failures=0;on_failure=$policy" two
	load --sessions 300 --parallel 12 -n 8
	for n in 150 600 1100; do
		wait_for 30 load_goes "$n" || break
		murder child-one
		wait_for 5 load_goes $((n + 60))
		one
	done
	load_end
	account one two
	case $policy in
	tempfail) other=${FACT[tempfail]} ;;
	accept) other=$(lines_of 'passed_without=one' "$SEKISHO_LOG") ;;
	esac
	nothing_wrong "$policy: kill -9 of a child and restart"
	ok "... no session failed" test "${FACT[failure]}" = 0
	ok "... its policy was used ($other)" test "$other" -ge 3
	is "... every other message went through both" \
		"$((FACT[accept] + FACT[tempfail]))" "${FACT[messages]}"
	sent
	is "... afterwards a message passes" "$MTA_STATUS" 0
	like "... through both" "$(line)" ' one=continue.* two=continue'
done

# ---- SIGSTOP and SIGCONT: shorter than the patience, then longer
rm -f "$T"/one.log "$T"/two.log
murder child-one
murder child-two
one
two
long='breaker_failures=0;timeout_command=20s;timeout_eom=20s'
front 'workers_min=8;workers_max=30;step_deadline=9s' "one;$long" "two;$long"
load --sessions 60 --parallel 12 -n 8
wait_for 30 load_goes 60
kill -STOP "${PID[child-one]}"
# What had passed it may still end; then nothing does while it stands still.
still() {
	local n
	n=$(wc -l <"$T/load.json")
	sleep 0.5
	! load_goes $((n + 1)) && ! load_done
}
PATIENCE=1 ok "stopped for a short time: all wait" wait_for 5 still
kill -CONT "${PID[child-one]}"
load_end
account one two
is "... and none is the worse for it" "${FACT[accept]}" 480
nothing_wrong "SIGSTOP, shorter than the time limits"

front 'workers_min=8;workers_max=30' \
	'one;breaker_failures=0;timeout_connect=600ms;timeout_command=600ms;timeout_eom=600ms' two
rm -f "$T"/one.log "$T"/two.log
murder child-one
murder child-two
one
two
load --sessions 80 --parallel 12 -n 8
wait_for 30 load_goes 60
kill -STOP "${PID[child-one]}"
wait_for 20 load_goes 140
kill -CONT "${PID[child-one]}"
load_end
account one two
nothing_wrong "SIGSTOP, longer than the time limits"
ok "... its policy was used (${FACT[tempfail]})" test "${FACT[tempfail]}" -ge 12
is "... everybody got an answer" \
	"$((FACT[accept] + FACT[tempfail]))" "${FACT[messages]}"
like "... the log says why" "$(cat "$SEKISHO_LOG")" 'child "one": (timeout|connect) at'
sent
is "... afterwards a message passes" "$MTA_STATUS" 0

# ---- a child that dies by itself at some messages
murder child-two
start_child two 'at body when chance 1/20 do close
	at eom when chance 1/20 do addheader "X-two" "1"; close
	at eom do addheader "X-two" "1"'
rm -f "$T"/one.log
murder child-one
start_child one 'at eom do addheader "X-one" "1"'
front 'workers_min=8' 'one;breaker_failures=0' \
	'two;breaker_failures=0;on_failure=accept'
load --sessions 200 --parallel 8 -n 3
load_end
account one two
nothing_wrong "a child that closes now and then, policy accept"
is "... all pass" "${FACT[accept]}" 600
ok "... some without it" test \
	"$(lines_of 'passed_without=two' "$SEKISHO_LOG")" -ge 20
done_testing
