#!/bin/bash
# What a service manager is told, and by whom.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
ldd "$SEKISHOD" | grep -q libsystemd || skip_all "built without libsystemd"

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
stop_sekishod
ok "stopping" wait_for 5 in_file "^$main STOPPING=1\$" "$T/manager.out"
is "ready was said once" "$(lines_of READY=1 "$T/manager.out")" 1
is "nobody else spoke" "$(grep -Evc "^($main |waiting)" "$T/manager.out")" 0
stop manager
done_testing
