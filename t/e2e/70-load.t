#!/bin/bash
# Many sessions: more than there may be workers, and workers that are killed.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
. "$SRCDIR/t/lib/load.sh"
. "$SRCDIR/t/lib/processes.sh"
need_programs
# shellcheck disable=SC2034 # read by house.sh
EXPECTED_WORKER_DEATHS="SIGKILL"

start_child one 'at eom do delay 10ms; addheader "X-one" "1"'
start_child two 'at eom do addheader "X-two" "1"'

# ---- 200 sessions at once, 20 workers
front 'workers_min=4;workers_max=20;spare_min=2' one two
load --sessions 200 --parallel 200 -n 3
most=0
while ! load_done; do
	n=$(worker_count "sekishod-$FRONT")
	[ "$n" -le "$most" ] || most=$n
	sleep 0.05
done
load_end
account one two
is "200 sessions at workers_max 20: all is well" "$LOAD_STATUS" 0
is "... every message was accepted" "${FACT[accept]}" 600
is "... each has its line" "${FACT[lines]}" 600
nothing_wrong "... "
ok "... with no more workers than allowed ($most)" test "$most" -le 20

# ---- kill -9 of workers, again and again
front 'workers_min=4;workers_max=20;spare_min=2' one two
load --sessions 400 --parallel 16 -n 5
killed=0
for n in 50 150 250 350 450 550 700 850 1000 1200; do
	wait_for 20 load_goes "$n" || break
	p=$(workers "sekishod-$FRONT" | shuf -n 1)
	[ -z "$p" ] || { kill -KILL "$p" && killed=$((killed + 1)); }
done
load_end
account one two
ok "workers were killed under load ($killed)" test "$killed" -ge 8
nothing_wrong "kill -9 of a worker"
ok "... most messages went through (${FACT[accept]})" \
	test "${FACT[accept]}" -ge 1800
# The rest of a session that failed is not sent.
ok "... no more sessions failed than workers died (${FACT[failure]})" \
	test "${FACT[failure]}" -le "$((killed * 5))"
ok "... one message at most was lost with each (${FACT[lost]})" \
	test "${FACT[lost]}" -ge 1 -a "${FACT[lost]}" -le "$killed"
is "... told verdicts and ended connections are all there is" \
	"$((FACT[accept] + FACT[failure]))" "${FACT[messages]}"

# The children are in order for the next.
sent
is "afterwards a message passes" "$MTA_STATUS" 0
done_testing
