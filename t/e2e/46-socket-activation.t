#!/bin/bash
# Sockets that a service manager has opened.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs
command -v systemd-socket-activate >/dev/null ||
	skip_all "no systemd-socket-activate"

free_port PORT
free_port SPARE
conf "$T/s.conf" \
	"listen = unix:$T/s.sock, inet:$PORT@127.0.0.1, unix:$T/own.sock" \
	"workers_min = 2" "workers_max = 6" "spare_min = 1"
start sekishod systemd-socket-activate -l "$T/s.sock" \
	-l "127.0.0.1:$PORT" -l "127.0.0.1:$SPARE" \
	"$SEKISHOD" -f -c "$T/s.conf"
SEKISHO_LOG=$T/sekishod.out
ok "the manager listens" wait_for 10 port_listens "$PORT"
inode=$(stat -c %i "$T/s.sock")
crowd_start "unix:$T/s.sock" 1
ok "the first connection starts sekishod" \
	wait_for 10 in_file ': ready$' "$SEKISHO_LOG"
ok "and is served" wait_for 10 crowd_says "answered 1 ended 0" count
crowd_stop
crowd_start "inet:$PORT@127.0.0.1,unix:$T/own.sock" 2
ok "sockets are known by their address; others are opened" \
	wait_for 10 crowd_says "answered 2 ended 0" count
crowd_stop
is "the socket is the manager's" "$(stat -c %i "$T/s.sock")" "$inode"
like "what the settings do not name is closed, in words" \
	"$(cat "$SEKISHO_LOG")" \
	"socket \"inet:$SPARE@127.0.0.1\" was handed to us, but the settings"
kill -USR2 "${PID[sekishod]}"
readies() { [ "$(lines_of ': ready$' "$SEKISHO_LOG")" = "$1" ]; }
ok "they outlive an upgrade" wait_for 20 readies 2
crowd_start "unix:$T/s.sock,inet:$PORT@127.0.0.1" 2
ok "and serve" wait_for 10 crowd_says "answered 2 ended 0" count
crowd_stop
stop_sekishod
is "a stop ends well" "$STATUS" 0
ok "and leaves the manager's path" test -S "$T/s.sock"
ok "but not our own" test ! -e "$T/own.sock"

# A manager that holds its sockets, as systemd does: they live on.
cat >"$T/manager.py" <<'P'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(10)
while True:
    pid = os.fork()
    if pid == 0:
        os.dup2(s.fileno(), 9)
        os.dup2(9, 3)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execv(sys.argv[2], sys.argv[2:])
    print("child", pid, flush=True)
    os.waitpid(pid, 0)
    if os.path.exists(sys.argv[1] + ".end"):
        break
P
rm -f "$T/s.sock"
conf "$T/s.conf" "workers_min = 2" "workers_max = 6" "spare_min = 1"
start manager python3 "$T/manager.py" "$T/s.sock" "$SEKISHOD" -f -c "$T/s.conf"
SEKISHO_LOG=$T/manager.out
wait_for 10 readies 1
crowd_start "unix:$T/s.sock" 1
ok "served by the first" wait_for 10 crowd_says "answered 1 ended 0" count
kill -TERM "$(sed -n 's/^child //p' "$SEKISHO_LOG" | head -n 1)"
wait_for 10 in_file draining "$SEKISHO_LOG"
crowd more 1
crowd close 1
ok "who connects between two programs waits for the next one" \
	wait_for 10 crowd_says "answered 1 ended 0" count
: >"$T/s.sock.end"
crowd_stop
kill -TERM "$(sed -n 's/^child //p' "$SEKISHO_LOG" | tail -n 1)"
wait_for 10 not_running manager
reap manager 0
done_testing
