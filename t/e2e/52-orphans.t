#!/bin/bash
# The supervisor is killed: idle workers leave, busy ones end their session.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"
EXPECTED_WORKER_DEATHS="SIGKILL"

free_port PORT
conf "$T/s.conf" "listen = unix:$T/s.sock, inet:$PORT@127.0.0.1" \
	"workers_min = 6" "workers_max = 10" "spare_min = 2" "spare_max = 8" \
	"pid_file = $T/pid"
ready
crowd_start "unix:$T/s.sock,inet:$PORT@127.0.0.1" 2
wait_for 5 crowd_says "answered 2 ended 0" count
mapfile -t all < <(workers)
is "six workers, two of them busy" "${#all[@]}" 6

alive() { # how many of them still are
	local n=0 p
	for p in "${all[@]}"; do gone "$p" || n=$((n + 1)); done
	echo "$n"
}
alive_are() { [ "$(alive)" = "$1" ]; }

murder sekishod

ok "down to the busy ones" wait_for 5 alive_are 2
ok "who go on talking" crowd_says "talked 2" talk
ok "nobody waits for a connection any more" \
	bash -c '! exec 3<>"/dev/tcp/127.0.0.1/$0"' "$PORT" 2>/dev/null

SEKISHOD_LABEL=sekishod2
start_sekishod "$T/s.conf"
ok "a new supervisor starts beside them" wait_for 10 in_file ': ready$' \
	"$SEKISHO_LOG"
ok "the old ones still talk" crowd_says "talked 2" talk
ok "the new one serves" crowd_says connected more 2
ok "both kinds" wait_for 5 crowd_says "answered 4 ended 0" count
crowd_stop
ok "orphans leave when their session ends" wait_for 5 alive_are 0
stop sekishod2
is "the new one ends well" "$STATUS" 0
done_testing
