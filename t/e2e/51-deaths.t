#!/bin/bash
# Workers that die: replaced, explained, and what they held is accounted for.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
EXPECTED_WORKER_DEATHS="SIGKILL SIGILL"

LOST='^sekishod\[[0-9]+\]: [^ ]+: from=".*" client=".*" verdict=lost stage=[a-z-]+ child=(one|-) signal=SIGKILL pid='

conf "$T/s.conf" "workers_min = 2" "workers_max = 8" "spare_min = 2" \
	"spare_max = 8"
ready
idle=$(workers | head -1)
hit KILL "$idle"
ok "an idle worker's death is told" wait_for 5 \
	in_file "worker $idle ended by signal SIGKILL" "$SEKISHO_LOG"
ok "it is replaced" wait_for 5 workers_are 2
is "it lost nothing" "$(lines_of verdict=lost "$SEKISHO_LOG")" 0

crowd_start "unix:$T/s.sock" 3
ok "three connections are served" \
	wait_for 5 crowd_says "answered 3 ended 0" count
wait_for 5 workers_are 5
# Which of them are busy: the ones that hold a connection besides the pair.
busy_workers() {
	local p
	for p in $(workers); do
		[ "$(grep -c . <(sockets_of "$p"))" -gt "$IDLE_SOCKETS" ] &&
			echo "$p"
	done
}
sockets_of() { # PID
	find "/proc/$1/fd" -lname 'socket:*' 2>/dev/null
}
IDLE_SOCKETS=$(for p in $(workers); do sockets_of "$p" | wc -l; done |
	sort -n | head -1)
mapfile -t busy < <(busy_workers)
is "three workers hold one each" "${#busy[@]}" 3
hit KILL "${busy[0]}"
ok "a busy worker's death writes the line of what it lost" wait_for 5 \
	in_file "$LOST${busy[0]}\$" "$SEKISHO_LOG"
ok "its MTA sees the connection end, the others do not" \
	wait_for 5 crowd_says "answered 3 ended 1" count
ok "the others go on talking" crowd_says "talked 2" talk
ok "there are enough idle workers again" wait_for 5 workers_are 4
is "one line for one death" "$(lines_of verdict=lost "$SEKISHO_LOG")" 1

# One that no sanitizer takes for itself.
hit ILL "${busy[1]}"
ok "another signal is told by its name" wait_for 5 \
	in_file "verdict=lost .* signal=SIGILL pid=${busy[1]}\$" "$SEKISHO_LOG"
crowd_stop

# A child that hangs: the line names it and the stage.
cat >"$T/hang.py" <<'P'
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
c, _ = s.accept()
f = c.makefile("rwb")
while True:
    head = f.read(4)
    if not head:
        break
    letter = f.read(struct.unpack(">I", head)[0])[:1]
    if letter == b"O":
        f.write(struct.pack(">IcIII", 13, b"O", 6, 0, 0))
        f.flush()
    print("got", letter.decode(), flush=True)
P
start hang python3 "$T/hang.py" "$T/one.sock"
wait_for 5 unix_listens "$T/one.sock"
crowd_start "unix:$T/s.sock" 1
crowd connect
ok "a child is asked about the client" \
	wait_for 5 in_file 'got C' "$T/hang.out"
mapfile -t busy < <(busy_workers)
hit KILL "${busy[0]}"
ok "the line tells client, stage and child" wait_for 5 in_file \
	": NOQUEUE: from=\"\" client=\"mx.example.org\[192.0.2.7\]\" verdict=lost stage=connect child=one signal=SIGKILL pid=${busy[0]}\$" \
	"$SEKISHO_LOG"
crowd_stop
reap hang 0

# No descriptors left: the worker leaves, another takes the connection.
rm -f "$T/one.sock"
wait_for 5 workers_are 2
for p in $(workers); do
	prlimit --pid "$p" --nofile=3:3
done
crowd_start "unix:$T/s.sock" 1
ok "without descriptors a worker leaves, and says why" wait_for 5 in_file \
	'error: could not take a connection: Too many open files' "$SEKISHO_LOG"
ok "which slows the pool down" wait_for 5 in_file \
	'workers run out of memory or descriptors: starting no workers for' \
	"$SEKISHO_LOG"
ok "and the connection is served all the same" \
	wait_for 10 crowd_says "answered 1 ended 0" count
crowd_stop

# A storm: whatever is forked is killed at once, for two seconds, and on a
# busy machine until there were enough of them.  No ps: that takes too long.
storm() { # UNTIL-MICROSECONDS
	local p pids=
	while [ "${EPOCHREALTIME/[.,]/}" -lt "$1" ]; do
		read -r pids <"/proc/${PID[sekishod]}/task/${PID[sekishod]}/children"
		for p in $pids; do
			seen[$p]=1
			kill -KILL "$p" 2>/dev/null
		done
	done
}
paced() {
	in_file 'error: (many workers die|workers die before they serve): starting no workers for' \
		"$SEKISHO_LOG"
}
declare -A seen=()
began=${EPOCHREALTIME/[.,]/}
storm $((began + 2000000))
for ((i = 0; i < 40; i++)); do
	paced && break
	storm $((${EPOCHREALTIME/[.,]/} + 500000))
done
took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
diag "${#seen[@]} workers were killed in $took ms"
ok "the storm is bounded" test "${#seen[@]}" -lt $((120 * took / 2000))
ok "the log says why nothing is started" paced
ok "when it is over the pool comes back" wait_for 20 workers_are 2
crowd_start "unix:$T/s.sock" 1
ok "and serves" wait_for 10 crowd_says "answered 1 ended 0" count
crowd_stop
stop_sekishod
is "sekishod itself ends well" "$STATUS" 0
done_testing
