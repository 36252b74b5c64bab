#!/bin/bash
# Few connections are shared out among all workers, and so is the mail among
# several sockets of one milter.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

count_of() { # EXTENDED-REGEX: in the log of the sekishod at work
	lines_of "$1" "$SEKISHO_LOG"
}

at_once() { # NAME: of how many messages it heard at the same time
	awk '$2 !~ /^m[0-9]+$/ { next }
		$3 == "mail" { if (++n > max) max = n }
		$3 == "eom" { ends[$1] = 1 }
		$3 == ">" && ends[$1] { n--; delete ends[$1] }
		END { print max + 0 }' "$T/$1.log"
}

# ---- no more than so many, however many workers there are
start_child few 'at eom do delay 200ms; continue'
front 'workers_min=8' 'few;connections_max=2;timeout_connect=20s'
sent --sessions 16 --parallel 8
is "sixteen messages, eight at once: all pass" "$MTA_STATUS" 0
is "the milter never heard of more than two at once" "$(at_once few)" 2
ok "... each went through it" wait_for 10 new_lines 16
is "... by a connection of its own" "$(count_of ' few=continue')" 16

# ---- who waits in vain does so for timeout_connect, and that is not the
# milter's fault
start_child one 'at eom when session 1 do delay 60s; continue'
front 'workers_min=4' 'one;join=mail;connections_max=1;timeout_connect=400ms
timeout_eom=100s;on_failure=accept;breaker_failures=1;breaker_pause=1h'
start holder "$SEKISHO_MTA" -s "unix:$T/front.sock" -t 90s
ok "one session has the connection" \
	wait_for 10 in_file '^s1 m1 eom' "$T/one.log"
sent
like "another waits and goes without" "$(line)" \
	' one=failed\(late\)@mail passed_without=one verdict=accept'
like "... for as long as it may take to connect" "$(line)" \
	' time=([4-9][0-9][0-9]|[0-9]{4})ms'
like "... for that reason" "$(cat "$SEKISHO_LOG")" \
	'child "one": late at mail: no connection free in time'
expect_death holder
stop holder KILL
wait_for 10 new_lines 2
sent
like "when it is free again, the breaker is not open" "$(line)" \
	' one=continue'

# ---- between two messages a long session lets others have it
start_child polite ''
front 'workers_min=4' 'polite;connections_max=1;timeout_connect=20s'
start long "$SEKISHO_MTA" -s "unix:$T/front.sock" -t 60s -c '
	mail; rcpt; body "t\r\n"; eom; expect continue; wait 4s
	mail; rcpt; body "t\r\n"; eom; expect continue'
ok "a long session: the first message" \
	wait_for 10 in_file ' polite=continue' "$SEKISHO_LOG"
kill -STOP "${PID[long]}"
sent
like "... another session has its turn before the next" "$(line)" \
	' polite=continue'
kill -CONT "${PID[long]}"
reap long 0
is "... and all three went through" "$(count_of ' polite=continue')" 3

# ---- several sockets: the mail goes to both
both="socket=unix:$T/left.sock, unix:$T/right.sock"
start_child left 'at eom do delay 100ms; continue'
start_child right 'at eom do delay 100ms; continue'
front 'workers_min=4' "pair;$both"
sent --sessions 24 --parallel 4
is "two sockets: all pass" "$MTA_STATUS" 0
left=$(lines_of ' open$' "$T/left.log")
right=$(lines_of ' open$' "$T/right.log")
diag "24 sessions: $left and $right"
ok "... through either" [ "$left" -ge 6 -a "$right" -ge 6 ]
is "... and none twice" $((left + right)) 24

# ---- one of them is not there: left alone, and nobody notices
stop_child right
rm -f "$T/right.sock"
front 'workers_min=4' "pair;breaker_failures=1;breaker_pause=1h;$both"
sent --sessions 12 --parallel 4
is "one is dead: all pass" "$MTA_STATUS" 0
ok "... and are in the log" wait_for 10 new_lines 12
is "... through the other" "$(count_of ' pair=continue')" 12
like "... with a word about it" "$(cat "$SEKISHO_LOG")" \
	"child \"pair\": \"unix:$T/right.sock\" is left alone: No such file"
is "... that is no failure of the milter" "$(count_of 'child "pair": connect')" 0

# ---- it does not negotiate: likewise
start_child right 'at optneg do garbage 000000017a'
front 'workers_min=4' "pair;breaker_failures=1;breaker_pause=1h;$both"
sent -n 1 --sessions 6
is "one talks nonsense: all pass" "$MTA_STATUS" 0
like "... and it is left alone" "$(cat "$SEKISHO_LOG")" \
	"right.sock\" is left alone: "
is "... asked once" "$(log_since right | grep -c '^s[0-9]* optneg')" 1

# ---- it comes back
stop_child right
rm -f "$T/right.sock"
front '' "pair;breaker_failures=1;breaker_pause=300ms;$both"
gone() { sent && in_file 'right.sock" is left alone' "$SEKISHO_LOG"; }
back() { sent && in_file 'right.sock" answers again' "$SEKISHO_LOG"; }
ok "gone" wait_for 20 gone
start_child right ''
ok "it is tried again after a pause, and stays" wait_for 20 back
is "... no message failed" "$(count_of ' pair=failed')" 0

# ---- both are gone
stop_child left
stop_child right
rm -f "$T/left.sock" "$T/right.sock"
front '' "pair;join=mail;$both"
sent
like "none is there: it has failed" "$(line)" ' pair=failed\(connect\)@mail'
start_child left ''
sent
like "one that is left alone is tried when no other works" "$(line)" \
	' pair=continue'
done_testing
