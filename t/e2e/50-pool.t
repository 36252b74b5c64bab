#!/bin/bash
# How many workers there are: enough, not more than allowed, and back again.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/processes.sh"

free_port PORT
conf "$T/s.conf" "listen = unix:$T/s.sock, inet:$PORT@127.0.0.1" \
	"workers_min = 3" "workers_max = 12" "spare_min = 2" "spare_max = 4"
BOTH=unix:$T/s.sock,inet:$PORT@127.0.0.1
ready
ok "workers_min are forked before anybody comes" workers_are 3

crowd_start "$BOTH" 2
ok "both listeners are served" wait_for 5 crowd_says "answered 2 ended 0" count
ok "the pool grows before it runs dry" wait_for 5 workers_are 4

# More than can be served: workers_max is a limit, the rest waits in queue.
crowd more 28
ok "as many as workers_max are served at once" \
	wait_for 10 crowd_says "answered 12 ended 0" count
is "and no more workers than that exist" "$(worker_count)" 12
crowd close 12
ok "those that waited are served when others end" \
	wait_for 10 crowd_says "answered 12 ended 0" count
crowd close 12
ok "to the last" wait_for 10 crowd_says "answered 6 ended 0" count
is "with no more workers than before" "$(worker_count)" 12
crowd_stop
ok "idle workers above spare_max leave after a while" \
	wait_for 15 workers_are 4
is "nobody died in all this" "$(lines_of 'ended by|lost' "$SEKISHO_LOG")" 0
stop_sekishod
is "a drain with nobody busy ends well" "$STATUS" 0

# From one worker, over IPv6 where the machine has it.
if grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null; then
	free_port PORT6
	LISTEN6="inet6:$PORT6@::1"
else
	LISTEN6="unix:$T/s6.sock"
fi
conf "$T/s.conf" "listen = $LISTEN6, unix:$T/s.sock" "workers_min = 1" \
	"workers_max = 20" "spare_min = 1" "spare_max = 20"
ready
crowd_start "$LISTEN6,unix:$T/s.sock" 20
ok "twenty are served over IPv6 and unix" \
	wait_for 10 crowd_says "answered 20 ended 0" count
crowd_stop
stop_sekishod

# A burst on a small pool: doubling, not one worker a look.
conf "$T/s.conf" "workers_min = 1" "workers_max = 100" "spare_min = 1" \
	"spare_max = 100"
ready
crowd_start "unix:$T/s.sock" 90
ok "ninety at once are all served" \
	wait_for 5 crowd_says "answered 90 ended 0" count
crowd_stop
stop_sekishod

# A wake-up is lost with the worker it woke: nobody else is told again.
conf "$T/s.conf" "workers_min = 3" "workers_max = 10" "spare_min = 1" \
	"spare_max = 10"
ready
stopped=$(workers)
for p in $stopped; do kill -STOP "$p"; done
crowd_start "unix:$T/s.sock" 1
ok "a connection whose worker sleeps for ever is served by another" \
	wait_for 10 crowd_says "answered 1 ended 0" count
crowd_stop
for p in $stopped; do kill -CONT "$p"; done
stop_sekishod
is "and nobody minds" "$STATUS" 0

# Each worker one session: a leaving worker must not take a wake-up with it.
conf "$T/s.conf" "workers_min = 2" "workers_max = 4" "spare_min = 1" \
	"spare_max = 2" "sessions_max = 1"
ready
FIRST=$(workers)
for _ in 1 2 3 4 5 6 7 8 9 10; do
	crowd_start "unix:$T/s.sock" 20
	wait_for 10 crowd_says "answered 4 ended 0" count || break
	for _ in 1 2 3 4; do
		crowd close 4
		wait_for 10 crowd_says "answered 4 ended 0" count || break 2
	done
	crowd close 4
	crowd_stop
done
is "two hundred sessions of two hundred workers, none waits for ever" \
	"$CROWD_WORD" "closed 4"
unlike "none of the first workers is left" "$(workers | tr '\n' ' ')" \
	"$(echo "$FIRST" | tr '\n' '|' | sed 's/|$//')"
is "leaving after sessions_max is no death" \
	"$(lines_of 'ended by|lost' "$SEKISHO_LOG")" 0
stop_sekishod
done_testing
