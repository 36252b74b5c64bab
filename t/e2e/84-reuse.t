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
two "a first session" known
is "the second one has the same connection" "$(told known)" \
	"open optneg connect a.test helo mail eom quit_nc connect b.test helo mail eom"
unlike "... and knows nothing of the first" \
	"$(log_since known | sed '1,/quit_nc/d')" 'anna|a\.test'
ok "nobody comes for a second: it is let go" \
	wait_for 10 in_file '^s1 close' "$T/known.log"
like "... with QUIT" "$(told known)" ' quit close$'
nothing_in_log known

# ---- only behind an end of message that it let pass
while IFS='|' read -r name script talk; do
	start_child "$name" "$script"
	front "$ONE" "$name;reuse=yes"
	mark
	played "$name" "$talk"
	is "... gets QUIT and a new connection" "$(heard "$name" >/dev/null
		told "$name" | grep -oE '(quit_nc|quit close|close)$')" "quit close"
done <<'E2'
accepts|at eom do accept|mail; rcpt; eom; expect continue
refuses|at eom do reject|mail; rcpt; eom; expect reject
goes_on||mail; rcpt; eom; expect continue; mail; rcpt
no_mail||helo "x.test"
E2

# ---- where it is not wanted
start_child each ''
front "$ONE" 'each;reuse=no'
two "reuse = no" each
is "... a connection for each session" "$(opens each)" 2
start_child few ''
front "$ONE" 'few;reuse=yes;connections_max=3'
two "connections_max" few
is "... a connection for each session" "$(opens few)" 2

# ---- those that do not know it
while IFS='|' read -r name script what; do
	start_child "$name" "$script"
	front "$ONE" "$name;reuse=yes;breaker_failures=1"
	two "one that $what: a first session" "$name"
	ok "... both went through it" wait_for 10 new_lines 2
	is "... all the way" "$(grep -c " $name=continue" "$SEKISHO_LOG")" 2
	nothing_in_log "$name"
	played "... a third" 'mail; rcpt; eom; expect continue'
	played "... a fourth" 'mail; rcpt; eom; expect continue'
	played "... a fifth" 'mail; rcpt; eom; expect continue'
	played "... a sixth" 'mail; rcpt; eom; expect continue'
	is "... of which it has heard all" \
		"$(grep -cE '^s[0-9]+ m[0-9]+ eom' "$T/$name.log")" 6
	like "... and is not asked to any more" "$(cat "$SEKISHO_LOG")" \
		"child \"$name\": takes no second session on a connection"
	nothing_in_log "$name"
done <<'E2'
closes|at quit_nc do close|closes at QUIT_NC
hangs|at quit_nc do delay 60s|is silent behind it
answers|at quit_nc do continue|answers it
E2

# ---- restarted while nobody speaks with it
start_child again ''
front "$ONE" 'again;reuse=yes;breaker_failures=1'
played "one that is restarted" 'mail; rcpt; eom; expect continue'
murder child-again
start_child again ''
played "... between two sessions" 'mail; rcpt; eom; expect continue'
is "... is heard again" "$(grep -cE '^s[0-9]+ m[0-9]+ eom' "$T/again.log")" 2
nothing_in_log again
done_testing
