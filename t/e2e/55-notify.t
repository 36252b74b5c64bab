#!/bin/bash
# What a service manager is told, and by whom.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
grep -q libsystemd "$SEKISHOD" || skip_all "built without libsystemd"

cat >"$T/manager.py" <<'P'
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1])
print("waiting", flush=True)
while True:
    data, control, _, _ = s.recvmsg(4096, 1024)
    pid = next(struct.unpack("3i", c[2])[0] for c in control
               if c[1] == socket.SCM_CREDENTIALS)
    for line in data.decode().splitlines():
        print(pid, line, flush=True)
P
start manager python3 "$T/manager.py" "$T/notify"
wait_for 5 in_file waiting "$T/manager.out"

conf "$T/s.conf" "workers_min = 2" "workers_max = 6" "spare_min = 1"
export NOTIFY_SOCKET=$T/notify
ready
unset NOTIFY_SOCKET
main=${PID[sekishod]}
ok "ready, from the supervisor" wait_for 5 in_file "^$main READY=1\$" \
	"$T/manager.out"
crowd_start "unix:$T/s.sock" 2
ok "how many are busy" wait_for 5 in_file \
	"^$main STATUS=run: [0-9]+ workers, 2 busy, settings 1\$" "$T/manager.out"
crowd_stop

kill -HUP "$main"
ok "a reload, from when to when" wait_for 5 in_file "^$main MONOTONIC_USEC=[0-9]+\$" \
	"$T/manager.out"
reloaded() { [ "$(grep -A9 '^[0-9]* RELOADING=1' "$T/manager.out" |
	grep -c ' READY=1$')" -ge "$1" ]; }
ok "and its end" wait_for 5 reloaded 1
ok "in the status stands which settings these are" wait_for 5 in_file \
	"^$main STATUS=run: .*, settings 2\$" "$T/manager.out"
kill -USR2 "$main"
ok "the program after an upgrade speaks to the same manager" wait_for 10 in_file \
	"^$main STATUS=.*, settings 3\$" "$T/manager.out"
stop_sekishod
ok "stopping" wait_for 5 in_file "^$main STOPPING=1\$" "$T/manager.out"
is "ready was said at the start, after a reload and after an upgrade" \
	"$(lines_of READY=1 "$T/manager.out")" 3
is "nobody else spoke" "$(grep -Evc "^($main |waiting)" "$T/manager.out")" 0
stop manager

# A watchdog that wants to hear us twice in 0.4 s.
start manager python3 "$T/manager.py" "$T/watchdog"
wait_for 5 in_file waiting "$T/manager.out"
: >"$T/manager.out"
NOTIFY_SOCKET=$T/watchdog WATCHDOG_USEC=400000 ready
main=${PID[sekishod]}
fed() { [ "$(lines_of "^$main WATCHDOG=1\$" "$T/manager.out")" -ge "$1" ]; }
ok "the watchdog is fed" wait_for 5 fed 5
kill -STOP "$main"
still() { # nothing for five times as long as it may take
	n=$(lines_of WATCHDOG "$T/manager.out")
	PATIENCE=1 wait_for 2 fed $((n + 1)) && return 1
	return 0
}
ok "but not by a supervisor that stands still" wait_for 10 still
kill -CONT "$main"
ok "until it goes on" wait_for 5 fed $((n + 2))
stop_sekishod
stop manager
done_testing
