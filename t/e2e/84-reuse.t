#!/bin/bash
# A connection to a milter serves one session after the other; what a milter
# makes of it that does not know that is no failure and costs no message.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

ONE='workers_min=1;workers_max=1'
told() { # NAME: every command it heard, macros left out
	log_since "$1" | sed -nE 's/^s[0-9]+ (m[0-9]+ )?//p' |
		grep -oE '^(open|optneg|connect [^ ]*|helo|mail|eom|quit_nc|quit|close)' |
		paste -sd' '
}
opens() { log_since "$1" | grep -c '^s[0-9]* open'; }
# Until one worker has seen that it says nothing to QUIT_NC, nobody reuses.
known_to_take_it() { # NAME
	played "$1: a first session is its trial" 'mail; rcpt; eom; expect continue'
	ok "... which it passes" wait_for 10 in_file \
		"child \"$1\": takes one session after the other" "$SEKISHO_LOG"
}
nothing_in_log() { # NAME: it has not failed
	is "... no failure is counted or told" \
		"$(grep -cE "child \"$1\": (connect|timeout|closed|protocol|late) at|failed" \
			"$SEKISHO_LOG")" 0
}
two() { # TEXT: two sessions of two clients, one behind the other
	played "$1" 'mail; rcpt; body "t\r\n"; eom; expect continue' \
		-m 'mail:{auth_authen}=anna' --client 'a.test[192.0.2.1]'
	local before=$BEFORE file=$T/$2.log mark=${HEARD_BEFORE[$T/$2.log]:-0}
	played "... and a second" 'mail; rcpt; body "t\r\n"; eom; expect continue' \
		--client 'b.test[192.0.2.2]'
	BEFORE=$before HEARD_BEFORE[$file]=$mark
}

# ---- as libmilter has it
start_child known ''
front "$ONE" 'known;reuse=yes'
known_to_take_it known
# On a busy machine the second may come too late.
for _ in 1 2 3 4 5; do
	two "a first session" known
	[[ "$(told known)" != *quit_nc* ]] || break
done
is "the second one has the same connection" "$(told known)" \
	"open optneg connect a.test helo mail eom quit_nc connect b.test helo mail eom"
unlike "... and knows nothing of the first" \
	"$(log_since known | sed '1,/quit_nc/d')" 'anna|a\.test'
ok "nobody comes for a second: it is let go" \
	wait_for 10 in_file '^s2 close' "$T/known.log"
like "... with QUIT" "$(told known)" ' quit close$'
played "one more" 'mail; rcpt; body "t\r\n"; eom; expect continue'
nothing_in_log known
start_child each ''
front "$ONE" 'each;reuse=no'
like "a worker that leaves says QUIT, too" "$(told known)" ' quit close$'
two "reuse = no" each
is "... a connection for each session" "$(opens each)" 2

# ---- only behind an end of message that it let pass
while IFS='|' read -r name script talk; do
	start_child "$name" "$script"
	front "$ONE" "$name;reuse=yes"
	mark
	played "$name" "$talk"
	is "... gets QUIT and a new connection" "$(heard "$name" >/dev/null
		told "$name" | grep -oE '(quit_nc.*|quit close|close)$')" "quit close"
done <<'E2'
accepts|at eom do accept|mail; rcpt; eom; expect continue
refuses|at eom do reject|mail; rcpt; eom; expect reject
goes_on||mail; rcpt; eom; expect continue; mail; rcpt
no_mail||helo "x.test"
old|option version 5|mail; rcpt; eom; expect continue
mute|option protocol nr_conn nr_helo|mail; rcpt; eom; expect continue
E2

# ---- where it is not wanted
start_child few ''
front "$ONE" 'few;reuse=yes;connections_max=3'
two "connections_max" few
is "... a connection for each session" "$(opens few)" 2

# ---- those that do not know it: the trial tells
start_child answers 'at quit_nc do continue; at connect do delay 30ms'
front "$ONE" 'answers;reuse=yes;breaker_failures=1'
played "one that answers QUIT_NC" 'mail; rcpt; eom; expect continue'
ok "... is found out by that" wait_for 10 in_file \
	'child "answers": takes no second session' "$SEKISHO_LOG"
two "... and never asked to" answers
is "... a connection for each session" "$(opens answers)" 2
nothing_in_log answers
start_child closes 'at quit_nc do close'
front "$ONE" 'closes;reuse=yes;breaker_failures=1'
played "one that closes at QUIT_NC" 'mail; rcpt; eom; expect continue'
ok "... closes" wait_for 10 in_file '^s1 close' "$T/closes.log"
two "... has passed no trial" closes
is "... a connection for each session" "$(opens closes)" 2
nothing_in_log closes

# ---- ... or the next session, which loses nothing by it
start_child hangs 'at quit_nc do delay 60s'
front "$ONE" 'hangs;reuse=yes;breaker_failures=1'
known_to_take_it hangs
for _ in 1 2 3 4 5; do
	two "one that is silent behind QUIT_NC: a first session" hangs
	! in_file 'did not take a second' "$SEKISHO_LOG" || break
done
is "... all went through it" "$(grep -c " hangs=continue" "$SEKISHO_LOG")" \
	"$(grep -c " verdict=accept" "$SEKISHO_LOG")"
like "... and it has to show anew that it can" "$(cat "$SEKISHO_LOG")" \
	'child "hangs": did not take a second session on a connection'
nothing_in_log hangs
start_child late 'at eom when session 2 do continue; delay 50ms; reject'
front "$ONE" 'late;reuse=yes'
known_to_take_it late
played "a word behind its last one" 'mail; rcpt; eom; expect continue'
ok "... is said" wait_for 10 in_file '^s2 .*> reject' "$T/late.log"
played "... and is not the next client's" 'mail; rcpt; eom; expect continue'
like "... which ends it" "$(cat "$SEKISHO_LOG")" \
	'child "late": takes no second session on a connection'

# ---- slow at the end on a connection that it has taken over
start_child thinks 'at eom do addheader "X-One" "1"; replbody "new body\r\n"
	delay 1300ms; continue'
front "$ONE" 'thinks;reuse=yes'
known_to_take_it thinks
for n in 1 2; do
	sent
	is "what it says in session $n counts once" \
		"$(grep -oE '"edit":"[a-z]*"|"body_size":[0-9]*' \
			"$T/mta.out" | paste -sd' ')" \
		'"body_size":10 "edit":"addheader" "edit":"replbody"'
done
is "... and it is asked once each" \
	"$(grep -cE '^s[0-9]+ m[0-9]+ eom' "$T/thinks.log")" 3
nothing_in_log thinks

# ---- restarted while nobody speaks with it
start_child again ''
front "$ONE" 'again;reuse=yes;breaker_failures=1'
known_to_take_it again
played "one that is restarted" 'mail; rcpt; eom; expect continue'
murder child-again
start_child again ''
played "... between two sessions" 'mail; rcpt; eom; expect continue'
is "... is heard again" "$(grep -cE '^s[0-9]+ m[0-9]+ eom' "$T/again.log")" 3
nothing_in_log again
done_testing
