#!/bin/bash
# A child that fails again and again is left alone: its policy holds at once,
# one session tries it, and a probe brings it back.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

count_of() { # EXTENDED-REGEX: in the log of the sekishod at work
	lines_of "$1" "$SEKISHO_LOG"
}

start_child below ''

# ---- opens after so many failures, whichever worker saw them.  Each worker
# serves one session, so that no two failures are seen by the same one.
front 'sessions_max=1' \
	"gone;join=mail;on_failure=accept;breaker_failures=3;breaker_pause=1h" below
for i in 1 2 3; do
	sent
	like "failure $i is its own" "$(line)" ' gone=failed\(connect\)@mail'
done
sent
like "then its policy holds" "$(line)" \
	' gone=failed\(breaker\)@mail below=continue.* passed_without=gone verdict=accept'
is "... as the MTA is told" "$MTA_STATUS" 0
sent
like "... and goes on to" "$(line)" ' gone=failed\(breaker\)@mail'
is "that it opens is told once" "$(count_of 'child "gone": left alone')" 1
is "each failure is told, and no message left alone" \
	"$(count_of 'child "gone": [a-z]+ at ')" 3

# ---- outside a message it is settled at MAIL, as other failures are
front '' "gone;breaker_failures=1;breaker_pause=1h"
sent
like "a failure at connect opens" "$(line)" ' gone=failed\(breaker\)@mail'
is "... and MAIL is put off" "$MTA_STATUS" 11

# ---- settings that name another socket: what was known is not of it
start_child moved ''
sed -i "s,^socket = .*,socket = unix:$T/moved.sock," "$T/front.conf"
kill -HUP "${PID[sekishod-$FRONT]}"
ok "a reload changes its socket" \
	wait_for 20 in_file 'generation 2: milter gone: socket$' "$SEKISHO_LOG"
sent
like "... and it is asked at once" "$(line)" ' gone=continue'
sed -i 's,^\(breaker_pause\) *=.*,\1 = 30m,' "$T/front.conf"
stop_child moved
sent
like "it fails again" "$(line)" ' gone=failed\(breaker\)@mail'
kill -HUP "${PID[sekishod-$FRONT]}"
ok "a reload changes something else" wait_for 20 in_file \
	'generation 3: milter gone: breaker_pause$' "$SEKISHO_LOG"
sent
like "... and it stays left alone" "$(line)" ' gone=failed\(breaker\)@mail'

# ---- without limits it is asked for ever
front '' "gone;join=mail;on_failure=accept;breaker_failures=0"
sent -n 8
is "breaker_failures = 0: never left alone" \
	"$(count_of ' gone=failed\(connect\)@mail')" 8

# ---- a success takes back a quarter of a failure
start_child odd 'at mail when session 1 do garbage 000000017a
	at mail when session 2 do garbage 000000017a
	at mail when session 7 do garbage 000000017a'
front '' "odd;join=mail;on_failure=accept;breaker_failures=2;breaker_pause=1h"
sent --client 'b.example[192.0.2.2]' # the first of two clients: no count yet
sent --client 'a.example[192.0.2.1]' --sessions 5
sent --client 'b.example[192.0.2.2]'
is "one failure in five does no harm" "$(count_of 'left alone')" 0
is "... all were some" "$(count_of ' odd=failed\(protocol\)@mail')" 3

# ---- one session has the trial, and the others do not wait for it.  Session
# 1 and 2, of two clients, open the breaker, 3 is the probe, 4 hangs in its
# trial.
start_child slow 'at mail when session 1 do garbage 000000017a
	at mail when session 2 do garbage 000000017a
	at mail when session 4 do silence'
front 'step_deadline_postfix=40s
mta_timeout=60s' \
	"slow;join=mail;on_failure=accept;breaker_failures=1;breaker_pause=40s
timeout_connect=39s;timeout_command=12s"
sent --client 'b.example[192.0.2.2]'
like "one client's failure" "$(line)" ' slow=failed\(protocol\)@mail'
is "... does not open it" "$(count_of 'left alone')" 0
sent --client 'a.example[192.0.2.1]'
like "another's does" "$(line)" ' slow=failed\(protocol\)@mail'
ok "a probe finds that it negotiates" \
	wait_for 30 in_file 'milter "slow" negotiates again' "$SEKISHO_LOG"
start trial "$SEKISHO_MTA" -s "unix:$T/front.sock" -t 60s
ok "one session tries it" wait_for 20 in_file '^s4 m1 mail' "$T/slow.log"
sent --sessions 3
is "the others meet the policy at once" "$MTA_STATUS" 0
like "... as the first line says" "$(line 1)" ' slow=failed\(breaker\)@mail'
like "... and the last" "$(line 3)" ' slow=failed\(breaker\)@mail'
is "... nobody else asked it" "$(lines_of '^s[0-9]+ m1 mail' "$T/slow.log")" 3
ok "... and the trial went on meanwhile" running trial
ok "it ends as a timeout" \
	wait_for 40 in_file ' slow=failed\(timeout\)@mail' "$SEKISHO_LOG"
reap trial 0
probed_twice() { [ "$(count_of 'milter "slow" negotiates again')" = 2 ]; }
ok "a trial that fails opens again: it is probed again" \
	wait_for 40 probed_twice
sent
like "... and the next trial goes well" "$(line)" ' slow=continue'

# ---- the probe brings it back, and mail does not have to try
front '' "late;join=mail;breaker_failures=1;breaker_pause=6s;timeout_connect=6s"
sent
like "it is not there" "$(line)" ' late=failed\(connect\)@mail'
sent
like "... and left alone" "$(line)" ' late=failed\(breaker\)@mail'
start_child late ''
ok "the probe notices when it comes" \
	wait_for 30 in_file 'milter "late" negotiates again' "$SEKISHO_LOG"
sent
like "the next message goes through it" "$(line)" ' late=continue'
is "... which closes the breaker" \
	"$(count_of 'child "late": answers again')" 1
like "the probe is polite" "$(grep -A3 '^s1 open' "$T/late.log" | tail -1)" \
	'^s1 quit'

# ---- in evaluate mode it is left alone likewise, without effect
front '' "gone;mode=evaluate;join=mail;breaker_failures=2;breaker_pause=1h" below
sent -n 3
like "evaluated: the second failure" "$(line 2)" ' \(gone=failed\(connect\)@mail'
like "... and then left alone" "$(line 3)" ' \(gone=failed\(breaker\)@mail'
is "... no message suffers" "$MTA_STATUS" 0

# ---- a crafted message cannot switch a scanner off
start_child scanner 'at eom when body contains "crash" do close'
front '' "scanner;on_failure=accept;breaker_failures=1;breaker_pause=1h"
printf 'Subject: x\r\n\r\ncrash\r\n' >"$T/crash.eml"
for i in 1 2 3; do
	sent --client 'a.example[192.0.2.1]' "$T/crash.eml"
done
is "one client crashed it three times" \
	"$(count_of ' scanner=failed\(closed\)@eom')" 3
sent
like "... and others are scanned as ever" "$(line)" ' scanner=continue'
sent --client 'b.example[192.0.2.2]' "$T/crash.eml"
sent
like "a second client: it is the scanner that fails" "$(line)" \
	' scanner=failed\(breaker\)@mail'

# ---- a connection that is still open from before leads nowhere either: the
# MTA's next message on it does not pay for what others have seen
start_child both 'at mail when session 2 do garbage 000000017a
	at mail when session 3 do garbage 000000017a'
front '' "both;on_failure=accept;breaker_failures=1;breaker_pause=1h"
start long "$SEKISHO_MTA" -s "unix:$T/front.sock" -t 60s -c '
	mail; rcpt; body "t\r\n"; eom; expect continue; wait 4s
	mail; rcpt; body "t\r\n"; eom; expect continue'
ok "a long session: the first message" \
	wait_for 10 in_file ' both=continue' "$SEKISHO_LOG"
kill -STOP "${PID[long]}"
sent --client 'b.example[192.0.2.2]'
sent --client 'a.example[192.0.2.1]'
like "... another session opens the breaker" "$(line)" \
	' both=failed\(protocol\)@mail'
kill -CONT "${PID[long]}"
reap long 0
like "... its next message is not told to the child" "$(line 2)" \
	' both=failed\(breaker\)@mail'

# ---- a child that hangs under load costs a bounded number of timeouts
load() { # BREAKER_FAILURES: figures in TIMEOUTS, BREAKERS, TOOK
	local began
	start_child "hung$1" ''
	front 'workers_min=8' "hung$1;join=mail;on_failure=accept
breaker_failures=$1;breaker_pause=1h;timeout_connect=1s;timeout_command=1s"
	sent
	is "before it hangs it answers ($1)" "$(count_of " hung$1=continue")" 1
	kill -STOP "${PID[child-hung$1]}"
	began=${EPOCHREALTIME/[.,]/}
	sent --sessions 40 --parallel 8
	TOOK=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
	is "all 40 messages pass ($1)" "$MTA_STATUS" 0
	kill -CONT "${PID[child-hung$1]}"
	ok "... and are in the log ($1)" wait_for 10 new_lines 40
	TIMEOUTS=$(count_of " hung$1=failed\((timeout|connect)\)@")
	BREAKERS=$(count_of " hung$1=failed\(breaker\)@")
	diag "breaker_failures = $1: 40 messages, 8 at once, in $TOOK ms:" \
		"$TIMEOUTS timeouts of 1 s, $BREAKERS left alone at once"
}
load 0
is "without a breaker every message waits" "$TIMEOUTS" 40
load 5
ok "with one, so many as open it and those at the same time" \
	[ "$TIMEOUTS" -ge 5 -a "$TIMEOUTS" -le 13 ]
is "... and no other" $((TIMEOUTS + BREAKERS)) 40
done_testing
