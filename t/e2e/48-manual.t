#!/bin/bash
# The examples of sekishod(8) and sekisho-status(7) run as they stand there;
# those of sekishoctl(8) are in 48-sekishoctl.t.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs "$SEKISHOD" "$SEKISHO_MILTER"

mkdir "$T/run"
conf "$T/s.conf" "workers_min = 2" "log = file" "log_file = $T/log" \
	"pid_file = $T/run/sekishod.pid" "status = unix:$T/run/status.sock"
start_child one ''

# What differs from the machine of the manual: settings and directory; and nc
# is of OpenBSD there.
sekishod() { "$SEKISHOD" -c "$T/s.conf" "$@"; }
nc() { # -N -U PATH: to the socket until the end, back until it closes
	[ "$1 $2" = "-N -U" ] || return 1
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR)
while True:
    data = s.recv(65536)
    if not data:
        break
    sys.stdout.buffer.write(data)' "$3"
}
here() { sed -e "s,/run/sekisho/,$T/run/,g" -e 's,\\e,\\,g'; }
run() { # LINE: its output is in $T/out
	eval "$1" >"$T/out" 2>"$T/err" </dev/null
}
shown() { # PAGE: what stands in literal blocks of its examples
	awk '/^\.Sh / { here = $2 == "EXAMPLES" }
		/^\.Ed/ { on = 0 }
		here && on { print }
		/^\.Bd -literal/ { on = 1 }' "$SRCDIR/doc/$1" | here
}

# ------------------------------------------------------------- sekishod(8)
mapfile -t lines < <(shown sekishod.8)
is "sekishod(8) has its three examples" "${#lines[@]}" 3
ok "${lines[0]}" run "${lines[0]}"
PID[daemon]=$(cat "$T/run/sekishod.pid")
ok "... it is ready" wait_for 10 in_file ': ready$' "$T/log"
ok "${lines[1]}" run "${lines[1]}"
ok "... the settings are read again" wait_for 10 in_file \
	'generation 2: nothing changed' "$T/log"
ok "${lines[2]}" run "${lines[2]}"
like "... workers are shown" "$(cat "$T/out")" 'sekisho-worker'

# -------------------------------------------------------- sekisho-status(7)
mapfile -t lines < <(sed -n 's/^\$ //p' "$SRCDIR/doc/sekisho-status.7" | here)
is "sekisho-status(7) has its example" "${#lines[@]}" 1
ok "${lines[0]}" run "${lines[0]}"
like "... the answer begins with its length" "$(sed -n 1p "$T/out")" '^ok [0-9]+$'
is "... and has it" "$(sed 1d "$T/out" | wc -c)" \
	"$(sed -n '1s/ok //p' "$T/out")"
like "... it is what the manual shows" "$(sed -n 2p "$T/out")" \
	'^version     [0-9.]+, pid [0-9]+, up [^ ]+, phase run$'
is "... of this one" "$(sed -nE '2s/.*pid ([0-9]+),.*/\1/p' "$T/out")" \
	"${PID[daemon]}"

kill -TERM "${PID[daemon]}"
ok "it stops" wait_for 20 gone "${PID[daemon]}"
unset "PID[daemon]"
done_testing
