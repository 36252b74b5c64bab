#!/bin/bash
# sekishoctl top: on a terminal, which it leaves as it was, and without one.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"

CTL=${SEKISHOCTL:-$BUILDDIR/sekishoctl}
need_programs "$SEKISHOD" "$SEKISHO_MTA" "$SEKISHO_MILTER" "$CTL"

start_child clamav 'at eom do continue'
cat >"$T/t.conf" <<END
[server]
listen = unix:$T/s.sock
status = unix:$T/status.sock
control = unix:$T/control.sock
spool_directory = $T
[milter clamav]
socket = unix:$T/clamav.sock
END
start_sekishod "$T/t.conf"
printf 'Subject: a\n\nbody\n' >"$T/a.eml"
mta -s "unix:$T/s.sock" -n 20 "$T/a.eml" || bail "could not play"

# -------------------------------------------------------------------- text
"$CTL" top -c "$T/t.conf" -1 >"$T/out" 2>"$T/err"
is "-1: ends well" "$?$(cat "$T/err")" 0
is "... one picture" "$(lines_of '^sekishod ' "$T/out")" 1
like "... since the start" "$(head -1 "$T/out")" 'rates since the start'
like "... with the milter" "$(cat "$T/out")" '^clamav +on +closed +[0-9.]+ '
is "... and nothing for terminals" "$(lines_of $'\033' "$T/out")" 0
"$CTL" top -c "$T/t.conf" -n 3 -i 0.1 >"$T/out"
is "-n 3: three pictures" "$(lines_of '^sekishod ' "$T/out")" 3
is "... the others of an interval" \
	"$(lines_of 'rates of ([1-9][0-9]*\.[0-9]|0\.[1-9]) s' "$T/out")" 2
timeout 60 "$CTL" top -c "$T/t.conf" -i 0.1 2>"$T/err" | head -30 >/dev/null
is "the reader of a pipe may go away" "$(cat "$T/err")" ""
"$CTL" top -c "$T/t.conf" -i 0 >"$T/out" 2>&1
is "no interval of nothing" "$?" 2

# A rate: 20 messages between two pictures that are far enough apart to hold
# them and near enough to be seen.
start top "$CTL" top -c "$T/t.conf" -n 2 -i 3
wait_for 20 in_file '^clamav' "$T/top.out" || bail "no picture"
mta -s "unix:$T/s.sock" -n 20 "$T/a.eml"
reap top 0
rate=$(awk '/^a second/ { r = $6 } END { print r }' "$T/top.out")
seconds=$(awk '/rates of/ { r = $(NF - 1) } END { print r }' "$T/top.out")
is "20 messages in an interval" "$(awk -v r="$rate" -v s="$seconds" \
	'BEGIN { print (r * s > 19 && r * s < 21) }')" 1

# The server goes away and comes back: -n goes on.
start again "$CTL" top -c "$T/t.conf" -n 60 -i 0.25
wait_for 20 in_file '^clamav' "$T/again.out" || bail "no picture"
stop_sekishod
wait_for 20 in_file '^the server is away, trying again' "$T/again.out"
is "-n: a server that is away is told of" "$?" 0
start_sekishod "$T/t.conf"
pictures() { # two since it was away
	[ "$(sed '1,/is away/d' "$T/again.out" | grep -c '^sekishod ')" -ge 2 ]
}
wait_for 20 pictures
is "... and goes on when it is there again" "$?" 0
ok "... an upgrade" "$CTL" upgrade -c "$T/t.conf"
reap again 0
is "... without a word on stderr" "$(cat "$T/again.err" 2>/dev/null)" ""

# ---------------------------------------------------------------- terminal
on_terminal() { # STEPS... : what became of it
	timeout 60 python3 "$SRCDIR/t/lib/terminal.py" "$T/shown" 80 24 "$@" -- \
		"$CTL" top -c "$T/t.conf" -i 0.2 | paste -sd' '
}
restored() { # the last word is: cursor on, and the screen that was there
	tail -c 14 "$T/shown" | grep -q $'\033\[?25h\033\[?1049l'
}
if ! python3 -c 'import pty, termios' 2>/dev/null; then
	skip 1 "no python with terminals"
	done_testing
	exit
fi
is "q ends it" "$(on_terminal wait:P99ALL key:q)" "exit 0 mode same"
ok "... and leaves the screen as it was" restored
is "it begins with a screen of its own" \
	"$(head -c 14 "$T/shown" | tr -d '\033')" '[?1049h[?25l'
is "it goes on by itself" \
	"$(on_terminal wait:rates\ of wait:clamav key:q)" "exit 0 mode same"
for s in TERM INT HUP QUIT; do
	is "SIG$s ends it as a signal does" "$(on_terminal wait:clamav \
		signal:$s)" "signal $(kill -l $s) mode same"
	ok "... and leaves the screen as it was" restored
done
is "it follows the window" "$(on_terminal wait:P99ALL size:40x7 forget \
	$'wait:\033[H' wait:MILTER forget wait:MILTER key:q)" \
	"exit 0 mode same"
is "... and fits its width" "$(python3 - "$T/shown" <<'END'
import re, sys
last = open(sys.argv[1], "rb").read().split(b"\033[H")[-1]
lines = re.sub(rb"\033\[[0-9?]*[A-Za-z]|\r", b"", last).split(b"\n")
print(max(map(len, lines)) <= 40, len(lines) == 7)
END
)" "True True"
# The server goes away and comes back.
on_terminal wait:clamav touch:"$T/seen" wait:is\ away touch:"$T/missed" \
	forget wait:rates key:q >"$T/became" &
person=$!
wait_for 20 test -e "$T/seen"
stop_sekishod
wait_for 20 test -e "$T/missed"
start_sekishod "$T/t.conf"
wait $person
is "it waits for a server that is away" "$(cat "$T/became")" \
	"exit 0 mode same"
ok "... and leaves the screen as it was" restored
stop_sekishod
expect_gone=$("$CTL" top -c "$T/t.conf" -1 2>&1 >/dev/null)
like "no server: it says so" "$expect_gone" 'could not reach the server'
stop_child clamav
done_testing
