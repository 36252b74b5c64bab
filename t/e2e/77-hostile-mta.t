#!/bin/bash
# MTAs that do not read, that do not wait, that say half a packet and stay:
# each costs its own worker, for as long as the settings say.
. "${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/t/lib/house.sh"
. "$SRCDIR/t/lib/chain.sh"
need_programs

raw() { # MODE [NUMBER...]
	timeout 240 python3 "$SRCDIR/t/lib/raw_mta.py" "unix:$T/front.sock" "$@"
}
start_child plain ''
start_child verbose 'at eom do replbody "0123456789" 1000000'

# ---- one that does not read its ten megabytes of edits
front '' verbose plain
mark
is "an MTA that reads late gets its answer all the same" "$(raw deaf 2)" open
like "... and its message has its line" "$(line)" 'verdict=accept'
mark
expect_death gone
start gone python3 "$SRCDIR/t/lib/raw_mta.py" "unix:$T/front.sock" deaf 300
asked() { log_since verbose | grep -qE '^s[0-9]+ m[0-9]+ eom'; }
wait_for 20 asked
murder gone
like "an MTA that goes without reading: the message is not accepted" \
	"$(line)" 'verdict=abort'
is "... no worker died" "$(lines_of 'ended by signal|verdict=lost' \
	"$SEKISHO_LOG")" 0
sent
is "... the next is served" "$MTA_STATUS" 0

# ---- one that does not wait for answers
front '' plain
mark
is "a thousand messages without waiting: every answer comes" \
	"$(raw flood 1000)" "answers 4000 of 4000"
ok "... and every message has its line" wait_for 20 new_lines 1000
is "... one each" "$(lines_of 'verdict=accept' "$SEKISHO_LOG")" 1000
is "... and went through the child" \
	"$(log_since plain | grep -cE '^s[0-9]+ m[0-9]+ eom ')" 1000

# ---- many that say half a packet and stay
front 'workers_min=2;workers_max=12;mta_idle_timeout=1s' plain
raw hold 10 6 >"$T/held.out" &
holder=$!
ok "ten connections with half a packet" wait_for 5 in_file held "$T/held.out"
sent
is "others are served meanwhile" "$MTA_STATUS" 0
wait "$holder"
is "they are let go when their time is over" \
	"$(sed -n 2p "$T/held.out")" "closed 10"
sent
is "afterwards all is well" "$MTA_STATUS" 0
done_testing
