#!/bin/bash
# What the status socket answers, and that nobody can make it a burden.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs

ask() { # WORD...: the answer is in ANSWER
	local status=0
	ANSWER=$(timeout 100 python3 "$SRCDIR/t/lib/ask.py" "$T/status.sock" \
		"$@" 2>&1) || status=$?
	return "$status"
}
is_json() { python3 -m json.tool <<<"$ANSWER" >/dev/null; }
json() { # EXPRESSION over the object a
	python3 -c "import json, sys; a = json.load(sys.stdin); print($1)" \
		<<<"$ANSWER"
}

start_child no 'at eom do reply "550 5.7.1 \"spam\""'
start_child held 'at eom do delay 60s; continue'
start_child plain ''
front "status=unix:$T/status.sock;control=unix:$T/control.sock;workers_max=40;spare_max=40" \
	plain 'no' 'eval;mode=evaluate;on_failure=accept'
SUPERVISOR=${PID[sekishod-1]}
mark
mta -s "unix:$T/front.sock" -c \
	'mail "<from@example.org>"; rcpt; data; body "text\r\n"; eom'
is "a message is refused" "$MTA_STATUS" 10
ok "and logged" wait_for 10 in_file ' verdict=reject' "$SEKISHO_LOG"
ID=$(line | sed 's/.*: \([^ ]*\): from=.*/\1/')
[ -n "$ID" ] || bail "no queue id in: $(line)"

# ------------------------------------------------------------- every request
ok "help" ask help
like "help tells requests" "$ANSWER" '^why \[QUEUEID\] +what became'
unlike "... none of which this socket refuses" "$ANSWER" '^(off|reload)'
for word in status milters 'milter no' workers top why config 'config -n' \
	metrics 'metrics prometheus' numbers; do
	# shellcheck disable=SC2086 # words
	ok "$word" ask $word
done
ask status
like "status: version, pid, time" "$ANSWER" \
	"^version +[0-9.a-z]+, pid $SUPERVISOR, up [0-9]+s, phase run$"
like "status: settings" "$ANSWER" "^settings +$T/front.conf, generation "
like "status: messages" "$ANSWER" '^messages +1, in work 0, accept 0, reject 1,'
ask milters
like "milters: a row" "$ANSWER" \
	'^no +on +closed +1 +0 +1 +0 +0 +0 eom +[0-9.]+[mu]?s'
like "milters: a failed one" "$ANSWER" '^eval +evaluate +closed +0 '
ask milter no
like "milter: what it answered" "$ANSWER" '^eom +0 +0 +1 +0 +0 +0 +[0-9.]+[mu]?s'
like "milter: its socket" "$ANSWER" "^socket 0 +unix:$T/no.sock, 0 connections$"
ask milter eval
like "milter: how often it failed" "$ANSWER" 'failed_connect [1-9]'
not_ok "milter: none of this name" ask milter nobody
is "... is told" "$ANSWER" 'no milter "nobody" in the settings'
ask why "$ID"
like "why: verdict" "$ANSWER" '^  verdict +reject$'
like "why: by whom" "$ANSWER" '^  by +no$'
like "why: stage" "$ANSWER" '^  stage +eom$'
like "why: reply" "$ANSWER" '^  reply +550 5.7.1 .x22spam.x22$'
is "why: milters in their order" \
	"$(awk '$1 == "milter" { print $2 }' <<<"$ANSWER" | tr '\n' ' ')" \
	"plain no eval "
not_ok "why: an id nobody knows" ask why NoSuchId
like "... is told" "$ANSWER" 'nothing is remembered of "NoSuchId"'
ask why
like "why: the last ones in a line each" "$ANSWER" "^20.*Z $ID: from="
ask workers
like "workers: a row" "$ANSWER" '^ *[0-9]+ idle +[0-9.]+[mu]?s +- +- +[0-9]+'
ask config -n
like "config -n" "$ANSWER" '^\[milter eval\]$'
unlike "config -n: no defaults" "$ANSWER" 'late_refusal'
ask config
like "config: with defaults" "$ANSWER" 'late_refusal'
not_ok "an unknown word" ask nonsense
is "... is told" "$ANSWER" '"nonsense" is no request: see help'
not_ok "too many words" ask status now
not_ok "numbers of a time before the start" ask numbers since 5d
like "... are not there" "$ANSWER" 'no numbers are kept that are so old'

# -------------------------------------------------------------------- as JSON
for word in '' status milters 'milter no' workers top why "why $ID"; do
	# shellcheck disable=SC2086 # words
	ok "json $word" ask json $word
	ok "json $word: is JSON" is_json
	is "json $word: has a version" "$(json 'a["schema"]')" 1
	is "json $word: one line" "$(wc -l <<<"$ANSWER")" 1
done
ask json
is "json: everything" \
	"$(json '" ".join(sorted(a))')" \
	"in_work messages milters schema status workers"
ask json why "$ID"
is "json why: text as it was" "$(json 'a["messages"][0]["reply"]')" \
	'550 5.7.1 "spam"'
is "json why: milters" \
	"$(json '[m["word"] for m in a["messages"][0]["milters"]][1]')" 'reject@eom'
not_ok "what has no JSON form says so" ask json numbers

# -------------------------------------------------------------- while in work
front "status=unix:$T/status.sock;control=unix:$T/control.sock;workers_max=40;spare_max=40" held
start mta "$SEKISHO_MTA" -s "unix:$T/front.sock" -c \
	'mail "<slow@example.org>"; rcpt; data; body "x"; eom'
in_work() { ask json why && [ "$(json 'len(a["in_work"])')" = 1 ] &&
	[ "$(json 'a["in_work"][0]["waits_for"]')" = held ]; }
ok "why: a message in work" wait_for 10 in_work
ID=$(json 'a["in_work"][0]["queue_id"]')
ask why "$ID"
like "... where it is" "$ANSWER" '^  stage +eom, for '
like "... who keeps it" "$ANSWER" '^  waits for +held$'
ask top
like "top: who waits" "$ANSWER" '^ *[0-9]+ busy +[0-9.]+[mu]?s +eom +held '
ask status
like "status: one in work" "$ANSWER" '^messages +1, in work 1'
expect_death mta
kill "${PID[mta]}"
reap mta 0 143

# --------------------------------------------------------------- hostile ones
front "status=unix:$T/status.sock;workers_min=1;spare_min=1;workers_max=40;spare_max=40" plain
SUPERVISOR=${PID[sekishod-3]}
hostile() { timeout -k 5 180 python3 "$SRCDIR/t/lib/hostile_client.py" \
	"$T/status.sock" "$@"; }
answers_in_time() { timeout 30 python3 "$SRCDIR/t/lib/ask.py" \
	"$T/status.sock" status >/dev/null; }

coproc SILENT { hostile silent 150; }
SILENT_IN=${SILENT[1]} SILENT_OUT=${SILENT[0]}
read -r -t 60 WORD <&"$SILENT_OUT"
is "150 clients that say nothing" "$WORD" ready
ok "... keep nobody away" answers_in_time
is "... and at most 64 are kept" \
	"$(ss -xH state established src "$T/status.sock" 2>/dev/null | wc -l |
		awk '{ print ($1 <= 64) ? "so" : $1 }')" so

coproc FLOOD { hostile flood 20; }
FLOOD_IN=${FLOOD[1]} FLOOD_OUT=${FLOOD[0]}
read -r -t 60 WORD <&"$FLOOD_OUT"
is "20 clients that ask without end and read nothing" "$WORD" ready
ok "... keep nobody away" answers_in_time
crowd_start "unix:$T/front.sock" 20
ok "... and the pool grows meanwhile" \
	wait_for 10 crowd_says "answered 20 ended 0" count
played "... and a message is served" \
	'mail; rcpt; data; body "text\r\n"; eom; expect continue'
ok "... and status answers still" answers_in_time
crowd_stop
memory=$(awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$SUPERVISOR/status")
diag "the supervisor's memory: $memory MiB"
ok "... without much memory of the supervisor" test "$memory" -lt 100
exec {SILENT_IN}>&- {FLOOD_IN}>&-

hostile garbage 300
is "garbage" "$?" 0
ok "... changes nothing" answers_in_time
is "thousands of requests at once are answered" "$(hostile hurry 5000)" \
	"answers 5000"
hostile silent 0 </dev/null >"$T/closes"
is "a client that only closes" "$?" 0
like "no end of line" "$(head -c 3000 /dev/zero | tr '\0' x |
	timeout 60 python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
print(s.recv(1000).decode())' "$T/status.sock")" 'error [0-9]+'
ok "it serves mail as before" played "a last message" \
	'mail; rcpt; data; body "text\r\n"; eom; expect continue'

# ---------------------------------------------------------------------- drain
front "status=unix:$T/status.sock;control=unix:$T/control.sock" plain
not_ok "the status socket does not drain" ask drain
ok "the control socket does" timeout 60 python3 "$SRCDIR/t/lib/ask.py" \
	"$T/control.sock" drain
ok "... and it ends" wait_for 10 not_running sekishod-4
like "who has said so stands in the log" "$(cat "$T/sekishod-4.out")" \
	'uid [0-9]+ \([a-z]+\), pid [0-9]+: drain'
expect_death sekishod-4
reap sekishod-4
is "a drain ends well" "$STATUS" 0
is "the sockets are gone" "$(find "$T" -name '*s.sock' -o -name 'control.sock')" ""
done_testing
