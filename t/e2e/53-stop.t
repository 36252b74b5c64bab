#!/bin/bash
# Every way to stop, and what is no way to stop.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
EXPECTED_WORKER_DEATHS="SIGKILL"

settings() { # LINE...
	conf "$T/s.conf" "workers_min = 3" "workers_max = 6" "spare_min = 1" \
		"spare_max = 6" "pid_file = $T/pid" "$@"
}
refused() { # nobody takes a connection there
	python3 - "$T/s.sock" <<-'P'
	import socket, sys
	try:
	    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
	except (ConnectionRefusedError, FileNotFoundError):
	    sys.exit(0)
	sys.exit(1)
	P
}
busy() { # NUMBER of connections, served
	crowd_start "unix:$T/s.sock" "$1"
	wait_for 5 crowd_says "answered $1 ended 0" count
}

settings
ready
is "the pid file tells our pid" "$(cat "$T/pid")" "${PID[sekishod]}"
kill -HUP "${PID[sekishod]}"
ok "SIGHUP reads the settings again" wait_for 5 \
	in_file 'settings read again, generation 2: nothing changed' \
	"$SEKISHO_LOG"
kill -USR1 "${PID[sekishod]}"
ok "SIGUSR1 neither" wait_for 5 in_file ': log files are opened' "$SEKISHO_LOG"
one=$(workers | head -1)
kill -TERM "$one"
ok "a worker that gets SIGTERM leaves" wait_for 5 gone "$one"
ok "and is replaced" wait_for 5 workers_are 3
is "without a complaint" "$(lines_of 'ended by' "$SEKISHO_LOG")" 0
stop_sekishod
is "SIGTERM with nobody busy: exit 0" "$STATUS" 0
not_ok "the socket is gone" test -e "$T/s.sock"
not_ok "the pid file is gone" test -e "$T/pid"

ready
busy 2
kill -TERM "${PID[sekishod]}"
ok "SIGTERM drains" wait_for 5 in_file 'draining: 3 workers, 2 of them busy' \
	"$SEKISHO_LOG"
ok "only the busy ones stay" wait_for 5 workers_are 2
ok "new connections are refused" wait_for 5 refused
ok "the old ones go on" crowd_says "talked 2" talk
ok "sekishod waits for them" running sekishod
crowd close 1
ok "one less" wait_for 5 workers_are 1
crowd close 1
reap sekishod 0
is "exit 0 when the last has ended" "$STATUS" 0
is "nothing was lost" "$(lines_of verdict=lost "$SEKISHO_LOG")" 0
crowd_stop

rm -f "$T/sekishod.out"
settings "drain_timeout = 1s"
ready
busy 2
kill -TERM "${PID[sekishod]}"
reap sekishod 0
is "after drain_timeout: exit 0 too" "$STATUS" 0
ok "it says so" in_file 'drain_timeout is over: 2 workers are killed' \
	"$SEKISHO_LOG"
is "a line for each that was lost" \
	"$(lines_of 'verdict=lost .* signal=SIGKILL' "$SEKISHO_LOG")" 2
crowd_stop

rm -f "$T/sekishod.out"
settings
ready
busy 1
kill -TERM "${PID[sekishod]}"
wait_for 5 in_file draining "$SEKISHO_LOG"
kill -TERM "${PID[sekishod]}"
reap sekishod 0
is "a second SIGTERM does not wait" "$STATUS" 0
is "what was lost is told" \
	"$(lines_of 'verdict=lost .* signal=SIGKILL' "$SEKISHO_LOG")" 1
crowd_stop

for sig in INT QUIT; do
	rm -f "$T/sekishod.out"
	ready
	busy 2
	kill -"$sig" "${PID[sekishod]}"
	reap sekishod 0
	is "SIG$sig stops at once: exit 0" "$STATUS" 0
	is "SIG$sig: a line for each that was lost" \
		"$(lines_of 'verdict=lost .* signal=SIGKILL' "$SEKISHO_LOG")" 2
	not_ok "SIG$sig: the socket is gone" test -e "$T/s.sock"
	crowd_stop
done

# A worker that is stopped cannot leave: the drain does not wait for ever.
rm -f "$T/sekishod.out"
settings "drain_timeout = 3s"
ready
kill -STOP "$(workers | head -1)"
kill -TERM "${PID[sekishod]}"
reap sekishod 0
is "a stopped worker does not hold up the drain" "$STATUS" 0
ok "it was killed" in_file '1 workers are killed' "$SEKISHO_LOG"
done_testing
